"""The live views on the pages: a frame held over a digit (03), and a digit to be moved (04)."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from browser import drag
from pages import LAPTOP, code, display, opened_pages, write_notebook
from scipy import ndimage

from mnist_helpers.convolution_view import ConvolutionView
from mnist_helpers.plots import plot_shifts, show_figure
from tools.site.build import build_site

pytestmark = pytest.mark.slow
open_page = pytest.fixture(opened_pages)

LABELS = [5, 0, 4, 1, 9]
IMAGES = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)
KERNELS = {"vertical edge": np.array([[1, 0, -1]] * 3), "blur": np.full((3, 3), 1 / 9)}
ACCURACIES = {
    "dense": np.array([[0.94, 0.80, 0.50, 0.30, 0.20], [0.92, 0.78, 0.52, 0.32, 0.22]]),
    "CNN": np.array([[0.97, 0.93, 0.75, 0.50, 0.30]]),
}


@pytest.fixture(scope="module")
def site(shown, tmp_path_factory) -> Path:
    """A site with a page for each view."""
    folder = tmp_path_factory.mktemp("views")
    data, metadata = ConvolutionView(IMAGES, LABELS, KERNELS, row=10, column=12)._repr_mimebundle_()
    write_notebook(folder / "01_frame.ipynb", code("view", display(data, metadata)))
    (figure,) = shown(show_figure, plot_shifts([0, 1, 2, 3, 4], ACCURACIES, (IMAGES, LABELS)))
    picture = {"image/png": base64.b64encode(figure.data["image/png"]).decode()}
    figure = display(figure.data | picture, figure.metadata)
    cell = code("view", figure, jupyter={"outputs_hidden": True})
    write_notebook(folder / "02_shift.ipynb", cell)
    build_site(folder, folder / "site", {})
    return folder / "site"


def point(surface, row: float, column: float) -> tuple[float, float]:
    """The middle of a pixel of a digit, on the screen."""
    surface.scroll_into_view_if_needed()
    left, top, side, _ = surface.bounding_box().values()
    return left + (column + 0.5) * side / 28, top + (row + 0.5) * side / 28


def pixels_of(page, part: str) -> np.ndarray:
    """The colours of the canvas in a part of a view, (height, width, 4)."""
    canvas = page.locator(f".mnist-{part} canvas")
    data = "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    return np.reshape(canvas.evaluate(data), (*canvas.evaluate("c => [c.height, c.width]"), 4))


@pytest.fixture
def frame(site, open_page):
    return open_page(site / "01_frame.html", **LAPTOP)


def press_button(page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def position(frame) -> list[str]:
    """Row and column of the frame, as the caption has them."""
    return re.findall(r"\d+", frame.locator("figcaption").first.inner_text())


def filled(frame) -> list:
    """Where the map has values."""
    return np.argwhere(pixels_of(frame, "convolution-map")[..., 3]).tolist()


@pytest.mark.parametrize("name", [*KERNELS, "your own"])
def test_map_is_the_convolution_with_the_kernel_chosen_or_typed_in(frame, name):
    kernel = np.array([[0.5, -2, 0], [1.25, 0, -1], [3, 0, -0.75]])
    if name == "your own":
        fields = frame.locator(".mnist-convolution td input").all()
        for field, weight in zip(fields, kernel.flat, strict=True):
            field.fill(str(weight))
    else:
        frame.get_by_label("kernel:").select_option(label=name)
        kernel = KERNELS[name].round(2)
    press_button(frame, "Fill it all")
    patches = np.lib.stride_tricks.sliding_window_view(IMAGES[0] / 255, (3, 3))
    values = np.tensordot(patches, kernel, axes=2)
    total = frame.locator(".mnist-convolution-sum").inner_text().replace("\u2212", "-")
    assert float(total) == pytest.approx(values[9, 11], abs=0.006)
    # White at zero, full blue or red at the largest value that the kernel can give.
    reach = max(kernel[kernel > 0].sum(), -kernel[kernel < 0].sum())
    ends = np.where(values[..., np.newaxis] < 0, [33, 102, 172], [178, 24, 43])
    colours = 247 + np.abs(values / reach)[..., np.newaxis] * (ends - 247)
    shown = pixels_of(frame, "convolution-map")[..., :3]
    np.testing.assert_allclose(shown, colours, atol=1)


def test_another_digit_is_computed_on_and_starts_an_empty_map(frame):
    press_button(frame, "Fill it all")
    press_button(frame, "Digit 3 of 5: a 4")
    assert position(frame) == ["10", "12"] and filled(frame) == [[9, 11]]
    patch = IMAGES[2, 9:12, 11:14] / 255
    for name, numbers in {"patch": patch, "products": patch * KERNELS["vertical edge"]}.items():
        table = frame.locator("table", has=frame.locator("caption", has_text=name))
        texts = [text.replace("\u2212", "-") for text in table.locator("td").all_inner_texts()]
        np.testing.assert_allclose(np.array(texts, float), numbers.ravel(), atol=0.006)


def test_arrow_keys_move_the_frame_and_the_map_has_values_where_it_has_been(frame):
    frame.get_by_role("button", name="Digit 5 of 5").focus()
    for key in ("Tab", "ArrowRight", "ArrowDown"):
        frame.keyboard.press(key)
    assert position(frame) == ["11", "13"]
    assert filled(frame) == [[9, 11], [9, 12], [10, 12]]
    press_button(frame, "Clear")
    assert filled(frame) == [[10, 12]]


def test_frame_follows_a_mouse_that_is_not_pressed_and_stays_inside(frame):
    surface = frame.locator(".mnist-convolution-digit")
    frame.mouse.move(*point(surface, 20, 7))
    assert position(frame) == ["20", "7"]
    box = surface.locator(".mnist-convolution-frame").bounding_box()
    assert (box["x"], box["y"]) == pytest.approx(point(surface, 18.5, 5.5), abs=0.6)
    frame.mouse.move(*point(surface, 0, 27))
    assert position(frame) == ["1", "26"]


@pytest.mark.parametrize("images, size", [(IMAGES, 5), (IMAGES / 255, 3), (IMAGES[:3], 3)])
def test_what_does_not_fit_is_an_error(images, size):
    with pytest.raises(ValueError, match=r"expected|shorter|longer"):
        ConvolutionView(images, LABELS, {"ones": np.ones((size, size))})


# In place of the page's networks: one that answers 0 to every image.
ANSWER = """void (mnistTutorial.answer = (pixels) => {
  window.asked = pixels;
  return {cnn: [0.91, ...Array(9).fill(0.01)]};
})"""


@pytest.fixture
def page(site, open_page):
    page = open_page(site / "02_shift.html", **LAPTOP)
    page.get_by_text("Show the answer").click()
    page.evaluate(ANSWER)
    return page


def press(page, *keys: str) -> None:
    for key in keys:
        page.locator(".mnist-shift-digit").press(f"Arrow{key}")


def assert_asked(page, digit: int, *by: int) -> None:
    """The networks were last asked about this digit moved down and right, and it is drawn."""
    image = ndimage.shift(IMAGES[digit], by, order=0)
    np.testing.assert_array_equal(np.reshape(page.evaluate("window.asked"), (28, 28)), image)
    drawn = 255 - pixels_of(page, "shift-digit")[..., 0]
    np.testing.assert_array_equal(drawn, image)


def test_digit_is_dragged_by_whole_pixels_and_at_most_by_four(page):
    surface = page.locator(".mnist-shift-digit")
    for start, end, by in [((10, 10), (8.2, 13.3), (-2, 3)), ((10, 20), (27, 0), (4, -4))]:
        drag(page, [point(surface, *start), point(surface, *end)])
        assert_asked(page, 0, *by)


def test_arrow_keys_move_the_digit_and_another_one_with_it_and_a_button_brings_it_back(page):
    press(page, "Left", "Up", "Up")
    assert_asked(page, 0, -2, -1)
    press_button(page, "Digit 2 of 5: a 0")
    assert_asked(page, 1, -2, -1)
    press_button(page, "Back to the middle")
    assert_asked(page, 1, 0, 0)


def test_curve_is_marked_at_the_larger_of_the_two_shifts_with_the_mean_accuracies(page):
    press(page, "Up", "Up", "Right")
    curve = page.locator(".mnist-shift-curve")
    x = re.match(r"M([\d.]+) ", curve.locator(".mark").get_attribute("d")).group(1)
    assert curve.locator(f'text[x="{x}"][y="166"]').text_content() == "2"
    assert "the larger of the two" in curve.locator("figcaption").inner_text()
    assert curve.locator("li").all_inner_texts() == ["dense 51\xa0%", "CNN 75\xa0%"]


def test_a_wrong_answer_is_marked_and_read_aloud_with_the_position(page):
    press(page, "Down", "Down", "Left")
    assert page.locator(".mnist-verdict").inner_text() == "CNN: 0 (91\xa0%), wrong"
    status = page.locator(".mnist-shift").get_by_role("status")
    status.get_by_text("2 down, 1 left").get_by_text("CNN: 0").wait_for(state="attached")
