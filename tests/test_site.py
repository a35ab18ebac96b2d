"""The reading view: its pages, and what a browser and axe-core find in them."""

import base64
import os
import re
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urljoin
from urllib.request import urlopen

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from build_site import build_site, minutes_to_read
from conftest import NOTEBOOKS, ROOT, SOLUTIONS
from covers import MOST_BYTES, cover
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

SUMMARY = 'Look at a "digit" & count.'
ALT = 'A digit: "3" < 4 & more.'
FIRST = f"""# Explore a little

Next: [Go on](02_second.ipynb)

## What you'll do

{SUMMARY}

## What you'll learn

- to look

## What you'll need

Nothing.
"""
SECOND = """# Go on

Previous: [Explore a little](01_first.ipynb)

See [the formula](01_first.ipynb#Write-it-as-a-formula) and the
[solution](solutions/01_first_solutions.ipynb#1.-Count-them).

Again, **pixels** are what an image is made of.

## Ask whether `3 < 4`

### Ask & **answer.**
"""
TERMS = """An image is made of **pixels**. The **brightness** of one is a number from 0 to 255,
such as 3.5 is not. **Guess first:** how many are there?

- **Shape** and **Ink**: two more words.
"""
FORMULA = """## Write it as a formula

$$\\lVert x - m \\rVert^2 = \\sum_i (x_i - m_i)^2$$

Inline it is $x_i$.

| images | used for |
|---|---|
| training (48,000 images of handwritten digits) | learning the weights, in every single epoch |
"""


# What a run tells of itself: each notebook's data and machine, and where others find it.
ABOUT = {
    "executed": {"01_first": {"dataset": "MNIST", "machine": "A <fast> processor, 2 cores"}},
    "repository": "https://example.org/ada/mnist",
    "binder": "https://binder.example.org/v2/ada",
    "colab": {"01_first": "https://colab.example.org/01_first.ipynb"},
}


def png(width: int, height: int) -> str:
    buffer = BytesIO()
    Figure(figsize=(width / 100, height / 100), dpi=100).savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(**data) -> nbformat.NotebookNode:
    data = {name.replace("_", "/", 1): value for name, value in data.items()}
    return new_output("display_data", data=data)


def figure_cell(png: str, alt: str, **metadata) -> nbformat.NotebookNode:
    output = shown(image_png=png)
    output.metadata = {"image/png": {"alt": alt}}
    return new_code_cell("draw()", outputs=[output], metadata=metadata)


def folded(what: str, source: str, tags: list[str] | None = None) -> nbformat.NotebookNode:
    metadata = {"tags": tags or [], "jupyter": {f"{what}_hidden": True}}
    return new_code_cell(source, execution_count=7, metadata=metadata)


def write_small_notebooks(folder: Path) -> None:
    """Two notebooks and a solution that hold every kind of cell and output."""
    figure = shown(image_png=png(1600, 200), text_plain=ALT)  # two pixels to each of the page
    figure.metadata = {"image/png": {"alt": ALT, "width": 800, "height": 100}}
    cells = "<td>12,345,678</td>" * 20
    table = f"<table border='1' class='dataframe'><tr>{cells}</tr></table>"
    rich = '<span style="color: #00d7ff">dense layer</span> ' * 20  # as Keras's summary is
    rich = f'<pre style="overflow-x:auto">{rich}</pre>'
    widget = shown(text_plain="A drawing pad.")
    widget.data["application/vnd.jupyter.widget-view+json"] = {"model_id": "x"}
    outputs = [
        [new_output("stream", name="stdout", text="digit 3 " * 40 + "\n")],
        [figure],
        [shown(text_html=table, text_plain="a table")],
        [shown(text_html=rich, text_plain="a summary")],
        [widget],
        [shown(**{"text_plain": "report", "application_vnd.mnist-tutorial.result+json": {}})],
    ]
    code = (
        "for n in range(10):  # a comment\n    print(f'{n:.2f} in a long line', 'text' * 20, None)"
    )
    cells = [new_code_cell(code, execution_count=n + 1, outputs=o) for n, o in enumerate(outputs)]
    folds = [
        folded("source", '# There are "ten" digits & no more.\nassert digits == 10', ["claim"]),
        folded("source", "# Check the settings above\ncheck_parameters(digits=(1, 10))"),
        folded("outputs", "print(28 * 28)"),
    ]
    folds[2].outputs = [new_output("stream", name="stdout", text="784\n")]
    texts = [new_markdown_cell(text) for text in (FIRST, TERMS, FORMULA)]
    first = new_notebook(cells=[*texts[:2], *cells, *folds, texts[2]])
    first.metadata["mnist_tutorial"] = {"time": "about 2 minutes"}
    first.metadata["papermill"] = {"end_time": "2026-03-09T23:59:58.1+00:00"}
    plain = new_code_cell("draw()", execution_count=1, outputs=[shown(image_png=png(40, 20))])
    second = new_notebook(cells=[new_markdown_cell(SECOND), plain])
    solution = "# Solve it\n\nBack to the notebook: [E](../01_first.ipynb)\n\n## 1. Count them"
    solved = new_notebook(cells=[new_markdown_cell(solution)])
    (folder / "solutions").mkdir(parents=True)
    nbformat.write(first, folder / "01_first.ipynb")
    nbformat.write(second, folder / "02_second.ipynb")
    nbformat.write(first, folder / "02_second.failed.ipynb")
    nbformat.write(solved, folder / "solutions" / "01_first_solutions.ipynb")


