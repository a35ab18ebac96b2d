"""Bring the learner's own digits into the form of MNIST's images.

MNIST's authors cropped each digit, scaled it into a box of 20 × 20 pixels keeping its
proportions, and put the box into 28 × 28 pixels so that the ink's centre of mass is in the
middle. The functions here do the same to pen strokes; `pictures.py` finds the digit in a
picture first. Every result is a uint8 array with light ink (up to 255) on a background of 0.
"""

import numpy as np
from PIL import Image
from scipy import ndimage

SIDE = 28
BOX = 20
# Pen width in pixels of the 20 × 20 box; MNIST's own strokes are about this wide.
PEN = 2.5
# Strokes are drawn this many times larger and averaged down: that is the anti-aliasing.
OVERSAMPLING = 10


def crop_to_ink(image: np.ndarray) -> np.ndarray:
    """The smallest part of a 2-D image that holds all its ink, the pixels above 0.

    Raises ValueError unless the image is two-dimensional, finite, not negative and has ink.
    """
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype.kind not in "biuf":
        raise ValueError(f"expected a two-dimensional array of numbers, got {describe(image)}")
    if image.size == 0 or not np.isfinite(image).all() or image.min() < 0:
        raise ValueError("expected finite pixel values of 0 (background) or more, and some pixels")
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if rows.size == 0:
        raise ValueError("expected some ink, but every pixel is 0: the image is blank")
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def fit_in_box(image: np.ndarray) -> np.ndarray:
    """Scale an image so that its longer side is 20 pixels, keeping its proportions.

    Gives a uint8 array of at most (20, 20) whose brightest pixel is 255. Raises ValueError
    as `crop_to_ink` does.
    """
    image = crop_to_ink(image)
    # Divided by the maximum first, so that no number type or magnitude overflows.
    image = image / image.max()
    scale = BOX / max(image.shape)
    height, width = (max(1, round(side * scale)) for side in image.shape)
    small = np.asarray(
        Image.fromarray(image.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    )
    return np.rint(small / small.max() * 255).astype(np.uint8)


def place_by_mass(image: np.ndarray) -> np.ndarray:
    """Put an image of at most 28 × 28 into (28, 28) uint8, its centre of mass in the middle.

    Moves by whole pixels, as MNIST's authors did, and never so far that ink is cut off.
    Raises ValueError as `crop_to_ink` does, and for an image that is too large.
    """
    image = crop_to_ink(image)
    if max(image.shape) > SIDE:
        raise ValueError(f"expected ink of at most 28 × 28 pixels, got {describe(image)}")
    placed = np.zeros((SIDE, SIDE), np.uint8)
    center = ndimage.center_of_mass(image.astype(float))
    # MNIST's centres of mass lie on pixel 14, counted from 0, up to rounding.
    top, left = (
        int(np.clip(round(SIDE / 2 - mass), 0, SIDE - length))
        for mass, length in zip(center, image.shape, strict=True)
    )
    placed[top : top + image.shape[0], left : left + image.shape[1]] = image
    return placed


def center_in_box(image: np.ndarray) -> np.ndarray:
    """Crop to the ink, fit into 20 × 20, place by centre of mass: (28, 28) uint8.

    `image` is two-dimensional, of any size, with light ink on a background of exactly 0.
    Raises ValueError as `crop_to_ink` does.
    """
    return place_by_mass(fit_in_box(crop_to_ink(image)))


def draw_strokes(strokes: list) -> np.ndarray:
    """Draw strokes with MNIST's pen, filling the canvas: (200, 200) uint8.

    The lines are scaled, keeping their proportions, before the pen is put on them, so that a
    small drawing gets no fatter pen than a large one. Raises ValueError as `prepare_strokes`.
    """
    lines = _check_strokes(strokes)
    points = np.concatenate(lines)
    # A dot has no size to scale to; it becomes a round blot.
    extent = max(np.ptp(points, axis=0).max(), 0.05)
    room = (BOX - PEN) * OVERSAMPLING / extent
    edge = PEN * OVERSAMPLING / 2
    lines = [(line - points.min(axis=0)) * room + edge for line in lines]
    return _draw(lines, BOX * OVERSAMPLING)


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
    canvas = _draw([line * side for line in _check_strokes(strokes)], side)
    blocks = canvas.reshape(SIDE, OVERSAMPLING, SIDE, OVERSAMPLING)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def preparation_steps(strokes: list) -> dict[str, np.ndarray]:
    """The four pictures on the way from a drawing to an MNIST-like image, by name, all uint8.

    In this order: the pad as drawn, (28, 28); the ink cropped, at most (200, 200); that fitted,
    at most (20, 20); and that centred, (28, 28). The first and the last are what
    `prepare_strokes` gives without and with centring. Raises ValueError as it does.
    """
    cropped = crop_to_ink(draw_strokes(strokes))
    fitted = fit_in_box(cropped)
    return {
        "as drawn": prepare_strokes(strokes, centered=False),
        "cropped": cropped,
        f"fitted into {BOX} × {BOX}": fitted,
        f"centred in {SIDE} × {SIDE}": place_by_mass(fitted),
    }


def describe(array: np.ndarray) -> str:
    return f"an array of shape {array.shape} and type {array.dtype}"


def _check_strokes(strokes: list) -> list[np.ndarray]:
    """The strokes that have points, each as a float array (points, 2)."""
    form = "expected a list of strokes, each a list of (x, y) points"
    if not isinstance(strokes, list | tuple):
        raise ValueError(form)
    lines = []
    for stroke in strokes:
        try:
            line = np.asarray(stroke, dtype=float)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(form) from error
        if line.size == 0:
            continue
        if line.ndim != 2 or line.shape[1] != 2:
            raise ValueError(form)
        if not ((line >= 0) & (line <= 1)).all():
            raise ValueError("expected coordinates from 0 to 1, fractions of the pad's side")
        lines.append(line)
    if not lines:
        raise ValueError("expected at least one stroke with a point: the pad is empty")
    return lines


def _draw(lines: list[np.ndarray], side: int) -> np.ndarray:
    """Draw lines, in pixels of the canvas, with a round pen: (side, side) uint8, 0 or 255.

    Ink is where a pixel's middle is no farther from a line than the pen's radius. The pages do
    the same sums in the same order (prepare.js), so both draw the same pixels.
    """
    ink = np.zeros((side, side), bool)
    radius = PEN * OVERSAMPLING / 2
    middles = np.arange(side) + 0.5
    for line in lines:
        starts, ends = (line[:-1], line[1:]) if len(line) > 1 else (line, line)
        # Only the pixels around a segment are looked at, from first to last in x and in y.
        first = np.maximum(np.floor(np.minimum(starts, ends) - radius), 0).astype(int)
        last = np.minimum(np.ceil(np.maximum(starts, ends) + radius), side).astype(int)
        for (x, y), (dx, dy), (x0, y0), (x1, y1) in zip(
            *(array.tolist() for array in (starts, ends - starts, first, last)), strict=True
        ):
            right = middles[x0:x1] - x
            down = middles[y0:y1, np.newaxis] - y
            # The nearest point of the segment lies at this part of its way, from 0 to 1.
            length2 = (dx * dx + dy * dy) or 1.0
            part = right * (dx / length2) + down * (dy / length2)
            part = np.minimum(np.maximum(part, 0), 1)
            across, along = right - part * dx, down - part * dy
            ink[y0:y1, x0:x1] |= across * across + along * along <= radius * radius
    return np.where(ink, np.uint8(255), np.uint8(0))
