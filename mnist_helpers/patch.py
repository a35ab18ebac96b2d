"""A view of a convolution at work: one patch of a digit, the kernel, their products, the sum."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from .views import VIEW_TYPE, digits_as_json

PATCH_TEXT = (
    "The view in use: a digit with a frame around 3 by 3 of its pixels, and beside it the part of "
    "the feature map that the frame has passed; below, the numbers of the patch, times those of "
    "the kernel, are nine products, and their sum is one value of the map."
)


class PatchView(anywidget.AnyWidget):
    """Digits under a frame that is moved about; the patch in it is multiplied by a kernel.

    `images` are uint8 (n, 28, 28) with n `labels`. `kernels` maps the names to choose from to
    weights (3, 3), which are rounded to two decimals, so that what is shown is what is
    computed. The frame starts around the pixel at `row` and `column`, each from 1 to 26.
    Raises ValueError for other shapes. A page shows the same view; where neither it nor a
    running kernel is there, a picture of the view in use stands in.
    """

    _esm = Path(__file__).with_name("patch.js")
    _css = Path(__file__).with_name("patch.css")

    digits = traitlets.List().tag(sync=True)
    kernels = traitlets.List().tag(sync=True)  # a notebook's file keeps the order of lists alone
    row = traitlets.Int().tag(sync=True)
    column = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        images: np.ndarray,
        labels: Sequence[int],
        kernels: Mapping[str, np.ndarray],
        row: int = 14,
        column: int = 14,
    ):
        if not kernels or any(np.shape(kernel) != (3, 3) for kernel in kernels.values()):
            raise ValueError("expected one kernel or more by name, each of shape (3, 3)")
        super().__init__(
            digits=digits_as_json(images, labels),
            kernels=[
                {"name": name, "weights": np.asarray(kernel, float).round(2).tolist()}
                for name, kernel in kernels.items()
            ],
            row=int(row),
            column=int(column),
        )

    def __repr__(self) -> str:
        return PATCH_TEXT

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        names = ("digits", "kernels", "row", "column")
        picture = Path(__file__).with_name("patch.png").read_bytes()
        data["image/png"] = base64.b64encode(picture).decode()
        data[VIEW_TYPE] = {"view": "patch"} | {name: getattr(self, name) for name in names}
        size = {"width": 600, "height": 587}
        return data, metadata | {"image/png": {"alt": PATCH_TEXT} | size}
