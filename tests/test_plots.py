"""The figures are inspected for what a reader sees: pictures, bars, lines and texts."""

import io
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from sklearn.datasets import load_digits

from mnist_helpers import plots

SMALL_DIGITS = load_digits()
# 8 × 8 pixels from 0 to 16, drawn up to 28 × 28 pixels from 0 to 255 as in MNIST.
DIGITS = np.pad(SMALL_DIGITS.images[:100].repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2)))
DIGITS = (DIGITS * 255 / 16).astype(np.uint8)
LABELS = SMALL_DIGITS.target[:100]


def history(epochs: int, accuracy: float, seconds_per_epoch: float = 2.0) -> dict:
    """A history as of a training that ends at the given validation accuracy."""
    rest = 1 / np.sqrt(np.arange(1, epochs + 1))
    gap = 1 - accuracy
    val_accuracy = 1 - gap * rest / rest[-1]
    return {
        "accuracy": list(val_accuracy - 0.005),
        "val_accuracy": list(val_accuracy),
        "loss": list(4 * (1.01 - val_accuracy)),
        "val_loss": list(3 * (1.01 - val_accuracy)),
        "seconds": list(seconds_per_epoch * np.arange(1, epochs + 1)),
    }


DENSE, CNN = history(20, 0.962, 1.2), history(4, 0.984, 9)
PROBABILITIES = np.array([0, 0.001, 0, 0, 0.3, 0, 0, 0, 0.0004, 0.6986])

# One figure of each kind, and the kinds' awkward cases.
FIGURES = {
    "digit": lambda: plots.plot_digit(DIGITS[0], "Labelled 0"),
    "digit numbers": lambda: plots.plot_digit_numbers(np.full((28, 28), 255)),
    "digit numbers scaled": lambda: plots.plot_digit_numbers(DIGITS[0] / 255),
    "digits": lambda: plots.plot_digits(DIGITS, LABELS),
    "digits, ten mistakes": lambda: plots.plot_digits(DIGITS[:10], ["4 → 9"] * 10),
    "digits, two lines": lambda: plots.plot_digits(DIGITS[:6], ["4 → 9\n98.3%"] * 6, columns=3),
    "one digit": lambda: plots.plot_digits(DIGITS[:1], ["a mean three"]),
    "class balance": lambda: plots.plot_class_balance([5_900, 6_742] + 8 * [5_421]),
    "curves of one": lambda: plots.plot_learning_curves({"dense": DENSE}),
    "curves by epoch": lambda: plots.plot_learning_curves({"dense": DENSE, "CNN": CNN}),
    "curves by second": lambda: plots.plot_learning_curves(
        {"dense": DENSE, "convolutional": CNN}, by="second"
    ),
    "curves, close ends": lambda: plots.plot_learning_curves(
        {f"network {n}": history(4, 0.98 + n / 10_000) for n in range(5)}
    ),
    "curves, one epoch": lambda: plots.plot_learning_curves(
        {"dense": history(1, 0.9), "convolutional": history(1, 0.97)}
    ),
    "probabilities": lambda: plots.plot_probabilities(DIGITS[0], PROBABILITIES, 4),
    "probabilities, sure": lambda: plots.plot_probabilities(DIGITS[0], np.eye(10)[0], 0),
    "confusion matrix": lambda: plots.plot_confusion_matrix(LABELS.repeat(99), LABELS.repeat(99)),
    "dense weights": lambda: plots.plot_weights(np.linspace(-1, 2, 25 * 784).reshape(25, 28, 28)),
    "kernels": lambda: plots.plot_weights(
        np.linspace(-1, 2, 108).reshape(12, 3, 3), 6, [f"filter {n}" for n in range(1, 13)]
    ),
    "one kernel": lambda: plots.plot_weights(np.ones((1, 3, 3)), titles=["filter 1"]),
    "feature maps": lambda: plots.plot_feature_maps(
        DIGITS[:20].transpose(1, 2, 0), 10, [f"map {n}" for n in range(1, 21)]
    ),
    "parameters": lambda: plots.plot_parameters_by_layer(
        ["convolution_1", "convolution_2", "flatten_to_11520", "hidden", "probabilities"],
        [120, 2180, 0, 288_025, 260],
    ),
    "accuracy intervals": lambda: plots.plot_accuracy_intervals(
        ["dense", "convolutional", "compact"],
        [0.961, 0.984, 0.9992],
        [(0.957, 0.9646), (0.9814, 0.9863), (0.9984, 1.0)],
    ),
    "seeds": lambda: plots.plot_seeds(
        {"dense": [0.961, 0.962, 0.958], "one layer": [0.983, 0.983, 0.9835], "two": [0.984]}
    ),
    "shifts": lambda: plots.plot_shifts(
        range(5),
        {"dense": [0.96, 0.9, 0.7, 0.4, 0.12], "convolutional": [0.98, 0.97, 0.9, 0.6, 0.121]},
    ),
    "trade-off": lambda: plots.plot_trade_off(
        ["dense", "convolutional", "pooling", "normalised", "compact"],
        [20_535, 290_585, 75_000, 76_000, 32_000],
        [0.961, 0.984, 0.988, 0.9882, 0.994],
        "parameters (log scale)",
    ),
    "trade-off, wide": lambda: plots.plot_trade_off(
        ["dense", "convolutional"], [20_150, 40_000_000], [0.96, 0.98], "multiplications"
    ),
}


