"""Create or complete `.venv` with the pinned packages; return at once if all is there.

Runs on the learner's own Python, before anything is installed: standard library only.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from tools.lockfile import take_lock
from tools.tutorial import ROOT, VENV, python_of, variables

LOCK, DEV_LOCK = "requirements.lock", "requirements-dev.lock"
# What of a lock is installed. Written last: an interrupted installation leaves no such file, so it
# is never taken for a good one.
STAMPS = {LOCK: "installed.txt", DEV_LOCK: "installed-dev.txt"}
# Written first: what lies in an environment without any of these is somebody else's.
MARKS = ("mnist-tutorial", *STAMPS.values())


def fail(message: str) -> None:
    sys.exit(f"setup: {message}")


def wanted_stamp(lock: str) -> str:
    """What the stamp of a lock says when exactly that is installed."""
    digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    return f"{sys.version_info.major}.{sys.version_info.minor} {ROOT} {digest}\n"


def is_installed(lock: str) -> bool:
    try:
        stamp = (VENV / STAMPS[lock]).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return stamp == wanted_stamp(lock) and python_of(VENV).exists()


def make_environment() -> None:
    """Make `.venv` anew, unless it is not one that this program has made."""
    if os.path.lexists(VENV) and (VENV.is_symlink() or not VENV.is_dir()):
        fail(f"{VENV} is a link or a file, not a folder: move it away, then run this again")
    if VENV.exists() and any(VENV.iterdir()) and not any((VENV / m).exists() for m in MARKS):
        fail(
            f"{VENV} was made by someone else, and would be emptied: move it away or delete it, "
            "then run this again. To use it as it is, install into it with "
            "`pip install '.[tutorial]'` and start `jupyter lab notebooks` from it"
        )
    try:
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir(exist_ok=True)
        (VENV / MARKS[0]).touch()
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        fail(f"{VENV.name} could not be made (on Debian, python3-venv is needed): {error}")


def run_step(failure: str, *command: str) -> None:
    """Run a step with `.venv`'s Python; if it fails, show what it wrote and say what failed."""
    # -I: neither variables nor the user's own packages count.
    command = [python_of(VENV), "-I", *command]
    options = {"stderr": subprocess.PIPE, "text": True, "errors": "replace", "cwd": ROOT}
    done = subprocess.run(command, env=variables(), **options)
    if done.returncode != 0:
        print(done.stderr, end="", file=sys.stderr)
        reasons = re.findall(r"(?m)^ERROR: (.+)", done.stderr) or done.stderr.splitlines()[-1:]
        fail(f"{failure}: {' '.join(reasons) or f'exit status {done.returncode}'}")


def install(lock: str) -> None:
    """Install what a lock pins: the learners' into a new environment, the other on top of it."""
    print(f"setup: installing {lock} into {VENV.name} (a few minutes)", flush=True)
    if lock == LOCK:
        make_environment()
    (VENV / STAMPS[lock]).unlink(missing_ok=True)
    # --no-user: nor does pip's own configuration. --no-deps: a lock is complete.
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-user", "--no-deps"]
    run_step(f"{lock} could not be installed", *pip, "--require-hashes", "-r", lock)
    if lock == LOCK:
        failure = "the helper package could not be installed"
        run_step(failure, *pip, "--no-build-isolation", "-e", ".")
        failure = "pip says that all is installed, but it is not there (see `pip config list`)"
        run_step(failure, "-c", "import mnist_helpers, numpy, jupyterlab")
    (VENV / STAMPS[lock]).write_text(wanted_stamp(lock), encoding="utf-8")


def check_python() -> None:
    """Say at once where no packages can be had."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        fail(
            f"Python {sys.version.split()[0]} is not supported; use 3.11, 3.12 or 3.13, "
            "for example: PYTHON=python3.12 make run"
        )
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        fail(
            "there is no current TensorFlow for Intel Macs: use Binder or Colab (see README.md). "
            "On a Mac with Apple silicon, use a Python made for arm64"
        )


def main() -> None:
    check_python()
    locks = [LOCK, DEV_LOCK] if "--tests" in sys.argv else [LOCK]
    if all(map(is_installed, locks)):
        return
    if Path(sys.prefix).resolve() == VENV and not is_installed(LOCK):
        # `.venv` is activated and out of date: it cannot be replaced from within.
        if os.name == "nt":
            fail(f"{VENV.name} is activated and out of date: run `deactivate`, then this again")
        command = [sys._base_executable, "-m", "tools.environment", *sys.argv[1:]]
        os.execv(command[0], command)
    # Two commands in one checkout: the second waits for the first, then finds the work done.
    with open(ROOT / ".setup.lock", "w") as file:
        take_lock(file, wait=True)
        try:
            for lock in locks:
                if not is_installed(lock):
                    install(lock)
        except KeyboardInterrupt:
            fail("interrupted; the next start takes it up again")


if __name__ == "__main__":
    main()
