"""Pictures of digits as people take them, made by code: conditions × digits × seeds."""

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


# --- what else is on the page: (rng, share) -> share of more ink ------------------------------


def circle(rng, share, margin=0.35):
    top, left, bottom, right = extent(share)
    angles = np.linspace(0, 2 * np.pi, 60)
    size = bottom - top
    ry, rx = (bottom - top) / 2 + margin * size, max((right - left) / 2, size / 4) + margin * size
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


def touching_underline(rng, share):
    return underline(rng, share, (-0.02, 0.0))


def second_digit(rng, share, gap=0.3):
    top, _, bottom, right = extent(share)
    size, digit = bottom - top, int(rng.integers(10))
    other = ink_share(rng, digit, share.shape, height=size / min(share.shape), turn=3)
    other_top, other_left, _, _ = extent(other)
    return ndimage.shift(other, (top - other_top, right + gap * size - other_left), order=1)


def specks(rng, share, count=4):
    top, _, bottom, _ = extent(share)
    points = rng.uniform(0.05, 0.95, (count, 2)) * share.shape[::-1]
    return draw_lines(points[:, np.newaxis], share.shape, 0.03 * (bottom - top))


def words(rng, share):
    """A line of small writing at the top of the page, as a name on a worksheet."""
    height, width = share.shape
    x = np.linspace(0.1, 0.6, 60) * width
    y = 0.07 * height + 0.02 * height * np.sin(np.arange(60) * 1.9 + rng.uniform(0, 6))
    return draw_lines(np.array_split(np.column_stack([x, y]), 4), share.shape, 2.5)


def ruling(rng, shape, gap, both=False, width=1.6, turn=4):
    angle = np.radians(rng.uniform(-turn, turn))
    far, lines = 2 * max(shape), []
    for way in [0, np.pi / 2] if both else [0]:
        along = np.array([np.cos(angle + way), np.sin(angle + way)])
        across = np.array([-along[1], along[0]])
        for step in np.arange(-far, far, gap) + rng.uniform(0, gap):
            lines.append([across * step - along * far, across * step + along * far])
    return draw_lines(lines, shape, width)


# --- light: (rng, down, right) -> factor; rows and columns run from -1 to 1 -------------------


def grid(shape):
    return np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]


def gradient(rng, down, right, depth=0.4):
    angle = rng.uniform(0, 2 * np.pi)
    return 1 - depth / 2 + depth / 3 * (np.cos(angle) * down + np.sin(angle) * right)


def hard_shadow(rng, down, right, blur=0.7, depth=(0.45, 0.6)):
    angle = rng.uniform(0, 2 * np.pi)
    dark = np.cos(angle) * down + np.sin(angle) * right > rng.uniform(-0.2, 0.2)
    return 1 - rng.uniform(*depth) * ndimage.gaussian_filter(dark.astype(float), blur)


def hand_shadow(rng, down, right, blur=6):
    x = rng.uniform(-0.3, 0.3)
    dark = (down - 1.1) ** 2 + (right - x) ** 2 < rng.uniform(0.5, 0.9) ** 2
    return 1 - rng.uniform(0.4, 0.55) * ndimage.gaussian_filter(dark.astype(float), blur)


# --- a photograph ---------------------------------------------------------------------------------


def photograph(
    *,
    ink=BLUE,
    paper=CREAM,
    light=None,
    more=None,
    rule=None,  # colour, gap as a share of the side, squares or not
    desk=None,
    noise=5,
    blur=0.6,
    shape=(400, 300),
    strength=1.0,
    then=lambda picture: picture,
    **way,
):
    """A function (rng, digit) -> uint8 (height, width, 3), or what `then` makes of it.

    Position, size, turn, slant, light and noise vary with `rng`.
    """
    way = {"height": 0.32 if desk or more in (circle, second_digit) else 0.5} | way
    if more is second_digit:
        way["at"] = (0.5, 0.3)

    def take(rng, digit):
        pen = {"pen": way["pen"] if "pen" in way else rng.uniform(0.07, 0.13)}
        share = ink_share(rng, digit, shape, **way | pen)
        if more is not None:
            share = np.maximum(share, more(rng, share))
        page = np.ones((*shape, 3)) * paper
        if rule is not None:
            colour, gap, both = rule
            lines = ruling(rng, shape, gap * shape[1], both)[..., np.newaxis]
            page += lines * (np.array(colour) - page)
        page += strength * share[..., np.newaxis] * (np.array(ink) - page)
        if desk is not None:
            page = on_desk(rng, page, desk)
        if light is not None:
            page *= light(rng, *grid(shape))[..., np.newaxis]
        page = ndimage.gaussian_filter(page, (blur, blur, 0)) + rng.normal(0, noise, page.shape)
        return then(np.clip(page, 0, 255).astype(np.uint8))

    return take


