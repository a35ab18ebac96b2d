"""The learner's turns: what is said to an answer, and that the notebook goes on whatever it is."""

import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import LESSONS, NOTEBOOKS, SMALL, code_cells, filled, in_turn, read, tags
from nbclient import NotebookClient

from mnist_helpers import load_mnist, your_turn
from mnist_helpers.data import SHAPES

pytestmark = pytest.mark.usefixtures("artifacts")

# For each turn a right answer that is written in another way than the notebook's, and a wrong one.
ANSWERS = {
    "squared_distance": ("np.linalg.norm(image - mean) ** 2", "abs(image - mean).sum()"),
    "accuracy": ("np.count_nonzero(predicted == labels) / len(labels)", "predicted == labels"),
    "place_of": ("np.ravel_multi_index((row, column), (28, 28))", "column * 28 + row"),
    "one_hot": ("[[int(label == n) for n in range(10)] for label in labels]", "labels == 1"),
    "neuron": ("(pixels @ weights + bias) * (pixels @ weights + bias > 0)", "pixels @ weights"),
    "softmax": ("[1 / np.exp(logits - logit).sum() for logit in logits]", "logits / logits.sum()"),
    "step": ("weights + -learning_rate * gradient", "weights + learning_rate * gradient"),
    "02 parameters": ("(inputs + 1) * neurons", "inputs * neurons"),
    "03 parameters": ("9 * channels * kernels + kernels", "9 * kernels + kernels"),
    "one_value": ("np.vdot(patch, kernel)", "(patch @ kernel).sum()"),
    "second_layer_value": ("np.maximum(np.vdot(patches, weights) + bias, 0)", "patches.sum()"),
    "mended": ("second_right > first_right", "first_right & ~second_right"),
    "error_by_person": (
        "sum(sum(g - np.mean(gains) for g in gains[person == p]) ** 2 for p in {*person}) ** 0.5"
        " / len(person)",
        "np.std(gains) / np.sqrt(len(gains))",
    ),
    "scramble": ("images.reshape(-1, len(order))[:, order].reshape(images.shape)", "images"),
    "p_value": (
        "np.mean(abs(2 * heads - mended - broken) >= abs(mended - broken))",
        "np.mean(heads >= mended)",
    ),
    "share_apart": (
        "np.mean([abs(a - b) > gap for i, a in enumerate(numbers) for b in numbers[:i]])",
        "np.mean(abs(np.diff(numbers)) > gap)",
    ),
    "shift": ("np.pad(images, ((0, 0), (0, 0), (columns, 0)))[:, :, : images.shape[2]]", "images"),
    "off_by": ("np.exp(np.quantile(abs(np.log(ratios)), 0.9))", "np.quantile(ratios, 0.9)"),
    "put_together": ("np.tensordot(numbers, gradients, 1) / sum(numbers)", "sum(gradients) / 2"),
    "shift_by": ("np.eye(len(image), k=-rows) @ image @ np.eye(len(image[0]), k=columns)", "image"),
    "center_of_mass": ("[np.average(i, weights=image) for i in np.indices(image.shape)]", "[0, 0]"),
    "crop": ("picture[tuple(slice(min(i), max(i) + 1) for i in np.nonzero(picture))]", "picture"),
}


def name_in(cell) -> str:
    return cell.source.partition("def ")[2].partition("(")[0]


def answers_to(path, cell) -> tuple[str, str]:
    """The right and the wrong answer to the turn in a cell, as the cell's source."""
    name = name_in(cell)
    found = ANSWERS.get(f"{path.stem[:2]} {name}") or ANSWERS[name]
    return tuple(cell.source.replace(" ...", f"\n    return {answer}") for answer in found)


TURNS = [
    pytest.param(path, cells[number : number + 3], id=f"{path.stem[:2]} {name_in(cell)}")
    for path in LESSONS
    for cells in [code_cells(read(path))]
    for number, cell in enumerate(cells)
    if "your-turn" in tags(cell)
]


@pytest.mark.parametrize(("path", "cells"), TURNS)
class TestTurn:
    @pytest.fixture
    def said(self, cells, capsys, monkeypatch):
        """What is printed about an answer, and whether the notebook goes on with it."""

        def said(answer: str) -> tuple[str, bool]:
            space = {"np": np, "your_turn": your_turn}
            exec(answer, space)
            name = name_in(cells[0])
            yours = space[name]
            monkeypatch.setitem(vars(sys.modules["__main__"]), name, yours)
            exec(cells[1].source, space)
            exec(cells[2].source, space)
            return capsys.readouterr().out, space[name] is yours

        return said

    def test_an_answer_that_is_written_in_another_way_is_right_and_used(self, path, cells, said):
        right, _ = answers_to(path, cells[0])
        printed, used = said(right)
        assert f"{name_in(cells[0])}: right." in printed and used

    def test_to_a_wrong_answer_the_smallest_case_is_named(self, path, cells, said):
        _, wrong = answers_to(path, cells[0])
        printed, used = said(wrong)
        assert "not yet. For " in printed and " is expected, and yours gives " in printed
        assert "The notebook goes on" in printed and not used

    def test_an_answer_that_stops_is_named_with_its_error(self, path, cells, said):
        printed, used = said(f"def {name_in(cells[0])}(*arguments):\n    return 1 / 0")
        assert "yours stops with ZeroDivisionError: division by zero" in printed and not used

    def test_where_nothing_is_written_yet_that_is_said(self, path, cells, said):
        printed, used = said(cells[0].source)
        assert "not written yet. The notebook goes on" in printed and not used


def said_to(path, answer) -> str:
    """What is said in a notebook that is executed, short, after an answer to each turn."""
    notebook = filled(path, **SMALL[path.stem])
    for cell in code_cells(notebook):
        if "your-turn" in tags(cell):
            cell.source = answer(path, cell)
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
    return str([cell.outputs for cell in code_cells(notebook) if "your-turn-check" in tags(cell)])


@pytest.mark.slow
@pytest.mark.parametrize("path", in_turn(NOTEBOOKS[:6], 3), ids=lambda path: path.stem[:2])
def test_the_claims_hold_with_the_learners_right_answers(path):
    said = said_to(path, lambda *turn: answers_to(*turn)[0])
    assert ": right." in said and "The notebook goes on with the one way" not in said


@pytest.mark.slow
def test_a_cell_that_python_cannot_read_stops_nothing():
    said = said_to(NOTEBOOKS[0], lambda path, cell: cell.source.removesuffix(": ..."))
    assert "not written yet" in said and ": right." not in said


WITHOUT_HELPERS = """
import keras, numpy, sys
sys.modules["mnist_helpers"] = None  # as where they are not installed
data = numpy.load(sys.argv[1])
pairs = [(data[f"x_{part}"], data[f"y_{part}"]) for part in ("train", "test")]
keras.datasets.mnist.load_data = lambda: pairs  # without a download
"""


@pytest.mark.slow
def test_the_program_that_02_ends_with_runs_without_the_helpers(tmp_path):
    text = "".join(cell.source for cell in read(NOTEBOOKS[1]).cells)
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in program.splitlines() if line]) <= 15
    data = load_mnist()
    np.savez(tmp_path / "mnist.npz", **{name: getattr(data, name) for name in SHAPES})
    command = [sys.executable, "-c", WITHOUT_HELPERS + program, tmp_path / "mnist.npz"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert 0.92 < float(printed.split()[-1].strip("]")) < 0.98
