"""Parameters and machine, checked at the start of a notebook."""

import re

import numpy as np
import pytest

from mnist_helpers import check_parameters, load_mnist, preflight
from mnist_helpers.setup_check import free_memory_gb

BAD = [0, -1, 201, 10**30, 2.0, "20", None, True, float("nan"), np.array([1, 2])]


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_a_bad_parameter_is_named_with_what_is_allowed(value, monkeypatch):
    monkeypatch.setitem(globals(), "epochs", value)
    message = re.escape(f"parameter epochs = {value!r}: must be a whole number from 1 to 200")
    with pytest.raises(ValueError, match=message):
        check_parameters(epochs=(1, 200))


@pytest.mark.parametrize("value", [1, 200, np.int64(7)])
def test_both_ends_of_the_range_and_numpys_numbers_are_allowed(value, monkeypatch):
    monkeypatch.setitem(globals(), "epochs", value)
    check_parameters(epochs=(1, 200))


def test_a_limit_can_be_another_parameter(monkeypatch):
    monkeypatch.setitem(globals(), "epochs", 20)
    monkeypatch.setitem(globals(), "lab_epochs", 21)
    with pytest.raises(ValueError, match=r"lab_epochs = 21: .* from 1 to epochs = 20"):
        check_parameters(epochs=(1, 200), lab_epochs=(1, "epochs"))
    monkeypatch.setitem(globals(), "lab_epochs", 20)
    check_parameters(epochs=(1, 200), lab_epochs=(1, "epochs"))


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
