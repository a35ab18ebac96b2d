"""Results: how sure an accuracy is, how a notebook reports it, and what is on record."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes 44 MB more

from .display import show

RESULT_TYPE = "application/vnd.mnist-tutorial.result+json"  # read from executed notebooks
RECORDS = Path(__file__).with_name("records")  # of many trainings, which `make record` makes


def accuracy_interval(right: Sequence[bool], writer: Sequence[int]) -> tuple[float, float]:
    """95 % interval of an accuracy, as fractions (low, high), for images by other writers.

    `right` says for each image whether it was read right, `writer` who wrote it: images by one
    hand resemble each other, so the variance is that between writers (cluster-robust). It makes
    the number of images of Wilson's score interval smaller. Raises ValueError unless both have
    one length and there are two writers or more.

    Sources: A. C. Cameron, D. L. Miller, J. Human Resources 50 (2015), section II; E. B. Wilson,
    JASA 22 (1927).
    """
    right, (people, person) = np.asarray(right, float), np.unique(writer, return_inverse=True)
    if len(right) != len(person) or len(people) < 2:
        raise ValueError(f"{len(right)} answers, {len(people)} writers of {len(person)} images")
    accuracy, count = right.mean(), len(right)
    scatter = (np.bincount(person, right - accuracy) ** 2).sum() / count**2
    variance = scatter * len(people) / (len(people) - 1)
    independent = accuracy * (1 - accuracy) / variance if variance > 0 else len(people)
    t2 = stdtrit(len(people) - 1, 0.975) ** 2 / min(independent, count)
    middle, reach = accuracy + t2 / 2, np.sqrt(t2 * (accuracy * (1 - accuracy) + t2 / 4))
    return tuple((np.clip([middle - reach, middle + reach], 0, 1 + t2) / (1 + t2)).tolist())


def prediction_interval(values: Sequence[float], level: float = 0.999) -> tuple[float, float]:
    """Where one more value lies, among numbers like these, in that share of cases: (low, high).

    From a normal distribution. Source: G. J. Hahn, W. Q. Meeker, "Statistical Intervals", 1991.
    """
    count = len(values)
    error = np.std(values, ddof=1) * np.sqrt(1 + 1 / count)
    reach = stdtrit(count - 1, (1 + level) / 2) * error
    return float(np.mean(values) - reach), float(np.mean(values) + reach)


def report_result(name: str, model, history: dict, test_loss: float, right, writer) -> None:
    """Show a network's test result in one line, and leave it for programs to read.

    `right` and `writer` are those of `accuracy_interval`, for the test images; `history` is that
    of its training with `FitProgress`. Raises ValueError if it is of another training.
    """
    check_history(model, history)
    low, high = accuracy_interval(right, writer)
    accuracy = float(np.mean(right))
    result = {
        "model": name,
        "parameters": model.count_params(),
        "epochs": len(history["loss"]),
        "fit_seconds": round(history["seconds"][-1], 3),
        "test_accuracy": accuracy,
        "test_loss": float(test_loss),
    }
    interval = f"(95 % interval {low:.2%} to {high:.2%}), test loss {test_loss:.4f}"
    line = f"{name}: {accuracy:.2%} of {len(right):,} test images right {interval}"
    show({"text/plain": line, RESULT_TYPE: result})


def check_history(model, history: dict) -> None:
    """Raise ValueError if the model's last training had another history: cells out of order."""
    if getattr(model, "history", None) and model.history.history is not history:
        again = "run the cells again from the one that builds the network"
        raise ValueError(f"this history is of another training than the network: {again}")


def load_answers(data: str, network: str) -> np.ndarray:
    """Which images the recorded trainings of a contestant got right, in the order of their seeds.

    Booleans of shape (trainings, images): first the 10,000 test images, then the 12,000 validation
    images of `hold_out`. `data` is as in `load_records`. Raises KeyError where none are kept.
    """
    with np.load(RECORDS / "answers.npz") as file:
        names = [name for name in file if name.startswith(f"{data}/{network}/")]
        bits = [file[name] for name in sorted(names, key=lambda name: int(name.split("/")[2]))]
    if not bits:
        raise KeyError(f"no answers of {network} on {data} are on record")
    return np.unpackbits(bits, axis=1, count=22_000).astype(bool)


def load_records():
    """The recorded trainings, a row each, as a pandas table.

    Columns: data ("MNIST" or "offline digits"), network, seed, epochs, train_images, seconds
    of `fit`, valid_accuracy (NaN if all images were trained on), test_accuracy, test_loss.
    """
    import pandas as pd

    tables = [pd.read_csv(path, comment="#") for path in sorted(RECORDS.glob("*.csv"))]
    return pd.concat(tables, ignore_index=True)
