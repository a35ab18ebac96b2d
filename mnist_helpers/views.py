"""What the live views of the reading pages need from a run, as JSON beside an output."""

import base64
from collections.abc import Mapping, Sequence

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


def shift_view(
    images: np.ndarray,
    labels: Sequence[int],
    shifts: Sequence[int],
    accuracies: Mapping[str, np.ndarray],
) -> dict:
    """The page's view to move a digit: `images`, uint8 (n, 28, 28), and what `plot_shifts` draws.

    `shifts` and `accuracies` are as `plot_shifts` takes them; the view draws the means. Raises
    ValueError for images or labels that do not fit.
    """
    curves = []  # a list, because a notebook's file does not keep the order of a dictionary
    for name, trainings in accuracies.items():
        means = np.atleast_2d(trainings).mean(axis=0)
        curves.append({"name": name, "accuracies": [round(float(mean), 4) for mean in means]})
    return {
        "view": "shift",
        "digits": digits_as_json(images, labels),
        "shifts": [int(shift) for shift in shifts],
        "curves": curves,
    }
