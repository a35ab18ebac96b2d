"""Check a machine, or with --url a hub, before a class: each line passes, or says what to do."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from mnist_helpers import load_mnist
from mnist_helpers.checks import NEEDED_GB, free_memory_gb
from mnist_helpers.data import offline_is_chosen
from tools.machine import processor
from tools.tutorial import ROOT

ANEW = "Delete the folder .venv and run this again"


class Problem(Exception):
    """Something is not ready; the message says what, and what to do."""


def check_data() -> str:
    with redirect_stdout(StringIO()) as printed:
        data = load_mnist()
    if data.name != "MNIST" and not offline_is_chosen():
        remedy = "Put an mnist.npz where all can read it, or set MNIST_OFFLINE=1"
        raise Problem(f"{printed.getvalue().strip()} {remedy}: then nobody waits for the network")
    return f"{data.name}, {len(data.x_train):,} training and {len(data.x_test):,} test images"


def check_memory() -> str:
    free = free_memory_gb()
    if free < NEEDED_GB:
        needed = f"{free:.1f} GB free, and a notebook needs up to {NEEDED_GB:.0f} GB"
        raise Problem(f"{needed}. Close other programs and kernels")
    return f"{free:.1f} GB free"


def check_kernel() -> str:
    """JupyterLab's Python kernel starts, and is that of this installation."""
    cell = new_code_cell("import sys, mnist_helpers; print(sys.prefix)")
    folder = {"metadata": {"path": ROOT / "notebooks"}}
    client = NotebookClient(new_notebook(cells=[cell]), resources=folder, timeout=60)
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the kernel's log is not the teacher's business
    except CellExecutionError as error:
        raise Problem(f"{error.ename}: {error.evalue}. {ANEW}") from None
    prefix = cell.outputs[0].text.strip()
    if prefix != sys.prefix:
        remedy = "Remove its kernel: jupyter kernelspec remove python3"
        raise Problem(f"JupyterLab would use another Python ({prefix}). {remedy}")
    return "starts with this Python"


def check_tensorflow() -> str:
    """TensorFlow can be imported: in a process of its own, because a processor may end it."""
    command = [sys.executable, "-c", "import tensorflow"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        avx = f"{processor()} may have no AVX, which it needs"
        reason = [avx, *run.stderr.strip().splitlines()][-1]
        raise Problem(f"it cannot be imported: {reason}. {ANEW}")
    return "can be imported"


def one_epoch(data) -> tuple[float, float]:
    """Seconds of one epoch of notebook 02's network, and its accuracy on validation images.

    The start of TensorFlow is not counted. At a hub this source is run in a learner's kernel.
    """
    import time

    from mnist_helpers import build_dense, keras

    keras.utils.set_random_seed(1)
    model = build_dense()
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    labels = keras.utils.to_categorical(data.y_train, 10)
    started = time.perf_counter()
    fit = model.fit(data.x_train, labels, batch_size=100, validation_split=0.2, verbose=0)
    return time.perf_counter() - started, fit.history["val_accuracy"][0]


def judge_epoch(seconds: float, accuracy: float, limit: float) -> str:
    """What `one_epoch` says, if it is well; `limit` in seconds. Raises Problem otherwise."""
    if accuracy < 0.8:
        raise Problem(f"it reached {accuracy:.0%}, and 90 % is usual. Run `make test-quick`")
    if seconds > limit:
        remedy = "Close other programs, or lower `epochs` in the notebooks' parameters"
        raise Problem(f"it took {seconds:.0f} s, and notebook 02 trains for many. {remedy}")
    return f"{seconds:.1f} s, {accuracy:.0%} of the validation images right"


def passes(name: str, check: Callable[[], str]) -> bool:
    """Make a check, and print how it went."""
    try:
        print(f"ok       {name}: {check()}", flush=True)
        return True
    except Exception as error:  # whatever it is, the other checks are worth making
        reason = error if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
        print(f"PROBLEM  {name}: {reason}", flush=True)
        return False


def end(ready: bool) -> None:
    print("\nReady for class." if ready else "\nNot ready: mend this, then check again.")
    sys.exit(not ready)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow-epoch", type=float, default=15, metavar="SECONDS")
    parser.add_argument("--url", help="check a JupyterHub, as the one of JUPYTERHUB_API_TOKEN")
    arguments = parser.parse_args()
    if arguments.url:
        from tools.hub import check

        return check.main(arguments.url, arguments.slow_epoch)
    checks = {
        "Python": lambda: f"{platform.python_version()}, {os.cpu_count()} cores",
        "Data": check_data,
        "Memory": check_memory,
        "Kernel": check_kernel,
        "TensorFlow": check_tensorflow,
        "One epoch": lambda: judge_epoch(*one_epoch(load_mnist()), arguments.slow_epoch),
    }
    passed = {}
    for name, check in checks.items():
        if passed.get("TensorFlow", True):  # without it, an epoch would end this process
            passed[name] = passes(name, check)
    end(all(passed.values()))


if __name__ == "__main__":
    main()
