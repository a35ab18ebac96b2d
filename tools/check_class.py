"""Check a machine, or a JupyterHub, before a class: each line passes, or says what to do."""

import argparse
import asyncio
import inspect
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import distributions

from learner import Learner, Lost, errors
from lock import ROOT, locked
from machine import processor
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from mnist_helpers import load_mnist
from mnist_helpers.data import DownloadError, cached_or_downloaded, offline_is_chosen
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
    if os.environ.get("MNIST_NPZ") or offline_is_chosen():
        data = load_mnist()
    else:
        try:
            data = cached_or_downloaded()
        except DownloadError as reason:
            raise Problem(
                f"MNIST could not be downloaded, because {reason}. Put an mnist.npz where all can "
                "read it and set MNIST_NPZ to its path, or set MNIST_OFFLINE=1: then nobody waits "
                "for the network"
            ) from None
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


# Without these nothing else can be checked: an epoch would end this process, for example.
NEEDED = ("TensorFlow", "Log in", "Server", "Kernel")


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


def check_epoch(limit: float) -> str:
    return judge_epoch(*one_epoch(load_mnist()), limit)


def judge_epoch(seconds: float, accuracy: float, limit: float) -> str:
    if accuracy < 0.8:
        usual = "on the validation images, where 90 % is usual"
        raise Problem(f"it reached only {accuracy:.0%} {usual}. Run `make test-quick`")
    if seconds > limit:
        remedy = "Close other programs, or lower `epochs` in the notebooks' parameters"
        raise Problem(f"it took {seconds:.0f} s, and notebook 02 trains for many. {remedy}")
    return f"{seconds:.1f} s, {accuracy:.0%} of the validation images right"


class AtHub:
    """The checks of a hub that is there, made as a learner's browser would; each needs the last."""

    def __init__(self, url: str, limit: float) -> None:
        self.url, self.limit = url.rstrip("/").removesuffix("/hub"), limit
        self.token = os.environ.get("JUPYTERHUB_API_TOKEN", "")
        self.run = asyncio.Runner().run
        self.started = self.kernel = None  # what is to be ended, whatever fails

    def checks(self) -> dict[str, Callable[[], str]]:
        return {
            "Log in": self.log_in,
            "Server": self.start_server,
            "Kernel": self.start_kernel,
            "Data": self.load_data,
            "One epoch": self.train,
            "End": self.tidy,
        }

    def log_in(self) -> str:
        if not self.token:
            where = f"{self.url}/hub/token"
            raise Problem(f"make a token at {where}, and set JUPYTERHUB_API_TOKEN to it")
        self.learner = self.run(Learner.with_token(self.url, self.token))
        return f"as {self.learner.name}"

    def start_server(self) -> str:
        started = time.perf_counter()
        try:
            self.started = not self.run(self.learner.start_server())
        except Lost:
            self.started = True  # it was not ready before, and may yet come
            raise
        if not self.started:
            return "was running"
        return f"started in {time.perf_counter() - started:.1f} s"

    def start_kernel(self) -> str:
        started = time.perf_counter()
        self.kernel = self.run(self.learner.open("check-class.ipynb"))
        version = self.in_kernel("import sys; print(sys.version.split()[0])")
        return f"Python {version} started in {time.perf_counter() - started:.1f} s"

    def load_data(self) -> str:
        *said, name = self.in_kernel(
            "from mnist_helpers import load_mnist\n\ndata = load_mnist()\nprint(data.name)"
        ).splitlines()
        if said:  # a download, or why there was none
            raise Problem(
                f"{name} in the end, but: {' '.join(said)}. Set MNIST_NPZ for all learners"
            )
        return name

    def train(self) -> str:
        source = f"{inspect.getsource(one_epoch)}\nprint(*one_epoch(data))"
        seconds, accuracy = map(float, self.in_kernel(source).split())
        return judge_epoch(seconds, accuracy, self.limit)

    def in_kernel(self, code: str) -> str:
        """What code prints in the learner's kernel."""
        outputs = self.run(self.kernel.run(code, limit=600))
        if errors(outputs):
            raise Problem(
                f"{errors(outputs)[0]}. Is the tutorial installed there? See binder/README.md"
            )
        return "".join(it.text for it in outputs if it.get("name") == "stdout").strip()

    def tidy(self) -> str:
        """End what was started here; a server takes its kernels along."""
        if self.started:
            self.run(self.learner.stop_server())
            return "the server is stopped"
        if self.kernel:
            self.run(self.kernel.shut_down())
            return "the kernel is shut down"
        return "nothing had been started"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow-epoch", type=float, default=15, metavar="SECONDS")
    about = "check this JupyterHub instead, as the learner whose token is JUPYTERHUB_API_TOKEN"
    parser.add_argument("--url", help=about)
    arguments = parser.parse_args()
    checks = (
        AtHub(arguments.url, arguments.slow_epoch).checks()
        if arguments.url
        else {
            "Python": lambda: f"{platform.python_version()}, {os.cpu_count()} cores",
            "Packages": check_packages,
            "Data": check_data,
            "Memory": check_memory,
            "Kernel": check_kernel,
            "TensorFlow": check_tensorflow,
            "One epoch": lambda: check_epoch(arguments.slow_epoch),
        }
    )
    problems, lost = 0, False
    for name, check in checks.items():
        if lost and name != "End":  # what was started is ended all the same
            continue
        try:
            print(f"ok       {name}: {check()}", flush=True)
        except Exception as error:  # whatever it is, the other checks are worth making
            problems += 1
            told = isinstance(error, (Problem, Lost))
            print(f"PROBLEM  {name}: {error if told else f'{type(error).__name__}: {error}'}")
            lost = lost or name in NEEDED
    print("\nReady for class." if not problems else f"\nNot ready: {problems} to mend.")
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
