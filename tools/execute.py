"""Execute one notebook with papermill, in a process of its own, and measure its kernel."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.claims import register_engine
from tools.machine import peak_memory
from tools.tutorial import ROOT


class NotebookFailed(Exception):
    """A notebook did not run from top to bottom; the message says where and why."""


def execute(notebook: Path, output: Path, cores: list[int] | None = None, slot: int = 0) -> dict:
    """Execute a notebook in its folder and return {"seconds", "peak_rss_mb", "models"}.

    The executed copy replaces `output` only when every cell has run; as far as a notebook came
    that failed stands in NAME.failed.ipynb. "models" holds what the notebook reported with
    `report_result`, by the model's name. Each claim is shown to fail on the way (claims.py). With
    `cores`, the notebook runs on these alone. The progress bar is drawn `slot` lines below the
    cursor. Raises NotebookFailed.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    # Removed whatever happens, also when Ctrl-C ends the child in the middle of its writing.
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".executing-") as folder:
        partial = Path(folder).resolve() / output.name
        command = [sys.executable, "-m", "tools.execute", notebook.resolve(), partial]
        command.append(json.dumps({"cores": cores, "slot": slot}))
        child = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        if child.returncode == 0:
            os.replace(partial, output)
        elif child.returncode == 1 and partial.exists():  # as far as it came, for its author
            os.replace(partial, output.with_suffix(".failed.ipynb"))
    if child.returncode != 0:
        raise NotebookFailed(child.stdout.strip() or f"{notebook.name}: the executing process died")
    return json.loads(child.stdout.splitlines()[-1])


def execute_here(notebook: Path, output: Path, cores: list[int] | None, slot: int) -> dict:
    """Execute a notebook in this process; for `execute`, which starts one for each notebook."""
    import nbformat
    import papermill
    import psutil
    from nbclient.exceptions import DeadKernelError

    if cores:
        psutil.Process().cpu_affinity(cores)  # the kernel that is started inherits it
    register_engine()
    started = time.perf_counter()
    try:
        executed = papermill.execute_notebook(
            nbformat.read(notebook, as_version=4),
            str(output),
            cwd=notebook.parent,
            engine_name="claims",
            progress_bar={"desc": notebook.stem, "position": slot},
            coalesce_streams=True,  # whether printed lines arrive one by one is chance
            # The kernel listens on loopback; its note about that is not for the reader.
            extra_arguments=["--log-level=ERROR"],
            # A kernel that is asked to leave may print a traceback of its closed sockets.
            shutdown_kernel="immediate",
        )
    except papermill.PapermillExecutionError as error:
        where = f"{notebook.name}, code cell {error.exec_count}"
        raise NotebookFailed(f"{where}: {error.ename}: {error.evalue}") from None
    except DeadKernelError:
        raise NotebookFailed(f"{notebook.name}: its kernel died; is memory short?") from None
    seconds, peak = round(time.perf_counter() - started, 1), peak_memory(of_children=True)
    models = reported_models(executed, notebook.name)
    return {"seconds": seconds, "peak_rss_mb": peak and round(peak / 1e6), "models": models}


def reported_models(executed, name: str) -> dict[str, dict]:
    """What a notebook left with `report_result`, by the model's name.

    Raises NotebookFailed for a code cell that has not run to its end.
    """
    from mnist_helpers.results import RESULT_TYPE

    models = {}
    code_cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code_cells, start=1):
        # papermill calls a cell that timed out "completed", and one after exit() "pending".
        completed = cell.metadata.papermill.status == "completed"
        if not completed or (cell.execution_count is None and cell.source.strip()):
            raise NotebookFailed(f"{name}: code cell {number} did not complete")
        for report in [output.get("data", {}).get(RESULT_TYPE) for output in cell.outputs]:
            if report:
                models[report["model"]] = {k: v for k, v in report.items() if k != "model"}
    return models


if __name__ == "__main__":
    # papermill's own logging and warnings go to stderr; stdout carries the answer alone.
    try:
        answer = execute_here(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3]))
        print(json.dumps(answer))
    except NotebookFailed as error:
        print(error)
        sys.exit(1)
    except KeyboardInterrupt:  # Ctrl-C reaches this process too; its parent tells the reader
        sys.exit(130)
