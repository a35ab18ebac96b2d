"""Execute the notebooks in place and store clean outputs: how an author updates them."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat

from tools.execute import NotebookFailed, execute
from tools.run import NOTEBOOKS, choose, files, notebooks, tutorial_metadata
from tools.tutorial import ROOT

# What belongs to one run or one window, not to the notebook: time stamps, versions, progress.
PASSING = ("papermill", "execution", "falsified", "widgets", "collapsed", "scrolled")


def clean(path: Path) -> None:
    """Drop such metadata, and widgets, which live as long as their kernel; their text stays."""
    notebook = nbformat.read(path, as_version=4)
    for part in [notebook, *notebook.cells]:
        for key in PASSING:
            part.metadata.pop(key, None)
        for output in part.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    nbformat.write(notebook, path)


def refresh(notebook: Path) -> dict:
    """Execute a notebook and replace it, outputs cleaned, only when it ran to its end."""
    with tempfile.TemporaryDirectory(dir=notebook.parent, prefix=".refresh-") as folder:
        executed = Path(folder) / notebook.name
        measured = execute(notebook, executed)
        clean(executed)
        os.replace(executed, notebook)
    return measured


def main() -> None:
    everything = notebooks() + files(NOTEBOOKS, ("solutions/*.ipynb",))
    try:
        for notebook in choose(everything, sys.argv[1:]):
            tutorial_metadata(notebook)  # refuses what cannot be read
            print(f"{notebook.relative_to(ROOT)}: executing", flush=True)
            print(f"{refresh(notebook)['seconds']:.0f} s")
    except (NotebookFailed, ValueError) as error:
        sys.exit(f"refresh: {error}; no notebook is changed that did not run to its end")


if __name__ == "__main__":
    main()
