"""Every command of the tutorial, on any system: `python tools/tutorial.py lab`.

Runs on the learner's own Python, before anything is installed: standard library only. What stands
behind a command's name is passed on to the program that does the work.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# With one's own configuration of these, JupyterLab would not start, or not with notebook 01.
LAB = ["jupyterlab", "--ip=127.0.0.1", "--LabApp.default_url=/lab/tree/01_data_exploration.ipynb"]
SERVER = ("answer_yes=True", "root_dir=notebooks", "preferred_dir=", "file_to_run=", "sock=")
LAB += [f"--ServerApp.{setting}" for setting in SERVER]
LAB += ["--FileContentsManager.preferred_dir="]
LAB += ["--PasswordIdentityProvider.password_required=False"]
# Browsers from Snap may not read the file that keeps the token out of a browser's arguments.
SNAPS = [Path("/snap/bin", name) for name in ("firefox", "chromium", "brave", "opera")]
FOR_SNAP = "--ServerApp.use_redirect_file=False"
# Two workers, each on a core of its own (tests/conftest.py), take file after file.
PYTEST = ["pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
# For each command its purpose, what has to be installed, and the program that it is.
COMMANDS = {
    "lab": ("open the tutorial in JupyterLab; options are JupyterLab's", "packages", LAB),
    "run": ("execute the notebooks, or those named, and render them", "packages", ["tools.run"]),
    "pages": ("render what was executed anew", "packages", ["tools.run", "--pages"]),
    "test": ("run every test; options are pytest's", "tests too", PYTEST),
    "test-quick": ("run the fast tests", "tests too", [*PYTEST, "-m", "not slow"]),
    "check-class": ("check this machine, or a hub, for a class", "packages", ["tools.check_class"]),
    "links": ("print this repository's addresses on Binder and Colab", "", ["tools.links"]),
    "setup": ("install the pinned packages into .venv, nothing else", "packages", []),
    "refresh": ("authors: execute the notebooks in place", "tests too", ["tools.refresh"]),
    "record": ("authors: add to the records, for hours", "tests too", ["tools.measure.record"]),
    "bench": ("authors: measure side by side", "tests too", ["tools.measure.bench"]),
    "lock": ("authors: resolve the dependencies anew", "", ["tools.lock"]),
}
# What leads Python astray, and pip: where packages go is settled by environment.py. Pip's other
# settings, which mostly say how packages are reached, are heeded.
ASTRAY = {"PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH"}
ASTRAY |= {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment, on any system."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def variables() -> dict[str, str]:
    """The environment for what is started, which may stand in another folder: paths absolute."""
    kept = {name: value for name, value in os.environ.items() if name not in ASTRAY}
    for name in ("MNIST_NPZ", "MNIST_ARTIFACTS"):
        if kept.get(name):
            kept[name] = os.path.abspath(os.path.expanduser(kept[name]))
    return kept | {"PYTHONUTF8": "1"}  # all files are UTF-8, on Windows too


def need(command: list) -> None:
    """Run a program to its end; if it fails, end with its exit status."""
    # Ctrl-C is for that program, which gets it too, and says what there is to say.
    signal.signal(signal.SIGINT, lambda *_: None)
    if status := subprocess.call(command, env=variables(), cwd=ROOT):
        sys.exit(status)


def go_on_as(command: list) -> None:
    """Go on as another program, so that a signal or a closed terminal reaches it directly."""
    if os.name == "nt":  # which has no such thing
        need(command)
        sys.exit()
    environment = variables()  # before another folder is the one that paths are relative to
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (purpose, *_) in COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    arguments, options = parser.parse_known_args()
    command = arguments.command
    _, needed, program = COMMANDS[command]
    if command == "lab" and any(path.exists() for path in SNAPS):
        options.insert(0, FOR_SNAP)
    python = sys.executable
    if needed:
        need([python, "-m", "tools.environment", *["--tests"] * (needed == "tests too")])
        python = str(python_of(VENV))
    if command == "test":  # what one execution of the notebooks proves is read off it
        need([python, "-m", "tools.run", "--if-needed"])
    if program:
        go_on_as([python, "-m", *program, *options])


if __name__ == "__main__":
    main()
