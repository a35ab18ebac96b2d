"""Render the executed notebooks as a site to read: plain HTML that needs no network.

A folder holds the notebooks, in the order of their names, and in `solutions/` one notebook
NAME_solutions.ipynb for each NAME.ipynb that has exercises.
"""

import re
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import nbformat
from covers import cover
from latex2mathml.converter import convert as convert_math
from live import add_live_parts, live_views
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets.config import Config

from mnist_helpers.views import VIEW_TYPE

TEMPLATE = Path(__file__).with_name("site_template")
TITLE = "Two neural networks on MNIST"
# How fast someone reads who wants to understand it.
WORDS_A_MINUTE, LINES_A_MINUTE = 120, 10
# What a page can show, best first. Widgets need a kernel; their text stands for them.
SHOWN = [VIEW_TYPE, "image/png", "text/html", "text/markdown", "text/plain"]
# The notebooks link to their neighbours for JupyterLab; a page has its own links for that.
NEIGHBOURS = re.compile(r"^(Previous|Next|Back to the notebook): .*\.ipynb\).*\n?", re.MULTILINE)


def slug(heading: str) -> str:
    """A heading's text, or a link's fragment, as the id of the heading."""
    words = re.sub(r"[^\w\s-]", "", unquote(heading).lower())
    return re.sub(r"[\s-]+", "-", words).strip("-")


def is_term(bold: str) -> bool:
    """Whether what stands in bold is a word being explained, and not the start of a task."""
    return not re.search(r"[.:?]$|^\d", bold)


class Renderer(IPythonRenderer):
    """Markdown to HTML, with MathML for formulas, page links, and tables that can scroll."""

    def strong(self, text: str) -> str:
        if not is_term(text):
            return super().strong(text)
        return f'<dfn id="term-{slug(text)}">{text}</dfn>'

    def heading(self, text: str, level: int, **attrs) -> str:
        name = slug(re.sub(r"<[^>]+>", "", text))
        anchor = f'<a class="anchor" href="#{name}" aria-label="Link to this section">#</a>'
        return f'<h{level} id="{name}">{text}{anchor}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if not re.match(r"[a-z]+:", url):  # to a notebook or a section, now to its page
            path, mark, fragment = url.partition("#")
            url = re.sub(r"\.ipynb$", ".html", path) + mark + slug(fragment)
        return super().link(text, url, title)

    def block_math(self, body: str) -> str:
        formula = convert_math(body.strip(), display="block")
        return f'<span class="wide" tabindex="0">{formula}</span>'

    def inline_math(self, body: str) -> str:
        return convert_math(body)


def markdown_to_html(source: str) -> str:
    html = MarkdownWithMath(renderer=Renderer(escape=False)).render(source)
    html = html.replace("<table>", '<div class="wide" tabindex="0"><table>')
    return can_scroll(html.replace("</table>", "</table></div>"))


def can_scroll(html: str) -> str:
    """Let the keyboard reach, and so scroll, what is wider than the screen."""
    return re.sub(r"<pre(?! tabindex)", '<pre tabindex="0"', html)


