"""The main job: execute the notebooks, collect the results, render the reading view.

The networks of this tutorial are too small for one training to use two cores fully; two
trainings, each on a core of its own, do. So two notebooks are executed side by side, each on half
of the cores, and one that uses what another keeps after that one.

A notebook is executed again only if something has changed that its execution depends on.
build/current/ holds, for each one that has been executed, a digest of what it depended on and
what was measured; without that folder everything is executed.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import nbformat
import psutil
from execute import ROOT, NotebookFailed, execute
from links import links
from lockfile import take_lock
from machine import this_machine

from mnist_helpers import load_mnist
from mnist_helpers.data import MnistError
from mnist_helpers.files import artifacts_folder, write_atomically

NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"
MEMORY_OF_TWO = 3e9  # bytes that must be available for two notebooks side by side


def write_json(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(path, lambda part: part.write_text(text))


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def told(notebook: nbformat.NotebookNode) -> dict:
    """What a notebook's metadata tell: the networks it keeps and uses, whether it runs alone."""
    defaults = {"keeps": [], "uses": [], "alone": False}
    return defaults | notebook.metadata.get("mnist_tutorial", {})


def digests() -> dict[str, str]:
    """For each notebook, in order, a digest of all that its execution depends on."""
    common = hashlib.sha256()
    helpers = ROOT / "mnist_helpers"
    for path in [
        *sorted(helpers.glob("*.*")),
        *sorted(helpers.glob("records/*")),
        ROOT / "requirements.lock",
    ]:
        common.update(path.read_bytes())
    for name in ("MNIST_NPZ", "MNIST_OFFLINE", "MNIST_ARTIFACTS"):
        common.update(f"{name}={os.environ.get(name, '')}\n".encode())
    answer, digest_of_keeper = {}, {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        networks = told(notebook)
        digest = common.copy()
        cells = [[cell.source, cell.metadata] for cell in notebook.cells]
        digest.update(json.dumps(cells, sort_keys=True).encode())
        for network in networks["uses"]:
            digest.update(digest_of_keeper.get(network, "").encode())
        answer[path.stem] = digest.hexdigest()
        digest_of_keeper |= dict.fromkeys(networks["keeps"], answer[path.stem])
    return answer


def measured_before(name: str, digest: str) -> dict | None:
    """What was measured of a notebook that need not be executed again, or None."""
    entry = read_json(BUILD / "current" / f"{name}.json")
    outcomes = [BUILD / "notebooks" / f"{name}.ipynb"]
    for network in entry.get("keeps", []):
        outcomes += [
            folder / f"{network}.keras" for folder in (artifacts_folder(), BUILD / "networks")
        ]
    if entry.get("digest") != digest or not all(path.exists() for path in outcomes):
        return None
    return entry


def places() -> list[list[int] | None]:
    """Where notebooks run side by side: on each half of the cores, or [None], one on all."""
    process = psutil.Process()
    if not hasattr(process, "cpu_affinity") or psutil.virtual_memory().available < MEMORY_OF_TWO:
        return [None]
    cores = process.cpu_affinity()
    middle = len(cores) // 2
    return [cores[:middle], cores[middle:]] if middle else [None]


def next_one(waiting: list[str], running: list[str], tells: dict[str, dict]) -> str | None:
    """The waiting notebook that should start next while others run, or None.

    A notebook waits for those before it that keep a network it uses. One that measures times
    is alone: it waits for all before it, and all behind it wait for it. Of those that may start,
    one that keeps a network comes first, since others wait for it, and one that neither keeps
    nor uses any comes last, since it can start at any time.
    """
    ready = []
    for number, name in enumerate(waiting):
        used = set(tells[name]["uses"])
        before = [tells[other] for other in running + waiting[:number]]
        if tells[name]["alone"] and before:
            continue
        if not any(other["alone"] or used & set(other["keeps"]) for other in before):
            ready.append(name)
    return min(
        ready,
        key=lambda name: (not tells[name]["keeps"], not tells[name]["uses"]),
        default=None,
    )


def execute_side_by_side(wanted: dict[str, str], dataset: str) -> dict[str, dict]:
    """Execute notebooks, given with their digests; return what was measured of each.

    If one fails, no other is started, and what else runs is waited for. Raises NotebookFailed.
    """
    waiting, running, measured, failure = list(wanted), {}, {}, None
    paths = {name: NOTEBOOKS / f"{name}.ipynb" for name in wanted}
    tells = {name: told(nbformat.read(path, as_version=4)) for name, path in paths.items()}
    cores = places()
    free = set(range(len(cores)))
    with ThreadPoolExecutor(len(cores)) as pool:
        while running or waiting:
            while free and (name := next_one(waiting, [n for n, *_ in running.values()], tells)):
                waiting.remove(name)
                print(f"{name}: executing", flush=True)
                line = min(free)
                free.remove(line)
                alone = tells[name]["alone"] or (not running and not waiting)
                output = BUILD / "notebooks" / paths[name].name
                options = {"cores": None if alone else cores[line], "line": line}
                began = time.time()
                running[pool.submit(execute, paths[name], output, **options)] = name, line, began
            try:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
            except KeyboardInterrupt:
                # A terminal sends Ctrl-C to the children too, but not everything does.
                for child in psutil.Process().children():
                    child.kill()
                raise
            for job in done:
                name, line, began = running.pop(job)
                free.add(line)
                try:
                    report = job.result()
                except NotebookFailed as error:
                    failure, waiting = failure or error, []
                    continue
                take_networks(tells[name]["keeps"], began)
                report |= {"digest": wanted[name], "keeps": tells[name]["keeps"]}
                measured[name] = report | {"dataset": dataset, "machine": this_machine()}
                write_json(BUILD / "current" / f"{name}.json", measured[name])
    if failure:
        raise failure
    return measured


def take_networks(names: list[str], since: float) -> None:
    """Put the networks that a notebook has kept since then where the pages take theirs from.

    A learner may train another one at any time, and artifacts/ then holds that.
    """
    of_run = BUILD / "networks"
    of_run.mkdir(parents=True, exist_ok=True)
    for name in names:
        kept, taken = (folder / f"{name}.keras" for folder in (artifacts_folder(), of_run))
        if kept.exists() and kept.stat().st_mtime >= since - 1:
            shutil.copyfile(kept, taken)
        else:  # nothing could be kept
            taken.unlink(missing_ok=True)


def run_all(everything: bool = False) -> dict:
    """Execute what has changed (or everything); write and return build/results.json."""
    if everything:
        shutil.rmtree(BUILD / "current", ignore_errors=True)
    wanted = digests()
    measured = {name: measured_before(name, digest) for name, digest in wanted.items()}
    for name in [name for name in wanted if measured[name]]:
        print(f"{name}: unchanged", flush=True)
        del wanted[name]
    if wanted:
        # Loaded here first, so that a download is made once.
        measured |= execute_side_by_side(wanted, load_mnist().name)
    return write_results(measured)


def write_results(measured: dict[str, dict]) -> dict:
    results = {"dataset": "", "models": {}, "notebooks": {}}
    for name, entry in measured.items():
        results["dataset"] = entry["dataset"]
        for model, report in entry["models"].items():
            # A later notebook that meets the same network again does not replace the first report.
            results["models"].setdefault(model, report)
        results["notebooks"][name] = {key: entry[key] for key in ("seconds", "peak_rss_mb")}
    write_json(BUILD / "results.json", results)
    return results


def about_this_run(notebooks: list[str]) -> dict:
    """What the pages tell besides the notebooks: data and machine of each, where to find them."""
    entries = {name: read_json(BUILD / "current" / f"{name}.json") for name in notebooks}
    executed = {
        name: {key: entry[key] for key in ("dataset", "machine") if key in entry}
        for name, entry in entries.items()
    }
    try:
        return {"executed": executed} | links()
    except ValueError:  # a ZIP, or a clone that nobody else can reach
        return {"executed": executed}


def render_site() -> None:
    """Render build/site/ anew, if anything that stands in it has changed."""
    solutions = BUILD / "notebooks" / "solutions"
    shutil.rmtree(solutions, ignore_errors=True)
    # A teacher may have taken them out.
    if (NOTEBOOKS / "solutions").is_dir():
        shutil.copytree(NOTEBOOKS / "solutions", solutions)
    tools = ROOT / "tools"
    sources = [tools / "build_site.py", tools / "covers.py"]
    sources += sorted((tools / "site_template").iterdir())
    sources += sorted((BUILD / "notebooks").glob("**/*.ipynb"))
    # The live parts. A view that JupyterLab shows too is among the helpers: where it changes, the
    # notebooks are executed again.
    sources += [tools / "live.py", tools / "export_networks.py"]
    sources += sorted((BUILD / "networks").glob("*.keras"))
    about = about_this_run([path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))])
    content = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    content.update(json.dumps(about).encode())
    digest = content.hexdigest()
    rendered = BUILD / "current" / "site.json"
    if read_json(rendered).get("digest") == digest and (BUILD / "site" / "index.html").exists():
        return
    from build_site import build_site
    from export_networks import export_networks

    try:
        export_networks(BUILD / "networks", BUILD / "site")
    except ValueError as error:
        sys.exit(f"run: no reading view: {error}")
    build_site(BUILD / "notebooks", BUILD / "site", about)
    write_json(rendered, {"digest": digest})


