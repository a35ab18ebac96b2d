"""How sure an accuracy is, and the one line in which a notebook reports it."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from .shown import show

# What the test runner reads from an executed notebook.
RESULT_TYPE = "application/vnd.mnist-tutorial.result+json"


def accuracy_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % Wilson score interval of an accuracy, as fractions (low, high).

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927). By hand, because SciPy's, which gives the same, takes 44 MB to
    import. Raises ValueError unless 0 <= correct <= total and total >= 1.
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

    That of Student's t, for at least two numbers from a normal distribution. Source:
    G. J. Hahn, W. Q. Meeker, "Statistical Intervals", 1991.
    """
    from scipy.special import stdtrit  # scipy.stats takes 44 MB more

    count = len(values)
    error = np.std(values, ddof=1) * np.sqrt(1 + 1 / count)
    reach = stdtrit(count - 1, (1 + level) / 2) * error
    return float(np.mean(values) - reach), float(np.mean(values) + reach)


def report_result(
    name: str, model, history: dict, test_loss: float, correct: int, total: int
) -> None:
    """Show a network's test result in one line, and leave it for programs to read.

    `model` is a Keras network, `history` that of its training with `FitProgress`. Raises
    ValueError if the history is of another training than the network.
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
    line = (
        f"{name}: {correct / total:.2%} of {total:,} test images right "
        f"(95 % interval {low:.2%} to {high:.2%}), test loss {test_loss:.4f}"
    )
    show({"text/plain": line, RESULT_TYPE: result})


def check_history(model, history: dict) -> None:
    """Raise ValueError if Keras knows that the model's last training had another history.

    That is so where cells were run in another order, or the last training was interrupted:
    the network is then not the one that the history tells of.
    """
    last = getattr(model, "history", None)
    if last is not None and last.history is not history:
        raise ValueError(
            "this history is of another training than the network: run the cells again from "
            "the one that builds the network"
        )
