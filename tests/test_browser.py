"""Every notebook in a real JupyterLab, and digits drawn on the pad with the mouse."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from browser import (
    CURRENT_PATH,
    Lab,
    close_everything,
    free_port,
    problems,
    run_all,
    show_cell,
    wait_until,
)
from build_site import is_hidden
from conftest import NOTEBOOKS, ROOT, SMALL, SOLUTIONS, read, tags
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mnist_helpers.files import artifacts_folder

pytestmark = pytest.mark.slow

SCREENS = ROOT / "build" / "screens"
PAD_NOTEBOOK = "06_your_own_digits.ipynb"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
name_of = {"ids": lambda path: path.stem}

# Digits as a person draws them with a mouse: few corners, in different places and sizes.
MOUSE_DIGITS = {
    0: [[(50, 15), (30, 25), (24, 50), (32, 78), (50, 86), (68, 76), (74, 48), (66, 22), (51, 15)]],
    1: [[(52, 12), (50, 40), (47, 85)]],
    2: [[(30, 30), (38, 16), (55, 14), (66, 26), (60, 45), (42, 66), (28, 82), (50, 80), (74, 81)]],
    3: [
        [(30, 18), (50, 11), (66, 20), (62, 36), (45, 45), (64, 52), (70, 68), (56, 84), (28, 80)],
    ],
    4: [[(34, 12), (28, 36), (26, 50), (50, 50), (74, 46)], [(62, 14), (60, 50), (57, 90)]],
    5: [
        [(34, 14), (32, 30), (30, 45), (48, 42), (66, 54), (66, 72), (50, 86), (28, 82)],
        [(34, 15), (52, 14), (70, 12)],
    ],
    6: [[(62, 10), (44, 26), (32, 50), (30, 72), (44, 86), (62, 80), (66, 64), (52, 56), (33, 68)]],
    7: [[(24, 20), (48, 18), (74, 16), (60, 42), (50, 64), (44, 88)]],
    8: [
        [
            *((64, 22), (48, 12), (34, 22), (38, 36), (52, 46), (66, 60), (62, 80), (46, 86)),
            *((34, 74), (40, 58), (54, 44), (64, 32), (64, 22)),
        ]
    ],
    9: [[(66, 26), (50, 14), (34, 26), (38, 44), (54, 46), (66, 30), (66, 24), (64, 55), (58, 88)]],
}


# --- the browser, the server, the networks --------------------------------------------------


@pytest.fixture(scope="module")
def artifacts(chromium, full_run, tmp_path_factory) -> Path:
    """A folder with the networks that `make run` has trained."""
    folder = tmp_path_factory.mktemp("artifacts")
    for name in ("dense", "cnn", "compact"):
        shutil.copy(artifacts_folder() / f"{name}.keras", folder)
    return folder


def shorten(source: Path, target: Path) -> None:
    """Copy a notebook; those that train at length get small parameters."""
    notebook = load_notebook_node(str(source))
    if source.stem[:2] in ("02", "03", "04", "05"):
        notebook = parameterize_notebook(notebook, SMALL[source.stem])
        # What they keep must not take the place of the networks trained at full length.
        folder = target.parent / "small_artifacts"
        injected = next(cell for cell in notebook.cells if "injected-parameters" in tags(cell))
        injected.source += f"\nimport os\nos.environ['MNIST_ARTIFACTS'] = {str(folder)!r}"
    nbformat.write(notebook, target)


@pytest.fixture(scope="module")
def lab(artifacts, tmp_path_factory):
    """JupyterLab on a copy of the notebooks, beside the trained networks."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks" / "solutions", folder / "notebooks" / "solutions")
    for path in NOTEBOOKS:
        shorten(path, folder / "notebooks" / path.name)
    lab = Lab(folder / "notebooks", folder / "private", {"MNIST_ARTIFACTS": str(artifacts)})
    try:
        lab.wait()
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def page(lab, chromium):
    """One page with JupyterLab, for every notebook after the other."""
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    lab.open(page)
    SCREENS.mkdir(parents=True, exist_ok=True)
    yield page
    page.close()


@pytest.fixture(scope="module", params=NOTEBOOKS, **name_of)
def opened(request, page) -> Path:
    """A notebook in front on the page, not yet run; afterwards everything is shut down."""
    show_cell(page, request.param.name)
    yield request.param
    close_everything(page)


@pytest.fixture(scope="module")
def ran(opened, page) -> list[dict]:
    """The code cells of the opened notebook after Run All."""
    return run_all(page, opened.name)