@pytest.fixture(scope="module")
def small_site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_small_notebooks(folder / "notebooks")
    build_site(folder / "notebooks", folder / "site", ABOUT)
    return folder / "site"


@pytest.fixture(scope="module")
def tutorial_site(tmp_path_factory) -> Path:
    """The site of the notebooks as they are committed, with their stored outputs."""
    out = tmp_path_factory.mktemp("tutorial") / "site"
    build_site(ROOT / "notebooks", out)
    return out


TUTORIAL = pytest.param("tutorial", marks=pytest.mark.slow)


@pytest.fixture(params=["small", TUTORIAL])
def site(request) -> Path:
    return request.getfixturevalue(f"{request.param}_site")


def pages(site: Path) -> dict[str, str]:
    return {str(p.relative_to(site)): p.read_text() for p in sorted(site.rglob("*.html"))}


def elements(html: str, selector: str) -> list:
    return BeautifulSoup(html, "html.parser").select(selector)


def test_every_notebook_of_the_tutorial_has_a_page(tutorial_site):
    notebooks = [path.relative_to(ROOT / "notebooks") for path in NOTEBOOKS + SOLUTIONS]
    expected = [str(path.with_suffix(".html")) for path in notebooks]
    assert sorted(pages(tutorial_site)) == sorted(["index.html", "glossary.html", *expected])


def test_notebook_that_failed_has_no_page(small_site):
    assert [name for name in pages(small_site) if "failed" in name] == []


def test_front_page_says_what_each_notebook_teaches_and_how_long_it_takes(small_site):
    _, first, second = pages(small_site)["index.html"].split("<h3>")
    assert '<a href="01_first.html">1. Explore a little</a>' in first
    assert "Look at a &quot;digit&quot; &amp; count." in first
    assert "About 5 minutes to read; runs in about 2 minutes on two cores" in first
    assert "<li>to look</li>" in first
    assert '<a href="solutions/01_first_solutions.html">Solve it</a>' in first
    assert "Go on" in second and "on two cores" not in second  # it does not give its time


def test_time_to_read_is_counted_in_words_and_in_lines_of_code_that_are_not_folded():
    text = new_markdown_cell("[word](https://example.org/a/long/address) " * 600)  # five minutes
    code = new_code_cell("x = 1\n" * 100)  # ten
    folded = new_code_cell("x = 1\n" * 500, metadata={"jupyter": {"source_hidden": True}})
    assert minutes_to_read(new_notebook(cells=[text, code, folded])) == 15
    assert minutes_to_read(new_notebook(cells=[text])) == 5


@pytest.mark.slow
def test_front_page_says_how_the_time_is_counted_and_has_a_picture_of_each_notebook(tutorial_site):
    page = pages(tutorial_site)["index.html"]
    assert "a minute for every 120 words of text, and for every 10 lines of code" in page
    assert [len(item.select("img")) for item in elements(page, ".notebooks > li")] == [1] * 7


def test_cover_is_the_figure_that_is_marked_and_else_the_first():
    plain = figure_cell(png(40, 20), "plain")
    marked = figure_cell(png(40, 20), ALT, mnist_tutorial={"cover": True})
    (image,) = elements(cover(new_notebook(cells=[plain, marked])), "img")
    assert image["alt"] == ALT
    (image,) = elements(cover(new_notebook(cells=[new_markdown_cell("A"), plain])), "img")
    assert image["alt"] == "plain"
    assert cover(new_notebook(cells=[new_markdown_cell("A")])) == ""


