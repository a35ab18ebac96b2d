"""Pictures of digits as people take them, made by code: conditions × digits × hands × seeds."""

import io

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import morphology

from mnist_helpers import EXAMPLE_DRAWINGS
from mnist_helpers.offline_digits import originals_for_test

CREAM, WHITE, KRAFT, YELLOW = (236, 230, 214), (250, 250, 250), (186, 150, 110), (245, 225, 90)
BOARD, SLATE, NAVY = (38, 74, 58), (40, 42, 46), (24, 34, 84)
BLUE, BLACK_INK, RED, GREEN = (30, 40, 120), (25, 25, 28), (190, 30, 40), (20, 110, 50)
PENCIL, FAINT, DARK_PENCIL, CHALK = (120, 120, 124), (160, 160, 162), (85, 86, 90), (235, 235, 225)
DESK, WOOD, PALE_DESK = (70, 44, 30), (150, 105, 65), (205, 200, 196)
# Reasons for a refusal, as parts of the message.
SEVERAL, NOTHING, BLOT = "several|separate", "nothing stands out|blank", "blot"
AROUND, SHADOW = "drawn around|line under|lines", "shadow"

ORIGINALS, LABELS = originals_for_test()
# An original's strokes, enlarged; its pixels have values from 0 to 16.
STROKES = [
    ndimage.zoom(np.pad(one, 1), 10, order=3, mode="grid-constant", grid_mode=True) > 6.5
    for one in ORIGINALS
]
HOLES = {0: {1}, 4: {0, 1}, 6: {1}, 8: {2}, 9: {1}}


def is_clear(strokes, digit):
    """Whether an original is in one piece and has the holes that a person expects of its digit."""
    pieces = ndimage.label(strokes, np.ones((3, 3)))[1]
    holes = ndimage.label(~strokes)[1] - 1
    return pieces == 1 and holes in HOLES.get(digit, {0})


FLAT = ORIGINALS.reshape(len(ORIGINALS), -1).astype(float)
NEAREST = [np.argsort(((FLAT - one) ** 2).sum(axis=1))[1:9] for one in FLAT]
# What a person reads at once: clear, and of the same digit as what looks most like it.
CLEAR = np.array([is_clear(*pair) for pair in zip(STROKES, LABELS, strict=True)])
CLEAR &= (LABELS[NEAREST] == LABELS[:, np.newaxis]).all(axis=1)


def ink_share(rng, hand, digit, shape, *, height=0.5, pen=0.1, at=(0.5, 0.5), turn=8):
    """How much of each pixel is ink, float `shape`, 0 to 1: a digit somewhere on the page.

    `height` is a share of the page's shorter side, `pen` of the digit's height.
    """
    size = height * min(shape) * rng.uniform(0.85, 1.15)
    angle = np.radians(rng.uniform(-turn, turn))
    slant = rng.uniform(-0.15, 0.15)
    center = np.array(at) * shape + rng.uniform(-0.06, 0.06, 2) * min(shape)
    turning = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turning @ np.array([[1, slant], [0, 1]])  # of (x, y)
    if hand == "drawings":
        lines = [np.array(stroke) for stroke in EXAMPLE_DRAWINGS[digit]]
    else:
        lines = middle_lines(STROKES[rng.choice(np.flatnonzero(CLEAR & (digit == LABELS)))])
    points = np.concatenate(lines)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    factor = size / np.ptp(points[:, 1])
    lines = [(line - middle) * factor @ matrix.T + center[::-1] for line in lines]
    return draw_lines(lines, shape, max(1.2, pen * size))


def middle_lines(strokes):
    """The middle of an original's strokes, as lines of (x, y), so that any pen can draw them."""
    middle = morphology.skeletonize(strokes)
    # Each pixel of the middle is joined to its neighbours to the right and below.
    lines = [np.column_stack(np.nonzero(middle))[:, np.newaxis, ::-1].astype(float)]
    for step in np.array([(0, 1), (1, 0), (1, 1), (1, -1)]):  # down, right
        pairs = middle & np.roll(middle, -step, axis=(0, 1))
        starts = np.column_stack(np.nonzero(pairs))[:, ::-1]
        lines.append(np.stack([starts, starts + step[::-1]], axis=1).astype(float))
    return [line for group in lines for line in group]


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


def box(rng, share):
    top, left, bottom, right = extent(share)
    size = bottom - top
    gap = rng.uniform(0.2, 0.35) * size
    x0, x1, y0, y1 = left - gap, right + gap, top - gap, bottom + gap
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    return draw_lines([corners], share.shape, rng.uniform(0.02, 0.06) * size)


