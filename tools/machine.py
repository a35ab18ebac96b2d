"""What the measurements say of the machine that they were made on, and its memory."""

import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

_CPUINFO = Path("/proc/cpuinfo")  # of Linux
_UNIT = 1 if sys.platform == "darwin" else 1024  # Linux counts kilobytes, macOS bytes
_WATCH_SECONDS = 0.1


def processor() -> str:
    """The processor's name."""
    named = re.search(r"model name\s*: (.+)", _CPUINFO.read_text()) if _CPUINFO.exists() else None
    return named.group(1) if named else platform.processor() or platform.machine()


def has_avx512() -> bool | None:
    """Whether the processor has AVX-512, or None where that is not told."""
    return "avx512f" in _CPUINFO.read_text() if _CPUINFO.exists() else None


def this_machine() -> str:
    """The processor, how many cores there are to work on, and the system, in a few words."""
    # A container or `taskset` may leave fewer cores than there are.
    allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    cores = len(allowed)
    return f"{processor()}, {cores} core{'s' if cores != 1 else ''}, {platform.system()}"


def peak_memory() -> int:
    """The most memory that this process has had so far, in bytes."""
    if resource:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    import psutil  # not in every Python that is measured

    return _peak_of(psutil.Process())


def watch_children() -> Callable[[], int]:
    """A function that gives the most memory, in bytes, that any one child has had until then.

    Where the system keeps no record of children that have ended, they are looked at from now
    on, ten times a second.
    """
    if resource:
        return lambda: resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT
    import psutil

    peak = 0

    def look() -> None:
        nonlocal peak
        while True:
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):  # it has just ended
                    peak = max(peak, _peak_of(child))
            time.sleep(_WATCH_SECONDS)

    threading.Thread(target=look, daemon=True).start()
    return lambda: peak


def _peak_of(process) -> int:
    memory = process.memory_info()
    return getattr(memory, "peak_wset", memory.rss)  # Windows knows the peak
