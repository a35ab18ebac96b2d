"""Create or repair `.venv` with the pinned packages; return at once if it is in order.

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

from lockfile import take_lock

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# Written last: an interrupted installation leaves no stamp, so it is never taken for a good one.
STAMP = VENV / "installed.txt"
# Written first: what lies in an environment without this mark is somebody else's.
OURS = VENV / "mnist-tutorial"
# Of pip's settings, those that say how packages are reached. The others, PIP_USER or PIP_TARGET
# for example, say where they go and which: that is settled here.
PIP_REACHES = re.compile(
    "PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|PROXY|CERT|CLIENT_CERT|"
    "KEYRING_PROVIDER|USE_FEATURE|CONFIG_FILE|CACHE_DIR|NO_CACHE_DIR|RETRIES|(DEFAULT_)?TIMEOUT)"
)


def fail(message: str) -> None:
    sys.exit(f"setup: {message}")


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment, on any system."""
    windows = os.name == "nt"
    return environment / ("Scripts" if windows else "bin") / ("python.exe" if windows else "python")


def clean_environment() -> dict[str, str]:
    """The variables for programs of `.venv`: none that leads Python to packages elsewhere."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return {k: v for k, v in kept.items() if not k.startswith("PIP_") or PIP_REACHES.fullmatch(k)}


def wanted_stamp() -> str:
    digest = hashlib.sha256()
    digest.update((ROOT / "requirements.lock").read_bytes())
    return f"{sys.version_info.major}.{sys.version_info.minor} {ROOT} {digest.hexdigest()}\n"


def is_current() -> bool:
    try:
        return STAMP.read_text(encoding="utf-8") == wanted_stamp() and python_of(VENV).exists()
    except (OSError, ValueError):
        return False


def refuse_a_foreign_environment() -> None:
    """Say what to do where `.venv` is not one that this program has made."""
    if not os.path.lexists(VENV):
        return
    if VENV.is_symlink() or not VENV.is_dir():
        fail(
            f"{VENV} is a link or a file, and a folder is needed: move it away, then run this again"
        )
    if any(VENV.iterdir()) and not OURS.exists() and not STAMP.exists():
        fail(
            f"{VENV} was made by someone else, and would be emptied: move it away or delete it, "
            "then run this again. To use it as it is, install into it with "
            "`pip install '.[tutorial]'` and start `jupyter lab notebooks` from it"
        )


def run_step(what: str, command: list) -> None:
    """Run a step of the installation; if it fails, show what it wrote and say what failed."""
    options = {"stderr": subprocess.PIPE, "text": True, "errors": "replace"}
    done = subprocess.run(command, env=clean_environment(), **options)
    if done.returncode != 0:
        print(done.stderr, end="", file=sys.stderr)
        reasons = re.findall(r"(?m)^ERROR: (.+)", done.stderr) or done.stderr.splitlines()[-1:]
        fail(f"{what}: {' '.join(reasons) or f'exit status {done.returncode}'}")


def install() -> None:
    refuse_a_foreign_environment()
    STAMP.unlink(missing_ok=True)
    print(f"setup: installing the pinned packages into {VENV.name} (a few minutes)", flush=True)
    try:
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir(exist_ok=True)
        OURS.touch()
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        fail(f"{VENV.name} could not be made (on Debian, python3-venv is needed): {error}")
    # -I: neither variables nor the user's own packages count; --no-user: nor pip's configuration.
    python = [python_of(VENV), "-I"]
    pip = [*python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-user"]
    run_step(
        "the pinned packages could not be installed",
        [*pip, "--require-hashes", "-r", ROOT / "requirements.lock"],
    )
    run_step(
        "the helper package could not be installed",
        [*pip, "--no-deps", "--no-build-isolation", "-e", ROOT],
    )
    run_step(
        f"pip says that all is installed, but it is not in {VENV.name} (`pip config list` shows "
        "pip's settings)",
        [*python, "-c", "import mnist_helpers, numpy, jupyterlab"],
    )
    STAMP.write_text(wanted_stamp(), encoding="utf-8")


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
    if is_current():
        return
    if Path(sys.prefix).resolve() == VENV:
        # `.venv` is activated and out of date: it cannot be replaced from within.
        if os.name == "nt":
            fail(f"{VENV.name} is activated and out of date: run `deactivate`, then this again")
        os.execv(sys._base_executable, [sys._base_executable, *sys.argv])
    # Two commands in one checkout: the second waits for the first, then finds the work done.
    with open(ROOT / ".setup.lock", "w") as lock:
        take_lock(lock, wait=True)
        if not is_current():
            try:
                install()
            except KeyboardInterrupt:
                fail("interrupted; the next start installs everything anew")


if __name__ == "__main__":
    main()
