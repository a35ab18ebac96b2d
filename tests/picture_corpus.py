"""Pictures of digits as people take them, made by code: conditions × digits × seeds."""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from mnist_helpers import EXAMPLE_DRAWINGS

CREAM, WHITE = (236, 230, 214), (250, 250, 250)
BOARD, SLATE = (38, 74, 58), (40, 42, 46)
BLUE, BLACK_INK = (30, 40, 120), (25, 25, 28)
PENCIL, FAINT, DARK_PENCIL, CHALK = (120, 120, 124), (160, 160, 162), (85, 86, 90), (235, 235, 225)
DESK, WOOD, PALE_DESK = (70, 44, 30), (150, 105, 65), (205, 200, 196)
# Reasons for a refusal, as parts of the message.
SEVERAL, NOTHING, BLOT = "several|separate", "nothing stands out|blank", "blot"
AROUND, SHADOW = "drawn around|line under|lines", "shadow"


def ink_share(rng, digit, shape, *, height=0.5, pen=0.1, at=(0.5, 0.5), turn=8):
    """How much of each pixel is ink, float `shape`, 0 to 1: a digit somewhere on the page.

    `height` is a share of the page's shorter side, `pen` of the digit's height.
    """
    size = height * min(shape) * rng.uniform(0.85, 1.15)
    angle = np.radians(rng.uniform(-turn, turn))
    slant = rng.uniform(-0.15, 0.15)
    center = np.array(at) * shape + rng.uniform(-0.06, 0.06, 2) * min(shape)
    matrix = turning(angle) @ np.array([[1, slant], [0, 1]])  # of (x, y)
    lines = [np.array(stroke) for stroke in EXAMPLE_DRAWINGS[digit]]
    points = np.concatenate(lines)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    factor = size / np.ptp(points[:, 1])
    lines = [(line - middle) * factor @ matrix.T + center[::-1] for line in lines]
    return draw_lines(lines, shape, max(1.2, pen * size))


