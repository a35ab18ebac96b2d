"""The live parts of the pages: they compute what Python computes, and a reader can use them."""

import base64
import json
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import run
from build_site import build_site
from conftest import ROOT
from export_networks import NAMES, as_json, export_networks
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_site import RULES, violations

from mnist_helpers import build_cnn, build_compact_cnn, build_dense, keras, load_mnist
from mnist_helpers.drawings import EXAMPLE_DRAWINGS
from mnist_helpers.files import artifacts_folder
from mnist_helpers.images import prepare_strokes
from mnist_helpers.pad import EMPTY_HINT, PICTURE_TEXT, DrawingPad, load_collection

SHOWN_NAMES = {"dense": "dense network", "cnn": "CNN", "compact": "compact network"}
PAD_OUTPUT = "DrawingPad: needs a running kernel to draw on"
IMAGES = 1000


# --- pages to open --------------------------------------------------------------------------


def untrained_networks() -> dict[str, keras.Model]:
    """The three networks with random weights, those of batch normalisation as after a training."""
    keras.utils.set_random_seed(1)
    networks = {"dense": build_dense(), "cnn": build_cnn(), "compact": build_compact_cnn()}
    for network in networks.values():
        last = network.layers[-1]
        last.set_weights([20 * weights for weights in last.get_weights()])  # clear answers
    random = np.random.default_rng(1)
    for layer in networks["compact"].layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            (channels,) = layer.gamma.shape
            gamma, beta, mean = random.normal(size=(3, channels))  # negative factors, too
            layer.set_weights([gamma, beta, mean, random.uniform(0.1, 2, channels)])
    return networks


def write_notebooks(folder: Path) -> None:
    """A notebook with a pad and one without a live part."""
    pad = new_code_cell("pad", metadata={"mnist_tutorial": {"live": "pad"}}, execution_count=1)
    pad.outputs = [new_output("execute_result", data={"text/plain": PAD_OUTPUT})]
    picture = new_markdown_cell("Here is a picture.", metadata={"tags": ["not-on-page"]})
    folder.mkdir(parents=True)
    with_pad = new_notebook(cells=[new_markdown_cell("# Draw"), pad, picture])
    nbformat.write(with_pad, folder / "01_draw.ipynb")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Read")]), folder / "02_read.ipynb")