def drawn_texts(figure) -> list[tuple[str, object]]:
    """Every text that is drawn, with its box in pixels."""
    FigureCanvasAgg(figure).draw()
    texts = list(figure.texts) + ([figure._suptitle] if figure._suptitle else [])
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes._left_title, axes._right_title]
        for axis in (axes.xaxis, axes.yaxis):
            if not (axes.axison and axis.get_visible()):
                continue
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            texts += [axis.label, *(label for place, label in ticks if low <= place <= high)]
    unique = {id(text): text for text in texts if text.get_text() and text.get_visible()}
    return [(text.get_text(), text.get_window_extent()) for text in unique.values()]


def words(figure) -> list[str]:
    return [text for text, _ in drawn_texts(figure)]


# --- All figures ----------------------------------------------------------------------------


@pytest.fixture(params=FIGURES, scope="module")
def figure(request):
    return FIGURES[request.param]()


@pytest.fixture(scope="module")
def texts(figure):
    return drawn_texts(figure)


def test_no_text_is_cut_off(figure, texts):
    width, height = figure.bbox.size
    for text, box in texts:
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= width and box.y1 <= height, text


def test_no_text_covers_another(texts):
    x0, y0, x1, y1 = np.array([box.extents for _, box in texts]).T
    beside = (x1[:, None] <= x0) | (y1[:, None] <= y0)
    for one, other in np.argwhere(np.triu(~(beside | beside.T), k=1)):
        pytest.fail(f"{texts[one][0]!r} covers {texts[other][0]!r}")


def test_text_is_at_least_ten_points_high(figure, texts):
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 10


def test_figure_fits_a_small_laptop(figure):
    assert figure.bbox.width <= 800


def test_background_is_opaque(figure, texts):
    assert np.asarray(figure.canvas.buffer_rgba())[..., 3].min() == 255


def test_png_has_the_same_bytes_each_time():
    pngs = []
    for _ in range(2):
        buffer = io.BytesIO()
        FIGURES["trade-off"]().savefig(buffer, format="png", metadata={"Software": None})
        pngs.append(buffer.getvalue())
    assert pngs[0] == pngs[1]


def test_a_hundred_digits_stay_small():
    buffer = io.BytesIO()
    FIGURES["digits"]().savefig(buffer, format="png")
    assert len(buffer.getvalue()) < 100_000