def test_cover_is_small_sharp_and_keeps_its_shape():
    buffer = BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")  # nothing is harder to make small
    cell = figure_cell(base64.b64encode(buffer.getvalue()).decode(), ALT)
    (image,) = elements(cover(new_notebook(cells=[cell])), "img")
    picture = base64.b64decode(image["src"].removeprefix("data:image/webp;base64,"))
    assert len(picture) <= MOST_BYTES
    assert Image.open(BytesIO(picture)).size == (560, 350)
    assert (image["width"], image["height"]) == ("280", "175")  # two pixels to each of the page


def test_front_page_leads_to_binder_colab_and_the_repository_where_the_run_knows_them(small_site):
    page = pages(small_site)["index.html"]
    links = {link.text: link["href"] for link in elements(page, "a[href^='https:']")}
    assert links == {
        "the repository": ABOUT["repository"],
        "Open on Binder": ABOUT["binder"],
        "Open in Colab": ABOUT["colab"]["01_first"],
    }
    assert "%pip install git+https://example.org/ada/mnist" in page


def test_front_page_gives_commands_where_the_run_knows_no_address(tmp_path):
    write_small_notebooks(tmp_path)
    build_site(tmp_path, tmp_path / "site")
    page = pages(tmp_path / "site")["index.html"]
    commands = [code.text for code in elements(page, "dd code")]
    windows = "py tools\\tutorial.py lab"
    assert commands == ["make lab", "python tools/tutorial.py lab", windows, "make links"]
    assert elements(page, "a[href^='https:']") == []


def test_page_says_when_with_which_data_and_on_which_machine_it_was_made(small_site):
    site = pages(small_site)
    told = "9 March 2026. Data: MNIST. Machine: A <fast> processor, 2 cores."
    for name, start in [("01_first", "Executed on"), ("index", "The lessons show what they put")]:
        (line, *_) = elements(site[f"{name}.html"], "footer p")
        assert line.text.startswith(start) and told in line.text
        assert line.time["datetime"] == "2026-03-09"


def test_page_with_stored_outputs_says_so(small_site):
    site = pages(small_site)
    for name in ("02_second.html", "solutions/01_first_solutions.html"):
        (line,) = elements(site[name], "footer p")
        assert line.text.startswith("The outputs on this page are stored with the notebook")
    assert "The solutions show outputs that are stored" in site["index.html"]


def test_page_says_nothing_of_a_machine_that_is_not_known(tmp_path):
    write_small_notebooks(tmp_path)
    build_site(tmp_path, tmp_path / "site")
    site = pages(tmp_path / "site")
    assert all("Machine:" not in html and "Data:" not in html for html in site.values())
    assert "Executed on" in site["01_first.html"]


def test_same_notebooks_give_the_same_pages(small_site, tmp_path):
    write_small_notebooks(tmp_path)
    build_site(tmp_path, tmp_path / "site", ABOUT)
    # Each notebook that is written gets new names for its cells, which pages do not show.
    assert pages(tmp_path / "site") == pages(small_site)


def test_pages_lead_to_the_one_before_and_the_one_after(small_site):
    first, second, _, _, solution = pages(small_site).values()
    back = '<a href="01_first.html" rel="prev">1. Explore a little</a>'
    above_and_below = 2
    assert first.count('<a href="02_second.html" rel="next">2. Go on</a>') == above_and_below
    assert second.count(back) == above_and_below
    assert solution.count(back.replace("01", "../01")) == above_and_below
    assert elements(first, "a[rel=prev]") == elements(second, "a[rel=next]") == []
    # Those that the notebooks have for JupyterLab would say it once more.
    assert "Next: " not in first and "Previous: " not in second and "Back to" not in solution


def test_figure_has_the_alt_text_and_the_size_of_its_metadata(small_site):
    (image,) = elements(pages(small_site)["01_first.html"], "img")
    assert (image["alt"], image["width"], image["height"]) == (ALT, "800", "100")


def test_figure_without_a_size_in_its_metadata_has_that_of_its_pixels(small_site):
    (image,) = elements(pages(small_site)["02_second.html"], "img")
    assert set(image.attrs) == {"src", "alt"} and image["alt"] == ""


