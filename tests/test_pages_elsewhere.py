"""The pages where readers have them: in Jupyter, old browsers, colours of their own, on paper."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM_ARGS, Pad
from bs4 import BeautifulSoup
from pages import LAPTOP, PHONE, code, display, opened_pages, png, too_wide
from pages import write_notebook as write
from test_lab import private_jupyter, running_server

from mnist_helpers import build_cnn, build_compact_cnn, build_dense
from mnist_helpers.convolution_view import VIEW_TYPE, ConvolutionView, digits_as_json
from mnist_helpers.strokes import EXAMPLE_DRAWINGS
from tools.site.build import build_site
from tools.site.export import export_networks

pytestmark = pytest.mark.slow
open_page = pytest.fixture(opened_pages)
IMAGES = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype=np.uint8)
HEADINGS, NUMBERS = "<th>a heading of many words</th>" * 6, "<td>12,345,678</td>" * 6
TABLE = f"""<table class="dataframe"><thead><tr>{HEADINGS}</tr></thead>
<tbody><tr>{NUMBERS}</tr></tbody></table>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A site with networks, a page with every live part, and one with what folds or is wide."""
    folder = tmp_path_factory.mktemp("elsewhere")
    builders = {"dense": build_dense, "cnn": build_cnn, "compact": build_compact_cnn}
    for name, build in builders.items():
        build().save(folder / f"{name}.keras")
    digits = digits_as_json(IMAGES, [5, 0, 4, 1, 9])
    shift = {"view": "shift", "digits": digits, "shifts": [0, 1]}
    shift["curves"] = [{"name": "CNN", "accuracies": [0.97, 0.93]}]
    frame = ConvolutionView(IMAGES, [5, 0, 4, 1, 9], {"edge": np.array([[1, 0, -1]] * 3)})
    pad, picture = {VIEW_TYPE: {"view": "pad"}}, {"image/png": png(600, 300)}
    outputs = [display(picture | pad), display(*frame._repr_mimebundle_())]
    outputs += [display(picture | {VIEW_TYPE: shift})]
    write(folder / "01_live.ipynb", "# Try it\n\n## Draw", *[code("live", x) for x in outputs])
    answer = code("6 * 7", display({"text/plain": "42"}), jupyter={"outputs_hidden": True})
    claim = code("# It is 42\nassert True", tags=["claim"])
    question = "<details><summary>How many?</summary>Two.</details>"
    table = code(f"{'x' * 100}\n", display({"text/html": TABLE}))
    write(folder / "02_fold.ipynb", "# Fold", answer, claim, question, table)
    export_networks(folder, folder / "site")
    build_site(folder, folder / "site", {})
    return folder / "site"


def test_a_tab_that_jupyter_opens_answers_and_leads_to_the_other_pages(chromium, site, tmp_path):
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--allow-root"]
    command += ["--ServerApp.port_retries=50", f"--ServerApp.root_dir={site}"]
    with subprocess.Popen(command, env=private_jupyter(tmp_path)) as process:
        try:
            server = running_server(tmp_path)
            page = chromium.new_page()
            page.goto(f"{server['url']}lab?token={server['token']}")
            # What "Open in New Browser Tab" asks for; it comes with scripts and no rights.
            cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
            page.goto(f"{server['url']}files/index.html?_xsrf={cookies['_xsrf']}")
            assert page.evaluate("origin") == "null"
            for name in ("index.html", "01_live.html"):
                Pad(page).draw(EXAMPLE_DRAWINGS[1])
                assert f"/{name}?" in page.url and len(Pad(page).answers()) == 3
                page.get_by_role("link", name="1. Try it").or_(page.locator(".home")).first.click()
        finally:
            process.terminate()
            page.context.close()


# Draws a stroke by keys on each pad, and says what is seen: the text's column, and pictures.
IN_OLD_BROWSERS = """<script>
for (const pad of document.querySelectorAll('.mnist-pad-surface')) {
  for (const key of [' ', 'ArrowDown', 'ArrowDown', ' ']) {
    pad.dispatchEvent(new KeyboardEvent('keydown', { key }));
  }
}
const seen = Array.from(document.querySelectorAll('main, .stand-in img'));
document.body.dataset.seen = seen.map((node) => node.offsetWidth > 300);
</script>"""


@pytest.fixture
def in_old_browser(site, tmp_path):
    """Gives a page as a Chromium of that version shows it."""

    def opened(version: int, name: str) -> BeautifulSoup:
        program = Path(os.environ.get("OLD_BROWSERS", "")) / f"chromium-{version}"
        if not program.is_file():
            pytest.skip("OLD_BROWSERS names no folder with old browsers; .ci/run gets them")
        page = tmp_path / name
        shutil.copy(site / name, page)
        page.write_text(page.read_text().replace("</body>", IN_OLD_BROWSERS + "</body>"))
        command = [program, "--headless", *CHROMIUM_ARGS, "--window-size=1280,740"]
        command += ["--dump-dom", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        return BeautifulSoup(done.stdout, "html.parser")

    return opened


@pytest.mark.parametrize("name, answers", [("index.html", 3), ("01_live.html", 6)])
def test_in_a_browser_of_2021_live_parts_answer(in_old_browser, name, answers):
    page = in_old_browser(91, name)
    assert len(page.select(".mnist-network")) == answers and not page.select(".stand-in")
    (stroke,) = page.select(".mnist-pad-surface polyline")
    assert stroke["points"] == "0.5,0.2 0.5,0.23 0.5,0.26"
    assert len(page.select(".mnist-convolution-sum")) == (name == "01_live.html")


@pytest.mark.parametrize("name, pictures", [("index.html", 1), ("01_live.html", 2)])
def test_in_an_older_browser_pictures_stand_for_live_parts(in_old_browser, name, pictures):
    page = in_old_browser(79, name)
    # With `:is()` in its rules, which this one does not know, the text has the column of contents.
    assert page.body["data-seen"].split(",") == ["true"] * (1 + pictures)
    assert "a browser of 2021 or later" in page.select_one(".stand-in").text


def test_where_a_live_part_fails_its_picture_stays_and_the_others_work(site, chromium):
    page = chromium.new_page()
    page.add_init_script("window.Option = function () { throw new Error('none'); };")
    page.goto((site / "01_live.html").as_uri())
    assert page.locator(".stand-in").count() == 2  # of pad and frame, which have options
    assert page.locator(".mnist-shift .mnist-network").count() == 3
    page.close()


# The colours of what shows by nothing else, and those behind them.
COLOURS = """() => [...document.querySelectorAll('.mnist-bar-fill, .mnist-convolution-frame')].map(
  (node) => {
    const { backgroundColor, outlineColor } = getComputedStyle(node);
    const paper = getComputedStyle(node.closest('.mnist-view')).backgroundColor;
    return [node.matches('.mnist-bar-fill') ? backgroundColor : outlineColor, paper];
  })"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_frames_and_ink_show_in_forced_colours(site, open_page, theme):
    page = open_page(site / "01_live.html", forced_colors="active", color_scheme=theme)
    Pad(page).draw(EXAMPLE_DRAWINGS[1])
    colours = page.evaluate(COLOURS)
    assert len(colours) == 62 and all(colour != paper for colour, paper in colours)
    frames = [colour for colour, _ in colours if colour == "rgb(255, 213, 74)"]
    assert len(frames) == 2  # a light line, around the dark one
    pressed = page.locator(".mnist-shift [aria-pressed=true]")
    line = pressed.evaluate("node => getComputedStyle(node).outlineColor")
    assert line == page.locator(".best .mnist-bar-fill").first.evaluate(
        "node => getComputedStyle(node).backgroundColor"
    )
    ink = page.locator(".mnist-pad-surface polyline").first
    assert ink.evaluate("node => getComputedStyle(node).stroke") != colours[0][1]


