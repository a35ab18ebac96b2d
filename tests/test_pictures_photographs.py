"""Photographs of a digit are read right, or refused for the reason; see picture_corpus.py."""

import re

import numpy as np
import picture_corpus as corpus
import pytest

from mnist_helpers import prepare_picture


def like(image: np.ndarray, drawing: np.ndarray) -> float:
    """The correlation of two images, the one moved by up to two pixels."""
    moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    rolled = [np.roll(image, move, (0, 1)).ravel() for move in moves]
    return np.corrcoef([drawing.ravel(), *rolled])[0, 1:].max()


@pytest.fixture(scope="module")
def outcomes(digits) -> dict[str, list]:
    """By condition, of three or four digits: (digit, the one whose drawing is most like it).

    Where the picture is refused, the reason stands in the place of the second.
    """
    found = {condition: [] for condition in corpus.CONDITIONS}
    for number, condition in enumerate(corpus.CONDITIONS):
        for digit in range(number % 3, 10, 3):
            try:
                image = prepare_picture(corpus.make(condition, digit))
                answer = int(np.argmax([like(image, drawing) for drawing in digits]))
            except ValueError as error:
                answer = str(error)
            found[condition].append((digit, answer))
    return found


def test_what_a_person_reads_at_once_is_read_and_at_most_3_percent_are_silently_wrong(outcomes):
    results = [result for name in corpus.READ for result in outcomes[name]]
    assert np.mean([digit == answer for digit, answer in results]) >= 0.98
    results += [result for name in corpus.READ_OR_REFUSED for result in outcomes[name]]
    assert np.mean([isinstance(n, int) and n != digit for digit, n in results]) <= 0.03


@pytest.mark.parametrize("condition", corpus.REFUSED)
def test_what_is_not_one_digit_is_refused_for_the_right_reason(outcomes, condition):
    reasons = [str(answer) for _, answer in outcomes[condition]]
    assert sum(bool(re.search(corpus.REFUSED[condition][1], why)) for why in reasons) >= 3, reasons


def test_what_is_in_the_way_is_the_reason_for_a_refusal(outcomes):
    refusals = [
        (name, answer, bool(re.search(reason, answer)))
        for name, (_, reason) in corpus.READ_OR_REFUSED.items()
        for _, answer in outcomes[name]
        if isinstance(answer, str)
    ]
    other = [refusal for refusal in refusals if not refusal[2]]
    assert len(refusals) >= 5 and len(other) <= len(refusals) / 10, other
