"""The main job: execute the notebooks, collect the results, render the pages.

A run begins by removing what the last one left in build/. Its notebooks keep their networks there
too; at its end they are copied to where a learner's are, so that notebook 06 finds them there. One
training of such small networks does not use two cores fully; two trainings, each on a core of its
own, do. So two notebooks are executed at a time, each on half of the cores.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue

import nbformat
import pandas as pd
import psutil

from mnist_helpers import load_mnist
from mnist_helpers.files import artifacts_folder
from tools.execute import NotebookFailed, execute
from tools.links import links
from tools.lockfile import take_lock
from tools.machine import this_machine
from tools.tutorial import ROOT

NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"
# What is executed, and what an execution depends on besides. (A view's script and style are read
# by JupyterLab and by the pages, and change nothing in a notebook.)
EXECUTED = ("*.ipynb", "extras/*.ipynb")
SOURCES = tuple(f"mnist_helpers/*.{end}" for end in ("py", "json", "csv", "npz", "png", "mplstyle"))
SOURCES += ("mnist_helpers/records/*.csv", "mnist_helpers/records/*.npz", "requirements.lock")
SOURCES += ("tools/run.py", "tools/execute.py", "tools/claims.py")


def files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a folder that match, in order, without what systems and editors leave there."""
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def notebooks() -> list[Path]:
    return files(NOTEBOOKS, EXECUTED)


def choose(paths: list[Path], names: list[str]) -> list[Path]:
    """Of these notebooks those whose names begin so, given as paths or not; without names, all.

    Raises ValueError for a name with which none of them begins.
    """
    for name in names:
        if not any(path.name.startswith(Path(name).name) for path in paths):
            there = ", ".join(path.stem for path in paths)
            raise ValueError(f"no notebook is called {name}; there are {there}")
    begin = tuple(Path(name).name for name in names or [""])
    return [path for path in paths if path.name.startswith(begin)]


def executed_copy(path: Path) -> Path:
    return BUILD / "notebooks" / path.relative_to(NOTEBOOKS)


def tutorial_metadata(path: Path) -> dict:
    """The networks that a notebook keeps and uses, and whether it must be executed alone."""
    notebook = nbformat.read(path, as_version=4)
    return {"keeps": [], "uses": [], "alone": False} | notebook.metadata.get("mnist_tutorial", {})


def slots() -> list[list[int] | None]:
    """The cores of each notebook that runs at the same time: two halves, or [None], one on all."""
    process = psutil.Process()
    cores = process.cpu_affinity() if hasattr(process, "cpu_affinity") else []
    middle = len(cores) // 2
    return [cores[:middle], cores[middle:]] if middle else [None]


def execute_all(paths: list[Path]) -> dict[str, dict]:
    """Execute notebooks and return what was measured of each, in the order of the paths.

    Those that keep networks come first, since others wait for them; those that are executed alone
    come last. If one fails, no other is started, and what else runs is waited for. Raises
    NotebookFailed.
    """
    metadata, cores = {path: tutorial_metadata(path) for path in paths}, slots()
    jobs, keepers, failures, free = {}, {}, [], SimpleQueue()
    for slot in range(len(cores)):
        free.put(slot)

    def execute_one(path: Path, needed: list) -> dict | None:
        wait(needed)
        slot = free.get()
        try:
            if not failures:
                print(f"{path.stem}: executing", flush=True)
                some = None if metadata[path]["alone"] else cores[slot]
                return execute(path, executed_copy(path), cores=some, slot=slot)
        except NotebookFailed as error:
            failures.append(error)
        finally:
            free.put(slot)

    with ThreadPoolExecutor(len(paths)) as pool, ending_children():
        for path in sorted(paths, key=lambda p: (metadata[p]["alone"], not metadata[p]["keeps"])):
            needed = [keepers[name] for name in metadata[path]["uses"] if name in keepers]
            needed = list(jobs.values()) if metadata[path]["alone"] else needed
            jobs[path] = pool.submit(execute_one, path, needed)
            keepers |= dict.fromkeys(metadata[path]["keeps"], jobs[path])
        wait(jobs.values())
    if failures:
        raise failures[0]
    return {path.stem: jobs[path].result() for path in paths}


@contextmanager
def ending_children() -> Iterator[None]:
    """On Ctrl-C, end what was started: a terminal sends it to children too, but not all do."""
    try:
        yield
    except KeyboardInterrupt:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
        raise


