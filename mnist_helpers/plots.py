"""The tutorial's figures, in one style. Functions take arrays and return a Matplotlib figure.

A figure is shown with `show_figure(figure, alt)`, where `alt` says in words what it shows.
Grey pictures follow one rule throughout: the darker, the larger the value, like ink on paper.

Importing this module sets Matplotlib's style for the whole notebook, so that figures of a
learner's own look the same. Pyplot is not imported: that keeps the first figure quick.
"""

import io
import sys
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

# Eight colours that colour-blind people can tell apart. Source: M. Okabe and K. Ito,
# "Color universal design", 2008. Yellow is left out of COLORS: too pale for thin lines.
BLUE = "#0072B2"
ORANGE = "#E69F00"
GREEN = "#009E73"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
SKY_BLUE = "#56B4E9"
YELLOW = "#F0E442"
BLACK = "#000000"
COLORS = (BLUE, VERMILION, GREEN, PURPLE, SKY_BLUE, ORANGE, BLACK)

BACKGROUND = "#FCFCFA"  # opaque, so that dark text stays readable in a dark theme
TEXT = "#222222"
GREY = "#6B6B6B"  # for what accompanies: secondary text, reference lines
PALE_GREY = "#D5D5D2"  # for what recedes: bars that are not the point, blanked-out cells

FONT_SIZE = 10
DPI = 100
WIDTH = 8  # inches, the widest figure: 800 pixels fit a small laptop beside the file browser

