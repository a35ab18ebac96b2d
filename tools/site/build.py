"""Render executed notebooks as a site to read: plain HTML that needs no network.

A folder holds the numbered notebooks, in `extras/` those off the path, and in `solutions/` one
notebook NAME_solutions.ipynb for each NAME.ipynb that has exercises. The live parts of a page are
views: scripts in the form that anywidget takes, which live.js.j2 puts together.
"""

import base64
import io
import re
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from PIL import Image
from traitlets.config import Config

from mnist_helpers.convolution_view import VIEW_TYPE
from mnist_helpers.pad import PICTURE_TEXT

from .text import can_scroll, is_term, markdown_to_html, slug

TEMPLATE = Path(__file__).with_name("template")
HELPERS = Path(__file__).parents[2] / "mnist_helpers"
# Each view's script and styles, without their suffix: in `mnist_helpers/` or in the template.
VIEWS = {"pad": "pad", "convolution": "convolution_view", "shift": "shift"}
ASKING = ["pad", "shift"]  # the views that ask the networks; other pages do without the weights
TITLE = "Two neural networks on MNIST"
# How long things take someone who wants to understand them.
WORDS_A_MINUTE = 150
SECONDS = {"line of code": 8, "figure": 90, "guess": 45, "your turn": 180}
COVER = (560, 400)  # pixels, at most; twice what the front page shows, for sharp screens
COVER_QUALITY = 75  # of WebP: some 20 kB a figure
# What a page can show, best first. Widgets need a kernel; their text stands for them.
SHOWN = [VIEW_TYPE, "image/png", "text/html", "text/markdown", "text/plain"]
# The notebooks link to their neighbours for JupyterLab; a page has its own links for that.
NEIGHBOURS = re.compile(r"^(Previous|Next|Back to the notebook): .*\.ipynb\).*\n?", re.MULTILINE)
# A sentence ends where the next one, or nothing, follows; a formula or a link may hold a dot.
SENTENCE_END = re.compile(r"(?<=[.?:])\s+(?=[A-Z*`])")


