"""Faults around notebooks, kernels and kept networks, caused for real."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import papermill
import pytest
from conftest import NOTEBOOKS, ROOT, SMALL, code_cells, read, tags
from execute import NotebookFailed, execute
from faults import bound_by_permissions, namespace
from jupyter_client.manager import start_new_kernel
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

DENSE = NOTEBOOKS[1]


@pytest.fixture
def artifacts(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "artifacts"
    monkeypatch.setenv("MNIST_ARTIFACTS", str(folder))
    return folder


def sources(path: Path, **parameters) -> list[str]:
    """The code cells of a notebook with small parameters, or with those given."""
    chosen = SMALL[path.stem] | parameters
    return [
        cell.source
        for cell in code_cells(parameterize_notebook(load_notebook_node(str(path)), chosen))
    ]


def checked_settings(path: Path, **parameters) -> dict:
    """The names in a notebook after the cell that checks its parameters."""
    cells = code_cells(parameterize_notebook(load_notebook_node(str(path)), parameters))
    place = place_of([cell.source for cell in cells], "\ncheck_parameters(")
    names = {}
    exec("from mnist_helpers import check_parameters", names)  # one does so in its first cell
    for cell in cells[:place]:
        if set(tags(cell)) & {"parameters", "injected-parameters"}:
            exec(cell.source, names)
    exec(cells[place].source, names)
    return names


def place_of(cells: list[str], text: str) -> int:
    return next(index for index, source in enumerate(cells) if text in source)


class Kernel:
    """A kernel in the notebooks' folder, with what a learner does to it."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(cwd=str(ROOT / "notebooks"))

    def run(self, source: str, interrupt_at: str = "") -> tuple[str, str]:
        """Run a cell; give the name and text of its error, or two empty ones.

        The kernel is interrupted, once, when the cell shows the text `interrupt_at`.
        """
        interrupted = False

        def watch(message):
            nonlocal interrupted
            shown = str(message["content"].get("data", ""))
            if interrupt_at and interrupt_at in shown and not interrupted:
                interrupted = True
                self.manager.interrupt_kernel()

        reply = self.client.execute_interactive(source, timeout=300, output_hook=watch)["content"]
        return reply.get("ename", ""), reply.get("evalue", "")

    def run_all(self, cells: list[str]) -> None:
        for source in cells:
            assert self.run(source) == ("", ""), source

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One kernel for all that a learner does to notebook 02, and its folder of kept networks."""
    kernel = Kernel()
    kernel.artifacts = tmp_path_factory.mktemp("kernel") / "artifacts"
    folder = str(kernel.artifacts)
    assert kernel.run(f"import os; os.environ['MNIST_ARTIFACTS'] = {folder!r}") == ("", "")
    yield kernel
    kernel.close()


@pytest.mark.slow
class TestCellsOutOfOrder:
    def test_a_cell_before_those_it_needs_names_what_is_missing(self, kernel):
        cells = sources(DENSE)
        assert kernel.run(cells[place_of(cells, "fit = model.fit(")])[0] == "NameError"

    def test_interrupted_fit_run_again_is_refused_and_works_after_a_new_build(self, kernel):
        cells = sources(DENSE, epochs=200, train_images=20_000)
        build, fit = place_of(cells, "model = keras.Seq"), place_of(cells, "fit = model.fit(")
        kernel.run_all(cells[:fit])
        assert kernel.run(cells[fit], interrupt_at=" of 200: loss")[0] == "KeyboardInterrupt"
        name, text = kernel.run(cells[fit])
        assert name == "RuntimeError" and "run the cells again from the one that builds" in text
        assert kernel.run("epochs = 1") == ("", "")
        kernel.run_all(cells[build : fit + 1])

    def test_results_of_an_interrupted_second_training_are_not_reported(self, kernel):
        cells = sources(DENSE, train_images=20_000)
        build, fit = place_of(cells, "model = keras.Seq"), place_of(cells, "fit = model.fit(")
        report, save = place_of(cells, "report_result("), place_of(cells, "save_run(")
        kernel.run_all(cells[: report + 1])
        assert kernel.run("epochs = 200") == ("", "")
        kernel.run_all(cells[build:fit])
        assert kernel.run(cells[fit], interrupt_at=" of 200: loss")[0] == "KeyboardInterrupt"
        # The names of the first training are still there, beside a network of the second.
        for cell in (cells[report], cells[save]):
            name, text = kernel.run(cell)
            assert name == "ValueError" and "history is of another training" in text
        assert not kernel.artifacts.exists()

    # Of 06, test_browser.py shows the same; the others are made of the same parts.
    def test_run_all_twice_in_one_kernel_works(self, kernel):
        cells = sources(DENSE)
        kernel.run_all(cells)
        kernel.run_all(cells)


class TestParameters:
    @pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
    @pytest.mark.parametrize("value", [0, -1, 10**10, 0.5, "many", float("nan")], ids=str)
    def test_a_bad_value_is_named_before_any_work(self, path, value):
        for name in papermill.inspect_notebook(str(path)):
            if value == 0 and name in ("example", "seed"):
                continue  # which may be 0
            with pytest.raises(ValueError, match=rf"parameter {name} = .*: must be a whole number"):
                checked_settings(path, **{name: value})

    @pytest.mark.parametrize(
        ("number", "parameters", "said"),
        [
            (2, {"epochs": 20, "lab_epochs": 21}, "lab_epochs = 21: .* from 1 to epochs = 20"),
            (2, {"batch_size": 1_001}, "batch_size = 1001: .* from 1 to 1,000"),
            (3, {"batch_size": 48_000}, "batch_size = 48000: .* from 1 to 1,000"),
            (4, {"blocks": 7}, "block_images = 8000: .* from 200 to 48_000 // blocks = 6,857"),
            (5, {"epochs": 1, "batch_size": 400}, "batch_size = 400: .* from 10 to 250"),
            (5, {"blocks": 9}, "block_images = 6000: .* from 500 to 48_000 // blocks = 5,333"),
        ],
    )
    def test_values_that_do_not_go_together_are_refused_by_name(self, number, parameters, said):
        with pytest.raises(ValueError, match=said):
            checked_settings(NOTEBOOKS[number - 1], **parameters)

    def test_numpys_numbers_are_taken_as_papermill_passes_them_on(self):
        numbers = {
            "epochs": np.int64(2),
            "lab_epochs": np.float32(1),
            "train_images": np.int32(2_000),
        }
        names = checked_settings(DENSE, **numbers)
        assert [names[name] for name in numbers] == [2, 1, 2_000]
        json.dumps({name: names[name] for name in numbers})  # as for a network that is kept

    # That such values run in every notebook, test_nbval.py shows.
    @pytest.mark.slow
    def test_claims_about_other_settings_say_that_they_are_not_checked(self, tmp_path, artifacts):
        path = NOTEBOOKS[2]
        execute(path, tmp_path / "out.ipynb", SMALL[path.stem] | {"batch_size": 500})
        claims = [
            cell for cell in code_cells(read(tmp_path / "out.ipynb")) if "claim" in tags(cell)
        ]
        said = ["Not checked in full" in str(cell.outputs) for cell in claims]
        assert said == ["checked(" in cell.source for cell in claims]
        assert set(said) == {True, False}

    @pytest.mark.slow
    def test_a_bad_value_stops_the_notebook_and_leaves_no_output(self, tmp_path, artifacts):
        with pytest.raises(NotebookFailed, match="ValueError: parameter train_images = 48001: "):
            execute(NOTEBOOKS[2], tmp_path / "out.ipynb", {"train_images": 48_001})
        assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.slow
def test_a_read_only_checkout_works_and_says_that_nothing_was_kept(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    for name in ("mnist_helpers", "notebooks"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.delenv("MNIST_ARTIFACTS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(checkout))
    for folder in (checkout, checkout / "mnist_helpers", checkout / "notebooks"):
        folder.chmod(0o555)
    notebook, output = checkout / "notebooks" / DENSE.name, tmp_path / "out.ipynb"
    task = json.dumps({"parameters": SMALL[DENSE.stem], "cwd": str(notebook.parent)})
    command = [sys.executable, ROOT / "tools" / "execute.py", notebook, output, task]
    done = subprocess.run([*bound_by_permissions(), *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    printed = "".join(o.get("text", "") for cell in code_cells(read(output)) for o in cell.outputs)
    assert "could not be kept (Permission denied)" in printed
    assert sorted(path.name for path in checkout.iterdir()) == ["mnist_helpers", "notebooks"]


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_an_unsupported_python_gets_one_clear_line(version):
    python = shutil.which(f"python{version}")
    if not python or subprocess.run([python, "--version"], capture_output=True).returncode:
        pytest.skip(f"there is no Python {version} on this machine")
    setup = [python, ROOT / "tools" / "setup_venv.py"]
    done = subprocess.run(setup, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"Python {version}" in done.stderr and "PYTHON=python3.12 make run" in done.stderr


# ---- kept networks ----

KEEP = """
import sys
from mnist_helpers import build_dense, save_run
network = build_dense()
network.set_weights([weights * 0 + 1 for weights in network.get_weights()])
if "wait" in sys.argv:
    save = network.save
    # Half of the work: the network is written, its history is not, and the old file is in place.
    network.save = lambda part: (save(part), print("half written", flush=True), sys.stdin.read())
