"""Install the pinned packages into `.venv`, unless they are there: standard library only."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import venv

from tools.lockfile import take_lock
from tools.tutorial import ROOT, VENV, python_of, variables

LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"
# Written last: an interrupted installation leaves no such file, and is never taken for a good one.
STAMPS = {LOCK: "installed.txt", DEV_LOCK: "installed-dev.txt"}
# Written first: what lies in an environment without any of these is somebody else's.
MARKS = ("mnist-tutorial", *STAMPS.values())
WITH_TENSORFLOW = ("linux-x86_64", "linux-aarch64", "arm64", "win-amd64")


def wanted_stamp(lock: str) -> str:
    """What the stamp of a lock says when exactly that is installed."""
    digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    return f"{sys.version_info.major}.{sys.version_info.minor} {ROOT} {digest}\n"


def is_installed(lock: str) -> bool:
    stamp = VENV / STAMPS[lock]
    there = stamp.exists() and python_of(VENV).exists()
    return there and stamp.read_text(encoding="utf-8") == wanted_stamp(lock)


def make_environment() -> None:
    """Make `.venv` anew, unless it is a file, or a folder that someone else has made."""
    ours = not VENV.is_symlink() and any((VENV / mark).exists() for mark in MARKS)
    if os.path.lexists(VENV) and not ours:
        sys.exit(
            f"setup: {VENV} was made by someone else, and would be emptied: move it away or delete "
            "it, then run this again. To use it as it is, install into it with "
            "`pip install '.[tutorial]'` and start `jupyter lab notebooks` from it"
        )
    try:
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir(exist_ok=True)
        (VENV / MARKS[0]).touch()
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        advice = "on Debian, python3-venv is needed; on Windows, run `deactivate` first"
        sys.exit(f"setup: {VENV.name} could not be made ({advice}): {error}")


def pip_install(what: str, *options: str) -> None:
    """Install with `.venv`'s pip, which says on stderr what it cannot do."""
    # -I: neither variables nor the user's own packages count. --no-user: nor does pip's own
    # configuration. --no-deps: a lock is complete.
    command = [python_of(VENV), "-I", "-m", "pip", "--disable-pip-version-check", "install"]
    command += ["-q", "--no-user", "--no-deps", *options]
    if subprocess.run(command, env=variables(), cwd=ROOT).returncode != 0:
        sys.exit(f"setup: {what} could not be installed, for the reason above")


def install(lock: str) -> None:
    """Install what a lock pins: the learners' into a new environment, the other on top of it."""
    print(f"setup: installing {lock} into {VENV.name} (a few minutes)", flush=True)
    if lock == LOCK:
        make_environment()
    (VENV / STAMPS[lock]).unlink(missing_ok=True)
    pip_install(lock, "--require-hashes", "-r", lock)
    if lock == LOCK:
        pip_install("the helper package", "--no-build-isolation", "-e", ".")
    (VENV / STAMPS[lock]).write_text(wanted_stamp(lock), encoding="utf-8")


def main() -> None:
    # Of the interpreter, not the processor; but on a Mac one interpreter may be for both kinds.
    here = platform.machine() if sys.platform == "darwin" else sysconfig.get_platform()
    here += " with musl" * ("musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE")))
    here += ", 32-bit" * (sys.maxsize < 2**32)
    if not (3, 11) <= sys.version_info[:2] <= (3, 13) or here not in WITH_TENSORFLOW:
        sys.exit(
            f"setup: Python {platform.python_version()} on {here} is not supported; use a 64-bit "
            "3.11, 3.12 or 3.13: PYTHON=python3.12 make run. On a Mac with Apple silicon, use one "
            "made for arm64; on Windows, ARM or not, for x86-64; on Linux, with glibc (Alpine has "
            "another). For Intel Macs and all others there is Binder or Colab (see README.md)"
        )
    if re.search(rf"[{os.pathsep}\r\n\ud800-\udfff]", str(ROOT)):
        sys.exit(
            f"setup: Python can install nothing into {str(ROOT)!r}: rename or move the folder, so "
            f"that its path has no {os.pathsep!r}, no line break and no bytes that are not UTF-8"
        )
    locks = [LOCK, DEV_LOCK] if "--tests" in sys.argv else [LOCK]
    if all(map(is_installed, locks)):
        return
    # Two commands in one checkout: the second waits for the first, then finds the work done.
    with open(ROOT / ".setup.lock", "w") as file:
        take_lock(file, wait=True)
        try:
            for lock in locks:
                if not is_installed(lock):
                    install(lock)
        except KeyboardInterrupt:
            sys.exit("setup: interrupted; the next start takes it up again")


if __name__ == "__main__":
    main()
