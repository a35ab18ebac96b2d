"""Check a machine before a class: each line passes, or says what to do."""

import argparse
import contextlib
import io
import os
import platform
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import distributions

from lock import ROOT, locked
from machine import processor
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from mnist_helpers import load_mnist
from mnist_helpers.data import offline_is_chosen
from mnist_helpers.setup_check import NEEDED_GB, free_memory_gb

ANEW = "Delete the folder .venv and run this again"


class Problem(Exception):
    """Something is not ready; the message says what, and what to do."""


def check_packages() -> str:
    pins = locked((ROOT / "requirements.lock").read_text())
    wanted = dict(pin.split("==") for pin, mark in pins if not mark or Marker(mark).evaluate())
    found = {canonicalize_name(package.name): package.version for package in distributions()}
    wrong = [name for name, version in wanted.items() if found.get(name) != version]
    if wrong:
        told = [f"{x} is {found.get(x, 'missing')}, not {wanted[x]}" for x in wrong[:3]]
        raise Problem(f"{'; '.join(told)}{' …' if len(wrong) > 3 else ''}. {ANEW}")
    return f"{len(wanted)} at the versions of requirements.lock"


def check_data() -> str:
    # Its advice is for a learner; of what it prints, the reason is wanted.
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        data = load_mnist()
    if data.name != "MNIST" and not offline_is_chosen():
        told = re.search(r"because (.+?)\. To get MNIST", printed.getvalue())
        reason = f", because {told[1]}" if told else ""
        raise Problem(
            f"MNIST could not be downloaded{reason}. Put an mnist.npz where all can read it and "
            "set MNIST_NPZ to its path, or set MNIST_OFFLINE=1: then nobody waits for the network"
        )
    return f"{data.name}, {len(data.x_train):,} training and {len(data.x_test):,} test images"


def check_memory() -> str:
    free = free_memory_gb()
    if free < NEEDED_GB:
        needed = f"a notebook needs up to {NEEDED_GB:.0f} GB"
        raise Problem(f"{free:.1f} GB are free, {needed}. Close other programs and kernels")
    return f"{free:.1f} GB free"


def check_kernel() -> str:
    """JupyterLab's Python kernel starts, and is that of this installation."""
    started = time.perf_counter()
    cell = new_code_cell("import sys, mnist_helpers; print(sys.prefix)")
    place = {"metadata": {"path": ROOT / "notebooks"}}
    client = NotebookClient(new_notebook(cells=[cell]), resources=place, timeout=60)
    try:
        client.execute(stderr=subprocess.DEVNULL)  # the kernel's log is not the teacher's business
    except CellExecutionError as error:
        raise Problem(f"{error.ename}: {error.evalue}. {ANEW}") from None
    prefix = cell.outputs[0].text.strip()
    if prefix != sys.prefix:
        remedy = "Remove its kernel: jupyter kernelspec remove python3"
        raise Problem(f"JupyterLab would use another Python ({prefix}). {remedy}")
    return f"started in {time.perf_counter() - started:.1f} s"


# What Windows gives in place of a signal.
ILLEGAL_INSTRUCTION = (-signal.SIGILL, 0xC000001D)


def check_tensorflow() -> str:
    """TensorFlow can be imported: in a process of its own, because a processor may end it."""
    started = time.perf_counter()
    command = [sys.executable, "-c", "import tensorflow"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode in ILLEGAL_INSTRUCTION:
        raise Problem(
            f"it needs a processor with AVX, which this one ({processor()}) does not have or, in "
            "a virtual machine, does not show. Use another machine, Binder or Colab"
        )
    if run.returncode != 0:
        last = run.stderr.strip().splitlines()[-1:] or [f"exit status {run.returncode}"]
        raise Problem(f"it cannot be imported: {last[0]}. {ANEW}")
    return f"imported in {time.perf_counter() - started:.1f} s"


def check_epoch(limit: float) -> str:
    """One epoch of notebook 02's network, TensorFlow's start not counted."""
    from mnist_helpers import build_dense, keras

    data = load_mnist()
    keras.utils.set_random_seed(1)
    model = build_dense()
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    labels = keras.utils.to_categorical(data.y_train, 10)
    started = time.perf_counter()
    fit = model.fit(data.x_train, labels, batch_size=100, validation_split=0.2, verbose=0)
    seconds = time.perf_counter() - started
    accuracy = fit.history["val_accuracy"][0]
    if accuracy < 0.8:
        usual = "on the validation images, where 90 % is usual"
        raise Problem(f"it reached only {accuracy:.0%} {usual}. Run `make test-quick`")
    if seconds > limit:
        remedy = "Close other programs, or lower `epochs` in the notebooks' parameters"
        raise Problem(f"it took {seconds:.0f} s, and notebook 02 trains for many. {remedy}")
    return f"{seconds:.1f} s, {accuracy:.0%} of the validation images right"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow-epoch", type=float, default=15, metavar="SECONDS")
    limit = parser.parse_args().slow_epoch
    checks = {
        "Python": lambda: f"{platform.python_version()}, {os.cpu_count()} cores",
        "Packages": check_packages,
        "Data": check_data,
        "Memory": check_memory,
        "Kernel": check_kernel,
        "TensorFlow": check_tensorflow,
        "One epoch": lambda: check_epoch(limit),
    }
    problems = 0
    for name, check in checks.items():
        try:
            print(f"ok       {name}: {check()}", flush=True)
        except Exception as error:  # whatever it is, the other checks are worth making
            problems += 1
            what = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
            print(f"PROBLEM  {name}: {what}", flush=True)
            if name == "TensorFlow":
                break  # an epoch would end this process
    print("\nReady for class." if not problems else f"\nNot ready: {problems} to mend.")
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
