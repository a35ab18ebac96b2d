"""Execute the notebooks in place and store clean outputs: how an author updates them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from tools.execute import ROOT, NotebookFailed, execute
from tools.run import NOTEBOOKS, choose, files, notebooks

# Time stamps, versions and progress belong to one run, not to the notebook.
EXTRA_KEYS = (
    "metadata.papermill cell.metadata.papermill cell.metadata.execution cell.metadata.falsified "
    "metadata.language_info.version metadata.widgets"
)


def forget_widgets(notebook: Path) -> None:
    """Drop references to widgets, which live only as long as their kernel; the text stays."""
    content = nbformat.read(notebook, as_version=4)
    for output in [output for cell in content.cells for output in cell.get("outputs", [])]:
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    nbformat.write(content, notebook)


def refresh(notebook: Path) -> dict:
    """Execute a notebook and replace it, outputs cleaned, only when it ran to its end."""
    with tempfile.TemporaryDirectory(dir=notebook.parent, prefix=".refresh-") as folder:
        executed = Path(folder) / notebook.name
        measured = execute(notebook, executed)
        command = [sys.executable, "-m", "nbstripout", "--keep-output", "--keep-count"]
        command += ["--keep-id", "--extra-keys", EXTRA_KEYS, str(executed)]
        subprocess.run(command, check=True)
        forget_widgets(executed)
        os.replace(executed, notebook)
    return measured


def main() -> None:
    everything = notebooks() + files(NOTEBOOKS, ("solutions/*.ipynb",))
    try:
        for notebook in choose(everything, sys.argv[1:]):
            print(f"{notebook.relative_to(ROOT)}: executing", flush=True)
            measured = refresh(notebook)
            print(f"{measured['seconds']:.0f} s, peak memory {measured['peak_rss_mb']:,} MB")
    except NotebookFailed as error:
        sys.exit(f"refresh: {error}; the notebook is left as it was")
    except ValueError as error:
        sys.exit(f"refresh: {error}")


if __name__ == "__main__":
    main()
