"""A view of a convolution at work, and what the live views of the pages need from a run.

A view in the notebook is an anywidget: its browser's half is the text of parts.js and of its own
script. Its output carries more than the widget, for readers without a kernel: a described
picture, and its values as JSON, from which a page shows the view again.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

# {"view": the view's name, …}: the page builder puts that view in the place of the output.
VIEW_TYPE = "application/vnd.mnist-tutorial.view+json"

# Said where an output is not live: in JupyterLab, too, if it lacks the part that shows widgets.
NOT_LIVE = (
    "Run this cell in the notebook to use it. If it stays as it is, install anywidget where "
    "JupyterLab itself is installed, <code>pip install anywidget</code>, and reload the page."
)

_HERE = Path(__file__).parent
_DESCRIPTION = (
    "The view in use: a digit with a frame around 3 by 3 of its pixels, and beside it the part of "
    "the feature map that the frame has passed; below, the numbers of the patch, times those of "
    "the kernel, are nine products, and their sum is one value of the map."
)


def view_source(file: str) -> str:
    """The text of parts.js or parts.css and, behind it, of a view's own `file` of that kind."""
    own = _HERE / file
    shared = own.with_name(f"parts{own.suffix}")
    return "\n".join(path.read_text(encoding="utf-8") for path in (shared, own))


def with_stand_ins(bundle: tuple, values: dict, picture: str, alt: str, size: tuple) -> tuple:
    """A widget's output, data and metadata, with what readers without a kernel get.

    They see `picture`, a PNG file of this folder, shown at `size` = (width, height) in pixels
    with `alt` as its alternative text, and what to do; a page gets `values` = {"view": name, …}.
    """
    (data, metadata), (width, height) = bundle, size
    png = base64.b64encode((_HERE / picture).read_bytes()).decode()
    about = {"alt": alt, "width": width, "height": height}
    shown = " ".join(f'{name}="{value}"' for name, value in about.items())
    html = f'<img src="data:image/png;base64,{png}" {shown}>\n<p>A picture. {NOT_LIVE}</p>'
    stand_ins = {"image/png": png, "text/html": html, VIEW_TYPE: values}
    return data | stand_ins, metadata | {"image/png": about}


def digits_as_json(images: np.ndarray, labels: Sequence[int]) -> list[dict]:
    """Images, uint8 (n, 28, 28), and their labels, n digits, as a view reads them.

    Raises ValueError for another shape or type, and for another number of labels.
    """
    if images.ndim != 3 or images.shape[1:] != (28, 28) or images.dtype != np.uint8:
        raise ValueError(f"images are {images.dtype} {images.shape}, expected uint8 (n, 28, 28)")
    return [
        {"label": int(label), "pixels": base64.b64encode(image.tobytes()).decode()}
        for image, label in zip(images, labels, strict=True)
    ]


class ConvolutionView(anywidget.AnyWidget):
    """Digits under a frame that is moved about; the patch in it is multiplied by a kernel.

    `images` are uint8 (n, 28, 28) with n `labels`. `kernels` maps the names to choose from to
    weights (3, 3), which are rounded to two decimals, so that what is shown is what is
    computed. The frame starts around the pixel at `row` and `column`, each from 1 to 26.
    Raises ValueError for other shapes.
    """

    _esm = view_source("convolution_view.js")
    _css = view_source("convolution_view.css")

    digits = traitlets.List().tag(sync=True)
    kernels = traitlets.List().tag(sync=True)  # a notebook's file keeps the order of lists alone
    row = traitlets.Int().tag(sync=True)
    column = traitlets.Int().tag(sync=True)

    def __init__(self, images, labels: Sequence[int], kernels: Mapping, row=14, column=14):
        if not kernels or any(np.shape(kernel) != (3, 3) for kernel in kernels.values()):
            raise ValueError("expected one kernel or more by name, each of shape (3, 3)")
        rounded = [
            {"name": name, "weights": np.asarray(kernel, float).round(2).tolist()}
            for name, kernel in kernels.items()
        ]
        digits = digits_as_json(images, labels)
        super().__init__(digits=digits, kernels=rounded, row=int(row), column=int(column))

    def __repr__(self) -> str:
        return _DESCRIPTION

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        names = ("digits", "kernels", "row", "column")
        values = {"view": "convolution"} | {name: getattr(self, name) for name in names}
        bundle = super()._repr_mimebundle_(**kwargs)
        return with_stand_ins(bundle, values, "convolution_view.png", _DESCRIPTION, (600, 587))