def markdown_of(notebook: nbformat.NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def title_of(notebook: nbformat.NotebookNode, name: str) -> str:
    found = re.search(r"^# (.+)$", markdown_of(notebook), re.MULTILINE)
    return found.group(1).strip() if found else name


def html_under(notebook: nbformat.NotebookNode, heading: str) -> str:
    """The text between a heading and the next one; empty where there is no such heading."""
    section = rf"^#+ {heading}\s*\n(.*?)(?=^#|\Z)"
    found = re.search(section, markdown_of(notebook), re.MULTILINE | re.DOTALL)
    return markdown_to_html(found.group(1).strip()) if found else ""


# A sentence ends where the next one, or nothing, follows; a formula or a link may hold a dot.
SENTENCE_END = re.compile(r"(?<=[.?:])\s+(?=[A-Z*`])")


def glossary(notebooks: dict[str, nbformat.NotebookNode]) -> list[dict]:
    """The words that the notebooks explain, each with its sentence and the place it stands at."""
    entries = {}
    for name, notebook in notebooks.items():
        for paragraph in re.split(r"\n\s*\n|\n(?=[-\d|])", markdown_of(notebook)):
            for sentence in SENTENCE_END.split(" ".join(paragraph.split())):
                for term in filter(is_term, re.findall(r"\*\*(.+?)\*\*", sentence)):
                    entry = {"href": f"{name}.html#term-{slug(term)}"}
                    entry["notebook"] = title_of(notebook, name)
                    entry["html"] = markdown_to_html(re.sub(r"^[-*] |\*\*", "", sentence))
                    if sentence.startswith(f"**{term}**") and term[1:].islower():
                        term = term[0].lower() + term[1:]
                    entries.setdefault(slug(term), entry | {"term": term})
    return [entries[key] for key in sorted(entries)]


def is_hidden(cell: nbformat.NotebookNode, what: str) -> bool:
    """Whether a cell's "source" or "outputs" is folded when the notebook is opened."""
    return bool(cell.metadata.get("jupyter", {}).get(f"{what}_hidden"))


def first_comment(cell: nbformat.NotebookNode) -> str:
    """What a cell says of itself: the comment that it starts with, or nothing."""
    found = re.match(r"# ?(.+)", cell.source)
    return found.group(1).rstrip(".") if found else ""


def minutes_to_read(notebook: nbformat.NotebookNode) -> int:
    """How long the text and the code that is not folded take, rounded to five minutes."""
    without_addresses = re.sub(r"\]\([^)]*\)", "]", markdown_of(notebook))
    code = [c for c in notebook.cells if c.cell_type == "code" and not is_hidden(c, "source")]
    lines = sum(len(cell.source.splitlines()) for cell in code)
    minutes = len(without_addresses.split()) / WORDS_A_MINUTE + lines / LINES_A_MINUTE
    return 5 * max(1, round(minutes / 5))


def sections_of(html: str) -> list[dict]:
    """The headings of a page below its title: level, id and text, as HTML without elements."""
    found = re.findall(r'<h([23]) id="([^"]+)">(.*?)<a [^>]*class="anchor"', html, re.DOTALL)
    plain = partial(re.sub, r"<[^>]+>", "")
    return [{"level": int(level), "id": name, "text": plain(text)} for level, name, text in found]


def made(notebook: nbformat.NotebookNode, run: dict) -> dict:
    """When a notebook was executed, and on which data and machine; empty if that is not known.

    A notebook that was stored with its outputs, as the solutions are, does not tell its time.
    """
    end = notebook.metadata.get("papermill", {}).get("end_time")
    if not end:
        return {}
    time = datetime.fromisoformat(end)
    return {"datetime": end[:10], "date": f"{time.day} {time:%B %Y}"} | run


def describe(notebook: nbformat.NotebookNode, name: str) -> dict:
    """What the front page says of a notebook, in the notebook's own words."""
    number = re.match(r"\d+", name).group()
    return {
        "href": f"{name}.html",
        "title": f"{int(number)}. {title_of(notebook, name)}",
        "summary": html_under(notebook, "What you.ll do"),
        "goals": html_under(notebook, "What you.ll learn"),
        "time": notebook.metadata.get("mnist_tutorial", {}).get("time"),
        "minutes": minutes_to_read(notebook),
        "cover": cover(notebook),
    }


def links_between(pages: list[dict], number: int) -> list[dict]:
    """The page before and the page after one of the notebooks."""
    links = []
    if number > 0:
        links.append({**pages[number - 1], "text": pages[number - 1]["title"], "rel": "prev"})
    if number + 1 < len(pages):
        links.append({**pages[number + 1], "text": pages[number + 1]["title"], "rel": "next"})
    return links


def read_notebooks(folder: Path) -> dict[str, nbformat.NotebookNode]:
    """The notebooks of a folder by name, without their links to one another."""
    # A notebook that failed is kept for its author as NAME.failed.ipynb; it is no page.
    paths = [path for path in sorted(folder.glob("[0-9]*.ipynb")) if "." not in path.stem]
    notebooks = {path.stem: nbformat.read(path, as_version=4) for path in paths}
    for notebook in notebooks.values():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = NEIGHBOURS.sub("", cell.source)
        notebook.cells = [
            cell
            for cell in notebook.cells
            if cell.source.strip() and "not-on-page" not in cell.metadata.get("tags", [])
        ]
    return notebooks


def build_site(source: Path, out: Path, about: dict | None = None) -> None:
    """Write a page for each notebook in `source` and for each solution, front page and glossary.

    `about` holds what the notebooks do not know: "executed", a dictionary with "dataset" and
    "machine" for each notebook's name, and what `links.links` gives. Pages of an earlier run
    that have no notebook any more are removed from `out`. Raises FileNotFoundError if `source`
    holds no notebook.
    """
    about = about or {}
    executed = about.get("executed", {})
    notebooks = read_notebooks(source)
    solutions = read_notebooks(source / "solutions")
    if not notebooks:
        raise FileNotFoundError(f"{source} holds no notebook; `make run` puts them there")
    exporter = HTMLExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        filters={
            "markdown2html": markdown_to_html,
            "slug": slug,
            "can_scroll": can_scroll,
            "is_hidden": is_hidden,
            "first_comment": first_comment,
        },
        config=Config({"NbConvertBase": {"display_data_priority": SHOWN}}),
    )

    add_live_parts(exporter.environment, out)
    (out / "solutions").mkdir(parents=True, exist_ok=True)
    for old_page in [*out.glob("*.html"), *out.glob("solutions/*.html")]:
        old_page.unlink()

    def write_page(href: str, template: str, **values) -> None:
        html = exporter.environment.get_template(template).render(site=TITLE, **values)
        (out / href).write_text(html, encoding="utf-8")

    def write_notebook(href: str, notebook: nbformat.NotebookNode, title: str, **values) -> None:
        body, _ = exporter.from_notebook_node(notebook)
        title = f"{title} – {TITLE}"
        values |= {"body": body, "sections": sections_of(body), "live": live_views(notebook)}
        write_page(href, "notebook_page.html.j2", title=title, **values)

    pages = [describe(notebook, name) for name, notebook in notebooks.items()]
    for number, (name, notebook) in enumerate(notebooks.items()):
        page = pages[number]
        page["colab"] = about.get("colab", {}).get(name)
        page["made"] = made(notebook, executed.get(name, {}))
        links = links_between(pages, number)
        write_notebook(page["href"], notebook, page["title"], links=links, made=page["made"])
        solution = solutions.get(f"{name}_solutions")
        if solution:
            title = title_of(solution, f"{name}_solutions")
            page["solutions"] = {"href": f"solutions/{name}_solutions.html", "title": title}
            back = {"href": f"../{page['href']}", "text": page["title"], "rel": "prev"}
            write_notebook(
                page["solutions"]["href"], solution, title, links=[back], top="../", made={}
            )
    made_last = max((page["made"] for page in pages), key=lambda made: made.get("datetime", ""))
    write_page(
        "index.html",
        "contents_page.html.j2",
        title=TITLE,
        notebooks=pages,
        live=["pad"],
        made=made_last,
        about=about,
        words=WORDS_A_MINUTE,
        lines=LINES_A_MINUTE,
    )
    terms = glossary(notebooks)
    title = f"Glossary – {TITLE}"
    write_page("glossary.html", "glossary_page.html.j2", title=title, entries=terms)