# --- every notebook -------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_first_screen_shows_the_title(page, opened, theme):
    set_theme(page, theme)
    show_cell(page, opened.name)
    title = read(opened).cells[0].source.splitlines()[0].lstrip("# ")
    heading = page.get_by_role("heading", level=1, name=re.compile(re.escape(title))).first
    wait_until(lambda: 0 < heading.bounding_box()["y"] < 300, 20, "title on the first screen")
    page.screenshot(path=SCREENS / f"{opened.stem}-{theme}.png")
    dark = page.evaluate("() => document.body.dataset.jpThemeLight") == "false"
    assert dark == (theme == "dark")


def answer_to_a_guess(page, notebook: Path):
    """The first cell of a notebook whose output is stored folded, on the screen."""
    cells = read(notebook).cells
    show_cell(page, notebook.name, next(i for i, c in enumerate(cells) if is_hidden(c, "outputs")))
    return page.locator(".jp-Cell.jp-mod-active:visible")


IN_01 = pytest.mark.parametrize("opened", NOTEBOOKS[:1], indirect=True, **name_of)


@IN_01
def test_answer_is_folded_when_the_notebook_is_opened(page, opened):
    cell = answer_to_a_guess(page, opened)
    cell.locator(".jp-OutputPlaceholder").wait_for()
    assert cell.locator(".jp-OutputArea-output:visible").count() == 0


@IN_01
def test_answer_is_unfolded_by_running_its_cell(page, opened, ran):
    cell = answer_to_a_guess(page, opened)
    cell.locator(".jp-OutputArea-output").first.wait_for()
    assert cell.locator(".jp-OutputPlaceholder").count() == 0


def test_run_all_runs_every_cell(ran):
    assert problems(ran) == []


def test_every_figure_is_shown(ran):
    for cell in ran:
        source = "".join(cell["source"])
        if re.search(r"(?m)^show_figure\(", source):
            kinds = [kind for output in cell["outputs"] for kind in output.get("data", {})]
            assert "image/png" in kinds, source


def test_every_frame_over_a_digit_is_live_and_not_its_picture(page, opened, ran):
    cells = read(ROOT / "notebooks" / opened.name).cells
    for index in [i for i, cell in enumerate(cells) if "PatchView(" in cell.source]:
        show_cell(page, opened.name, index + 1)  # the parameters are a cell of their own
        cell = page.locator(".jp-Cell.jp-mod-active:visible")
        caption = cell.locator(".mnist-patch-digit figcaption")
        caption.wait_for()
        before = caption.inner_text()
        cell.locator(".mnist-patch-surface").press("ArrowRight")
        assert caption.inner_text() != before
        assert cell.locator(".jp-RenderedImage").count() == 0


def test_links_open_the_right_notebook(lab, page, opened):
    clicked = 0
    for index, cell in enumerate(load_notebook_node(str(lab.folder / opened.name)).cells):
        if cell.cell_type != "markdown":
            continue
        seen = []
        for text, target in re.findall(r"\[([^\]]+)\]\(([^)#]+\.ipynb)[^)]*\)", cell.source):
            show_cell(page, opened.name, index)
            links = page.locator(".jp-Cell.jp-mod-active:visible").get_by_role(
                "link", name=text, exact=True
            )
            links.nth(seen.count(text)).click()
            page.wait_for_function(f"target => ({CURRENT_PATH})() === target", arg=target)
            seen.append(text)
        clicked += len(seen)
    assert clicked >= 3


# test_notebooks.py runs them all.
def test_a_solution_runs(page):
    cells = run_all(page, f"solutions/{SOLUTIONS[2].name}")
    close_everything(page)
    assert problems(cells) == []


def set_theme(page, theme: str) -> None:
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        THEMES[theme],
    )
    page.wait_for_selector(f'body[data-jp-theme-name="{THEMES[theme]}"]', state="attached")
    # Its style sheet changes the heights of cells: until they have settled, places move.
    page.evaluate("async () => { await document.fonts.ready; }")
    page.wait_for_load_state("networkidle")


# --- the drawing pad ------------------------------------------------------------------------


