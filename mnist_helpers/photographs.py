"""Read a photograph of a handwritten digit: find the paper, the ink on it, and the one digit.

What cannot be read safely is refused with a ValueError that says why. The picture work is
scikit-image's and SciPy's; the last step, MNIST's own preparation, stands in strokes.py.
"""

import csv
import json
import os
import warnings
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from .strokes import BOX, PEN, center_in_box

# All thresholds. The table says what each decides, and on which photographs of the corpus that the
# tests draw it was chosen. Moved by a quarter, none changes the outcome of 5 in 128 of them.
with Path(__file__).with_name("thresholds.csv").open(encoding="utf-8", newline="") as _table:
    T = SimpleNamespace(**{row["name"]: json.loads(row["value"]) for row in csv.DictReader(_table)})


def read_picture(file: str | os.PathLike | BinaryIO) -> np.ndarray:
    """The picture in a file as a person sees it: uint8, (height, width) or (height, width, 3).

    `file` is a path or an open binary file. Turned as its EXIF data say; colour models and
    palettes become RGB, 16 bits 8. Behind transparent parts lies white paper, or black where the
    ink is light. Raises ValueError, with what to do, for one that cannot be read.
    """
    opened = hasattr(file, "read")
    name = "the file" if opened else os.path.expanduser(os.fspath(file))
    try:
        # Pillow only warns of a picture of more than 89 million pixels.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file if opened else name) as image:
                image.load()
                with suppress(Exception):  # damaged EXIF data say nothing about the picture
                    image = ImageOps.exif_transpose(image)
                return _as_seen(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} has too many pixels: make it smaller, 4000 a side do") from error
    except UnidentifiedImageError as error:
        kinds = "JPEG or PNG (a phone's HEIC: share it, or choose the format “most compatible”)"
        raise ValueError(f"{name} is no picture of a known kind: save it as {kinds}") from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{name} cannot be opened ({error.strerror}): check its name") from error
    except Exception as error:  # Pillow's readers raise many kinds for a damaged file
        raise ValueError(f"{name} is damaged or truncated: copy it anew") from error


