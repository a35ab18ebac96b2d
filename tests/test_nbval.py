"""nbval re-executes the notebooks and compares them with their stored outputs, strictly.

An output that depends on the data set, the training or the machine is left out cell by cell,
with the tag `nbval-ignore-output` and a tag that says why; everything else is compared.
"""

import os
import subprocess
import sys

import nbformat
import pytest
from conftest import NOTEBOOKS, ROOT, SOLUTIONS, code_cells, read, tags
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from test_notebooks import SMALL

# These train for minutes, and no output that is compared comes of their training: they run with
# small parameters here, and at full length under papermill.
LONG = {"04_comparison", "05_going_further"}
REASONS = {"depends-on-data", "depends-on-training", "depends-on-machine"}


def nbval(path, artifacts):
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", str(path)]
    command += ["--nbval-cell-timeout=900", "-p", "no:cacheprovider"]
    environment = os.environ | {"MNIST_ARTIFACTS": str(artifacts)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Shared by the notebooks in order, so that 04 to 06 use what 02, 03 and 05 kept."""
    return tmp_path_factory.mktemp("artifacts")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_its_stored_outputs(path, artifacts, tmp_path):
    if path.stem in LONG:
        notebook = parameterize_notebook(load_notebook_node(str(path)), SMALL[path.stem])
        path = tmp_path / path.name
        nbformat.write(notebook, path)
    result = nbval(path, artifacts)
    assert result.returncode == 0, result.stdout[-6000:]


@pytest.mark.slow
def test_a_changed_output_is_noticed(tmp_path):
    notebook = read(NOTEBOOKS[0])
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    changed = next(o for o in outputs if "(60000, 28, 28)" in o.get("text", ""))
    changed["text"] = changed["text"].replace("60000", "60001")
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
