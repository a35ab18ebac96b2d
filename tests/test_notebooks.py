"""papermill executes every notebook: as shipped, and small from elsewhere."""

import json
import subprocess
import sys

import nbformat
import papermill
import pytest
from browser import find_chromium
from conftest import NOTEBOOKS, ROOT, SOLUTIONS, code_cells, read
from execute import NotebookFailed, execute
from faults import limited_memory

# Few images and one epoch: what runs through here runs through at full length too.
SMALL = {
    "01_data_exploration": {"example": 7, "train_images": 1_000},
    "02_dense_network": {"train_images": 2_000, "epochs": 1, "lab_epochs": 1},
    "03_convolutional_network": {"train_images": 2_000, "epochs": 1},
    "04_comparison": {
        "train_images": 2_000,
        "dense_epochs": 1,
        "cnn_epochs": 1,
        "few_images": 1_000,
        "dense_seeds": 2,
        "cnn_seeds": 2,
        "shift_images": 200,
    },
    "05_going_further": {
        "train_images": 1_000,
        "epochs": 1,
        "ladder_images": 1_200,  # the steps of an epoch divide by four: a quarter is the warm-up
        "ladder_seeds": 1,
        "speed_images": 1_000,
    },
    "06_your_own_digits": {"train_images": 1_000, "dense_epochs": 1, "cnn_epochs": 1},
}

name_of = {"ids": lambda path: path.stem}


@pytest.mark.slow
class TestAsShipped:
    def test_every_notebook_runs_and_is_measured(self, full_run):
        assert list(full_run["notebooks"]) == [path.stem for path in NOTEBOOKS]

    def test_a_limit_of_2_gb_would_be_noticed(self):
        grab = [sys.executable, "-c", "print(len(bytearray(2_100_000_000)))"]
        with limited_memory(2_000_000_000):
            done = subprocess.run(grab, capture_output=True, text=True)
        if done.returncode == 0:
            pytest.skip("this machine sets no limits of memory on processes")
        assert "MemoryError" in done.stderr

    def test_the_results_are_written_down(self, full_run):
        assert json.loads((ROOT / "build" / "results.json").read_text()) == full_run

    def test_the_dense_network_reaches_its_band(self, full_run):
        dense = full_run["models"]["dense"]
        assert (dense["parameters"], dense["epochs"]) == (20_535, 20)
        assert 0.95 < dense["test_accuracy"] < 0.975

    def test_the_cnn_reaches_its_band(self, full_run):
        cnn = full_run["models"]["cnn"]
        assert (cnn["parameters"], cnn["epochs"]) == (290_585, 4)
        assert 0.97 < cnn["test_accuracy"] < 0.99

    @pytest.mark.parametrize("path", NOTEBOOKS, **name_of)
    def test_every_code_cell_is_completed(self, full_run, path):
        executed = read(ROOT / "build" / "notebooks" / path.name)
        for cell in code_cells(executed):
            assert cell.metadata.papermill.status == "completed"
            assert cell.execution_count is not None

    @pytest.mark.skipif(find_chromium() is not None, reason="test_browser.py runs them all")
    @pytest.mark.parametrize("path", SOLUTIONS, **name_of)
    def test_solutions_run(self, path, tmp_path):
        execute(path, tmp_path / path.name)


# The first shows what there is to show while one works; all of them take minutes.
QUICK, SLOW = NOTEBOOKS[:1], [pytest.param(p, marks=pytest.mark.slow) for p in NOTEBOOKS[1:]]


@pytest.mark.parametrize("path", QUICK + SLOW, **name_of)
def test_a_small_run_works_alone_and_from_any_folder(path, tmp_path, monkeypatch):
    parameters = SMALL[path.stem]
    assert set(parameters) <= set(papermill.inspect_notebook(str(path)))
    elsewhere = tmp_path / "a folder with spaces, ä and 数"
    elsewhere.mkdir()
    monkeypatch.setenv("MNIST_ARTIFACTS", str(elsewhere / "artifacts"))
    execute(path, elsewhere / path.name, parameters, cwd=elsewhere)
    assert (elsewhere / path.name).exists()


@pytest.mark.slow
def test_a_bad_parameter_stops_the_notebook_before_any_work(tmp_path):
    output = tmp_path / "02.ipynb"
    with pytest.raises(NotebookFailed, match=r"ValueError: parameter epochs = 0: must be"):
        execute(NOTEBOOKS[1], output, {"epochs": 0})
    assert not output.exists()


@pytest.mark.slow
class TestExecute:
    """The runner itself, on notebooks made to fail."""

    def notebook(self, tmp_path, *sources):
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in sources],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, tmp_path / "made.ipynb")
        return tmp_path / "made.ipynb"

    def test_an_error_is_told_with_its_cell(self, tmp_path):
        path = self.notebook(tmp_path, "1", "1 / 0")
        with pytest.raises(NotebookFailed, match=r"made.ipynb, code cell 2: ZeroDivisionError"):
            execute(path, tmp_path / "out.ipynb")

    def test_a_failed_run_leaves_the_former_output_alone(self, tmp_path):
        (tmp_path / "out.ipynb").write_text("former")
        with pytest.raises(NotebookFailed):
            execute(self.notebook(tmp_path, "1 / 0"), tmp_path / "out.ipynb")
        assert (tmp_path / "out.ipynb").read_text() == "former"

    def test_a_cell_that_leaves_the_kernel_is_noticed(self, tmp_path):
        path = self.notebook(tmp_path, "import sys; sys.exit(0)", "1")
        with pytest.raises(NotebookFailed):
            execute(path, tmp_path / "out.ipynb")

    def test_lines_printed_one_by_one_are_one_output(self, tmp_path):
        source = "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.5)"
        execute(self.notebook(tmp_path, source), tmp_path / "out.ipynb")
        outputs = code_cells(read(tmp_path / "out.ipynb"))[0].outputs
        assert [output.text for output in outputs] == ["0\n1\n2\n"]

    def test_the_kernels_peak_memory_is_measured(self, tmp_path):
        small = execute(self.notebook(tmp_path, "1"), tmp_path / "out.ipynb")
        large = execute(
            self.notebook(tmp_path, "kept = bytearray(300_000_000)"), tmp_path / "out.ipynb"
        )
        assert 250 < large["peak_rss_mb"] - small["peak_rss_mb"] < 400