save_run("dense", network, {"loss": [1]}, {"data": "none"})
"""


@pytest.mark.slow
class TestKeptNetworks:
    def test_a_kernel_killed_while_it_keeps_a_network_leaves_the_old_one(self, artifacts):
        from mnist_helpers import build_dense, load_run, save_run

        old = build_dense()
        old.set_weights([weights * 0 for weights in old.get_weights()])
        save_run("dense", old, {"loss": [0]}, {"data": "none"})
        keep_killed_half_way()
        assert len(list(artifacts.iterdir())) == 2  # the old file, and what the kill left
        network, history = load_run("dense", {"data": "none"})
        assert {number for weights in network.get_weights() for number in weights.flat} == {0}
        assert history == {"loss": [0]}
        save_run("dense", old, {"loss": [0]}, {"data": "none"})
        assert [path.name for path in artifacts.iterdir()] == ["dense.keras"]

    def test_a_full_disk_is_told_and_leaves_no_half_written_file(self, artifacts, tmp_path):
        artifacts.mkdir()
        listing = tmp_path / "listing"
        prefix = namespace("--mount", f"mount -t tmpfs -o size=100k tmpfs '{artifacts}'")
        inside = ("sh", "-c", f"\"$@\"; find '{artifacts}' -type f > '{listing}'", "sh")
        command = [*prefix, *inside, sys.executable, "-c", KEEP]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "The network could not be kept (" in done.stdout, done.stderr
        assert "the later notebooks train it anew" in done.stdout
        assert listing.read_text() == ""


def keep_killed_half_way() -> None:
    command = [sys.executable, "-c", KEEP, "wait"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "half written\n"
        process.kill()
