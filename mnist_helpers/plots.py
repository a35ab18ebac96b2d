"""The tutorial's figures, in one style. Functions take arrays and return a Matplotlib figure.

Every figure carries its description, one to three sentences that say what it shows, as its
label: `figure.get_label()`. `show_figure` shows a figure together with that text.
Grey pictures follow one rule throughout: the darker, the larger the value, like ink on paper.

Importing this module sets Matplotlib's style for the whole notebook, so that figures of a
learner's own look the same. Pyplot is not imported: that keeps the first figure quick.
"""

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .shown import show
from .views import VIEW_TYPE

matplotlib.style.use(Path(__file__).with_name("tutorial.mplstyle"))

# Colours that colour-blind people can tell apart. Source: M. Okabe and K. Ito,
# "Color universal design", 2008. Their yellow is left out: too pale for thin lines.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY_BLUE, ORANGE, BLACK = "#56B4E9", "#E69F00", "#000000"
# Lines take these in turn. Text needs more contrast, so each has a darker twin for text.
COLORS = (BLUE, VERMILION, GREEN, PURPLE, SKY_BLUE, ORANGE, BLACK)
TEXT_COLORS = (BLUE, "#BD5300", "#008460", "#A05F83", "#3A799D", "#9B6B00", BLACK)

BACKGROUND = "#FCFCFA"
TEXT = "#222222"
GREY = "#6B6B6B"  # for what accompanies: secondary text, reference lines
PALE_GREY = "#D5D5D2"  # for what recedes: bars that are not the point, blanked-out cells

DPI = 100  # layouts are made in these pixels; `show_figure` draws twice as many
WIDTH = 8  # inches, the widest figure: 800 pixels fit a small laptop beside the file browser


def show_figure(figure: Figure, view: dict | None = None) -> None:
    """Show a figure in the notebook, once, with its description in words.

    Screen readers, and readers without images, get the description, `figure.get_label()`.
    The picture is drawn with twice the pixels that it takes up, so that it is sharp on any
    screen. A program that is no notebook prints the description. `view`, such as `shift_view`
    gives, is for the reading page, which puts a live view below the figure. Raises ValueError
    if the figure has no description.
    """
    description = figure.get_label().strip()
    if not description:
        raise ValueError(
            "the figure has no description: say in words what it shows, "
            'with figure.set_label("…"), before you show it'
        )
    buffer = io.BytesIO()
    # Without the name of the software, the same figure gives the same bytes.
    figure.savefig(buffer, format="png", dpi=2 * figure.dpi, metadata={"Software": None})
    width, height = (round(length) for length in figure.bbox.size)
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:  # a figure of pyplot would be shown again at the end of the cell
        pyplot.close(figure)
    data = {"image/png": buffer.getvalue(), "text/plain": description}
    show(
        data | ({VIEW_TYPE: view} if view else {}),
        metadata={"image/png": {"alt": description, "width": width, "height": height}},
    )


# --- Pictures -------------------------------------------------------------------------------


def plot_digit(image: np.ndarray, title: str = "") -> Figure:
    """One image, shape (height, width), any number type. Raises ValueError for other shapes."""
    image = _as_array(image, "image", "(28, 28)", IMAGE_HINTS)
    figure = Figure(figsize=(3.4, 3.6), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="column", ylabel="row")
    _draw_image(axes, image)
    height, width = image.shape
    _describe(figure, title, f"An image of {height} rows and {width} columns, ink dark on white")
    return figure


def plot_digit_numbers(image: np.ndarray) -> Figure:
    """One image as the numbers it consists of, each on its shade of grey.

    Takes shape (height, width), at most 28 by 28; numbers that are not whole are written with
    one decimal. Raises ValueError for other shapes.
    """
    image = _as_array(image, "image", "(28, 28)", IMAGE_HINTS)
    height, width = image.shape
    if max(height, width) > 28:
        raise ValueError(f"image has shape {image.shape}: at most 28 rows and columns are legible")
    cell = 0.28  # whole pixels, so that equal numbers look the same, and the file stays small
    figure = Figure(figsize=(width * cell, height * cell))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=_black_at(image), aspect="auto")
    axes.set_axis_off()
    decimals = 0 if np.all(image == np.round(image)) else 1
    for (row, column), value in np.ndenumerate(image):
        dark = value > 0.54 * _black_at(image)  # from here on white is easier to read
        color = GREY if value == 0 else "white" if dark else "black"
        axes.text(column, row, f"{value:.{decimals}f}", color=color, ha="center", va="center")
    inked = f"{np.count_nonzero(image > 0)} of {image.size} are above zero"
    _describe(figure, f"The pixel values of an image, {height} rows of {width}; {inked}")
    return figure


