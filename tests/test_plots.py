"""The figures are inspected for what a reader sees: pictures, bars, lines and texts."""

import subprocess
import sys
import tomllib
from functools import cache
from io import BytesIO
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ROOT
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from scipy.stats import ttest_1samp
from sklearn.datasets import load_digits

from mnist_helpers import plots

# 8 × 8 pixels from 0 to 16, drawn up to 28 × 28 pixels from 0 to 255 as in MNIST.
DIGITS = load_digits().images[:100].repeat(3, 1).repeat(3, 2) * 255 / 16
DIGITS = np.pad(DIGITS, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
LABELS = load_digits().target[:100]
MAPS = DIGITS[:20].transpose(1, 2, 0)


def history(epochs: int, accuracy: float) -> dict:
    """A history as of a training that ends at the given validation accuracy."""
    val_accuracy = np.linspace(accuracy, 0.8, epochs)[::-1]
    return {
        "accuracy": list(val_accuracy - 0.005),
        "val_accuracy": list(val_accuracy),
        "loss": list(4 * (1.01 - val_accuracy)),
        "val_loss": list(3 * (1.01 - val_accuracy)),
    }


DENSE, CNN = history(20, 0.962), history(4, 0.984)
TWO = {"dense": DENSE, "CNN": CNN}
CLOSE = {f"network {n}": history(4, 0.98 + n / 10_000) for n in range(5)}
PROBABILITIES = np.array([0, 0.001, 0, 0, 0.3, 0, 0, 0, 0.0004, 0.6986])
TRUE = np.repeat(np.arange(10), 100)
SAID = TRUE.copy()
SAID[400:407] = 9  # seven fours taken for nines
SAID[300] = 5
RUNS = {"dense": [0.96, 0.97, 0.96, 0.95], "one layer": [0.983, 0.983, 0.9835], "two": [1.0]}
RECORDED = {"dense": [0.955, 0.961, 0.968, 0.963], "one layer": [0.984, 0.98, 0.979]}
PAIRS = {"CNN − dense": [0.027, 0.03, 0.024], "wide − dense": [0.001, -0.001], "none": [0, 0]}
OWN_PAIRS = {"wide − dense": [0.002]}
BY_SHIFT = {"dense": [0.96, 0.9, 0.7, 0.4, 0.12], "convolutional": [0.98, 0.97, 0.9, 0.6, 0.121]}

# Figures of each kind, with the kinds' awkward cases, and what their descriptions say.
FIGURES = {
    "digit": lambda: plots.plot_digit(DIGITS[0], "Labelled 0"),
    "digit numbers": lambda: plots.plot_digit_numbers(DIGITS[3] / 255),
    "digits": lambda: plots.plot_digits(DIGITS, LABELS, title="A hundred digits"),
    "one digit": lambda: plots.plot_digits(
        DIGITS[:1], ["a mean three"], title="The mean of threes"
    ),
    "maps": lambda: plots.plot_feature_maps(MAPS, ["4 → 9"] * 20, 10, "Of a zero"),
    "weights": lambda: plots.plot_weights(np.linspace(-1, 2, 19_600).reshape(25, 28, 28)),
    "one kernel": lambda: plots.plot_weights(np.ones((1, 3, 3)), 6, "A kernel"),
    "curves of one": lambda: plots.plot_learning_curves({"dense": DENSE}),
    "curves by epoch": lambda: plots.plot_learning_curves(TWO),
    "close curves": lambda: plots.plot_learning_curves(CLOSE),
    "one epoch": lambda: plots.plot_learning_curves({"a": history(1, 0.9), "b": history(1, 0.97)}),
    "unsure": lambda: plots.plot_probabilities(DIGITS[0], PROBABILITIES, 4),
    "sure": lambda: plots.plot_probabilities(DIGITS[0], np.eye(10)[0], 0),
    "network": lambda: plots.plot_network({"pixels": 784, "hidden": 25, "digits": 10}),
    "errors": lambda: plots.plot_confusion_matrix(TRUE, SAID),
    "no errors": lambda: plots.plot_confusion_matrix(TRUE.repeat(99), TRUE.repeat(99)),
    "seeds": lambda: plots.plot_seeds(RUNS),
    "seeds on recorded ones": lambda: plots.plot_seeds(RUNS, RECORDED),
    "differences": lambda: plots.plot_differences(PAIRS),
    "differences on recorded ones": lambda: plots.plot_differences(OWN_PAIRS, PAIRS),
    "shifts": lambda: plots.plot_shifts(range(5), {k: [v] for k, v in BY_SHIFT.items()}),
    "shifts of several": lambda: plots.plot_shifts(
        range(5), {name: [values, np.multiply(values, 0.9)] for name, values in BY_SHIFT.items()}
    ),
}
DESCRIPTIONS = {
    "digit": "Labelled 0. An image of 28 rows",
    "digit numbers": f"28 rows of 28; {(DIGITS[3] > 0).sum()} of 784 are above zero.",
    "digits": "A hundred digits. 100 images in 10 rows.",
    "one digit": "The mean of threes. 1 image in 1 row, labelled a mean three.",
    "maps": "Of a zero. 20 feature maps in 2 rows, labelled 4 → 9, 4 → 9, ",
    "weights": "25 pictures in 5 rows. Weights from -1.00 to 2.00, blue below zero, red above.",
    "one kernel": "A kernel. 1 picture in 1 row.",
    "curves of one": "dense 95.7% in training, 96.2% in validation after 20 epochs.",
    "curves by epoch": "CNN 97.9% in training, 98.4% in validation after 4 epochs.",
    "close curves": "Loss and accuracy by epoch.",
    "one epoch": "after 1 epoch;",
    "unsure": "The network says 9 with probability 69.9%, and 4 with 30.0%.",
    "sure": "The network says 0 with probability 100.0%.",
    "network": "each neuron joined to all of the layer before: pixels 784, hidden 25, digits 10.",
    "errors": "8 mistakes in 1,000 answers. The most frequent mistake: a 4 taken for a 9, 7 times.",
    "no errors": "0 mistakes in 99,000 answers.",
    "seeds": "dense 96.00% in 4 trainings; one layer 98.32% in 3 trainings; two 100.00% in 1 ",
    "seeds on recorded ones": "dense 96.17% in 4 recorded trainings; one layer 98.10% in 3 ",
    "differences": "CNN − dense +2.70 ± 0.75; wide − dense +0.00 ± 1.27; none +0.00 ± 0.00.",
    "differences on recorded ones": "Means of recorded pairs: CNN − dense +2.70 ± 0.75; wide ",
    "shifts of several": "At 4: dense 11.4%, convolutional 11.5%.",
    "shifts": "shifted by 0 to 4 pixels. At 4: dense 12.0%, convolutional 12.1%.",
}


@cache
def draw(name):
    """One of the figures, drawn once for all tests: they only look at it."""
    figure = FIGURES[name]()
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


def words(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def contrast(one, other) -> float:
    """Of two colours, as WCAG 2.2 defines it: from 1 to 21."""
    rgb = np.array([to_rgb(one), to_rgb(other)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return high / low


@pytest.mark.parametrize("name", FIGURES)
class TestEveryFigure:
    def test_no_text_is_cut_off(self, name):
        width, height = draw(name).bbox.size
        for text, box in drawn_texts(name).items():
            assert min(box.x0, box.y0) >= 0 and box.x1 <= width and box.y1 <= height, text

    def test_no_text_covers_another(self, name):
        for (one, box), (other, other_box) in combinations([*drawn_texts(name).items()][:200], 2):
            assert not box.overlaps(other_box), f"{one!r} covers {other!r}"

    def test_text_is_at_least_ten_points_high(self, name):
        assert min(text.get_fontsize() for text in drawn_texts(name)) >= 10

    def test_description_says_what_the_figure_shows(self, name):
        description = draw(name).get_label()
        assert DESCRIPTIONS[name] in description
        assert description[0].isupper() == description[0].isalpha()
        assert description.endswith(".") and ".." not in description

    def test_show_figure_sends_the_description_and_four_opaque_pixels_for_each(self, name, show):
        figure = FIGURES[name]()
        data, metadata = show(figure)
        assert data["text/plain"] == metadata["alt"] == figure.get_label()
        width, height = metadata["width"], metadata["height"]
        assert [width, height] == [round(length) for length in figure.bbox.size]
        assert width <= 800  # fits a small laptop
        pixels = plt.imread(BytesIO(data["image/png"]))
        assert pixels.shape == (2 * height, 2 * width, 4)
        assert pixels[..., 3].min() == 1
        assert len(data["image/png"]) < 200_000


@pytest.fixture(scope="module")
def show(shown):
    """Shows a figure in a real IPython shell, and gives what `display` sends."""

    def show(figure):
        (output,) = shown(plots.show_figure, figure)
        return output.data, output.metadata["image/png"]

    return show


class TestShowFigure:
    def test_gives_the_same_bytes_each_time_and_names_no_software(self, show):
        one, other = (show(FIGURES["curves by epoch"]())[0]["image/png"] for _ in range(2))
        assert one == other and b"Software" not in one

    def test_closes_a_figure_of_pyplot(self, show):
        own = plt.figure(label="An empty figure")
        show(own)
        assert not plt.fignum_exists(own.number)

    @pytest.mark.parametrize("label", ["", "  \n"])
    def test_refuses_a_figure_without_a_description(self, label):
        with pytest.raises(ValueError, match=r"figure\.set_label\("):
            plots.show_figure(plots.Figure(label=label))


class TestStyle:
    def test_import_loads_neither_pyplot_nor_scikit_learn_nor_scipy_nor_tensorflow(self):
        heavy = "{'matplotlib.pyplot', 'sklearn', 'scipy', 'tensorflow'}"
        code = f"import sys, mnist_helpers.plots; print({heavy} & set(sys.modules))"
        assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"

    def test_style_is_installed_with_the_package(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        assert "*.mplstyle" in project["tool"]["setuptools"]["package-data"]["mnist_helpers"]

    def test_style_in_use_has_the_colors_of_the_module(self):
        cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
        used = [*cycle, plt.rcParams["figure.facecolor"], plt.rcParams["text.color"]]
        module = [*plots.COLORS, plots.BACKGROUND, plots.TEXT]
        assert [to_hex(color) for color in used] == [color.lower() for color in module]

    def test_lines_can_be_told_apart_by_people_who_see_no_green(self):
        # Deuteranopia. Source: G. Machado, M. Oliveira, L. Fernandes, 2009.
        blind = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
        seen = [blind @ np.array(to_rgb(color)) ** 2.2 for color in plots.COLORS]
        assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 0.1

    @pytest.mark.parametrize("color", [*plots.TEXT_COLORS, plots.TEXT, plots.GREY])
    def test_text_stands_out_from_the_background(self, color):
        assert contrast(color, plots.BACKGROUND) >= 4.5

    @pytest.mark.parametrize(
        "plot, arguments",
        [
            (plots.plot_digit_numbers, [np.arange(256).reshape(16, 16)]),
            (plots.plot_confusion_matrix, np.divmod(np.arange(100).repeat(range(100)), 10)),
        ],
    )
    def test_numbers_stand_out_from_the_shade_of_their_cell(self, plot, arguments):
        axes = plot(*arguments).axes[0]
        (picture,) = axes.images
        colors = picture.to_rgba(picture.get_array())
        for text in axes.texts:
            column, row = text.get_position()
            assert contrast(text.get_color(), colors[row, column, :3]) >= 4.5, text


class TestPictures:
    @pytest.mark.parametrize(
        "name, images",
        [("digit", DIGITS[:1]), ("digits", DIGITS), ("maps", DIGITS[:20]), ("sure", DIGITS[:1])],
    )
    def test_all_are_drawn_in_reading_order(self, name, images):
        pictures = draw(name).axes[0].images
        assert np.array_equal([picture.get_array() for picture in pictures], images)
        places = [(-box.y1, box.x0) for box in (p.get_window_extent() for p in pictures)]
        assert places == sorted(set(places))

    def test_labels_stand_below_their_pictures(self):
        axes = draw("digits").axes[0]
        labels = axes.texts[1:]  # the first is the title
        for picture, text, label in zip(axes.images, labels, LABELS, strict=True):
            left, right, lower, _ = picture.get_extent()
            x, y = text.get_position()
            assert left < x < right and lower < y and text.get_text() == str(label)

    @pytest.mark.parametrize("name", ["digits", "one digit", "maps", "one kernel"])
    def test_no_title_and_no_label_covers_one(self, name):
        boxes = drawn_texts(name).values()
        for picture in draw(name).axes[0].images:
            assert not any(box.overlaps(picture.get_window_extent()) for box in boxes)

    @pytest.mark.parametrize("name", ["digits", "one digit", "maps", "weights", "one kernel"])
    def test_magnified_ones_are_sharp_by_a_whole_number_from_a_whole_pixel(self, name):
        for picture in draw(name).axes[0].images:
            assert picture.get_interpolation() == "nearest"
            corners = picture.get_window_extent().get_points()
            assert np.allclose(corners, corners.round(), atol=1e-4)
            across, down = (corners[1] - corners[0]) / picture.get_array().shape
            assert across == pytest.approx(down) == pytest.approx(round(across))

    @pytest.mark.parametrize(
        "plot, images, scale, colors",
        [
            (plots.plot_digit, DIGITS[0], (0, 255), "gray_r"),
            (plots.plot_digit, DIGITS[0] / 255, (0, 1), "gray_r"),
            (plots.plot_digits, DIGITS[:2] // np.uint8([[[1]], [[4]]]), (0, 255), "gray_r"),
            (plots.plot_feature_maps, np.full((26, 26, 2), [0.1, 3.0]), (0, 3), "gray_r"),
            (plots.plot_feature_maps, np.full((26, 26, 2), [-2.0, 3.0]), (-2, 3), "gray_r"),
            (plots.plot_weights, np.full((2, 3, 3), [-0.5, 0.2, 0.1]), (-0.5, 0.5), "RdBu_r"),
            (plots.plot_weights, np.zeros((2, 3, 3)), (-1, 1), "RdBu_r"),
        ],
    )
    def test_those_of_one_figure_share_one_scale(self, plot, images, scale, colors):
        for picture in plot(images).axes[0].images:
            assert (picture.get_clim(), picture.cmap.name) == (scale, colors)

    @pytest.mark.parametrize(
        "image, texts",
        [
            ([[0, 7], [96, 255]], ["0", "7", "96", "255"]),
            ([[0.0, 0.25], [0.96, 1.0]], ["0.0", "0.2", "1.0", "1.0"]),
        ],
    )
    def test_digit_numbers_are_the_pixels_row_by_row(self, image, texts):
        assert words(plots.plot_digit_numbers(image).axes[0]) == texts


class TestLearningCurves:
    def test_are_dashed_for_training_and_solid_for_validation(self):
        for axes, measure in zip(draw("curves by epoch").axes, ("loss", "accuracy"), strict=True):
            dashed, solid, *_ = axes.lines
            assert [dashed.get_linestyle(), solid.get_linestyle()] == ["--", "-"]
            assert np.array_equal(dashed.get_data(), [range(1, 21), DENSE[measure]])
            assert np.array_equal(solid.get_data(), [range(1, 21), DENSE[f"val_{measure}"]])

    def test_of_several_networks_are_named_at_the_ends_of_the_validation_lines(self):
        for axes, measure in zip(draw("curves by epoch").axes, ("loss", "accuracy"), strict=True):
            names = [(text.get_text(), *text.xy, text.get_color()) for text in axes.texts]
            dense, cnn = DENSE[f"val_{measure}"][-1], CNN[f"val_{measure}"][-1]
            first, second = plots.TEXT_COLORS[:2]
            assert sorted(names) == [("CNN", 4, cnn, second), ("dense", 20, dense, first)]

    def test_that_end_close_together_are_named_in_the_order_of_the_lines(self):
        names = sorted(draw("close curves").axes[1].texts, key=lambda text: text.xy[1])
        assert [name.get_text() for name in names] == list(CLOSE)
        assert min(np.diff([name.get_window_extent().y0 for name in names])) > 19

    @pytest.mark.parametrize("epochs", [1, 4, 20, 100])
    def test_count_epochs_in_whole_numbers(self, epochs):
        axes = plots.plot_learning_curves({"dense": history(epochs, 0.96)}).axes[0]
        low, high = axes.get_xlim()
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert 1 <= len(ticks) <= 7 and np.array_equal(ticks, np.round(ticks))


class TestProbabilities:
    @pytest.mark.parametrize(
        "name, bars, marked",
        [
            ("unsure", PROBABILITIES, {9: (plots.BLUE, "predicted"), 4: (plots.ORANGE, "label")}),
            ("sure", np.eye(10)[0], {0: (plots.BLUE, "predicted")}),
        ],
    )
    def test_the_predicted_digit_and_the_label_that_was_missed_are_marked(self, name, bars, marked):
        axes = draw(name).axes[1]
        for digit, (bar, text) in enumerate(zip(axes.patches, words(axes), strict=True)):
            color, mark = marked.get(digit, (plots.PALE_GREY, ""))
            assert to_hex(bar.get_facecolor()) == color.lower()
            assert bar.get_width() == bars[digit]
            assert text == f"{plots._percent(bars[digit])}  {mark}".strip()

    def test_different_images_are_drawn_at_one_scale(self):
        one, other = (draw(name).axes[1].bbox.width for name in ("sure", "unsure"))
        assert one == pytest.approx(other, abs=1)

    @pytest.mark.parametrize(
        "fraction, text",
        [(0, "0.0%"), (0.0001, "<0.1%"), (0.5, "50.0%"), (0.9999, ">99.9%"), (1, "100.0%")],
    )
    def test_percentages_never_round_to_certainty(self, fraction, text):
        assert plots._percent(fraction) == text


class TestConfusionMatrix:
    def test_counts_by_true_row_and_predicted_column(self):
        axes = draw("errors").axes[0]
        counts = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
        assert [counts[4, 9], counts[3, 5], counts[4, 4]] == ["7", "1", "93"]
        assert (9, 4) not in counts
        assert (axes.get_ylabel(), axes.get_xlabel()) == ("true digit", "predicted digit")

    def test_colours_errors_on_a_scale_of_their_own(self):
        (picture,) = draw("errors").axes[0].images
        colors = picture.to_rgba(picture.get_array())
        assert {to_hex(colors[digit, digit]) for digit in range(10)} == {plots.PALE_GREY.lower()}
        assert colors[4, 9].sum() < colors[3, 5].sum() < colors[0, 1].sum()

    def test_keeps_all_ten_digits_when_some_are_absent(self):
        (picture,) = plots.plot_confusion_matrix([1, 2], [1, 3]).axes[0].images
        assert picture.get_array().shape == (10, 10)


class TestComparisons:
    def test_seeds_show_every_run_apart_and_the_mean_in_rows_from_the_top(self):
        axes = draw("seeds").axes[0]
        points, mean = axes.lines[:2]
        assert list(points.get_xdata()) == RUNS["dense"]
        assert len({tuple(point) for point in points.get_xydata()}) == 4
        assert list(mean.get_xdata()) == pytest.approx([0.96, 0.96])
        assert words(axes) == ["mean 96.00%", "mean 98.32%", "mean 100.00%"]
        assert axes.yaxis_inverted()
        assert axes.get_xlim()[1] == 1  # no accuracy is above 100%

    def test_recorded_seeds_lie_small_and_grey_below_ones_own_and_give_the_mean(self):
        others, own, mean = draw("seeds on recorded ones").axes[0].lines[:3]
        assert list(others.get_xdata()) == RECORDED["dense"]
        assert list(own.get_xdata()) == RUNS["dense"]
        assert others.get_markersize() < own.get_markersize()
        assert others.get_color() == plots.GREY != own.get_color()
        assert list(mean.get_xdata()) == pytest.approx([np.mean(RECORDED["dense"])] * 2)

    def test_differences_are_points_with_the_95_percent_t_interval_of_their_mean(self):
        axes = draw("differences").axes[0]
        assert list(axes.lines[1].get_xdata()) == pytest.approx([2.7, 3.0, 2.4])
        segments = [bars.get_segments()[0] for bars in axes.collections]
        low, high = ttest_1samp(PAIRS["CNN − dense"], 0).confidence_interval(0.95)
        assert list(segments[0][:, 0]) == pytest.approx([100 * low, 100 * high])
        assert words(axes) == ["+2.70 ± 0.75", "+0.00 ± 1.27", "+0.00 ± 0.00"]

    def test_recorded_differences_lie_grey_below_ones_own_and_give_the_interval(self):
        axes = draw("differences on recorded ones").axes[0]
        points = [line for line in axes.lines if line.get_marker() == "o"]
        recorded, own = points[2:4]  # of the second row; the first has none of one's own
        assert list(points[1].get_xdata()) == []
        assert list(recorded.get_xdata()) == pytest.approx([0.1, -0.1])
        assert list(own.get_xdata()) == pytest.approx([0.2])
        assert recorded.get_color() == plots.GREY != own.get_color()
        assert words(axes) == words(draw("differences").axes[0])

    def test_shifts_of_several_trainings_are_thin_lines_around_their_mean(self):
        *thin, mean = draw("shifts of several").axes[0].lines[:3]
        assert mean.get_linewidth() > 1.5 * max(line.get_linewidth() for line in thin)
        assert list(mean.get_ydata()) == pytest.approx(0.95 * np.array(BY_SHIFT["dense"]))

    def test_shifts_are_a_named_line_for_each_network_on_a_scale_from_zero(self):
        axes = draw("shifts").axes[0]
        assert np.array_equal(axes.lines[0].get_data(), [range(5), BY_SHIFT["dense"]])
        assert set(words(axes)) == {"dense", "convolutional", "guessing"}
        assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    "plot, arguments, hint",
    [
        (plots.plot_digit, [DIGITS[:1]], r"take one, as in images\[0\]"),
        (plots.plot_digit, [DIGITS[0].ravel()], r"reshape\(28, 28\)"),
        (plots.plot_digit_numbers, [np.zeros((28, 29))], "at most 28"),
        (plots.plot_digits, [DIGITS[0]], "newaxis"),
        (plots.plot_digits, [DIGITS[:0]], r"\(0, 28, 28\), expected \(n, 28, 28\)"),
        (plots.plot_digits, [DIGITS[:3], LABELS[:2]], "3 pictures but 2 labels"),
        (plots.plot_feature_maps, [np.zeros((1, 26, 26, 12))], r"maps\[0\]"),
        (plots.plot_weights, [np.zeros((784, 25))], r"kernel\.T\.reshape\(-1, 28, 28\)"),
        (plots.plot_weights, [np.zeros((3, 3, 1, 12))], r"transpose\(2, 0, 1\)"),
        (plots.plot_learning_curves, [DENSE], "one history per name"),
        (plots.plot_learning_curves, [{"dense": {"loss": [1]}}], "lacks val_loss, accuracy, val_"),
        (plots.plot_probabilities, [DIGITS[0], PROBABILITIES[None], 1], r"predictions\[0\]"),
        (plots.plot_confusion_matrix, [[1, 2], np.eye(10)[:2]], r"argmax\(axis=1\)"),
        (plots.plot_confusion_matrix, [np.eye(10)[:2], [1, 2]], r"argmax\(axis=1\)"),
        (plots.plot_confusion_matrix, [[1, 2], [1, 10]], "digits from 0 to 9"),
        (plots.plot_confusion_matrix, [[1, 2], [1]], "equally many"),
    ],
)
def test_wrong_arguments_are_refused_with_a_hint(plot, arguments, hint):
    with pytest.raises(ValueError, match=hint):
        plot(*arguments)
