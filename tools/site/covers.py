"""A small picture for each notebook, made of one of the figures that its execution has drawn."""

import base64
import html
import io

import nbformat
from PIL import Image

SIZE = (560, 400)  # pixels, at most; twice what the front page shows, for sharp screens
QUALITY = 75  # of WebP: some 20 kB a figure


def cover(notebook: nbformat.NotebookNode) -> str:
    """An <img> of the figure whose cell is marked {"cover": true}, or else of the first one.

    Its text is the figure's own. Empty for a notebook without figures.
    """
    figures = [
        (cell.metadata.get("mnist_tutorial", {}).get("cover", False), output)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    if not figures:
        return ""
    _, figure = max(figures, key=lambda marked_and_output: marked_and_output[0])
    image = Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"]))).convert("RGB")
    image.thumbnail(SIZE, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=6)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    alt = html.escape(figure.metadata.get("image/png", {}).get("alt", ""))
    size = f'width="{image.width // 2}" height="{image.height // 2}"'
    return f'<img src="{source}" alt="{alt}" {size}>'