def test_import_loads_neither_pyplot_nor_scikit_learn_nor_tensorflow():
    code = (
        "import sys, mnist_helpers.plots; "
        "print({'matplotlib.pyplot', 'sklearn', 'tensorflow'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize("color", plots.COLORS)
def test_coloured_text_has_a_contrast_of_at_least_four_and_a_half(color):
    def luminance(some):
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(some)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    contrast = (luminance(plots.BACKGROUND) + 0.05) / (luminance(plots._readable(color)) + 0.05)
    assert contrast >= 4.49  # rounding to eight bits a channel


# --- show_figure ----------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A real IPython shell, so that what `display` sends can be caught."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell.instance()
    yield shell
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def shown_by(figure, alt):
    with capture_output() as captured:
        plots.show_figure(figure, alt)
    return captured.outputs


def test_show_figure_sends_one_png_with_its_text(shell):
    (output,) = shown_by(plots.plot_digit(DIGITS[0]), "A zero")
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.data["image/png"].startswith(b"\x89PNG")
    assert b"Software" not in output.data["image/png"]  # would differ between versions
    assert output.data["text/plain"] == "A zero"
    assert output.metadata == {"image/png": {"alt": "A zero"}}


def test_show_figure_closes_a_figure_of_pyplot(shell):
    own = plt.figure()
    shown_by(own, "An empty figure")
    assert not plt.fignum_exists(own.number)


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_show_figure_refuses_an_empty_alt(alt):
    with pytest.raises(ValueError, match="alt is empty"):
        plots.show_figure(plots.plot_digit(DIGITS[0]), alt)


# --- Digits ---------------------------------------------------------------------------------


def test_digit_is_drawn_black_on_white_with_its_title():
    figure = plots.plot_digit(DIGITS[0], "Labelled 0")
    (picture,) = figure.axes[0].images
    assert np.array_equal(picture.get_array(), DIGITS[0])
    assert [to_hex(picture.to_rgba(value)) for value in (0, 255)] == ["#ffffff", "#000000"]
    assert "Labelled 0" in words(figure)


def test_scaled_digit_looks_like_the_raw_one():
    raw, scaled = (
        plots.plot_digit(image).axes[0].images[0] for image in (DIGITS[0], DIGITS[0] / 255)
    )
    assert np.allclose(raw.to_rgba(DIGITS[0]), scaled.to_rgba(DIGITS[0] / 255), atol=1 / 255)


@pytest.mark.parametrize(
    ("image", "hint"),
    [(DIGITS[:1], r"take one, as in images\[0\]"), (DIGITS[0].ravel(), r"reshape\(28, 28\)")],
)
def test_digit_of_a_wrong_shape_is_refused_with_a_hint(image, hint):
    with pytest.raises(ValueError, match=hint):
        plots.plot_digit(image)


def test_digit_numbers_are_the_pixels_row_by_row():
    figure = plots.plot_digit_numbers(DIGITS[3])
    assert [text.get_text() for text in figure.axes[0].texts] == [str(v) for v in DIGITS[3].ravel()]


def test_digit_numbers_stand_out_from_their_shade():
    image = np.array([[0, 255], [120, 140]])
    texts = plots.plot_digit_numbers(image).axes[0].texts
    for text, value in zip(texts, image.ravel(), strict=True):
        shade = 1 - value / 255
        assert abs(np.mean(to_rgb(text.get_color())) - shade) > 0.3, value


def test_digit_numbers_that_are_not_whole_have_one_decimal():
    figure = plots.plot_digit_numbers(np.array([[0.0, 0.25], [0.96, 1.0]]))
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.0", "0.2", "1.0", "1.0"]


def test_digit_numbers_refuse_more_than_28_columns():
    with pytest.raises(ValueError, match="at most 28"):
        plots.plot_digit_numbers(np.zeros((28, 29)))


def test_digits_are_in_reading_order_with_their_labels_below():
    figure = plots.plot_digits(DIGITS[:12], LABELS[:12], columns=5)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == [str(label) for label in LABELS[:12]]
    places = []
    for picture, text, image in zip(axes.images, axes.texts, DIGITS, strict=False):
        left, right, lower, upper = picture.get_extent()
        assert np.array_equal(picture.get_array(), image)
        assert left < text.get_position()[0] < right
        assert text.get_position()[1] >= lower
        places.append((upper, left))
    assert places == sorted(places)
    assert len({upper for upper, _ in places}) == 3


@pytest.mark.parametrize("columns", [3, 6, 10])
def test_digits_are_magnified_by_a_whole_number_in_both_directions(columns):
    axes = plots.plot_digits(DIGITS[:30], LABELS[:30], columns=columns).axes[0]
    left, right, lower, upper = axes.images[0].get_extent()
    (x0, y0), (x1, y1) = axes.transData.transform([(left, lower), (right, upper)])
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert (x1 - x0) / 28 == pytest.approx(round((x1 - x0) / 28))


def test_digits_share_one_scale():
    pale = DIGITS[:2] // np.array([1, 4], dtype=np.uint8)[:, None, None]
    assert {picture.get_clim() for picture in plots.plot_digits(pale).axes[0].images} == {(0, 255)}


def test_digits_labels_take_their_colors():
    figure = plots.plot_digits(DIGITS[:2], [0, 1], colors=[plots.BLUE, plots.TEXT])
    assert [to_hex(text.get_color()) for text in figure.axes[0].texts] == [
        plots.BLUE.lower(),
        plots.TEXT.lower(),
    ]


def test_digits_refuse_another_number_of_labels():
    with pytest.raises(ValueError, match="3 pictures but 2 labels"):
        plots.plot_digits(DIGITS[:3], LABELS[:2])


def test_digits_refuse_another_number_of_colors():
    with pytest.raises(ValueError, match="3 images but 1 colors"):
        plots.plot_digits(DIGITS[:3], colors=[plots.BLUE])


def test_digits_refuse_a_single_image():
    with pytest.raises(ValueError, match="newaxis"):
        plots.plot_digits(DIGITS[0])


def test_class_balance_has_a_labelled_bar_for_each_digit():
    counts = np.bincount(LABELS, minlength=10) * 600
    figure = plots.plot_class_balance(counts)
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == list(counts)
    assert [text.get_text() for text in axes.texts] == [f"{count:,}" for count in counts]


def test_class_balance_refuses_labels_in_place_of_counts():
    with pytest.raises(ValueError, match="bincount"):
        plots.plot_class_balance(LABELS)


# --- Training and prediction ----------------------------------------------------------------


def test_learning_curves_draw_loss_at_left_and_accuracy_at_right():
    loss, accuracy = plots.plot_learning_curves({"dense": DENSE}).axes
    assert [list(line.get_ydata()) for line in loss.lines] == [DENSE["loss"], DENSE["val_loss"]]
    assert [list(line.get_ydata()) for line in accuracy.lines] == [
        DENSE["accuracy"],
        DENSE["val_accuracy"],
    ]


def test_learning_curves_are_dashed_for_training_and_solid_for_validation():
    for axes in plots.plot_learning_curves({"dense": DENSE}).axes:
        assert [line.get_linestyle() for line in axes.lines] == ["--", "-"]


def test_learning_curves_of_one_network_name_both_lines():
    for axes in plots.plot_learning_curves({"dense": DENSE}).axes:
        assert {text.get_text() for text in axes.texts} == {"training", "validation"}


def test_learning_curves_of_several_networks_name_each_and_explain_the_lines():
    figure = plots.plot_learning_curves({"dense": DENSE, "CNN": CNN})
    for axes in figure.axes:
        assert {text.get_text() for text in axes.texts} == {"dense", "CNN"}
    assert any("Dashed" in text and "training" in text for text in words(figure))


def test_learning_curves_are_named_at_the_ends_of_the_validation_lines():
    for axes in plots.plot_learning_curves({"dense": DENSE, "CNN": CNN}).axes:
        for text in axes.texts:
            source = {"dense": DENSE, "CNN": CNN}[text.get_text()]
            measure = "val_loss" if axes.get_title("left") == "Loss" else "val_accuracy"
            assert text.xy == (len(source["loss"]), source[measure][-1])


@pytest.mark.parametrize("epochs", [1, 4, 20, 100])
def test_learning_curves_count_epochs_from_one_in_whole_numbers(epochs):
    axes = plots.plot_learning_curves({"dense": history(epochs, 0.96)}).axes[0]
    ticks = axes.get_xticks()
    assert ticks[0] == 1
    assert ticks[-1] <= epochs
    assert len(ticks) <= 7
    assert np.array_equal(ticks, ticks.astype(int))
    assert list(axes.lines[0].get_xdata()) == list(range(1, epochs + 1))


def test_learning_curves_by_second_use_the_seconds():
    for axes in plots.plot_learning_curves({"dense": DENSE, "CNN": CNN}, by="second").axes:
        assert list(axes.lines[0].get_xdata()) == DENSE["seconds"]
        assert list(axes.lines[2].get_xdata()) == CNN["seconds"]
        assert axes.get_xlim()[0] == 0
        assert axes.get_xlabel() == "seconds of training"


def test_learning_curves_take_a_history_in_place_of_several_for_a_mistake():
    with pytest.raises(ValueError, match="one history per name"):
        plots.plot_learning_curves(DENSE)


def test_learning_curves_by_second_need_seconds():
    without = {key: values for key, values in DENSE.items() if key != "seconds"}
    with pytest.raises(ValueError, match="lacks seconds"):
        plots.plot_learning_curves({"dense": without}, by="second")


def test_learning_curves_refuse_another_unit():
    with pytest.raises(ValueError, match="'minute'"):
        plots.plot_learning_curves({"dense": DENSE}, by="minute")


def probability_bars(true_label):
    figure = plots.plot_probabilities(DIGITS[0], PROBABILITIES, true_label)
    return figure, figure.axes[1].patches


def test_probabilities_have_a_bar_for_each_digit():
    figure, bars = probability_bars(None)
    assert [bar.get_width() for bar in bars] == list(PROBABILITIES)
    assert np.array_equal(figure.axes[0].images[0].get_array(), DIGITS[0])


def test_probabilities_are_written_as_percentages():
    figure, _ = probability_bars(None)
    texts = [text.get_text() for text in figure.axes[1].texts]
    assert texts[0] == "0.0%"
    assert texts[1] == "0.1%"
    assert texts[8] == "<0.1%"
    assert texts[9] == "69.9%  predicted"


def test_probabilities_highlight_the_predicted_digit_only():
    _, bars = probability_bars(9)
    assert [n for n, bar in enumerate(bars) if to_hex(bar.get_facecolor(), False) != "#d5d5d2"] == [
        9
    ]


def test_probabilities_mark_the_label_that_was_missed():
    figure, bars = probability_bars(4)
    assert to_hex(bars[4].get_facecolor()) == plots.ORANGE.lower()
    assert figure.axes[1].texts[4].get_text() == "30.0%  label"
    assert {"Labelled 4", "Predicted 9"} <= set(words(figure))


def test_probabilities_of_different_images_are_drawn_at_one_scale():
    widths = set()
    for name in ("probabilities", "probabilities, sure"):
        figure = FIGURES[name]()
        FigureCanvasAgg(figure).draw()
        widths.add(round(figure.axes[1].bbox.width))
    assert len(widths) == 1


def test_probabilities_refuse_a_batch():
    with pytest.raises(ValueError, match=r"predictions\[0\]"):
        plots.plot_probabilities(DIGITS[0], PROBABILITIES[np.newaxis])


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "0.0%"), (0.0001, "<0.1%"), (0.5, "50.0%"), (0.9999, ">99.9%"), (1, "100.0%")],
)
def test_percentages_never_round_to_certainty(fraction, text):
    assert plots._percent(fraction) == text


