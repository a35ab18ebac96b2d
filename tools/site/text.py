"""The text of the notebooks, Markdown, as HTML."""

import re
from urllib.parse import unquote

from latex2mathml.converter import convert as convert_math
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath


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
        term = f'<dfn id="term-{slug(text)}">{text}</dfn>'
        return term if is_term(text) else super().strong(text)

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