def plot_digits(
    images: np.ndarray, labels: Sequence | None = None, columns: int = 10, title: str = ""
) -> Figure:
    """Many images, shape (n, height, width), in a grid, each with its label below.

    `labels` are n digits or short texts such as "4 → 9". Raises ValueError for other shapes
    and for another number of labels.
    """
    hints = {2: "of one image make a batch, as in image[np.newaxis]"}
    images = _as_array(images, "images", "(n, 28, 28)", hints)
    scale = {"cmap": "gray_r", "vmin": 0, "vmax": _black_at(images)}
    return _draw_grid("image", images, labels, columns, title, **scale)


def plot_feature_maps(
    maps: np.ndarray, labels: Sequence | None = None, columns: int = 6, title: str = ""
) -> Figure:
    """What the n filters of a layer make of one image, shape (height, width, n).

    One grey scale for all, so that a filter that hardly answers looks pale. Raises ValueError
    for other shapes and for another number of labels.
    """
    hints = {4: "of a batch take one image's maps, as in maps[0]"}
    maps = _as_array(maps, "maps", "(height, width, n)", hints)
    scale = {"cmap": "gray_r", "vmin": min(maps.min(), 0), "vmax": maps.max()}
    return _draw_grid("feature map", maps.transpose(2, 0, 1), labels, columns, title, **scale)


def plot_weights(weights: np.ndarray, columns: int = 5, title: str = "") -> Figure:
    """Weights as pictures, shape (n, height, width): blue below zero, white zero, red above.

    One scale for all, with a colour bar. Raises ValueError for other shapes.
    """
    hints = {
        2: "of a dense layer's kernel make pictures with kernel.T.reshape(-1, 28, 28)",
        4: "of a convolution's kernel make pictures with kernel[:, :, 0].transpose(2, 0, 1)",
    }
    weights = _as_array(weights, "weights", "(n, height, width)", hints)
    limit = float(np.abs(weights).max()) or 1.0
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    figure = _draw_grid("picture", weights, None, columns, title, free_right=110, **scale)
    width, height = figure.bbox.size
    tall = min(height - 40, 300)
    place = (1 - 100 / width, (1 - tall / height) / 2, 15 / width, tall / height)
    bar = figure.colorbar(figure.axes[0].images[0], cax=figure.add_axes(place))
    bar.outline.set_visible(False)
    bar.set_label("weight")
    bar.locator = MaxNLocator(nbins=4, symmetric=True)
    span = f"Weights from {weights.min():.2f} to {weights.max():.2f}, blue below zero, red above"
    figure.set_label(f"{figure.get_label()} {span}.")
    return figure


def plot_network(sizes: Mapping[str, int]) -> Figure:
    """A dense network as a drawing: its layers from left to right, a line for every weight.

    `sizes` maps the name of each layer, the input's first, to its number of neurons. Of a
    layer of more than ten, six are drawn, and three dots stand for the others.
    """
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    # Without anti-aliasing so many lines take a quarter of the bytes.
    line = {"color": PALE_GREY, "linewidth": 0.5, "antialiased": False}
    before = []
    for column, (name, size) in enumerate(sizes.items()):
        rows = range(size) if size <= 10 else [0, 1, 2, 7, 8, 9]
        middle = (max(rows) + min(rows)) / 2
        points = [(column, middle - row) for row in rows]
        for x, y in points:
            for left_x, left_y in before:
                axes.plot([left_x, x], [left_y, y], **line)
        axes.scatter(*zip(*points, strict=True), s=130, color=COLORS[0], zorder=3)
        if size > 10:
            axes.plot([column] * 3, [-0.4, 0, 0.4], ".", color=GREY, markersize=4)
        axes.text(column, -5.9, f"{name}\n{size:,}", ha="center", va="center")
        before = points
    axes.set(xlim=(-0.4, len(sizes) - 0.6), ylim=(-6.6, 5))
    layers = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
    what = "A network from left to right, each neuron joined to all of the layer before"
    _describe(figure, f"{what}: {layers}")
    return figure


