"""A lock that keeps two commands in one checkout apart, where the system has such locks."""

from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def take_lock(file: IO, wait: bool) -> None:
    """Lock a file until it is closed, if that can be; BlockingIOError where one would wait."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a network file system without locks
            pass
