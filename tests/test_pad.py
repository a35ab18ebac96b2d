"""The kernel's half of the drawing pad, without a browser, and the collection of digits."""

import base64
import io
from datetime import UTC, datetime

import nbformat
import numpy as np
import pytest
from browser import luminance
from conftest import NOTEBOOKS, ROOT, SOLUTIONS
from PIL import Image

from mnist_helpers import build_dense, images, keras
from mnist_helpers.drawings import EXAMPLE_DRAWINGS
from mnist_helpers.images import crop_to_ink, draw_strokes, preparation_steps, prepare_strokes
from mnist_helpers.pad import DrawingPad, add_to_collection, load_collection
from mnist_helpers.picture_upload import PictureUpload

BLANK = dict.fromkeys(("centered", "as_drawn"), np.zeros((1, 28, 28), np.uint8))
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(1)
    return build_dense()


@pytest.fixture
def pad(network, tmp_path) -> DrawingPad:
    return DrawingPad({"dense network": network}, tmp_path / "my_digits.npz")


class TestAnswer:
    @pytest.mark.parametrize("centered, count", [(True, 4), (False, 1)])
    def test_networks_answer_to_the_last_picture(self, pad, network, centered, count):
        pad.strokes = EXAMPLE_DRAWINGS[3]
        pad.centered = centered
        image = prepare_strokes(EXAMPLE_DRAWINGS[3], centered)
        (answer,) = pad.answer["networks"]
        expected = network.predict(image[np.newaxis], verbose=0)[0]
        assert answer["name"] == "dense network"
        assert np.allclose(answer["probabilities"], expected, atol=1e-5)
        pictures = pad.answer["pictures"]
        assert len(pictures) == count
        assert base64.b64decode(pictures[-1]["pixels"]) == image.tobytes()
        assert (pictures[-1]["width"], pictures[-1]["height"]) == (28, 28)

    def test_pictures_are_shown_at_one_scale_but_the_large_crop_as_its_box(self, pad):
        pad.strokes = EXAMPLE_DRAWINGS[3]
        sizes = [max(p["width"], p["height"]) * p["scale"] for p in pad.answer["pictures"]]
        assert sizes == pytest.approx([28, 20, 20, 28])

    def test_pen_of_the_page_is_as_wide_as_that_of_the_image(self, pad):
        image = prepare_strokes([[(0.5, 0.1), (0.5, 0.9)]], centered=False)
        assert image[14].sum() / 255 == pytest.approx(28 * pad.pen, abs=0.2)

    def test_empty_or_cleared_pad_gives_a_hint_and_no_prediction(self, pad):
        empty = pad.answer
        assert "Draw a digit" in empty["hint"] and "networks" not in empty
        pad.strokes = EXAMPLE_DRAWINGS[3]
        pad.strokes = []
        assert pad.answer == empty

    def test_bad_strokes_give_their_error_as_a_hint(self, pad):
        pad.strokes = [[[2, 2]]]
        assert "from 0 to 1" in pad.answer["hint"]

    def test_text_in_the_place_of_the_pad_is_always_the_same(self, pad):
        before = repr(pad)
        pad.strokes = EXAMPLE_DRAWINGS[3]
        assert repr(pad) == before and "kernel" in before


def test_steps_lead_from_the_drawing_to_the_prepared_image():
    drawn, cropped, fitted, centered = preparation_steps(EXAMPLE_DRAWINGS[7]).values()
    assert np.array_equal(drawn, prepare_strokes(EXAMPLE_DRAWINGS[7], centered=False))
    assert np.array_equal(cropped, crop_to_ink(draw_strokes(EXAMPLE_DRAWINGS[7])))
    assert max(fitted.shape) == 20
    assert np.array_equal(centered, prepare_strokes(EXAMPLE_DRAWINGS[7]))


class TestDrawingIsDrawnNoMoreThanNeeded:
    """The pad as drawn is drawn on 280 × 280 pixels, the digit that fills its box on 200 × 200."""

    @pytest.fixture
    def drawn(self, monkeypatch) -> list:
        """The sides of the canvases on which something was drawn."""
        sides = []
        draw = images._draw

        def draw_and_count(lines, side):
            sides.append(side)
            return draw(lines, side)

        monkeypatch.setattr(images, "_draw", draw_and_count)
        return sides

    def test_for_an_answer(self, pad, drawn):
        pad.strokes = EXAMPLE_DRAWINGS[3]
        assert sorted(drawn) == [200, 280]
        drawn.clear()
        pad.centered = False
        assert drawn == [280]

    def test_for_a_saved_drawing(self, tmp_path, drawn):
        add_to_collection(tmp_path / "my_digits.npz", EXAMPLE_DRAWINGS[3], 3)
        assert sorted(drawn) == [200, 280]

    @pytest.mark.parametrize("centered, side", [(True, 200), (False, 280)])
    def test_for_one_image(self, drawn, centered, side):
        prepare_strokes(EXAMPLE_DRAWINGS[3], centered)
        assert drawn == [side]