def make_site(folder: Path, networks: Path) -> Path:
    write_notebooks(folder / "notebooks")
    export_networks(networks, folder / "site")
    build_site(folder / "notebooks", folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> SimpleNamespace:
    """A site with untrained networks."""
    folder = tmp_path_factory.mktemp("untrained")
    networks = untrained_networks()
    (folder / "kept").mkdir()
    for name, network in networks.items():
        network.save(folder / "kept" / f"{name}.keras")
    return SimpleNamespace(networks=networks, site=make_site(folder, folder / "kept"))


@pytest.fixture(scope="module")
def trained(full_run, tmp_path_factory) -> SimpleNamespace:
    """A site with the networks that `make run` has trained."""
    networks = {
        name: keras.saving.load_model(artifacts_folder() / f"{name}.keras", compile=False)
        for name in NAMES
    }
    site = make_site(tmp_path_factory.mktemp("trained"), artifacts_folder())
    return SimpleNamespace(networks=networks, site=site)


TRAINED = pytest.param("trained", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["untrained", TRAINED])
def built(request) -> SimpleNamespace:
    return request.getfixturevalue(request.param)


class Page:
    """A page of a site opened from the disk, and what it complains about and asks for."""

    def __init__(self, context, path: Path):
        self.page = context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.surface = self.page.locator(".mnist-pad-surface")

    def places(self, stroke: list) -> list[tuple[float, float]]:
        box = self.surface.bounding_box()
        return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]

    def draw(self, strokes: list) -> None:
        """Draw with the mouse."""
        self.surface.scroll_into_view_if_needed()
        for stroke in strokes:
            first, *rest = self.places(stroke)
            self.page.mouse.move(*first)
            self.page.mouse.down()
            for place in rest:
                self.page.mouse.move(*place)
            self.page.mouse.up()

    def touch(self, strokes: list) -> None:
        """Draw with a finger."""
        self.surface.scroll_into_view_if_needed()
        session = self.page.context.new_cdp_session(self.page)

        def send(kind: str, points: list) -> None:
            points = [{"x": x, "y": y} for x, y in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        for stroke in strokes:
            first, *rest = self.places(stroke)
            send("touchStart", [first])
            for place in rest:
                send("touchMove", [place])
            send("touchEnd", [])

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def save(self, strokes: list, label: int) -> None:
        if self.surface.locator("polyline").count():
            self.press("Clear")
        self.draw(strokes)
        self.page.get_by_label("The digit that you drew").select_option(str(label))
        self.press("Save")

    def message(self) -> str:
        return self.page.locator(".mnist-pad-message").inner_text()

    def answers(self) -> dict[str, int]:
        """Which digit each network shows as its answer, by the network's name on the page."""
        nodes = self.page.locator(".mnist-pad-network").all()
        return {n.get_attribute("data-network"): int(n.get_attribute("data-digit")) for n in nodes}


@pytest.fixture
def open_page(chromium):
    """Opens pages, each in a new browser without a network, and closes them after the test."""
    contexts = []

    def open_page(path: Path, **options) -> Page:
        contexts.append(chromium.new_context(offline=True, **options))
        return Page(contexts[-1], path)

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def front(untrained, open_page) -> Page:
    return open_page(untrained.site / "index.html")


# --- the page computes what Python computes -------------------------------------------------


ANSWER_ALL = """(images) => {
  const bytes = Uint8Array.from(atob(images), (character) => character.charCodeAt(0));
  const starts = Array.from({length: bytes.length / 784}, (_, i) => 784 * i);
  return JSON.stringify(starts.map((i) => mnistTutorial.answer(bytes.subarray(i, i + 784))));
}"""
PREPARE_ALL = """([drawings, centered]) => JSON.stringify(
  JSON.parse(drawings).map((one) => mnistTutorial.prepareStrokes(one, centered)))"""


def test_probabilities_are_those_of_keras(built, open_page):
    images = load_mnist().x_test[:IMAGES]
    page = open_page(built.site / "index.html").page
    answers = json.loads(page.evaluate(ANSWER_ALL, base64.b64encode(images.tobytes()).decode()))
    for name, network in built.networks.items():
        expected = network.predict(images, verbose=0)
        assert expected.std() > 0.05, name  # it does tell images apart
        assert np.abs([answer[name] for answer in answers] - expected).max() < 1e-4, name


def test_an_answer_needs_784_pixels(front):
    answer = "try { mnistTutorial.answer([1, 2]); } catch (error) { error.message; }"
    assert front.page.evaluate(answer) == "expected 784 pixels, got 2"


def drawings(count: int) -> list:
    """Wandering strokes of every size, from dots to ones that leave no room."""
    random = np.random.default_rng(1)
    made = []
    for _ in range(count):
        middle, size = random.uniform(size=2), random.choice([0, 0.01, 0.1, 0.5])
        strokes = []
        for _ in range(random.integers(1, 5)):
            steps = random.normal(0, size, (random.integers(1, 40), 2)) / 4
            strokes.append(np.clip(middle + steps.cumsum(axis=0), 0, 1).round(4).tolist())
        made.append(strokes)
    return made


@pytest.mark.parametrize("centered", [True, False])
def test_prepared_drawings_are_those_of_python(front, centered):
    all_strokes = [*EXAMPLE_DRAWINGS.values(), *drawings(IMAGES)]
    prepared = json.loads(front.page.evaluate(PREPARE_ALL, [json.dumps(all_strokes), centered]))
    expected = [prepare_strokes(strokes, centered).ravel() for strokes in all_strokes]
    assert np.abs(np.array(prepared) - np.array(expected, int)).max() <= 4


def test_drawings_are_centred_unless_asked_otherwise(front):
    same = (
        "(s) => `${mnistTutorial.prepareStrokes(s)}` === `${mnistTutorial.prepareStrokes(s, true)}`"
    )
    assert front.page.evaluate(same, EXAMPLE_DRAWINGS[2])


BAD_STROKES = [
    [],
    [[], []],
    [[[]]],
    [[[0.5, 1.5]]],
    [[[0.5, -0.1]]],
    [[[0.5, float("nan")]]],
    [[[0.5, None]]],
    [[[0.1, 0.2, 0.3]]],
    [[0.1, 0.2]],
    [[["a", "b"]]],
    [[[0.1, 0.2], [0.3]]],
    [[[[0.1, 0.2]]]],
    [[[0.1, 0.2]], 3],
    7,
    None,
    "drawing",
]


@pytest.mark.parametrize("strokes", BAD_STROKES, ids=repr)
def test_bad_strokes_are_refused_in_the_words_of_python(front, strokes):
    with pytest.raises(ValueError) as refused:
        prepare_strokes(strokes)
    prepare = "(s) => { try { mnistTutorial.prepareStrokes(s); } catch (e) { return e.message; } }"
    assert front.page.evaluate(prepare, strokes) == str(refused.value)


# The points of the strokes on the surface, and the ink of a canvas in base64.
STROKES = """() => [...document.querySelectorAll('.mnist-pad-surface polyline')].map((line) =>
  line.getAttribute('points').split(' ').map((point) => point.split(',').map(Number)))"""
INK = """(canvas) => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return btoa(String.fromCharCode(...data.filter((_, i) => i % 4 === 3)));
}"""


def test_pad_shows_what_the_pad_of_a_notebook_shows(untrained, front, tmp_path):
    networks = {SHOWN_NAMES[name]: network for name, network in untrained.networks.items()}
    pad = DrawingPad(networks, tmp_path / "digits.npz")
    front.draw(EXAMPLE_DRAWINGS[3])
    for centered in (True, False):
        front.page.get_by_role("checkbox").set_checked(centered)
        pad.strokes, pad.centered = front.page.evaluate(STROKES), centered
        answer = pad.answer
        pictures = front.page.locator(".mnist-pad-pixels").all()
        assert [p.get_attribute("aria-label") for p in pictures] == [
            f"{p['name']}, {p['width']} by {p['height']} pixels" for p in answer["pictures"]
        ]
        shown = [base64.b64decode(bytes(picture.evaluate(INK), "ascii")) for picture in pictures]
        assert shown == [base64.b64decode(p["pixels"]) for p in answer["pictures"]]
        bars = front.page.locator(".mnist-pad-bars").all()
        for network, chart in zip(answer["networks"], bars, strict=True):
            label = chart.get_attribute("aria-label")
            assert label.startswith(f"Probabilities of the {network['name']}. ")
            percents = [int(p) for p in re.findall(r": (\d+) %", label)]
            assert percents == pytest.approx(100 * np.array(network["probabilities"]), abs=0.51)


# --- what is written when the site is built -------------------------------------------------


layers = keras.layers


@pytest.mark.parametrize(
    "layer, what",
    [
        (layers.AveragePooling2D(2, name="mean_of_four"), "a layer of the kind AveragePooling2D"),
        (layers.Conv2D(2, 3, activation="tanh", name="bent"), "the activation tanh"),
        (
            layers.Conv2D(2, 3, dilation_rate=2, name="wide"),
            "Conv2D with dilation_rate = ",
        ),
        (layers.ReLU(max_value=6, name="capped"), "ReLU with max_value = 6"),
    ],
)
def test_a_layer_that_the_page_does_not_know_is_an_error_that_names_it(layer, what):
    shape = [keras.Input((28, 28)), layers.Reshape((28, 28, 1))]
    network = keras.Sequential([*shape, layer, layers.Flatten(), layers.Dense(10)])
    with pytest.raises(ValueError, match=f"cannot compute the layer {layer.name}: {what}"):
        as_json(network)


def test_a_network_whose_layers_are_no_chain_is_an_error():
    pixels = keras.Input((28, 28))
    flat = layers.Flatten()(pixels)
    branches = layers.Add()([layers.Dense(10)(flat), layers.Dense(10)(flat)])
    with pytest.raises(ValueError, match="Sequential networks, and branched is none"):
        as_json(keras.Model(pixels, branches, name="branched"))


def test_layers_that_act_in_training_only_are_left_out(untrained):
    kinds = {layer["type"] for layer in as_json(untrained.networks["compact"])["layers"]}
    assert "Conv2D" in kinds and not any(kind.startswith("Random") for kind in kinds)


def test_networks_weigh_at_most_two_megabytes(untrained, capsys):
    weights = {path.name: path.stat().st_size for path in sorted(untrained.site.glob("*.*"))}
    with capsys.disabled():
        print("\nbytes:", *(f"{name} {size:,}" for name, size in weights.items()))
    assert 1.5e6 < weights["networks.js"] <= 2e6


def test_only_a_page_that_asks_the_networks_loads_them(untrained):
    loading = [p.name for p in untrained.site.glob("*.html") if "networks.js" in p.read_text()]
    assert sorted(loading) == ["01_draw.html", "index.html"]


def test_pad_takes_the_place_of_the_output_of_its_cell(untrained, open_page):
    page = open_page(untrained.site / "01_draw.html").page
    assert page.locator(".mnist-pad").count() == 1
    text = page.locator("main").inner_text()
    assert PAD_OUTPUT not in text and "Here is a picture" not in text


def test_notebook_06_has_its_pad_on_its_page(tmp_path, open_page):
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "06_your_own_digits.ipynb", tmp_path / "notebooks")
    build_site(tmp_path / "notebooks", tmp_path / "site")
    page = open_page(tmp_path / "site" / "06_your_own_digits.html").page
    pad = page.locator("main :is(.mnist-pad, h2)")
    assert pad.nth(1 + pad.all_inner_texts().index("Draw a digit#")).get_attribute("class") == (
        "mnist-pad"
    )
    text = page.locator("main").inner_text()
    assert PAD_OUTPUT not in text and "only in a running notebook" not in text


