"""Parameters and machine, checked at the start of a notebook."""

import pytest

from mnist_helpers import check_choice, check_number, load_mnist, preflight
from mnist_helpers.setup_check import free_memory_gb


@pytest.mark.parametrize("value", [0, -1, 201, 10**30, 2.0, "20", None, True, float("nan")])
def test_a_bad_whole_number_is_named_with_what_is_allowed(value):
    with pytest.raises(ValueError, match=r"parameter epochs = .*: must be a whole number from 1 "):
        check_number("epochs", value, 1, 200)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, "0.5", None])
def test_a_bad_number_is_named_with_what_is_allowed(value):
    with pytest.raises(ValueError, match=r"parameter rate = .*: must be a number from 0 to 1"):
        check_number("rate", value, 0, 1, whole=False)


@pytest.mark.parametrize("value", [1, 200])
def test_both_ends_of_the_range_are_allowed(value):
    check_number("epochs", value, 1, 200)


def test_a_choice_that_is_not_offered_is_refused():
    with pytest.raises(ValueError, match=r"parameter by = 'hour': must be one of"):
        check_choice("by", "hour", ["epoch", "second"])


def test_preflight_tells_versions_data_and_memory(capsys):
    data = load_mnist()
    capsys.readouterr()  # where MNIST cannot be had, loading has something to say too
    preflight(data)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Python 3.") and "TensorFlow 2." in lines[0]
    assert "60,000 training and 10,000 test images" in lines[1]
    assert lines[2].startswith("Memory free: ")


def test_little_memory_is_told_with_the_way_out(capsys, monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", "1")
    preflight(load_mnist())
    assert "shut down other notebooks" in capsys.readouterr().out


def test_free_memory_is_measured_in_gigabytes():
    assert 0.05 < free_memory_gb() < 10_000
