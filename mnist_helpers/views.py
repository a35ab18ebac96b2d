"""What the live views of the reading pages need from a run, as JSON beside an output."""

import base64
from collections.abc import Sequence

import numpy as np

# {"view": the view's name, …}: the page builder puts that view in the place of the output.
VIEW_TYPE = "application/vnd.mnist-tutorial.view+json"


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
