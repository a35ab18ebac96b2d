"""Photographs of a digit are read right, or refused for the reason; see picture_corpus.py."""

import csv
import re

import numpy as np
import picture_corpus as corpus
import pytest
from conftest import ROOT

from mnist_helpers import keras, picture_steps, prepare_picture


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list]:
    """By condition, (digit, image or reason of the refusal) of three or four digits."""
    found = {}
    for number, condition in enumerate(corpus.CONDITIONS):
        found[condition] = []
        for digit in range(number % 3, 10, 3):
            try:
                found[condition].append((digit, prepare_picture(corpus.make(condition, digit))))
            except ValueError as error:
                found[condition].append((digit, str(error)))
    return found


def like(image: np.ndarray, drawing: np.ndarray) -> float:
    """The correlation of two images, the one moved by up to two pixels."""
    moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    rolled = [np.roll(image, move, (0, 1)).ravel() for move in moves]
    return np.corrcoef([drawing.ravel(), *rolled])[0, 1:].max()


@pytest.fixture(scope="module")
def answers(outcomes, digits) -> dict[str, list]:
    """The same, with the digit whose drawing is most like the image in its place."""

    def read(result):
        is_image = isinstance(result, np.ndarray)
        return int(np.argmax([like(result, one) for one in digits])) if is_image else result

    return {name: [(n, read(r)) for n, r in results] for name, results in outcomes.items()}


def test_what_a_person_reads_at_once_is_read(answers):
    results = [result for name in corpus.READ for result in answers[name]]
    assert np.mean([digit == answer for digit, answer in results]) >= 0.98


def test_at_most_3_percent_are_silently_wrong(answers):
    results = [
        result for name in {**corpus.READ, **corpus.READ_OR_REFUSED} for result in answers[name]
    ]
    wrong = [isinstance(answer, int) and answer != digit for digit, answer in results]
    assert np.mean(wrong) <= 0.03


@pytest.mark.slow
def test_the_compact_network_reads_what_a_person_reads_at_once(outcomes, networks, full_run):
    if full_run["dataset"] != "MNIST":
        pytest.skip("the offline digits' own network reads fewer hands")
    network = keras.saving.load_model(networks / "compact.keras", compile=False)
    results = [result for name in corpus.READ for result in outcomes[name]]
    numbers, images = zip(*[r for r in results if isinstance(r[1], np.ndarray)], strict=True)
    right = network.predict(np.stack(images), verbose=0).argmax(axis=1) == numbers
    assert right.sum() >= 0.95 * len(results)


@pytest.mark.parametrize("condition", corpus.REFUSED)
def test_what_is_not_one_digit_is_refused_for_the_right_reason(outcomes, condition):
    reasons = [str(result) for _, result in outcomes[condition]]
    assert sum(bool(re.search(corpus.REFUSED[condition][1], why)) for why in reasons) >= 3, reasons


def test_what_is_in_the_way_is_the_reason_for_a_refusal(outcomes):
    refusals = [
        (name, result)
        for name in corpus.READ_OR_REFUSED
        for _, result in outcomes[name]
        if isinstance(result, str)
    ]
    other = [
        (name, why) for name, why in refusals if not re.search(corpus.READ_OR_REFUSED[name][1], why)
    ]
    assert len(refusals) >= 5 and len(other) <= len(refusals) / 10, other


def test_the_steps_end_with_what_is_prepared_and_leave_the_desk_out():
    page = corpus.make("sheet on a dark desk", 3)
    before = page.copy()
    paper, ink, digit, prepared = picture_steps(page).values()
    assert np.array_equal(prepared, prepare_picture(page)) and np.array_equal(page, before)
    assert paper.dtype == digit.dtype == bool and paper.shape == ink.shape == digit.shape
    assert not paper[0].any() and paper[digit].all()


def test_every_threshold_is_used_and_says_what_it_decides_and_what_it_was_chosen_on():
    table = (ROOT / "mnist_helpers" / "thresholds.csv").read_text(encoding="utf-8")
    source = (ROOT / "mnist_helpers" / "photographs.py").read_text(encoding="utf-8")
    rows, conditions = list(csv.DictReader(table.splitlines())), {*corpus.CONDITIONS}
    assert {row["name"] for row in rows} == set(re.findall(r"\bT\.(\w+)", source))
    assert all(row["decides"] for row in rows)
    assert all({*row["chosen on"].split("; ")} <= conditions for row in rows)