def test_every_figure_of_the_tutorial_has_alt_text(tutorial_site):
    for name, html in pages(tutorial_site).items():
        assert all(len(image.get("alt", "")) > 10 for image in elements(html, "img")), name


def test_a_claim_is_one_line_that_opens_to_its_code(small_site):
    (claim,) = elements(pages(small_site)["01_first.html"], "details.claim")
    assert claim.summary.text == 'There are "ten" digits & no more'
    assert "assert digits == 10" in claim.pre.text and not claim.has_attr("open")


def test_folded_plumbing_is_a_line_that_says_what_it_is(small_site):
    page = pages(small_site)["01_first.html"]
    (plumbing,) = elements(page, "details:not(.claim, .answer, .contents)")
    assert plumbing.summary.text == "Code: Check the settings above"
    assert "check_parameters(digits=(1, 10))" in plumbing.pre.text


def test_a_folded_output_is_an_answer_to_be_shown_below_its_code(small_site):
    (answer,) = elements(pages(small_site)["01_first.html"], "details.answer")
    assert answer.summary.text == "Show the answer"
    assert [pre.text.strip() for pre in answer.select("pre")] == ["784"]
    assert "print(28 * 28)" in answer.find_previous_sibling().text


def test_glossary_lists_each_term_once_in_alphabetical_order(small_site):
    terms = elements(pages(small_site)["glossary.html"], "dt")
    assert [term.text for term in terms] == ["brightness", "Ink", "pixels", "Shape"]


def test_glossary_gives_the_sentence_that_explains_a_term(small_site):
    texts = [
        " ".join(dd.p.text.split()) for dd in elements(pages(small_site)["glossary.html"], "dd")
    ]
    assert texts == [
        "The brightness of one is a number from 0 to 255, such as 3.5 is not.",
        "Shape and Ink: two more words.",
        "An image is made of pixels.",
        "Shape and Ink: two more words.",
    ]


def test_glossary_leads_to_the_place_of_the_explanation(small_site):
    site = pages(small_site)
    links = [link["href"] for link in elements(site["glossary.html"], "dd a")]
    places = [term["id"] for term in elements(site["01_first.html"], "dfn")]
    assert sorted(places) == ["term-brightness", "term-ink", "term-pixels", "term-shape"]
    assert links == [f"01_first.html#{place}" for place in sorted(places)]


def test_contents_and_glossary_lead_to_one_another(small_site):
    site = pages(small_site)
    assert elements(site["index.html"], 'a[href="glossary.html"]')
    assert elements(site["glossary.html"], 'a[href="index.html"]')


def test_glossary_of_the_tutorial_explains_many_words(tutorial_site):
    assert len(elements(pages(tutorial_site)["glossary.html"], "dt")) > 30


def test_contents_of_a_page_are_its_headings_beside_the_text_and_folded_above_it(small_site):
    page = pages(small_site)["01_first.html"]
    expected = ["What you'll do", "What you'll learn", "What you'll need", "Write it as a formula"]
    for place in ("nav.contents", "details.contents"):
        assert [link.text for link in elements(page, f"{place} a")] == expected
    assert not elements(page, "details.contents[open]")


def test_contents_of_a_page_show_headings_as_plain_text(small_site):
    items = elements(pages(small_site)["02_second.html"], "nav.contents > ul > li")
    assert [str(item.a.decode_contents()) for item in items] == [
        "Ask whether 3 &lt; 4",
        "Ask &amp; answer.",
    ]
    assert [item.get("class") for item in items] == [None, ["lower"]]


def test_pages_without_a_live_part_have_the_script_of_the_copy_buttons_alone(small_site):
    plain = [html for html in pages(small_site).values() if not elements(html, ".live")]
    assert len(plain) >= 3
    for html in plain:
        (script,) = elements(html, "script")
        assert "clipboard" in script.text and not script.has_attr("src")


def test_formulas_are_mathml_and_widgets_and_reports_are_shown_as_their_text(small_site):
    html = pages(small_site)["01_first.html"]
    assert html.count("<math") == 2 and "$" not in html and "lVert" not in html
    assert "A drawing pad." in html and "report" in html


