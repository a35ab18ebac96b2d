"""Check a machine before a class: each line passes, or says what to do.

With --url, a JupyterHub is checked instead (tools/hub/check.py).
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from importlib.metadata import distributions
from io import StringIO

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from mnist_helpers import load_mnist
from mnist_helpers.checks import NEEDED_GB, free_memory_gb
from mnist_helpers.data import offline_is_chosen
from tools.lock import LOCK, ROOT, locked
from tools.machine import processor

ANEW = "Delete the folder .venv and run this again"
ILLEGAL_INSTRUCTION = (-signal.SIGILL, 0xC000001D)  # the second is of Windows


class Problem(Exception):
    """Something is not ready; the message says what, and what to do."""


def check_packages() -> str:
    pins = locked((ROOT / LOCK).read_text())
    wanted = dict(pin.split("==") for pin, mark in pins if not mark or Marker(mark).evaluate())
    found = {canonicalize_name(package.name): package.version for package in distributions()}
    wrong = [name for name, version in wanted.items() if found.get(name) != version]
    if wrong:
        some = [f"{name} is {found.get(name, 'missing')}, not {wanted[name]}" for name in wrong[:3]]
        raise Problem(f"{len(wrong)} at other versions: {'; '.join(some)}. {ANEW}")
    return f"{len(wanted)} at the versions of {LOCK}"


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
        needed = f"a notebook needs up to {NEEDED_GB:.0f} GB"
        raise Problem(f"{free:.1f} GB free, {needed}. Close other programs and kernels")
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
    if run.returncode in ILLEGAL_INSTRUCTION:
        without = f"this one ({processor()}) does not have or, in a virtual machine, does not show"
        remedy = "Use another machine, Binder or Colab"
        raise Problem(f"it needs a processor with AVX, which {without}. {remedy}")
    if run.returncode != 0:
        last = run.stderr.strip().splitlines()[-1:] or [f"exit status {run.returncode}"]
        raise Problem(f"it cannot be imported: {last[0]}. {ANEW}")
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
        usual = "on the validation images, where 90 % is usual"
        raise Problem(f"it reached only {accuracy:.0%} {usual}. Run `make test-quick`")
    if seconds > limit:
        remedy = "Close other programs, or lower `epochs` in the notebooks' parameters"
        raise Problem(f"it took {seconds:.0f} s, and notebook 02 trains for many. {remedy}")
    return f"{seconds:.1f} s, {accuracy:.0%} of the validation images right"


def check_epoch(limit: float) -> str:
    return judge_epoch(*one_epoch(load_mnist()), limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow-epoch", type=float, default=15, metavar="SECONDS")
    about = "check this JupyterHub instead, as the learner whose token is JUPYTERHUB_API_TOKEN"
    parser.add_argument("--url", help=about)
    arguments = parser.parse_args()
    if arguments.url:
        from tools.hub import check

        sys.argv[1:] = [arguments.url, f"--slow-epoch={arguments.slow_epoch}"]
        return check.main()
    checks = {
        "Python": lambda: f"{platform.python_version()}, {os.cpu_count()} cores",
        "Packages": check_packages,
        "Data": check_data,
        "Memory": check_memory,
        "Kernel": check_kernel,
        "TensorFlow": check_tensorflow,
        "One epoch": lambda: check_epoch(arguments.slow_epoch),
    }
    problems = 0
    for name, check in checks.items():
        try:
            print(f"ok       {name}: {check()}", flush=True)
        except Exception as error:  # whatever it is, the other checks are worth making
            problems += 1
            reason = error if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
            print(f"PROBLEM  {name}: {reason}", flush=True)
            if name == "TensorFlow":  # an epoch would end this process
                break
    print(f"\nNot ready: {problems} to mend." if problems else "\nReady for class.")
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