def test_start_has_a_border_in_forced_colours(site, open_page):
    page = open_page(site / "index.html", forced_colors="active")
    start = page.locator(".start a").first
    border = start.evaluate("node => getComputedStyle(node).borderTop")
    assert border == f"1px solid {start.evaluate('node => getComputedStyle(node).color')}"


OPEN = "[...document.querySelectorAll('main details')].map((d) => d.open && d.textContent.trim())"


def test_on_paper_answers_are_open_and_all_else_is_closed(site, open_page):
    page = open_page(site / "02_fold.html")
    page.locator(".claim > summary").click()
    before = page.evaluate(OPEN)
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = {OPEN}; }})")
    page.pdf()
    (answer,) = filter(None, page.evaluate("printed"))
    assert "42" in answer and "Show the answer" in answer
    assert page.evaluate(OPEN) == before != page.evaluate("printed")


def test_live_parts_are_no_wider_than_a_narrow_phone(site, open_page):
    page = open_page(site / "01_live.html", **PHONE)
    Pad(page).draw(EXAMPLE_DRAWINGS[1])
    # What is cut off, too: the page does not scroll to it.
    wide = """[...document.querySelectorAll('.mnist-view *')].filter((node) =>
      node.getBoundingClientRect().right > node.closest('.live').getBoundingClientRect().right)"""
    assert page.evaluate(f"{wide}.map((node) => node.className)") == [] and not too_wide(page)


@pytest.mark.parametrize("box", [".highlight pre", ".html"])
def test_a_hundred_columns_and_a_table_with_long_headings_fit_on_a_laptop(site, open_page, box):
    page = open_page(site / "02_fold.html", **LAPTOP)
    wide = page.locator(box).evaluate_all("all => all.map((x) => x.scrollWidth - x.clientWidth)")
    assert wide and max(wide) == 0
