"""Measure the tutorial side by side with the 2019 notebook's code and with PyTorch.

Prints two tables and writes them to build/bench.md. PyTorch takes part if TORCH_PYTHON names an
interpreter that has it: `TORCH_PYTHON=/path/to/python make bench`. `--quick` measures next to
nothing, in a minute or two, to see that everything works.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from mnist_helpers import load_mnist
from tools.machine import this_machine

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = {"seed": "2019 code", "tutorial": "this tutorial", "torch": "PyTorch"}
COSTS = ["dense s", "CNN s", "peak MB"]


def measure(arrays: Path, epochs: tuple[int, int], rounds: int) -> pd.DataFrame:
    """A row for each program and round; every round goes in the reverse order of the last one."""
    pythons = {"seed": sys.executable, "tutorial": sys.executable}
    if os.environ.get("TORCH_PYTHON"):
        pythons["torch"] = os.environ["TORCH_PYTHON"]
    order, rows = list(pythons), []
    for number in range(rounds):
        for variant in order:
            print(f"round {number + 1} of {rounds}: {NAMES[variant]}", flush=True)
            command = [pythons[variant], "-m", "tools.measure.variants", variant, arrays]
            options = {"cwd": ROOT, "env": os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}}
            options |= {"capture_output": True, "text": True}
            done = subprocess.run([*command, *map(str, epochs)], **options)
            if done.returncode != 0:
                raise RuntimeError(f"variant {variant} failed:\n{done.stderr[-2000:]}")
            row = json.loads(done.stdout.splitlines()[-1])
            rows.append({"program": NAMES[variant], "round": number} | row)
        order.reverse()
    return pd.DataFrame(rows).set_index(["program", "round"])


def tables(runs: pd.DataFrame) -> str:
    """Medians over the rounds, and medians of the ratios within a round."""
    # Within a round, whatever else the machine does slows down all.
    ours = runs.loc[NAMES["tutorial"], COSTS].reindex(runs.index, level="round")
    ratios = (ours / runs[COSTS]).groupby("program", sort=False).median().drop(NAMES["tutorial"])
    programs = runs.groupby("program", sort=False)
    medians = programs.median(numeric_only=True).join(programs["runs on"].first())
    first = medians.rename_axis(None).to_string(float_format="{:,.4g}".format)
    second = ratios.rename_axis(None).to_string(float_format="{:.2f}".format)
    return f"Medians:\n\n```\n{first}\n```\n\nThis tutorial, divided by:\n\n```\n{second}\n```\n"


def main() -> None:
    quick = "--quick" in sys.argv
    images, epochs, rounds = (5_000, (1, 1), 1) if quick else (60_000, (20, 4), 3)
    data = load_mnist()
    with tempfile.TemporaryDirectory() as folder:
        # Uncompressed, for a Python that has none of the tutorial's packages.
        path = Path(folder) / "arrays.npz"
        train = {"x_train": data.x_train[:images], "y_train": data.y_train[:images]}
        np.savez(path, **train, x_test=data.x_test, y_test=data.y_test)
        runs = measure(path, epochs, rounds)
    about = f"{this_machine()}. {data.name}: {images:,} images, a fifth of them held out. Epochs: "
    about += f"dense network {epochs[0]}, CNN {epochs[1]}. Rounds: {rounds}."
    report = f"# Benchmark\n\n{about}\n\n{tables(runs)}"
    target = ROOT / "build" / ("bench-quick.md" if quick else "bench.md")
    target.parent.mkdir(exist_ok=True)
    target.write_text(report)
    print(f"\n{report}\nWritten to build/{target.name}")


if __name__ == "__main__":
    main()
