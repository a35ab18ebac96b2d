"""Bring the learner's own digits into the form of MNIST's images.

MNIST's authors cropped each digit, scaled it into a box of 20 × 20 pixels keeping its
proportions, and put the box into 28 × 28 pixels so that the ink's centre of mass is in the
middle. The functions here do the same to pen strokes and to pictures. Every result is a
uint8 array with light ink (up to 255) on a background of 0.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

SIDE = 28
BOX = 20
# Pen width in pixels of the 20 × 20 box; MNIST's own strokes are about this wide.
PEN = 2.5
# Strokes are drawn this many times larger and averaged down: that is the anti-aliasing.
OVERSAMPLING = 10
# Pictures are worked on at this size; a phone's millions of pixels add nothing to 28 × 28.
WORKING_SIDE = 256


def crop_to_ink(image: np.ndarray) -> np.ndarray:
    """The smallest part of a 2-D image that holds all its ink, the pixels above 0.

    Raises ValueError unless the image is two-dimensional, finite, not negative and has ink.
    """
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype.kind not in "biuf":
        raise ValueError(f"expected a two-dimensional array of numbers, got {_describe(image)}")
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
        raise ValueError(f"expected ink of at most 28 × 28 pixels, got {_describe(image)}")
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
    return np.asarray(Image.fromarray(canvas).reduce(OVERSAMPLING))


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


def prepare_picture(array: np.ndarray) -> np.ndarray:
    """Turn a picture of one handwritten digit into an MNIST-like image, (28, 28) uint8.

    `array` is grey (height, width) or in colour (height, width, channels), 8 pixels or more
    each way, of any number type. One or three channels are colours; with two or four the last
    is opacity, and white paper is put behind. Ink may be darker or lighter than the paper,
    which may be noisy or unevenly lit. Raises ValueError, saying what was expected, for any
    other array and where no digit stands out from its background.
    """
    channels = _shrink(_check_picture(array))
    ink = _ink_of(channels - _background_of(channels))
    smooth = ndimage.gaussian_filter(ink, max(ink.shape) / WORKING_SIDE)
    mask = smooth > _otsu_threshold(np.clip(smooth, 0, None))
    paper = smooth[~mask]
    noise = 1.4826 * np.median(np.abs(paper - np.median(paper))) if paper.size else np.inf
    # In pure noise the brighter half lies about 1.5 deviations out; ink lies far beyond.
    if not mask.any() or smooth[mask].mean() <= 4 * noise:
        raise ValueError("expected a digit, but nothing stands out from the background")
    mask = _without_specks(mask)
    extent = max(crop_to_ink(mask).shape)
    if extent < max(mask.shape) / 16:
        raise ValueError("expected a digit that fills at least a sixteenth of the picture's side")
    # One pixel around the mask keeps the grey edge of the strokes.
    edge = ndimage.binary_dilation(mask, np.ones((3, 3)))
    digit = np.clip(smooth / np.percentile(smooth[mask], 90), 0, 1) * edge
    # Rounding leaves a trace of ink where there is none; it must not widen the crop.
    digit[digit < 0.02] = 0
    return center_in_box(_thicken(digit, mask, extent))


def _describe(array: np.ndarray) -> str:
    return f"an array of shape {array.shape} and type {array.dtype}"


def _check_strokes(strokes: list) -> list[np.ndarray]:
    """The strokes that have points, each as a float array (points, 2)."""
    if not isinstance(strokes, list | tuple):
        raise ValueError(f"expected a list of strokes, got {type(strokes).__name__}")
    lines = []
    for stroke in strokes:
        try:
            line = np.asarray(stroke, dtype=float)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError("expected strokes as lists of (x, y) points") from error
        if line.size == 0:
            continue
        if line.ndim != 2 or line.shape[1] != 2:
            raise ValueError(f"expected strokes as lists of (x, y) points, got shape {line.shape}")
        if not ((line >= 0) & (line <= 1)).all():
            raise ValueError("expected coordinates from 0 to 1, fractions of the pad's side")
        lines.append(line)
    if not lines:
        raise ValueError("expected at least one stroke with a point: the pad is empty")
    return lines


def _draw(lines: list[np.ndarray], side: int) -> np.ndarray:
    """Draw lines, in pixels of the canvas, with a round pen: (side, side) uint8, 0 or 255."""
    canvas = Image.new("L", (side, side))
    pen = ImageDraw.Draw(canvas)
    radius = PEN * OVERSAMPLING / 2
    for line in lines:
        pen.line(line.ravel().tolist(), fill=255, width=round(2 * radius))
        for x, y in line.tolist():
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(canvas)


def _check_picture(array: np.ndarray) -> np.ndarray:
    """The picture as floats (height, width, colours), 0 to 1, opacity resolved."""
    try:
        picture = np.asarray(array)
    except ValueError as error:  # lists of different lengths
        raise ValueError("expected a picture as numbers, in rows of the same length") from error
    if picture.dtype.kind not in "biuf" or picture.ndim not in (2, 3) or picture.size == 0:
        raise ValueError(
            "expected a picture as numbers of shape (height, width) or (height, width, channels), "
            f"got {_describe(picture)}"
        )
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    if picture.shape[2] > 4 or min(picture.shape[:2]) < 8:
        raise ValueError(
            f"expected 1 to 4 channels and at least 8 × 8 pixels, got {_describe(picture)}"
        )
    picture = picture.astype(float)
    if not np.isfinite(picture).all():
        raise ValueError("expected finite pixel values, but some are NaN or infinite")
    # Divided before anything is added or multiplied, so that no magnitude overflows.
    picture = picture / max(np.abs(picture).max(), np.finfo(float).tiny)
    if picture.shape[2] in (2, 4):
        # The highest value of all stands for white and for fully opaque.
        white = picture.max()
        opacity = np.clip(picture[..., -1:] / white, 0, 1) if white > 0 else 0
        picture = picture[..., :-1] * opacity + white * (1 - opacity)
    if np.ptp(picture) == 0:
        raise ValueError("expected a digit, but all pixels are the same: the picture is blank")
    return (picture - picture.min()) / np.ptp(picture)


def _shrink(picture: np.ndarray) -> np.ndarray:
    """Average a large picture down to the working size; a small one stays as it is."""
    height, width = picture.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    channels = [
        Image.fromarray(channel.astype(np.float32)).resize(size, Image.Resampling.BOX)
        for channel in np.moveaxis(picture, 2, 0)
    ]
    return np.stack(channels, axis=2).astype(float)


def _background_of(channels: np.ndarray) -> np.ndarray:
    """The light that falls on the paper: a plane through the picture's margin, per channel."""
    height, width, _ = channels.shape
    down, right = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    plane = np.stack([np.ones_like(down), down, right], axis=2)
    margin = np.maximum(abs(down), abs(right)) > 0.85
    background = np.median(channels[margin], axis=0)
    # Each round leaves out what differs most from the round before: ink that touches the edge.
    for _ in range(3):
        error = np.linalg.norm(channels - background, axis=2)
        used = margin & (error <= 3 * np.median(error[margin]) + 1e-9)
        background = plane @ np.linalg.lstsq(plane[used], channels[used], rcond=None)[0]
    return background