def print_table(results: dict) -> None:
    print(f"\nResults on {results['dataset']}")
    print(f"{'network':<10}{'parameters':>12}{'epochs':>8}{'seconds':>9}{'test accuracy':>15}")
    for name, row in results["models"].items():
        print(
            f"{name:<10}{row['parameters']:>12,}{row['epochs']:>8}{row['fit_seconds']:>9.1f}"
            f"{row['test_accuracy']:>15.2%}"
        )
    print(f"\n{'notebook':<28}{'seconds':>9}{'peak memory':>14}")
    for name, row in results["notebooks"].items():
        print(f"{name:<28}{row['seconds']:>9.0f}{row['peak_rss_mb']:>11,} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--everything", action="store_true", help="also what has not changed")
    everything = parser.parse_args().everything
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            take_lock(lock, wait=False)
        except BlockingIOError:
            sys.exit("run: another `make run` is at work in this checkout; wait for it to end")
        started = time.perf_counter()
        try:
            results = run_all(everything)
        except (MnistError, NotebookFailed) as error:
            sys.exit(f"run: {error}")
        except KeyboardInterrupt:
            sys.exit("\nrun: interrupted; `make run` goes on with what is missing")
        print_table(results)
        render_site()
        print(f"\nReading view: build/site/index.html ({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main()