def underline(rng, share, gap=(0.1, 0.25)):
    top, left, bottom, right = extent(share)
    size = bottom - top
    y = bottom + rng.uniform(*gap) * size
    x0, x1 = left - rng.uniform(0.1, 0.4) * size, right + rng.uniform(0.1, 0.4) * size
    tilt = rng.uniform(-0.03, 0.03) * size
    return draw_lines([[(x0, y), (x1, y + tilt)]], share.shape, rng.uniform(0.03, 0.07) * size)


def touching_underline(rng, share):
    return underline(rng, share, (-0.02, 0.0))


def touching_circle(rng, share):
    return circle(rng, share, rng.uniform(-0.04, -0.02))


def second_digit(rng, share, hand="drawings", gap=0.3):
    top, _, bottom, right = extent(share)
    size, digit = bottom - top, int(rng.integers(10))
    other = ink_share(rng, hand, digit, share.shape, height=size / min(share.shape), turn=3)
    other_top, other_left, _, _ = extent(other)
    return ndimage.shift(other, (top - other_top, right + gap * size - other_left), order=1)


def specks(rng, share, count=4):
    top, _, bottom, _ = extent(share)
    places = rng.uniform(0.05, 0.95, (count, 2)) * share.shape[::-1]
    return draw_lines(places[:, np.newaxis], share.shape, 0.03 * (bottom - top))


def words(rng, share):
    """A line of small writing at the top of the page, as a name on a worksheet."""
    height, width = share.shape
    x = np.linspace(0.1, 0.6, 60) * width
    y = 0.07 * height + 0.02 * height * np.sin(np.arange(60) * 1.9 + rng.uniform(0, 6))
    parts = np.array_split(np.column_stack([x, y]), 4)
    return draw_lines(parts, share.shape, 2.5)


def stroke_from_border(rng, share):
    height, width = share.shape
    side = rng.uniform(0.1, 0.9) * height
    return draw_lines([[(-5, side), (0.12 * width, side + 20)]], share.shape, 8)


def ruling(rng, shape, gap, both=False, width=1.6, turn=4):
    angle = np.radians(rng.uniform(-turn, turn))
    far, lines = 2 * max(shape), []
    for way in [0, np.pi / 2] if both else [0]:
        along = np.array([np.cos(angle + way), np.sin(angle + way)])
        across = np.array([-along[1], along[0]])
        for step in np.arange(-far, far, gap) + rng.uniform(0, gap):
            lines.append([across * step - along * far, across * step + along * far])
    return draw_lines(lines, shape, width)


# --- light: (rng, shape) -> factor --------------------------------------------------------------


def gradient(rng, shape, depth=0.4):
    down, right = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    return 1 - depth / 2 + depth / 3 * (np.cos(angle) * down + np.sin(angle) * right)


def vignette(rng, shape):
    down, right = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return 1 - rng.uniform(0.2, 0.35) * (down**2 + right**2)


def flash(rng, shape):
    down, right = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    y, x = rng.uniform(-0.6, 0.6, 2)
    return 0.65 + 0.6 * np.exp(-4 * ((down - y) ** 2 + (right - x) ** 2))


def hard_shadow(rng, shape, blur=0.7, depth=(0.45, 0.6)):
    down, right = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    dark = np.cos(angle) * down + np.sin(angle) * right > rng.uniform(-0.2, 0.2)
    return 1 - rng.uniform(*depth) * ndimage.gaussian_filter(dark.astype(float), blur)


def soft_shadow(rng, shape):
    return hard_shadow(rng, shape, blur=min(shape) / 12)


def hand_shadow(rng, shape, blur=6):
    down, right = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    x = rng.uniform(-0.3, 0.3)
    dark = (down - 1.1) ** 2 + (right - x) ** 2 < rng.uniform(0.5, 0.9) ** 2
    return 1 - rng.uniform(0.4, 0.55) * ndimage.gaussian_filter(dark.astype(float), blur)


# --- a photograph ---------------------------------------------------------------------------------