def _ink_of(difference: np.ndarray) -> np.ndarray:
    """Differences from the background (height, width, colours) as one channel, ink positive."""
    flat = difference.reshape(-1, difference.shape[2])
    # The direction between the paper's colour and the ink's is that of the largest spread.
    direction = np.linalg.eigh(flat.T @ flat)[1][:, -1]
    ink = difference @ direction
    # Ink covers less of the page than paper, so its side has the longer tail.
    return ink if (ink**3).sum() >= 0 else -ink


def _otsu_threshold(values: np.ndarray) -> float:
    """The value that best splits an array into two groups.

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE
    Transactions on Systems, Man, and Cybernetics 9 (1979).
    """
    counts, edges = np.histogram(values, bins=128)
    middles = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[-2::-1]
    sums = np.cumsum(counts * middles)
    gap = sums[:-1] / np.maximum(below, 1) - (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * gap**2)])


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """The connected parts of a mask that are at least a tenth as large as the largest."""
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    kept = sizes >= sizes.max() / 10
    # A digit is one stroke or a few; a page of dust is many spots of the same size.
    if kept.sum() > 10:
        raise ValueError(f"expected one digit, but found {kept.sum()} separate spots")
    return kept[parts] & mask


def _thicken(digit: np.ndarray, mask: np.ndarray, extent: int) -> np.ndarray:
    """Widen the strokes of a thin pen, which would fade at 20 × 20, to MNIST's width."""
    # Across a stroke of width w the mean distance to its edge is w / 4.
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][mask]
    unit = extent / BOX
    missing = PEN - 4 * inside.mean() / unit
    if missing < 1:
        return digit
    radius = missing * unit / 2
    reach = int(np.ceil(radius))
    digit = np.pad(digit, reach)
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return ndimage.grey_dilation(digit, footprint=np.hypot(down, right) <= radius)
