"""What the tests share: where things are, one run of the tutorial, one browser."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools.links import own_notebooks

ROOT = Path(__file__).resolve().parent.parent

# Notebooks run in a folder of their own: a relative path must not depend on it.
if os.environ.get("MNIST_NPZ"):
    os.environ["MNIST_NPZ"] = os.path.abspath(os.path.expanduser(os.environ["MNIST_NPZ"]))

# Tests that call make get what a person gets, also when `make test` has started them.
for variable in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(variable, None)

# A shell that starts the tests in the background ignores Ctrl-C for them; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

LESSONS = own_notebooks(ROOT / "notebooks")
NOTEBOOKS = [path for path in LESSONS if path.parent.name == "notebooks"]
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def in_turn(paths: list[Path], count: int) -> list[Path]:
    """So many of these notebooks, which saves time, or with TEST_ALL=1 all; new sources, others."""
    from tools.run import sources_digest

    first = int(sources_digest()[:8], 16)
    count = len(paths) if os.environ.get("TEST_ALL") == "1" else count
    return sorted(paths[(first + number) % len(paths)] for number in range(count))


# Few images and one epoch: what runs through here runs through at full length too.
SMALL = {
    "01_data_exploration": {"example": 7, "train_images": 1_000},
    "02_dense_network": {"train_images": 1_600, "epochs": 1, "lab_epochs": 1},
    "03_convolutional_network": {"train_images": 1_600, "epochs": 1},
    "04_comparison": {
        "train_images": 1_600,
        "dense_epochs": 1,
        "cnn_epochs": 1,
        "block_images": 400,
        "shift_images": 200,
    },
    "05_going_further": {"train_images": 1_000, "epochs": 1, "block_images": 500},
    "06_your_own_digits": {"train_images": 1_000, "dense_epochs": 1, "cnn_epochs": 1},
    "how_sure": {"repetitions": 10_000},
    "speed_and_devices": {"speed_images": 1_000, "rounds": 2, "epochs": 1},
}


def pytest_configure(config) -> None:
    """Give each of several workers (pytest -n) a core of its own, and with it all it starts."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


def read(path: Path):
    return nbformat.read(path, as_version=4)


def filled(path: Path, **parameters):
    """A notebook with these parameters filled in, as papermill passes them on."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    return parameterize_notebook(load_notebook_node(str(path)), parameters)


def write_notebook(path: Path, *cells, **metadata) -> Path:
    """Write a notebook of such cells or sources of code; the metadata are `mnist_tutorial`."""
    cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "mnist_tutorial": metadata}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def copy_checkout(folder: Path, *names: str) -> None:
    """Copy these files and folders of the repository."""
    for name in names:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)


@pytest.fixture
def artifacts(tmp_path, monkeypatch) -> Path:
    """Where networks are kept: a folder of one's own, which is not there yet."""
    monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


@pytest.fixture(scope="session")
def full_run() -> dict:
    """build/results.json of a complete run of what is there now, which is made where it is not."""
    # Of several workers one makes it, and the others wait for that.
    command = [sys.executable, "-m", "tools.run", "--if-needed"]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((ROOT / "build" / "results.json").read_text())


@pytest.fixture(scope="session")
def networks(full_run) -> Path:
    """The folder of the networks that the run has trained and kept: NAME.keras."""
    return ROOT / "build" / "networks"


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """The tutorial's ten drawings, prepared: (10, 28, 28) uint8, light ink on black."""
    from mnist_helpers import EXAMPLE_DRAWINGS, prepare_strokes

    return np.stack([prepare_strokes(strokes) for strokes in EXAMPLE_DRAWINGS.values()])


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Calls a function in a real IPython shell, and gives the outputs that it shows."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance(ipython_dir=str(tmp_path_factory.mktemp("ipython")))

    def shown(function, *arguments, **options) -> list:
        with capture_output() as captured:
            function(*arguments, **options)
        return captured.outputs

    yield shown
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


# For one module at a time: while it is open, no other event loop can run in this process.
@pytest.fixture(scope="module")
def chromium():
    """A running Chromium; without one the tests are skipped, or fail if REQUIRE_BROWSER=1."""
    from browser import CHROMIUM_ARGS, find_chromium
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    if executable is None:
        reason = "no Chromium or Chrome is installed (Debian: apt-get install chromium)"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield browser
        browser.close()