def turning(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def draw_lines(lines, shape, width, large=3):
    """Lines of (x, y) with a round pen, anti-aliased: float `shape`, 0 to 1."""
    canvas = Image.new("L", (shape[1] * large, shape[0] * large))
    pen, radius = ImageDraw.Draw(canvas), width * large / 2
    for line in lines:
        line = np.asarray(line) * large
        pen.line(line.ravel().tolist(), fill=255, width=max(1, round(2 * radius)))
        for x, y in line.tolist():
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(canvas.reduce(large)) / 255


def extent(share):
    rows, columns = (np.flatnonzero((share > 0.5).any(axis=axis)) for axis in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


# --- what else is on the page: (rng, share) -> share of further ink ------------------------------


def circle(rng, share, margin=0.35):
    top, left, bottom, right = extent(share)
    angles, size = np.linspace(0, 2 * np.pi, 60), bottom - top
    ry, rx = size / 2 + margin * size, max((right - left) / 2, size / 4) + margin * size
    x, y = (left + right) / 2 + rx * np.cos(angles), (top + bottom) / 2 + ry * np.sin(angles)
    return draw_lines([np.column_stack([x, y])], share.shape, rng.uniform(0.02, 0.06) * size)


def touching_circle(rng, share):
    return circle(rng, share, rng.uniform(-0.04, -0.02))


def underline(rng, share, gap=(0.1, 0.25)):
    top, left, bottom, right = extent(share)
    size = bottom - top
    y = bottom + rng.uniform(*gap) * size
    x0, x1 = left - rng.uniform(0.1, 0.4) * size, right + rng.uniform(0.1, 0.4) * size
    tilt = rng.uniform(-0.03, 0.03) * size
    return draw_lines([[(x0, y), (x1, y + tilt)]], share.shape, rng.uniform(0.03, 0.07) * size)


def second_digit(rng, share, gap=0.3):
    top, _, bottom, right = extent(share)
    size, digit = bottom - top, int(rng.integers(10))
    other = ink_share(rng, digit, share.shape, height=size / min(share.shape), turn=3)
    other_top, other_left, _, _ = extent(other)
    return ndimage.shift(other, (top - other_top, right + gap * size - other_left), order=1)


def specks(rng, share, count=4, width=0.03):
    """Round dots anywhere, `width` as a share of the digit's height."""
    top, _, bottom, _ = extent(share)
    points = rng.uniform(0.05, 0.95, (count, 2)) * share.shape[::-1]
    return draw_lines(points[:, np.newaxis], share.shape, width * (bottom - top))


def words(rng, share):
    """A line of small writing at the top of the page, as a name on a worksheet."""
    height, width = share.shape
    x = np.linspace(0.1, 0.6, 60) * width
    y = 0.07 * height + 0.02 * height * np.sin(np.arange(60) * 1.9 + rng.uniform(0, 6))
    return draw_lines(np.array_split(np.column_stack([x, y]), 4), share.shape, 2.5)


def ruling(rng, shape, gap, both):
    """Lines across the page, `gap` pixels apart, on squared paper upright ones too."""
    angle, far, lines = np.radians(rng.uniform(-4, 4)), 2 * max(shape), []
    for way in [0, np.pi / 2] if both else [0]:
        along = np.array([np.cos(angle + way), np.sin(angle + way)])
        across = np.array([-along[1], along[0]])
        for step in np.arange(-far, far, gap) + rng.uniform(0, gap):
            lines.append([across * step - along * far, across * step + along * far])
    return draw_lines(lines, shape, 1.6)


# --- light: (rng, down, right) -> factor; rows and columns run from -1 to 1 -------------------


def gradient(rng, down, right):
    angle = rng.uniform(0, 2 * np.pi)
    return 0.8 + 0.4 / 3 * (np.cos(angle) * down + np.sin(angle) * right)


def hard_shadow(rng, down, right):
    angle = rng.uniform(0, 2 * np.pi)
    dark = np.cos(angle) * down + np.sin(angle) * right > rng.uniform(-0.2, 0.2)
    return 1 - rng.uniform(0.45, 0.6) * ndimage.gaussian_filter(dark.astype(float), 0.7)


def hand_shadow(rng, down, right):
    x = rng.uniform(-0.3, 0.3)
    dark = (down - 1.1) ** 2 + (right - x) ** 2 < rng.uniform(0.5, 0.9) ** 2
    return 1 - rng.uniform(0.4, 0.55) * ndimage.gaussian_filter(dark.astype(float), 6)


def photograph(
    rng, digit, also=None, instead=None, rule=None, desk=None, light=None, then=np.asarray, **way
):
    """uint8 (height, width, 3). Position, size, turn, slant, light and noise vary with `rng`.

    `also` is ink besides the digit, `instead` in its place; `rule` a colour, a gap as a share of
    the width, and whether there are squares; `then` changes the finished picture. `way` is what
    differs from PLAIN, and how the digit lies, as in `ink_share`.
    """
    ink, paper, noise, shape, strength = ((PLAIN | way)[name] for name in PLAIN)
    of_digit = {name: value for name, value in way.items() if name not in PLAIN}
    of_digit["pen"] = way["pen"] if "pen" in way else rng.uniform(0.07, 0.13)
    share = ink_share(rng, digit, shape, **of_digit)
    if also or instead:
        share = np.maximum(share, also(rng, share)) if also else instead(rng, share)
    page = np.ones((*shape, 3)) * paper
    if rule:
        colour, gap, squares = rule
        lines = ruling(rng, shape, gap * shape[1], squares)[..., np.newaxis]
        page += lines * (np.array(colour) - page)
    page += strength * share[..., np.newaxis] * (np.array(ink) - page)
    if desk:
        page = on_desk(rng, page, desk)
    if light:
        down, right = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
        page *= light(rng, down, right)[..., np.newaxis]
    page = ndimage.gaussian_filter(page, (0.6, 0.6, 0)) + rng.normal(0, noise, page.shape)
    return then(np.clip(page, 0, 255).astype(np.uint8))


def on_desk(rng, page, colour):
    height, width, _ = page.shape
    margin = rng.uniform(0.07, 0.16, 4) * width
    x0, y0, x1, y1 = margin[0], margin[1], width - margin[2], height - margin[3]
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    matrix = turning(np.radians(rng.uniform(-6, 6)))
    corners = (corners - corners.mean(axis=0)) @ matrix.T + corners.mean(axis=0)
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners], fill=255)
    sheet = ndimage.gaussian_filter(np.asarray(canvas) / 255, 0.7)[..., np.newaxis]
    grain = 6 * ndimage.gaussian_filter(rng.normal(size=(height, width, 1)), (1, 12, 0)) * 4
    return page * sheet + (np.array(colour) + grain) * (1 - sheet)