# --- a reader uses the pad ------------------------------------------------------------------


def assert_all_digits_are_answered(page: Page, draw, which: str) -> None:
    read = dict.fromkeys(SHOWN_NAMES.values(), 0)
    for digit, strokes in EXAMPLE_DRAWINGS.items():
        draw(strokes)
        answers = page.answers()
        assert list(answers) == list(SHOWN_NAMES.values())
        for name in answers:
            read[name] += answers[name] == digit
        page.press("Clear")
    if which == "trained":
        assert read["CNN"] >= 9 and read["compact network"] >= 9, read
    assert page.complaints == []


@pytest.mark.parametrize("which", ["untrained", TRAINED])
def test_ten_digits_drawn_with_the_mouse_are_answered(request, open_page, which):
    site = request.getfixturevalue(which).site
    page = open_page(site / "index.html")
    assert_all_digits_are_answered(page, page.draw, which)
    own = {(site / name).as_uri() for name in ("index.html", "networks.js")}
    assert {url for url in page.requests if not url.startswith("data:")} == own


SMALL_SCREEN = {"viewport": {"width": 360, "height": 740}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("which", ["untrained", TRAINED])
def test_ten_digits_drawn_with_a_finger_on_a_phone_are_answered(request, open_page, which):
    page = open_page(request.getfixturevalue(which).site / "index.html", **PHONE)
    assert_all_digits_are_answered(page, page.touch, which)


def test_a_finger_draws_and_does_not_scroll(untrained, open_page):
    page = open_page(untrained.site / "index.html", **PHONE)
    page.surface.scroll_into_view_if_needed()
    before = page.page.evaluate("scrollY")
    page.touch([[(0.5, 0.9), (0.5, 0.5), (0.5, 0.1)]])
    assert page.surface.locator("polyline").count() == 1
    assert page.page.evaluate("scrollY") == before


def test_a_digit_is_drawn_with_the_keyboard(front):
    front.surface.focus()
    for key in ["Space", *["ArrowDown"] * 20, "Space"]:
        front.page.keyboard.press(key)
    assert list(front.answers()) == list(SHOWN_NAMES.values())


def test_undo_and_clear_take_strokes_back(front):
    hint = front.page.locator(".mnist-pad-hint")
    assert hint.inner_text() == EMPTY_HINT
    front.draw(EXAMPLE_DRAWINGS[5])
    front.press("Undo")
    assert front.surface.locator("polyline").count() == len(EXAMPLE_DRAWINGS[5]) - 1
    front.press("Clear")
    assert hint.inner_text() == EMPTY_HINT


@pytest.mark.parametrize("theme, rules", RULES.items())
def test_axe_finds_no_violation_in_a_pad_in_use(untrained, open_page, theme, rules):
    page = open_page(untrained.site / "index.html", color_scheme=theme, **SMALL_SCREEN)
    page.save(EXAMPLE_DRAWINGS[5], 5)
    assert violations(page.page, rules) == []
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_scripts_a_picture_stands_for_the_pad(untrained, open_page):
    page = open_page(untrained.site / "index.html", java_script_enabled=False).page
    picture = page.get_by_role("img", name=PICTURE_TEXT)
    assert picture.bounding_box()["width"] > 300
    assert page.locator("noscript p").is_visible()


@pytest.mark.parametrize("kept", [["dense"], []])
def test_a_page_says_which_networks_it_does_without(untrained, tmp_path, open_page, kept):
    folder = tmp_path / "kept"
    folder.mkdir()
    for name in kept:
        untrained.networks[name].save(folder / f"{name}.keras")
    page = open_page(make_site(tmp_path, folder) / "index.html")
    page.draw(EXAMPLE_DRAWINGS[5])
    assert list(page.answers()) == [SHOWN_NAMES[name] for name in kept]
    missing = ", ".join(SHOWN_NAMES[name] for name in NAMES if name not in kept)
    note = page.page.locator(".mnist-pad-missing").inner_text()
    assert note.startswith(f"Not on this page: {missing}. “make run”")
    assert page.complaints == []


def test_a_file_that_cannot_be_read_counts_as_missing(tmp_path, capsys):
    (tmp_path / "cnn.keras").write_text("no network")
    assert export_networks(tmp_path, tmp_path) == []
    assert "without the cnn network" in capsys.readouterr().out


# --- saved digits ---------------------------------------------------------------------------


def taken_along(page: Page, path: Path) -> dict[str, np.ndarray]:
    """The file that a page gives, as the notebook reads it."""
    with page.page.expect_download() as download:
        page.press("Take your digits along")
    assert download.value.suggested_filename == "my_digits.npz"
    download.value.save_as(path)
    return load_collection(path)


def test_saved_digits_survive_a_reload_and_can_be_taken_along(front, tmp_path):
    strokes = {}
    for count, digit in enumerate((3, 8), 1):
        front.save(EXAMPLE_DRAWINGS[digit], digit)
        strokes[digit] = front.page.evaluate(STROKES)
        assert front.message() == f"Saved as a {digit}: {count} in this browser"
    front.page.reload()
    digits = taken_along(front, tmp_path / "my_digits.npz")
    assert digits["labels"].tolist() == [3, 8]
    for name, centered in {"centered": True, "as_drawn": False}.items():
        expected = [prepare_strokes(drawing, centered) for drawing in strokes.values()]
        assert np.array_equal(digits[name], expected)


def test_digits_saved_on_two_open_pages_are_kept_together(untrained, front):
    other = Page(front.page.context, untrained.site / "01_draw.html")
    other.save(EXAMPLE_DRAWINGS[4], 4)
    front.page.bring_to_front()
    front.save(EXAMPLE_DRAWINGS[3], 3)
    assert front.message() == "Saved as a 3: 2 in this browser"


def test_saved_digits_can_be_forgotten(front):
    front.save(EXAMPLE_DRAWINGS[3], 3)
    front.page.on("dialog", lambda dialog: dialog.accept())
    front.press("Forget them")
    take = front.page.get_by_text("Take your digits along")
    assert front.message() == "Forgotten" and take.is_hidden()
    assert front.surface.evaluate("node => node === document.activeElement")
    front.page.reload()
    assert take.is_hidden()


@pytest.mark.parametrize("stored", ["null", "5", "{}", "[null, 5, {}]", "no JSON"])
def test_what_is_no_list_of_digits_counts_as_none(front, tmp_path, stored):
    front.page.context.add_init_script(
        f"if (!sessionStorage.begun) localStorage.setItem(sessionStorage.begun = "
        f"'mnist-tutorial-digits', {stored!r})"
    )
    front.page.reload()
    front.save(EXAMPLE_DRAWINGS[3], 3)
    assert front.message().startswith("Saved as a 3: 1 ")
    assert taken_along(front, tmp_path / "my_digits.npz")["labels"].tolist() == [3]
    assert front.complaints == []


STORAGES = {
    "refused": """Object.defineProperty(window, 'localStorage', {
      get() { throw new DOMException('refused', 'SecurityError'); },
    })""",
    "full": "Storage.prototype.setItem = () => { throw new DOMException('full'); }",
    "absent": "Object.defineProperty(window, 'localStorage', { value: null })",
}


@pytest.mark.parametrize("storage", STORAGES)
def test_where_nothing_can_be_kept_the_pad_says_so_and_works(front, tmp_path, storage):
    front.page.context.add_init_script(STORAGES[storage])
    front.page.reload()
    assert "keeps nothing for this page" in front.page.locator(".mnist-pad-kept").inner_text()
    front.save(EXAMPLE_DRAWINGS[3], 3)
    assert front.message() == "Saved as a 3: 1 until this page is closed"
    assert taken_along(front, tmp_path / "my_digits.npz")["labels"].tolist() == [3]
    assert front.complaints == []


# --- make run -------------------------------------------------------------------------------


def test_a_layer_that_the_pages_do_not_know_ends_the_run_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path / "none")
    (tmp_path / "networks").mkdir()
    bent = layers.Dense(10, activation="tanh", name="bent")
    keras.Sequential([keras.Input((28, 28)), layers.Flatten(), bent]).save(
        tmp_path / "networks" / "cnn.keras"
    )
    with pytest.raises(SystemExit, match="cannot compute the layer bent: the activation tanh"):
        run.render_site()


