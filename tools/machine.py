"""What the measurements say of the machine that they were made on."""

import platform
import re
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")  # of Linux


def processor() -> str:
    """The processor's name."""
    named = re.search(r"model name\s*: (.+)", _CPUINFO.read_text()) if _CPUINFO.exists() else None
    return named.group(1) if named else platform.processor() or platform.machine()


def has_avx512() -> bool | None:
    """Whether the processor has AVX-512, or None where that is not told."""
    return "avx512f" in _CPUINFO.read_text() if _CPUINFO.exists() else None
