"""Parameters and machine, checked at the start of a notebook."""

import re
import subprocess
import sys

import numpy as np
import pytest

from mnist_helpers import check_parameters, checked, load_mnist, preflight, setup_check
from mnist_helpers.setup_check import free_memory_gb

BAD = [0, -1, 201, 10**400, 2.5, "many", "", None, True, 2j, float("nan"), np.array([1, 2])]


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_a_bad_parameter_is_named_with_what_is_allowed(value, monkeypatch):
    monkeypatch.setitem(globals(), "epochs", value)
    message = re.escape(f"parameter epochs = {value!r}: must be a whole number from 1 to 200")
    with pytest.raises(ValueError, match=message):
        check_parameters(epochs=(1, 200))


@pytest.mark.parametrize("value", [1, 200])
def test_both_ends_of_the_range_are_allowed(value, monkeypatch):
    monkeypatch.setitem(globals(), "epochs", value)
    check_parameters(epochs=(1, 200))


# papermill writes a NumPy number as text into the notebook.
@pytest.mark.parametrize("value", [np.int64(2), np.float32(2), 2.0, "2", "2.0"], ids=repr)
def test_a_whole_number_in_another_form_becomes_an_int(value, monkeypatch):
    monkeypatch.setitem(globals(), "epochs", value)
    check_parameters(epochs=(1, 200))
    assert type(globals()["epochs"]) is int and globals()["epochs"] == 2


def test_a_limit_can_be_another_parameter(monkeypatch):
    monkeypatch.setitem(globals(), "epochs", 20)
    monkeypatch.setitem(globals(), "lab_epochs", 21)
    with pytest.raises(ValueError, match=r"lab_epochs = 21: .* from 1 to epochs = 20"):
        check_parameters(epochs=(1, 200), lab_epochs=(1, "epochs"))
    monkeypatch.setitem(globals(), "lab_epochs", 20)
    check_parameters(epochs=(1, 200), lab_epochs=(1, "epochs"))


def test_a_limit_can_be_computed_from_parameters_that_were_checked_before(monkeypatch):
    monkeypatch.setitem(globals(), "blocks", "4")
    monkeypatch.setitem(globals(), "images", 251)
    with pytest.raises(ValueError, match=r"images = 251: .* from 1 to 1_000 // blocks = 250"):
        check_parameters(blocks=(1, 10), images=(1, "1_000 // blocks"))
    monkeypatch.setitem(globals(), "blocks", 0)
    with pytest.raises(ValueError, match="parameter blocks = 0"):
        check_parameters(blocks=(1, 10), images=(1, "1_000 // blocks"))


@pytest.mark.parametrize("condition", [True, False])
def test_a_claim_whose_condition_is_not_met_says_so(condition, capsys):
    assert checked(condition) is condition
    assert ("Not checked" in capsys.readouterr().out) is not condition


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


def test_cached_files_count_as_free_memory(tmp_path):
    counts = {"memory.max": "2000", "memory.current": "1500"}
    counts["memory.stat"] = "anon 300\ninactive_file 1200\nactive_file 0"
    for name, content in counts.items():
        (tmp_path / name).write_text(content + "\n")
    assert setup_check._free_in_group(tmp_path) == 1_700


def test_a_group_without_a_limit_leaves_all_there_is(tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    assert setup_check._free_in_group(tmp_path) == float("inf")


def test_what_another_kernel_holds_is_not_free_under_a_hubs_limit(monkeypatch):
    monkeypatch.setenv("MEM_LIMIT", str(2**40))
    monkeypatch.setattr(setup_check.psutil, "virtual_memory", lambda: Machine)
    before = free_memory_gb()
    program = "held = bytearray(b'x' * 300_000_000); print('held', flush=True); input()"
    kernel = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with kernel:
        kernel.stdout.readline()
        assert before - free_memory_gb() == pytest.approx(0.3, abs=0.25)
        kernel.stdin.close()


class Machine:
    """More memory than any limit in a test allows."""

    available = 2**50
