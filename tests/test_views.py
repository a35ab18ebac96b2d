"""The live views in Chromium: a frame held over a digit (03), and a digit to be moved (04)."""

import ast
import base64
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser import luminance
from bs4 import BeautifulSoup
from build_site import build_site
from conftest import NOTEBOOKS, ROOT, code_cells, read
from nbformat.v4 import new_code_cell, new_notebook, new_output
from test_site import RULES, violations

from mnist_helpers.patch import PATCH_TEXT, PatchView
from mnist_helpers.plots import plot_shifts, show_figure
from mnist_helpers.views import VIEW_TYPE, digits_as_json, shift_view

pytestmark = pytest.mark.slow

TEMPLATE = ROOT / "tools" / "site_template"
LABELS = [5, 0, 4, 1, 9]
IMAGES = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)
KERNELS = {
    "vertical edge": np.array([[1, 0, -1]] * 3),
    "horizontal edge": np.array([[1, 0, -1]] * 3).T,
    "blur": np.full((3, 3), 1 / 9),
    "learned": np.random.default_rng(2).normal(0, 0.3, (3, 3)),
}
PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A view</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>%s</style></head>
<body><main><h1>A view</h1><div class="output" id="view"></div>
<p style="height: 3000px">More text.</p></main></body></html>"""
SHOW = """async ([source, values]) => {
  const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
  const model = {get: (name) => values[name], on() {}, off() {}};
  module.default.render({model, el: document.getElementById('view')});
}"""


@pytest.fixture(scope="module")
def context(chromium):
    context = chromium.new_context(
        viewport={"width": 900, "height": 800}, has_touch=True, offline=True
    )
    yield context
    context.close()


@pytest.fixture
def page(context):
    """An empty page; what it reports is an error."""
    page = context.new_page()
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    page.close()
    assert problems == []


def show(page, module: Path, values: dict) -> None:
    """Show a view on a page that looks as those of the site do."""
    styles = (TEMPLATE / "site.css").read_text() + module.with_suffix(".css").read_text()
    page.set_content(PAGE % styles)
    page.evaluate(SHOW, [module.read_text(), values])


def point(surface, row: float, column: float) -> tuple[float, float]:
    """The middle of a pixel of a digit, on the screen."""
    box = surface.bounding_box()
    pixel = box["width"] / 28
    return box["x"] + (column + 0.5) * pixel, box["y"] + (row + 0.5) * pixel


def drag_by_finger(page, points: list[tuple[float, float]]) -> None:
    session = page.context.new_cdp_session(page)
    kinds = ["touchStart"] + ["touchMove"] * (len(points) - 1)
    for kind, (x, y) in zip(kinds, points, strict=True):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


# What a screen reader is given while `keys` are pressed without a pause, and after.
SAID = """async ([view, keys]) => {
  const status = document.querySelector(`.mnist-${view}-status`);
  const surface = document.querySelector(`.mnist-${view}-surface`);
  const said = [];
  const told = new Promise((resolve) => {
    new MutationObserver(() => { said.push(status.textContent); resolve(); })
      .observe(status, {childList: true});
  });
  for (const key of keys) surface.dispatchEvent(new KeyboardEvent('keydown', {key}));
  await told;
  return said;
}"""


def problems_of_access(page) -> list[str]:
    """What axe finds in the two themes, and whether a small screen has to scroll sideways."""
    found = []
    for theme, rules in RULES.items():
        page.emulate_media(color_scheme=theme)
        found += violations(page, rules)
    page.set_viewport_size({"width": 360, "height": 740})
    if page.evaluate("document.documentElement.scrollWidth") > 360:
        found.append("scrolls sideways")
    return found


# --- A frame over a digit -------------------------------------------------------------------


class Patch:
    """The view on a page, used as a person does: by looking, mouse and keys."""

    def __init__(self, page):
        self.page = page
        view = PatchView(IMAGES, LABELS, KERNELS, row=10, column=12)
        names = ("digits", "kernels", "row", "column")
        show(page, ROOT / "mnist_helpers" / "patch.js", {n: getattr(view, n) for n in names})
        self.surface = page.locator(".mnist-patch-surface")
        self.fields = page.locator(".mnist-patch td input")

    def table(self, name: str) -> np.ndarray:
        table = self.page.locator("table", has=self.page.locator("caption", has_text=name))
        return np.reshape([number(text) for text in table.locator("td").all_inner_texts()], (3, 3))

    def sum(self) -> float:
        return number(self.page.locator(".mnist-patch-sum").inner_text())

    def place(self) -> tuple[int, int]:
        row, column = re.findall(r"\d+", self.page.locator("figcaption").first.inner_text())
        return int(row), int(column)

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button).click()

    def choose(self, kernel: str) -> None:
        self.page.get_by_label("kernel:").select_option(label=kernel)

    def type(self, kernel: np.ndarray) -> None:
        for field, weight in zip(self.fields.all(), kernel.flat, strict=True):
            field.fill(str(weight))

    def map(self) -> np.ndarray:
        """The colours of the feature map, (26, 26, 4); where there is none, all are 0."""
        pixels = self.page.evaluate(
            "() => [...document.querySelector('.mnist-patch-map canvas')"
            ".getContext('2d').getImageData(0, 0, 26, 26).data]"
        )
        return np.reshape(pixels, (26, 26, 4))


@pytest.fixture
def patch(page) -> Patch:
    return Patch(page)


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    patches = np.lib.stride_tricks.sliding_window_view(image / 255, (3, 3))
    return np.tensordot(patches, kernel, axes=2)


def colours(feature_map: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """White at zero, full blue or red at the largest value that the kernel can give."""
    reach = max(kernel[kernel > 0].sum(), -kernel[kernel < 0].sum())
    ends = np.where(feature_map[..., np.newaxis] < 0, [33, 102, 172], [178, 24, 43])
    return 247 + np.abs(feature_map / reach)[..., np.newaxis] * (ends - 247)


def test_patch_starts_at_its_place_with_the_first_digit_and_kernel(patch):
    pixels = IMAGES[0, 9:12, 11:14] / 255
    kernel = KERNELS["vertical edge"]
    assert patch.place() == (10, 12)
    np.testing.assert_allclose(patch.table("patch"), pixels, atol=0.006)
    np.testing.assert_allclose(patch.table("products"), pixels * kernel, atol=0.006)
    assert patch.sum() == pytest.approx((pixels * kernel).sum(), abs=0.006)


@pytest.mark.parametrize("name", KERNELS)
def test_map_is_the_convolution_with_the_chosen_kernel(patch, name):
    patch.choose(name)
    patch.press("Fill it all")
    kernel = KERNELS[name].round(2)
    expected = colours(convolve(IMAGES[0], kernel), kernel)
    np.testing.assert_allclose(patch.map()[..., :3], expected, atol=1)
    assert patch.sum() == pytest.approx(convolve(IMAGES[0], kernel)[9, 11], abs=0.006)


def test_map_is_the_convolution_with_a_kernel_typed_in(patch):
    kernel = np.array([[0.5, -2, 0], [1.25, 0, -1], [3, 0, -0.75]])
    patch.press("Fill it all")
    patch.type(kernel)
    expected = colours(convolve(IMAGES[0], kernel), kernel)
    np.testing.assert_allclose(patch.map()[..., :3], expected, atol=1)
    assert patch.page.get_by_label("kernel:").input_value() == ""  # "your own"


@pytest.mark.parametrize(("typed", "weight"), [("", 0), ("1e9", 99)])
def test_no_number_counts_as_zero_and_a_huge_one_as_99(patch, typed, weight):
    patch.type(np.zeros((3, 3)))
    patch.fields.nth(4).fill(typed)
    patch.fields.nth(4).blur()
    assert patch.fields.nth(4).input_value() == str(weight)
    assert patch.sum() == pytest.approx(weight * (IMAGES[0, 10, 12] / 255), abs=0.006)


def test_another_digit_is_computed_on_and_starts_an_empty_map(patch):
    patch.press("Fill it all")
    patch.press("Digit 3 of 5: a 4")
    np.testing.assert_allclose(patch.table("patch"), IMAGES[2, 9:12, 11:14] / 255, atol=0.006)
    assert np.argwhere(patch.map()[..., 3]).tolist() == [[9, 11]]


def test_map_has_values_where_the_frame_has_been_alone_and_clear_removes_them(patch):
    patch.surface.press("ArrowRight")
    patch.surface.press("ArrowDown")
    assert np.argwhere(patch.map()[..., 3]).tolist() == [[9, 11], [9, 12], [10, 12]]
    patch.press("Clear")
    assert np.argwhere(patch.map()[..., 3]).tolist() == [[10, 12]]


def test_frame_follows_a_mouse_that_is_not_pressed(patch):
    patch.page.mouse.move(*point(patch.surface, 20, 7))
    assert patch.place() == (20, 7)
    expected = (IMAGES[0, 19:22, 6:9] / 255 * KERNELS["vertical edge"]).sum()
    assert patch.sum() == pytest.approx(expected, abs=0.006)


def test_frame_is_drawn_around_its_patch(patch):
    patch.page.mouse.move(*point(patch.surface, 20, 7))
    frame = patch.surface.locator(".mnist-patch-frame").bounding_box()
    left, top = point(patch.surface, 18.5, 5.5)
    found = [frame[side] for side in ("x", "y", "width", "height")]
    assert found == pytest.approx([left, top, 30, 30], abs=0.6)


def test_frame_stays_inside_the_image(patch):
    patch.page.mouse.move(*point(patch.surface, 0, 27))
    assert patch.place() == (1, 26)
    patch.surface.press("ArrowUp")
    patch.surface.press("ArrowRight")
    assert patch.place() == (1, 26)


def test_frame_follows_a_finger_and_the_page_does_not_scroll(patch):
    way = [point(patch.surface, row, 8) for row in (24, 20, 16, 12, 8, 4)]
    drag_by_finger(patch.page, way)
    assert patch.place() == (4, 8)
    assert patch.page.evaluate("window.scrollY") == 0


def test_frame_follows_a_pen(patch):
    session = patch.page.context.new_cdp_session(patch.page)
    x, y = point(patch.surface, 6, 21)
    pen = {"pointerType": "pen", "button": "left", "clickCount": 1, "x": x, "y": y}
    session.send("Input.dispatchMouseEvent", {"type": "mousePressed", **pen})
    session.send("Input.dispatchMouseEvent", {"type": "mouseMoved", **pen, "x": x + 10})
    assert patch.place() == (6, 22)


def test_arrow_keys_move_the_frame_after_tab_has_led_there(patch):
    patch.page.get_by_role("button", name="Digit 5 of 5").focus()
    for key in ("Tab", "ArrowLeft", "ArrowUp", "ArrowUp"):
        patch.page.keyboard.press(key)
    assert patch.place() == (8, 11)


def test_place_and_sum_are_said_once_the_frame_rests(patch):
    said = patch.page.evaluate(SAID, ["patch", ["ArrowRight"] * 8])
    total = f"{patch.sum():.2f}".replace("-", "\u2212")
    assert said == [f"Row 10, column 20: sum {total}"]


def test_patch_view_is_accessible_and_fits_on_a_phone(patch):
    patch.press("Fill it all")
    assert problems_of_access(patch.page) == []


# The colours of all numbers, and of what they stand on, while the frame passes along a row.
PASS = """() => {
  const surface = document.querySelector('.mnist-patch-surface');
  const found = [];
  for (let column = 0; column < 26; column++) {
    for (const cell of document.querySelectorAll('.mnist-patch td span, .mnist-patch-sum')) {
      found.push([cell.style.color, cell.style.backgroundColor]);
    }
    surface.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
  }
  return found.map((pair) => pair.map((color) => color.match(/\\d+/g).map(Number)));
}"""


def test_every_number_is_readable_on_its_colour(patch):
    pairs = patch.page.evaluate(PASS)
    assert len(pairs) == 26 * 19
    for text, paper in pairs:
        darker, lighter = sorted([luminance(text), luminance(paper)])
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, paper)


def test_kernels_are_rounded_so_that_what_is_shown_is_what_is_computed():
    view = PatchView(IMAGES, LABELS, {"blur": np.full((3, 3), 1 / 9)})
    assert view.kernels == [{"name": "blur", "weights": [[0.11] * 3] * 3}]


def test_output_of_a_patch_view_has_a_described_picture_and_the_values_for_a_page(shown):
    from IPython.display import display

    (output,) = shown(display, PatchView(IMAGES, LABELS, KERNELS, row=3, column=4))
    assert output.data["text/plain"] == output.metadata["image/png"]["alt"] == PATCH_TEXT
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
    values = output.data[VIEW_TYPE]
    assert (values["view"], values["row"], values["column"]) == ("patch", 3, 4)
    assert values["digits"] == digits_as_json(IMAGES, LABELS)
    assert [kernel["name"] for kernel in values["kernels"]] == list(KERNELS)


@pytest.mark.parametrize(
    ("images", "labels", "kernels", "message"),
    [
        (IMAGES, LABELS, {}, "expected one kernel or more"),
        (IMAGES, LABELS, {"large": np.ones((5, 5))}, r"each of shape \(3, 3\)"),
        (IMAGES / 255, LABELS, KERNELS, r"images are float64 \(5, 28, 28\), expected uint8"),
        (IMAGES[0], LABELS, KERNELS, r"images are uint8 \(28, 28\)"),
        (IMAGES, LABELS[:3], KERNELS, "argument 2 is shorter"),
    ],
)
def test_what_does_not_fit_is_an_error(images, labels, kernels, message):
    with pytest.raises(ValueError, match=message):
        PatchView(images, labels, kernels)


def test_picture_of_the_view_is_small():
    assert (ROOT / "mnist_helpers" / "patch.png").stat().st_size < 60_000


# --- A digit to be moved --------------------------------------------------------------------

SHIFTS = [0, 1, 2, 3, 4]
ACCURACIES = {
    "dense": np.array([[0.94, 0.80, 0.50, 0.30, 0.20], [0.92, 0.78, 0.52, 0.32, 0.22]]),
    "wide dense": np.array([[0.95, 0.85, 0.60, 0.35, 0.24]]),
    "CNN": np.array([[0.97, 0.93, 0.75, 0.50, 0.30]]),
}
# In place of the page's networks: all say how many of the first row's pixels are inked.
ANSWER = """(names) => {
  window.asked = [];
  const answer = (pixels) => {
    window.asked.push(pixels);
    const inked = pixels.slice(0, 28).filter((pixel) => pixel > 0).length;
    const probabilities = Array.from({length: 10}, (_, d) => (d === inked % 10 ? 0.91 : 0.01));
    return Object.fromEntries(names.map((name) => [name, probabilities]));
  };
  window.mnistTutorial = {answer};
}"""


class Shift:
    """The view on a page, whose networks are a stand-in."""

    def __init__(self, page, networks: list[str]):
        self.page = page
        page.goto("about:blank")
        page.evaluate(ANSWER, networks)
        values = shift_view(IMAGES, LABELS, SHIFTS, ACCURACIES)
        show(page, TEMPLATE / "shift.js", values)
        self.surface = page.locator(".mnist-shift-surface")
        self.caption = page.locator(".mnist-shift figcaption").first
        self.curve = page.locator(".mnist-shift-curve")

    def asked(self) -> np.ndarray:
        """The image that the networks were last asked about."""
        return np.reshape(self.page.evaluate("window.asked.at(-1)"), (28, 28))

    def said(self) -> dict[str, str]:
        networks = self.page.locator(".mnist-shift-network").all()
        return {n.get_attribute("data-network"): n.inner_text().split("\n")[0] for n in networks}

    def marked(self) -> str:
        """The shift, on the axis, at which the mark stands."""
        x = re.match(r"M([\d.]+) ", self.curve.locator(".mark").get_attribute("d")).group(1)
        return self.curve.locator(f'text[x="{x}"][y="166"]').text_content()


@pytest.fixture
def moved(page) -> Shift:
    return Shift(page, ["dense", "cnn", "compact"])


@pytest.fixture(scope="module")
def shift():
    """The function of notebook 04 that moves images."""
    source = "\n".join(cell.source for cell in code_cells(read(NOTEBOOKS[3])))
    (function,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "shift"
    ]
    names = {"np": np}
    exec(ast.unparse(function), names)
    return names["shift"]


KEYS = {"ArrowDown": (1, 0), "ArrowUp": (-1, 0), "ArrowRight": (0, 1), "ArrowLeft": (0, -1)}


@pytest.mark.parametrize("key", KEYS)
def test_an_arrow_key_moves_the_digit_as_the_notebook_does(moved, shift, key):
    for _ in range(3):
        moved.surface.press(key)
    down, right = (3 * step for step in KEYS[key])
    np.testing.assert_array_equal(moved.asked(), shift(IMAGES[:1], down, right)[0])


def test_digit_is_dragged_by_whole_pixels_and_at_most_by_four(moved, shift):
    moved.page.mouse.move(*point(moved.surface, 10, 10))
    moved.page.mouse.down()
    moved.page.mouse.move(*point(moved.surface, 8.2, 13.3))
    np.testing.assert_array_equal(moved.asked(), shift(IMAGES[:1], -2, 3)[0])
    moved.page.mouse.move(*point(moved.surface, 27, 0))
    np.testing.assert_array_equal(moved.asked(), shift(IMAGES[:1], 4, -4)[0])


def test_digit_stays_where_it_is_when_it_is_let_go(moved, shift):
    moved.page.mouse.move(*point(moved.surface, 10, 10))
    moved.page.mouse.down()
    moved.page.mouse.move(*point(moved.surface, 11, 10))
    moved.page.mouse.up()
    moved.page.mouse.move(*point(moved.surface, 20, 20))
    np.testing.assert_array_equal(moved.asked(), shift(IMAGES[:1], 1, 0)[0])


def test_digit_is_dragged_by_a_finger_and_the_page_does_not_scroll(moved, shift):
    drag_by_finger(moved.page, [point(moved.surface, 20 - n, 10) for n in range(4)])
    np.testing.assert_array_equal(moved.asked(), shift(IMAGES[:1], -3, 0)[0])
    assert moved.page.evaluate("window.scrollY") == 0


def test_the_moved_digit_is_what_is_drawn(moved, shift):
    moved.surface.press("ArrowDown")
    pixels = moved.page.evaluate(
        "() => [...document.querySelector('.mnist-shift-surface canvas')"
        ".getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    drawn = 255 - np.reshape(pixels, (28, 28, 4))[..., 0]
    np.testing.assert_array_equal(drawn, shift(IMAGES[:1], 1, 0)[0])


def test_another_digit_is_shown_where_the_first_was(moved, shift):
    moved.surface.press("ArrowLeft")
    moved.page.get_by_role("button", name="Digit 2 of 5: a 0").click()
    np.testing.assert_array_equal(moved.asked(), shift(IMAGES[1:2], 0, -1)[0])


def test_button_brings_the_digit_back(moved):
    moved.surface.press("ArrowLeft")
    moved.page.get_by_role("button", name="Back to the middle").click()
    np.testing.assert_array_equal(moved.asked(), IMAGES[0])


def test_the_networks_are_not_asked_again_where_nothing_moves(moved):
    for _ in range(6):
        moved.surface.press("ArrowUp")
    assert moved.page.evaluate("window.asked.length") == 1 + 4


def test_bars_follow_the_answers(moved):
    inked = np.count_nonzero(IMAGES[0, 0]) % 10
    assert moved.said()["cnn"].startswith(f"CNN: {inked} (91\xa0%)")
    moved.surface.press("ArrowDown")  # the first row is now empty
    assert moved.said() == {
        "dense": "dense network: 0 (91\xa0%), wrong",
        "cnn": "CNN: 0 (91\xa0%), wrong",
        "compact": "compact network: 0 (91\xa0%), wrong",
    }
    heights = moved.page.locator(".mnist-shift-fill").evaluate_all(
        "bars => bars.map((bar) => bar.style.height)"
    )
    assert heights == (["91%"] + ["1%"] * 9) * 3


def test_a_missing_network_is_left_out_and_told(page):
    view = Shift(page, ["dense", "compact"])
    assert list(view.said()) == ["dense", "compact"]
    note = page.locator(".mnist-shift-missing").inner_text()
    assert "Not on this page: CNN." in note and "make run" in note


def test_without_networks_the_curve_still_follows(page):
    view = Shift(page, [])
    view.surface.press("ArrowUp")
    assert view.said() == {} and view.marked() == "1"


def test_curve_is_marked_at_the_larger_of_the_two_shifts_and_says_so(moved):
    assert moved.marked() == "0"
    for key in ("ArrowUp", "ArrowUp", "ArrowUp"):
        moved.surface.press(key)
    assert moved.marked() == "3"
    title = moved.curve.locator("figcaption")
    assert "the larger of the two" not in title.inner_text()
    moved.surface.press("ArrowRight")
    assert moved.marked() == "3" and "the larger of the two" in title.inner_text()


def test_curve_tells_the_mean_accuracies_at_the_mark(moved):
    moved.surface.press("ArrowRight")
    moved.surface.press("ArrowRight")
    told = ["dense 51\xa0%", "wide dense 60\xa0%", "CNN 75\xa0%"]
    assert moved.curve.locator("li").all_inner_texts() == told
    described = moved.curve.get_by_role("img").get_attribute("aria-label")
    assert described == f"Accuracy by shift. At 2: {', '.join(told)}"


def test_place_and_answers_are_said_once_the_digit_rests(moved):
    said = moved.page.evaluate(SAID, ["shift", ["ArrowDown", "ArrowDown", "ArrowLeft"]])
    assert said == ["A 5, moved 2 down, 1 left. dense network: 0. CNN: 0. compact network: 0"]


def test_shift_view_is_accessible_and_fits_on_a_phone(moved):
    assert problems_of_access(moved.page) == []


def test_figure_of_the_shifts_carries_the_values_for_the_page(shown):
    view = shift_view(IMAGES, LABELS, SHIFTS, ACCURACIES)
    (output,) = shown(show_figure, plot_shifts(SHIFTS, ACCURACIES), view)
    assert output.data[VIEW_TYPE] == view
    assert [curve["name"] for curve in view["curves"]] == list(ACCURACIES)
    assert view["curves"][0]["accuracies"] == [0.93, 0.79, 0.51, 0.31, 0.21]


# --- Their places on the pages --------------------------------------------------------------


@pytest.fixture(scope="module")
def site(shown, tmp_path_factory) -> Path:
    """A site with a page for each view."""
    folder = tmp_path_factory.mktemp("views")
    view = PatchView(IMAGES, LABELS, KERNELS, row=10, column=12)
    data, metadata = view._repr_mimebundle_()
    patch = new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    (figure,) = shown(
        show_figure,
        plot_shifts(SHIFTS, ACCURACIES),
        shift_view(IMAGES, LABELS, SHIFTS, ACCURACIES),
    )
    picture = {"image/png": base64.b64encode(figure.data["image/png"]).decode()}
    figure = new_output("display_data", data=figure.data | picture, metadata=figure.metadata)
    folded = {"jupyter": {"outputs_hidden": True}}
    for name, output, hidden in (("01_patch", patch, {}), ("02_shift", figure, folded)):
        cell = new_code_cell("view", execution_count=1, outputs=[output], metadata=hidden)
        nbformat.write(new_notebook(cells=[cell]), folder / f"{name}.ipynb")
    build_site(folder, folder / "site")
    return folder / "site"


def elements(site: Path, name: str, selector: str) -> list:
    return BeautifulSoup((site / name).read_text(), "html.parser").select(selector)


def test_page_has_a_described_picture_of_the_frame_for_readers_without_scripts(site):
    (picture,) = elements(site, "01_patch.html", "img")
    assert picture["alt"] == PATCH_TEXT and picture.parent.name == "noscript"
    assert len(elements(site, "01_patch.html", 'noscript + .live[data-view="patch"]')) == 1


def test_page_has_the_digit_to_be_moved_below_the_figure_in_the_folded_answer(site):
    place = 'details.answer img[alt^="Accuracy on digits shifted"] + .live[data-view="shift"]'
    assert len(elements(site, "02_shift.html", place)) == 1


def test_frame_works_on_a_page_from_the_disk(site, page):
    page.goto((site / "01_patch.html").as_uri())
    page.locator(".mnist-patch-surface").press("ArrowDown")
    expected = convolve(IMAGES[0], KERNELS["vertical edge"])[10, 11]
    total = number(page.locator(".mnist-patch-sum").inner_text())
    assert total == pytest.approx(expected, abs=0.006)
    names = page.get_by_label("kernel:").locator("option").all_inner_texts()
    assert names == [*KERNELS, "your own"]


def test_digit_can_be_moved_on_a_page_from_the_disk(site, page):
    page.goto((site / "02_shift.html").as_uri())
    page.get_by_text("Show the answer").click()
    page.locator(".mnist-shift-surface").press("ArrowDown")
    told = page.locator(".mnist-shift-curve li").all_inner_texts()
    assert told == ["dense 79\xa0%", "wide dense 85\xa0%", "CNN 93\xa0%"]
    missing = page.locator(".mnist-shift-missing").inner_text()
    assert "dense network, CNN, compact network" in missing  # the site has none
