"""The main job: execute the notebooks, collect the results, render the pages.

build/ holds what the last run made: a run begins by removing what is there, and its notebooks keep
their networks there too, not in artifacts/. One training of such small networks does not use two
cores fully; two trainings, each on a core of its own, do. So two notebooks are executed at a time,
each on half of the cores, and one that uses what another keeps after that one.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
import psutil

from mnist_helpers import load_mnist
from mnist_helpers.data import MnistError
from mnist_helpers.files import write_atomically
from tools.execute import ROOT, NotebookFailed, execute
from tools.links import links
from tools.lockfile import take_lock
from tools.machine import this_machine

NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"
MEMORY_OF_TWO = 3e9  # bytes that must be available for two notebooks at a time
# What is executed, and what an execution depends on besides. (A view's script and style are read
# by JupyterLab and by the pages, and change nothing in a notebook.)
EXECUTED = ("*.ipynb", "extras/*.ipynb")
SOURCES = tuple(f"mnist_helpers/*.{end}" for end in ("py", "json", "csv", "png", "mplstyle"))
SOURCES += ("mnist_helpers/records/*.csv", "mnist_helpers/records/*.npz", "requirements.lock")
SOURCES += ("tools/run.py", "tools/execute.py", "tools/claims.py")


def files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a folder that match, in order, without what systems and editors leave there."""
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def choose(paths: list[Path], names: list[str]) -> list[Path]:
    """Of these notebooks those with such a name, path or number ("02"); without names, all.

    Raises ValueError for a name that none of them has.
    """
    chosen = {}
    for name in [Path(name).name.removesuffix(".ipynb") for name in names]:
        chosen[name] = [p for p in paths if name in (p.stem, p.stem.partition("_")[0])]
        if not chosen[name]:
            there = ", ".join(path.stem for path in paths)
            raise ValueError(f"no notebook is called {name}; there are {there}")
    return [path for path in paths if not names or any(path in some for some in chosen.values())]


def notebooks() -> list[Path]:
    return files(NOTEBOOKS, EXECUTED)


def executed_copy(path: Path) -> Path:
    return BUILD / "notebooks" / path.relative_to(NOTEBOOKS)


def tutorial_metadata(path: Path) -> dict:
    """The networks that a notebook keeps and uses, and whether it must be executed alone."""
    notebook = nbformat.read(path, as_version=4)
    return {"keeps": [], "uses": [], "alone": False} | notebook.metadata.get("mnist_tutorial", {})


