"""Measure a class: learners at a JupyterHub on this machine run 01, 02 and 03 at the same time.

    .venv/bin/python -m tools.hub.bench 1 4 12

installs the packages of requirements.lock beside this file, and prints a row of a table for one,
four and twelve learners. Linux only.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from threading import Thread

import nbformat
import psutil

from tools.hub.hub import processes_in, running_hub
from tools.hub.learner import Learner, Lost, errors
from tools.machine import this_machine

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent.parent / "notebooks"
# What learners wait for: the end of the first cell with this text.
AWAITED = {
    "01_data_exploration": "show_figure(",
    "02_dense_network": "fit = model.fit(",
    "03_convolutional_network": "fit = model.fit(",
}
COLUMNS = ["learners", "first figure of 01", "`fit` in 02 is over", "`fit` in 03 is over"]
COLUMNS += ["all three notebooks", "memory in all", "failures"]


def attend(learner: Learner, waits: dict[str, list[float]], failures: list[str]) -> None:
    """One learner, from logging in to the last cell of 03. Adds the seconds of each wait."""
    start = time.monotonic()
    try:
        learner.start_server()
        for name, awaited in AWAITED.items():
            learner.start_kernel(f"{name}.ipynb")
            cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
            sources = [cell.source for cell in cells if cell.cell_type == "code"]
            end = next(number for number, source in enumerate(sources) if awaited in source)
            for number, source in enumerate(sources):
                failures.extend(errors(learner.run(source)))
                if number == end:
                    waits[name].append(time.monotonic() - start)
            learner.stop_kernel()
            start = time.monotonic()
    except Lost as lost:
        failures.append(str(lost))


def measure(count: int) -> list[str]:
    """The cells of a row for a class of so many learners, in the order of COLUMNS."""
    names, peak = [f"learner{number:02}" for number in range(1, count + 1)], 0
    waits, failures = {name: [] for name in AWAITED}, []
    with (
        tempfile.TemporaryDirectory(prefix="class-") as folder,
        running_hub(Path(folder), names) as learners,
    ):
        start = time.monotonic()
        threads = [Thread(target=attend, args=(who, waits, failures)) for who in learners]
        for thread in threads:
            thread.daemon = True  # Ctrl-C does not wait for it
            thread.start()
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, memory(Path(folder)))
            time.sleep(2)
        seconds = time.monotonic() - start
    print(*failures, sep="\n", end="\n" * bool(failures), file=sys.stderr)
    medians = [f"{median(times):.0f} s" if times else "–" for times in waits.values()]
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
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    lock = ["--no-user", "--require-hashes", "-r", HERE / "requirements.lock"]
    subprocess.run([*pip, *lock], check=True)
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
