"""The kernel's half of the drawing pad, without a browser, and the collection of digits."""

import nbformat
import numpy as np
import pytest
from conftest import NOTEBOOKS, SOLUTIONS

from mnist_helpers import build_dense, keras
from mnist_helpers.drawings import EXAMPLE_DRAWINGS
from mnist_helpers.images import prepare_strokes
from mnist_helpers.pad import (
    DrawingPad,
    add_to_collection,
    load_collection,
    preparation_steps,
)

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return build_dense()


@pytest.fixture
def pad(network, tmp_path) -> DrawingPad:
    return DrawingPad({"dense network": network}, tmp_path / "my_digits.npz")


class TestAnswer:
    def test_empty_pad_gives_a_hint_and_no_prediction(self, pad):
        assert "Draw a digit" in pad.answer["hint"] and "networks" not in pad.answer

    def test_drawing_gives_the_probabilities_of_the_network(self, pad, network):
        pad.strokes = EXAMPLE_DRAWINGS[3]
        (answer,) = pad.answer["networks"]
        image = prepare_strokes(EXAMPLE_DRAWINGS[3])[np.newaxis]
        expected = network.predict(image, verbose=0)[0]
        assert answer["name"] == "dense network"
        assert np.allclose(answer["probabilities"], expected, atol=1e-5)

    def test_switch_gives_the_probabilities_of_the_drawing_as_it_is(self, pad, network):
        pad.strokes = EXAMPLE_DRAWINGS[3]
        pad.centered = False
        image = prepare_strokes(EXAMPLE_DRAWINGS[3], centered=False)[np.newaxis]
        expected = network.predict(image, verbose=0)[0]
        assert np.allclose(pad.answer["networks"][0]["probabilities"], expected, atol=1e-5)

    def test_clearing_brings_the_hint_back(self, pad):
        pad.strokes = EXAMPLE_DRAWINGS[3]
        pad.strokes = []
        assert "Draw a digit" in pad.answer["hint"]

    def test_bad_strokes_give_their_error_as_a_hint(self, pad):
        pad.strokes = [[[2, 2]]]
        assert "from 0 to 1" in pad.answer["hint"]

    def test_text_in_the_place_of_the_pad_is_always_the_same(self, pad):
        before = repr(pad)
        pad.strokes = EXAMPLE_DRAWINGS[3]
        assert repr(pad) == before and "kernel" in before


def test_steps_lead_from_the_drawing_to_the_prepared_image():
    steps = list(preparation_steps(EXAMPLE_DRAWINGS[7]).values())
    assert np.array_equal(steps[0], prepare_strokes(EXAMPLE_DRAWINGS[7], centered=False))
    assert max(steps[2].shape) == 20
    assert np.array_equal(steps[3], prepare_strokes(EXAMPLE_DRAWINGS[7]))


class TestCollection:
    def test_missing_file_is_an_empty_collection(self, tmp_path):
        digits = load_collection(tmp_path / "none.npz")
        assert digits["centered"].shape == (0, 28, 28) and len(digits["labels"]) == 0

    def test_saved_drawings_come_back_in_order(self, tmp_path):
        path = tmp_path / "new" / "my_digits.npz"
        assert [add_to_collection(path, EXAMPLE_DRAWINGS[digit], digit) for digit in (4, 2)] == [
            1,
            2,
        ]
        digits = load_collection(path)
        assert digits["labels"].tolist() == [4, 2]
        assert np.array_equal(digits["centered"][1], prepare_strokes(EXAMPLE_DRAWINGS[2]))
        as_drawn = prepare_strokes(EXAMPLE_DRAWINGS[2], centered=False)
        assert np.array_equal(digits["as_drawn"][1], as_drawn)

    @pytest.mark.parametrize("label", [10, -1, "3", None, 1.5, True, [1]])
    def test_label_that_is_no_digit_is_refused(self, tmp_path, label):
        with pytest.raises(ValueError, match="0 to 9"):
            add_to_collection(tmp_path / "my_digits.npz", EXAMPLE_DRAWINGS[1], label)
        assert list(tmp_path.iterdir()) == []

    def test_empty_drawing_is_not_saved(self, tmp_path):
        with pytest.raises(ValueError, match="empty"):
            add_to_collection(tmp_path / "my_digits.npz", [], 1)

    @pytest.mark.parametrize("damage", ["text", "cut", "other arrays", "wrong shape", "pickle"])
    def test_damaged_file_is_reported_and_left_as_it_is(self, tmp_path, damage):
        path = tmp_path / "my_digits.npz"
        add_to_collection(path, EXAMPLE_DRAWINGS[1], 1)
        if damage == "text":
            path.write_text("digits")
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:200])
        elif damage == "other arrays":
            np.savez(path, x=np.zeros(3))
        elif damage == "wrong shape":
            image = np.zeros((2, 28, 28), np.uint8)
            np.savez(path, centered=image, as_drawn=image, labels=np.zeros(3, np.uint8))
        else:
            image = np.zeros((1, 28, 28), np.uint8)
            np.savez(path, centered=image, as_drawn=image, labels=np.array([{}], dtype=object))
        before = path.read_bytes()
        with pytest.raises(ValueError, match="rename or delete"):
            add_to_collection(path, EXAMPLE_DRAWINGS[1], 1)
        assert path.read_bytes() == before

    def test_pad_says_what_it_saved(self, pad):
        pad.strokes = EXAMPLE_DRAWINGS[6]
        pad.save(6)
        assert pad.message == "Saved as a 6: 1 in my_digits.npz"

    def test_pad_says_why_it_did_not_save(self, pad):
        pad.save(6)
        assert pad.message.startswith("Not saved: ") and "empty" in pad.message

    def test_message_of_the_page_is_saved(self, pad):
        pad.strokes = EXAMPLE_DRAWINGS[6]
        pad._handle_custom_msg({"save": 6}, [])
        assert "Saved as a 6" in pad.message

    def test_message_of_the_page_that_makes_no_sense_is_passed_over(self, pad):
        for content in ({}, "save", None, {"other": 1}):
            pad._handle_custom_msg(content, [])
        assert pad.message == ""


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
def test_no_stored_output_refers_to_a_widget_that_is_gone(path):
    """JupyterLab shows "Error displaying widget" for one, until the notebook is run."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert WIDGET_VIEW not in output.get("data", {})