def on_desk(rng, page, colour, turn=6):
    height, width, _ = page.shape
    margin = rng.uniform(0.07, 0.16, 4) * width
    x0, y0, x1, y1 = margin[0], margin[1], width - margin[2], height - margin[3]
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    matrix = turning(np.radians(rng.uniform(-turn, turn)))
    corners = (corners - corners.mean(axis=0)) @ matrix.T + corners.mean(axis=0)
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners], fill=255)
    sheet = ndimage.gaussian_filter(np.asarray(canvas) / 255, 0.7)[..., np.newaxis]
    grain = 6 * ndimage.gaussian_filter(rng.normal(size=(height, width, 1)), (1, 12, 0)) * 4
    return page * sheet + (np.array(colour) + grain) * (1 - sheet)


def resized(side):
    def change(picture):
        size = (round(picture.shape[1] / picture.shape[0] * side), side)
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))

    return change


def transparent(ink):
    def take(rng, digit):
        share = ink_share(rng, digit, (300, 300))
        return np.dstack([np.full((300, 300, 3), ink), 255 * share]).astype(np.uint8)

    return take


def without_digit(shape, paint, noise=5):
    """A page without a digit: paint(rng, page) gives its grey."""

    def take(rng, digit):
        page = paint(rng, np.full(shape, 230.0))
        return np.clip(page + rng.normal(0, noise, shape), 0, 255).astype(np.uint8)

    return take


def blot(rng, page):
    return page - 200 * draw_lines([[(150, 150)]], page.shape, rng.uniform(30, 45))


def dust(rng, page):
    return page - 200 * specks(rng, np.pad(np.ones((100, 60)), 100), 60)


def uneven(rng, page):
    return page * gradient(rng, *grid(page.shape))


RULED, SQUARED = ((170, 190, 225), 0.14, False), ((175, 195, 225), 0.08, True)
DARK = ((95, 115, 170), 0.1, True)

# A person reads each of these at once, and so must the program.
READ = {
    "plain": photograph(),
    "red on green": photograph(ink=(200, 40, 40), paper=(60, 120, 60)),
    "faint pencil": photograph(ink=FAINT, paper=WHITE, pen=0.06, noise=4),
    "thin pen": photograph(ink=BLACK_INK, pen=0.025),
    "thick marker": photograph(ink=BLACK_INK, pen=0.17),
    "chalk": photograph(ink=CHALK, paper=BOARD, strength=0.9, noise=10),
    "small": photograph(height=0.14, noise=3),
    "large": photograph(height=0.78),
    "low resolution": photograph(noise=2, then=resized(48)),
    "28 rows": photograph(noise=0, pen=0.12, height=0.7, shape=(300, 300), then=resized(28)),
    "noisy": photograph(noise=18),
    "sixteen bits": photograph(then=lambda page: page.mean(axis=2).astype(np.uint16) * 257),
    "white ink on transparency": transparent(255),
    "gradient": photograph(light=gradient),
    "ruled": photograph(rule=RULED),
    "squared": photograph(rule=SQUARED),
    "sheet on a dark desk": photograph(desk=DESK),
    "white sheet on wood": photograph(desk=WOOD, paper=WHITE, ink=PENCIL, pen=0.08),
    "black card on a pale desk": photograph(desk=PALE_DESK, paper=SLATE, ink=CHALK),
    "specks": photograph(more=specks),
}

# A person reads these too, but what is in the way cannot always be told from the digit: right,
# or refused for one of the reasons.
READ_OR_REFUSED = {
    "hard shadow on pencil": (photograph(light=hard_shadow, ink=PENCIL, pen=0.06), SHADOW),
    "shadow of a hand": (photograph(light=hand_shadow), SHADOW),
    "dark pencil on dark squared": (photograph(ink=DARK_PENCIL, pen=0.06, rule=DARK), AROUND),
    "circled": (photograph(more=circle), AROUND),
    "underlined": (photograph(more=underline, height=0.4), AROUND),
    "a line touches it": (photograph(more=touching_underline, height=0.4), AROUND),
    "a circle touches it": (photograph(more=touching_circle, height=0.4), AROUND),
    "small writing above": (photograph(more=words, height=0.4), SEVERAL),
}

# There is not one digit here, so there is no right answer.
REFUSED = {
    "two digits": (photograph(more=second_digit), SEVERAL),
    "blank in uneven light": (without_digit((400, 300), uneven), NOTHING),
    "dust": (without_digit((300, 260), dust, noise=0), f"{SEVERAL}|{NOTHING}"),
    "blot": (without_digit((300, 300), blot, noise=4), BLOT),
}


CONDITIONS = [*READ, *READ_OR_REFUSED, *REFUSED]


def make(condition, digit, seed=1):
    """The picture of one condition: the same for the same arguments."""
    function = {**READ, **{k: f for k, (f, _) in {**READ_OR_REFUSED, **REFUSED}.items()}}[condition]
    return function(np.random.default_rng([seed, digit, *condition.encode()]), digit)