@pytest.fixture(scope="module")
def confusion_axes():
    y_true = np.repeat(np.arange(10), 100)
    y_pred = y_true.copy()
    y_pred[400:407] = 9  # seven fours taken for nines
    y_pred[300] = 5
    return plots.plot_confusion_matrix(y_true, y_pred).axes[0]


def test_confusion_matrix_counts_by_true_row_and_predicted_column(confusion_axes):
    counts = {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in confusion_axes.texts
    }
    assert counts[4, 9] == "7"
    assert counts[3, 5] == "1"
    assert counts[4, 4] == "93"
    assert counts[9, 4] == ""
    assert confusion_axes.get_ylabel() == "true digit"
    assert confusion_axes.get_xlabel() == "predicted digit"


def test_confusion_matrix_colours_errors_on_a_scale_of_their_own(confusion_axes):
    (picture,) = confusion_axes.images
    assert picture.get_clim() == (0, 7)
    colors = picture.to_rgba(picture.get_array())
    assert {to_hex(colors[digit, digit]) for digit in range(10)} == {plots.PALE_GREY.lower()}
    assert colors[4, 9].sum() < colors[3, 5].sum() < colors[0, 1].sum()


def test_confusion_matrix_of_no_errors_is_drawn():
    axes = plots.plot_confusion_matrix(LABELS, LABELS).axes[0]
    assert [text.get_text() for text in axes.texts if text.get_text()] == [
        str(count) for count in np.bincount(LABELS)
    ]


