"""What one `make run` proves: every notebook as shipped, its measures, the networks' results."""

import subprocess
import sys

import nbformat
import papermill
import pytest
from conftest import NOTEBOOKS, ROOT, SMALL, SOLUTIONS, code_cells, read, tags
from execute import NotebookFailed, execute
from nbformat.v4 import new_code_cell
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

name_of = {"ids": lambda path: path.stem}


@pytest.mark.slow
class TestAsShipped:
    def test_every_notebook_runs_and_is_measured(self, full_run):
        assert list(full_run["notebooks"]) == [path.stem for path in NOTEBOOKS]

    @pytest.mark.parametrize("path", NOTEBOOKS, **name_of)
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

    @pytest.mark.parametrize("path", NOTEBOOKS, **name_of)
    def test_every_code_cell_is_completed(self, full_run, path):
        executed = read(ROOT / "build" / "notebooks" / path.name)
        for cell in code_cells(executed):
            assert cell.metadata.papermill.status == "completed"
            assert cell.execution_count is not None

    @pytest.mark.parametrize("path", [NOTEBOOKS[3], NOTEBOOKS[5]], **name_of)
    def test_networks_that_were_kept_are_used(self, full_run, path):
        printed = str(
            [cell.outputs for cell in code_cells(read(ROOT / "build" / "notebooks" / path.name))]
        )
        for name in read(path).metadata.mnist_tutorial["uses"]:
            assert f"Using the {name} network that was trained before" in printed

    @pytest.mark.parametrize("path", NOTEBOOKS, **name_of)
    def test_every_claim_can_fail(self, full_run, path):
        executed = read(ROOT / "build" / "notebooks" / path.name)
        assert sources_of_claims_that_did_not_fail(executed) == []

    @pytest.mark.parametrize("path", SOLUTIONS, **name_of)
    def test_solutions_run_and_every_claim_in_them_can_fail(self, full_run, path, tmp_path):
        execute(path, tmp_path / path.name)
        assert sources_of_claims_that_did_not_fail(read(tmp_path / path.name)) == []


def sources_of_claims_that_did_not_fail(executed) -> list[str]:
    """Of the claims of an executed notebook, those that nothing has made false."""
    claims = [cell for cell in code_cells(executed) if "claim" in tags(cell)]
    return [cell.source for cell in claims if cell.metadata.get("falsified") != "the claim fails"]


@pytest.mark.parametrize("path", NOTEBOOKS, **name_of)
def test_the_small_parameters_are_parameters_of_the_notebook(path):
    assert set(SMALL[path.stem]) <= set(papermill.inspect_notebook(str(path)))


@pytest.mark.slow
class TestExecute:
    """The runner itself, on notebooks made for it."""

    def notebook(self, tmp_path, *cells):
        notebook = nbformat.v4.new_notebook(
            cells=[new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, tmp_path / "made.ipynb")
        return tmp_path / "made.ipynb"

    def test_an_error_is_told_with_its_cell_and_leaves_the_former_output_alone(self, tmp_path):
        path = self.notebook(tmp_path, "1", "1 / 0")
        (tmp_path / "out.ipynb").write_text("former")
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
    def test_a_cell_that_ends_the_kernel_is_noticed(self, tmp_path, source, message):
        path = self.notebook(tmp_path, source, "1")
        with pytest.raises(NotebookFailed, match=message):
            execute(path, tmp_path / "out.ipynb")

    def test_lines_printed_one_by_one_are_one_output(self, tmp_path):
        source = "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.5)"
        execute(self.notebook(tmp_path, source), tmp_path / "out.ipynb")
        outputs = code_cells(read(tmp_path / "out.ipynb"))[0].outputs
        assert [output.text for output in outputs] == ["0\n1\n2\n"]

    def test_a_claim_that_can_fail_and_one_that_cannot_are_told_apart(self, tmp_path):
        cells = claim("assert x == 1", "x = 2"), claim("assert True", "x = 2")
        execute(self.notebook(tmp_path, "x = 1", *cells), tmp_path / "out.ipynb")
        told = [cell.metadata.get("falsified") for cell in code_cells(read(tmp_path / "out.ipynb"))]
        assert told == [None, "the claim fails", "the claim still holds"]

    def test_a_claim_keeps_its_source_and_its_outputs(self, tmp_path):
        source = "# x is one\nprint('x is', x)\nassert x == 1"
        path = self.notebook(tmp_path, "x = 1", claim(source, "x = 2"))
        execute(path, tmp_path / "out.ipynb")
        executed = code_cells(read(tmp_path / "out.ipynb"))[1]
        assert executed.source == source and executed.metadata["falsify"] == "x = 2"
        assert [output.text for output in executed.outputs] == ["x is 1\n"]

    def test_what_makes_a_claim_false_is_forgotten_after_it(self, tmp_path):
        cells = "x = 1", claim("assert x == 1", "x = y = 2"), "print(x, 'y' in globals())"
        execute(self.notebook(tmp_path, *cells), tmp_path / "out.ipynb")
        (output,) = code_cells(read(tmp_path / "out.ipynb"))[2].outputs
        assert output.text == "1 False\n"

    def test_a_claim_that_is_false_stops_the_notebook(self, tmp_path):
        path = self.notebook(tmp_path, "x = 1", claim("assert x == 2, 'x is not 2'", "x = 3"))
        with pytest.raises(NotebookFailed, match="code cell 2: AssertionError: x is not 2"):
            execute(path, tmp_path / "out.ipynb")

    def test_a_notebook_that_failed_has_its_own_sources(self, tmp_path):
        path = self.notebook(tmp_path, "x = 1", claim("assert x == 1", "x = 2"), "1 / 0")
        with pytest.raises(NotebookFailed):
            execute(path, tmp_path / "out.ipynb")
        failed = code_cells(read(tmp_path / "out.failed.ipynb"))
        assert [cell.source for cell in failed] == ["x = 1", "assert x == 1", "1 / 0"]

    def test_the_kernels_peak_memory_is_measured(self, tmp_path):
        small = execute(self.notebook(tmp_path, "1"), tmp_path / "out.ipynb")
        large = execute(
            self.notebook(tmp_path, "kept = bytearray(300_000_000)"), tmp_path / "out.ipynb"
        )
        assert 250 < large["peak_rss_mb"] - small["peak_rss_mb"] < 400


def claim(source: str, falsify: str):
    return new_code_cell(source, metadata={"tags": ["claim"], "falsify": falsify})


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, **name_of)
def test_the_first_cell_says_what_to_do_where_the_package_is_missing(path, tmp_path):
    # -S: a Python without any installed package, as the kernel of a reader of one file may be.
    cell = code_cells(read(path))[0].source
    command = [sys.executable, "-S", "-c", cell]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert done.stdout == "" and "During handling" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: No module named 'mnist_helpers': choose the kernel in the tutorial's "
        ".venv, or %pip install git+ADDRESS_OF_ITS_REPOSITORY"
    )


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