def markdown_of(notebook: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def html_under(notebook: nbformat.NotebookNode, heading: str) -> str:
    """The text between a heading and the next one; empty where there is no such heading."""
    section = rf"^#+ {heading}\s*\n(.*?)(?=^#|\Z)"
    found = re.search(section, markdown_of(notebook), re.MULTILINE | re.DOTALL)
    return markdown_to_html(found.group(1).strip()) if found else ""


def is_hidden(cell: nbformat.NotebookNode, what: str) -> bool:
    """Whether a cell's "source" or "outputs" is folded when the notebook is opened."""
    return bool(cell.metadata.get("jupyter", {}).get(f"{what}_hidden"))


def first_comment(cell: nbformat.NotebookNode) -> str:
    """What a cell says of itself: the comment that it starts with, or nothing."""
    found = re.match(r"# ?(.+)", cell.source)
    return found.group(1).rstrip(".") if found else ""


def minutes_to_read(notebook: nbformat.NotebookNode) -> int:
    """How long words, code in sight, figures, guesses and tasks take, rounded to five minutes."""
    without_addresses = re.sub(r"\]\([^)]*\)", "]", markdown_of(notebook))
    seconds = 60 * len(without_addresses.split()) / WORDS_A_MINUTE
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        lines = 0 if is_hidden(cell, "source") else len(cell.source.splitlines())
        figures = sum("image/png" in output.get("data", {}) for output in cell.outputs)
        seconds += SECONDS["line of code"] * lines + SECONDS["figure"] * figures
        seconds += SECONDS["guess"] * is_hidden(cell, "outputs")
        seconds += SECONDS["your turn"] * ("your-turn" in cell.metadata.get("tags", []))
    return 5 * max(1, round(seconds / 60 / 5))


def cover(notebook: nbformat.NotebookNode) -> dict:
    """A small picture of a notebook, with the attributes src, alt, width and height.

    It shows the figure whose cell is marked {"cover": true}, or else the first, and has its text.
    Empty for a notebook without figures.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells.sort(key=lambda cell: not cell.metadata.get("mnist_tutorial", {}).get("cover"))
    outputs = [output for cell in cells for output in cell.outputs]
    figure = next((out for out in outputs if "image/png" in out.get("data", {})), None)
    if figure is None:
        return {}
    image = Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"]))).convert("RGB")
    image.thumbnail(COVER, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=COVER_QUALITY, method=6)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    alt = figure.metadata.get("image/png", {}).get("alt", "")
    return {"src": source, "alt": alt, "width": image.width // 2, "height": image.height // 2}


def live_views(notebook: nbformat.NotebookNode) -> list[str]:
    """The live parts of a notebook, each once, as the outputs of its cells name them."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    views = [output.get("data", {}).get(VIEW_TYPE, {}).get("view") for output in outputs]
    return list(dict.fromkeys(filter(None, views)))


def glossary(pages: list[dict]) -> list[dict]:
    """The words that the notebooks explain, each with its sentence and the page it stands on."""
    entries = {}
    for page in pages:
        for paragraph in re.split(r"\n\s*\n|\n(?=[-\d|])", markdown_of(page["notebook"])):
            for sentence in SENTENCE_END.split(" ".join(paragraph.split())):
                for term in filter(is_term, re.findall(r"\*\*(.+?)\*\*", sentence)):
                    entry = {"href": f"{page['href']}#term-{slug(term)}", "page": page["title"]}
                    entry["html"] = markdown_to_html(re.sub(r"^[-*] |\*\*", "", sentence))
                    if sentence.startswith(f"**{term}**") and term[1:].islower():
                        term = term[0].lower() + term[1:]
                    entries.setdefault(slug(term), entry | {"term": term})
    return [entries[key] for key in sorted(entries)]


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook without what is for JupyterLab alone: where no one writes, nothing is checked."""
    notebook = nbformat.read(path, as_version=4)
    cells = [c for c in notebook.cells if "your-turn-check" not in c.metadata.get("tags", [])]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = NEIGHBOURS.sub("", cell.source)
    notebook.cells = [cell for cell in cells if cell.source.strip()]
    return notebook


def describe(path: Path, source: Path, about: dict) -> dict:
    """A notebook below `source`: where its page is, and what the front page says of it."""
    notebook = read_notebook(path)
    href = path.relative_to(source).with_suffix(".html").as_posix()
    number = re.match(r"\d+(?=_)", href)  # of a lesson
    title, *_ = re.findall(r"^# (.+)$", markdown_of(notebook), re.MULTILINE) or [path.stem]
    page = {
        "notebook": notebook,
        "href": href,
        "title": f"{int(number.group())}. {title}" if number else title,
        "summary": html_under(notebook, "What you.ll do"),
        "goals": html_under(notebook, "What you.ll learn"),
        "time": notebook.metadata.get("mnist_tutorial", {}).get("time"),
        "minutes": minutes_to_read(notebook),
        "cover": cover(notebook),
        "colab": about.get("colab", {}).get(path.stem),
        "made": made(notebook, about),
    }
    solved = source / "solutions" / f"{path.stem}_solutions.ipynb"
    if solved.exists():
        page["solutions"] = describe(solved, source, about) | {"prev": page}
    return page


def made(notebook: nbformat.NotebookNode, about: dict) -> dict:
    """When a notebook was executed, and on which data and machine; empty if that is not known.

    A notebook that was stored with its outputs, as the solutions are, has no time in it.
    """
    end = notebook.metadata.get("papermill", {}).get("end_time")
    if not end:
        return {}
    time = datetime.fromisoformat(end)
    of_the_run = {key: about.get(key) for key in ("dataset", "machine")}
    return of_the_run | {"datetime": end[:10], "date": f"{time.day} {time:%B %Y}"}


def sections_of(html: str) -> list[dict]:
    """The headings of a page below its title: level ("2" or "3"), id and text as HTML."""
    heading = r'<h(?P<level>[23]) id="(?P<id>[^"]+)">(?P<text>.*?)<a [^>]*class="anchor"'
    return [found.groupdict() for found in re.finditer(heading, html, re.DOTALL)]


def exporter_for(out: Path) -> HTMLExporter:
    """What renders notebooks and, by its environment, the pages of the site in `out`."""
    filters = (markdown_to_html, slug, can_scroll, is_hidden, first_comment)
    exporter = HTMLExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        extra_template_paths=[str(HELPERS)],  # for the scripts and styles of its views
        filters={function.__name__: function for function in filters},
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}),
    )
    png = base64.b64encode((HELPERS / "pad.png").read_bytes()).decode()
    pad = {"src": f"data:image/png;base64,{png}", "alt": PICTURE_TEXT, "width": 760, "height": 430}
    networks = "".join(path.read_text() for path in out.glob("networks.js"))  # it may be missing
    values = {"site": TITLE, "view_type": VIEW_TYPE, "view_files": VIEWS, "asking": ASKING}
    exporter.environment.globals |= values | {"networks": networks, "pad_picture": pad}
    return exporter


def write_page(exporter: HTMLExporter, out: Path, href: str, template: str, **values) -> None:
    top = "../" * href.count("/")
    html = exporter.environment.get_template(template).render(top=top, **values)
    (out / href).parent.mkdir(parents=True, exist_ok=True)
    (out / href).write_text(html, encoding="utf-8")


def build_site(source: Path, out: Path, about: dict) -> None:
    """Write a page for each notebook in `source` and for each solution, front page and glossary.

    `about` holds what the notebooks do not know: "dataset" and "machine" of their run, and the
    addresses "repository", "binder" and, by notebook, "colab"; each may be missing. Pages in
    `out` that have no notebook any more are removed. Raises FileNotFoundError if `source` holds
    no notebook.
    """
    # A notebook that failed is kept for its author as NAME.failed.ipynb; it is no page.
    lessons, extras = (
        [describe(path, source, about) for path in sorted(source.glob(p)) if "." not in path.stem]
        for p in ("[0-9]*.ipynb", "extras/*.ipynb")
    )
    if not lessons:
        raise FileNotFoundError(f"{source} holds no notebook; `make run` puts them there")
    for old_page in out.rglob("*.html"):
        old_page.unlink()
    exporter, pages = exporter_for(out), lessons + extras
    write = partial(write_page, exporter, out)
    for page, following in pairwise(pages):
        page["next"], following["prev"] = following, page
    for page in pages + [page["solutions"] for page in pages if "solutions" in page]:
        body, _ = exporter.from_notebook_node(page["notebook"])
        values = {"body": body, "sections": sections_of(body), "live": live_views(page["notebook"])}
        write(page["href"], "notebook_page.html.j2", page=page, **values)
    last = max((page["made"] for page in pages), key=lambda made: made.get("datetime", ""))
    values = {"lessons": lessons, "extras": extras, "live": ["pad"], "made": last, "about": about}
    write("index.html", "contents_page.html.j2", words=WORDS_A_MINUTE, seconds=SECONDS, **values)
    write("glossary.html", "glossary_page.html.j2", entries=glossary(pages))
