"""Measure a class at once: learners at a JupyterHub on this machine, and write build/class.md.

Learners log in, start their servers, and run 01, 02 and 03 from the first cell to the last. Each
has a folder and passes through the hub's proxy, as at a real one; the processes are local.
"""

import argparse
import asyncio
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
import psutil
from hub import PASSED_ON, Hub, install, shared_memory
from learner import Learner, Lost, errors
from machine import this_machine
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from setup_venv import ROOT

REPORT = ROOT / "build" / "class.md"
NOTEBOOKS = ("01_data_exploration", "02_dense_network", "03_convolutional_network")
FIT = re.compile(r"(?m)^fit = model\.fit\(")  # the training that each of 02 and 03 is about
SMALL = {"train_images": 1_600, "epochs": 1, "lab_epochs": 1}
SAMPLE_SECONDS = 2.0
COLUMNS = {
    "learners": "how many, and over how many seconds they came",
    "server": "seconds from logging in to a server that answers",
    "first figure": "seconds from logging in to the first figure of 01",
    "fit in 02": "seconds from opening 02 to the end of its training",
    "fit in 03": "the same in 03",
    "all": "seconds from the first learner's coming to the last one's end",
    "MB each": "the most that a learner's server and kernels took, median over learners",
    "GB in all": "the most that all of it took at one time, with the hub and its proxy",
    "GB left": "the least that the machine had available meanwhile",
    "cores": "how many were busy on average",
    "lost": "learners who could not go on",
    "failed": "cells that ended with an error",
}


@dataclass
class Visit:
    """What one learner met with; seconds by the names of COLUMNS."""

    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    lost: str = ""


@dataclass
class Load:
    """What a hub took of the machine, sampled: bytes of memory, and seconds of processor."""

    each: dict[str, int] = field(default_factory=dict)
    whole: int = 0
    left: int = sys.maxsize
    processor: dict[tuple, float] = field(default_factory=dict)

    def sample(self, hub: Hub) -> None:
        taken = {process: shared_memory(process) for process in hub.processes()}
        for process in taken:
            try:
                times = process.cpu_times()
            except psutil.Error:  # it has just ended
                continue
            self.processor[process.pid, process.create_time()] = times.user + times.system
        for name in hub.passwords:
            memory = sum(taken[process] for process in hub.processes_of(name, among=taken))
            self.each[name] = max(self.each.get(name, 0), memory)
        self.whole = max(self.whole, sum(taken.values()))
        self.left = min(self.left, psutil.virtual_memory().available)


async def attend(hub: Hub, name: str, delay: float, keep_open: bool) -> Visit:
    """One learner, from logging in to the last cell of 03."""
    visit = Visit()
    await asyncio.sleep(delay)
    started = time.monotonic()

    def note(what: str, since: float = started) -> None:
        visit.seconds.setdefault(what, time.monotonic() - since)

    def look(output: dict) -> None:
        if "image/png" in output.get("data", {}):
            note("first figure")

    try:
        learner = await Learner.log_in(hub.url, name, hub.passwords[name])
        await learner.start_server()
        note("server")
        for number, notebook in enumerate(NOTEBOOKS, start=1):
            path, opened = f"{notebook}.ipynb", time.monotonic()
            content = await learner.read(path)
            kernel = await learner.open(path)
            for place, cell in enumerate(content["cells"], start=1):
                if cell["cell_type"] != "code":
                    continue
                cell["outputs"] = await kernel.run(cell["source"], look)
                where = f"{name}, {path}, cell {place}"
                visit.failed += [f"{where}: {it}" for it in errors(cell["outputs"])]
                if FIT.search(cell["source"]):
                    note(f"fit in 0{number}", opened)
            await learner.write(path, content)
            if keep_open:
                kernel.close()
            else:
                await kernel.shut_down()
    except Lost as lost:
        visit.lost = f"{name}: {lost}"
    return visit


async def attend_all(hub: Hub, spread: float, keep_open: bool) -> tuple[list[Visit], Load, float]:
    """All learners, who come evenly over `spread` seconds, and what they took."""
    load, started = Load(), time.monotonic()
    delays = np.linspace(0, spread, len(hub.passwords), endpoint=False)
    visits = asyncio.gather(
        *(attend(hub, *who, keep_open) for who in zip(hub.passwords, delays, strict=True))
    )
    while not visits.done():
        await asyncio.to_thread(load.sample, hub)
        await asyncio.wait([visits], timeout=SAMPLE_SECONDS)
    return await visits, load, time.monotonic() - started


