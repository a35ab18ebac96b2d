"""What learners do to notebooks: other parameters, cells out of order, interruptions."""

from pathlib import Path

import numpy as np
import papermill
import pytest
from conftest import NOTEBOOKS, ROOT, SMALL, code_cells, tags
from jupyter_client.manager import start_new_kernel
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mnist_helpers import check_parameter

DENSE = next(path for path in NOTEBOOKS if path.stem == "02_dense_network")


def cells_with(path: Path, **parameters) -> list:
    """The code cells of a notebook, with parameters as papermill passes them on."""
    return code_cells(parameterize_notebook(load_notebook_node(str(path)), parameters))


def number_of(sources: list[str], text: str) -> int:
    return next(number for number, source in enumerate(sources) if text in source)


class TestParameters:
    def checked_settings(self, path: Path, **parameters) -> dict:
        """The names in a notebook after the cell that checks its parameters."""
        cells, names = cells_with(path, **parameters), {"check_parameter": check_parameter}
        check = number_of([cell.source for cell in cells], "= check_parameter(")
        for cell in cells[:check]:
            if set(tags(cell)) & {"parameters", "injected-parameters"}:
                exec(cell.source, names)
        exec(cells[check].source, names)
        return names

    @pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
    def test_a_bad_value_of_each_is_named_before_any_work(self, path):
        for name in papermill.inspect_notebook(str(path)):
            for value in (-1, 10**10, 0.5, "many"):
                with pytest.raises(ValueError, match=f"parameter {name} = .* a whole number"):
                    self.checked_settings(path, **{name: value})

    @pytest.mark.parametrize(
        ("stem", "parameters", "message"),
        [
            ("02", {"epochs": 20, "lab_epochs": 21}, "lab_epochs = 21: .* from 1 to 20"),
            ("03", {"batch_size": 1_001}, "batch_size = 1001: .* from 1 to 1,000"),
            ("04", {"blocks": 7}, "block_images = 8000: .* from 200 to 6,857"),
            ("05", {"blocks": "9"}, "block_images = 6000: .* from 500 to 5,333"),
        ],
    )
    def test_values_that_do_not_go_together_are_refused_by_name(self, stem, parameters, message):
        (path,) = (path for path in NOTEBOOKS if path.stem.startswith(stem))
        with pytest.raises(ValueError, match=message):
            self.checked_settings(path, **parameters)

    def test_numpys_numbers_are_taken_as_papermill_passes_them_on(self):
        numbers = {"epochs": np.int64(2), "lab_epochs": np.float32(1), "seed": np.int32(7)}
        names = self.checked_settings(DENSE, **numbers)
        values = [names[name] for name in numbers]
        assert values == [2, 1, 7] and {type(value) for value in values} == {int}


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

    def run_all(self, sources: list[str]) -> None:
        for source in sources:
            assert self.run(source) == ("", ""), source


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One kernel for all that a learner does to notebook 02, and its folder of kept networks."""
    kernel = Kernel()
    kernel.artifacts = tmp_path_factory.mktemp("kernel") / "artifacts"
    folder = str(kernel.artifacts)
    kernel.run_all([f"import os; os.environ['MNIST_ARTIFACTS'] = {folder!r}"])
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def cells() -> dict:
    """Those of notebook 02 that a training needs, by what they are for, with few images."""
    sources = [cell.source for cell in cells_with(DENSE, **SMALL[DENSE.stem], batch_size=10)]
    start = number_of(sources, "= hold_out(data)") + 1
    names = {
        "network": "model = keras.Seq",
        "compile": "\nstart_kernel =",
        "fit": "fit = model.fit(",
    }
    names |= {"report": "report_result(", "save": "save_run("}
    cells = {name: sources[number_of(sources, text)] for name, text in names.items()}
    return cells | {
        "start": [*sources[:start], "import numpy as np\nlayers = keras.layers"],
        "build": [cells["network"], cells["compile"]],
    }


@pytest.mark.slow
class TestCellsOutOfOrder:
    def test_a_cell_before_those_it_needs_names_what_is_missing(self, kernel, cells):
        assert kernel.run(cells["fit"])[0] == "NameError"

    def test_an_interrupted_fit_is_not_gone_on_with_and_works_after_a_new_build(
        self, kernel, cells
    ):
        kernel.run_all([*cells["start"], *cells["build"], "epochs = 200"])
        assert kernel.run(cells["fit"], interrupt_at=" of 200: loss")[0] == "KeyboardInterrupt"
        name, text = kernel.run(cells["fit"])
        assert name == "RuntimeError" and "run the cells again from the one that builds" in text
        kernel.run_all(["epochs = 1", *cells["build"], cells["fit"]])
        kernel.run_all(["history = fit.history", cells["report"]])

    def test_results_of_an_interrupted_second_training_are_neither_reported_nor_kept(
        self, kernel, cells
    ):
        kernel.run_all(["epochs = 200", *cells["build"]])
        assert kernel.run(cells["fit"], interrupt_at=" of 200: loss")[0] == "KeyboardInterrupt"
        # The names of the first training are still there, beside a network of the second.
        for source in (cells["report"], cells["save"]):
            name, text = kernel.run(source)
            assert name == "ValueError" and "history is of another training" in text
        assert not kernel.artifacts.exists()
