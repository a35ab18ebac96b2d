"""The reading view: its pages, and what a browser and axe-core find in them."""

import base64
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from build_site import build_site
from conftest import NOTEBOOKS, ROOT, SOLUTIONS
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

SUMMARY = 'Look at a "digit" & count.'
ALT = 'A digit: "3" < 4 & more.'
FIRST = f"""# Explore a little

Next: [Go on](02_second.ipynb)

## What you'll do

{SUMMARY}

## What you'll learn

- to look

## What you'll need

Nothing. The notebook runs in about 2 minutes on two cores; reading takes longer.
"""
SECOND = """# Go on

Previous: [Explore a little](01_first.ipynb)

See [the formula](01_first.ipynb#Write-it-as-a-formula) and the
[solution](solutions/01_first_solutions.ipynb#1.-Count-them).
"""
FORMULA = """## Write it as a formula

$$\\lVert x - m \\rVert^2 = \\sum_i (x_i - m_i)^2$$

Inline it is $x_i$.

| images | used for |
|---|---|
| training (48,000 images of handwritten digits) | learning the weights, in every single epoch |
"""


def png(width: float = 8) -> str:
    buffer = BytesIO()
    Figure(figsize=(width, 1)).savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def shown(**data) -> nbformat.NotebookNode:
    data = {name.replace("_", "/", 1): value for name, value in data.items()}
    return new_output("display_data", data=data)


def write_small_notebooks(folder: Path) -> None:
    """Two notebooks and a solution that hold every kind of cell and output."""
    figure = shown(image_png=png(), text_plain=ALT)
    figure.metadata = {"image/png": {"alt": ALT}}
    table = (
        "<table border='1' class='dataframe'><tr>" + "<td>12,345,678</td>" * 20 + "</tr></table>"
    )
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
    first = new_notebook(cells=[new_markdown_cell(FIRST), *cells, new_markdown_cell(FORMULA)])
    second = new_notebook(cells=[new_markdown_cell(SECOND)])
    solution = "# Solve it\n\nBack to the notebook: [E](../01_first.ipynb)\n\n## 1. Count them"
    (folder / "solutions").mkdir(parents=True)
    nbformat.write(first, folder / "01_first.ipynb")
    nbformat.write(second, folder / "02_second.ipynb")
    nbformat.write(first, folder / "02_second.failed.ipynb")
    solved = new_notebook(cells=[new_markdown_cell(solution)])
    nbformat.write(solved, folder / "solutions" / "01_first_solutions.ipynb")


@pytest.fixture(scope="module")
def small_site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_small_notebooks(folder / "notebooks")
    build_site(folder / "notebooks", folder / "site")
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


class Elements(HTMLParser):
    """The elements of a page: (tag, attributes) in order."""

    def __init__(self, html: str):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def elements(html: str, *tags: str) -> list[dict[str, str]]:
    """The attributes of each element of a page, or of those of some kinds."""
    return [found for tag, found in Elements(html).found if not tags or tag in tags]


def ids(html: str) -> list[str]:
    return [element["id"] for element in elements(html) if "id" in element]


def test_each_notebook_and_each_solution_has_a_page(small_site):
    assert sorted(pages(small_site)) == [
        "01_first.html",
        "02_second.html",
        "index.html",
        "solutions/01_first_solutions.html",
    ]


def test_every_notebook_of_the_tutorial_has_a_page(tutorial_site):
    notebooks = [path.relative_to(ROOT / "notebooks") for path in NOTEBOOKS + SOLUTIONS]
    expected = [str(path.with_suffix(".html")) for path in notebooks]
    assert sorted(pages(tutorial_site)) == sorted(["index.html", *expected])


def test_contents_say_what_each_notebook_teaches_and_how_long_it_takes(small_site):
    index = pages(small_site)["index.html"]
    assert '<a href="01_first.html">1. Explore a little</a>' in index
    assert "Look at a &quot;digit&quot; &amp; count." in index
    assert "The notebook runs in about 2 minutes on two cores; reading takes longer." in index
    assert "<li>to look</li>" in index
    assert '<a href="solutions/01_first_solutions.html">Solve it</a>' in index


def test_contents_of_the_tutorial_have_a_summary_and_a_time_for_each_notebook(tutorial_site):
    entries = pages(tutorial_site)["index.html"].split("<h2>")[1:]
    assert len(entries) == len(NOTEBOOKS)
    for entry in entries:
        assert re.search(r"</h2>\s*<p>[A-Z]", entry), f"no summary: {entry[:80]}"
        assert "on two cores" in entry, f"no time: {entry[:80]}"


def test_pages_lead_to_the_one_before_and_the_one_after(small_site):
    first, second = (pages(small_site)[name] for name in ("01_first.html", "02_second.html"))
    above_and_below = 2
    assert first.count('<a href="02_second.html" rel="next">2. Go on</a>') == above_and_below
    assert second.count('<a href="01_first.html" rel="prev">1. Explore a little</a>') == 2
    assert [link for link in elements(first, "a") if link.get("rel") == "prev"] == []
    assert [link for link in elements(second, "a") if link.get("rel") == "next"] == []
    # Those that the notebooks have for JupyterLab would say it once more.
    assert "Next: " not in first and "Previous: " not in second