# --- Training and prediction ----------------------------------------------------------------


def plot_learning_curves(histories: Mapping[str, Mapping]) -> Figure:
    """Loss and accuracy of one or several trainings, side by side, by epoch.

    `histories` maps a name to a history: lists "loss", "val_loss", "accuracy" and
    "val_accuracy" with one number per epoch. Raises ValueError if a list is missing.
    """
    needed = ["loss", "val_loss", "accuracy", "val_accuracy"]
    for name, history in histories.items():
        missing = [key for key in needed if key not in history]
        if missing:
            raise ValueError(
                f"histories[{name!r}] lacks {', '.join(missing)}: expected one history per name, "
                "as in {'dense': history.history}"
            )
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    ends = {}
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        ends[axes] = _draw_curves(axes, histories, measure)
    _show_percentages(axes.yaxis)  # of accuracy, the last
    if len(histories) > 1:  # else the lines themselves are named "training" and "validation"
        explanation = "Solid, filled points: validation images. Dashed, hollow: training images."
        figure.suptitle(explanation, fontsize=10, color=GREY)
    _label_line_ends(ends)
    results = []
    for name, history in histories.items():
        training, validation = (_percent(history[of][-1]) for of in ("accuracy", "val_accuracy"))
        span = _count(len(history["loss"]), "epoch")
        results.append(f"{name} {training} in training, {validation} in validation after {span}")
    _describe(figure, "Loss and accuracy by epoch", "Final accuracy: " + "; ".join(results))
    return figure


def _draw_curves(axes: Axes, histories: Mapping[str, Mapping], measure: str) -> list:
    """Draw one measure of all trainings; give the ends to name as (x, y, name, colour number)."""
    ends = []
    for number, (name, history) in enumerate(histories.items()):
        training, validation = history[measure], history[f"val_{measure}"]
        x = range(1, len(training) + 1)
        style = {"color": f"C{number}", "marker": "o", "markersize": 4}
        axes.plot(x, training, linestyle="--", markerfacecolor=BACKGROUND, **style)
        axes.plot(x, validation, **style)
        if len(histories) == 1:
            ends.append((x[-1], training[-1], "training", number))
            name = "validation"
        ends.append((x[-1], validation[-1], name, number))
    axes.set_title(measure.capitalize())
    axes.grid(axis="y")
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, max(x for x, *_ in ends) + 0.5)
    whole_numbers = MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
    axes.xaxis.set_major_locator(whole_numbers)
    return ends


def plot_probabilities(
    image: np.ndarray, probabilities: Sequence[float], true_label: int
) -> Figure:
    """One image and the probabilities, shape (10,), that a network gives to the ten digits.

    The most probable digit is blue; the true label, if it is another, is orange. Raises
    ValueError for other shapes.
    """
    image = _as_array(image, "image", "(28, 28)", IMAGE_HINTS)
    hints = {2: "of a batch of predictions take one, as in predictions[0]"}
    probabilities = _as_array(probabilities, "probabilities", "(10,)", hints)
    predicted = int(probabilities.argmax())
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
    _draw_image(left, image)
    left.set_title(f"Labelled {true_label}")
    left.set(xticks=[], yticks=[], anchor="N")  # north: its title in line with the other
    colors = [PALE_GREY] * 10
    texts = [_percent(probability) for probability in probabilities]
    answer = f"The network says {predicted} with probability {texts[predicted]}"
    if true_label != predicted:
        answer += f", and {true_label} with {texts[true_label]}"
        colors[true_label] = ORANGE
        texts[true_label] += "  label"
    colors[predicted] = BLUE
    texts[predicted] += "  predicted"
    bars = right.barh(range(10), probabilities, color=colors, height=0.75)
    right.bar_label(bars, texts, padding=3)
    right.set_title(f"Predicted {predicted}")
    right.set(ylabel="digit", yticks=range(10), ylim=(9.6, -0.6))
    right.set(xticks=[], xlim=(0, 1.7))  # room for the text of a bar of 100%
    right.tick_params(axis="y", length=0)
    right.spines["bottom"].set_visible(False)
    what = f"An image labelled {true_label} and the probabilities of the ten digits"
    _describe(figure, what, answer)
    return figure


