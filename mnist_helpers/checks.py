"""Checks of the machine, of a notebook's parameters and claims, and of a learner's answers."""

import copy
import inspect
import os
import platform
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from numbers import Number
from pathlib import Path

import numpy as np
import psutil

NEEDED_GB = 1.0  # training in any notebook stays below this; see build/results.json
_GOES_ON = "The notebook goes on with the one way that is folded above."


def preflight(data) -> None:
    """Print versions, data set and free memory, and what to do where something is amiss."""
    versions = {"Python": platform.python_version(), "TensorFlow": "is missing: see `make lab`"}
    packages = {"tensorflow-cpu": "TensorFlow", "tensorflow": "TensorFlow"}
    for package, name in (packages | {"keras": "Keras", "numpy": "NumPy"}).items():
        with suppress(PackageNotFoundError):
            versions[name] = version(package)
    print(", ".join(f"{name} {found}" for name, found in versions.items()))
    print(f"Data: {data.name}, {len(data.x_train):,} training and {len(data.x_test):,} test images")
    free = free_memory_gb()
    print(f"Memory free: {free:.1f} GB")
    if free < NEEDED_GB:
        print(f"A training needs up to {NEEDED_GB:.0f} GB: shut down other notebooks", end=" ")
        print("(menu Kernel, Shut Down All Kernels), then run this one again.")


def free_memory_gb() -> float:
    """Memory that this process can still get, in GB (10**9 bytes), within the limits set for it."""
    # JupyterHub's limit, MEM_LIMIT, is for all that the user runs, other kernels included.
    free, limit = psutil.virtual_memory().available, os.environ.get("MEM_LIMIT", "")
    if limit.isdigit():
        user = psutil.Process().username()
        processes = [process.info for process in psutil.process_iter(["username", "memory_info"])]
        memory = [info["memory_info"] for info in processes if info["username"] == user]
        free = min(free, int(limit) - sum(held.rss for held in memory if held))
    with suppress(OSError):  # not Linux
        own = Path("/proc/self/cgroup").read_text().rpartition("0::/")[2].strip()
        free = min(free, _free_in_group(Path("/sys/fs/cgroup", own)))
    return max(free, 0) / 1e9


def _free_in_group(group: Path) -> float:
    free = [float("inf")]
    for one in (group, *group.parents):  # a group has no more than each that it is part of
        with suppress(OSError, ValueError):  # no limit is set there, or it is "max"
            limit = int((one / "memory.max").read_text())
            used = int((one / "memory.current").read_text())
            # Of the files that were read, what was not looked at lately is given up if needed.
            counts = dict(line.split() for line in (one / "memory.stat").read_text().splitlines())
            free.append(limit - used + int(counts.get("inactive_file", 0)))
    return min(free)


def check_parameter(name: str, value: object, low: int, high: int) -> int:
    """A notebook's parameter as an int: `epochs = check_parameter("epochs", epochs, 1, 200)`.

    Whole numbers of every type are taken, and as text, which papermill makes of NumPy's.
    Raises ValueError, with name, value and range, for anything else.
    """
    number = float("nan")
    if isinstance(value, str | Number) and not isinstance(value, bool):
        with suppress(TypeError, ValueError, OverflowError):
            number = float(value)
    if not number.is_integer() or not low <= number <= high:
        allowed = f"must be a whole number from {low:,} to {high:,}"
        raise ValueError(f"parameter {name} = {value!r}: {allowed}")
    return int(number)


def checked(condition: bool) -> bool:
    """The condition of a claim, as it is; where it is not met, says so in the notebook."""
    if not condition:
        print("Not checked in full: the claim is about the settings as they come.")
    return condition


def your_turn(name: str, one_way: Callable, *cases: tuple) -> Callable:
    """Say whether the learner's function `name` gives what `one_way` gives, and return it if so.

    Both are called with the arguments of each of the cases, the smallest of which comes first. An
    answer is right where its shape and its values are, whatever its type. Where nothing is written
    yet, or something else is given or raised, that is printed, and `one_way` is returned.
    """
    yours = vars(sys.modules["__main__"]).get(name)  # a cell with a syntax error defines nothing
    if yours is None or _is_stub(yours, one_way):
        print(f"{name}: not written yet. {_GOES_ON}")
        return one_way
    for arguments in cases:
        if problem := _difference(yours, one_way, arguments):
            print(f"{name}: not yet. {problem}\n{_GOES_ON}")
            return one_way
    print(f"{name}: right. The notebook goes on with yours.")
    return yours


def _is_stub(yours: object, one_way: Callable) -> bool:
    """Whether the learner has written nothing, or the notebook's own version stands there."""

    def stub(): ...

    code = getattr(yours, "__code__", stub.__code__).co_code
    return code == stub.__code__.co_code or yours.__name__ == one_way.__name__


def _difference(yours: object, one_way: Callable, arguments: tuple) -> str:
    """What is wrong with an answer to these arguments, in a sentence; empty if it is right."""
    names = inspect.signature(one_way).parameters
    given = ", ".join(f"{name} = {_text(x)}" for name, x in zip(names, arguments, strict=True))
    expected = one_way(*copy.deepcopy(arguments))
    try:
        answer = yours(*copy.deepcopy(arguments))
    except (Exception, KeyboardInterrupt) as error:  # whatever the learner has written
        lines = traceback.extract_tb(error.__traceback__)
        own = [line for line in lines if line.filename == inspect.getfile(yours)]
        where = f", in its line `{own[-1].line}`" if own else ""
        return f"For {given},\nyours stops with {type(error).__name__}: {error}{where}."
    with suppress(TypeError, ValueError):  # it is nothing, text, or rows of several lengths
        if np.shape(answer) == np.shape(expected) and np.allclose(answer, expected, atol=1e-5):
            return ""
    return f"For {given},\n{_text(expected)} is expected, and yours gives {_text(answer)}."


def _text(value: object) -> str:
    """A value in a few characters."""
    if not isinstance(value, np.ndarray | np.generic):
        return repr(value)[:200]
    short = {"precision": 3, "suppress_small": True, "threshold": 20, "edgeitems": 2}
    values = " ".join(np.array2string(np.asarray(value), separator=", ", **short).split())
    return values + (f" of shape {value.shape}" if value.size > 20 else "")
