"""The pages where readers have them: in Jupyter, old browsers, colours of their own, on paper."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM_ARGS, Pad
from bs4 import BeautifulSoup
from pages import LAPTOP, PHONE, code, display, opened_pages, png, site_with, too_wide
from pages import write_notebook as write
from test_lab import jupyterlab

from mnist_helpers import build_cnn, build_compact_cnn, build_dense
from mnist_helpers.convolution_view import VIEW_TYPE, ConvolutionView, digits_as_json
from mnist_helpers.strokes import EXAMPLE_DRAWINGS

pytestmark = pytest.mark.slow
open_page = pytest.fixture(opened_pages)
DIGITS = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8), [5, 0, 4]
HEADINGS, NUMBERS = "<th>a heading of many words</th>" * 6, "<td>12,345,678</td>" * 6
TABLE = f"<table class='dataframe'><thead>{HEADINGS}</thead><tr>{NUMBERS}</tr></table>"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A site with networks, a page with every live part, and one with what folds or is wide."""
    folder = tmp_path_factory.mktemp("elsewhere")
    frame = ConvolutionView(*DIGITS, {"edge": np.array([[1, 0, -1]] * 3)})._repr_mimebundle_()
    shift = {"view": "shift", "digits": digits_as_json(*DIGITS), "shifts": [0, 1], "curves": []}
    pad, shift = ({"image/png": png(600, 300), VIEW_TYPE: x} for x in ({"view": "pad"}, shift))
    live = [code("live", x) for x in (display(pad), display(*frame), display(shift))]
    write(folder / "01_live.ipynb", "# Try it\n\n## Draw", *live)
    answer = code("6 * 7", display({"text/plain": "42"}), jupyter={"outputs_hidden": True})
    fold = "<details><summary>Answer</summary>Because.</details>"
    claim = code("# So", tags=["claim"])
    wide = code("x" * 100, display({"text/html": TABLE}))
    write(folder / "02_fold.ipynb", "# Fold", answer, fold, claim, f"Question.\n\n{fold}", wide)
    networks = {"dense": build_dense(), "cnn": build_cnn(), "compact": build_compact_cnn()}
    return site_with(networks, folder)


def test_a_tab_that_jupyter_opens_answers_and_leads_to_the_other_pages(chromium, site, tmp_path):
    with jupyterlab(site, tmp_path) as server:
        page = chromium.new_page()
        page.goto(f"{server['url']}lab?token={server['token']}")
        # What "Open in New Browser Tab" asks for; it comes with scripts and no rights.
        cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
        page.goto(f"{server['url']}files/index.html?_xsrf={cookies['_xsrf']}")
        assert page.evaluate("origin") == "null"
        for name, following in {"index": ".notebooks h3 a", "01_live": ".home"}.items():
            page.wait_for_url(f"**/{name}.html?*")
            Pad(page).draw(EXAMPLE_DRAWINGS[1])
            assert len(Pad(page).answers()) == 3
            page.locator(following).first.click()


# Draws a stroke by keys on each pad, and says what is wide: the text's column, and pictures.
IN_OLD_BROWSERS = """<script>
for (const pad of document.querySelectorAll('.mnist-pad-surface')) {
  for (const key of [' ', 'ArrowDown', 'ArrowDown', ' ']) {
    pad.dispatchEvent(new KeyboardEvent('keydown', { key }));
  }
}
const seen = Array.from(document.querySelectorAll('main, .stand-in img'));
document.body.dataset.wide = seen.map((node) => node.offsetWidth > 300);
</script></body>"""


def in_chromium(version: int, page: Path) -> BeautifulSoup:
    """What an old Chromium makes of a page."""
    program = Path(os.environ.get("OLD_BROWSERS", "")) / f"chromium-{version}"
    if not program.is_file():
        pytest.skip("OLD_BROWSERS names no folder with old browsers; .ci/run gets them")
    tried = page.with_name("tried.html")
    tried.write_text(page.read_text().replace("</body>", IN_OLD_BROWSERS))
    command = [program, "--headless", *CHROMIUM_ARGS, "--window-size=1280,740", "--dump-dom"]
    done = subprocess.run([*command, tried.as_uri()], stdout=subprocess.PIPE, timeout=100)
    return BeautifulSoup(done.stdout, "html.parser")


