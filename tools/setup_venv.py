"""Create or repair `.venv` with the pinned packages; return at once if it is in order.

Runs on the learner's own Python, before anything is installed: standard library only.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# Written last: an interrupted installation leaves no stamp, so it is never taken for a good one.
STAMP = VENV / "installed.txt"


def fail(message: str) -> None:
    sys.exit(f"setup: {message}")


def wanted_stamp() -> str:
    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return f"{sys.version_info.major}.{sys.version_info.minor} {ROOT} {digest.hexdigest()}\n"


def is_current() -> bool:
    try:
        return STAMP.read_text() == wanted_stamp() and (VENV / "bin" / "python").exists()
    except OSError:
        return False


def install() -> None:
    STAMP.unlink(missing_ok=True)
    print(f"setup: installing the pinned packages into {VENV.name} (a few minutes)", flush=True)
    venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-q"]
    pip += ["--disable-pip-version-check"]
    commands = (
        [*pip, "--require-hashes", "-r", str(ROOT / "requirements.lock")],
        [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
    )
    for command in commands:
        if subprocess.run(command).returncode != 0:
            fail("pip could not install the packages (its message is above); run the command again")
    STAMP.write_text(wanted_stamp())


def main() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        fail(
            f"Python {sys.version.split()[0]} is not supported; use 3.11, 3.12 or 3.13, "
            "for example: PYTHON=python3.12 make run"
        )
    if is_current():
        return
    if Path(sys.prefix).resolve() == VENV:
        # `.venv` is activated and out of date: it cannot be replaced from within.
        os.execv(sys._base_executable, [sys._base_executable, __file__])
    import fcntl

    # Two makes in one checkout: the second waits for the first, then finds the work done.
    with open(ROOT / ".setup.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current():
            try:
                install()
            except KeyboardInterrupt:
                fail("interrupted; the next start installs everything anew")


if __name__ == "__main__":
    main()
