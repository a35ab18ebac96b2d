"""A small picture for each notebook, made of one of the figures that its execution has drawn."""

import base64
import io

import nbformat
from PIL import Image

SIZE = (560, 400)  # pixels, at most; twice what the front page shows, for sharp screens
QUALITY = 75  # of WebP: some 20 kB a figure


def cover(notebook: nbformat.NotebookNode) -> dict:
    """The figure whose cell is marked {"cover": true}, or else the first: src, alt, width, height.

    Its text is the figure's own. Empty for a notebook without figures.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells.sort(key=lambda cell: not cell.metadata.get("mnist_tutorial", {}).get("cover"))
    outputs = [output for cell in cells for output in cell.outputs]
    figure = next((out for out in outputs if "image/png" in out.get("data", {})), None)
    if figure is None:
        return {}
    image = Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"]))).convert("RGB")
    image.thumbnail(SIZE, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY, method=6)
    source = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    alt = figure.metadata.get("image/png", {}).get("alt", "")
    return {"src": source, "alt": alt, "width": image.width // 2, "height": image.height // 2}
