"""The kernel's half of the drawing pad and of the upload, without a browser, and saved digits."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from mnist_helpers import build_dense, keras, prepare_picture, read_picture
from mnist_helpers.convolution_view import VIEW_TYPE
from mnist_helpers.pad import DrawingPad, PictureUpload, add_to_collection, load_collection
from mnist_helpers.strokes import EXAMPLE_DRAWINGS, prepare_strokes


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return build_dense()


@pytest.fixture
def pad(network, tmp_path) -> DrawingPad:
    return DrawingPad({"dense network": network}, tmp_path / "my_digits.json")


def test_pen_of_the_page_is_as_wide_as_that_of_the_image(pad):
    image = prepare_strokes([[(0.5, 0.1), (0.5, 0.9)]], centered=False)
    assert image[14].sum() / 255 == pytest.approx(28 * pad.pen, abs=0.2)


def test_empty_or_cleared_pad_gives_a_hint_and_bad_strokes_their_error(pad):
    empty = pad.answer
    assert "Draw a digit" in empty["hint"] and "networks" not in empty
    pad.strokes = [[[2, 2]]]
    assert "from 0 to 1" in pad.answer["hint"]
    pad.strokes = []
    assert pad.answer == empty


def test_without_a_kernel_the_pad_is_a_described_picture_and_always_the_same(pad):
    data, metadata = pad._repr_mimebundle_()
    assert data["text/plain"] == metadata["image/png"]["alt"]
    assert data[VIEW_TYPE] == {"view": "pad"}
    pad.strokes = EXAMPLE_DRAWINGS[3]
    assert pad._repr_mimebundle_()[0]["text/plain"] == data["text/plain"]


def test_saved_drawings_come_back_in_order_behind_those_of_an_earlier_version(tmp_path):
    path, earlier = tmp_path / "new" / "my_digits.json", np.ones((1, 28, 28), np.uint8)
    assert load_collection(path)["centered"].shape == (0, 28, 28)
    assert add_to_collection(path, EXAMPLE_DRAWINGS[4], 4) == 1
    old = path.with_suffix(".npz")
    np.savez(old, centered=earlier, as_drawn=earlier, labels=np.array([9], np.uint8))
    before = old.read_bytes()
    assert add_to_collection(path, EXAMPLE_DRAWINGS[2], 2) == 3
    digits = load_collection(path)
    assert digits["labels"].tolist() == [9, 4, 2]
    for name, centered in [("centered", True), ("as_drawn", False)]:
        expected = prepare_strokes(EXAMPLE_DRAWINGS[2], centered)
        assert np.array_equal(digits[name][[0, 2]], [earlier[0], expected])
        assert digits[name].dtype == digits["labels"].dtype == np.uint8
    assert old.read_bytes() == before


def test_pad_saves_in_the_form_of_a_page_and_says_so_or_why_not(pad):
    pad._handle_custom_msg({"save": 7}, [])  # as the page asks
    assert pad.message.startswith("Not saved: ") and not pad._collection.exists()
    pad.strokes = [[[0.1, 0.2], [0.3, 0.4]]]
    for label in (10, "3", 1.5, True):
        pad._handle_custom_msg({"save": label}, [])
        assert "0 to 9" in pad.message and not pad._collection.exists()
    pad._handle_custom_msg({"save": 7}, [])
    assert pad.message == f"Saved as a 7: 1 in {pad._collection}"
    digit = {"label": 7, "strokes": [[[0.1, 0.2], [0.3, 0.4]]]}
    assert json.loads(pad._collection.read_text()) == {"version": 1, "digits": [digit]}


@pytest.mark.parametrize("name, damage", [("my_digits.json", "{"), ("my_digits.npz", "PK")])
def test_damaged_file_is_reported_and_left_as_it_is(tmp_path, name, damage):
    path = tmp_path / "my_digits.json"
    (tmp_path / name).write_text(damage)
    for use in (load_collection, lambda path: add_to_collection(path, EXAMPLE_DRAWINGS[1], 1)):
        with pytest.raises(ValueError, match="rename or delete"):
            use(path)
    assert [file.read_text() for file in tmp_path.iterdir()] == [damage]


def test_an_uploaded_picture_is_answered_by_the_networks_or_refused_with_the_reason(network):
    file = io.BytesIO()
    large = np.kron(prepare_strokes(EXAMPLE_DRAWINGS[5]), np.ones((9, 9), "uint8"))
    Image.fromarray(255 - large).save(file, "PNG")
    upload = PictureUpload({"dense": network})
    # As the browser sends them; it shows the answer to the last.
    upload._handle_custom_msg({"name": "5.png", "number": 1}, [memoryview(file.getvalue())])
    (answer,) = upload.answer["networks"]
    assert sum(answer["probabilities"]) == pytest.approx(1) and answer["name"] == "dense"
    image = prepare_picture(read_picture(file))
    assert upload.answer["picture"]["pixels"] == base64.b64encode(image).decode()
    upload._handle_custom_msg({"name": "a.txt", "number": 2}, [memoryview(b"Dear Sir or Madam")])
    assert upload.answer.keys() == {"name", "number", "error"} and upload.answer["number"] == 2
    assert "no picture of a known kind" in upload.answer["error"]
