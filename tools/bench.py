"""Measure the tutorial side by side with the 2019 notebook's code, with PyTorch and with JAX.

Prints tables and writes them to build/bench.md. PyTorch and Keras on JAX are left out where they
are not installed; TORCH_PYTHON and JAX_PYTHON name interpreters that have them:
`TORCH_PYTHON=/path/to/python make bench`. `--quick` measures next to nothing, in a few minutes,
to see that everything works.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import nbformat
import numpy as np
import pandas as pd
import psutil
from execute import ROOT
from machine import processor
from nbclient import NotebookClient
from run import BUILD

from mnist_helpers import EXAMPLE_DRAWINGS, DrawingPad, load_mnist
from mnist_helpers.offline_digits import make_offline_digits

FULL = {"train_images": 60_000, "batch_size": 100, "dense_epochs": 20, "cnn_epochs": 4}
QUICK = FULL | {"train_images": 5_000, "dense_epochs": 1, "cnn_epochs": 1}
NAMES = {"seed": "2019 code", "tutorial": "this tutorial", "torch": "PyTorch", "jax": "JAX"}
COSTS = ["dense s", "CNN s", "peak MB"]
FORMATS = dict.fromkeys(COSTS, "{:,.1f}".format)
FORMATS |= dict.fromkeys(["dense accuracy", "CNN accuracy"], "{:.2%}".format)


def find_variants() -> dict[str, str]:
    """The variants that can run on this machine, and the Python of each."""
    pythons = {"seed": sys.executable, "tutorial": sys.executable}
    for name, needed in {"torch": "numpy, torch", "jax": "keras, jax"}.items():
        python = os.environ.get(f"{name.upper()}_PYTHON", sys.executable)
        command = [python, "-c", f"import {needed}"]
        environment = os.environ | {"KERAS_BACKEND": "jax"}
        if subprocess.run(command, env=environment, capture_output=True).returncode == 0:
            pythons[name] = python
    return pythons


def train_once(variant: str, python: str, arrays: Path, settings: dict) -> dict:
    """Train both networks in a process of its own; give what it measured."""
    program = ROOT / "tools" / "bench_variants.py"
    command = [python, program, variant, arrays, json.dumps(settings)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"variant {variant} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(frame: pd.DataFrame, **options) -> str:
    return f"```\n{frame.rename_axis(None).to_string(**options)}\n```"


def side_by_side(arrays: Path, settings: dict, rounds: int) -> str:
    """Medians of several rounds, each in the reverse order of the one before, and ratios."""
    pythons = find_variants()
    order = list(pythons)
    reports = []
    for number in range(rounds):
        for variant in order:
            print(f"round {number + 1} of {rounds}: {NAMES[variant]}", flush=True)
            report = train_once(variant, pythons[variant], arrays, settings)
            reports.append({"round": number, "program": NAMES[variant]} | report)
        order.reverse()

    runs = pd.DataFrame(reports).set_index(["program", "round"])
    # Within a round, what else the machine does slows both down.
    ours = runs.loc[NAMES["tutorial"], COSTS].reindex(runs.index, level="round")
    ratios = (ours / runs[COSTS]).groupby("program", sort=False).median().drop(NAMES["tutorial"])
    programs = runs.groupby("program", sort=False)
    medians = programs.median(numeric_only=True).join(programs["runs on"].first())
    parts = [f"Medians of {rounds}:", table(medians, formatters=FORMATS)]
    parts += ["This tutorial, divided by:", table(ratios, float_format="{:.2f}".format)]
    parts += [f"{NAMES[name]}: not installed here." for name in NAMES if name not in pythons]
    return "\n\n".join(parts)


def growth(arrays: Path, settings: dict, sizes: list[int]) -> str:
    rows = []
    for size in sizes:
        for batch_size in (100, 1_000):
            print(f"growth: {size:,} images, batches of {batch_size:,}", flush=True)
            # A fifth is held out for validation and not trained on.
            chosen = settings | {"train_images": size * 5 // 4, "batch_size": batch_size}
            report = train_once("tutorial", sys.executable, arrays, chosen)
            rows.append({"training images": size, "batch size": batch_size} | report)
    frame = pd.DataFrame(rows)[["training images", "batch size", *COSTS]]
    return table(frame, formatters=FORMATS, index=False)


def median_ms(step: Callable, repeats: int, before: Callable = lambda: None) -> float:
    times = []
    for _ in range(repeats):
        before()
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


def waits() -> str:
    """How long a learner waits for the first things, and for the drawing pad."""
    from mnist_helpers import build_dense

    notebook = nbformat.read(ROOT / "notebooks" / "01_data_exploration.ipynb", as_version=4)
    first = next(i for i, cell in enumerate(notebook.cells) if "show_figure(" in cell.source)
    notebook.cells = notebook.cells[: first + 1]
    client = NotebookClient(notebook)
    importing = [sys.executable, "-c", "import mnist_helpers"]
    steps = {
        "start Python, import mnist_helpers": lambda: subprocess.run(importing, check=True),
        "draw the offline digits, once for each user": make_offline_digits,
        "start a kernel, show the first figure of 01": lambda: client.execute(
            stderr=subprocess.DEVNULL
        ),
    }
    print("waits", flush=True)
    rows = {f"{name} (median of 3)": median_ms(step, 3) for name, step in steps.items()}
    pad = DrawingPad({"dense network": build_dense()})
    rows["the kernel's part of an answer of the drawing pad (median of 50)"] = median_ms(
        lambda: pad.set_trait("strokes", EXAMPLE_DRAWINGS[5]),
        repeats=50,
        before=lambda: pad.set_trait("strokes", []),
    )
    return table(pd.Series(rows).to_frame("ms"), float_format="{:,.1f}".format)


def machine() -> str:
    memory = psutil.virtual_memory().total / 1e9
    return f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round")
    parser.add_argument("--rounds", type=int, default=3, help="of the side-by-side part")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    settings, sizes, rounds = FULL, [6_000, 12_000, 24_000, 48_000], arguments.rounds
    if arguments.quick:
        settings, sizes, rounds = QUICK, [1_000, 2_000], 1

    data = load_mnist()
    used = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in settings.items())
    parts = ["# Benchmark", f"Machine: {machine()}. Data: {data.name}. {used}."]
    parts += ["**Quick mode: the figures mean nothing.**"] if arguments.quick else []
    with tempfile.TemporaryDirectory() as folder:
        # Uncompressed, for a Python that has none of the tutorial's packages.
        arrays = Path(folder) / "arrays.npz"
        names = ("x_train", "y_train", "x_test", "y_test")
        np.savez(arrays, **{name: getattr(data, name) for name in names})
        parts += ["## Side by side", side_by_side(arrays, settings, rounds)]
        parts += ["## How cost grows", growth(arrays, settings, sizes)]
    parts += ["## What a learner waits for", waits()]
    report = "\n\n".join(parts) + "\n"
    BUILD.mkdir(exist_ok=True)
    target = BUILD / ("bench-quick.md" if arguments.quick else "bench.md")
    target.write_text(report)
    print(f"\n{report}\nWritten to build/{target.name}")


if __name__ == "__main__":
    main()
