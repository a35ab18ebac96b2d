"""Where the tutorial keeps files, and how it writes them: whole or not at all."""

import errno
import glob
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
from platformdirs import user_data_path

CHECKOUT = Path(__file__).resolve().parent.parent


def artifacts_folder() -> Path:
    """Where networks and drawings are kept: MNIST_ARTIFACTS, the checkout's, or the user's."""
    if named := os.environ.get("MNIST_ARTIFACTS"):
        return expanded(named)
    if (CHECKOUT / "notebooks" / "01_data_exploration.ipynb").exists():
        return CHECKOUT / "artifacts"
    return user_folder(user_data_path)


def user_folder(find: Callable[[str], Path]) -> Path:
    """This tutorial's folder, as platformdirs' `find` names it; below `~` without a home folder."""
    try:
        return find("mnist-tutorial").absolute()
    except RuntimeError:
        return Path("~", "mnist-tutorial")


def expanded(path: str) -> Path:
    """The full path, in which `~` is the home folder; without a home folder `~` stays."""
    return Path(os.path.expanduser(path)).absolute()


def short_path(path: Path) -> str:
    """A path for messages: from the folder of the checkout if it is in there, else in full."""
    return str(path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path)


def write_atomically(path: str | os.PathLike, writer: Callable[[Path], object]) -> None:
    """Have `writer(part)` write a file and put it in the place of `path` in one step.

    `part` lies in the same folder and has the same suffix as `path`. A missing folder is made. If
    anything fails, `path` stays as it was, and the error, usually an OSError, is passed on. What a
    killed process has left of a part is removed by the next call for the same `path`.
    """
    path = Path(path)
    # What `expanded` could not resolve: the folder would lie wherever the kernel happens to work.
    if any(part.startswith("~") for part in path.parent.parts):
        raise FileNotFoundError(errno.ENOENT, "there is no such home folder", str(path.parent))
    path.parent.mkdir(parents=True, exist_ok=True)
    # The machine's name, because a home folder may be shared by several machines.
    prefix = f".{path.stem}-{platform.node()}-part-"
    for abandoned in path.parent.glob(f"{glob.escape(prefix)}*"):
        process = abandoned.name.removeprefix(prefix).split("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            with suppress(OSError):
                abandoned.unlink(missing_ok=True)
    part = path.with_name(f"{prefix}{os.getpid()}-{uuid4().hex[:8]}{path.suffix}")
    try:
        writer(part)
        # On the disk before the name points at it, for the case of a power cut.
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:  # an interrupted kernel leaves nothing behind either
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
