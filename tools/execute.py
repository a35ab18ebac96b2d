"""Execute one notebook with papermill, in a process of its own, and measure its kernel."""

import json
import os
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path

from machine import watch_children

ROOT = Path(__file__).resolve().parent.parent

# A claim that cannot fail proves nothing. So each is put to the test where it stands: in a copy
# of the notebook's names, the code that makes it false is run, and then the claim once more.
FALSIFIED_TYPE = "application/vnd.mnist-tutorial.falsified"
FALSIFY = """
from IPython.display import display as _display
from IPython.utils.capture import capture_output as _capture_output
_names = dict(globals())
with _capture_output():
    exec({falsify!r}, _names)
    try:
        exec({claim!r}, _names)
        _outcome = "the claim still holds"
    except AssertionError:
        _outcome = "the claim fails"
_display({{{type!r}: _outcome}}, raw=True)
del _names, _outcome, _display, _capture_output
"""


class NotebookFailed(Exception):
    """A notebook did not run from top to bottom; the message says where and why."""


def execute(
    notebook: Path,
    output: Path,
    parameters: dict | None = None,
    cwd: Path | None = None,
    cores: list[int] | None = None,
    line: int = 0,
) -> dict:
    """Execute a notebook and return {"seconds", "peak_rss_mb", "models"}.

    The executed copy replaces `output` only when every cell has run. "models" holds what the
    notebook reported with `report_result`, by the model's name. Given `cores`, the notebook
    runs on these alone. The progress bar is drawn `line` lines below the cursor. Raises
    NotebookFailed.
    """
    task = {"parameters": parameters or {}, "cwd": str(cwd or notebook.parent)}
    task = json.dumps(task | {"cores": cores, "line": line})
    output.parent.mkdir(parents=True, exist_ok=True)
    # Removed whatever happens, also when Ctrl-C ends the child in the middle of its writing.
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".executing-") as folder:
        partial = Path(folder) / output.name
        command = [sys.executable, __file__, str(notebook), str(partial), task]
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if child.returncode == 0:
            os.replace(partial, output)
        elif child.returncode == 1 and partial.exists():  # as far as it came, for its author
            os.replace(partial, output.with_suffix(".failed.ipynb"))
    if child.returncode != 0:
        raise NotebookFailed(child.stdout.strip() or f"{notebook.name}: the executing process died")
    return json.loads(child.stdout.splitlines()[-1])


def _execute_here(
    notebook: Path,
    output: Path,
    parameters: dict,
    cwd: str,
    cores: list[int] | None = None,
    line: int = 0,
) -> dict:
    import nbformat
    import papermill
    import psutil
    from nbclient.exceptions import DeadKernelError

    if cores:
        psutil.Process().cpu_affinity(cores)  # the kernel that is started inherits it
    started = time.perf_counter()
    peak_of_kernel = watch_children()
    source = nbformat.read(notebook, as_version=4)
    try:
        executed = papermill.execute_notebook(
            with_claims_put_to_the_test(source),
            str(output),
            parameters,
            cwd=cwd,
            progress_bar={"desc": notebook.stem, "position": line},
            coalesce_streams=True,  # whether printed lines arrive one by one is chance
            # The kernel listens on loopback; its note about that is not for the reader.
            extra_arguments=["--log-level=ERROR"],
            # Nothing is left to do in a kernel at its end, and one that is asked to leave may
            # print a traceback of its closed sockets.
            shutdown_kernel="immediate",
        )
        code_cells = [cell for cell in executed.cells if cell.cell_type == "code"]
        for number, cell in enumerate(code_cells, start=1):
            # papermill calls a cell that timed out "completed", and one after exit() "pending".
            status = cell.metadata.papermill.status
            if status != "completed" or (cell.execution_count is None and cell.source.strip()):
                raise NotebookFailed(f"{notebook.name}: code cell {number} did not complete")
    except papermill.PapermillExecutionError as error:
        raise NotebookFailed(
            f"{notebook.name}, code cell {error.exec_count}: {error.ename}: {error.evalue}"
        ) from None
    except DeadKernelError:
        raise NotebookFailed(
            f"{notebook.name}: its kernel died, perhaps for lack of memory"
        ) from None
    finally:
        if output.exists():
            executed = nbformat.read(output, as_version=4)
            restore_claims(executed, source)
            nbformat.write(executed, output)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_rss_mb": round(peak_of_kernel() / 1e6),
        "models": reported_models(executed),
    }


def with_claims_put_to_the_test(notebook):
    """A copy of a notebook in which each claim is followed, in its cell, by its own test."""
    copy = deepcopy(notebook)
    for cell in copy.cells:
        if "falsify" in cell.metadata:
            falsify = cell.metadata["falsify"]
            cell.source += FALSIFY.format(falsify=falsify, claim=cell.source, type=FALSIFIED_TYPE)
    return copy


def restore_claims(executed, source) -> None:
    """Give the claims their own text back, and move what became of them into their metadata."""
    texts = {cell.id: cell.source for cell in source.cells}
    for cell in executed.cells:
        if "falsify" in cell.metadata:
            cell.source = texts[cell.id]
            for output in [o for o in cell.outputs if FALSIFIED_TYPE in o.get("data", {})]:
                cell.metadata["falsified"] = output.data[FALSIFIED_TYPE]
                cell.outputs.remove(output)


def reported_models(notebook) -> dict:
    """What an executed notebook left with `report_result`, by the model's name."""
    from mnist_helpers.results import RESULT_TYPE

    models = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            report = output.get("data", {}).get(RESULT_TYPE)
            if report:
                models[report["model"]] = {k: v for k, v in report.items() if k != "model"}
    return models


if __name__ == "__main__":
    # papermill's own logging and warnings go to stderr; stdout carries the answer alone.
    task = json.loads(sys.argv[3])
    try:
        answer = _execute_here(Path(sys.argv[1]), Path(sys.argv[2]), **task)
    except NotebookFailed as error:
        print(error)
        sys.exit(1)
    except KeyboardInterrupt:  # Ctrl-C reaches this process too; its parent tells the reader
        sys.exit(130)
    print(json.dumps(answer))
