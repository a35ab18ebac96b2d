"""A small picture for each notebook, made of one of the figures that its execution has drawn."""

import base64
import html
import io

import nbformat
from PIL import Image

WIDTH, HEIGHT = 560, 400  # at most; twice what the front page shows, for sharp screens
MOST_BYTES = 30_000


def figures(notebook: nbformat.NotebookNode) -> list[tuple[bool, str, str]]:
    """Whether it is marked as the cover, the PNG in base64 and the alt text, for each figure."""
    found = []
    for cell in notebook.cells:
        marked = cell.metadata.get("mnist_tutorial", {}).get("cover", False)
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get("image/png")
            if picture:
                alt = output.metadata.get("image/png", {}).get("alt", "")
                found.append((marked, picture, alt))
    return found


def shrink(png: bytes) -> tuple[bytes, int, int]:
    """A picture as WebP of at most MOST_BYTES, with its width and height in pixels."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    for quality in range(90, 0, -10):
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= MOST_BYTES:
            break
    return buffer.getvalue(), *image.size


def cover(notebook: nbformat.NotebookNode) -> str:
    """An <img> of the figure whose cell is marked {"cover": true}, or else of the first one.

    Its text is the figure's own. Empty for a notebook without figures.
    """
    choice = sorted(figures(notebook), key=lambda figure: not figure[0])
    if not choice:
        return ""
    _, picture, alt = choice[0]
    webp, width, height = shrink(base64.b64decode(picture))
    source = f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
    size = f'width="{width // 2}" height="{height // 2}"'
    return f'<img src="{source}" alt="{html.escape(alt)}" {size}>'
