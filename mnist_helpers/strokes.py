"""Bring the learner's own digits into the form of MNIST's images.

MNIST's authors cropped each digit, scaled it into a box of 20 × 20 pixels keeping its
proportions, and put the box into 28 × 28 pixels so that the ink's centre of mass is in the
middle. Images are uint8, light ink (up to 255) on a background of 0.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

SIDE, BOX = 28, 20
PEN = 2.5  # width in pixels of the box; MNIST's own strokes are about this wide
OVERSAMPLING = 10  # strokes are drawn larger and averaged down: that is the anti-aliasing

# Ten digits drawn for the tutorial, by digit, in the sizes and places in which people draw.
_FILE = Path(__file__).with_name("drawings.json")
EXAMPLE_DRAWINGS = {
    int(digit): [[(x, y) for x, y in stroke] for stroke in strokes]
    for digit, strokes in json.loads(_FILE.read_text(encoding="utf-8")).items()
}


def crop_to_ink(image: np.ndarray) -> np.ndarray:
    """The smallest part of a 2-D image that holds all its ink, the pixels above 0."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit_in_box(image: np.ndarray) -> np.ndarray:
    """Crop to the ink, and scale it to a longer side of 20 pixels: uint8, its maximum 255."""
    image = crop_to_ink(image)
    scale = BOX / max(image.shape)
    height, width = (max(1, round(side * scale)) for side in image.shape)
    image = Image.fromarray((image / image.max()).astype(np.float32))
    small = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return np.rint(small / small.max() * 255).astype(np.uint8)


def place_by_mass(image: np.ndarray) -> np.ndarray:
    """Put the ink of a small image into (28, 28) uint8, its centre of mass in the middle."""
    image = crop_to_ink(image)
    # On pixel 14, counted from 0, by whole pixels, as MNIST's authors did, and never cut off.
    corner = np.round(SIDE / 2 - np.array(ndimage.center_of_mass(image.astype(float))))
    top, left = np.clip(corner.astype(int), 0, SIDE - np.array(image.shape))
    placed = np.zeros((SIDE, SIDE), np.uint8)
    placed[top : top + image.shape[0], left : left + image.shape[1]] = image
    return placed


def center_in_box(image: np.ndarray) -> np.ndarray:
    """MNIST's own preparation of a 2-D image, high where the ink is: (28, 28) uint8."""
    return place_by_mass(fit_in_box(image))


def draw_strokes(strokes: list) -> np.ndarray:
    """Draw strokes, scaled, with the pen that fits: uint8 (200, 200), 0 or 255."""
    lines = check_strokes(strokes)
    points = np.concatenate(lines)
    # A dot has no size to scale to; it becomes a round blot.
    extent = max(np.ptp(points, axis=0).max(), 0.05)
    scale = (BOX - PEN) * OVERSAMPLING / extent
    edge = PEN * OVERSAMPLING / 2
    return _draw([(line - points.min(axis=0)) * scale + edge for line in lines], BOX * OVERSAMPLING)


def prepare_strokes(strokes: list, centered: bool = True) -> np.ndarray:
    """Turn a drawing into an MNIST-like image, (28, 28) uint8.

    `strokes` is a list of strokes, each a list of (x, y) points with x to the right and y
    downwards, from 0 to 1 of the pad's side. With `centered=False` the whole pad is only
    shrunk to 28 × 28: the digit keeps the place and the size that it was drawn with.
    Raises ValueError if there is no point, or one that is not two numbers from 0 to 1.
    """
    if centered:
        return center_in_box(draw_strokes(strokes))
    side = SIDE * OVERSAMPLING
    canvas = _draw([line * side for line in check_strokes(strokes)], side)
    blocks = canvas.reshape(SIDE, OVERSAMPLING, SIDE, OVERSAMPLING)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def preparation_steps(strokes: list) -> dict[str, np.ndarray]:
    """The four pictures on the way from a drawing to an MNIST-like image, by name, all uint8.

    The pad as drawn, (28, 28); the ink cropped, at most (200, 200); that fitted, at most (20, 20);
    and that centred, (28, 28), as `prepare_strokes` gives it. Raises ValueError as it does.
    """
    cropped = crop_to_ink(draw_strokes(strokes))
    fitted = fit_in_box(cropped)
    return {
        "as drawn": prepare_strokes(strokes, centered=False),
        "cropped": cropped,
        f"fitted into {BOX} × {BOX}": fitted,
        f"centred in {SIDE} × {SIDE}": place_by_mass(fitted),
    }


def check_strokes(strokes: list) -> list[np.ndarray]:
    """The strokes that have points, each as a float array (points, 2), or ValueError."""
    form = "expected a list of strokes, each a list of (x, y) points"
    if not isinstance(strokes, list | tuple):
        raise ValueError(form)
    try:
        lines = [np.asarray(stroke, dtype=float) for stroke in strokes]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(form) from error
    lines = [line for line in lines if line.size]
    if not lines:
        raise ValueError("expected at least one stroke with a point: the pad is empty")
    for line in lines:
        if line.ndim != 2 or line.shape[1] != 2:
            raise ValueError(form)
        if not ((line >= 0) & (line <= 1)).all():
            raise ValueError("expected coordinates from 0 to 1, fractions of the pad's side")
    return lines


def _draw(lines: list[np.ndarray], side: int) -> np.ndarray:
    """Draw lines, in pixels of the canvas, with a round pen: (side, side) uint8, 0 or 255.

    Ink is where a pixel's middle is no farther from a line than the pen's radius. The pages do
    the same sums in the same order (prepare.js), so both draw the same pixels.
    """
    ink, middles = np.zeros((side, side), bool), np.arange(side) + 0.5
    radius = PEN * OVERSAMPLING / 2
    for line in lines:
        starts, ends = (line[:-1], line[1:]) if len(line) > 1 else (line, line)
        # Only the pixels around a segment are looked at, from first to last in x and in y.
        first = np.maximum(np.floor(np.minimum(starts, ends) - radius), 0).astype(int)
        last = np.minimum(np.ceil(np.maximum(starts, ends) + radius), side).astype(int)
        segments = (array.tolist() for array in (starts, ends - starts, first, last))
        for (x, y), (dx, dy), (x0, y0), (x1, y1) in zip(*segments, strict=True):
            right = middles[x0:x1] - x
            down = middles[y0:y1, np.newaxis] - y
            # The nearest point of the segment lies at this part of its way, from 0 to 1.
            length2 = (dx * dx + dy * dy) or 1.0
            part = right * (dx / length2) + down * (dy / length2)
            part = np.minimum(np.maximum(part, 0), 1)
            across, along = right - part * dx, down - part * dy
            ink[y0:y1, x0:x1] |= across * across + along * along <= radius * radius
    return np.where(ink, np.uint8(255), np.uint8(0))
