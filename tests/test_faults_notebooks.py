"""What learners do to notebooks: other parameters, cells out of order, interruptions."""

from pathlib import Path

import numpy as np
import papermill
import pytest
from conftest import NOTEBOOKS, ROOT, SMALL, code_cells, filled, tags
from jupyter_client.manager import run_kernel

from mnist_helpers import check_parameter

IN_03 = NOTEBOOKS[2]


def number_of(sources: list[str], text: str) -> int:
    return next(number for number, source in enumerate(sources) if text in source)


class TestParameters:
    def checked_settings(self, path: Path, **parameters) -> dict:
        """The names in a notebook after the cell that checks its parameters."""
        cells = code_cells(filled(path, **parameters))
        names = {"check_parameter": check_parameter}
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
            # papermill passes NumPy's numbers and text on as text: they are read as numbers.
            ("04", {"cnn_epochs": np.int64(21)}, "dense_epochs = 20: .* from 21 to 200"),
            ("04", {"cnn_epochs": "30"}, "dense_epochs = 20: .* from 30 to 200"),
        ],
    )
    def test_values_that_do_not_go_together_are_refused_by_name(self, stem, parameters, message):
        (path,) = (path for path in NOTEBOOKS if path.stem.startswith(stem))
        with pytest.raises(ValueError, match=message):
            self.checked_settings(path, **parameters)


@pytest.fixture
def client(artifacts):
    """Of a kernel in the notebooks' folder, with a folder of kept networks of its own."""
    with run_kernel(cwd=str(ROOT / "notebooks")) as client:
        yield client


@pytest.mark.slow
def test_an_interrupted_fit_is_not_gone_on_with_and_works_after_a_new_build(client, artifacts):
    notebook = filled(IN_03, **SMALL[IN_03.stem], batch_size=10)
    cells = [cell.source for cell in code_cells(notebook)]
    network, compiling, fit, save = (
        cells[number_of(cells, text)]
        for text in ("model = keras.Seq", "model.compile(", "fit = model.fit(", "save_run(")
    )

    def run(*sources: str, interrupts: int = 0) -> str:
        """Run cells up to the first error; give its name and text, or an empty text."""

        def watch(message):
            nonlocal interrupts
            if interrupts and " of 200: loss" in str(message["content"].get("data", "")):
                interrupts -= 1
                client.parent.interrupt_kernel()  # the kernel's manager

        for source in sources:
            reply = client.execute_interactive(source, timeout=300, output_hook=watch)["content"]
            if reply["status"] == "error":
                return f"{reply['ename']} {reply['evalue']}".strip()
        return ""

    start = cells[: number_of(cells, "= hold_out(data)") + 1]
    assert run(*start, network, compiling, fit, "history = fit.history") == ""
    # The names of this training are still there, beside a network of the next.
    assert run("epochs = 200", network, compiling, fit, interrupts=1) == "KeyboardInterrupt"
    assert "history is of another training" in run(save) and not artifacts.exists()
    assert "run the cells again from the one that builds" in run(fit)
    assert run("epochs = 1", network, compiling, fit, "history = fit.history", save) == ""
    assert [path.name for path in artifacts.iterdir()] == ["cnn.keras"]