def test_confusion_matrix_keeps_all_ten_digits_when_some_are_absent():
    axes = plots.plot_confusion_matrix([1, 2], [1, 3]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(n) for n in range(10)]


def test_confusion_matrix_refuses_probabilities():
    with pytest.raises(ValueError, match=r"argmax\(axis=1\)"):
        plots.plot_confusion_matrix([1, 2], np.eye(10)[:2])


def test_confusion_matrix_refuses_arrays_of_different_lengths():
    with pytest.raises(ValueError, match=r"\(2,\).*\(1,\)"):
        plots.plot_confusion_matrix([1, 2], [1])


def test_confusion_matrix_leaves_no_figure_of_pyplot_open():
    plt.close("all")
    plots.plot_confusion_matrix(LABELS, LABELS)
    assert plt.get_fignums() == []


# --- Inside the networks --------------------------------------------------------------------


def test_weights_share_a_scale_with_white_at_zero():
    weights = np.stack([np.full((3, 3), -0.5), np.full((3, 3), 0.2), np.zeros((3, 3))])
    pictures = plots.plot_weights(weights).axes[0].images
    assert {picture.get_clim() for picture in pictures} == {(-0.5, 0.5)}
    red, green, blue, _ = pictures[2].to_rgba(0.0)
    assert min(red, green, blue) > 0.95
    low, high = pictures[0].to_rgba(-0.5), pictures[0].to_rgba(0.5)
    assert low[2] > low[0] and high[0] > high[2]