class Pad:
    """The drawing pad on a page, used as a person does: by looking, mouse and keys."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator(".mnist-pad")
        self.surface = page.locator(".mnist-pad-surface")
        self.answer = page.locator(".mnist-pad-answer")
        cells = read(ROOT / "notebooks" / PAD_NOTEBOOK).cells
        shown = [index for index, cell in enumerate(cells) if "DrawingPad(" in cell.source]
        show_cell(page, PAD_NOTEBOOK, shown[0])
        self.surface.scroll_into_view_if_needed()

    def draw(self, strokes: list) -> None:
        """Draw strokes of points in percent of the pad and wait for the answer to each."""
        for stroke in strokes:
            before = self.strokes()
            # Goes there once the pad stands still: answers and themes move what is below them.
            self.surface.hover()
            box = self.surface.bounding_box()
            points = [
                (box["x"] + x / 100 * box["width"], box["y"] + y / 100 * box["height"])
                for x, y in stroke
            ]
            self.page.mouse.move(*points[0])
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*point, steps=5)
            self.page.mouse.up()
            self.wait_for_answer(before + 1)

    def wait_for_answer(self, strokes: int) -> None:
        self.page.wait_for_selector(f'.mnist-pad-answer[data-strokes="{strokes}"]', timeout=15_000)

    def strokes(self) -> int:
        return self.surface.locator("polyline").count()

    def press(self, button: str) -> None:
        self.root.get_by_role("button", name=button, exact=True).click()

    def clear(self) -> None:
        if self.strokes():
            self.press("Clear")
        self.wait_for_answer(0)

    def said(self, network: str = "CNN") -> int:
        shown = self.root.locator(f'[data-network="{network}"] .mnist-pad-verdict').inner_text()
        return int(re.search(r": (\d) \(", shown).group(1))


@pytest.fixture(scope="module")
def notebook(page):
    """The page, on which the notebook of the pad was run, for all tests of the pad."""
    set_theme(page, "light")
    assert problems(run_all(page, PAD_NOTEBOOK)) == []
    yield page
    close_everything(page)


@pytest.fixture
def pad(notebook):
    """The pad, empty and centring."""
    pad = Pad(notebook)
    pad.clear()
    pad.root.get_by_role("checkbox").check()
    return pad


def test_empty_pad_gives_a_hint_and_no_prediction(pad):
    assert "Draw a digit" in pad.answer.inner_text()
    assert pad.root.locator(".mnist-pad-network").count() == 0


def test_digits_drawn_with_the_mouse_are_recognised(pad):
    said = {}
    for digit, strokes in MOUSE_DIGITS.items():
        pad.clear()
        pad.draw(strokes)
        said[digit] = pad.said()
        pad.root.screenshot(path=SCREENS / f"pad-{digit}.png")
    assert sum(digit == answer for digit, answer in said.items()) >= 9, said


def test_each_network_shows_ten_probabilities(pad):
    pad.draw(MOUSE_DIGITS[7])
    for network in ("dense network", "CNN"):
        chart = pad.root.locator(f'[data-network="{network}"] .mnist-pad-bars')
        values = re.findall(r"\d: (\d+) %", chart.get_attribute("aria-label"))
        assert len(values) == 10 and 95 <= sum(map(int, values)) <= 105


def test_each_stroke_is_answered_once(pad):
    pad.page.evaluate(
        """() => {
          window.padAnswers = 0;
          new MutationObserver(() => { window.padAnswers += 1; })
            .observe(document.querySelector('.mnist-pad-answer'), {childList: true});
        }"""
    )
    for row in range(10, 100, 10):
        pad.draw([[(20, row), (50, row + 5), (80, row)]])
    assert pad.page.evaluate("() => window.padAnswers") == 9


def test_undo_takes_back_the_last_stroke(pad):
    pad.draw(MOUSE_DIGITS[4])
    assert pad.strokes() == 2
    pad.press("Undo")
    pad.wait_for_answer(1)
    assert pad.strokes() == 1


def test_clear_empties_the_pad(pad):
    pad.draw(MOUSE_DIGITS[4])
    pad.press("Clear")
    pad.wait_for_answer(0)
    assert pad.strokes() == 0
    assert "Draw a digit" in pad.answer.inner_text()


def test_switch_shows_the_networks_the_drawing_as_it_is(pad):
    small = [[(55 + x * 0.4, 5 + y * 0.4) for x, y in stroke] for stroke in MOUSE_DIGITS[2]]
    pad.draw(small)
    assert pad.said() == 2
    assert pad.root.locator(".mnist-pad-picture").count() == 4
    pad.root.get_by_role("checkbox").uncheck()
    pad.page.wait_for_selector('.mnist-pad-answer[data-centered="false"]')
    assert pad.root.locator(".mnist-pad-picture").count() == 1
    assert pad.said() != 2


def test_save_adds_the_drawing_to_the_collection(pad, artifacts):
    import numpy as np

    save = pad.root.get_by_role("button", name="Save")
    assert save.is_disabled()
    for count, digit in enumerate((3, 8), 1):
        pad.clear()
        pad.draw(MOUSE_DIGITS[digit])
        pad.root.get_by_role("combobox").select_option(str(digit))
        save.click()
        path = artifacts / "my_digits.npz"
        pad.root.get_by_text(f"Saved as a {digit}: {count} in {path}").wait_for()
    with np.load(artifacts / "my_digits.npz") as saved:
        assert saved["labels"].tolist() == [3, 8]
        assert saved["centered"].shape == saved["as_drawn"].shape == (2, 28, 28)


def test_digit_is_drawn_with_the_keyboard_alone(pad):
    # The pen starts at the top; the notebook's own keys (D D, A, Z) must not act meanwhile.
    cells = pad.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length")
    pad.surface.focus()
    for key in ["d", "d", "a", "Space", *["ArrowDown"] * 20, "Space"]:
        pad.page.keyboard.press(key)
    pad.wait_for_answer(1)
    assert pad.said() == 1
    after = pad.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length")
    assert after == cells


def test_finger_draws_without_scrolling_the_page(pad):
    pad.surface.scroll_into_view_if_needed()
    box = pad.surface.bounding_box()
    session = pad.page.context.new_cdp_session(pad.page)

    def touch(kind, *points):
        places = [{"x": box["x"] + x, "y": box["y"] + y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (140, 30))
    for y in range(40, 260, 10):
        touch("touchMove", (140, y))
    touch("touchEnd")
    pad.wait_for_answer(1)
    assert pad.said() == 1
    assert pad.surface.bounding_box()["y"] == box["y"]


@pytest.mark.parametrize("theme", THEMES)
def test_ink_stands_out_in_every_theme(pad, theme):
    def brightness() -> tuple[int, int]:
        return pad.page.evaluate(
            """() => {
              const surface = document.querySelector('.mnist-pad-surface');
              const styles = [surface.querySelector('polyline'), surface].map(getComputedStyle);
              const light = (color) => Math.max(...color.match(/\\d+/g).slice(0, 3).map(Number));
              return [light(styles[0].stroke), light(styles[1].backgroundColor)];
            }"""
        )

    def stands_out() -> bool:
        ink, paper = brightness()
        return abs(ink - paper) > 150 and (ink > paper) == (theme == "dark")

    set_theme(pad.page, theme)
    try:
        Pad(pad.page).draw(MOUSE_DIGITS[5])
        wait_until(stands_out, 20, f"ink that stands out, in place of {brightness()}")
        pad.root.screenshot(path=SCREENS / f"pad-{theme}.png")
    finally:
        set_theme(pad.page, "light")


def test_reload_and_run_again_leave_a_working_pad(lab, notebook):
    notebook.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    lab.open(notebook)
    assert problems(run_all(notebook, PAD_NOTEBOOK)) == []
    pad = Pad(notebook)
    pad.draw(MOUSE_DIGITS[1])
    assert pad.said() == 1
    assert notebook.get_by_text("Error displaying widget").count() == 0


# --- make lab -------------------------------------------------------------------------------


def test_make_lab_opens_01_on_loopback_with_a_token_and_stops_on_ctrl_c(chromium, tmp_path):
    import pty
    import urllib.error
    import urllib.request

    port = free_port()
    root = "--allow-root" if os.geteuid() == 0 else ""
    options = f"--no-browser --port={port} --ServerApp.port_retries=0 {root}"
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]
    names += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    private = {name: str(tmp_path / name) for name in names}
    keyboard, terminal = pty.openpty()
    log = tmp_path / "make.log"
    with log.open("w") as output:
        make = subprocess.Popen(
            ["make", "lab", f"LAB_OPTIONS={options}"],
            cwd=ROOT,
            env=os.environ | private,
            stdin=terminal,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # What the server opens is a file with the address and the token in it.
        address = rf'http://127\.0\.0\.1:{port}/[^"]*01_data_exploration\.ipynb\?token=\w+'

        def page_to_open():
            files = (tmp_path / "JUPYTER_RUNTIME_DIR").glob("*.html")
            return re.search(address, "".join(path.read_text() for path in files))

        url = wait_until(page_to_open, 90, "page to open").group()
        listening = set()
        for process in psutil.Process(make.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # what the server starts for a moment
                connections = process.net_connections("tcp")
                listening |= {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}

        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents", timeout=10)
        assert refused.value.code == 403

        page = chromium.new_page()
        page.goto(url)
        page.wait_for_selector(".jp-NotebookPanel", timeout=90_000)
        heading = page.get_by_role("heading", level=1, name=re.compile("Explore the data"))
        heading.first.wait_for(timeout=30_000)

        def kernel_idle():
            kernels = page.request.get(f"http://127.0.0.1:{port}/api/kernels").json()
            return [kernel["execution_state"] for kernel in kernels] == ["idle"]

        # Jupyter Server itself may hang if it is stopped in the moment in which it starts a kernel.
        wait_until(kernel_idle, 90, "idle kernel")
        page.close()
        servers = psutil.Process(make.pid).children(recursive=True)

        os.killpg(make.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        make.wait(30)
        _, alive = psutil.wait_procs(servers, timeout=20)
        assert not alive
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
            make.wait()
        os.close(keyboard)
        os.close(terminal)
