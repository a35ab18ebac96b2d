"""Resolve pyproject.toml into requirements.lock, requirements-class.lock and environment.yml.

Needs Python 3.11 or newer and nothing else: uv comes into an environment that is thrown away.
All files are written at the very end; if anything fails, all stay as they were.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from setup_venv import ROOT, clean_environment, python_of

# The oldest supported Python, and that of Binder; and markers that never hold for it.
PYTHON = "3.11"
OTHER_PYTHON = r"python_full_version (>=|==) '3\.1[2-9](\.\*)?'"
CLASS_LOCK = "requirements-class.lock"
ENVIRONMENTS = ("environment.yml", "binder/environment.yml")
ENVIRONMENT = """\
# For conda; Binder reads the same in binder/environment.yml. Both are written by `make lock`:
# all that requirements.lock has for Python 3.11, so that what was tested is what is installed.
# No local path may stand here: `pip install --no-deps -e .` adds the helper package.
name: mnist-tutorial
channels:
  - conda-forge
dependencies:
  # Only this exact form is understood by Binder.
  - python=3.11
  - pip
  - pip:
"""


def locked(lock: str) -> list[tuple[str, str]]:
    """NAME==VERSION and environment marker (or an empty text) of each package of a lock."""
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*?) *\\?$", lock, flags=re.MULTILINE)
    parts = [line.partition(";") for line in lines]
    return [(pin.strip(), marker.strip()) for pin, _, marker in parts]


def environment_yml(lock: str) -> str:
    """The text of environment.yml for a lock. Markers stay: most are about the platform."""
    pins = [(pin, mark) for pin, mark in locked(lock) if not re.fullmatch(OTHER_PYTHON, mark)]
    lines = [f'"{pin}; {mark}"' if mark else pin for pin, mark in pins]
    return ENVIRONMENT + "".join(f"      - {line}\n" for line in lines)


def run(failure: str, command: list, **options) -> None:
    command = [str(word) for word in command]
    options |= {"cwd": ROOT, "env": clean_environment(), "capture_output": True, "text": True}
    done = subprocess.run(command, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{failure}: {' '.join(done.stderr.split())}")


def write_files(folder: Path, keep: bool) -> None:
    """Resolve in `folder`, then put the files into their places."""
    venv.create(folder / "venv", with_pip=True)
    python = python_of(folder / "venv")
    pip = [python, "-I", "-m", "pip", "--disable-pip-version-check"]
    run("uv could not be installed", [*pip, "install", "-qq", "--no-user", "uv"])
    lock = folder / "requirements.lock"
    if keep:
        shutil.copy(ROOT / lock.name, lock)
    # The resolution is for all platforms, and names no registry, whatever uv is configured to do.
    command = [python.with_name("uv"), "pip", "compile", "-q", "--universal", "--generate-hashes"]
    command += ["--python-version", PYTHON, "--no-header", "--no-annotate"]
    command += ["--no-emit-index-url", "--no-emit-find-links", "--no-emit-index-annotation"]
    # What builds the helper package is installed too: it is built without a network.
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    failure = "pyproject.toml could not be resolved"
    extras = ["--extra", "tutorial", "--extra", "dev"]
    run(failure, [*command, *extras, "-o", lock, "pyproject.toml", "-"], input="\n".join(build))
    # What a hub needs goes into the same environment: nothing in that may be at another version.
    class_lock = folder / CLASS_LOCK
    if keep:
        shutil.copy(ROOT / CLASS_LOCK, class_lock)
    extras = ["--extra", "class", "-c", lock]
    run(failure, [*command, *extras, "-o", class_lock, "pyproject.toml"], input="")
    environment = environment_yml(lock.read_text())
    (folder / "binder").mkdir()
    # Twice, because not every system that git serves has symbolic links.
    for name in ENVIRONMENTS:
        (folder / name).write_text(environment, encoding="utf-8", newline="\n")
    for name in (lock.name, CLASS_LOCK, *ENVIRONMENTS):
        os.replace(folder / name, ROOT / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="add what is new, upgrade nothing else")
    keep = parser.parse_args().keep
    try:
        # In this folder, so that the finished files need only be renamed.
        with tempfile.TemporaryDirectory(prefix=".lock-", dir=ROOT) as folder:
            write_files(Path(folder), keep)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"lock: nothing is changed: {error}")


if __name__ == "__main__":
    main()