def resized(side, picture):
    size = (round(picture.shape[1] / picture.shape[0] * side), side)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


PLAIN = {"ink": BLUE, "paper": CREAM, "noise": 5, "shape": (400, 300), "strength": 1}
BLACK_ON_WHITE = {"ink": (0, 0, 0), "paper": (255, 255, 255), "noise": 0}
RULED, SQUARED = ((170, 190, 225), 0.14, False), ((175, 195, 225), 0.08, True)
DARK, PENCIL_ON_WHITE = ((95, 115, 170), 0.1, True), {"ink": PENCIL, "paper": WHITE}
TINY = {"pen": 0.12, "height": 0.7, "noise": 0, "shape": (300, 300), "then": partial(resized, 28)}
DUST = BLACK_ON_WHITE | {"instead": partial(specks, count=60, width=0.02)}

# A person reads each of these at once, and so must the program.
READ = {
    "plain": {},
    "red on green": {"ink": (200, 40, 40), "paper": (60, 120, 60)},
    "faint pencil": {"ink": FAINT, "paper": WHITE, "pen": 0.06, "noise": 4},
    "thin pen": {"ink": BLACK_INK, "pen": 0.025},
    "thick marker": {"ink": BLACK_INK, "pen": 0.17},
    "chalk": {"ink": CHALK, "paper": BOARD, "strength": 0.9, "noise": 10},
    "small": {"height": 0.14, "noise": 3},
    "large": {"height": 0.78},
    "low resolution": {"noise": 2, "then": partial(resized, 48)},
    "28 rows": TINY,
    "noisy": {"noise": 18},
    "sixteen bits": {"then": lambda page: page.mean(axis=2).astype(np.uint16) * 257},
    "white ink on transparency": BLACK_ON_WHITE
    | {"then": lambda page: np.dstack([np.full_like(page, 255), 255 - page[..., 0]])},
    "gradient": {"light": gradient},
    "ruled": {"rule": RULED},
    "squared": {"rule": SQUARED},
    "sheet on a dark desk": {"desk": DESK, "height": 0.32},
    "white sheet on wood": PENCIL_ON_WHITE | {"desk": WOOD, "height": 0.32, "pen": 0.08},
    "black card on a pale desk": {"desk": PALE_DESK, "height": 0.32, "paper": SLATE, "ink": CHALK},
    "specks": {"also": specks},
}

# A person reads these too, but what is in the way cannot always be told from the digit: right,
# or refused for one of the reasons.
READ_OR_REFUSED = {
    "hard shadow on pencil": ({"light": hard_shadow, "ink": PENCIL, "pen": 0.06}, SHADOW),
    "shadow of a hand": ({"light": hand_shadow}, SHADOW),
    "dark pencil on dark squared": ({"ink": DARK_PENCIL, "pen": 0.06, "rule": DARK}, AROUND),
    "circled": ({"also": circle, "height": 0.32}, AROUND),
    "underlined": ({"also": underline, "height": 0.4}, AROUND),
    "a line touches it": ({"also": partial(underline, gap=(-0.02, 0)), "height": 0.4}, AROUND),
    "a circle touches it": ({"also": touching_circle, "height": 0.4}, AROUND),
    "small writing above": ({"also": words, "height": 0.4}, SEVERAL),
}

# There is not one digit here, so there is no right answer.
REFUSED = {
    "two digits": ({"also": second_digit, "height": 0.32, "at": (0.5, 0.3)}, SEVERAL),
    "blank in uneven light": ({"strength": 0, "light": gradient}, NOTHING),
    "dust": (DUST, f"{SEVERAL}|{NOTHING}"),
    "blot": ({"instead": lambda _, share: draw_lines([[(150, 200)]], share.shape, 40)}, BLOT),
}

CONDITIONS = READ | {name: way for name, (way, _) in (READ_OR_REFUSED | REFUSED).items()}


def make(condition, digit, seed=1):
    """The picture of one condition: the same for the same arguments."""
    rng = np.random.default_rng([seed, digit, *condition.encode()])
    return photograph(rng, digit, **CONDITIONS[condition])
