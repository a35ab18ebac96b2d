"""Faults around notebooks, kernels and kept networks, caused for real."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import NOTEBOOKS, ROOT, code_cells, read
from execute import NotebookFailed, execute
from faults import bound_by_permissions, kill_after, namespace
from jupyter_client.manager import start_new_kernel
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from test_notebooks import SMALL

DENSE, CNN = NOTEBOOKS[1:3]


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


@pytest.fixture
def kernel(artifacts):
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.mark.slow
class TestCellsOutOfOrder:
    def test_interrupted_fit_run_again_is_refused_and_works_after_a_new_build(self, kernel):
        cells = sources(DENSE, epochs=200, train_images=20_000)
        build, fit = place_of(cells, "model = build_dense()"), place_of(cells, "fit = model.fit(")
        kernel.run_all(cells[:fit])
        assert kernel.run(cells[fit], interrupt_at=" of 200: loss")[0] == "KeyboardInterrupt"
        name, text = kernel.run(cells[fit])
        assert name == "RuntimeError" and "run the cells again from the one that builds" in text
        assert kernel.run("epochs = 1") == ("", "")
        kernel.run_all(cells[build:])

    def test_results_of_an_interrupted_second_training_are_not_reported(self, kernel, artifacts):
        cells = sources(DENSE, train_images=20_000)
        build, fit = place_of(cells, "model = build_dense()"), place_of(cells, "fit = model.fit(")
        report, save = place_of(cells, "report_result("), place_of(cells, "save_run(")
        kernel.run_all(cells[: report + 1])
        assert kernel.run("epochs = 200") == ("", "")
        kernel.run_all(cells[build:fit])
        assert kernel.run(cells[fit], interrupt_at=" of 200: loss")[0] == "KeyboardInterrupt"
        # The names of the first training are still there, beside a network of the second.
        for cell in (cells[report], cells[save]):
            name, text = kernel.run(cell)
            assert name == "ValueError" and "history is of another training" in text
        assert not artifacts.exists()

    # The others are made of the same parts and take minutes.
    @pytest.mark.parametrize("path", [DENSE, NOTEBOOKS[5]], ids=lambda path: path.stem)
    def test_run_all_twice_in_one_kernel_works(self, kernel, path):
        cells = sources(path)
        kernel.run_all(cells)
        kernel.run_all(cells)

    def test_a_cell_before_those_it_needs_names_what_is_missing(self, kernel):
        cells = sources(DENSE)
        assert kernel.run(cells[place_of(cells, "fit = model.fit(")])[0] == "NameError"


class TestParameters:
    @pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
    @pytest.mark.parametrize("value", [0, -1, 10**9, 0.5, "many", float("nan")], ids=str)
    def test_a_bad_value_is_named_before_any_work(self, path, value):
        cells = read(path).cells
        place = next(
            i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])
        )
        names = {}
        exec(cells[place].source, names)
        name = next(name for name in names if name.endswith(("images", "epochs")))
        names[name] = value
        check = next(cell for cell in cells[place + 1 :] if cell.cell_type == "code")
        with pytest.raises(ValueError, match=rf"parameter {name} = .*: must be a whole number"):
            exec(check.source, names)

    @pytest.mark.slow
    def test_more_images_than_there_are_stop_the_notebook(self, tmp_path, artifacts):
        with pytest.raises(NotebookFailed, match="ValueError: parameter train_images = 60001: "):
            execute(CNN, tmp_path / "out.ipynb", {"train_images": 60_001})


@pytest.mark.slow
class TestPlaces:
    def test_a_notebook_runs_through_a_symlink(self, tmp_path, artifacts):
        (tmp_path / "linked").symlink_to(ROOT / "notebooks", target_is_directory=True)
        linked = tmp_path / "linked" / DENSE.name
        execute(linked, tmp_path / "out.ipynb", SMALL[DENSE.stem])
        assert (artifacts / "dense.keras").exists()

    def test_a_read_only_checkout_works_and_says_that_nothing_was_kept(self, tmp_path, monkeypatch):
        checkout = tmp_path / "checkout"
        for name in ("mnist_helpers", "notebooks"):
            shutil.copytree(
                ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        monkeypatch.delenv("MNIST_ARTIFACTS", raising=False)
        monkeypatch.setenv("PYTHONPATH", str(checkout))
        for folder in (checkout, checkout / "mnist_helpers", checkout / "notebooks"):
            folder.chmod(0o555)
        output = tmp_path / "out.ipynb"
        run_notebook(bound_by_permissions(), checkout / "notebooks" / DENSE.name, output)
        assert "could not be kept (Permission denied)" in printed(output)
        assert sorted(path.name for path in checkout.iterdir()) == ["mnist_helpers", "notebooks"]


def run_notebook(prefix: tuple, notebook: Path, output: Path, **environment: str) -> None:
    """Execute a notebook with small parameters under a command prefix."""
    task = json.dumps({"parameters": SMALL[notebook.stem], "cwd": str(notebook.parent)})
    command = [*prefix, sys.executable, ROOT / "tools" / "execute.py", notebook, output, task]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def printed(path: Path) -> str:
    outputs = [output for cell in code_cells(read(path)) for output in cell.outputs]
    return "\n".join(output.get("text", "") for output in outputs)


class TestMachines:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "environment",
        [
            {"OMP_NUM_THREADS": "0", "TF_NUM_INTRAOP_THREADS": "1"},
            {"OMP_NUM_THREADS": "several"},
            {"CUDA_VISIBLE_DEVICES": "-1"},
            {"CUDA_VISIBLE_DEVICES": "7"},
        ],
        ids=lambda environment: ", ".join(f"{k}={v}" for k, v in environment.items()),
    )
    def test_odd_settings_of_threads_and_gpus_change_nothing(
        self, environment, tmp_path, artifacts
    ):
        run_notebook((), DENSE, tmp_path / "out.ipynb", **environment)

    @pytest.mark.slow
    @pytest.mark.skipif(not shutil.which("taskset"), reason="this machine has no taskset")
    def test_one_core_is_enough(self, tmp_path, artifacts):
        one = str(min(os.sched_getaffinity(0)))
        run_notebook(("taskset", "--cpu-list", one), CNN, tmp_path / "out.ipynb")

    @pytest.mark.parametrize("version", ["3.10", "3.14"])
    def test_an_unsupported_python_gets_one_clear_line(self, version):
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
settings = {"data": "none"}
print("writing", flush=True)
for number in range(int(sys.argv[1])):
    network.set_weights([weights * 0 + number for weights in network.get_weights()])
    save_run("dense", network, {"loss": [number]}, settings)
"""