def photograph(
    rng,
    hand,
    digit,
    *,
    ink=BLUE,
    paper=CREAM,
    light=None,
    more=None,
    rule=None,  # colour, gap as a share of the side, squares or not
    desk=None,
    sheet_turn=6,
    noise=5,
    blur=0.6,
    shape=(400, 300),
    strength=1.0,
    **way,
):
    """uint8 (height, width, 3). Position, size, turn, slant, light and noise vary with `rng`."""
    way.setdefault("height", 0.32 if desk or more in (circle, box, second_digit) else 0.5)
    way.setdefault("pen", rng.uniform(0.07, 0.13))
    if more is second_digit:
        way["at"] = (0.5, 0.3)
    share = ink_share(rng, hand, digit, shape, **way)
    if more is not None:
        share = np.maximum(share, more(rng, share))
    page = np.ones((*shape, 3)) * paper
    if rule is not None:
        colour, gap, both = rule
        lines = ruling(rng, shape, gap * shape[1], both)[..., np.newaxis]
        page += lines * (np.array(colour) - page)
    page += strength * share[..., np.newaxis] * (np.array(ink) - page)
    if desk is not None:
        page = on_desk(rng, page, desk, sheet_turn)
    if light is not None:
        page *= light(rng, shape)[..., np.newaxis]
    page = ndimage.gaussian_filter(page, (blur, blur, 0)) + rng.normal(0, noise, page.shape)
    return np.clip(page, 0, 255).astype(np.uint8)


def on_desk(rng, page, colour, turn):
    height, width, _ = page.shape
    margin = rng.uniform(0.07, 0.16, 4) * width
    x0, y0, x1, y1 = margin[0], margin[1], width - margin[2], height - margin[3]
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    angle = np.radians(rng.uniform(-turn, turn))
    turning = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = (corners - corners.mean(axis=0)) @ turning.T + corners.mean(axis=0)
    canvas = Image.new("L", (width, height))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners], fill=255)
    sheet = ndimage.gaussian_filter(np.asarray(canvas) / 255, 0.7)[..., np.newaxis]
    grain = 6 * ndimage.gaussian_filter(rng.normal(size=(height, width, 1)), (1, 12, 0)) * 4
    return page * sheet + (np.array(colour) + grain) * (1 - sheet)


def as_jpeg(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _with(**settings):
    return lambda rng, hand, digit: photograph(rng, hand, digit, **settings)


def _then(change, **settings):
    return lambda rng, hand, digit: change(photograph(rng, hand, digit, **settings))


def _resized(side):
    def change(picture):
        size = (round(picture.shape[1] / picture.shape[0] * side), side)
        return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))

    return change


def _dithered(picture):
    return np.asarray(Image.fromarray(picture).convert("1"))


def _palette(picture):
    return np.asarray(Image.fromarray(picture).quantize(8).convert("RGB"))


def _white_ink_on_transparency(rng, hand, digit):
    share = ink_share(rng, hand, digit, (300, 300))
    return np.dstack([np.full((300, 300, 3), 255), 255 * share]).astype(np.uint8)


def _black_ink_on_transparency(rng, hand, digit):
    share = ink_share(rng, hand, digit, (300, 300))
    return np.dstack([np.zeros((300, 300, 3)), 255 * share]).astype(np.uint8)


def _dust(rng, hand, digit):
    share = specks(rng, np.pad(np.ones((100, 60)), 100), 60)
    return (255 - 200 * share).astype(np.uint8)


def _blank(rng, hand, digit):
    return np.clip(rng.normal(230, 5, (400, 300, 3)), 0, 255).astype(np.uint8)


def _blank_in_uneven_light(rng, hand, digit):
    page = 230 * vignette(rng, (400, 300)) * gradient(rng, (400, 300))
    return np.clip(page + rng.normal(0, 5, page.shape), 0, 255).astype(np.uint8)


def _blot(rng, hand, digit):
    page = np.full((300, 300), 235.0)
    page -= 200 * draw_lines([[(150, 150)]], page.shape, rng.uniform(30, 45))
    return np.clip(page + rng.normal(0, 4, page.shape), 0, 255).astype(np.uint8)


