"""Checks of the machine, the data and a notebook's parameters, and of when a claim holds."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from numbers import Number
from pathlib import Path

import psutil

NEEDED_GB = 1.0  # training in any notebook stays below this; see build/results.json


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
    with suppress(OSError):  # not Linux, or no control group
        free = min(free, _free_in_group(Path("/sys/fs/cgroup")))
    return max(free, 0) / 1e9


def _free_in_group(group: Path) -> float:
    limit = (group / "memory.max").read_text().strip()
    if not limit.isdigit():  # "max"
        return float("inf")
    used = int((group / "memory.current").read_text())
    # Of the files that were read, what was not looked at lately is given up when it is needed.
    counts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(limit) - used + int(counts.get("inactive_file", 0))


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