def test_weights_have_a_colour_bar():
    figure = plots.plot_weights(np.ones((2, 28, 28)))
    assert figure.axes[1].get_ylabel() == "weight"


def test_weights_that_are_all_zero_are_drawn():
    assert plots.plot_weights(np.zeros((1, 3, 3))).axes[0].images[0].get_clim() == (-1, 1)


def test_weights_as_keras_holds_them_are_refused_with_the_conversion():
    with pytest.raises(ValueError, match=r"kernel\.T\.reshape\(-1, 28, 28\)"):
        plots.plot_weights(np.zeros((784, 25)))


def test_feature_maps_are_taken_from_the_last_axis():
    maps = DIGITS[:7].transpose(1, 2, 0)
    pictures = plots.plot_feature_maps(maps).axes[0].images
    assert len(pictures) == 7
    assert np.array_equal(pictures[6].get_array(), DIGITS[6])


def test_feature_maps_share_one_scale():
    maps = np.stack([np.full((26, 26), 0.1), np.full((26, 26), 3.0)], axis=-1)
    pictures = plots.plot_feature_maps(maps).axes[0].images
    assert {picture.get_clim() for picture in pictures} == {(0, 3)}


def test_feature_maps_have_their_titles_above():
    axes = plots.plot_feature_maps(DIGITS[:2].transpose(1, 2, 0), titles=["edge", "blur"]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["edge", "blur"]
    for picture, text in zip(axes.images, axes.texts, strict=True):
        assert text.get_position()[1] <= picture.get_extent()[3]


def test_feature_maps_refuse_a_batch():
    with pytest.raises(ValueError, match=r"maps\[0\]"):
        plots.plot_feature_maps(np.zeros((1, 26, 26, 12)))


def test_feature_maps_refuse_another_number_of_titles():
    with pytest.raises(ValueError, match="3 pictures but 1 titles"):
        plots.plot_feature_maps(np.zeros((26, 26, 3)), titles=["one"])


def test_parameters_have_labelled_bars_from_the_first_layer_down():
    axes = FIGURES["parameters"]().axes[0]
    assert [bar.get_width() for bar in axes.patches] == [120, 2180, 0, 288_025, 260]
    assert [text.get_text() for text in axes.texts][2:4] == ["0", "288,025  (99.1%)"]
    assert axes.yaxis_inverted()
    assert "290,585" in axes.get_title("left")


def test_parameters_refuse_lists_of_different_lengths():
    with pytest.raises(ValueError, match="names has 2, counts has 1"):
        plots.plot_parameters_by_layer(["one", "two"], [3])


# --- Comparisons ----------------------------------------------------------------------------


def test_accuracy_intervals_draw_each_dot_in_its_interval():
    axes = plots.plot_accuracy_intervals(["dense"], [0.961], [(0.957, 0.965)]).axes[0]
    interval, dot = axes.lines
    assert list(interval.get_xdata()) == [0.957, 0.965]
    assert list(dot.get_xdata()) == [0.961]
    assert [text.get_text() for text in axes.texts] == ["96.10%  (95.70 to 96.50)"]


def test_accuracy_intervals_name_the_rows_from_the_top():
    axes = FIGURES["accuracy intervals"]().axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["dense", "convolutional", "compact"]
    assert axes.yaxis_inverted()


def test_accuracy_axis_ends_at_one():
    assert FIGURES["accuracy intervals"]().axes[0].get_xlim()[1] <= 1


def test_seeds_show_every_run_and_the_mean():
    axes = plots.plot_seeds({"dense": [0.96, 0.97, 0.96, 0.95]}).axes[0]
    points, mean = axes.lines
    assert list(points.get_xdata()) == [0.96, 0.97, 0.96, 0.95]
    assert list(mean.get_xdata()) == pytest.approx([0.96, 0.96])
    assert [text.get_text() for text in axes.texts] == ["mean 96.00%"]


def test_seeds_with_equal_accuracies_stay_apart():
    points = plots.plot_seeds({"dense": [0.96, 0.96, 0.96]}).axes[0].lines[0]
    assert len({tuple(point) for point in points.get_xydata()}) == 3


def test_shifts_draw_a_named_line_for_each_network():
    axes = FIGURES["shifts"]().axes[0]
    assert list(axes.lines[0].get_xdata()) == [0, 1, 2, 3, 4]
    assert list(axes.lines[0].get_ydata()) == [0.96, 0.9, 0.7, 0.4, 0.12]
    assert {text.get_text() for text in axes.texts} == {"dense", "convolutional", "guessing"}
    assert axes.get_ylim()[0] == 0


def test_shifts_refuse_a_line_of_another_length():
    with pytest.raises(ValueError, match="shifts has 3, dense has 2"):
        plots.plot_shifts([0, 1, 2], {"dense": [0.9, 0.8]})


def test_trade_off_draws_a_named_point_for_each_network_on_a_log_scale():
    axes = FIGURES["trade-off"]().axes[0]
    points = axes.collections[0].get_offsets()
    assert points.tolist()[0] == [20_535, 0.961]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts][:2] == ["dense", "convolutional"]
    assert axes.get_xlabel() == "parameters (log scale)"


