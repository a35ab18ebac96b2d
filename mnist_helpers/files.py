"""Where the tutorial keeps files, and how it writes them: whole or not at all."""

import errno
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
    """Where trained networks and saved drawings are kept.

    The folder that MNIST_ARTIFACTS names or, in a checkout, its `artifacts/`. A package that was
    installed without the notebooks keeps them in the user's data folder, not among the packages.
    """
    named = os.environ.get("MNIST_ARTIFACTS")
    if named:
        return expanded(named)
    if (CHECKOUT / "notebooks" / "01_data_exploration.ipynb").exists():
        return CHECKOUT / "artifacts"
    return user_folder(user_data_path)


def user_folder(find: Callable[[str], Path]) -> Path:
    """This tutorial's folder in that of the user which `find`, of platformdirs, knows.

    Without a home folder it is one that `write_atomically` refuses to make.
    """
    try:
        return find("mnist-tutorial").absolute()
    except RuntimeError:
        return Path("~", "mnist-tutorial")


def expanded(path: str) -> Path:
    """The full path, in which `~` is the home folder; without a home folder `~` stays."""
    return Path(os.path.expanduser(path)).absolute()


def place(path: Path) -> str:
    """A path as messages name it: in full, or from the folder of the checkout that it is in."""
    return str(path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path)


def write_atomically(path: str | os.PathLike, writer: Callable[[Path], object]) -> None:
    """Have `writer(part)` write a file and put it in the place of `path` in one step.

    `part` lies in the same folder and has the same suffix as `path`. A missing folder is made;
    in one whose name begins with `~` nothing is written: that is an OSError. If anything fails,
    `path` stays as it was, nothing else is left in the folder, and the error is passed on:
    usually an OSError (no right to write, disk full). The part of a process that was killed
    while writing is removed by the next call for the same `path`.
    """
    path = Path(path)
    # What `expanded` could not resolve: the folder would lie wherever the kernel happens to work.
    if any(part.startswith("~") for part in path.parent.parts):
        raise FileNotFoundError(errno.ENOENT, "there is no such home folder", str(path.parent))
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned_parts(path)
    part = path.with_name(f"{_part_prefix(path)}{os.getpid()}-{uuid4().hex[:8]}{path.suffix}")
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


def _part_prefix(path: Path) -> str:
    # The machine's name, because a home folder may be shared by several machines.
    return f".{path.stem}-{platform.node()}-part-"


def _remove_abandoned_parts(path: Path) -> None:
    prefix = _part_prefix(path)
    for part in path.parent.iterdir():
        if part.name.startswith(prefix):
            process = part.name.removeprefix(prefix).split("-")[0]
            if process.isdigit() and not psutil.pid_exists(int(process)):
                with suppress(OSError):
                    part.unlink(missing_ok=True)