def slots() -> list[list[int] | None]:
    """The cores of each notebook that runs at the same time: two halves, or [None], one on all."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity") or psutil.virtual_memory().available < MEMORY_OF_TWO:
        return [None]
    cores = process.cpu_affinity()
    middle = len(cores) // 2
    return [cores[:middle], cores[middle:]] if middle else [None]


def next_notebook(waiting: list[str], running: list[str], metadata: dict[str, dict]) -> str | None:
    """The waiting notebook that should start next while others run, or None.

    A notebook waits for those before it that keep a network it uses. One that is executed alone
    waits for all before it, and all behind it wait for it. Of those that may start, one that
    keeps a network comes first, since others wait for it, and one that neither keeps nor uses
    any comes last, since it can start at any time.
    """
    ready = []
    for number, name in enumerate(waiting):
        before = [metadata[other] for other in running + waiting[:number]]
        used = set(metadata[name]["uses"])
        must_wait = any(other["alone"] or used & set(other["keeps"]) for other in before)
        if not (must_wait or (metadata[name]["alone"] and before)):
            ready.append(name)
    order = {name: (not metadata[name]["keeps"], not metadata[name]["uses"]) for name in ready}
    return min(ready, key=order.get, default=None)


def execute_all(paths: list[Path]) -> dict[str, dict]:
    """Execute notebooks and return what was measured of each, in the order of the paths.

    If one fails, no other is started, and what else runs is waited for. Raises NotebookFailed.
    """
    by_name = {path.stem: path for path in paths}
    metadata = {name: tutorial_metadata(path) for name, path in by_name.items()}
    waiting, running, measured, failure = list(by_name), {}, {}, None
    cores = slots()
    with ThreadPoolExecutor(len(cores)) as pool:
        while running or waiting:
            names = [name for name, _ in running.values()]
            if len(running) < len(cores) and (name := next_notebook(waiting, names, metadata)):
                waiting.remove(name)
                slot = min(set(range(len(cores))) - {taken for _, taken in running.values()})
                alone = metadata[name]["alone"] or not (running or waiting)
                options = {"cores": None if alone else cores[slot], "slot": slot}
                print(f"{name}: executing", flush=True)
                job = pool.submit(execute, by_name[name], executed_copy(by_name[name]), **options)
                running[job] = name, slot
                continue
            for job in wait_for_any(running):
                name, _ = running.pop(job)
                try:
                    measured[name] = job.result()
                except NotebookFailed as error:
                    failure, waiting = failure or error, []
    if failure:
        raise failure
    return {name: measured[name] for name in by_name}


def wait_for_any(jobs: dict) -> set:
    """The jobs that have ended, when there is one; on Ctrl-C what they have started is ended."""
    try:
        return wait(jobs, return_when=FIRST_COMPLETED).done
    except KeyboardInterrupt:
        # A terminal sends Ctrl-C to the children too, but not everything does.
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
    """What build/run.json says, or nothing."""
    try:
        return json.loads((BUILD / "run.json").read_text())
    except (OSError, ValueError):
        return {}


def is_current(dataset: str) -> bool:
    """Whether build/ holds a complete run of these sources on this data set."""
    expected = {"digest": sources_digest(), "dataset": dataset, "complete": True}
    keeps = [name for path in notebooks() for name in tutorial_metadata(path)["keeps"]]
    made = [BUILD / "results.json", *map(executed_copy, notebooks())]
    made += [BUILD / "networks" / f"{name}.keras" for name in keeps]
    return expected.items() <= last_run().items() and all(path.exists() for path in made)


def run(paths: list[Path], dataset: str) -> dict:
    """Execute these notebooks; write and return build/results.json, and write build/run.json."""
    for name in ("results.json", "run.json"):
        (BUILD / name).unlink(missing_ok=True)
    for name in ("notebooks", "networks"):
        shutil.rmtree(BUILD / name, ignore_errors=True)
        (BUILD / name).mkdir(parents=True, exist_ok=True)
    os.environ["MNIST_ARTIFACTS"] = str(BUILD / "networks")
    record = {"digest": sources_digest(), "dataset": dataset, "machine": this_machine()}
    measured = execute_all(paths)
    results = {"dataset": dataset, "models": {}, "notebooks": {}}
    for name, report in measured.items():
        for model, result in report["models"].items():
            # A later notebook that meets the same network again does not replace the first report.
            results["models"].setdefault(model, result)
        results["notebooks"][name] = {key: report[key] for key in ("seconds", "peak_rss_mb")}
    record |= {"complete": paths == notebooks(), "notebooks": results["notebooks"]}
    for name, content in [("results.json", results), ("run.json", record)]:
        text = json.dumps(content, indent=2) + "\n"
        write_atomically(BUILD / name, lambda part, text=text: part.write_text(text))
    return results


def load_data_set() -> str:
    """Load the data set, and give its name: it is downloaded once, and is one for all."""
    dataset = load_mnist().name
    if dataset != "MNIST":  # also where the network comes back in the middle of the run
        os.environ["MNIST_OFFLINE"] = "1"
    return dataset


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
    try:
        export_networks(BUILD / "networks", BUILD / "site")
    except ValueError as error:
        sys.exit(f"pages: none could be made: {error}")
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
    try:
        chosen = choose(notebooks(), arguments.names)
    except ValueError as error:
        parser.error(str(error))
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            take_lock(lock, wait=arguments.if_needed)
            if not arguments.pages:
                started, dataset = time.perf_counter(), load_data_set()
                if arguments.if_needed and is_current(dataset):
                    return
                print_results(run(chosen, dataset))
                print(f"\n{time.perf_counter() - started:.0f} s in all")
            render_site()
        except BlockingIOError:
            sys.exit("run: another `make run` is at work in this checkout; wait for it to end")
        except (MnistError, NotebookFailed) as error:
            sys.exit(f"run: {error}")
        except KeyboardInterrupt:
            sys.exit("\nrun: interrupted; `make run` starts anew")


if __name__ == "__main__":
    main()