class TestKeptNetworks:
    @pytest.mark.slow
    def test_a_kernel_killed_while_it_keeps_a_network_leaves_the_old_or_the_new(self, artifacts):
        from mnist_helpers import build_dense, load_run, save_run

        empty = build_dense()
        empty.set_weights([weights * 0 for weights in empty.get_weights()])
        save_run("dense", empty, {"loss": [0]}, {"data": "none"})
        moments = random.Random(3)
        parts_left = 0
        for _ in range(8):
            command = [sys.executable, "-c", KEEP, "100000"]
            kill_after(command, moments.uniform(0, 0.5), dict(os.environ))
            network, history = load_run("dense", {"data": "none"})
            numbers = {number for weights in network.get_weights() for number in weights.flat}
            assert numbers == set(history["loss"])  # all of one save, and of its history
            parts_left += len(list(artifacts.iterdir())) - 1
        assert parts_left > 0  # some were killed in the middle
        save_run("dense", empty, {"loss": [0]}, {"data": "none"})
        assert [path.name for path in artifacts.iterdir()] == ["dense.keras"]

    @pytest.mark.slow
    def test_a_full_disk_is_told_and_leaves_no_half_written_file(self, artifacts, tmp_path):
        artifacts.mkdir()
        listing = tmp_path / "listing"
        prefix = namespace("--mount", f"mount -t tmpfs -o size=100k tmpfs '{artifacts}'")
        inside = ("sh", "-c", f"\"$@\"; find '{artifacts}' -type f > '{listing}'", "sh")
        command = [*prefix, *inside, sys.executable, "-c", KEEP, "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "The network could not be kept (" in done.stdout, done.stderr
        assert "the later notebooks train it anew" in done.stdout
        assert listing.read_text() == ""
