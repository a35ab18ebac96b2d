"""A lock that keeps two commands in one checkout apart, where the system has such locks."""

from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def take_lock(file: IO, wait: bool) -> None:
    """Lock an open file until it is closed, or go on without a lock where there is none to have.

    Raises BlockingIOError if another process has the lock and `wait` is false.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # a network file system without locks
            pass