def test_internal_links_lead_somewhere_and_no_id_is_used_twice(site):
    contents = {name: BeautifulSoup(html, "html.parser") for name, html in pages(site).items()}
    ids = {name: [x["id"] for x in page.select("[id]")] for name, page in contents.items()}
    checked = 0
    for name, page in contents.items():
        assert sorted(ids[name]) == sorted(set(ids[name])), name
        for link in (link["href"] for link in page.select("a")):
            if link.startswith(("https:", "http:")):
                continue
            path, _, fragment = unquote(link).partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            assert target in contents, f"{name}: {link}"
            assert not fragment or fragment in ids[target], f"{name}: {link}"
            checked += 1
    assert checked > 10


@pytest.fixture
def served_site(small_site, tmp_path):
    """The address of the site on a server, below a path of its own."""
    shutil.copytree(small_site, tmp_path / "some" / "path")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/some/path/"
        server.shutdown()


def test_every_page_is_reached_by_links_from_the_front_page_below_any_path(served_site, small_site):
    waiting, seen = [served_site + "index.html"], set()
    while waiting:
        address = waiting.pop()
        if address not in seen:
            seen.add(address)
            html = urlopen(address).read().decode()  # one that is not there raises
            found = [urldefrag(urljoin(address, a["href"])).url for a in elements(html, "a")]
            waiting += [link for link in found if not link.startswith("https:")]
    assert seen == {served_site + name for name in pages(small_site)}


def test_front_page_weighs_little(site):
    sizes = {name: (site / name).stat().st_size / 1000 for name in pages(site)}
    print(*(f"{name}: {size:.0f} kB" for name, size in sizes.items()), sep="\n")
    assert sizes["index.html"] <= 400


def test_a_page_without_a_notebook_is_removed(tmp_path):
    write_small_notebooks(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "03_third.html").touch()
    build_site(tmp_path, tmp_path / "site")
    assert not (tmp_path / "site" / "03_third.html").exists()


def test_a_folder_without_notebooks_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no notebook; `make run` puts them there"):
        build_site(tmp_path, tmp_path / "site")


# --- In a browser ---------------------------------------------------------------------------

# WCAG 2.1, levels A and AA, with no rule left out; in the second theme those about colours.
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "dark": ["color-contrast", "link-in-text-block"],
}
LOOK = """() => {
  document.querySelectorAll('details').forEach((details) => { details.open = true; });
  return {
    needed_width: document.documentElement.scrollWidth,
    background: getComputedStyle(document.body).backgroundColor,
    images: [...document.images].map((i) => [i.naturalWidth, i.clientWidth, i.clientHeight]),
  };
}"""


def violations(page, rules: list[str]) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    # What axe passed need not be listed; that takes a third of its time.
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]}).response
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"][:3]
    ]


