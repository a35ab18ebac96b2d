"""The stored outputs, compared strictly: with those of the run, and with those of nbval.

nbval executes notebooks once more, short, in turn. Each execution is at the same time one under
adverse conditions, in a copy of the notebook in another folder, with no network kept from before.
An output that depends on the data set, the training or the machine is left out cell by cell, with
the tag `nbval-ignore-output` and a tag that says why; everything else is compared.
"""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import LESSONS, ROOT, SMALL, SOLUTIONS, code_cells, filled, in_turn, read, tags

from tools.run import executed_copy

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
    "how_sure": {"repetitions": 10_001},
    "speed_and_devices": {"speed_images": 1_001, "batch_size": 250},
}
SHORT = {name: SMALL[name] | AWKWARD[name] for name in SMALL}
del SHORT["02_dense_network"]["train_images"]
# For each notebook the folder in which it is executed, and variables that are set.
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
CONDITIONS = {
    "01_data_exploration": ("spaces, ä and 数", {}),
    "02_dense_network": ("a symbolic link", {}),
    "03_convolutional_network": ("one core", {}),
    "04_comparison": ("odd threads", {"OMP_NUM_THREADS": "0", "TF_NUM_INTRAOP_THREADS": "1"}),
    "05_going_further": ("no number", {"OMP_NUM_THREADS": "several", "CUDA_VISIBLE_DEVICES": "7"}),
    "06_your_own_digits": ("hidden GPUs", {"CUDA_VISIBLE_DEVICES": "-1"}),
    "how_sure": ("a 'quoted' folder", {}),
    "speed_and_devices": ("text is ASCII", ASCII),
}


def nbval(path, artifacts, prefix=(), **variables):
    command = [*prefix, sys.executable, "-m", "pytest", "-q", "--nbval", str(path)]
    command += ["--nbval-cell-timeout=900", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = os.environ | {"MNIST_ARTIFACTS": str(artifacts)} | variables
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def compared(notebook) -> list[tuple[str, list]]:
    """What is compared of a notebook: sources and, where none is left out, outputs as text."""
    result = []
    for cell in code_cells(notebook):
        outputs = []
        for output in cell.outputs if "nbval-ignore-output" not in tags(cell) else []:
            data = {kind: x for kind, x in output.get("data", {}).items() if "image" not in kind}
            data.pop("application/vnd.jupyter.widget-view+json", None)
            outputs.append((output.get("name"), output.get("text"), data))
        result.append((cell.source, outputs))
    return result


@pytest.mark.slow
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_run_gives_the_stored_outputs(full_run, path):
    stored = compared(read(path))
    for ours, theirs in zip(compared(read(executed_copy(path))), stored, strict=True):
        assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("path", in_turn(LESSONS, 2), ids=lambda path: path.stem)
def test_a_notebook_gives_its_stored_outputs_under_adverse_conditions(path, tmp_path):
    name, variables = CONDITIONS[path.stem]
    folder, prefix = tmp_path / name, ()
    if name == "a symbolic link":
        (tmp_path / "real").mkdir()
        folder.symlink_to(tmp_path / "real", target_is_directory=True)
    folder.mkdir(exist_ok=True)
    if name == "one core" and shutil.which("taskset"):
        prefix = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    notebook = filled(path, **SHORT[path.stem])
    nbformat.write(notebook, folder / path.name)
    done = nbval(folder / path.name, folder / "artifacts", prefix, **variables)
    assert done.returncode == 0, done.stdout[-6000:]
    for network in read(path).metadata.mnist_tutorial.get("keeps", []):
        assert (folder / "artifacts" / f"{network}.keras").exists()


@pytest.mark.slow
def test_a_changed_output_is_noticed(tmp_path):
    notebook = read(LESSONS[0])
    shapes = "(60000, 28, 28)"
    number = next(i for i, c in enumerate(notebook.cells) if shapes in str(c.get("outputs")))
    notebook.cells = notebook.cells[: number + 1]
    stored = compared(notebook)
    output = notebook.cells[number].outputs[0]
    output["text"] = output["text"].replace("60000", "60001")
    assert compared(notebook) != stored
    nbformat.write(notebook, tmp_path / "changed.ipynb")
    result = nbval(tmp_path / "changed.ipynb", tmp_path)
    assert "1 failed" in result.stdout and "60001" in result.stdout


@pytest.mark.parametrize("path", LESSONS + SOLUTIONS, ids=lambda path: path.stem)
def test_every_output_left_out_says_why(path):
    for cell in code_cells(read(path)):
        reasons = REASONS & set(tags(cell))
        assert len(reasons) == (1 if "nbval-ignore-output" in tags(cell) else 0), cell.source
