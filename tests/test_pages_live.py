"""The networks and the drawing pad on the pages: they compute what Python computes, and serve."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from browser import Pad, drag
from pages import PHONE, RULES, code, display, opened_pages, png, site_with, too_wide, violations
from pages import write_notebook as write

from mnist_helpers import build_cnn, build_compact_cnn, build_dense, keras, load_mnist
from mnist_helpers.convolution_view import VIEW_TYPE
from mnist_helpers.pad import EMPTY_HINT, DrawingPad, load_collection
from mnist_helpers.strokes import EXAMPLE_DRAWINGS, prepare_strokes
from tools.site.export import as_json

NAMES = ["dense network", "CNN", "compact network"]
layers = keras.layers
open_page = pytest.fixture(opened_pages)


def make_site(folder: Path, networks: dict[str, keras.Model]) -> Path:
    """A site with these networks, and a page with a pad and one without a live part."""
    pad = code("pad", display({"image/png": png(40, 20), VIEW_TYPE: {"view": "pad"}}))
    write(folder / "01_draw.ipynb", "# Draw", pad)
    write(folder / "02_read.ipynb", "# Read")
    return site_with(networks, folder)


@pytest.fixture(scope="module")
def networks() -> dict[str, keras.Model]:
    """The three networks with random weights, those of batch normalisation as after a training."""
    keras.utils.set_random_seed(1)
    networks = {"dense": build_dense(), "cnn": build_cnn(), "compact": build_compact_cnn()}
    for network in networks.values():
        last = network.layers[-1]
        last.set_weights([20 * weights for weights in last.get_weights()])  # clear answers
    random = np.random.default_rng(1)
    for layer in networks["compact"].layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean = random.normal(size=(3, *layer.gamma.shape))  # negative ones, too
            layer.set_weights([gamma, beta, mean, random.uniform(0.1, 2, layer.gamma.shape)])
    return networks


@pytest.fixture(scope="module")
def site(networks, tmp_path_factory) -> Path:
    return make_site(tmp_path_factory.mktemp("untrained"), networks)


@pytest.fixture
def pad(site, open_page) -> Pad:
    """The pad of the front page."""
    return Pad(open_page(site / "index.html"))


def test_probabilities_are_those_of_keras(networks, pad):
    images = load_mnist().x_test[:100]
    answer = "(images) => images.map((image) => mnistTutorial.answer(image))"
    answers = pad.page.evaluate(answer, images.reshape(100, 784).tolist())
    for name, network in networks.items():
        expected = network.predict(images, verbose=0)
        assert expected.std() > 0.05, name  # it does tell images apart
        assert np.abs([answer[name] for answer in answers] - expected).max() < 1e-4, name


def drawings(count: int) -> list:
    """Wandering strokes of every size, from dots to ones that leave no room."""
    random, made = np.random.default_rng(1), []
    for size in random.choice([0, 0.01, 0.1, 0.5], count):
        steps = random.normal(0, size / 4, (random.integers(1, 5), random.integers(1, 40), 2))
        points = np.clip(random.uniform(size=2) + steps.cumsum(axis=1), 0, 1)
        made.append(points.round(4).tolist())
    return made


@pytest.mark.parametrize("centered", [True, False])
def test_prepared_drawings_are_those_of_python(pad, centered):
    all_strokes = [*EXAMPLE_DRAWINGS.values(), *drawings(150)]
    prepare = "([all, centered]) => all.map((one) => mnistTutorial.prepareStrokes(one, centered))"
    prepared = pad.page.evaluate(prepare, [all_strokes, centered])
    expected = [prepare_strokes(strokes, centered).ravel() for strokes in all_strokes]
    assert np.abs(np.array(prepared) - np.array(expected, int)).max() <= 4


# The points of the strokes on the surface, and the ink of a canvas.
STROKES = """() => [...document.querySelectorAll('.mnist-pad-surface polyline')].map((line) =>
  line.getAttribute('points').split(' ').map((point) => point.split(',').map(Number)))"""
INK = """(canvas) => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [...data.filter((_, i) => i % 4 === 0)].map((red) => 255 - red);
}"""


def test_pad_shows_what_the_pad_of_a_notebook_shows(networks, pad, tmp_path):
    named = dict(zip(NAMES, networks.values(), strict=True))
    notebook = DrawingPad(named, tmp_path / "digits.json")
    pad.draw(EXAMPLE_DRAWINGS[3])
    for centered in (True, False):
        pad.root.get_by_role("checkbox").set_checked(centered)
        notebook.strokes, notebook.centered = pad.page.evaluate(STROKES), centered
        answer = notebook.answer
        pictures = pad.root.locator(".mnist-pixels").all()
        for picture, expected in zip(pictures, answer["pictures"], strict=True):
            assert picture.get_attribute("aria-label").startswith(expected["name"])
            assert bytes(picture.evaluate(INK)) == base64.b64decode(expected["pixels"])
        charts = pad.root.locator(".mnist-bars").all()
        for network, chart in zip(answer["networks"], charts, strict=True):
            label = chart.get_attribute("aria-label")
            percents = [int(p) for p in re.findall(r": (\d+)", label)]
            assert percents == pytest.approx(100 * np.array(network["probabilities"]), abs=0.51)
            assert f" {network['name']}. " in label


def test_a_layer_that_the_page_does_not_know_is_an_error_that_names_it():
    bent = layers.Conv2D(2, 3, activation="tanh", name="bent")
    shape = [keras.Input((28, 28)), layers.Reshape((28, 28, 1))]
    network = keras.Sequential([*shape, bent, layers.Flatten(), layers.Dense(10)])
    with pytest.raises(ValueError, match=r"layer bent: .*the activation tanh"):
        as_json(network)


def test_networks_weigh_at_most_two_megabytes_and_only_pages_that_ask_have_them(site):
    networks = (site / "networks.js").read_text()
    assert 1.5e6 < len(networks) <= 2e6
    having = [page.name for page in site.glob("*.html") if networks in page.read_text()]
    assert sorted(having) == ["01_draw.html", "index.html"]


def test_a_page_names_the_networks_it_does_without(networks, tmp_path, capsys, open_page):
    (tmp_path / "cnn.keras").write_text("no network")
    pad = Pad(open_page(make_site(tmp_path, {"dense": networks["dense"]}) / "index.html"))
    assert "without the cnn network" in capsys.readouterr().out
    pad.draw(EXAMPLE_DRAWINGS[5])
    assert list(pad.answers()) == ["dense network"]
    assert "CNN, compact network" in pad.page.locator(".mnist-missing").inner_text()


@pytest.mark.parametrize("pointer", ["mouse", "pen", "finger"])
def test_a_stroke_is_drawn_where_the_pointer_goes_and_the_page_stays(site, open_page, pointer):
    pad = Pad(open_page(site / "01_draw.html", **PHONE))
    pad.surface.scroll_into_view_if_needed()
    before = pad.page.evaluate("scrollY")
    pad.draw([[(0.5, 0.9), (0.5, 0.5), (0.5, 0.1)]], pointer)
    (stroke,) = pad.page.evaluate(STROKES)
    np.testing.assert_allclose([stroke[0], stroke[-1]], [(0.5, 0.9), (0.5, 0.1)], atol=0.01)
    assert pad.page.evaluate("scrollY") == before


def test_a_pen_takes_the_pad_from_a_palm_that_rests_on_it(site, open_page):
    pad = Pad(open_page(site / "01_draw.html", **PHONE))
    pad.surface.scroll_into_view_if_needed()
    left, top, side, _ = pad.surface.bounding_box().values()
    palm = [{"x": left + 0.8 * side, "y": top + 0.8 * side}]
    touch = pad.page.context.new_cdp_session(pad.page)

    def rest(kind: str, points: list) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    rest("touchStart", palm)
    pen = [(0.5, 0.1), (0.5, 0.9)]
    drag(pad.page, [(left + x * side, top + y * side) for x, y in pen], "pen")
    pad.wait_for_answer(1)
    rest("touchEnd", [])
    rest("touchStart", palm)  # the hand comes down once more
    rest("touchEnd", [])
    pad.draw([pen], "pen")
    for stroke in pad.page.evaluate(STROKES):
        np.testing.assert_allclose([stroke[0], stroke[-1]], pen, atol=0.01)


def test_the_last_stroke_is_undone_and_all_are_cleared(pad):
    pad.draw([*EXAMPLE_DRAWINGS[1], [(0.2, 0.2), (0.3, 0.3)]])
    assert list(pad.answers()) == NAMES
    pad.press("Undo")
    assert pad.strokes() == len(EXAMPLE_DRAWINGS[1])
    pad.press("Clear")
    assert pad.answer.inner_text() == EMPTY_HINT


@pytest.mark.parametrize("theme, rules", RULES.items())
def test_axe_finds_no_violation_in_a_pad_in_use(site, open_page, theme, rules):
    page = open_page(site / "index.html", color_scheme=theme, **PHONE)
    Pad(page).save(EXAMPLE_DRAWINGS[5], 5)
    assert violations(page, rules) == [] and not too_wide(page)


def taken_along(pad: Pad, folder: Path) -> dict[str, np.ndarray]:
    """The file that a page gives, as the notebook reads it."""
    with pad.page.expect_download() as download:
        pad.press("Take your digits along")
    assert download.value.suggested_filename == "my_digits.json"
    download.value.save_as(folder / "my_digits.json")
    return load_collection(folder / "my_digits.json")


def test_digits_saved_on_two_open_pages_are_taken_along_until_forgotten(site, pad, tmp_path):
    # What is no saved digit counts as none; the last is one.
    dot, beyond = [[[0.5, 0.5]]], [[[2, 2]]]
    digits = [{"label": x, "strokes": strokes} for x, strokes in [(11, dot), (1, beyond), (7, dot)]]
    store = "digits => localStorage.setItem('mnist-tutorial-digits', JSON.stringify(digits))"
    pad.page.evaluate(store, [None, 5, {}, *digits])
    other = pad.page.context.new_page()
    other.goto((site / "01_draw.html").as_uri())
    drawn = [dot]
    for page_pad, digit in ((Pad(other), 4), (pad, 3)):
        page_pad.page.bring_to_front()
        page_pad.save(EXAMPLE_DRAWINGS[digit], digit)
        drawn.append(page_pad.page.evaluate(STROKES))
    assert pad.message().startswith("Saved as a 3: 3 ")
    pad.page.reload()
    digits = taken_along(pad, tmp_path)
    assert digits["labels"].tolist() == [7, 4, 3]
    for name, centered in {"centered": True, "as_drawn": False}.items():
        assert np.array_equal(digits[name], [prepare_strokes(one, centered) for one in drawn])
    pad.page.on("dialog", lambda dialog: dialog.accept())
    pad.press("Forget them")
    assert pad.surface.evaluate("node => node === document.activeElement")
    pad.page.reload()
    assert pad.page.get_by_text("Take your digits along").is_hidden()


def test_where_nothing_can_be_kept_the_pad_says_so_and_works(pad, tmp_path):
    pad.page.add_init_script("""Object.defineProperty(window, 'localStorage', {
      get() { throw new DOMException('refused', 'SecurityError'); },
    })""")
    pad.page.reload()
    assert "keeps nothing" in pad.root.locator(".mnist-pad-saved").inner_text()
    pad.save(EXAMPLE_DRAWINGS[3], 3)
    assert "until this page is closed" in pad.message()
    assert taken_along(pad, tmp_path)["labels"].tolist() == [3]
