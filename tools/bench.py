"""Measure the tutorial side by side with the 2019 notebook's code and with PyTorch.

Prints Markdown tables and writes them to build/bench.md. PyTorch is left out where it is not
installed; `TORCH_PYTHON=/path/to/python make bench` names an interpreter that has it.
`--quick` measures next to nothing, in a few minutes, to see that everything works.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import numpy as np
import psutil
from compact_seeds import keep, train_seeds
from execute import ROOT, execute
from nbclient import NotebookClient
from run import BUILD

from mnist_helpers.offline_digits import make_offline_digits

TOOLS = ROOT / "tools"
FULL = {"train_images": 60_000, "batch_size": 100, "dense_epochs": 20, "cnn_epochs": 4}
# (what, measured by, against, target): the tutorial's share of the other's seconds or memory.
TARGETS = [
    ("dense, seconds", "dense_seconds", "seed", 0.40),
    ("CNN, seconds", "cnn_seconds", "seed", 0.65),
    ("peak memory", "peak_mb", "seed", 0.55),
    ("dense, seconds", "dense_seconds", "torch", 1.0),
    ("CNN, seconds", "cnn_seconds", "torch", 0.8),
]
NAMES = {"seed": "the 2019 code", "tutorial": "this tutorial", "torch": "PyTorch"}


def train_once(variant: str, arrays: Path, settings: dict, python: str = sys.executable) -> dict:
    """Train both networks in a process of its own; give what it measured."""
    command = [python, TOOLS / f"bench_{variant}.py", arrays, json.dumps(settings)]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"bench_{variant}.py failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def find_torch() -> tuple[str, str] | None:
    """An interpreter that has PyTorch, and PyTorch's version; None if there is none."""
    python = os.environ.get("TORCH_PYTHON", sys.executable)
    command = [python, "-c", "import numpy, torch; print(torch.__version__)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return None
    return (python, done.stdout.strip()) if done.returncode == 0 else None


def side_by_side(arrays: Path, settings: dict, rounds: int, torch) -> dict[str, list[dict]]:
    """Several rounds of all variants, each round in the reverse order of the one before."""
    measured = {"seed": [], "tutorial": []} | ({"torch": []} if torch else {})
    order = list(measured)
    for number in range(rounds):
        for variant in order:
            print(f"round {number + 1} of {rounds}: {NAMES[variant]}", flush=True)
            python = torch[0] if variant == "torch" else sys.executable
            measured[variant].append(train_once(variant, arrays, settings, python))
        order.reverse()
    return measured


def median(reports: list[dict], key: str) -> float:
    return statistics.median(report[key] for report in reports)


def ratio(measured: dict, key: str, against: str) -> float:
    """Median, over the rounds, of the tutorial's figure divided by the other's."""
    pairs = zip(measured["tutorial"], measured[against], strict=True)
    return statistics.median(ours[key] / theirs[key] for ours, theirs in pairs)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table whose columns line up, so that it reads well on a terminal too."""
    widths = [max(len(str(row[i])) for row in [heads, *rows]) for i in range(len(heads))]
    lines = [heads, ["-" * width for width in widths], *rows]
    padded = [[str(c).ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def results_section(measured: dict) -> str:
    heads = ["", "dense s", "CNN s", "peak MB", "dense accuracy", "CNN accuracy"]
    rows = []
    for variant, reports in measured.items():
        seconds = [f"{median(reports, key):.1f}" for key in ("dense_seconds", "cnn_seconds")]
        accuracy = [f"{median(reports, key):.2%}" for key in ("dense_accuracy", "cnn_accuracy")]
        rows.append([NAMES[variant], *seconds, f"{median(reports, 'peak_mb'):.0f}", *accuracy])
    return table(heads, rows)


def target_row(what: str, against: str, value: float, target: float) -> list[str]:
    verdict = "met" if value <= target else "missed"
    return [what, NAMES[against], f"{value:.2f}", f"at most {target:.2f}", verdict]


def targets_section(measured: dict, compact_seconds: float) -> str:
    rows = [
        target_row(what, against, ratio(measured, key, against), target)
        for what, key, against, target in TARGETS
        if against in measured
    ]
    share = compact_seconds / median(measured["seed"], "cnn_seconds")
    rows.append(target_row("compact network, against the CNN, seconds", "seed", share, 1.5))
    return table(["this tutorial", "against", "ratio", "target", ""], rows)


def compact_section(reports: list[dict]) -> str:
    accuracies = [report["test_accuracy"] for report in reports]
    heads = ["seed", "test accuracy", "seconds"]
    rows = [
        [str(seed), f"{report['test_accuracy']:.2%}", f"{report['fit_seconds']:.1f}"]
        for seed, report in enumerate(reports, start=1)
    ]
    mean = statistics.mean(accuracies)
    verdict = "met" if mean >= 0.995 else "missed"
    return f"{table(heads, rows)}\n\nMean {mean:.3%}; target at least 99.5 % on MNIST: {verdict}."


def start_section() -> str:
    """Seconds to import the helpers, to draw the offline digits, to the first figure of 01."""
    code = "import time; s = time.perf_counter(); import mnist_helpers"
    code += "; print(time.perf_counter() - s)"
    imports, drawings, figures = [], [], []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        imports.append(float(done.stdout))
        start = time.perf_counter()
        make_offline_digits()
        drawings.append(time.perf_counter() - start)
        notebook = nbformat.read(ROOT / "notebooks" / "01_data_exploration.ipynb", as_version=4)
        first = next(i for i, cell in enumerate(notebook.cells) if "show_figure(" in cell.source)
        notebook.cells = notebook.cells[: first + 1]
        start = time.perf_counter()
        NotebookClient(notebook).execute()
        figures.append(time.perf_counter() - start)
    rows = [
        ["import mnist_helpers", f"{statistics.median(imports):.2f} s"],
        ["draw the offline digits, once for each user", f"{statistics.median(drawings):.1f} s"],
        ["start a kernel, show the first figure of 01", f"{statistics.median(figures):.1f} s"],
    ]
    return table(["", "median of 3"], rows)


def growth_section(arrays: Path, settings: dict, sizes: list[int]) -> str:
    heads = ["training images", "batch size", "dense s", "CNN s", "peak MB"]
    rows = []
    for size in sizes:
        for batch_size in (100, 1_000):
            print(f"growth: {size:,} images, batches of {batch_size:,}", flush=True)
            # A fifth is held out for validation and not trained on.
            chosen = settings | {"train_images": size * 5 // 4, "batch_size": batch_size}
            report = train_once("tutorial", arrays, chosen)
            figures = [f"{report[key]:.1f}" for key in ("dense_seconds", "cnn_seconds")]
            rows.append([f"{size:,}", f"{batch_size:,}", *figures, f"{report['peak_mb']:.0f}"])
    return table(heads, rows)


def peak_of_learners(count: int, parameters: dict) -> float:
    """Peak memory, in MB, of `count` kernels that run notebook 02 at the same time.

    Pages that kernels share are counted once where the system tells (Linux).
    """
    peak, done = 0.0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.3):
            peak = max(peak, sum(map(memory_mb, psutil.Process().children(recursive=True))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    notebook = ROOT / "notebooks" / "02_dense_network.ipynb"
    try:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(count) as pool:
            outputs = [Path(folder) / f"{number}.ipynb" for number in range(count)]
            list(pool.map(lambda output: execute(notebook, output, parameters), outputs))
    finally:
        done.set()
        watcher.join()
    return peak


def memory_mb(process: psutil.Process) -> float:
    """Memory of a process that runs notebook code; 0 for others and for ended ones."""
    try:
        if "ipykernel_launcher" not in " ".join(process.cmdline()):
            return 0.0
        info = process.memory_full_info()
        return getattr(info, "pss", info.uss) / 1e6
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0


def learners_section(parameters: dict) -> str:
    counts = (1, 3)
    peaks = []
    for count in counts:
        print(f"learners: {count} at once", flush=True)
        peaks.append(peak_of_learners(count, parameters))
    each = max((peaks[1] - peaks[0]) / (counts[1] - counts[0]), 1)
    total = psutil.virtual_memory().total / 1e6
    fit = 1 + int((0.9 * total - peaks[0]) // each)
    rows = [[str(count), f"{peak:,.0f}"] for count, peak in zip(counts, peaks, strict=True)]
    return (
        f"{table(['kernels of notebook 02 at once', 'peak MB together'], rows)}\n\n"
        f"Each further learner takes about {each:,.0f} MB. In nine tenths of this machine's "
        f"{total / 1000:,.0f} GB fit {fit}."
    )


def machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass  # not Linux, or a processor that gives no name
    memory = psutil.virtual_memory().total / 1e9
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"


def write_arrays(path: Path) -> str:
    """Write the data set uncompressed, for children without the tutorial's packages."""
    from mnist_helpers import load_mnist

    data = load_mnist()
    names = ("x_train", "y_train", "x_test", "y_test")
    np.savez(path, **{name: getattr(data, name) for name in names})
    return data.name


def measure(quick: bool, rounds: int) -> str:
    small = {"train_images": 5_000, "dense_epochs": 1, "cnn_epochs": 1}
    settings = FULL | small if quick else FULL
    sizes = [1_000, 2_000] if quick else [6_000, 12_000, 24_000, 48_000]
    seeds = [1] if quick else [1, 2, 3, 4, 5]
    torch = find_torch()
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        dataset = write_arrays(arrays)
        measured = side_by_side(arrays, settings, 1 if quick else rounds, torch)
        growth = growth_section(arrays, settings, sizes)
    compact = train_seeds(seeds, **({"epochs": 1, "train_images": 5_000} if quick else {}))
    if not quick:
        keep([report["test_accuracy"] for report in compact])
    lessons = {"epochs": 1, "lab_epochs": 1, "train_images": 5_000} if quick else {}
    parts = [
        "# Benchmark\n",
        f"Machine: {machine()}. Data: {dataset}. {dict_text(settings)}.",
        "**Quick mode: the figures mean nothing.**" if quick else "",
        f"## Side by side\n\nMedians of {len(measured['seed'])} rounds.\n",
        results_section(measured),
        f"PyTorch {torch[1]}." if torch else "PyTorch is not installed here: left out.",
        "## Targets\n",
        targets_section(measured, median(compact, "fit_seconds")),
        "## The compact network\n",
        compact_section(compact),
        "## From nothing to the first figure\n",
        start_section(),
        "## How cost grows\n",
        growth,
        "## How many learners fit\n",
        learners_section(lessons),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"


def dict_text(settings: dict) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in settings.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the tool")
    parser.add_argument("--rounds", type=int, default=3, help="of the side-by-side part")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    report = measure(arguments.quick, arguments.rounds)
    BUILD.mkdir(exist_ok=True)
    target = BUILD / ("bench-quick.md" if arguments.quick else "bench.md")
    target.write_text(report)
    print(f"\n{report}\nWritten to build/{target.name}")


if __name__ == "__main__":
    main()