def plot_confusion_matrix(y_true: Sequence[int], y_pred: Sequence[int]) -> Figure:
    """How often each digit, by row, was taken for each digit, by column.

    Both arrays hold n digits from 0 to 9. The right answers, on the diagonal, are left grey:
    they are so many that on one colour scale with the errors the errors would not be seen.
    Raises ValueError if either is not so, or they differ in length.
    """
    hints = {2: "of ten numbers take the place of the largest, as in predictions.argmax(axis=1)"}
    y_true = _as_array(y_true, "y_true", "(n,)", hints)
    y_pred = _as_array(y_pred, "y_pred", "(n,)", hints)
    if y_true.shape != y_pred.shape or not np.isin([y_true, y_pred], range(10)).all():
        raise ValueError("y_true and y_pred must hold equally many digits from 0 to 9")
    counts = np.zeros((10, 10), dtype=int)
    np.add.at(counts, (y_true, y_pred), 1)
    errors = np.ma.masked_array(counts, mask=np.eye(10, dtype=bool))
    most = int(errors.max())
    figure = Figure(figsize=(6.4, 6.2), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted digit", ylabel="true digit")
    colormap = matplotlib.colormaps["Oranges"].with_extremes(bad=PALE_GREY)
    axes.imshow(errors, cmap=colormap, vmin=0, vmax=max(most, 1))
    for (row, column), count in np.ndenumerate(counts):
        if row == column or count > 0:
            dark = row != column and count > 0.77 * most  # white is easier to read there
            color = "white" if dark else "black"
            axes.text(column, row, str(count), color=color, ha="center", va="center")
    axes.set(xticks=range(10), yticks=range(10))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    what = f"Confusion matrix: {np.sum(y_true != y_pred):,} mistakes in {len(y_true):,} answers"
    true, said = np.unravel_index(errors.filled(0).argmax(), errors.shape)
    worst = f"The most frequent mistake: a {true} taken for a {said}, {_count(most, 'time')}"
    _describe(figure, what, worst if most > 0 else "")
    return figure


# --- Comparisons ----------------------------------------------------------------------------


def plot_seeds(
    accuracies: Mapping[str, Sequence[float]],
    recorded: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """The accuracies of networks that were trained several times: every training is a point.

    `accuracies` maps a name to fractions; the upright line is their mean. Where there are
    `recorded` trainings of the same names, the mean is theirs: they are drawn as small pale
    points, with one's own on them.
    """
    figure = Figure(figsize=(7, 0.8 + 0.7 * len(accuracies)), layout="constrained")
    axes = figure.add_subplot(xlabel="accuracy, one point per training")
    means = []
    for row, (name, values) in enumerate(accuracies.items()):
        others = (recorded or {}).get(name, [])
        if len(others):
            _draw_recorded(axes, row, others)
        style = {"alpha": 0.75, "markersize": 7, "markeredgewidth": 0, "clip_on": False}
        axes.plot(values, _scatter(row, len(values)), "o", color=f"C{row}", **style)
        averaged = others if len(others) else values
        mean = np.mean(averaged)
        axes.plot([mean, mean], [row - 0.3, row + 0.3], color=TEXT, linewidth=1.5)
        axes.text(mean, row - 0.33, f"mean {_percent(mean, 2)}", ha="center", va="bottom")
        trainings = _count(len(averaged), "recorded training" if len(others) else "training")
        means.append(f"{name} {_percent(mean, 2)} in {trainings}")
    _name_rows(axes, list(accuracies), highest=0.8)
    _show_percentages(axes.xaxis)
    axes.set_xlim(right=min(axes.get_xlim()[1], 1))  # no accuracy is above 100%
    _describe(figure, "Accuracy of every training, a point each", "Means: " + "; ".join(means))
    return figure


def plot_differences(
    differences: Mapping[str, Sequence[float]],
    recorded: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Paired differences, a point for each pair, and their means with 95 % t intervals.

    `differences` maps a name to fractions, at least two, which are drawn in percentage points.
    Where there are `recorded` ones, rows, means and intervals are theirs: they are drawn as small
    pale points, with one's own on them, which may be few or, for a row, none.
    """
    from scipy.special import stdtrit  # scipy.stats takes 44 MB more

    rows = recorded or differences
    figure = Figure(figsize=(7, 0.8 + 0.6 * len(rows)), layout="constrained")
    axes = figure.add_subplot(xlabel="difference in percentage points, one point per pair")
    axes.axvline(0, color=GREY, linewidth=1)
    told = []
    for row, (name, values) in enumerate(rows.items()):
        points, own = (100 * np.asarray(v) for v in (values, differences.get(name, [])))
        error = points.std(ddof=1) / np.sqrt(len(points))
        half = stdtrit(len(points) - 1, 0.975) * error
        mean = points.mean()
        if recorded:
            _draw_recorded(axes, row, points)
        style = {"alpha": 0.6, "markersize": 6, "markeredgewidth": 0}
        axes.plot(own, _scatter(row, len(own)), "o", color=f"C{row}", **style)
        axes.errorbar(mean, row, xerr=half, fmt="|", color=TEXT, markersize=14, capsize=4)
        result = f"{mean:+.2f} ± {half:.2f}"
        axes.text(mean, row - 0.3, result, ha="center", va="bottom")
        told.append(f"{name} {result}")
    _name_rows(axes, list(rows), highest=0.75)
    means = "Means of recorded pairs: " if recorded else "Means: "
    _describe(figure, "Paired differences in percentage points", means + "; ".join(told))
    return figure


def plot_shifts(
    shifts: Sequence[int], accuracies: Mapping[str, Sequence[float] | Sequence[Sequence[float]]]
) -> Figure:
    """Accuracy of each network, a fraction, when the digits are moved by `shifts` pixels.

    `accuracies` maps a name to those of one training, or to a row for each of several. The
    thick line is the mean, thin ones are the single trainings.
    """
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.add_subplot(title="Accuracy on shifted digits", xlabel="shift in pixels")
    ends = []
    for number, (name, trainings) in enumerate(accuracies.items()):
        trainings = np.atleast_2d(trainings)
        color = f"C{number}"
        axes.plot(shifts, trainings.T, color=color, linewidth=0.8, alpha=0.5)
        axes.plot(shifts, trainings.mean(axis=0), marker="o", markersize=5, color=color)
        ends.append((shifts[-1], trainings[:, -1].mean(), name, number))
    axes.axhline(0.1, color=GREY, linewidth=1, linestyle=":")
    axes.text(shifts[0], 0.09, "guessing", color=GREY, va="top")
    axes.set(ylim=(0, 1.02), xlim=(min(shifts) - 0.15, max(shifts) + 0.15), xticks=shifts)
    _show_percentages(axes.yaxis)
    axes.grid(axis="y")
    _label_line_ends({axes: ends})
    at_the_end = ", ".join(f"{name} {_percent(mean)}" for _, mean, name, _ in ends)
    pixels = f"{shifts[0]} to {shifts[-1]} pixels"
    _describe(figure, f"Accuracy on digits shifted by {pixels}", f"At {shifts[-1]}: {at_the_end}")
    return figure


# --- What the functions share ---------------------------------------------------------------


def _describe(figure: Figure, *sentences: str) -> None:
    figure.set_label(" ".join(f"{sentence}." for sentence in sentences if sentence))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _percent(fraction: float, decimals: int = 1) -> str:
    """A percentage that never rounds to a certainty that is not there."""
    smallest = 10.0**-decimals
    if 0 < 100 * fraction < smallest / 2:
        return f"<{smallest:.{decimals}f}%"
    if 100 - smallest / 2 <= 100 * fraction < 100:
        return f">{100 - smallest:.{decimals}f}%"
    return f"{100 * fraction:.{decimals}f}%"


def _scatter(row: int, count: int) -> np.ndarray:
    """Heights alternately a little above and below a row, so that equal values stay visible."""
    return row + np.resize([-0.12, 0.12, 0.0], count)


def _draw_recorded(axes: Axes, row: int, values: Sequence[float]) -> None:
    """Values on record, small and pale: one's own are drawn on them."""
    style = {"color": GREY, "alpha": 0.6, "markersize": 5, "markeredgewidth": 0}
    axes.plot(values, _scatter(row, len(values)), "o", **style)


def _name_rows(axes: Axes, names: list[str], highest: float) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -highest)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.margins(x=0.12)


def _show_percentages(axis: Axis) -> None:
    axis.set_major_formatter(FuncFormatter(lambda value, position: f"{100 * value:.4g}%"))


IMAGE_HINTS = {1: "use image.reshape(28, 28)", 3: "of a batch take one, as in images[0]"}


def _as_array(values, name: str, expected: str, hints: Mapping[int, str]) -> np.ndarray:
    """The values as an array, which has as many axes as the expected shape, and is not empty.

    Raises ValueError if not, with the hint that there is for an array of so many axes.
    """
    array = np.asarray(values)
    if array.ndim != len(expected.strip("(,)").split(",")) or array.size == 0:
        hint = f": {hints[array.ndim]}" if array.ndim in hints else ""
        raise ValueError(f"{name} has shape {array.shape}, expected {expected}{hint}")
    return array


def _black_at(images: np.ndarray) -> int:
    """The value to draw black: 255 for raw pixels, 1 for pixels scaled to 0–1."""
    return 255 if images.max() > 1 else 1


def _draw_image(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=_black_at(image), interpolation="nearest")
    axes.set(xticks=[0, image.shape[1] - 1], yticks=[0, image.shape[0] - 1])
    axes.spines[:].set_visible(True)


def _draw_grid(
    noun: str, pictures: np.ndarray, labels, columns: int, title: str, free_right: int = 0, **scale
) -> Figure:
    """Pictures, shape (n, height, width), in a grid, each with a label below if there are any.

    A picture is magnified by a whole number, so that its pixels come out sharp and of one
    size. One axes for all pictures, in pixels of the figure, draws many times as fast as an
    axes for each. `free_right` pixels stay free for a colour bar.
    """
    count, height, width = pictures.shape
    if labels is not None and len(labels) != count:
        raise ValueError(f"{count} pictures but {len(labels)} labels: one each is needed")
    columns = min(columns, count)
    rows = -(-count // columns)
    gap, line = 8, 18
    room = min((WIDTH * DPI - free_right) // columns - gap, 124)
    magnified = max(room // width, 1)
    width, height = width * magnified, height * magnified
    row_height = height + gap + (line if labels is not None else 0)
    top = gap + (line + 4 if title else 0)
    total_width = max(columns * (width + gap) + gap, 160, 9 * len(title)) + free_right
    total_height = top + rows * row_height
    # A hair more, since Matplotlib rounds pixels down.
    figure = Figure(figsize=((total_width + 1e-6) / DPI, (total_height + 1e-6) / DPI))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, total_width), ylim=(total_height, 0))
    axes.set_axis_off()
    axes.text(gap, gap, title, va="top", fontsize=11)
    for index, picture in enumerate(pictures):
        left = gap + index % columns * (width + gap)
        upper = top + index // columns * row_height
        place = (left, left + width, upper + height, upper)
        axes.imshow(picture, extent=place, aspect="auto", interpolation="nearest", **scale)
        frame = {"fill": False, "edgecolor": PALE_GREY, "linewidth": 0.72}  # points: one pixel
        axes.add_patch(Rectangle((left, upper), width, height, **frame))
        if labels is not None:
            text = str(labels[index])
            axes.text(left + width / 2, upper + height + 3, text, ha="center", va="top")
    grid = f"{_count(count, noun)} in {_count(rows, 'row')}"
    if labels is not None and count <= 20:
        grid += ", labelled " + ", ".join(str(label) for label in labels)
    _describe(figure, title, grid[0].upper() + grid[1:])
    return figure


def _label_line_ends(ends_of: Mapping[Axes, list[tuple[float, float, str, int]]]) -> None:
    """Write each line's name to the right of its end: (x, y, name, colour number).

    Names are moved up or down, as little as possible, until no two share a height, so none
    covers another wherever their lines end. A halo keeps a name readable on another line.
    """
    from scipy.optimize import isotonic_regression

    next(iter(ends_of)).figure.draw_without_rendering()  # only now heights in pixels hold
    halo = [withStroke(linewidth=3, foreground=BACKGROUND)]
    for axes, ends in ends_of.items():
        heights = np.array([axes.transData.transform((x, y))[1] for x, y, _, _ in ends])
        order = np.argsort(heights, kind="stable")
        steps = 20 * np.arange(len(ends))  # pixels from one name to the next
        moved = isotonic_regression(heights[order] - steps).x
        moved = np.clip(moved, axes.bbox.y0, max(axes.bbox.y1 - steps[-1], axes.bbox.y0)) + steps
        for index, height in zip(order, moved, strict=True):
            x, y, name, number = ends[index]
            axes.annotate(
                name,
                (x, y),
                xytext=(8, (height - heights[index]) * 72 / DPI),
                textcoords="offset points",
                color=TEXT_COLORS[number % len(TEXT_COLORS)],
                va="center",
                path_effects=halo,
            )
