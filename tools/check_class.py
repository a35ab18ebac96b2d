"""Check a machine before a class: each line passes, or says what to do."""

import contextlib
import io
import os
import platform
import re
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jupyter_client.manager import start_new_kernel
from packaging.requirements import Requirement

from mnist_helpers import load_mnist
from mnist_helpers.setup_check import NEEDED_GB, free_memory_gb

ROOT = Path(__file__).resolve().parent.parent
SLOW_EPOCH = 15  # seconds: notebook 02 trains for 20 epochs and some more


class Problem(Exception):
    """Something is not ready; the message says what, and what to do."""


def check_python() -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise Problem(
            f"{platform.python_version()} is not supported. Choose another one, for example: "
            "PYTHON=python3.12 make check-class"
        )
    return f"{platform.python_version()}, {os.cpu_count()} cores"


def check_packages() -> str:
    lock = (ROOT / "requirements.lock").read_text()
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*?) *\\?$", lock, flags=re.MULTILINE)
    wanted = [Requirement(line) for line in lines]
    wanted = [entry for entry in wanted if entry.marker is None or entry.marker.evaluate()]
    wrong = []
    for entry in wanted:
        try:
            found = version(entry.name)
        except PackageNotFoundError:
            found = "missing"
        if not entry.specifier.contains(found, prereleases=True):
            wrong.append(f"{entry.name} is {found}, not {entry.specifier}")
    if wrong:
        raise Problem(
            f"{'; '.join(wrong[:3])}{' …' if len(wrong) > 3 else ''}. "
            "Delete the folder .venv and run this again"
        )
    return f"{len(wanted)} at the versions of requirements.lock"


def check_data() -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):  # its advice is for a learner; see below
        data = load_mnist()
    if data.name != "MNIST" and os.environ.get("MNIST_OFFLINE", "0") in ("", "0"):
        raise Problem(
            "MNIST is not on this machine and could not be downloaded. Put an mnist.npz where "
            "all can read it and set MNIST_NPZ to its path, or decide for the offline digits "
            "with MNIST_OFFLINE=1, so that nobody waits for the network"
        )
    return f"{data.name}, {len(data.x_train):,} training and {len(data.x_test):,} test images"


def check_memory() -> str:
    free = free_memory_gb()
    if free < NEEDED_GB:
        raise Problem(
            f"{free:.1f} GB are free, and a notebook needs up to {NEEDED_GB:.0f} GB. Close other "
            "programs and shut down other kernels"
        )
    return f"{free:.1f} GB free; a notebook that trains needs up to {NEEDED_GB:.0f} GB"


def check_kernel() -> str:
    """JupyterLab's Python kernel starts, and is that of this installation."""
    started = time.perf_counter()
    # The kernel's own log is not the teacher's business.
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(ROOT / "notebooks"), stderr=subprocess.DEVNULL
    )
    try:
        told = {}
        client.execute_interactive(
            "import sys, mnist_helpers; print(sys.prefix)",
            timeout=60,
            output_hook=lambda message: told.update(message["content"]),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if "ename" in told:
        raise Problem(
            f"{told['ename']}: {told['evalue']}. Delete the folder .venv and run this again"
        )
    if told.get("text", "").strip() != sys.prefix:
        raise Problem(
            f"JupyterLab would use another Python ({told.get('text', '').strip()}). Remove its "
            "kernel: jupyter kernelspec remove python3"
        )
    return f"started in {time.perf_counter() - started:.1f} s"


def check_epoch() -> str:
    """One epoch of notebook 02's training, TensorFlow's start not counted."""
    from mnist_helpers import build_dense, keras

    data = load_mnist()
    labels = keras.utils.to_categorical(data.y_train, 10)
    keras.utils.set_random_seed(1)
    model = build_dense()
    model.compile(
        loss="categorical_crossentropy",
        optimizer="adam",
        metrics=["accuracy"],
        steps_per_execution=20,
    )
    started = time.perf_counter()
    fit = model.fit(data.x_train, labels, batch_size=100, validation_split=0.2, verbose=0)
    seconds = time.perf_counter() - started
    accuracy = fit.history["val_accuracy"][0]
    if accuracy < 0.8:
        raise Problem(
            f"it reached only {accuracy:.0%} on the validation images, where 90 % is usual. "
            "Run `make test-quick`; it says more"
        )
    if seconds > SLOW_EPOCH:
        raise Problem(
            f"it took {seconds:.0f} s; notebook 02 alone trains for 20 epochs. Close other "
            "programs, or lower `epochs` in the notebooks' parameters"
        )
    return f"{seconds:.1f} s, {accuracy:.0%} of the validation images right"


CHECKS = {
    "Python": check_python,
    "Packages": check_packages,
    "Data": check_data,
    "Memory": check_memory,
    "Kernel": check_kernel,
    "One epoch": check_epoch,
}


def main() -> None:
    problems = 0
    for name, check in CHECKS.items():
        try:
            print(f"ok       {name}: {check()}", flush=True)
        except Exception as error:  # whatever it is, the other checks are worth making
            problems += 1
            what = str(error) if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
            print(f"PROBLEM  {name}: {what}", flush=True)
    print("\nReady for class." if not problems else f"\nNot ready: {problems} to mend.")
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