@pytest.mark.parametrize("name, answers, sums", [("index", 3, 0), ("01_live", 6, 1)])
def test_in_a_browser_of_2021_live_parts_answer(site, name, answers, sums):
    page = in_chromium(91, site / f"{name}.html")
    (stroke,) = page.select(".mnist-pad-surface polyline")
    assert stroke["points"] == "0.5,0.2 0.5,0.23 0.5,0.26"
    assert len(page.select(".mnist-network")) == answers and not page.select(".stand-in")
    assert len(page.select(".mnist-convolution-sum")) == sums


@pytest.mark.parametrize("name, pictures", [("index", 1), ("01_live", 2)])
def test_in_an_older_browser_pictures_stand_for_live_parts(site, name, pictures):
    page = in_chromium(79, site / f"{name}.html")
    assert "a browser of 2021 or later" in page.select_one(".stand-in").text
    assert page.body["data-wide"] == ",".join(["true"] * (1 + pictures))


def test_where_a_live_part_fails_its_picture_stays_and_the_others_work(site, chromium):
    page = chromium.new_page()
    page.add_init_script("window.Option = null")
    page.goto((site / "01_live.html").as_uri())
    assert page.locator(".stand-in").count() == 2  # of pad and frame, which have options
    assert page.locator(".mnist-shift .mnist-network").count() == 3


STYLE = "(nodes, name) => nodes.map((node) => getComputedStyle(node)[name])"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_frames_ink_and_choices_show_in_forced_colours(site, open_page, theme):
    page = open_page(site / "01_live.html", forced_colors="active", color_scheme=theme)
    Pad(page).draw(EXAMPLE_DRAWINGS[1])
    (paper,) = page.locator(".mnist-pad").evaluate_all(STYLE, "backgroundColor")
    bars = page.locator(".mnist-bar-fill").evaluate_all(STYLE, "backgroundColor")
    ink = page.locator("polyline").evaluate_all(STYLE, "stroke")
    assert len(bars) == 60 and paper not in bars + ink
    best = page.locator(".best .mnist-bar-fill").evaluate_all(STYLE, "backgroundColor")
    pressed = page.locator("[aria-pressed=true]").evaluate_all(STYLE, "outlineColor")
    assert {*best} == {*pressed} != {*bars}
    # One line of the frame is light and one dark, on whatever pixels.
    lines = ("outlineColor", "borderTopColor")
    frame = [page.locator(".mnist-convolution-frame").evaluate_all(STYLE, x)[0] for x in lines]
    assert frame == ["rgb(255, 213, 74)", "rgb(0, 0, 0)"]


OPEN = "[...document.querySelectorAll('main details')].map((d) => d.open && d.className)"


def test_on_paper_answers_are_open_and_all_else_is_closed(site, open_page):
    page = open_page(site / "02_fold.html")
    page.locator(".claim > summary").click()
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = {OPEN}; }})")
    page.pdf()
    assert page.evaluate("printed") == ["answer", "", False, False]
    assert page.evaluate(OPEN) == [False, False, "claim", False]


def test_live_parts_are_no_wider_than_a_narrow_phone(site, open_page):
    page = open_page(site / "01_live.html", **PHONE)
    Pad(page).draw(EXAMPLE_DRAWINGS[1])
    # What is cut off, too: the page does not scroll to it.
    right = "nodes => Math.max(...nodes.map((node) => node.getBoundingClientRect().right))"
    parts = page.locator(".mnist-view *").evaluate_all(right)
    assert parts <= page.locator(".live").evaluate_all(right) and not too_wide(page)


def test_a_hundred_columns_and_a_table_with_long_headings_fit_on_a_laptop(site, open_page):
    boxes = open_page(site / "02_fold.html", **LAPTOP).locator(".highlight pre, .html")
    wide = boxes.evaluate_all("all => all.map((box) => box.scrollWidth - box.clientWidth)")
    assert len(wide) >= 3 and max(wide) == 0
