"""The tutorial's figures, in one style. Functions take arrays and return a Matplotlib figure.

Every figure carries its description, one to three sentences that say what it shows, as its
label: `figure.get_label()`. Arguments of another shape than a docstring says are refused with a
ValueError and a hint. Importing this module sets the style of the learner's own figures, too.
"""

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .display import show

# "default" first: a matplotlibrc of one's own may ask for LaTeX, or for figures without background.
matplotlib.style.use(["default", Path(__file__).with_name("tutorial.mplstyle")])

# The style's colours can be told apart by colour-blind people. Source: M. Okabe and K. Ito,
# "Color universal design", 2008.
BACKGROUND, TEXT = "#FCFCFA", "#222222"
GREY, PALE_GREY = "#6B6B6B", "#D5D5D2"  # for what accompanies, and for what recedes
DPI, WIDTH = 100, 8  # inches: 800 pixels fit a small laptop; `show_figure` draws twice as many


def show_figure(figure: Figure) -> None:
    """Show a figure, once, with its description as alternative text; ValueError without one."""
    description = figure.get_label().strip()
    if not description:
        how = 'say in words what it shows, with figure.set_label("…"), before you show it'
        raise ValueError(f"the figure has no description: {how}")
    buffer = io.BytesIO()
    # Without the name of the software, the same figure gives the same bytes.
    figure.savefig(buffer, format="png", dpi=2 * figure.dpi, metadata={"Software": None})
    width, height = (round(length) for length in figure.bbox.size)
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:  # a figure of pyplot would be shown again at the end of the cell
        pyplot.close(figure)
    data = {"image/png": buffer.getvalue(), "text/plain": description}
    about = {"alt": description, "width": width, "height": height}
    show(data | getattr(figure, "live_view", {}), metadata={"image/png": about})


def plot_digits(
    images: np.ndarray, labels: Sequence | None = None, columns: int = 10, title: str = ""
) -> Figure:
    """Many images, shape (n, height, width), in a grid, each with its label below, if any."""
    hints = {2: "of one image make a batch, as in image[np.newaxis]"}
    images = _as_pictures(images, "images", hints)
    black = 255 if images.max() > 1 else 1  # raw pixels, or pixels scaled to 0–1
    scale = {"cmap": "gray_r", "vmin": 0, "vmax": black}
    return _draw_grid("image", images, labels, columns, title, **scale)


def plot_weights(weights: np.ndarray, columns: int = 5, title: str = "") -> Figure:
    """Weights as pictures, shape (n, height, width): blue below zero, white zero, red above."""
    hints = {2: "make pictures with kernel.T.reshape(-1, 28, 28)"}
    hints[4] = "make pictures with kernel[:, :, 0].transpose(2, 0, 1)"
    weights = _as_pictures(weights, "weights", hints)
    limit = float(np.abs(weights).max()) or 1.0
    scale = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    figure = _draw_grid("picture", weights, None, columns, title, free_right=110, **scale)
    width, height = figure.bbox.size
    tall = min(height - 40, 300)
    box = (1 - 100 / width, (1 - tall / height) / 2, 15 / width, tall / height)
    bar = figure.colorbar(figure.axes[0].images[0], cax=figure.add_axes(box), label="weight")
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(nbins=4, symmetric=True)
    span = f"Weights from {weights.min():.2f} to {weights.max():.2f}, blue below zero, red above"
    return _described(figure, figure.get_label().removesuffix("."), span)


