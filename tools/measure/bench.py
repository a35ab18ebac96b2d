"""Measure the tutorial side by side with the 2019 notebook's code and with PyTorch.

Prints two tables and writes them to build/bench.md. PyTorch takes part if TORCH_PYTHON names an
interpreter that has it: `TORCH_PYTHON=/path/to/python make bench`.
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
OURS = "this tutorial"
ROUNDS = 3
EPOCHS = {"dense": "20", "CNN": "4"}


def measure(program: str, python: str, arrays: Path) -> dict:
    """What variants.py reports of a program."""
    print(program, flush=True)
    command = [python, "-m", "tools.measure.variants", program, arrays, *EPOCHS.values()]
    variables = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    options = {"stdout": subprocess.PIPE, "text": True, "check": True}
    done = subprocess.run(command, cwd=ROOT, env=variables, **options)
    return {"program": program} | json.loads(done.stdout.splitlines()[-1])


def tables(runs: pd.DataFrame) -> str:
    """Medians over the rounds, and medians of the ratios within a round."""
    medians = runs.groupby("program", sort=False).median(numeric_only=True)
    # Within a round, whatever else the machine does slows down all.
    costs = runs.set_index(["program", "round"])[["dense s", "CNN s", "peak MB"]]
    ratios = (costs.loc[OURS] / costs).groupby("program", sort=False).median()
    first = medians.drop(columns="round").to_string(float_format="{:,.4g}".format)
    second = ratios.drop(OURS).to_string(float_format="{:.2f}".format)
    return f"Medians:\n\n```\n{first}\n```\n\nThis tutorial, divided by:\n\n```\n{second}\n```\n"


def main() -> None:
    pythons = {"2019 code": sys.executable, OURS: sys.executable}
    if os.environ.get("TORCH_PYTHON"):
        pythons["PyTorch"] = os.environ["TORCH_PYTHON"]
    data, runs = load_mnist(), []
    with tempfile.TemporaryDirectory() as folder:
        # Uncompressed, for a Python that has none of the tutorial's packages.
        path = Path(folder) / "arrays.npz"
        fields = ("x_train", "y_train", "x_test", "y_test")
        np.savez(path, **{field: getattr(data, field) for field in fields})
        for number in range(ROUNDS):
            # Every round goes in the reverse order of the last one.
            for program in list(pythons)[:: (-1) ** number]:
                runs.append({"round": number} | measure(program, pythons[program], path))
    about = f"{this_machine()}. {data.name}, a fifth of the training images held out. Epochs: "
    about += f"{EPOCHS}. Rounds: {ROUNDS}."
    report = f"# Benchmark\n\n{about}\n\n{tables(pd.DataFrame(runs))}"
    target = ROOT / "build" / "bench.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(report)
    print(f"\n{report}\nWritten to {target}")


if __name__ == "__main__":
    main()