def test_site_is_rendered_anew_when_a_network_has_changed(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path / "none")
    write_notebooks(tmp_path / "notebooks")
    (tmp_path / "networks").mkdir()
    front_page, networks = tmp_path / "site" / "index.html", tmp_path / "site" / "networks.js"
    run.render_site()
    assert networks.stat().st_size < 100
    front_page.write_text("as it was")
    run.render_site()
    assert front_page.read_text() == "as it was"  # nothing has changed
    untrained.networks["dense"].save(tmp_path / "networks" / "dense.keras")
    run.render_site()
    assert front_page.read_text() != "as it was" and networks.stat().st_size > 100_000


def test_pages_have_the_networks_of_the_run_though_a_learner_has_kept_others(tmp_path, monkeypatch):
    kept, taken = tmp_path / "kept" / "dense.keras", tmp_path / "networks" / "dense.keras"
    monkeypatch.setattr(run, "BUILD", tmp_path)
    monkeypatch.setenv("MNIST_ARTIFACTS", str(kept.parent))
    kept.parent.mkdir()
    began = time.time()
    kept.write_text("of the run")
    run.take_networks(["dense"], began)
    kept.write_text("of a learner")  # who has trained for an epoch since
    assert taken.read_text() == "of the run"
    run.take_networks(["dense"], time.time() + 60)  # a run that could keep nothing
    assert not taken.exists()