def median_and_95(values: list[float]) -> str:
    if not values:
        return "–"
    return f"{statistics.median(values):.1f} / {np.percentile(values, 95):.1f}"


def row(visits: list[Visit], load: Load, seconds: float, spread: float) -> list[str]:
    """The cells of the table, in the order of COLUMNS."""
    waits = ("server", "first figure", "fit in 02", "fit in 03")
    times = [[visit.seconds[x] for visit in visits if x in visit.seconds] for x in waits]
    return [
        f"{len(visits)}" + (f" over {spread:.0f} s" if spread else ""),
        *map(median_and_95, times),
        f"{seconds:.0f}",
        f"{statistics.median(load.each.values()) / 1e6:.0f}",
        f"{load.whole / 1e9:.1f}",
        f"{load.left / 1e9:.1f}",
        f"{sum(load.processor.values()) / seconds:.1f}",
        str(sum(bool(visit.lost) for visit in visits)),
        str(sum(len(visit.failed) for visit in visits)),
    ]


def report(rows: list[list[str]], told: list[str], about: list[str]) -> str:
    lines = ["# A class at once", "", *about, ""]
    lines += ["| " + " | ".join(it) + " |" for it in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    lines += [
        "",
        "Times are median / 95th percentile. Memory is proportional: what processes share",
    ]
    lines += ["counts once.", "", *(f"- {name}: {what}" for name, what in COLUMNS.items())]
    lines += ["", *(f"- {it}" for it in told)] if told else []
    return "\n".join(lines) + "\n"


def write_notebooks(folder: Path, small: bool) -> list[Path]:
    """The three notebooks as learners get them, short ones if `small`."""
    paths = []
    for name in NOTEBOOKS:
        notebook = load_notebook_node(str(ROOT / "notebooks" / f"{name}.ipynb"))
        if small:
            notebook = parameterize_notebook(notebook, SMALL)
        paths.append(folder / f"{name}.ipynb")
        nbformat.write(notebook, paths[-1])
    return paths


def measure(learners: int, spread: float, small: bool, keep_open: bool) -> tuple:
    """A hub of its own for so many learners; nothing of it is left."""
    named = os.environ.get("MNIST_NPZ")
    names = [f"learner{number:02}" for number in range(1, learners + 1)]
    with tempfile.TemporaryDirectory(prefix="class-") as folder:
        paths = write_notebooks(Path(folder), small)
        with Hub(Path(folder), names, paths, Path(named) if named else None) as hub:
            visits, load, seconds = asyncio.run(attend_all(hub, spread, keep_open))
            if any(visit.lost for visit in visits):
                (ROOT / "build" / "class.log").write_text(hub.log())
    return visits, load, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, nargs="+", default=[1, 4, 12], metavar="N")
    parser.add_argument("--spread", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--small", action="store_true", help="short notebooks: a trial run")
    parser.add_argument("--keep-open", action="store_true", help="nobody shuts a kernel down")
    arguments = parser.parse_args()
    if not Path("/proc/self/smaps_rollup").exists():
        sys.exit("bench-class: memory that processes share is told by Linux only")
    # Closing the terminal, too, leaves nothing running.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    install()
    memory = psutil.virtual_memory().total / 1e9
    data = "MNIST" if os.environ.get("MNIST_NPZ") else "the offline digits"
    about = [f"{this_machine()}, {memory:.0f} GB of memory; {data}."]
    chosen = [f"{name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
    about += [f"Learners have {', '.join(chosen)}."] * bool(chosen)
    about += ["Short notebooks: this says nothing of a class."] * arguments.small
    about += ["Each learner keeps the kernels of all three open."] * arguments.keep_open
    rows, told = [], []
    REPORT.parent.mkdir(exist_ok=True)
    try:
        for learners in arguments.learners:
            print(f"class: {learners} learners", flush=True)
            visits, load, seconds = measure(
                learners, arguments.spread, arguments.small, arguments.keep_open
            )
            rows.append(row(visits, load, seconds, arguments.spread))
            told += [why for visit in visits for why in (visit.lost, *visit.failed) if why]
            REPORT.write_text(report(rows, told, about))
    except KeyboardInterrupt:
        sys.exit("class: interrupted; what was measured before stands in build/class.md")
    except RuntimeError as error:
        sys.exit(f"class: {error}")
    print(REPORT.read_text())
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