# A person reads each of these at once, and so must the network.
READ = {
    "plain": _with(),
    "black on white": _with(ink=BLACK_INK, paper=WHITE),
    "red on white": _with(ink=RED, paper=WHITE),
    "green on yellow": _with(ink=GREEN, paper=YELLOW),
    "red on green": _with(ink=(200, 40, 40), paper=(60, 120, 60)),
    "blue on kraft": _with(ink=BLUE, paper=KRAFT),
    "pencil": _with(ink=PENCIL, paper=WHITE, pen=0.05),
    "faint pencil": _with(ink=FAINT, paper=WHITE, pen=0.06, noise=4),
    "thin pen": _with(ink=BLACK_INK, pen=0.025),
    "thick marker": _with(ink=BLACK_INK, pen=0.17),
    "chalk": _with(ink=CHALK, paper=BOARD, strength=0.9, noise=10),
    "white on slate": _with(ink=CHALK, paper=SLATE),
    "yellow on navy": _with(ink=(230, 210, 60), paper=NAVY),
    "small": _with(height=0.14, noise=3),
    "large": _with(height=0.78),
    "in a corner": _with(height=0.3, at=(0.25, 0.25)),
    "low on the page": _with(height=0.3, at=(0.78, 0.6)),
    "landscape": _with(shape=(300, 420)),
    "large file": _with(shape=(1600, 1200), blur=1.5, noise=8),
    "low resolution": _then(_resized(48), noise=2),
    "28 rows": _then(_resized(28), noise=0, pen=0.12, height=0.7, shape=(300, 300)),
    "noisy": _with(noise=18),
    "blurred": _with(blur=2.5),
    "strong compression": _then(lambda picture: as_jpeg(picture, 20)),
    "dithered": _then(_dithered, ink=BLACK_INK, paper=WHITE, noise=2),
    "eight colours": _then(_palette),
    "grey numbers": _then(lambda picture: picture.mean(axis=2)),
    "sixteen bits": _then(lambda picture: picture.mean(axis=2).astype(np.uint16) * 257),
    "negative": _then(lambda picture: 255 - picture),
    "white ink on transparency": _white_ink_on_transparency,
    "black ink on transparency": _black_ink_on_transparency,
    "gradient": _with(light=gradient),
    "vignette": _with(light=vignette),
    "flash": _with(light=flash),
    "soft shadow": _with(light=soft_shadow),
    "chalk in a gradient": _with(ink=CHALK, paper=BOARD, light=gradient),
    "ruled": _with(rule=((170, 190, 225), 0.14, False)),
    "squared": _with(rule=((175, 195, 225), 0.08, True)),
    "dark pencil on ruled": _with(ink=DARK_PENCIL, pen=0.06, rule=((180, 195, 225), 0.14, False)),
    "sheet on a dark desk": _with(desk=DESK),
    "sheet on wood": _with(desk=WOOD),
    "white sheet on wood": _with(desk=WOOD, paper=WHITE, ink=PENCIL, pen=0.08),
    "sheet on a desk in a gradient": _with(desk=DESK, light=gradient),
    "ruled sheet on a desk": _with(desk=DESK, rule=((170, 190, 225), 0.14, False)),
    "black card on a pale desk": _with(desk=PALE_DESK, paper=SLATE, ink=CHALK),
    "specks": _with(more=specks),
    "a stroke from the border": _with(more=stroke_from_border, height=0.4),
}

# A person reads these too, but what is in the way cannot always be told from the digit: right,
# or refused for one of the reasons.
READ_OR_REFUSED = {
    "hard shadow": (_with(light=hard_shadow), SHADOW),
    "hard shadow on pencil": (_with(light=hard_shadow, ink=PENCIL, pen=0.06), SHADOW),
    "shadow of a hand": (_with(light=hand_shadow), SHADOW),
    "dark ruled": (_with(rule=((90, 110, 170), 0.15, False)), AROUND),
    "dark pencil on dark ruled": (
        _with(ink=DARK_PENCIL, pen=0.05, rule=((85, 105, 165), 0.15, False)),
        AROUND,
    ),
    "dark pencil on dark squared": (
        _with(ink=DARK_PENCIL, pen=0.06, rule=((95, 115, 170), 0.1, True)),
        AROUND,
    ),
    "circled": (_with(more=circle), AROUND),
    "boxed": (_with(more=box), AROUND),
    "underlined": (_with(more=underline, height=0.4), AROUND),
    "a line touches it": (_with(more=touching_underline, height=0.4), AROUND),
    "a circle touches it": (_with(more=touching_circle, height=0.4), AROUND),
    "small writing above": (_with(more=words, height=0.4), SEVERAL),
}

# There is not one digit here, so there is no right answer.
REFUSED = {
    "two digits": (_with(more=second_digit), SEVERAL),
    "blank": (_blank, NOTHING),
    "blank in uneven light": (_blank_in_uneven_light, NOTHING),
    "dust": (_dust, f"{SEVERAL}|{NOTHING}"),
    "blot": (_blot, BLOT),
}

HANDS = ("drawings", "originals")


def make(condition, hand, digit, seed):
    """The picture of one condition: the same for the same arguments."""
    function = {**READ, **{k: f for k, (f, _) in {**READ_OR_REFUSED, **REFUSED}.items()}}[condition]
    name = [ord(letter) for letter in condition + hand]
    return function(np.random.default_rng([seed, digit, *name]), hand, digit)
