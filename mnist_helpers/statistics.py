"""Uncertainty of a measured accuracy."""

from scipy.stats import binomtest


def accuracy_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of an accuracy, as fractions (low, high).

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 22 (1927), as implemented by SciPy. Raises ValueError unless
    0 <= correct <= total and total >= 1.
    """
    if not 0 <= correct <= total or total < 1:
        raise ValueError(f"{correct} correct of {total}: need 0 <= correct <= total, total >= 1")
    interval = binomtest(int(correct), int(total)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)
