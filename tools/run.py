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
from mnist_helpers.checks import NEEDED_GB, free_memory_gb
from mnist_helpers.files import artifacts_folder
from tools.execute import NotebookFailed, execute
from tools.links import EXECUTED, NOTEBOOKS, files, links, own_notebooks
from tools.lockfile import take_lock
from tools.machine import this_machine
from tools.tutorial import ROOT

BUILD = ROOT / "build"
# What an execution depends on besides notebooks. (A view's script and style change none.)
SOURCES = tuple(f"mnist_helpers/*.{end}" for end in ("py", "json", "csv", "npz", "png", "mplstyle"))
SOURCES += ("mnist_helpers/records/*.csv", "mnist_helpers/records/*.npz", "requirements.lock")
SOURCES += ("tools/run.py", "tools/execute.py", "tools/claims.py")


def notebooks() -> list[Path]:
    return own_notebooks(NOTEBOOKS)


def choose(paths: list[Path], names: list[str]) -> list[Path]:
    """The notebooks whose names begin so, or all; ValueError for a name with which none begins."""
    for name in names:
        if not any(path.name.startswith(Path(name).name) for path in paths):
            there = ", ".join(path.stem for path in paths)
            raise ValueError(f"no notebook is called {name}; there are {there}")
    begin = tuple(Path(name).name for name in names or [""])
    return [path for path in paths if path.name.startswith(begin)]


def executed_copy(path: Path) -> Path:
    return BUILD / "notebooks" / path.relative_to(NOTEBOOKS)


def tutorial_metadata(path: Path) -> dict:
    """What a notebook keeps and uses, and whether it is executed alone, or a ValueError."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # of many kinds: it is empty, no JSON, or JSON of something else
        name, reason = path.relative_to(ROOT).as_posix(), " ".join(str(error).split())[:100]
        remedy = f"end the merge, or take it from the repository again: git checkout HEAD {name}"
        raise ValueError(f"{name} cannot be read: {reason}; {remedy}") from None
    return {"keeps": [], "uses": [], "alone": False} | notebook.metadata.get("mnist_tutorial", {})


def slots() -> list[list[int] | None]:
    """The cores of each notebook that runs at the same time: two halves, or [None], one on all."""
    cores = getattr(psutil.Process(), "cpu_affinity", list)()  # a Mac has no such thing
    middle, free, needed = len(cores) // 2, free_memory_gb(), 2 * NEEDED_GB + 0.5
    if middle and free < needed:
        print(f"Memory free: {free:.1f} GB, and two need {needed} GB: one notebook at a time")
        return [None]
    return [cores[:middle], cores[middle:]] if middle else [None]


def execute_all(about: dict[Path, dict]) -> dict[str, dict]:
    """Execute notebooks, given with their metadata; what was measured of each, in this order.

    Those that keep networks come first, since others wait for them; those executed alone, last.
    Raises NotebookFailed if one fails: no other is started, and what else runs is waited for.
    """
    cores, jobs, keepers, failures, free = slots(), {}, {}, [], SimpleQueue()
    for slot in range(len(cores)):
        free.put(slot)

    def execute_one(path: Path, needed: list) -> dict | None:
        wait(needed)
        slot = free.get()
        try:
            if not failures:
                print(f"{path.stem}: executing", flush=True)
                some = None if about[path]["alone"] else cores[slot]
                return execute(path, executed_copy(path), cores=some, slot=slot)
        except NotebookFailed as error:
            failures.append(error)
        finally:
            free.put(slot)

    with ThreadPoolExecutor(len(about)) as pool, ending_children():
        for path in sorted(about, key=lambda p: (about[p]["alone"], not about[p]["keeps"])):
            needed = [keepers[name] for name in about[path]["uses"] if name in keepers]
            needed = list(jobs.values()) if about[path]["alone"] else needed
            jobs[path] = pool.submit(execute_one, path, needed)
            keepers |= dict.fromkeys(about[path]["keeps"], jobs[path])
        wait(jobs.values())
    if failures:
        raise failures[0]
    return {path.stem: jobs[path].result() for path in about}


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


def run(metadata: dict[Path, dict], dataset: str) -> dict:
    """Execute notebooks, given with their metadata, and return what build/results.json gets."""
    for name in ("results.json", "run.json"):
        (BUILD / name).unlink(missing_ok=True)
    for name in ("notebooks", "networks"):
        shutil.rmtree(BUILD / name, ignore_errors=True)
        (BUILD / name).mkdir(parents=True, exist_ok=True)
    learners = artifacts_folder()
    os.environ["MNIST_ARTIFACTS"] = str(BUILD / "networks")
    record = {"digest": sources_digest(), "dataset": dataset, "machine": this_machine()}
    measured = execute_all(metadata)
    with suppress(OSError):  # where nothing can be written, nothing is kept
        shutil.copytree(BUILD / "networks", learners, dirs_exist_ok=True)
    results = {"dataset": dataset, "models": {}, "notebooks": {}}
    for name, report in measured.items():
        for model, result in report["models"].items():
            # A later notebook that meets the same network again does not replace the first report.
            results["models"].setdefault(model, result)
        results["notebooks"][name] = {key: report[key] for key in ("seconds", "peak_rss_mb")}
    record |= {"complete": list(metadata) == notebooks(), "notebooks": results["notebooks"]}
    for name, content in [("results.json", results), ("run.json", record)]:
        (BUILD / name).write_text(json.dumps(content, indent=2) + "\n")
    return results


def render_site() -> None:
    """Render build/site/ anew from what was executed, and the solutions as they are stored."""
    if not (record := last_run()):
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
    for table in filter(None, [results["models"], results["notebooks"]]):
        print(f"\n{pd.DataFrame(table).T.convert_dtypes().to_string()}")


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
                for path in sorted(set(files(NOTEBOOKS, EXECUTED)) - set(notebooks())):
                    print(f"{path.relative_to(ROOT)}: left out, since it is not the tutorial's")
                # All are read before anything is removed.
                print_results(run({path: tutorial_metadata(path) for path in chosen}, dataset))
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