class TestCollection:
    def test_missing_file_is_an_empty_collection(self, tmp_path):
        digits = load_collection(tmp_path / "none.npz")
        assert digits["centered"].shape == (0, 28, 28) and len(digits["labels"]) == 0

    def test_saved_drawings_come_back_in_order(self, tmp_path):
        path = tmp_path / "new" / "my_digits.npz"
        for count, digit in enumerate((4, 2), 1):
            assert add_to_collection(path, EXAMPLE_DRAWINGS[digit], digit) == count
        digits = load_collection(path)
        assert digits["labels"].tolist() == [4, 2]
        for name, centered in [("centered", True), ("as_drawn", False)]:
            expected = prepare_strokes(EXAMPLE_DRAWINGS[2], centered)
            assert np.array_equal(digits[name][1], expected)

    @pytest.mark.parametrize("label", [10, -1, "3", None, 1.5, True, [1]])
    def test_label_that_is_no_digit_is_refused(self, tmp_path, label):
        with pytest.raises(ValueError, match="0 to 9"):
            add_to_collection(tmp_path / "my_digits.npz", EXAMPLE_DRAWINGS[1], label)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "damage",
        [
            lambda path: path.write_text("digits"),
            lambda path: path.write_bytes(path.read_bytes()[:200]),
            lambda path: np.savez(path, x=np.zeros(3)),
            lambda path: np.savez(path, **BLANK, labels=np.zeros(3, np.uint8)),
            lambda path: np.savez(path, **BLANK, labels=np.array([{}], dtype=object)),
        ],
        ids=["text", "cut", "other arrays", "wrong shape", "pickle"],
    )
    def test_damaged_file_is_reported_and_left_as_it_is(self, tmp_path, damage):
        path = tmp_path / "my_digits.npz"
        add_to_collection(path, EXAMPLE_DRAWINGS[1], 1)
        damage(path)
        before = path.read_bytes()
        with pytest.raises(ValueError, match="rename or delete"):
            add_to_collection(path, EXAMPLE_DRAWINGS[1], 1)
        assert path.read_bytes() == before

    def test_pad_says_what_the_page_asked_it_to_save(self, pad):
        pad.strokes = EXAMPLE_DRAWINGS[6]
        pad._handle_custom_msg({"save": 6}, [])
        assert pad.message == f"Saved as a 6: 1 in {pad._collection}"

    def test_pad_does_not_save_an_empty_drawing_and_says_why(self, pad, tmp_path):
        pad.save(6)
        assert pad.message.startswith("Not saved: ") and "empty" in pad.message
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [{}, "save", None, {"other": 1}])
    def test_message_of_the_page_that_makes_no_sense_is_passed_over(self, pad, content):
        pad._handle_custom_msg(content, [])
        assert pad.message == ""


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
def test_no_stored_output_refers_to_a_widget_that_is_gone(path):
    """JupyterLab shows "Error displaying widget" for one, until the notebook is run."""
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            assert WIDGET_VIEW not in output.get("data", {})


# The colours of each text of the pad, and of what it stands on.
COLOURS = """() => {
  const rgba = (color) => color.match(/[\\d.]+/g).map(Number);
  const paper = (node) => getComputedStyle(node).backgroundColor;
  const pad = document.querySelector('.mnist-pad');
  const texts = document.createTreeWalker(pad, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.data.trim() || text.parentElement.closest('option')) continue;
    let below = text.parentElement;
    while (rgba(paper(below))[3] === 0) below = below.parentElement;
    found.push([text.data, rgba(getComputedStyle(text.parentElement).color), rgba(paper(below))]);
  }
  return found;
}"""
SHOW = """async ([source, values]) => {
  const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
  const model = {get: (name) => values[name], on() {}};
  module.default.render({model, el: document.body});
}"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables", ["", "--jp-ui-font-color0: #ffffff; --jp-layout-color2: #444"]
)
def test_pad_is_readable_on_a_dark_page_that_is_not_jupyterlabs(chromium, pad, variables):
    pad.strokes = EXAMPLE_DRAWINGS[3]
    pad.message = "Saved"
    names = ("strokes", "centered", "answer", "message", "pen")
    page = chromium.new_page()
    dark = f":root {{ {variables} }} body {{ background: #1e1e1e; color: #eee }}"
    style = (ROOT / "mnist_helpers" / "pad.css").read_text()
    page.set_content(f"<style>{dark} {style}</style>")
    source = (ROOT / "mnist_helpers" / "pad.js").read_text()
    page.evaluate(SHOW, [source, {name: getattr(pad, name) for name in names}])
    texts = page.evaluate(COLOURS)
    page.close()
    assert len(texts) >= 15
    for text, color, paper in texts:
        darker, lighter = sorted([luminance(color), luminance(paper)])
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, color, paper)


class TestUpload:
    @pytest.fixture
    def upload(self, network):
        return PictureUpload({"dense": network})

    @staticmethod
    def choose(upload, name, content):
        kind = {"type": "image/png", "size": len(content), "last_modified": datetime.now(UTC)}
        upload.button.value = ({"name": name, "content": memoryview(content), **kind},)

    def test_an_uploaded_picture_is_prepared_and_the_networks_answer(self, upload):
        file = io.BytesIO()
        Image.fromarray(
            255 - np.kron(prepare_strokes(EXAMPLE_DRAWINGS[5]), np.ones((9, 9), "uint8"))
        ).save(file, "PNG")
        self.choose(upload, "five.png", file.getvalue())
        assert "<img" in upload.answer.value and "dense: " in upload.answer.value

    def test_a_refused_picture_is_answered_with_the_reason(self, upload):
        self.choose(upload, "<letter>.txt", b"Dear Sir or Madam")
        assert upload.answer.value.startswith("&lt;letter&gt;.txt: is no picture")
