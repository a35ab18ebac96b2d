"""Measure the tutorial side by side with the 2019 notebook's code and with PyTorch.

Prints two tables. PyTorch takes part if TORCH_PYTHON names an interpreter that has it:
`TORCH_PYTHON=/path/to/python make bench`.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd

from mnist_helpers import load_mnist
from tools.machine import this_machine

OURS = "this tutorial"
ROUNDS = 3
EPOCHS = {"dense": "20", "CNN": "4"}


def tables(runs: pd.DataFrame) -> str:
    """Medians over the rounds, and medians of the ratios within a round."""
    medians = runs.groupby("program", sort=False).median(numeric_only=True).drop(columns="round")
    # Within a round, whatever else the machine does slows down all.
    costs = runs.set_index(["program", "round"])[["dense s", "CNN s", "peak MB"]]
    ratios = (costs.loc[OURS] / costs).groupby("program", sort=False).median().drop(OURS)
    first = medians.to_string(float_format="{:,.4g}".format)
    second = ratios.to_string(float_format="{:.2f}".format)
    return f"Medians:\n\n{first}\n\nThis tutorial, divided by:\n\n{second}"


def main() -> None:
    pythons = {"2019 code": sys.executable, OURS: sys.executable}
    if os.environ.get("TORCH_PYTHON"):
        pythons["PyTorch"] = os.environ["TORCH_PYTHON"]
    data, runs = load_mnist(), []
    with tempfile.TemporaryDirectory() as folder:
        # Uncompressed, for a Python that has none of the tutorial's packages.
        path = os.path.join(folder, "arrays.npz")
        fields = ("x_train", "y_train", "x_test", "y_test")
        np.savez(path, **{field: getattr(data, field) for field in fields})
        for number in range(ROUNDS):
            # Every round goes in the reverse order of the last one.
            for program in list(pythons)[:: (-1) ** number]:
                print(program, flush=True)
                command = [pythons[program], "-m", "tools.measure.variants", program, path]
                report = subprocess.check_output([*command, *EPOCHS.values()], text=True)
                runs.append({"program": program, "round": number} | json.loads(report))
    print(f"\n{this_machine()}. {data.name}, a fifth of the training images held out.")
    print(f"Epochs: {EPOCHS}. Rounds: {ROUNDS}.\n\n{tables(pd.DataFrame(runs))}")


if __name__ == "__main__":
    main()
