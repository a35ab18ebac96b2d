"""What one `make run` proves: every notebook as shipped, its measures, the networks' results."""

import os
import re
import subprocess
import sys

import nbformat
import papermill
import pytest
from conftest import EXTRAS, NOTEBOOKS, ROOT, SMALL, SOLUTIONS, code_cells, read
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from tools.claims import falsify_claims, unproven
from tools.execute import NotebookFailed, execute
from tools.run import executed_copy

EXECUTED = NOTEBOOKS + EXTRAS
name_of = {"ids": lambda path: path.stem}
every_notebook = pytest.mark.parametrize("path", EXECUTED, **name_of)


@pytest.mark.slow
class TestAsShipped:
    def test_every_notebook_runs_and_is_measured(self, full_run):
        assert list(full_run["notebooks"]) == [path.stem for path in EXECUTED]

    @every_notebook
    def test_it_stays_far_below_the_2_gb_at_which_binder_stops_a_kernel(self, full_run, path):
        assert 100 < full_run["notebooks"][path.stem]["peak_rss_mb"] < 1_300

    def test_the_dense_network_reaches_its_band(self, full_run):
        dense = full_run["models"]["dense"]
        assert (dense["parameters"], dense["epochs"]) == (20_535, 20)
        assert 0.95 < dense["test_accuracy"] < 0.975

    def test_the_cnn_reaches_its_band(self, full_run):
        cnn = full_run["models"]["cnn"]
        assert (cnn["parameters"], cnn["epochs"]) == (290_585, 4)
        assert 0.97 < cnn["test_accuracy"] < 0.99

    @every_notebook
    def test_every_code_cell_is_completed(self, full_run, path):
        for cell in code_cells(read(executed_copy(path))):
            assert cell.metadata.papermill.status == "completed"
            assert cell.execution_count is not None

    def test_networks_that_were_kept_are_used(self, full_run):
        for path in EXECUTED:
            printed = str([cell.outputs for cell in code_cells(read(executed_copy(path)))])
            for name in read(path).metadata.mnist_tutorial.get("uses", []):
                assert f"Using the {name} network that was trained before" in printed

    @every_notebook
    def test_every_claim_can_fail(self, full_run, path):
        assert unproven(read(executed_copy(path))) == []


@pytest.fixture
def execute_cells(tmp_path):
    """Executes a notebook of such cells with the runner; gives its executed code cells."""

    def execute_cells(*cells) -> list:
        execute(write_notebook(tmp_path / "made.ipynb", *cells), tmp_path / "out.ipynb")
        return code_cells(read(tmp_path / "out.ipynb"))

    return execute_cells


def write_notebook(path, *cells):
    cells = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    kernel = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


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
        "print(x, 'y' in globals(), 'claim' in globals())",
    )

    def test_a_claim_that_can_fail_and_others_are_told_apart(self, execute_cells):
        cells = execute_cells(*self.CELLS)
        outcomes = [cell.metadata.get("falsified") for cell in cells]
        assert outcomes[:3] == [None, "the claim fails", "the claim still holds"]
        assert outcomes[3].startswith("NameError: ")  # the falsifying code is wrong
        assert unproven(new_notebook(cells=cells)) == ["assert True", "assert x == 1"]
        # The claim keeps its source, its outputs and its count.
        assert cells[1].source == self.CELLS[1].source
        assert [output.text for output in cells[1].outputs] == ["x is 1\n"]
        assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5]
        # What falsified it is forgotten.
        assert [output.text for output in cells[4].outputs] == ["1 False False\n"]

    def test_the_same_is_found_with_nbclient_alone(self):
        notebook = new_notebook(cells=[new_code_cell("x = 1"), *self.CELLS[1:3]])
        client = NotebookClient(notebook, kernel_name="python3")
        falsify_claims(client)
        client.execute(stderr=subprocess.DEVNULL)
        assert unproven(notebook) == ["assert True"]

    def test_a_claim_without_code_that_falsifies_it_is_unproven(self):
        bare = new_code_cell("assert True", metadata={"tags": ["claim"]})
        assert unproven(new_notebook(cells=[bare])) == ["assert True"]

    def test_a_false_claim_stops_the_notebook_which_is_kept_as_it_is(self, tmp_path):
        false = claim("assert x == 2, 'x is not 2'", "x = 3")
        path = write_notebook(tmp_path / "made.ipynb", "x = 1", claim("assert x", "x = 0"), false)
        with pytest.raises(NotebookFailed, match="code cell 3: AssertionError: x is not 2"):
            execute(path, tmp_path / "out.ipynb")
        failed = code_cells(read(tmp_path / "out.failed.ipynb"))
        assert [cell.source for cell in failed] == [c.source for c in code_cells(read(path))]

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
class TestExecute:
    """The runner itself, on notebooks made for it."""

    def test_an_error_is_reported_with_its_cell_and_leaves_the_former_output_alone(self, tmp_path):
        (tmp_path / "out.ipynb").write_text("former")
        path = write_notebook(tmp_path / "made.ipynb", "1", "1 / 0")
        with pytest.raises(NotebookFailed, match=r"made.ipynb, code cell 2: ZeroDivisionError"):
            execute(path, tmp_path / "out.ipynb")
        assert (tmp_path / "out.ipynb").read_text() == "former"

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("import sys; sys.exit(0)", "made.ipynb: code cell 1 did not complete"),
            ("import os; os.kill(os.getpid(), 9)", "made.ipynb: its kernel died"),
        ],
    )
    def test_a_cell_that_ends_the_kernel_is_noticed(self, execute_cells, source, message):
        with pytest.raises(NotebookFailed, match=message):
            execute_cells(source, "1")

    def test_lines_printed_one_by_one_are_one_output(self, execute_cells):
        (cell,) = execute_cells(
            "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.3)"
        )
        assert [output.text for output in cell.outputs] == ["0\n1\n2\n"]

    def test_the_kernels_peak_memory_is_measured(self, tmp_path):
        path = write_notebook(tmp_path / "made.ipynb", "kept = bytearray(500_000_000)")
        assert 500 < execute(path, tmp_path / "out.ipynb")["peak_rss_mb"] < 1_000


@pytest.mark.parametrize("path", EXECUTED + SOLUTIONS, **name_of)
def test_the_first_cell_says_what_to_do_where_the_package_is_missing(path, tmp_path):
    # -S: a Python without any installed package, as the kernel of a reader of one file may be.
    cell = code_cells(read(path))[0].source
    command = [sys.executable, "-S", "-c", cell]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert done.stdout == "" and "During handling" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: No module named 'mnist_helpers'")
    assert ".venv" in last and "%pip install git+" in last


@every_notebook
def test_the_small_parameters_are_parameters_of_the_notebook(path):
    assert set(SMALL[path.stem]) <= set(papermill.inspect_notebook(str(path)))


@pytest.mark.slow
def test_a_notebook_converted_to_a_script_prints_text_alone(tmp_path):
    path = NOTEBOOKS[0]
    small = parameterize_notebook(load_notebook_node(str(path)), SMALL[path.stem])
    nbformat.write(small, tmp_path / path.name)
    convert = [sys.executable, "-m", "nbconvert", "--to", "script", path.name]
    subprocess.run(convert, cwd=tmp_path, check=True, capture_output=True)
    script = [sys.executable, f"{path.stem}.py"]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) < 10_000 and "PNG" not in done.stdout
    assert "An image of 28 rows and 28 columns" in done.stdout  # what a figure shows, in words
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".ipynb", ".py"]