def _as_seen(image: Image.Image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float32)
        low, high = float(values.min()), float(values.max())
        if image.mode[0] == "I" and low >= 0 and high <= 65_535:
            low, high = 0, 65_535
        span = max(high - low, np.finfo(np.float32).tiny)
        return np.nan_to_num((values - low) / span * 255).astype(np.uint8)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    image = image.convert("RGBA")
    # Premultiplied, because a transparent pixel may have any colour.
    small = image.convert("RGBa").reduce(max(1, max(image.size) // T.working_side))
    behind = _paper_behind(np.asarray(small) / 255)
    seen = Image.new("RGB", image.size, "white" if behind else "black")
    seen.paste(image, mask=image.getchannel("A"))
    return np.asarray(seen)


def _paper_behind(picture: np.ndarray) -> float:
    """White (1.0) or black (0.0), whichever contrasts with a picture with premultiplied opacity."""
    colours, opacity = picture[..., :-1], picture[..., -1:]
    return float(colours.mean() <= opacity.mean() / 2)


def prepare_picture(array: np.ndarray) -> np.ndarray:
    """Turn a picture of one handwritten digit into an MNIST-like image, (28, 28) uint8.

    `array` is (height, width) or (height, width, channels), 8 pixels or more each way, of any
    number type; of two or four channels the last is opacity. The ink may be darker or lighter
    than the paper, the paper unevenly lit, ruled, or a sheet on a table. Raises ValueError, with
    the reason, for any other array and where there is not clearly one digit.
    """
    light = np.log(_shrink(*_check_picture(array)) + T.dark)
    smooth = ndimage.gaussian_filter(light, (*[max(light.shape) / T.working_side] * 2, 0))
    flat = _without_ink(smooth)
    paper = _find_paper(flat)
    # The direction between the paper's colour and the ink's is that of the largest spread.
    difference = (smooth - flat)[paper]
    direction = np.linalg.eigh(difference.T @ difference)[1][:, -1]
    # Ink covers less of the paper than the gaps between its strokes: it has the longer tail.
    sign = np.sign(((difference @ direction) ** 3).sum()) or 1
    ink, parts = _find_ink(-sign * (smooth @ direction), paper)
    digit = _choose_digit(parts)
    # A pixel around the digit keeps the grey edge of its strokes.
    edge = ndimage.binary_dilation(digit, np.ones((3, 3)))
    grey = np.clip(ink / np.percentile(ink[digit], T.black_ink), 0, 1) * edge
    grey[grey < T.trace] = 0
    return center_in_box(_thicken(grey, digit))


def _check_picture(array: np.ndarray) -> tuple[np.ndarray, float]:
    """The picture as (height, width, channels), and its value farthest from 0, or ValueError."""
    form = "expected a picture as numbers of shape (height, width) or (height, width, channels)"
    picture = np.asarray(array)
    got = f"got an array of shape {picture.shape} and type {picture.dtype}"
    if picture.dtype.kind not in "biuf" or picture.ndim not in (2, 3) or picture.size == 0:
        raise ValueError(f"{form}, {got}")
    picture = picture[..., np.newaxis] if picture.ndim == 2 else picture
    if picture.shape[2] > 4 or min(picture.shape[:2]) < T.smallest_picture:
        raise ValueError(f"expected 1 to 4 channels and at least 8 × 8 pixels, {got}")
    # NumPy's maximum, unlike Python's, is NaN where one of them is.
    farthest = float(np.abs([float(picture.min()), float(picture.max())]).max())
    if not np.isfinite(farthest):
        raise ValueError("expected finite pixel values, but some are NaN or infinite")
    return picture, farthest or 1.0


def _shrink(picture: np.ndarray, farthest: float) -> np.ndarray:
    """The picture at working size, float (height, width, colours) from 0 to 1, opacity resolved."""
    step = -(-max(picture.shape[:2]) // T.working_side)
    rows, columns = (max(1, side // step) for side in picture.shape[:2])
    transparent = picture.shape[2] in (2, 4)
    small = np.empty((rows, columns, picture.shape[2]))
    # Row after row, so that a picture of many megapixels is never copied as a whole. Divided
    # before anything is added, so that no magnitude overflows.
    for row in range(rows):
        band = picture[row * step : (row + 1) * step, : columns * step]
        precise = np.float64 if band.dtype.itemsize > 2 else np.float32
        band = np.divide(band, farthest, dtype=precise)
        if transparent:
            band[..., :-1] *= np.clip(band[..., -1:], 0, 1)
        small[row] = band.mean(axis=0).reshape(columns, -1, picture.shape[2]).mean(axis=1)
    if transparent:
        # The highest value of all stands for white and for fully opaque.
        behind = (1 - np.clip(small[..., -1:], 0, 1)) * _paper_behind(small)
        small = small[..., :-1] + behind
    span = np.ptp(small)
    if span < 1e-9:
        raise ValueError("expected a digit, but all pixels are the same: the picture is blank")
    small = (small - small.min()) / span
    if max(rows, columns) <= T.small_picture:
        # An image as small as MNIST's may have ink at its border: put paper around it.
        border, m = [*small[0], *small[-1], *small[:, 0], *small[:, -1]], T.margin
        wider = np.ones((rows + 2 * m, columns + 2 * m, 1)) * np.median(border, axis=0)
        wider[m:-m, m:-m] = small
        small = wider
    factor = -(-T.working_side // 2 // max(small.shape[:2]))
    return ndimage.zoom(small, (factor, factor, 1), order=1, mode="nearest", grid_mode=True)


def _without_ink(light: np.ndarray) -> np.ndarray:
    """Paper and table with their light and shadow: a median far wider than a stroke."""
    small = light[::4, ::4]
    side = round(max(small.shape[:2]) * T.widest_stroke) | 1
    # Along columns, then along rows: as good as in squares, and ten times as fast.
    flat = ndimage.median_filter(small, (side, 1, 1), mode="nearest")
    flat = ndimage.median_filter(flat, (1, side, 1), mode="nearest")
    zoom = [large / few for large, few in zip(light.shape, flat.shape, strict=True)]
    return ndimage.zoom(flat, zoom, order=1, mode="nearest", grid_mode=True)


def _find_paper(flat: np.ndarray) -> np.ndarray:
    """Where the paper is, bool (height, width): a sheet that lies on something, or everything."""
    from skimage import filters, measure

    grey = flat.mean(axis=2)
    everything = np.ones_like(grey, bool)
    if np.ptp(grey) < T.sheet_contrast:
        return everything
    bright = grey > filters.threshold_otsu(grey)
    for mask in (bright, ~bright):
        labels = measure.label(mask)
        for region in measure.regionprops(labels):
            top, left, bottom, right = region.bbox
            sides = (top > 0) + (left > 0) + (bottom < grey.shape[0]) + (right < grey.shape[1])
            large = region.area > T.sheet_area * grey.size
            if sides >= T.sheet_sides and large and region.solidity > T.sheet_solidity:
                sheet = ndimage.binary_fill_holes(labels == region.label)
                edge = np.ones((T.sheet_edge, T.sheet_edge))
                inside = ndimage.binary_erosion(sheet, edge)
                if _ends_sharply(grey, sheet, inside, ~ndimage.binary_dilation(sheet, edge)):
                    return inside
    return everything


def _ends_sharply(grey, sheet, inside, outside) -> bool:
    """Whether most of the step from a sheet to what is around it is made at its very edge."""
    if not inside.any() or not outside.any():
        return False
    at_edge = np.median(grey[sheet & ~inside]) - np.median(grey[~sheet & ~outside])
    far_from_it = np.median(grey[inside]) - np.median(grey[outside])
    return abs(at_edge) > T.sheet_step * abs(far_from_it)


def _find_ink(light: np.ndarray, paper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much darker than its surroundings, float (height, width), and its parts, labelled."""
    from skimage import measure, morphology

    side = round(max(paper.shape) * T.widest_stroke)
    # What closing removes is dark and narrow: ink, or a shadow's end, which touches the border.
    ink = ndimage.grey_closing(light, (side, side), mode="nearest") - light
    noise = 1.4826 * np.median(np.abs(ink - np.median(ink)))  # a standard deviation
    ink = (ink - np.median(ink)).clip(0)
    ink = _without_lines(ink * paper, paper)
    # What touches the border goes, and takes its own darkness from what crosses it.
    border = paper & ~ndimage.binary_erosion(paper, np.ones((3, 3)))
    ink -= morphology.reconstruction(np.where(border, ink, 0), ink)
    mask = ink > T.ink_level * np.percentile(ink, 99.9)
    if not mask.any() or ink[mask].mean() <= max(T.ink_noise * noise, T.ink_contrast):
        raise ValueError("expected a digit, but nothing stands out from the background")
    parts = measure.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return ink, parts * (sizes > T.dust_area * sizes.max())[parts]


def _without_lines(ink: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Ink without straight lines from border to border of the paper, as on ruled paper."""
    from skimage import transform

    mask = ink > T.line_level * np.percentile(ink, 99.9)
    down, right = np.indices(mask.shape)
    turns = np.radians(np.arange(-T.line_turn, T.line_turn + 0.1, 0.5))
    for axis, quarter in [(1, np.pi / 2), (0, 0)]:  # lines that run across, and then down
        votes, angles, offsets = transform.hough_line(mask, quarter + turns)
        longest = T.line_length * _extent(paper)[axis]
        if votes.max() < longest:
            continue
        options = {"min_distance": 4, "min_angle": 2, "threshold": longest}
        peaks = transform.hough_line_peaks(votes, angles, offsets, **options)
        band, widest = np.zeros_like(mask), 0
        for _, angle, offset in zip(*peaks, strict=True):
            column = votes[:, np.argmin(abs(angles - angle))]
            width = (column[abs(offsets - offset) < T.line_width] > longest / 2).sum()
            distance = abs(right * np.cos(angle) + down * np.sin(angle) - offset)
            band |= distance <= width / 2 + 1
            widest = max(widest, width + 2)
        # A stroke that crosses a line goes on at its other side.
        reach = T.line_gap + widest
        footprint = np.ones((reach, 1) if axis == 1 else (1, reach))
        crossing = ndimage.binary_closing(np.pad(mask & ~band, reach), footprint)
        ink = ink * (~band | crossing[reach:-reach, reach:-reach])
    return ink


def _choose_digit(parts: np.ndarray) -> np.ndarray:
    """The one digit among the parts, bool. Raises ValueError where it is not clear which."""
    from skimage import measure

    regions = sorted(measure.regionprops(parts), key=_size, reverse=True)
    frames = [r for r in regions if any(_frames(r, other) for other in regions)]
    regions = [r for r in regions if r not in frames and _size(r) > T.part_size * _size(regions[0])]
    if len(regions) > T.most_parts:
        raise ValueError(f"expected one digit, but found {len(regions)} separate spots")
    lines = [r for r in regions if any(_underlines(r, other) for other in regions)]
    digit, *others = [r for r in regions if r not in lines]
    for other in others:
        gap = _gap(digit, other) / _size(digit)
        if _size(other) < T.speck_size * _size(digit) and gap > T.speck_gap:
            continue
        beside = min(digit.bbox[3], other.bbox[3]) <= max(digit.bbox[1], other.bbox[1])
        if gap > T.part_gap or (beside and _size(other) > T.beside_size * _size(digit)):
            several = "several things (strokes, lines or a shadow's edge): show one"
            raise ValueError(f"expected one digit, but found {several}, with paper around it")
        parts = np.where(parts == other.label, digit.label, parts)
    mask = parts == digit.label
    _check_digit(mask)
    return mask


def _size(region) -> int:
    top, left, bottom, right = region.bbox
    return max(bottom - top, right - left)


def _gap(one, other) -> float:
    from scipy.spatial import cKDTree

    return cKDTree(one.coords).query(other.coords)[0].min()


def _frames(ring, inner) -> bool:
    inside = ring.bbox[0] < inner.bbox[0] and ring.bbox[1] < inner.bbox[1]
    inside = inside and inner.bbox[2] < ring.bbox[2] and inner.bbox[3] < ring.bbox[3]
    hollow = inside and ring.area_filled > T.frame_hollow * ring.area
    return hollow and _size(inner) > T.frame_inside * _size(ring)


def _underlines(line, digit) -> bool:
    top, left, bottom, right = line.bbox
    slim = bottom - top < T.underline_slim * (right - left)
    below = top >= digit.bbox[2] and right > digit.bbox[1] and left < digit.bbox[3]
    apart = slim and below and _gap(line, digit) > T.underline_gap * _size(digit)
    return apart and right - left > T.underline_width * (digit.bbox[3] - digit.bbox[1])


def _extent(mask: np.ndarray) -> tuple[int, int]:
    """Height and width of what a mask holds."""
    rows, columns = ndimage.find_objects(mask.astype(np.uint8))[0]
    return rows.stop - rows.start, columns.stop - columns.start


def _check_digit(mask: np.ndarray) -> None:
    """Raise ValueError unless the one thing that was found is shaped as a digit may be."""
    from skimage import measure

    height, width = _extent(mask)
    if max(height, width) < max(mask.shape) * T.digit_size:
        raise ValueError("expected a digit that fills at least a sixteenth of the picture's side")
    if width > T.digit_width * height:
        wide = "several digits, a line under it, or a picture that lies on its side"
        raise ValueError(f"expected one digit, but found something much wider than high: {wide}")
    thickness = ndimage.distance_transform_edt(np.pad(mask, 1)).max() * 2
    (region,) = measure.regionprops(mask.astype(np.uint8))
    # The paper inside a frame around a digit, with the digit as its hole.
    full = region.area > T.blot_full * region.area_convex and region.euler_number < 1
    if full or thickness > T.blot_thickness * max(height, width):
        raise ValueError("expected a digit, but found a blot: no digit is as thick as this")
    filled = region.image_filled
    # A ring with more ink in its middle than a digit has: something is drawn around the digit.
    depth = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1]
    middle = region.image & (depth > T.ring_depth * thickness)
    convex = filled.sum() / region.area_convex
    if convex > T.ring_convex and middle.sum() > T.ring_ink * region.area:
        raise ValueError("expected one digit, but something is drawn around it and touches it")


def _thicken(digit: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Widen the strokes of a thin pen, which would fade at 20 × 20, to MNIST's width."""
    # Across a stroke of width w the mean distance to its edge is w / 4.
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1][mask]
    unit = max(_extent(mask)) / BOX
    missing = PEN - 4 * inside.mean() / unit
    if missing < T.thin_pen:
        return digit
    radius = missing * unit / 2
    reach = int(np.ceil(radius))
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    digit = np.pad(digit, reach)
    return ndimage.grey_dilation(digit, footprint=np.hypot(down, right) <= radius)