def sources_digest() -> str:
    """A digest of all that a complete run depends on, but for the data set."""
    digest = hashlib.sha256()
    for path in [*notebooks(), *files(ROOT, SOURCES)]:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def last_run() -> dict:
    """What build/run.json says, which a complete run or one of a part has left, or nothing."""
    with suppress(OSError, ValueError):
        return json.loads((BUILD / "run.json").read_text())
    return {}


def is_current(dataset: str) -> bool:
    """Whether build/ holds a complete run of these sources on this data set."""
    expected = {"digest": sources_digest(), "dataset": dataset, "complete": True}
    made = [BUILD / "results.json", *map(executed_copy, notebooks())]
    return expected.items() <= last_run().items() and all(path.exists() for path in made)


def run(paths: list[Path], dataset: str) -> dict:
    """Execute these notebooks; write and return build/results.json, write build/run.json last."""
    for name in ("results.json", "run.json"):
        (BUILD / name).unlink(missing_ok=True)
    for name in ("notebooks", "networks"):
        shutil.rmtree(BUILD / name, ignore_errors=True)
        (BUILD / name).mkdir(parents=True, exist_ok=True)
    learners = artifacts_folder()
    os.environ["MNIST_ARTIFACTS"] = str(BUILD / "networks")
    record = {"digest": sources_digest(), "dataset": dataset, "machine": this_machine()}
    measured = execute_all(paths)
    with suppress(OSError):  # where nothing can be written, nothing is kept
        shutil.copytree(BUILD / "networks", learners, dirs_exist_ok=True)
    results = {"dataset": dataset, "models": {}, "notebooks": {}}
    for name, report in measured.items():
        for model, result in report["models"].items():
            # A later notebook that meets the same network again does not replace the first report.
            results["models"].setdefault(model, result)
        results["notebooks"][name] = {key: report[key] for key in ("seconds", "peak_rss_mb")}
    record |= {"complete": paths == notebooks(), "notebooks": results["notebooks"]}
    for name, content in [("results.json", results), ("run.json", record)]:
        (BUILD / name).write_text(json.dumps(content, indent=2) + "\n")
    return results


def render_site() -> None:
    """Render build/site/ anew from what was executed, and the solutions as they are stored."""
    record = last_run()
    if not record:
        sys.exit("pages: there is no run to render; `make run` makes one")
    from tools.site.build import build_site
    from tools.site.export import export_networks

    solutions = BUILD / "notebooks" / "solutions"
    shutil.rmtree(solutions, ignore_errors=True)
    solutions.mkdir(parents=True)
    for path in files(NOTEBOOKS, ("solutions/*.ipynb",)):  # a teacher may have taken them out
        shutil.copy(path, solutions)
    about = {key: record[key] for key in ("dataset", "machine")}
    with suppress(ValueError):  # a ZIP, or a clone that nobody else can reach
        about |= links()
    export_networks(BUILD / "networks", BUILD / "site")
    build_site(BUILD / "notebooks", BUILD / "site", about)
    print("Pages: build/site/index.html")


def print_results(results: dict) -> None:
    print(f"\nResults on {results['dataset']}")
    for name in ("models", "notebooks"):
        if results[name]:
            print(f"\n{pd.DataFrame(results[name]).T.convert_dtypes().to_string()}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="run", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="a name, or a number: 02")
    parser.add_argument("--pages", action="store_true", help="only render what was executed")
    parser.add_argument("--if-needed", action="store_true", help="unless there is a current run")
    arguments = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            chosen = choose(notebooks(), arguments.names)
            take_lock(lock, wait=arguments.if_needed)
            if not arguments.pages:
                started, dataset = time.perf_counter(), load_mnist().name
                if dataset != "MNIST":  # also where the network comes back in the middle of the run
                    os.environ["MNIST_OFFLINE"] = "1"
                if arguments.if_needed and is_current(dataset):
                    return
                print_results(run(chosen, dataset))
                print(f"\n{time.perf_counter() - started:.0f} s in all")
            render_site()
        except BlockingIOError:
            sys.exit("run: another `make run` is at work in this checkout; wait for it to end")
        except (NotebookFailed, ValueError) as error:
            sys.exit(f"run: {error}")
        except KeyboardInterrupt:
            sys.exit("\nrun: interrupted; `make run` starts anew")


if __name__ == "__main__":
    main()