matplotlib.rcParams.update(
    {
        "axes.edgecolor": GREY,
        "axes.facecolor": BACKGROUND,
        "axes.labelcolor": TEXT,
        "axes.labelsize": FONT_SIZE,
        "axes.prop_cycle": matplotlib.cycler(color=COLORS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": TEXT,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "figure.dpi": DPI,
        "figure.facecolor": BACKGROUND,
        "font.family": "DejaVu Sans",  # comes with Matplotlib: the same text everywhere
        "font.size": FONT_SIZE,
        "savefig.dpi": "figure",
        "text.color": TEXT,
        "xtick.color": GREY,
        "xtick.labelcolor": TEXT,
        "xtick.labelsize": FONT_SIZE,
        "ytick.color": GREY,
        "ytick.labelcolor": TEXT,
        "ytick.labelsize": FONT_SIZE,
    }
)


def show_figure(figure: Figure, alt: str) -> None:
    """Show a figure in the notebook, once, as a PNG with the text `alt` in its place.

    Screen readers, and readers without images, get `alt`. Raises ValueError if it is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in words what the figure shows")
    from IPython.display import display

    buffer = io.BytesIO()
    # Without the name of the software, the same figure gives the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:  # a figure of pyplot would be shown again at the end of the cell
        pyplot.close(figure)
    display(
        {"image/png": buffer.getvalue(), "text/plain": alt},
        raw=True,
        metadata={"image/png": {"alt": alt}},
    )


# --- Digits ---------------------------------------------------------------------------------


def plot_digit(image: np.ndarray, title: str = "") -> Figure:
    """One image, shape (height, width), any number type. Raises ValueError for other shapes."""
    image = _check_image(image)
    figure = Figure(figsize=(3.4, 3.6 if title else 3.3), layout="constrained")
    axes = figure.add_subplot()
    _draw_image(axes, image)
    axes.set_title(title)
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    return figure


def plot_digit_numbers(image: np.ndarray) -> Figure:
    """One image as the numbers it consists of, each on its shade of grey.

    Takes shape (height, width), at most 28 by 28; numbers that are not whole are written with
    one decimal. Raises ValueError for other shapes.
    """
    image = _check_image(image)
    height, width = image.shape
    if max(height, width) > 28:
        raise ValueError(f"image has shape {image.shape}: at most 28 rows and columns are legible")
    cell = WIDTH / 28 if max(height, width) > 14 else 0.5
    figure = Figure(figsize=(width * cell, height * cell))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=_white_to_black(image), aspect="auto")
    axes.set_axis_off()
    whole = np.all(image == np.round(image))
    for (row, column), value in np.ndenumerate(image):
        share = value / _white_to_black(image)
        color = GREY if value == 0 else "white" if share > 0.5 else TEXT
        text = f"{value:.0f}" if whole else f"{value:.1f}"
        axes.text(column, row, text, color=color, ha="center", va="center", fontsize=FONT_SIZE)
    return figure


def plot_digits(
    images: np.ndarray,
    labels: Sequence | None = None,
    columns: int = 10,
    colors: Sequence[str] | None = None,
) -> Figure:
    """Many images, shape (n, height, width), in a grid, each with its label below.

    `labels` are n digits or short texts such as "4 → 9"; `colors` are n colours for them.
    Raises ValueError for other shapes and for other numbers of labels or colours.
    """
    images = _check_images(images)
    labels = _check_texts("labels", labels, len(images))
    if colors is not None and len(colors) != len(images):
        raise ValueError(f"{len(images)} images but {len(colors)} colors: one each is needed")
    lines = max(text.count("\n") + 1 for text in labels) if labels else 0
    axes, boxes = _make_grid(images, columns, lines_below=lines)
    top = _white_to_black(images)
    for image, box in zip(images, boxes, strict=True):
        _put_image(axes, image, box, cmap="gray_r", vmin=0, vmax=top)
    for index, label in enumerate(labels):
        left, right, lower, _ = boxes[index]
        color = _readable(colors[index]) if colors is not None else TEXT
        axes.text((left + right) / 2, lower + 3, label, color=color, ha="center", va="top")
    return axes.figure


def plot_class_balance(counts: Sequence[int]) -> Figure:
    """How many images there are of each digit, `counts` of shape (10,), as bars."""
    counts = np.asarray(counts)
    if counts.shape != (10,):
        raise ValueError(
            f"counts has shape {counts.shape}, expected (10,): one count per digit, "
            "for example np.bincount(y_train, minlength=10)"
        )
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.bar(range(10), counts, color=BLUE, width=0.75)
    axes.bar_label(bars, [f"{count:,}" for count in counts], padding=2)
    axes.set_ylim(0, max(int(counts.max()), 1) * 1.12)  # room for the number on the longest bar
    axes.set_title("Number of images of each digit")
    axes.set_xticks(range(10))
    axes.set_xlabel("digit")
    _hide_value_axis(axes, "y")
    return figure


# --- Training and prediction ----------------------------------------------------------------


def plot_learning_curves(histories: Mapping[str, Mapping], by: str = "epoch") -> Figure:
    """Loss and accuracy of one or several trainings, side by side, by epoch or by second.

    `histories` maps a name to a history: lists "loss", "val_loss", "accuracy" and
    "val_accuracy" with one number per epoch and, for by="second", "seconds": the seconds from
    the start of training to the end of each epoch. Raises ValueError if a list is missing.
    """
    if by not in ("epoch", "second"):
        raise ValueError(f"by is {by!r}, expected 'epoch' or 'second'")
    needed = ["loss", "val_loss", "accuracy", "val_accuracy"] + ["seconds"] * (by == "second")
    for name, history in histories.items():
        missing = [key for key in needed if not isinstance(history, Mapping) or key not in history]
        if missing:
            raise ValueError(
                f"histories[{name!r}] lacks {', '.join(missing)}: expected one history per name, "
                "as in {'dense': history.history}"
            )
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_title("Loss")
    right.set_title("Accuracy")
    _show_percentages(right.yaxis)
    ends = {
        left: _draw_curves(left, histories, "loss", by),
        right: _draw_curves(right, histories, "accuracy", by),
    }
    if len(histories) > 1:  # else the lines themselves are named "training" and "validation"
        explanation = "Solid, filled points: validation images. Dashed, hollow: training images."
        figure.suptitle(explanation, fontsize=FONT_SIZE, color=GREY)
    _label_line_ends(ends)
    return figure


def _draw_curves(axes: Axes, histories: Mapping[str, Mapping], measure: str, by: str) -> list:
    """Draw one measure of all trainings; give the ends to be labelled as (x, y, name, colour)."""
    ends = []
    for (name, history), color in zip(histories.items(), _colors(len(histories)), strict=True):
        training, validation = history[measure], history[f"val_{measure}"]
        x = history["seconds"] if by == "second" else range(1, len(training) + 1)
        style = {"color": color, "linewidth": 1.8, "marker": "o", "markersize": 4}
        axes.plot(x, training, linestyle="--", markerfacecolor=BACKGROUND, **style)
        axes.plot(x, validation, **style)
        if len(histories) == 1:
            ends.append((x[-1], training[-1], "training", color))
        label = name if len(histories) > 1 else "validation"
        ends.append((x[-1], validation[-1], label, color))
    axes.grid(axis="y", color=PALE_GREY, linewidth=0.6)
    if by == "second":
        axes.set_xlabel("seconds of training")
        axes.set_xlim(left=0)
    else:
        axes.set_xlabel("epoch")
        last = max(len(history[measure]) for history in histories.values())
        step = next(step for step in (1, 2, 5, 10, 20, 50, last) if last / step <= 6)
        axes.set_xticks(sorted({1, *range(step, last + 1, step)}))
        axes.set_xlim(0.5, last + 0.5)
    return ends


def plot_probabilities(
    image: np.ndarray, probabilities: Sequence[float], true_label: int | None = None
) -> Figure:
    """One image and the probabilities, shape (10,), that a network gives to the ten digits.

    The most probable digit is blue; the true label, if given and another, is orange.
    """
    image = _check_image(image)
    probabilities = np.asarray(probabilities, dtype=float)
    if probabilities.shape != (10,):
        raise ValueError(
            f"probabilities has shape {probabilities.shape}, expected (10,): "
            "of a batch of predictions take one, as in predictions[0]"
        )
    predicted = int(probabilities.argmax())
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
    _draw_image(left, image)
    left.set_xticks([])
    left.set_yticks([])
    left.set_anchor("N")  # its title in line with the other
    left.set_title("" if true_label is None else f"Labelled {true_label}")
    colors = [PALE_GREY] * 10
    texts = [_percent(probability) for probability in probabilities]
    if true_label is not None and true_label != predicted:
        colors[true_label] = ORANGE
        texts[true_label] += "  label"
    colors[predicted] = BLUE
    texts[predicted] += "  predicted"
    bars = right.barh(range(10), probabilities, color=colors, height=0.75)
    right.bar_label(bars, texts, padding=3)
    right.set_title(f"Predicted {predicted}")
    right.set_yticks(range(10))
    right.tick_params(axis="y", length=0)
    right.invert_yaxis()
    right.set_ylabel("digit")
    right.set_xlim(0, 1.7)  # room for the text of a bar of 100%
    _hide_value_axis(right, "x")
    return figure


def plot_confusion_matrix(y_true: Sequence[int], y_pred: Sequence[int]) -> Figure:
    """How often each digit, by row, was taken for each digit, by column.

    Both arrays hold n digits from 0 to 9. The right answers, on the diagonal, are left grey:
    they are so many that on one colour scale with the errors the errors would not be seen.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_pred.ndim == 2:
        raise ValueError(
            f"y_pred has shape {y_pred.shape}, expected ({len(y_pred)},): of probabilities "
            "take the most probable digit, as in predictions.argmax(axis=1)"
        )
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true has shape {y_true.shape} but y_pred has {y_pred.shape}")
    from sklearn.metrics import ConfusionMatrixDisplay

    figure = Figure(figsize=(6.4, 6.2), layout="constrained")
    axes = figure.add_subplot()
    display = ConfusionMatrixDisplay.from_predictions(
        y_true, y_pred, labels=range(10), ax=axes, cmap="Oranges", colorbar=False, values_format="d"
    )
    counts = display.confusion_matrix
    errors = np.ma.masked_array(counts, mask=np.eye(10, dtype=bool))
    most = max(int(errors.max()), 1)
    display.im_.set_cmap(matplotlib.colormaps["Oranges"].with_extremes(bad=PALE_GREY))
    display.im_.set_data(errors)
    display.im_.set_clim(0, most)
    for (row, column), text in np.ndenumerate(display.text_):
        on_dark = row != column and counts[row, column] > 0.6 * most
        text.set_color("white" if on_dark else TEXT)
        if row != column and counts[row, column] == 0:
            text.set_text("")
    axes.set_xlabel("predicted digit")
    axes.set_ylabel("true digit")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


# --- Inside the networks --------------------------------------------------------------------


def plot_weights(
    weights: np.ndarray, columns: int = 5, titles: Sequence[str] | None = None
) -> Figure:
    """Weights as pictures, shape (n, height, width): blue below zero, white zero, red above.

    One scale for all, with a colour bar. Raises ValueError for other shapes.
    """
    weights = np.asarray(weights)
    if weights.ndim != 3:
        raise ValueError(
            f"weights has shape {weights.shape}, expected (n, height, width): for a dense layer "
            "kernel.T.reshape(-1, 28, 28), for a convolution kernel[:, :, 0].transpose(2, 0, 1)"
        )
    titles = _check_texts("titles", titles, len(weights))
    axes, boxes = _make_grid(weights, columns, lines_above=bool(titles), free_right=110)
    limit = float(np.abs(weights).max()) or 1.0
    for values, box in zip(weights, boxes, strict=True):
        picture = _put_image(axes, values, box, cmap="RdBu_r", vmin=-limit, vmax=limit)
    _put_titles(axes, boxes, titles)
    figure = axes.figure
    width, height = figure.get_size_inches() * DPI
    tall = min(height - 40, 300)
    place = (1 - 100 / width, (1 - tall / height) / 2, 15 / width, tall / height)
    bar = figure.colorbar(picture, cax=figure.add_axes(place))
    bar.outline.set_visible(False)
    bar.set_label("weight")
    bar.locator = MaxNLocator(nbins=4, symmetric=True)
    return figure


def plot_feature_maps(
    maps: np.ndarray, columns: int = 6, titles: Sequence[str] | None = None
) -> Figure:
    """What the n filters of a layer make of one image, shape (height, width, n).

    One grey scale for all, so that a filter that hardly answers looks pale. Raises ValueError
    for other shapes.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3:
        raise ValueError(
            f"maps has shape {maps.shape}, expected (height, width, n): "
            "of a batch take one image's maps, as in maps[0]"
        )
    maps = maps.transpose(2, 0, 1)
    titles = _check_texts("titles", titles, len(maps))
    axes, boxes = _make_grid(maps, columns, lines_above=bool(titles))
    low, high = min(float(maps.min()), 0.0), float(maps.max())
    for values, box in zip(maps, boxes, strict=True):
        _put_image(axes, values, box, cmap="gray_r", vmin=low, vmax=high)
    _put_titles(axes, boxes, titles)
    return axes.figure


def plot_parameters_by_layer(names: Sequence[str], counts: Sequence[int]) -> Figure:
    """The number of parameters of each layer as bars, the first layer at the top."""
    counts = np.asarray(counts)
    _check_same_length(names=names, counts=counts)
    figure = Figure(figsize=(7, 0.7 + 0.4 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(range(len(names)), counts, color=BLUE, height=0.7)
    total = max(int(counts.sum()), 1)
    texts = [f"{count:,}  ({_percent(count / total)})" if count else "0" for count in counts]
    axes.bar_label(bars, texts, padding=4)
    axes.set_title(f"Parameters by layer, {counts.sum():,} in all")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, max(int(counts.max()), 1) * 1.3)  # room for the longest bar's text
    _hide_value_axis(axes, "x")
    return figure


# --- Comparisons ----------------------------------------------------------------------------


def plot_accuracy_intervals(
    names: Sequence[str], accuracies: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> Figure:
    """The accuracy of each model, a fraction, as a dot in its interval (low, high)."""
    _check_same_length(names=names, accuracies=accuracies, intervals=intervals)
    figure = Figure(figsize=(7, 0.8 + 0.6 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    for row, (accuracy, (low, high), color) in enumerate(
        zip(accuracies, intervals, _colors(len(names)), strict=True)
    ):
        axes.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="butt")
        axes.plot(accuracy, row, "o", color=color, markersize=9)
        axes.annotate(
            f"{_percent(accuracy, 2)}  ({100 * low:.2f} to {100 * high:.2f})",
            (accuracy, row),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            va="bottom",
        )
    _name_rows(axes, names)
    axes.set_xlabel("accuracy with its 95% interval")
    axes.margins(x=0.2)  # the texts are wider than the intervals
    _stop_at_one(axes)
    return figure


def plot_seeds(accuracies: Mapping[str, Sequence[float]]) -> Figure:
    """The accuracies of the same networks trained with several seeds: every run is a point.

    `accuracies` maps a name to fractions; the upright line is their mean.
    """
    figure = Figure(figsize=(7, 0.8 + 0.7 * len(accuracies)), layout="constrained")
    axes = figure.add_subplot()
    for row, (values, color) in enumerate(
        zip(accuracies.values(), _colors(len(accuracies)), strict=True)
    ):
        values = np.asarray(values, dtype=float)
        # Alternately a little above and below the row, so that equal values stay visible.
        offsets = np.resize([-0.12, 0.12, 0.0], len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(values, row + offsets, "o", color=color, alpha=0.75, markersize=7, mew=0)
        mean = values.mean()
        axes.plot([mean, mean], [row - 0.3, row + 0.3], color=TEXT, linewidth=1.5)
        axes.annotate(
            f"mean {_percent(mean, 2)}",
            (mean, row - 0.3),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
        )
    _name_rows(axes, list(accuracies))
    axes.set_xlabel("accuracy, one point per seed")
    axes.margins(x=0.12)
    _stop_at_one(axes)
    return figure


def plot_shifts(shifts: Sequence[int], accuracies: Mapping[str, Sequence[float]]) -> Figure:
    """Accuracy of each network, a fraction, when the digits are moved by `shifts` pixels."""
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.add_subplot()
    ends = []
    for (name, values), color in zip(accuracies.items(), _colors(len(accuracies)), strict=True):
        _check_same_length(shifts=shifts, **{name: values})
        axes.plot(shifts, values, color=color, marker="o", markersize=5, linewidth=1.8)
        ends.append((shifts[-1], values[-1], name, color))
    axes.axhline(0.1, color=GREY, linewidth=1, linestyle=":")
    axes.text(shifts[0], 0.09, "guessing", color=GREY, va="top")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(min(shifts) - 0.15, max(shifts) + 0.15)
    axes.set_xticks(shifts)
    axes.set_xlabel("shift in pixels")
    axes.set_title("Accuracy on shifted digits")
    _show_percentages(axes.yaxis)
    axes.grid(axis="y", color=PALE_GREY, linewidth=0.6)
    _label_line_ends({axes: ends})
    return figure


def plot_trade_off(
    names: Sequence[str], x: Sequence[float], accuracies: Sequence[float], x_label: str
) -> Figure:
    """Accuracy, a fraction, against a cost such as parameters or seconds, on a log scale."""
    _check_same_length(names=names, x=x, accuracies=accuracies)
    if min(x) <= 0:
        raise ValueError(f"x holds {min(x)}: a log scale needs numbers above 0")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    colors = _colors(len(names))
    axes.scatter(x, accuracies, color=colors, s=60, zorder=3)
    axes.set_xscale("log")
    axes.margins(x=0.15, y=0.15)
    low, high = axes.get_xlim()
    if high / low < 5:  # too narrow for ticks at round logarithms
        axes.xaxis.set_major_locator(MaxNLocator(6))
    else:
        steps = (1,) if high / low > 300 else (1, 3) if high / low > 30 else (1, 2, 5)
        axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_plain_number))
    _show_percentages(axes.yaxis)
    axes.set_xlabel(x_label)
    axes.set_title("Accuracy")
    axes.grid(axis="y", color=PALE_GREY, linewidth=0.6)
    _fix_layout(figure)
    _place_labels(axes, list(zip(x, accuracies, names, colors, strict=True)))
    return figure


# --- What the functions share ---------------------------------------------------------------


def _check_image(image: np.ndarray) -> np.ndarray:
    image = np.asarray(image)
    if image.ndim != 2:
        hint = {1: ": use image.reshape(28, 28)", 3: ": of a batch take one, as in images[0]"}
        raise ValueError(
            f"image has shape {image.shape}, expected (28, 28)" + hint.get(image.ndim, "")
        )
    return image


def _check_images(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim != 3 or len(images) == 0:
        hint = ": of one image make a batch, as in image[np.newaxis]" if images.ndim == 2 else ""
        raise ValueError(f"images has shape {images.shape}, expected (n, 28, 28)" + hint)
    return images


def _check_texts(name: str, values: Sequence | None, count: int) -> list[str]:
    if values is None:
        return []
    if len(values) != count:
        raise ValueError(f"{count} pictures but {len(values)} {name}: one each is needed")
    return [str(value) for value in values]


def _check_same_length(**sequences: Sequence) -> None:
    lengths = {name: len(values) for name, values in sequences.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"one entry each is needed, but {found}")


def _white_to_black(images: np.ndarray) -> int:
    """The value to draw black: 255 for raw pixels, 1 for pixels scaled to 0–1."""
    return 255 if images.max() > 1 else 1


def _percent(fraction: float, decimals: int = 1) -> str:
    """A percentage that never rounds to a certainty that is not there."""
    smallest = 10.0**-decimals
    if 0 < 100 * fraction < smallest / 2:
        return f"<{smallest:.{decimals}f}%"
    if 100 - smallest / 2 <= 100 * fraction < 100:
        return f">{100 - smallest:.{decimals}f}%"
    return f"{100 * fraction:.{decimals}f}%"


def _plain_number(value: float, position: int | None = None) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} million"
    return f"{value:,g}" if value < 1000 else f"{value:,.0f}"


def _show_percentages(axis: Axis) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, position: f"{100 * value:.4g}%"))


def _stop_at_one(axes: Axes) -> None:
    """No accuracy is above 100%, so the axis of accuracies (x) ends there at the latest."""
    axes.set_xlim(right=min(axes.get_xlim()[1], 1.0))
    for line in axes.get_lines():
        line.set_clip_on(False)  # else a point on the edge would be cut in half


def _readable(color: str) -> str:
    """The colour, darkened for text as far as a contrast of 4.5 to 1 needs (WCAG 2.2)."""
    red_green_blue = np.array(matplotlib.colors.to_rgb(color))
    while _luminance(red_green_blue) > (_luminance(BACKGROUND) + 0.05) / 4.5 - 0.05:
        red_green_blue *= 0.97
    return matplotlib.colors.to_hex(red_green_blue)


def _luminance(color) -> float:
    """Relative luminance of a colour, from 0 for black to 1 for white, as WCAG 2.2 defines it."""
    red_green_blue = np.array(matplotlib.colors.to_rgb(color))
    linear = np.where(
        red_green_blue <= 0.04045, red_green_blue / 12.92, ((red_green_blue + 0.055) / 1.055) ** 2.4
    )
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _colors(count: int) -> list[str]:
    return [COLORS[index % len(COLORS)] for index in range(count)]


def _draw_image(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=_white_to_black(image))
    axes.set_xticks([0, image.shape[1] - 1])
    axes.set_yticks([0, image.shape[0] - 1])
    axes.spines[:].set_visible(True)


def _hide_value_axis(axes: Axes, which: str) -> None:
    """Take away the axis whose values are written at the bars."""
    getattr(axes, f"{which}axis").set_visible(False)
    axes.spines["left" if which == "y" else "bottom"].set_visible(False)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """One row for each name, the first at the top, on an axis of percentages."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    _show_percentages(axes.xaxis)
    axes.grid(axis="x", color=PALE_GREY, linewidth=0.6)
    axes.set_axisbelow(True)


def _make_grid(
    images: np.ndarray,
    columns: int,
    lines_below: int = 0,
    lines_above: int = 0,
    free_right: int = 0,
) -> tuple[Axes, list[tuple[float, float, float, float]]]:
    """One axes for a grid of pictures and, for each, its place (left, right, lower, upper).

    Places are in pixels of the figure, y downwards. A picture is magnified by a whole number,
    so that its pixels come out sharp and of one size. One axes for all pictures draws many
    times as fast as an axes for each. `free_right` pixels stay free for a colour bar.
    """
    count, height, width = images.shape
    columns = min(columns, count)
    gap, line = 8, 18
    room = min((WIDTH * DPI - free_right) // columns - gap, 124)
    magnified = max(room // width, 1)
    width, height = width * magnified, height * magnified
    row_height = height + gap + line * (lines_below + lines_above)
    rows = -(-count // columns)
    total_width = max(columns * (width + gap) + gap, 160)
    total_height = rows * row_height + gap
    figure = Figure(figsize=((total_width + free_right) / DPI, total_height / DPI))
    axes = figure.add_axes((0, 0, total_width / (total_width + free_right), 1))
    axes.set_xlim(0, total_width)
    axes.set_ylim(total_height, 0)
    axes.set_axis_off()
    boxes = []
    for index in range(count):
        left = gap + index % columns * (width + gap)
        upper = gap + index // columns * row_height + line * lines_above
        boxes.append((left, left + width, upper + height, upper))
    return axes, boxes


def _put_image(axes: Axes, image: np.ndarray, box: tuple, **scale):
    """Draw a picture in a place of `_make_grid`, with a thin frame."""
    limits = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    picture = axes.imshow(image, extent=box, aspect="auto", interpolation="nearest", **scale)
    left, right, lower, upper = box
    frame = {"fill": False, "edgecolor": PALE_GREY, "linewidth": 0.72}  # points: one pixel
    axes.add_patch(Rectangle((left, upper), right - left, lower - upper, **frame))
    axes.set(**limits)  # imshow has changed them
    return picture


def _put_titles(axes: Axes, boxes: list[tuple], titles: Sequence[str]) -> None:
    for title, (left, right, _, upper) in zip(titles, boxes, strict=False):
        axes.text((left + right) / 2, upper - 3, title, ha="center", va="bottom")


def _spread(positions: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Move positions as little as possible until neighbours are `gap` apart, in their order.

    Least squares under an order: neighbours in conflict are pooled around their mean. All
    stay between `low` and `high` if they fit there.
    """
    positions = np.asarray(positions, dtype=float)
    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(len(order))
    pools: list[tuple[float, int]] = []
    for value in positions[order] - steps:
        mean, size = value, 1
        while pools and pools[-1][0] > mean:
            other_mean, other_size = pools.pop()
            mean = (mean * size + other_mean * other_size) / (size + other_size)
            size += other_size
        pools.append((mean, size))
    means = np.clip([mean for mean, _ in pools], low, max(low, high - steps[-1]))
    spread = np.empty(len(order))
    spread[order] = np.repeat(means, [size for _, size in pools]) + steps
    return spread


_HALO = [withStroke(linewidth=3, foreground=BACKGROUND)]  # keeps a label readable on a line


def _label_line_ends(ends_of: dict[Axes, list[tuple[float, float, str, str]]]) -> None:
    """Write each line's name where it ends: (x, y, name, colour), for all axes of a figure.

    Lines that end at the right edge are named beside it, the others inside the axes.
    """
    edge_labels = {}
    for axes, ends in ends_of.items():
        last = max(x for x, _, _, _ in ends)
        edge_labels[axes] = [_annotate(axes, end) for end in ends if end[0] == last]
    _fix_layout(next(iter(ends_of)).figure)
    for axes, labels in edge_labels.items():
        heights = [axes.transData.transform(label.xy)[1] for label in labels]
        gap = 1.4 * FONT_SIZE * DPI / 72
        moved = _spread(heights, gap, axes.bbox.y0, axes.bbox.y1)
        for label, before, after in zip(labels, heights, moved, strict=True):
            label.xyann = (8, (after - before) * 72 / DPI)
        last = labels[0].xy[0]
        _place_labels(axes, [end for end in ends_of[axes] if end[0] < last])


def _place_labels(axes: Axes, marks: list[tuple[float, float, str, str]]) -> None:
    """Write a name beside each mark (x, y, name, colour), on the side with the most room."""
    # What a label should not cover, in pixels: marks, lines (point by point), other labels.
    points = [axes.transData.transform([(x, y)]) for x, y, _, _ in marks]
    for line in axes.get_lines():
        corners = line.get_transform().transform(line.get_xydata())
        at = np.arange(len(corners))
        along = np.linspace(0, len(corners) - 1, 40 * len(corners))
        points.append(np.column_stack([np.interp(along, at, column) for column in corners.T]))
    boxes = [text.get_window_extent() for text in axes.texts]
    for mark in marks:
        label = _annotate(axes, mark)
        costs = []
        for side in _SIDES:
            label.xyann, horizontal, vertical = side
            label.set(ha=horizontal, va=vertical)
            box = label.get_window_extent().padded(2)
            covered = sum(box.count_contains(some) for some in points)
            cut = box.x0 < axes.bbox.x0 or box.x1 > axes.bbox.x1
            cut = cut or box.y0 < axes.bbox.y0 or box.y1 > axes.bbox.y1
            costs.append(covered + 100 * cut + 1000 * box.count_overlaps(boxes))
        label.xyann, horizontal, vertical = _SIDES[int(np.argmin(costs))]
        label.set(ha=horizontal, va=vertical)
        boxes.append(label.get_window_extent())


# Where a label can stand: its offset in points and its alignment, the best first.
_SIDES = [
    ((8, 0), "left", "center"),
    ((-8, 0), "right", "center"),
    ((0, 8), "center", "bottom"),
    ((0, -8), "center", "top"),
    ((6, 6), "left", "bottom"),
    ((6, -6), "left", "top"),
    ((-6, 6), "right", "bottom"),
    ((-6, -6), "right", "top"),
]


def _annotate(axes: Axes, mark: tuple[float, float, str, str]):
    x, y, name, color = mark
    return axes.annotate(
        name,
        (x, y),
        xytext=(8, 0),
        textcoords="offset points",
        color=_readable(color),
        va="center",
        path_effects=_HALO,
    )


def _fix_layout(figure: Figure) -> None:
    """Lay the figure out for good: from here on positions in pixels hold."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
