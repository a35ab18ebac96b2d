"""Checks at the start of a notebook: the machine, the data, the parameters."""

import inspect
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from numbers import Number
from pathlib import Path

import psutil

# Training in any notebook stays below this; see build/results.json.
NEEDED_GB = 1.0


def preflight(data) -> None:
    """Print versions, data set and free memory, and what to do where something is amiss."""
    packages = ", ".join(f"{label} {_version(name)}" for label, name in _PACKAGES)
    print(f"Python {platform.python_version()}, {packages}")
    print(f"Data: {data.name}, {len(data.x_train):,} training and {len(data.x_test):,} test images")
    free = free_memory_gb()
    print(f"Memory free: {free:.1f} GB")
    if free < NEEDED_GB:
        print(
            f"A training needs up to {NEEDED_GB:.0f} GB: shut down other notebooks "
            "(menu Kernel, Shut Down All Kernels), then run this one again."
        )


_PACKAGES = [("TensorFlow", "tensorflow"), ("Keras", "keras"), ("NumPy", "numpy")]


def _version(name: str) -> str:
    for candidate in (name, f"{name}-cpu"):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return "is missing: install with `make lab`"


def free_memory_gb() -> float:
    """Memory that this process can still get, in GB (10**9 bytes).

    A container may be allowed less than the machine has: the limits that JupyterHub
    (MEM_LIMIT) and Linux control groups set are taken into account. MEM_LIMIT is for all that
    the user runs, other kernels included.
    """
    free = psutil.virtual_memory().available
    limit = os.environ.get("MEM_LIMIT", "")
    if limit.isdigit():
        free = min(free, int(limit) - _used_by_the_user())
    with suppress(OSError):  # not Linux, or no control group
        free = min(free, _free_in_group(Path("/sys/fs/cgroup")))
    return max(free, 0) / 1e9


def _used_by_the_user() -> int:
    """Bytes that the processes of this process's user hold in memory."""
    user, used = psutil.Process().username(), 0
    for process in psutil.process_iter(["username", "memory_info"]):
        if process.info["username"] == user and process.info["memory_info"]:
            used += process.info["memory_info"].rss
    return used


def _free_in_group(group: Path) -> float:
    """Bytes left in a control group. OSError where the folder is none, or has no limit to read."""
    limit = (group / "memory.max").read_text().strip()
    if not limit.isdigit():  # "max"
        return float("inf")
    used = int((group / "memory.current").read_text())
    # Of the files that were read, what was not looked at lately is given up when it is needed.
    counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(limit) - used + int(counts.get("inactive_file", 0))


def check_parameters(**ranges: tuple[int | str, int | str]) -> None:
    """Check the parameters of a notebook: `check_parameters(epochs=(1, 200), …)`.

    Each name is that of a variable in the cell that calls, and its range is the lowest and the
    highest value allowed. A limit may be text: the name of a parameter that was checked before,
    or an expression with such names. What is a whole number in another form, of NumPy or as the
    text that papermill makes of NumPy's numbers, becomes an int in the notebook.
    Raises ValueError, with name, value and range, for the first that is no whole number in its
    range.
    """
    values = inspect.currentframe().f_back.f_globals
    for name, limits in ranges.items():
        low, high = (eval(x, {}, values) if isinstance(x, str) else x for x in limits)
        whole = _whole_number(values[name])
        if whole is None or not low <= whole <= high:
            texts = (f"{x} = " if isinstance(x, str) else "" for x in limits)
            allowed = f"{next(texts)}{low:,} to {next(texts)}{high:,}"
            raise ValueError(
                f"parameter {name} = {values[name]!r}: must be a whole number from {allowed}"
            )
        values[name] = whole


def _whole_number(value) -> int | None:
    """The value as an int, or None if it is no whole number."""
    if isinstance(value, bool) or not isinstance(value, str | Number):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None


def checked(condition: bool) -> bool:
    """The condition of a claim, as it is; where it is not met, says so in the notebook."""
    if not condition:
        print("Not checked in full: the claim is about the settings as they come.")
    return condition
