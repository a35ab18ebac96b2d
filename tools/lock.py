"""Resolve the dependencies: write every lock, and environment.yml and Binder's copy of it.

Standard library only: uv comes into an environment that is thrown away. All files are written at
the very end; if anything fails, all stay as they were.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from tools.tutorial import ROOT, python_of, variables

LOCK, DEV_LOCK, HUB_LOCK = LOCKS = (
    "requirements.lock",  # what a learner needs
    "requirements-dev.lock",  # what tests and authors need on top
    "tools/hub/requirements.lock",  # what a class on a JupyterHub needs, all of it
)
ENVIRONMENTS = ("environment.yml", "binder/environment.yml")
# Universal: for all platforms and Pythons from the oldest on. No registry is named, whatever uv is
# configured to do.
COMPILE = "pip compile -q --universal --generate-hashes --python-version 3.11 --no-header"
COMPILE += " --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-index-annotation"
# Markers that never hold for Python 3.11, which is Binder's.
OTHER_PYTHON = r"python_full_version (>=|==) '3\.1[2-9](\.\*)?'"


def locked(lock: str) -> list[tuple[str, str]]:
    """NAME==VERSION and environment marker (or an empty text) of each package of a lock."""
    lines = re.findall(r"(?m)^([A-Za-z0-9][^\\\n]*?) *\\?$", lock)
    return [(pin.strip(), mark.strip()) for pin, _, mark in (x.partition(";") for x in lines)]


def without(lock: str, other: str) -> str:
    """A lock without the packages that another one has, on all that it is for."""
    known = {*locked(other)}
    entries = re.findall(r"(?m)^[A-Za-z0-9].*(?:\n +.*)*\n?", lock)
    pairs = zip(entries, locked(lock), strict=True)
    return "".join(entry for entry, (pin, mark) in pairs if not known & {(pin, mark), (pin, "")})


def environment_yml(lock: str) -> str:
    """The text of environment.yml for a lock: above the pins what stands there, all its markers."""
    above = (ROOT / ENVIRONMENTS[0]).read_text(encoding="utf-8").partition("  - pip:\n")
    pins = [(pin, mark) for pin, mark in locked(lock) if not re.fullmatch(OTHER_PYTHON, mark)]
    lines = [f'"{pin}; {mark}"' if mark else pin for pin, mark in pins]
    return "".join(above[:2]) + "".join(f"      - {line}\n" for line in lines)


def run(*command: str | Path, **options) -> None:
    """Run a program in the checkout; it says on stderr why it fails."""
    subprocess.run(list(map(str, command)), cwd=ROOT, env=variables(), check=True, **options)


def resolve(folder: Path) -> None:
    """Write the locks into a folder."""
    venv.create(folder / "venv", with_pip=True)
    python = python_of(folder / "venv")
    run(python, "-I", "-m", "pip", "install", "-qq", "--no-user", "uv")
    compile_lock = [python.with_name("uv"), *COMPILE.split()]
    lock, dev, hub = (folder / name for name in LOCKS)
    # What builds the helper package is installed too: it is built without a network.
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    learners = ["--extra", "tutorial", "pyproject.toml", "-"]
    run(*compile_lock, "-o", lock, *learners, input="\n".join(build), text=True)
    run(*compile_lock, "-c", lock, "-o", dev, "--group", "dev")
    run(*compile_lock, "-c", lock, "-c", dev, "-o", hub, "tools/hub/requirements.in")
    dev.write_text(without(dev.read_text(), lock.read_text()))


def main() -> None:
    try:
        # In this folder, so that the finished files need only be renamed.
        with tempfile.TemporaryDirectory(prefix=".lock-", dir=ROOT) as name:
            folder = Path(name)
            for path in (HUB_LOCK, *ENVIRONMENTS):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
            resolve(folder)
            # Twice, because not every system that git serves has symbolic links.
            text = environment_yml((folder / LOCK).read_text())
            for path in ENVIRONMENTS:
                (folder / path).write_text(text, encoding="utf-8", newline="\n")
            for path in (*LOCKS, *ENVIRONMENTS):
                os.replace(folder / path, ROOT / path)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"lock: nothing is changed: {error}")


if __name__ == "__main__":
    main()