def _draw_grid(
    noun: str, pictures: np.ndarray, labels, columns: int, title: str, free_right: int = 0, **scale
) -> Figure:
    """Pictures, shape (n, height, width), in a grid, each with a label below if there are any.

    Magnified by a whole number, their pixels come out sharp. One axes for all, in pixels of the
    figure, draws many times as fast as one for each. `free_right` is for a colour bar.
    """
    count, height, width = pictures.shape
    if labels is not None and len(labels) != count:
        raise ValueError(f"{count} pictures but {len(labels)} labels: one each is needed")
    columns = min(columns, count)
    rows = -(-count // columns)
    gap, line = 8, 18
    magnified = max(min((WIDTH * DPI - free_right) // columns - gap, 124) // width, 1)
    width, height = width * magnified, height * magnified
    row_height = height + gap + (line if labels is not None else 0)
    top = gap + (line + 4 if title else 0)
    total_width = max(columns * (width + gap) + gap, 160, 9 * len(title)) + free_right
    size = np.array([total_width, top + rows * row_height])
    figure = Figure(figsize=(size + 1e-6) / DPI)  # a hair more: Matplotlib rounds pixels down
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(size[1], 0))
    axes.set_axis_off()
    axes.text(gap, gap, title, va="top", fontsize=11)
    frame = {"fill": False, "edgecolor": PALE_GREY, "linewidth": 0.72}  # points: one pixel
    for index, picture in enumerate(pictures):
        left, upper = gap + index % columns * (width + gap), top + index // columns * row_height
        box = (left, left + width, upper + height, upper)
        axes.imshow(picture, extent=box, aspect="auto", interpolation="nearest", **scale)
        axes.add_patch(Rectangle((left, upper), width, height, **frame))
        if labels is not None:
            middle, below = left + width / 2, upper + height + 3
            axes.text(middle, below, str(labels[index]), ha="center", va="top")
    grid = f"{_count(count, noun)} in {_count(rows, 'row')}"
    if labels is not None and count <= 20:
        grid += ", labelled " + ", ".join(str(label) for label in labels)
    return _described(figure, title, grid)


def plot_learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Loss and accuracy of a training, side by side, by epoch.

    `history` holds lists "loss", "val_loss", "accuracy" and "val_accuracy", a number per epoch.
    """
    if missing := [n for n in ("loss", "val_loss", "accuracy", "val_accuracy") if n not in history]:
        raise ValueError(f"the history lacks {', '.join(missing)}: expected that of `fit`")
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    epochs = np.arange(len(history["loss"])) + 1
    for axes, measure in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, history[measure], "o--", label="training", ms=4, mfc=BACKGROUND)
        axes.plot(epochs, history[f"val_{measure}"], "s-", label="validation", ms=4)
        axes.set(title=measure.capitalize(), xlabel="epoch", xlim=(0.5, len(epochs) + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(6, min_n_ticks=1, integer=True, steps=[1, 2, 5]))
        axes.grid(axis="y")
    axes.yaxis.set_major_formatter(PercentFormatter(1))  # of accuracy, the last
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    training, validation = (_percent(history[name][-1]) for name in ("accuracy", "val_accuracy"))
    results = f"{training} in training, {validation} in validation after"
    results = f"Final accuracy: {results} {_count(len(epochs), 'epoch')}"
    return _described(figure, "Loss and accuracy by epoch", results)


def plot_seeds(accuracies: Mapping, recorded: Mapping | None = None) -> Figure:
    """The accuracies of networks that were trained several times: every training is a point.

    `accuracies` maps a name to fractions; the upright line is their mean. Where there are
    `recorded` trainings of a name, small pale points, the mean is theirs.
    """
    recorded = recorded or {}
    figure, axes = _points_in_rows(list(accuracies), accuracies, recorded)
    axes.set_xlabel("accuracy, one point per training")
    means = []
    for row, (name, values) in enumerate(accuracies.items()):
        averaged = recorded.get(name, values)
        mean = np.mean(averaged)
        axes.plot([mean, mean], [row - 0.3, row + 0.3], color=TEXT, linewidth=1.5)
        axes.text(mean, row - 0.33, f"mean {_percent(mean, 2)}", ha="center", va="bottom")
        noun = "recorded training" if name in recorded else "training"
        means.append(f"{name} {_percent(mean, 2)} in {_count(len(averaged), noun)}")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlim(right=min(axes.get_xlim()[1], 1))  # no accuracy is above 100%
    what = "Accuracy of every training, a point each"
    return _described(figure, what, "Means: " + "; ".join(means))


def plot_differences(differences: Mapping, recorded: Mapping | None = None) -> Figure:
    """Paired differences, a point for each pair, and their means with 95 % t intervals.

    `differences` maps a name to fractions, which are drawn in percentage points. Where there are
    `recorded` ones, small pale points, rows, means and intervals are theirs.
    """
    from scipy.special import stdtrit  # scipy.stats takes 44 MB more

    own, others = (
        {name: 100 * np.asarray(values) for name, values in fractions.items()}
        for fractions in (differences, recorded or {})
    )
    figure, axes = _points_in_rows(list(others or own), own, others)
    axes.set_xlabel("difference in percentage points")
    axes.axvline(0, color=GREY, linewidth=1)
    results = []
    for row, (name, points) in enumerate((others or own).items()):
        mean, error = points.mean(), points.std(ddof=1) / np.sqrt(len(points))
        half = stdtrit(len(points) - 1, 0.975) * error
        axes.errorbar(mean, row, xerr=half, fmt="|", color=TEXT, markersize=14, capsize=4)
        text = f"{mean:+.2f} ± {half:.2f}".replace("-", "−")
        axes.text(mean, row - 0.33, text, ha="center", va="bottom", backgroundcolor=BACKGROUND)
        results.append(f"{name} {text}")
    means = "Means of recorded pairs: " if recorded else "Means: "
    return _described(figure, "Paired differences in percentage points", means + "; ".join(results))


def _points_in_rows(names: list[str], own: Mapping, recorded: Mapping) -> tuple[Figure, Axes]:
    """A row for each name: one's own values, in a colour, on those on record, small and pale."""
    figure = Figure(figsize=(7, 0.8 + 0.65 * len(names)), layout="constrained")
    axes = figure.add_subplot(axisbelow=True, ylim=(len(names) - 0.5, -0.8))
    pale = {"color": GREY, "alpha": 0.6, "markersize": 5}
    for row, name in enumerate(names):
        bold = {"color": f"C{row}", "alpha": 0.7, "markersize": 6.5, "clip_on": False}
        for values, style in [(recorded.get(name, []), pale), (own.get(name, []), bold)]:
            heights = row + np.resize([-0.12, 0.12, 0.0], len(values))  # equal ones stay visible
            axes.plot(values, heights, "o", markeredgewidth=0, **style)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.grid(axis="x")
    axes.margins(x=0.12)
    return figure, axes


def plot_shifts(
    shifts: Sequence[int], accuracies: Mapping, digits: tuple[np.ndarray, Sequence] | None = None
) -> Figure:
    """Accuracy of each network, a fraction, when the digits are moved by `shifts` pixels.

    `accuracies` maps a name to those of one training, or to a row for each of several, drawn thin.
    With `digits`, images uint8 (n, 28, 28) and their labels, a page has a view to move them.
    """
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.add_subplot(axisbelow=True)
    axes.set(title="Accuracy on shifted digits", xlabel="shift in pixels")
    results, curves = [], []  # a list, because a notebook's file sorts the names of a dictionary
    for number, (name, trainings) in enumerate(accuracies.items()):
        trainings = np.atleast_2d(trainings)
        means = trainings.mean(axis=0)
        style = {"color": f"C{number}", "marker": "os^Dv"[number % 5], "markersize": 5}
        axes.plot(shifts, trainings.T, color=f"C{number}", linewidth=0.8, alpha=0.5)
        axes.plot(shifts, means, label=name, **style)
        results.append(f"{name} {_percent(means[-1])}")
        curves.append({"name": name, "accuracies": [round(float(mean), 4) for mean in means]})
    axes.axhline(0.1, color=GREY, linewidth=1, linestyle=":")
    axes.text(shifts[0], 0.09, "guessing", color=GREY, va="top")
    axes.set(ylim=(0, 1.02), xlim=(min(shifts) - 0.15, max(shifts) + 0.15), xticks=shifts)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(axis="y")
    figure.legend(loc="outside right center")
    if digits:
        from .convolution_view import VIEW_TYPE, digits_as_json

        view = {"view": "shift", "digits": digits_as_json(*digits), "curves": curves}
        figure.live_view = {VIEW_TYPE: view | {"shifts": [int(shift) for shift in shifts]}}
    what = f"Accuracy on digits shifted by {shifts[0]} to {shifts[-1]} pixels"
    return _described(figure, what, f"At {shifts[-1]}: {', '.join(results)}")


def _described(figure: Figure, *sentences: str) -> Figure:
    figure.set_label(" ".join(f"{sentence}." for sentence in sentences if sentence))
    return figure


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _percent(fraction: float, decimals: int = 1) -> str:
    """A percentage that never rounds up to a certainty that is not there."""
    text = f"{fraction:.{decimals}%}"
    if fraction < 1 and text.startswith("100"):
        return f">{1 - 10.0 ** (-2 - decimals):.{decimals}%}"
    return text


def _as_pictures(values, name: str, hints: Mapping[int, str]) -> np.ndarray:
    """The values as (n, height, width); `hints` say what to do with another number of axes."""
    array = np.asarray(values)
    if array.ndim != 3 or array.size == 0:
        hint = f": {hints[array.ndim]}" if array.ndim in hints else ""
        raise ValueError(f"{name} has shape {array.shape}, expected (n, height, width){hint}")
    return array
