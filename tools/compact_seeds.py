"""Train the compact network of notebook 05 with five seeds; add them to build/results.json.

The notebook itself is executed, so its recipe stands in one place only; what it does before
and after the final network is made as short as it goes.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from execute import ROOT, execute
from run import BUILD, read_json, write_json

NOTEBOOK = ROOT / "notebooks" / "05_going_further.ipynb"
SHORT = {"ladder_images": 1_000, "ladder_seeds": 1, "speed_images": 1_000}


def train_seeds(seeds: list[int], **parameters) -> list[dict]:
    """What the notebook reports of the compact network, for each seed."""
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        # The network that notebook 05 kept for the others stays as it is.
        os.environ["MNIST_ARTIFACTS"] = folder
        for seed in seeds:
            chosen = SHORT | parameters | {"seed": seed}
            measured = execute(NOTEBOOK, Path(folder) / "executed.ipynb", chosen)
            reports.append(measured["models"]["compact"])
            print(f"seed {seed}: {reports[-1]['test_accuracy']:.2%}", flush=True)
    return reports


def keep(accuracies: list[float]) -> None:
    """Add the list to build/results.json, and leave the rest of that file as it is."""
    from mnist_helpers import load_mnist

    BUILD.mkdir(exist_ok=True)
    results = read_json(BUILD / "results.json")
    dataset = load_mnist().name
    if results.get("dataset", dataset) != dataset:
        print(f"build/results.json is about {results['dataset']}: `make run` first")
        return
    write_json(BUILD / "results.json", {"dataset": dataset, **results, "compact_seeds": accuracies})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    accuracies = [report["test_accuracy"] for report in train_seeds(parser.parse_args().seeds)]
    keep(accuracies)
    print(f"mean {statistics.mean(accuracies):.2%}, lowest {min(accuracies):.2%}")


if __name__ == "__main__":
    main()
