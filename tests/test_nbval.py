"""nbval executes the notebooks once more, short, and compares them with their stored outputs.

Each execution is at the same time one under adverse conditions, in a copy of the notebook in
another folder, with no network kept from before. An output that depends on the data set, the
training or the machine is left out cell by cell, with the tag `nbval-ignore-output` and a tag
that says why; everything else is compared, strictly.
"""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT, SMALL, SOLUTIONS, code_cells, read, tags
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

REASONS = {"depends-on-data", "depends-on-training", "depends-on-machine"}
# Permitted values at which something might go wrong: batches that leave a small rest, or few in
# an epoch, and an end of a range. (02 prints the shape of its training images, all of them.)
AWKWARD = {
    "01_data_exploration": {"example": 47_999},
    "02_dense_network": {"epochs": 1, "lab_epochs": 1, "batch_size": 1_000},
    "03_convolutional_network": {"train_images": 1_050, "batch_size": 500},
    "04_comparison": {"train_images": 1_050, "batch_size": 500, "block_images": 200},
    "05_going_further": {"train_images": 1_001, "batch_size": 250},
    "06_your_own_digits": {"train_images": 1_001, "batch_size": 1_000},
    "07_speed_and_devices": {"speed_images": 1_001, "batch_size": 250},
}
SHORT = {name: SMALL[name] | AWKWARD[name] for name in SMALL}
del SHORT["02_dense_network"]["train_images"]


def nbval(path, artifacts, prefix=(), **environment):
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "--nbval", str(path)]
    command += ["--nbval-cell-timeout=900", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = os.environ | {"MNIST_ARTIFACTS": str(artifacts)} | environment
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
class TestStoredOutputs:
    def check(self, number, folder, artifacts, prefix=(), **environment):
        """Run a notebook from a folder; it must give its stored outputs."""
        source = NOTEBOOKS[number - 1]
        notebook = load_notebook_node(str(source))
        path = folder / source.name
        nbformat.write(parameterize_notebook(notebook, SHORT[source.stem]), path)
        done = nbval(path, artifacts, prefix, **environment)
        assert done.returncode == 0, done.stdout[-6000:]

    def test_01_in_a_folder_with_spaces_and_foreign_letters(self, tmp_path):
        folder = tmp_path / "a folder with spaces, ä and 数"
        folder.mkdir()
        self.check(1, folder, folder / "artifacts")

    def test_02_through_a_symbolic_link(self, tmp_path):
        (tmp_path / "real").mkdir()
        (tmp_path / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
        self.check(2, tmp_path / "linked", tmp_path / "linked" / "artifacts")
        assert (tmp_path / "real" / "artifacts" / "dense.keras").exists()

    @pytest.mark.skipif(not shutil.which("taskset"), reason="this machine has no taskset")
    def test_03_on_one_core(self, tmp_path):
        one = str(min(os.sched_getaffinity(0)))
        self.check(3, tmp_path, tmp_path / "artifacts", ("taskset", "--cpu-list", one))

    def test_04_with_odd_numbers_of_threads(self, tmp_path):
        threads = {"OMP_NUM_THREADS": "0", "TF_NUM_INTRAOP_THREADS": "1"}
        self.check(4, tmp_path, tmp_path / "artifacts", **threads)

    def test_05_with_a_word_for_a_number_and_a_gpu_that_is_not_there(self, tmp_path):
        settings = {"OMP_NUM_THREADS": "several", "CUDA_VISIBLE_DEVICES": "7"}
        self.check(5, tmp_path, tmp_path / "artifacts", **settings)

    def test_06_with_hidden_gpus(self, tmp_path):
        self.check(6, tmp_path, tmp_path / "artifacts", CUDA_VISIBLE_DEVICES="-1")

    def test_07_where_text_is_ascii_unless_a_program_says_otherwise(self, tmp_path):
        locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        self.check(7, tmp_path, tmp_path / "artifacts", **locale)

    def test_a_changed_output_is_noticed(self, tmp_path):
        notebook = read(NOTEBOOKS[0])
        shapes = "(60000, 28, 28)"
        place = next(i for i, c in enumerate(notebook.cells) if shapes in str(c.get("outputs")))
        output = notebook.cells[place].outputs[0]
        output["text"] = output["text"].replace("60000", "60001")
        notebook.cells = notebook.cells[: place + 1]
        nbformat.write(notebook, tmp_path / "changed.ipynb")
        result = nbval(tmp_path / "changed.ipynb", tmp_path)
        assert result.returncode == 1
        assert "1 failed" in result.stdout and "60001" in result.stdout


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
def test_every_output_left_out_says_why(path):
    for cell in code_cells(read(path)):
        reasons = REASONS & set(tags(cell))
        assert len(reasons) == (1 if "nbval-ignore-output" in tags(cell) else 0), cell.source


def test_many_outputs_are_compared():
    compared = [
        cell
        for path in NOTEBOOKS
        for cell in code_cells(read(path))
        if cell.outputs and "nbval-ignore-output" not in tags(cell)
    ]
    assert len(compared) >= 25
