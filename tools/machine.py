"""What the measurements say of the machine that they were made on, and its memory."""

import os
import platform
import re
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

CPUINFO = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""


def processor() -> str:
    """The processor's name."""
    named = re.search(r"model name\s*: (.+)", CPUINFO)
    return named.group(1) if named else platform.processor() or platform.machine()


def this_machine() -> str:
    """The processor, how many cores there are to work on, and the system, in a few words."""
    # A container or `taskset` may leave fewer cores than there are.
    cores = len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0))
    return f"{processor()}, {cores} core{'s' if cores != 1 else ''}, {platform.system()}"


def peak_memory(of_children: bool = False) -> int | None:
    """The most bytes that this process, or one ended child, has had; Windows keeps no record."""
    if resource is None:
        return None
    who = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts kilobytes, macOS bytes
    return resource.getrusage(who).ru_maxrss * unit