def test_trade_off_labels_cover_no_point():
    # The room to the right of the first point is taken by the second.
    figure = plots.plot_trade_off(list("abc"), [100, 115, 10_000], [0.97] * 3, "seconds")
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    points = axes.transData.transform(axes.collections[0].get_offsets())
    for text in axes.texts:
        assert text.get_window_extent().count_contains(points) == 0, text.get_text()


def test_trade_off_ticks_are_plain_numbers():
    texts = words(FIGURES["trade-off, wide"]())
    assert {"100,000", "1 million"} <= set(texts)


@pytest.mark.parametrize("costs", [[0.9, 1.6], [1.05, 1.2], [1_386_000, 1_790_000]], ids=str)
def test_trade_off_of_similar_costs_has_ticks_to_read_them_by(costs):
    figure = plots.plot_trade_off(["one", "other"], costs, [0.96, 0.98], "cost")
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0].xaxis
    low, high = axis.get_view_interval()
    ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
    assert len(ticks) >= 3
    assert len(set(axis.get_major_formatter().format_ticks(ticks))) == len(ticks)


def test_trade_off_refuses_a_cost_of_zero():
    with pytest.raises(ValueError, match="above 0"):
        plots.plot_trade_off(["one"], [0], [0.9], "parameters")


# --- Labels moved apart ---------------------------------------------------------------------


def test_labels_that_are_far_apart_stay():
    assert list(plots._spread([50, 10, 90], 15, 0, 100)) == [50, 10, 90]


def test_close_labels_move_apart_around_their_mean_in_their_order():
    assert list(plots._spread([51, 50, 49], 10, 0, 100)) == [60, 50, 40]


def test_moved_labels_stay_within_bounds():
    assert list(plots._spread([99, 98, 5], 10, 0, 100)) == [100, 90, 5]
