"""What the tests of the pages share: a small site, pages opened in a browser, what axe finds."""

import base64
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.site.build import build_site
from tools.site.export import export_networks

# WCAG 2.1, levels A and AA, with no rule left out; in the second theme those about colours.
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "dark": ["color-contrast", "link-in-text-block"],
}
LAPTOP = {"viewport": {"width": 1280, "height": 740}}
PHONE = {"viewport": {"width": 320, "height": 740}, "has_touch": True, "is_mobile": True}
ALT = 'A digit: "3" < 4 & more.'
FIRST = """# Explore a little

Next: [Go on](02_second.ipynb)

## What you'll do

Look at a "digit" & count.

## What you'll learn

- to look
"""
TERMS = """An image is made of **pixels**. The **brightness** of one is a number from 0 to 255,
such as 3.5 is not. **Guess first:** how many are there?

- **Shape** and **Ink**: two more words.

## Ask whether `3 < 4`

### Write *it* as a formula

$$\\lVert x - m \\rVert^2 = \\sum_i (x_i - m_i)^2$$

Inline it is $x_i$.

| images | used for |
|---|---|
| training (48,000 images of handwritten digits) | learning the weights, in every single epoch |
"""
SECOND = """# Go on

Previous: [Explore a little](01_first.ipynb)

See [the formula](01_first.ipynb#Write-it-as-a-formula), the
[solution](solutions/01_first_solutions.ipynb#1.-Count-them) and [more](extras/more.ipynb).

Again, **pixels** are what an image is made of.
"""
SOLUTION = "# Solve it\n\nBack to the notebook: [E](../01_first.ipynb)\n\n## 1. Count them"


def png(width: int, height: int) -> str:
    """A picture of so many pixels, in base64."""
    buffer = BytesIO()
    Figure(figsize=(width / 100, height / 100), dpi=100).savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def display(data: dict, metadata: dict | None = None) -> nbformat.NotebookNode:
    return new_output("display_data", data=data, metadata=metadata or {})


def code(source: str, *outputs, **metadata) -> nbformat.NotebookNode:
    return new_code_cell(source, execution_count=1, outputs=list(outputs), metadata=metadata)


def write_notebook(path: Path, *cells, **metadata) -> None:
    cells = [new_markdown_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


def write_small_notebooks(folder: Path) -> None:
    """Two notebooks, an extra and a solution that hold every kind of cell and output."""
    size = {"image/png": {"alt": ALT, "width": 800, "height": 100}}
    row = "<td>12,345,678</td>" * 20
    table = f"<table border='1' class='dataframe'><tr>{row}</tr></table>"
    rich = '<span style="color: #00d7ff">dense layer</span> ' * 20  # as Keras's summary is
    rich = f'<pre style="overflow-x:auto">{rich}</pre>'
    widget = {"text/plain": "A button.", "application/vnd.jupyter.widget-view+json": {}}
    long = "for n in range(10):  # a comment\n    print(f'{n:.2f} in a long line', 'text' * 20, n)"
    hidden = {name: {f"{name}_hidden": True} for name in ("source", "outputs")}
    claim = '# There are "ten" digits & no more.\nassert digits == 10'
    cells = [
        code(long, new_output("stream", name="stdout", text="digit 3 " * 40 + "\n")),
        code("draw()", display({"image/png": png(1600, 200), "text/plain": ALT}, size)),
        code("frame", display({"text/html": table, "text/plain": "a table"})),
        code("model.summary()", display({"text/html": rich, "text/plain": "a summary"})),
        code("button", display(widget)),
        code(claim, tags=["claim"], jupyter=hidden["source"]),
        code("# Check the settings above\ncheck(digits, 1, 10)", jupyter=hidden["source"]),
        code("28 * 28", display({"text/plain": "784"}), jupyter=hidden["outputs"]),
        code("# Your turn: twice a number\ndef double(number): ...", tags=["your-turn"]),
        code("show_picture()", tags=["your-turn-check"]),
    ]
    about = {"mnist_tutorial": {"time": "about 2 minutes"}}
    about["papermill"] = {"end_time": "2026-03-09T23:59:58.1+00:00"}
    write_notebook(folder / "01_first.ipynb", FIRST, *cells, TERMS, **about)
    plain = code("draw()", display({"image/png": png(40, 20)}))
    write_notebook(folder / "02_second.ipynb", SECOND, plain)
    write_notebook(folder / "extras" / "more.ipynb", "# More\n\nBack to [1](../01_first.ipynb).")
    write_notebook(folder / "solutions" / "01_first_solutions.ipynb", SOLUTION)
    # What a failed run and JupyterLab leave behind.
    for stray in ("02_second.failed.ipynb", ".ipynb_checkpoints/02_second-checkpoint.ipynb"):
        write_notebook(folder / stray, "# Stray")


def site_with(networks: dict, folder: Path) -> Path:
    """A site of the notebooks in a folder, with networks that answer."""
    for name, network in networks.items():
        network.save(folder / f"{name}.keras")
    export_networks(folder, folder / "site")
    build_site(folder, folder / "site", {})
    return folder / "site"


def pages(site: Path) -> dict[str, str]:
    """The HTML of the pages of a site, by name."""
    return {p.relative_to(site).as_posix(): p.read_text() for p in sorted(site.rglob("*.html"))}


def elements(html: str, selector: str) -> list:
    return BeautifulSoup(html, "html.parser").select(selector)


def opened_pages(chromium) -> Iterator:
    """For a fixture: opens pages from the disk in a browser of their own without a network.

    What they report, and what they ask of others, is an error in the end.
    """
    contexts, problems = [], []

    def open_page(path: Path, **options):
        contexts.append(chromium.new_context(offline=True, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda m: m.type == "error" and problems.append(f"console: {m.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        here = ("file:", "data:", "blob:")
        page.on("request", lambda r: r.url.startswith(here) or problems.append(f"request: {r.url}"))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, problems


def violations(page, rules: list[str]) -> list[str]:
    """What axe finds on a page, each with the beginning of its element."""
    from axe_playwright_python.sync_playwright import Axe

    # What axe passed need not be listed; that takes a third of its time.
    found = Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]}).response
    return [f"{v['id']}: {node['html'][:200]}" for v in found["violations"] for node in v["nodes"]]


def too_wide(page) -> bool:
    """Whether a page has to be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")
