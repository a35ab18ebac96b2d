"""What one `make run` proves: every notebook as shipped; claims that can fail; the solutions."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import LESSONS, ROOT, SOLUTIONS, code_cells, in_turn, read, write_notebook
from nbformat.v4 import new_code_cell, new_notebook

from tools.claims import unproven
from tools.execute import NotebookFailed, execute
from tools.run import executed_copy

name_of = {"ids": lambda path: path.stem}
every_notebook = pytest.mark.parametrize("path", LESSONS, **name_of)


@pytest.mark.slow
class TestAsShipped:
    @every_notebook
    def test_it_runs_far_below_the_2_gb_at_which_binder_stops_a_kernel(self, full_run, path):
        assert 250 < full_run["notebooks"][path.stem]["peak_rss_mb"] < 1_100

    @pytest.mark.parametrize(
        ("name", "parameters", "epochs", "low", "high"),
        [("dense", 20_535, 20, 0.95, 0.975), ("cnn", 290_585, 4, 0.97, 0.99)],
    )
    def test_a_network_reaches_its_band(self, full_run, name, parameters, epochs, low, high):
        network = full_run["models"][name]
        assert (network["parameters"], network["epochs"]) == (parameters, epochs)
        assert low < network["test_accuracy"] < high

    @every_notebook
    def test_every_claim_can_fail_and_kept_networks_are_used(self, full_run, path):
        executed = read(executed_copy(path))
        assert unproven(executed) == []
        printed = str([cell.outputs for cell in code_cells(executed)])
        for name in executed.metadata.mnist_tutorial.get("uses", []):
            assert f"Using the {name} network that was trained before" in printed


@pytest.mark.slow
@pytest.mark.parametrize("path", in_turn(SOLUTIONS, 1), **name_of)
def test_solutions_run_and_every_claim_in_them_can_fail(networks, artifacts, path, tmp_path):
    # A network that the run has trained is not trained once more.
    shutil.copytree(networks, artifacts)
    execute(path, tmp_path / path.name)
    assert unproven(read(tmp_path / path.name)) == []


@pytest.fixture
def execute_cells(tmp_path):
    """Executes a notebook of such cells; gives its executed code cells and what was measured."""

    def execute_cells(*cells) -> tuple[list, dict]:
        path = write_notebook(tmp_path / "made.ipynb", *cells)
        measured = execute(path, tmp_path / "out.ipynb")
        return code_cells(read(tmp_path / "out.ipynb")), measured

    return execute_cells


def claim(source: str, falsify: str):
    return new_code_cell(source, metadata={"tags": ["claim"], "falsify": falsify})


@pytest.mark.slow
class TestClaims:
    """The claim runner, on notebooks made for it."""

    CELLS = (
        "x = 1",
        claim("# x is one\nprint('x is', x)\nassert x == 1", "x = y = 2\nprint('falsified')"),
        claim("assert True", "x = 2"),
        claim("assert x == 1", "del z"),
        new_code_cell("assert x", metadata={"tags": ["claim"]}),  # which nothing falsifies
        "kept = bytearray(500_000_000)\nprint(x, 'y' in globals(), 'claim' in globals())",
    )

    def test_a_claim_that_can_fail_and_others_are_told_apart(self, execute_cells):
        cells, measured = execute_cells(*self.CELLS)
        assert 500 < measured["peak_rss_mb"] < 1_000  # of the kernel
        outcomes = [cell.metadata.get("falsified") for cell in cells]
        assert outcomes[:3] == [None, "the claim fails", "the claim still holds"]
        assert outcomes[3].startswith("NameError: ")  # the falsifying code is wrong
        assert unproven(new_notebook(cells=cells)) == ["assert True", "assert x == 1", "assert x"]
        # The claim keeps its source, its outputs and its count.
        assert cells[1].source == self.CELLS[1].source
        assert [output.text for output in cells[1].outputs] == ["x is 1\n"]
        assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5, 6]
        # What falsified it is forgotten.
        assert [output.text for output in cells[5].outputs] == ["1 False False\n"]

    def test_a_false_claim_stops_the_notebook_and_leaves_the_former_output_alone(self, tmp_path):
        (tmp_path / "out.ipynb").write_text("former")
        false = claim("assert x == 2, 'x is not 2'", "x = 3")
        path = write_notebook(tmp_path / "made.ipynb", "x = 1", false, "1")
        with pytest.raises(NotebookFailed, match=r"made\.ipynb, code cell 2: AssertionError"):
            execute(path, tmp_path / "out.ipynb")
        assert (tmp_path / "out.ipynb").read_text() == "former"
        # As far as it came, for its author.
        failed = code_cells(read(tmp_path / "out.failed.ipynb"))
        assert [cell.source for cell in failed] == [c.source for c in code_cells(read(path))]
        assert [cell.execution_count for cell in failed] == [1, 2, None]

    def test_the_page_on_testing_notebooks_shows_what_happens(self, tmp_path):
        """Its example: three cells, then the program that executes them."""
        text = (ROOT / "docs" / "testing-notebooks.md").read_text()
        program = re.search(r"```python\n(import nbformat\n.+?)```", text, re.DOTALL)[1]
        first, second, third = re.findall(r"```python\n(# Cell \d.+?)\n```", text, re.DOTALL)
        falsify = re.search(r'"falsify": "(.+)"', text)[1]
        path = write_notebook(tmp_path / "example.ipynb", first, second, claim(third, falsify))
        command = [sys.executable, "-c", program]
        options = {"cwd": path.parent, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}
        done = subprocess.run(command, capture_output=True, **options)
        assert done.returncode == 0, done.stderr
        assert done.stdout == re.search(r"```text\n(.+?)```", text, re.DOTALL)[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys; sys.exit(0)", "made.ipynb: code cell 1 did not complete"),
        ("import os; os.kill(os.getpid(), 9)", "made.ipynb: its kernel died"),
    ],
)
def test_a_cell_that_ends_the_kernel_is_noticed(execute_cells, source, message):
    with pytest.raises(NotebookFailed, match=message):
        execute_cells(source, "1")


@pytest.mark.parametrize("path", LESSONS + SOLUTIONS, **name_of)
def test_the_first_cell_says_what_to_do_where_the_package_is_missing(path, tmp_path):
    # -S: a Python without any installed package, as the kernel of a reader of one file may be.
    cell = code_cells(read(path))[0].source
    command = [sys.executable, "-S", "-c", cell]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert done.stdout == "" and "During handling" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: No module named 'mnist_helpers'")
    assert ".venv" in last and "%pip install git+" in last
