"""Measure a class: learners at a JupyterHub on this machine run 01, 02 and 03 at the same time.

    .venv/bin/python -m pip install -r tools/hub/requirements.lock
    .venv/bin/python -m tools.hub.bench 1 4 12

prints a row of a table for one, four and twelve learners. Linux only.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import nbformat
import psutil

from tools.check_class import Problem
from tools.hub.learner import Learner
from tools.machine import this_machine

NOTEBOOKS = Path(__file__).resolve().parent.parent.parent / "notebooks"
CONFIG = Path(__file__).with_name("jupyterhub_config.py")
# What learners wait for: the end of the first cell with this text.
AWAITED = {
    "01_data_exploration": "show_figure(",
    "02_dense_network": "fit = model.fit(",
    "03_convolutional_network": "fit = model.fit(",
}
COLUMNS = ["learners", "first figure of 01", "`fit` in 02 is over", "`fit` in 03 is over"]
COLUMNS += ["all three notebooks", "memory in all", "failures"]
START_SECONDS = 120  # a hub that does not answer by then has failed


@contextmanager
def running_hub(folder: Path, names: list[str]) -> Iterator[list[Learner]]:
    """Learners of these names, at a hub that runs as long as the `with` block.

    `folder` should be new: `folder/learners/NAME` becomes a learner's home folder. The variables
    MNIST_NPZ and MNIST_OFFLINE apply to all. Raises Problem, with the end of the log, if the
    hub does not start. Needs the packages of requirements.lock beside this file.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:  # on a port that is free
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    learners = [Learner(url, secrets.token_hex(16), name) for name in names]
    tokens = json.dumps({learner.token: learner.name for learner in learners})
    # In a session of its own: Ctrl-C is for the program that started it.
    options = {"cwd": folder, "start_new_session": True, "stdin": subprocess.DEVNULL}
    options |= {"env": os.environ | {"CLASS_URL": url, "CLASS_TOKENS": tokens}}
    command = [sys.executable, "-m", "jupyterhub", "-f", CONFIG]
    log = folder / "hub.log"
    try:
        with log.open("w") as file:
            hub = subprocess.Popen(command, stdout=file, stderr=file, **options)
        end = time.monotonic() + START_SECONDS
        while not answers(learners[0]):
            if hub.poll() is not None or time.monotonic() > end:
                raise Problem(f"the hub did not start:\n{log.read_text()[-3_000:]}")
            time.sleep(0.2)
        yield learners
    finally:
        # Until nothing is left: a server may be starting a kernel at this moment.
        while left := processes_in(folder):
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=5)


def answers(learner: Learner) -> bool:
    """Whether the hub knows the learner by now."""
    with suppress(Problem):
        return bool(learner.log_in())
    return False


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder or below it, also those whose parents have ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
    return found


def attend(learner: Learner, waits: dict[str, dict[str, float]]) -> None:
    """One learner, from logging in to the last cell of 03. Adds the seconds of each wait."""
    start = time.monotonic()
    learner.start_server()
    for name, awaited in AWAITED.items():
        learner.start_kernel(f"{name}.ipynb")
        for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                learner.run(cell.source)
                if awaited in cell.source:
                    waits[name].setdefault(learner.name, time.monotonic() - start)
        learner.stop_kernel()
        start = time.monotonic()


def measure(count: int) -> list[str]:
    """The cells of a row for a class of so many learners, in the order of COLUMNS."""
    names, peak = [f"learner{number:02}" for number in range(1, count + 1)], 0
    waits: dict[str, dict[str, float]] = {name: {} for name in AWAITED}
    with (
        ThreadPoolExecutor(count) as pool,  # ends last: without a hub, every learner's work ends
        tempfile.TemporaryDirectory(prefix="class-") as folder,
        running_hub(Path(folder), names) as learners,
    ):
        start = time.monotonic()
        attending = [pool.submit(attend, learner, waits) for learner in learners]
        while not all(learner.done() for learner in attending):
            peak = max(peak, memory(Path(folder)))
            time.sleep(2)
        seconds = time.monotonic() - start
        failures = [learner.exception() for learner in attending if learner.exception()]
    for failure in failures:
        print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
    medians = [f"{median(x.values()):.0f} s" if x else "–" for x in waits.values()]
    return [str(count), *medians, f"{seconds:.0f} s", f"{peak / 1e9:.1f} GB", str(len(failures))]


def memory(folder: Path) -> int:
    """Bytes of all processes of a hub; memory that several of them share counts once."""
    total = 0
    for process in processes_in(folder):
        with suppress(psutil.Error):  # it has just ended
            total += process.memory_full_info().pss
    return total


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not os.environ.get("MNIST_NPZ"):
        os.environ["MNIST_OFFLINE"] = "1"
    print(f"{this_machine()}\n\n| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    for count in map(int, sys.argv[1:]):
        print(f"| {' | '.join(measure(count))} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("class: interrupted")
