"""The main job: execute the notebooks in order, collect the results, render the reading view."""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from pathlib import Path

import nbformat
from execute import ROOT, NotebookFailed, execute

from mnist_helpers.files import write_atomically

NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "build"


def write_json(path: Path, content: dict) -> None:
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(path, lambda part: part.write_text(text))


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def digests() -> dict[str, str]:
    """For each notebook, in order, a digest of all that its execution depends on."""
    common = hashlib.sha256()
    for path in [*sorted((ROOT / "mnist_helpers").glob("*.*")), ROOT / "requirements.lock"]:
        common.update(path.read_bytes())
    for name in ("MNIST_NPZ", "MNIST_OFFLINE", "MNIST_ARTIFACTS"):
        common.update(f"{name}={os.environ.get(name, '')}\n".encode())
    answer = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        sources = [cell.source for cell in nbformat.read(path, as_version=4).cells]
        digest = common.copy()
        digest.update("\0".join(sources).encode())
        answer[path.stem] = digest.hexdigest()
        # The notebooks after one that keeps a network may use that network.
        if any("save_run(" in source for source in sources):
            common.update(answer[path.stem].encode())
    return answer


def run_all(everything: bool = False) -> dict:
    """Execute what has changed (or everything); write and return build/results.json."""
    BUILD.mkdir(exist_ok=True)
    state = {} if everything else read_json(BUILD / "state.json")
    for name, digest in digests().items():
        output = BUILD / "notebooks" / f"{name}.ipynb"
        if state.get(name, {}).get("digest") == digest and output.exists():
            print(f"{name}: unchanged", flush=True)
            continue
        print(f"{name}: executing", flush=True)
        measured = execute(NOTEBOOKS / f"{name}.ipynb", output)
        state[name] = {"digest": digest, **measured}
        write_json(BUILD / "state.json", state)
    return write_results({name: state[name] for name in digests()})


def write_results(state: dict) -> dict:
    from mnist_helpers import load_mnist

    kept = read_json(BUILD / "results.json")
    results = {"dataset": load_mnist().name, "models": {}, "notebooks": {}}
    if "compact_seeds" in kept and kept.get("dataset") == results["dataset"]:
        results["compact_seeds"] = kept["compact_seeds"]
    for name, entry in state.items():
        # A later notebook that meets the same network again does not replace the first report.
        results["models"] = entry["models"] | results["models"]
        results["notebooks"][name] = {key: entry[key] for key in ("seconds", "peak_rss_mb")}
    write_json(BUILD / "results.json", results)
    return results


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
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("run: another `make run` is at work in this checkout; wait for it to end")
        started = time.perf_counter()
        try:
            results = run_all(everything)
        except NotebookFailed as error:
            sys.exit(f"run: {error}")
        except KeyboardInterrupt:
            sys.exit("\nrun: interrupted; `make run` goes on with the notebook it was at")
        from build_site import build_site

        solutions = BUILD / "notebooks" / "solutions"
        shutil.rmtree(solutions, ignore_errors=True)
        # A teacher may have taken them out.
        if (NOTEBOOKS / "solutions").is_dir():
            shutil.copytree(NOTEBOOKS / "solutions", solutions)
        build_site(BUILD / "notebooks", BUILD / "site")
        print_table(results)
        print(f"\nReading view: build/site/index.html ({time.perf_counter() - started:.0f} s)")


if __name__ == "__main__":
    main()
