"""Every command of the tutorial, on any system: `python tools/tutorial.py lab`.

Runs on the learner's own Python and installs what is needed: standard library only. What stands
behind a command's name is passed on to the program that does the work.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from setup_venv import ROOT, VENV, clean_environment, python_of
from setup_venv import main as set_up

COMMANDS = {
    "setup": "install the pinned packages into .venv, if that is not done",
    "run": "execute what has changed (--everything: all), render build/site/",
    "lab": "open the tutorial in JupyterLab; options are JupyterLab's",
    "test": "run every test; options are pytest's",
    "test-quick": "run the fast tests; options are pytest's",
    "refresh": "re-execute the notebooks in place, or those that are named (authors)",
    "record": "train at full length, for hours, and add to the records (authors)",
    "bench": "benchmark side by side (authors)",
    "check-class": "check this machine before a class, or the hub at --url",
    "bench-class": "measure a class at once on a JupyterHub (authors)",
    "links": "print the addresses of this repository for Binder and Colab",
    "lock": "resolve the dependencies anew (authors)",
}
# Two workers, each on a core of its own (tests/conftest.py), take file after file.
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
BARE = ("links", "lock")  # need nothing installed
PATHS = ("MNIST_NPZ", "MNIST_ARTIFACTS")


def variables() -> dict[str, str]:
    """The environment for what is started: paths absolute, nothing that leads astray.

    Notebooks run in a folder of their own: a relative path must not depend on it.
    """
    environment = clean_environment()
    for name in PATHS:
        if environment.get(name):
            environment[name] = os.path.abspath(os.path.expanduser(environment[name]))
    # All files are UTF-8, on Windows too.
    return environment | {"PYTHONUTF8": "1"}


def wait_for(command: list, **options) -> int:
    """Run a program to its end and give its exit status; Ctrl-C is for the program alone."""
    with subprocess.Popen(command, env=variables(), **options) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # it has reached the child too, which says what there is
                pass


def become(command: list, folder: Path | None = None) -> None:
    """Go on as another program, so that a signal or a closed terminal reaches it directly."""
    if os.name == "nt":  # which has no such thing
        sys.exit(wait_for(command, cwd=folder))
    environment = variables()  # before another folder is the one that paths are relative to
    os.chdir(folder or ".")
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def lab(python: list, options: list[str]) -> None:
    options = ["--ip=127.0.0.1", "--ServerApp.answer_yes=True", *options]
    command = [*python, "-m", "jupyterlab", *options, "notebooks/01_data_exploration.ipynb"]
    become(command, folder=ROOT)


def refuse_root(options: list[str]) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in options:
        sys.exit(
            "lab: JupyterLab does not start for root, who may do harm. In a container of your "
            "own, let it: make lab LAB_OPTIONS=--allow-root, or "
            "python tools/tutorial.py lab --allow-root"
        )


def test(python: list, options: list[str]) -> None:
    # What one execution of the notebooks proves is read off it.
    status = wait_for([*python, ROOT / "tools" / "run.py"])
    if status != 0:
        sys.exit(status)
    become([*python, *PYTEST, *options], folder=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=name in ("setup", "links"))
    arguments, options = parser.parse_known_args()
    command = arguments.command
    program = ROOT / "tools" / f"{command.replace('-', '_')}.py"
    if options and command in ("setup", "links"):
        parser.error(f"{command} takes no options: {' '.join(options)}")
    if command in BARE:
        become([sys.executable, program, *options])
    if command == "lab":
        refuse_root(options)
    set_up()
    python = [python_of(VENV)]
    if command == "setup":
        return
    if command == "lab":
        lab(python, options)
    elif command == "test":
        test(python, options)
    elif command == "test-quick":
        become([*python, *PYTEST, "-m", "not slow", *options], folder=ROOT)
    else:
        become([*python, program, *options])


if __name__ == "__main__":
    main()