def test_solution_leads_back_to_its_notebook(small_site):
    solution = pages(small_site)["solutions/01_first_solutions.html"]
    assert '<a href="../01_first.html" rel="prev">1. Explore a little</a>' in solution


def test_alt_text_of_a_figure_arrives_in_the_page(small_site):
    assert [image["alt"] for image in elements(pages(small_site)["01_first.html"], "img")] == [ALT]


def test_every_figure_of_the_tutorial_has_alt_text(tutorial_site):
    for name, html in pages(tutorial_site).items():
        described = [len(image.get("alt") or "") for image in elements(html, "img")]
        assert min(described, default=99) > 10, name


def test_formulas_are_mathml(small_site):
    html = pages(small_site)["01_first.html"]
    assert html.count("<math") == 2
    assert "$" not in html and "lVert" not in html


def test_widgets_and_reports_are_shown_as_their_text(small_site):
    html = pages(small_site)["01_first.html"]
    assert "A drawing pad." in html and "report" in html


def test_no_page_has_a_script_or_loads_anything(site):
    for name, html in pages(site).items():
        assert elements(html, "script", "iframe", "object", "embed") == [], name
        loaded = [e["src"] for e in elements(html) if "src" in e]
        loaded += [link["href"] for link in elements(html, "link")]
        assert [url[:60] for url in loaded if not url.startswith("data:")] == [], name
        assert not re.search(r"@import|url\(", html), name


def test_internal_links_lead_somewhere(site):
    contents = pages(site)
    targets = {name: ids(html) for name, html in contents.items()}
    checked = 0
    for name, html in contents.items():
        for link in (link["href"] for link in elements(html, "a")):
            if link.startswith(("https:", "http:")):
                continue
            path, _, fragment = unquote(link).partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            assert target in contents, f"{name}: {link}"
            assert not fragment or fragment in targets[target], f"{name}: {link}"
            checked += 1
    assert checked > 10


def test_no_id_is_used_twice_on_a_page(site):
    for name, html in pages(site).items():
        assert sorted(ids(html)) == sorted(set(ids(html))), name


def test_a_page_without_a_notebook_is_removed(tmp_path):
    write_small_notebooks(tmp_path / "notebooks")
    build_site(tmp_path / "notebooks", tmp_path / "site")
    (tmp_path / "notebooks" / "02_second.ipynb").unlink()
    build_site(tmp_path / "notebooks", tmp_path / "site")
    assert not (tmp_path / "site" / "02_second.html").exists()
    assert "02_second" not in (tmp_path / "site" / "index.html").read_text()


def test_command_says_when_there_are_no_notebooks(tmp_path):
    command = [sys.executable, ROOT / "tools" / "build_site.py", tmp_path, tmp_path / "site"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == (f"build_site: {tmp_path} holds no notebook; `make run` puts them there\n")


# --- In a browser ---------------------------------------------------------------------------

# WCAG 2.1, levels A and AA, with no rule left out.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@pytest.fixture
def open_page(chromium):
    """Open pages of a width in a theme; fails if one reports an error or loads anything."""
    contexts, problems = [], []

    def note_request(request) -> None:
        if not request.url.startswith(("file:", "data:")):
            problems.append(f"request: {request.url}")

    def open_page(width: int = 1280, theme: str = "light"):
        context = chromium.new_context(
            viewport={"width": width, "height": 740}, color_scheme=theme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("request", note_request)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def violations(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]}"
        for violation in Axe().run(page, options=RULES).response["violations"]
        for node in violation["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("which", ["small", TUTORIAL])
def test_axe_finds_no_violation_of_wcag_2_1_aa(request, open_page, which, theme):
    site = request.getfixturevalue(f"{which}_site")
    page = open_page(360, theme)  # where most has to scroll
    found = {}
    for name in pages(site):
        page.goto((site / name).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        found[name] = violations(page)
    assert found == {name: [] for name in found}


def test_axe_would_notice_a_figure_without_alt_text(small_site, open_page):
    page = open_page()
    page.goto((small_site / "01_first.html").as_uri())
    page.evaluate("document.querySelector('img').removeAttribute('alt')")
    assert [violation.partition(":")[0] for violation in violations(page)] == ["image-alt"]


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_scrolls_sideways(site, open_page, width):
    page = open_page(width)
    for name in pages(site):
        page.goto((site / name).as_uri())
        needed = page.evaluate("document.documentElement.scrollWidth")
        assert needed <= width, f"{name} is {needed} pixels wide"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_follows_the_preference_of_the_reader(small_site, open_page, theme):
    page = open_page(theme=theme)
    page.goto((small_site / "01_first.html").as_uri())
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", color)) / 3
    assert brightness > 200 if theme == "light" else brightness < 60
