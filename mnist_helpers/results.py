"""Results: how sure an accuracy is, how a notebook reports it, and what is on record."""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np

from .display import show

RESULT_TYPE = "application/vnd.mnist-tutorial.result+json"  # read from executed notebooks
RECORDS = Path(__file__).with_name("records")  # of many trainings, which `make record` makes


def accuracy_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % Wilson score interval of an accuracy, as fractions (low, high).

    Source: E. B. Wilson, JASA 22 (1927). By hand, because SciPy's, which gives the same, takes
    44 MB to import. Raises ValueError unless 0 <= correct <= total and total >= 1.
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"{correct} correct of {total}: need 0 <= correct <= total, total >= 1")
    z, accuracy, total = NormalDist().inv_cdf(0.975), float(correct / total), int(total)
    middle = accuracy + z**2 / (2 * total)
    reach = z * sqrt(accuracy * (1 - accuracy) / total + z**2 / (4 * total**2))
    low, high = ((middle + side) / (1 + z**2 / total) for side in (-reach, reach))
    return max(low, 0.0), min(high, 1.0)


def prediction_interval(values: Sequence[float], level: float = 0.999) -> tuple[float, float]:
    """Where one more value lies, among numbers like these, in that share of cases: (low, high).

    From a normal distribution. Source: G. J. Hahn, W. Q. Meeker, "Statistical Intervals", 1991.
    """
    from scipy.special import stdtrit  # scipy.stats takes 44 MB more

    count = len(values)
    error = np.std(values, ddof=1) * np.sqrt(1 + 1 / count)
    reach = stdtrit(count - 1, (1 + level) / 2) * error
    return float(np.mean(values) - reach), float(np.mean(values) + reach)


def report_result(name: str, model, history: dict, test_loss: float, correct: int, total: int):
    """Show a network's test result in one line, and leave it for programs to read.

    `history` is that of its training with `FitProgress`: ValueError if it is of another.
    """
    check_history(model, history)
    low, high = accuracy_interval(correct, total)
    result = {
        "model": name,
        "parameters": model.count_params(),
        "epochs": len(history["loss"]),
        "fit_seconds": round(history["seconds"][-1], 3),
        "test_accuracy": correct / total,
        "test_loss": float(test_loss),
    }
    interval = f"(95 % interval {low:.2%} to {high:.2%}), test loss {test_loss:.4f}"
    line = f"{name}: {correct / total:.2%} of {total:,} test images right {interval}"
    show({"text/plain": line, RESULT_TYPE: result})


def check_history(model, history: dict) -> None:
    """Raise ValueError if the model's last training had another history: cells out of order."""
    if getattr(model, "history", None) and model.history.history is not history:
        again = "run the cells again from the one that builds the network"
        raise ValueError(f"this history is of another training than the network: {again}")


def load_records():
    """The recorded trainings, a row each, as a pandas table.

    Columns: data ("MNIST" or "offline digits"), network, seed, epochs, train_images, seconds
    of `fit`, valid_accuracy (NaN if all images were trained on), test_accuracy, test_loss.
    """
    import pandas as pd

    tables = [pd.read_csv(path, comment="#") for path in sorted(RECORDS.glob("*.csv"))]
    return pd.concat(tables, ignore_index=True)
