"""A lock that keeps two commands in one checkout apart, where the system has such locks."""

import errno
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# What a network file system without locks answers.
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def take_lock(file: IO, wait: bool) -> None:
    """Lock an open file until it is closed, or go on without a lock where there is none to have.

    Raises BlockingIOError if another process has the lock and `wait` is false.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
