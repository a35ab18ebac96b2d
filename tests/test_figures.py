"""The figures are inspected for what a reader sees: pictures, lines, points and texts."""

import subprocess
import sys
from functools import cache
from io import BytesIO
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from scipy.stats import ttest_1samp
from sklearn.datasets import load_digits

from mnist_helpers import plots
from mnist_helpers.convolution_view import VIEW_TYPE

# 8 × 8 pixels from 0 to 16, drawn up to 28 × 28 pixels from 0 to 255 as in MNIST.
DIGITS = load_digits().images[:100].repeat(3, 1).repeat(3, 2) * 255 / 16
DIGITS = np.pad(DIGITS, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
LABELS = load_digits().target[:100]
SPREAD = np.linspace(-1, 2, 19_600).reshape(25, 28, 28)
RISE = np.linspace(0.8, 0.962, 20)
HISTORY = {"accuracy": RISE - 0.005, "val_accuracy": RISE, "loss": 1 - RISE, "val_loss": 2 - RISE}
ONE_EPOCH = {name: values[:1] for name, values in HISTORY.items()} | {"val_accuracy": [0.9999]}
RUNS = {"dense": [0.96, 0.97, 0.96, 0.95], "one layer": [0.983, 0.983, 0.9835], "two": [1.0]}
RECORDED = {"dense": [0.955, 0.961, 0.968, 0.963], "one layer": [0.984, 0.98, 0.979]}
PAIRS = {"CNN − dense": [0.027, 0.03, 0.024], "wide − dense": [0.001, -0.001], "none": [0, 0]}
BY_SHIFT = {"dense": [0.96, 0.9, 0.7, 0.4, 0.12], "convolutional": [0.98, 0.97, 0.9, 0.6, 0.121]}
TWICE = {name: [values, np.multiply(values, 0.9)] for name, values in BY_SHIFT.items()}

# Figures of each kind, with the kinds' awkward cases: plot, arguments, a part of the description.
FIGURES = {
    "digits": (plots.plot_digits, [DIGITS, LABELS], "100 images in 10 rows."),
    "one digit": (plots.plot_digits, [DIGITS[:1], ["a three"], 10, "The mean"], "a three."),
    "long": (plots.plot_digits, [DIGITS[:20], ["4 → 9"] * 20, 10, "Of a 0"], "4 → 9, 4 → 9, "),
    "weights": (plots.plot_weights, [SPREAD], "25 pictures in 5 rows. Weights from -1.00 to 2.00"),
    "one kernel": (plots.plot_weights, [np.ones((1, 3, 3)), 6, "A kernel"], "1 picture in 1 row"),
    "curves": (plots.plot_learning_curves, [HISTORY], "96.2% in validation after 20 epochs."),
    "one epoch": (plots.plot_learning_curves, [ONE_EPOCH], ">99.9% in validation after 1 epoch."),
    "seeds": (plots.plot_seeds, [RUNS], "one layer 98.32% in 3 trainings; two 100.00% in 1 tr"),
    "seeds on record": (plots.plot_seeds, [RUNS, RECORDED], "dense 96.17% in 4 recorded trainings"),
    "differences": (plots.plot_differences, [PAIRS], "dense +2.70 ± 0.75; wide − dense +0.00"),
    "on record": (plots.plot_differences, [{"none": [0.002]}, PAIRS], "CNN − dense +2.70 ± 0.75"),
    "shifts": (plots.plot_shifts, [range(5), BY_SHIFT], "0 to 4 pixels. At 4: dense 12.0%"),
    "shifts of several": (plots.plot_shifts, [range(5), TWICE], "dense 11.4%, convolutional 11.5%"),
}


def new(name):
    plot, arguments, _ = FIGURES[name]
    return plot(*arguments)


@cache
def draw(name):
    """One of the figures, drawn once for all tests: they only look at it."""
    figure = new(name)
    figure.draw_without_rendering()
    return figure


def drawn_texts(name) -> dict[Text, object]:
    """Every text that is in sight, with its box in pixels."""
    hidden = set()
    for axes in draw(name).axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not (axes.axison and low <= tick.get_loc() <= high):
                    hidden |= {tick.label1, tick.label2}
    texts = set(draw(name).findobj(lambda part: isinstance(part, Text) and part.get_text()))
    return {text: text.get_window_extent() for text in texts - hidden if text.get_visible()}


def words(name) -> list[str]:
    return [text.get_text() for text in draw(name).axes[0].texts if text.get_text()]


def contrast(one, other) -> float:
    """Of two colours, as WCAG 2.2 defines it: from 1 to 21."""
    rgb = np.array([to_rgb(one), to_rgb(other)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return high / low


@pytest.mark.parametrize("name", FIGURES)
class TestEveryFigure:
    def test_no_text_is_cut_off_or_small_or_pale_or_covers_another(self, name):
        width, height = draw(name).bbox.size
        for text, box in drawn_texts(name).items():
            assert min(box.x0, box.y0) >= 0 and box.x1 <= width and box.y1 <= height, text
            assert text.get_fontsize() >= 10, text
            assert contrast(text.get_color(), plots.BACKGROUND) >= 4.5, text
        for (one, box), (other, other_box) in combinations([*drawn_texts(name).items()][:200], 2):
            assert not box.overlaps(other_box), f"{one!r} covers {other!r}"

    def test_it_is_shown_with_its_description_and_four_opaque_pixels_for_each(self, name, shown):
        (output,) = shown(plots.show_figure, new(name))
        about = output.metadata["image/png"]
        assert output.data["text/plain"] == about["alt"] == draw(name).get_label()
        assert FIGURES[name][2] in about["alt"] and about["alt"].endswith(".")
        size = [about["width"], about["height"]]
        assert size == [round(length) for length in draw(name).bbox.size]
        assert size[0] <= 800  # fits a small laptop
        pixels = plt.imread(BytesIO(output.data["image/png"]))
        assert pixels.shape == (2 * size[1], 2 * size[0], 4) and pixels[..., 3].min() == 1
        assert len(output.data["image/png"]) < 200_000

    def test_pictures_are_sharp_and_on_one_scale_and_no_text_covers_them(self, name):
        pictures, boxes = draw(name).axes[0].images, drawn_texts(name).values()
        assert len({(picture.get_clim(), picture.cmap.name) for picture in pictures}) <= 1
        assert not pictures or pictures[0].get_clim() in [(0, 255), (-2, 2), (-1, 1)]
        for picture in pictures[1:]:
            assert not any(box.overlaps(picture.get_window_extent()) for box in boxes)
            corners = picture.get_window_extent().get_points()
            assert np.allclose(corners, corners.round(), atol=1e-4)
            across, down = (corners[1] - corners[0]) / picture.get_array().shape
            assert across == pytest.approx(down) == pytest.approx(round(across))


def test_the_same_figure_gives_the_same_bytes_and_is_closed_in_pyplot(shown):
    one, other = (shown(plots.show_figure, new("shifts"))[0].data["image/png"] for _ in range(2))
    assert one == other and b"Software" not in one
    own = plt.figure(label="  \n")
    with pytest.raises(ValueError, match=r"figure\.set_label\("):
        plots.show_figure(own)
    own.set_label("An empty figure")
    shown(plots.show_figure, own)
    assert not plt.fignum_exists(own.number)


def test_a_matplotlibrc_of_ones_own_changes_nothing(tmp_path):
    own = "text.usetex: True\nsavefig.transparent: True\nsavefig.bbox: tight\naxes.grid: True\n"
    (tmp_path / "matplotlibrc").write_text(own)
    code = "import numpy; from mnist_helpers import plot_digits\n"
    code += "plot_digits(numpy.eye(28)[None], ['one']).savefig('figure.png')"
    folders = [tmp_path, tmp_path / "plain"]
    folders[1].mkdir()
    for folder in folders:
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    own, plain = ((folder / "figure.png").read_bytes() for folder in folders)
    assert own == plain


def test_pictures_stand_in_reading_order_with_their_labels_below():
    axes = draw("digits").axes[0]
    assert np.array_equal([picture.get_array() for picture in axes.images], DIGITS)
    corners = [(-box.y1, box.x0) for box in (p.get_window_extent() for p in axes.images)]
    assert corners == sorted(set(corners))
    for picture, text, label in zip(axes.images, axes.texts[1:], LABELS, strict=True):
        left, right, lower, _ = picture.get_extent()
        x, y = text.get_position()
        assert left < x < right and lower < y and text.get_text() == str(label)


def test_in_learning_curves_training_is_dashed_and_validation_solid_and_epochs_are_whole():
    for axes, measure in zip(draw("curves").axes, ("loss", "accuracy"), strict=True):
        dashed, solid = axes.lines
        assert [dashed.get_linestyle(), solid.get_linestyle()] == ["--", "-"]
        assert [dashed.get_label(), solid.get_label()] == ["training", "validation"]
        assert np.array_equal(dashed.get_data(), [range(1, 21), HISTORY[measure]])
        assert np.array_equal(solid.get_ydata(), HISTORY[f"val_{measure}"])
        assert np.array_equal(axes.get_xticks(), np.round(axes.get_xticks()))


def test_seeds_show_every_run_apart_from_the_top_on_recorded_ones_with_their_mean():
    axes = draw("seeds on record").axes[0]
    others, own = axes.lines[:2]
    assert list(others.get_xdata()) == RECORDED["dense"]
    assert list(own.get_xdata()) == RUNS["dense"]
    assert len({tuple(point) for point in own.get_xydata()}) == 4
    assert others.get_markersize() < own.get_markersize()
    assert others.get_color() == plots.GREY != own.get_color()
    assert words("seeds on record") == ["mean 96.17%", "mean 98.10%", "mean 100.00%"]
    assert words("seeds") == ["mean 96.00%", "mean 98.32%", "mean 100.00%"]
    assert axes.yaxis_inverted() and axes.get_xlim()[1] == 1  # no accuracy is above 100%


def test_differences_have_the_95_percent_t_interval_of_their_mean():
    segments = [bars.get_segments()[0] for bars in draw("differences").axes[0].collections]
    low, high = ttest_1samp(PAIRS["CNN − dense"], 0).confidence_interval(0.95)
    assert list(segments[0][:, 0]) == pytest.approx([100 * low, 100 * high])
    results = ["+2.70 ± 0.75", "+0.00 ± 1.27", "+0.00 ± 0.00"]
    assert words("differences") == words("on record") == results


def test_shifts_are_thin_lines_around_their_mean_and_carry_the_pages_view(shown):
    *thin, mean = draw("shifts of several").axes[0].lines[:3]
    assert mean.get_linewidth() > 1.5 * max(line.get_linewidth() for line in thin)
    assert list(mean.get_ydata()) == pytest.approx(0.95 * np.array(BY_SHIFT["dense"]))
    with_digits = plots.plot_shifts(range(5), BY_SHIFT, (DIGITS[:3], LABELS[:3]))
    (output,) = shown(plots.show_figure, with_digits)
    assert output.data[VIEW_TYPE]["view"] == "shift" and len(output.data[VIEW_TYPE]["digits"]) == 3


@pytest.mark.parametrize(
    "plot, arguments, hint",
    [
        (plots.plot_digits, [DIGITS[0]], "newaxis"),
        (plots.plot_digits, [DIGITS[:0]], r"\(0, 28, 28\), expected \(n, height, width\)"),
        (plots.plot_digits, [DIGITS[:3], LABELS[:2]], "3 pictures but 2 labels"),
        (plots.plot_weights, [np.zeros((784, 25))], r"kernel\.T\.reshape\(-1, 28, 28\)"),
        (plots.plot_weights, [np.zeros((3, 3, 1, 12))], r"transpose\(2, 0, 1\)"),
        (plots.plot_learning_curves, [{"loss": [1]}], "lacks val_loss, accuracy, val_accuracy"),
    ],
)
def test_wrong_arguments_are_refused_with_a_hint(plot, arguments, hint):
    with pytest.raises(ValueError, match=hint):
        plot(*arguments)