def note_problems(page, problems: list[str]) -> None:
    """Add what a page reports, and what it asks of others, to a list."""

    page.on("console", lambda message: problems.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("request", lambda request: problems.append(f"request: {request.url}"))


def unexpected(problems: list[str]) -> list[str]:
    return [x for x in problems if not x.startswith(("request: file:", "request: data:"))]


# Each page is opened once on a small screen, where most has to scroll, and once on a large one;
# the tests below read off what was found.
SMALL_VISITS = ["small 360 light", "small 1280 dark"]
SLOW_VISITS = ["tutorial 360 light", "tutorial 1280 dark"]
ALL_VISITS = SMALL_VISITS + [pytest.param(name, marks=pytest.mark.slow) for name in SLOW_VISITS]


@pytest.fixture(scope="module", params=ALL_VISITS)
def visit(request, chromium) -> SimpleNamespace:
    """What a browser found in the pages of a site, by name, at one width in one theme."""
    which, width, theme = request.param.split()
    site = request.getfixturevalue(f"{which}_site")
    found = SimpleNamespace(width=int(width), theme=theme, looks={}, violations={}, problems=[])
    screen = {"width": found.width, "height": 740}
    context = chromium.new_context(viewport=screen, color_scheme=theme, offline=True)
    page = context.new_page()
    note_problems(page, found.problems)
    for name in pages(site):
        page.goto((site / name).as_uri())
        found.looks[name] = page.evaluate(LOOK)
        found.violations[name] = violations(page, RULES[theme])
    context.close()
    return found


def test_axe_finds_no_violation_of_wcag_2_1_aa(visit):
    assert visit.violations == {name: [] for name in visit.violations}


def test_no_page_scrolls_sideways(visit):
    needed = {name: look["needed_width"] for name, look in visit.looks.items()}
    assert {name: width for name, width in needed.items() if width > visit.width} == {}


def test_theme_follows_the_preference_of_the_reader(visit):
    for name, look in visit.looks.items():
        brightness = sum(int(part) for part in re.findall(r"\d+", look["background"])) / 3
        assert brightness > 200 if visit.theme == "light" else brightness < 60, name


def test_no_page_reports_an_error_or_asks_others_for_anything(visit):
    assert unexpected(visit.problems) == []


@pytest.mark.parametrize("visit", SMALL_VISITS, indirect=True)
def test_figures_are_as_wide_as_they_say_or_as_the_screen_and_keep_their_shape(visit):
    ((pixels, width, height),) = visit.looks["01_first.html"]["images"]
    assert pixels == 1600  # sharp where a screen has two pixels for each of the page
    assert width == 800 if visit.width == 1280 else 250 < width < 360
    assert height == pytest.approx(width / 8, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("visit", ["tutorial 1280 dark"], indirect=True)
def test_every_figure_of_the_tutorial_has_two_pixels_for_each_of_the_page(visit):
    for name, look in visit.looks.items():
        for pixels, width, _ in look["images"]:
            assert pixels >= 2 * width, name


@pytest.fixture
def open_page(small_site, chromium):
    """Opens a page of the small site in a browser with the given options."""
    contexts = []

    def open_page(name: str, width: int = 1280, **options):
        screen = {"width": width, "height": 500}
        contexts.append(chromium.new_context(viewport=screen, offline=True, **options))
        page = contexts[-1].new_page()
        page.goto((small_site / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_contents_stay_in_view_on_a_laptop(open_page):
    page = open_page("01_first.html")
    link = page.locator("nav.contents a").last
    page.get_by_text("Executed on").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 500
    box = link.bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 500
    assert not page.locator("details.contents").is_visible()


def test_contents_are_folded_on_a_phone(open_page):
    page = open_page("01_first.html", width=360)
    link = page.locator("details.contents a").last
    assert not link.is_visible() and not page.locator("nav.contents").is_visible()
    page.locator("details.contents > summary").click()
    link.click()
    assert page.url.endswith("#write-it-as-a-formula")


def test_the_first_thing_the_keyboard_reaches_leads_past_the_navigation(open_page):
    page = open_page("01_first.html")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the text")
    assert skip.evaluate("link => link === document.activeElement") and skip.is_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    inside = "document.querySelector('main').contains(document.activeElement)"
    assert page.url.endswith("#content") and page.evaluate(inside)


def test_the_keyboard_copies_code_and_the_page_says_so(open_page):
    page = open_page("01_first.html", permissions=["clipboard-read", "clipboard-write"])
    code = page.locator(".highlight pre").first
    code.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Copied", exact=True).wait_for(state="attached")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == code.inner_text().rstrip() and copied.startswith("for n in range(10):")


def test_code_is_selected_where_the_page_may_not_copy(open_page):
    page = open_page("01_first.html")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.locator(".highlight").first.hover()
    page.locator(".copy").first.click()
    page.get_by_role("status").get_by_text("Selected, not copied").wait_for(state="attached")
    selected = page.evaluate("String(getSelection())")
    assert selected.startswith("for n in range(10):")


def test_without_scripts_only_the_copy_buttons_are_missing(open_page):
    page = open_page("01_first.html", java_script_enabled=False)
    assert page.locator("button").count() == 0
    page.get_by_text("Show the answer").click()
    assert page.get_by_text("784", exact=True).is_visible()
    page.locator("nav.contents a").last.click()
    assert page.url.endswith("#write-it-as-a-formula")


DAMAGE = """() => {
  document.querySelector('img').removeAttribute('alt');
  document.querySelector('h1').style.color = '#333';
  new Image().src = 'http://127.0.0.1:9/picture.png';
}"""


def test_violations_and_requests_would_be_noticed(small_site, chromium):
    problems = []
    page = chromium.new_page(color_scheme="dark", offline=True)
    note_problems(page, problems)
    page.goto((small_site / "01_first.html").as_uri())
    with page.expect_event("requestfailed"):
        page.evaluate(DAMAGE)
    found = {theme: violations(page, rules) for theme, rules in RULES.items()}
    page.close()
    names = {theme: sorted(x.partition(":")[0] for x in found[theme]) for theme in found}
    assert names == {"light": ["color-contrast", "image-alt"], "dark": ["color-contrast"]}
    assert unexpected(problems)[0] == "request: http://127.0.0.1:9/picture.png"
