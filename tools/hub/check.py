"""Check a JupyterHub before a class, as a learner meets it: `python -m tools.check_class --url`.

Each line passes, or says what to do. What the check starts there, it stops.
"""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

from tools.check_class import Problem, judge_epoch, one_epoch
from tools.hub.learner import Learner

STEPS = ("Log in", "Server", "Kernel", "Data", "One epoch")
VERSION = "import sys\n\nprint(sys.version.split()[0])"
LOAD = "from mnist_helpers import load_mnist\n\ndata = load_mnist()\nprint(data.name)"
TRAIN = f"{inspect.getsource(one_epoch)}\nprint(*one_epoch(data))"


def check(learner: Learner, slow_epoch: float) -> bool:
    """Make the steps up to the first that fails, and always the last one. Whether all passed."""
    results, passed = visit(learner, slow_epoch), False
    try:
        passed = all(passes(name, results.__next__) for name in STEPS)
    finally:
        passed &= passes("End", learner.leave)
    return passed


def passes(name: str, step: Callable[[], str]) -> bool:
    """Make a step, and print how it went."""
    try:
        print(f"ok       {name}: {step()}", flush=True)
    except Problem as problem:
        print(f"PROBLEM  {name}: {problem}", flush=True)
        return False
    return True


def visit(learner: Learner, slow_epoch: float) -> Iterator[str]:
    """Make the STEPS one after another, each with what it has found. Raises Problem."""
    if not learner.token:
        page = f"{learner.url}/hub/token"
        raise Problem(f"make a token at {page}, and set JUPYTERHUB_API_TOKEN to it")
    yield f"as {learner.log_in()}"
    start = perf_counter()
    learner.start_server()
    yield f"started in {perf_counter() - start:.1f} s" if learner.started else "was running"
    start = perf_counter()
    learner.start_kernel("check-class.ipynb")
    yield f"Python {learner.run(VERSION)} started in {perf_counter() - start:.1f} s"
    *messages, name = learner.run(LOAD).splitlines()
    if messages:  # a download, or why there was none
        raise Problem(f"{name}, but: {' '.join(messages)}. Set MNIST_NPZ for all learners")
    yield name
    seconds, accuracy = map(float, learner.run(TRAIN).split())
    yield judge_epoch(seconds, accuracy, slow_epoch)


def main(url: str, slow_epoch: float) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        ready = check(Learner(url, os.environ.get("JUPYTERHUB_API_TOKEN", "")), slow_epoch)
    except KeyboardInterrupt:
        sys.exit("check-class: interrupted")
    print("\nReady for class." if ready else "\nNot ready: mend this, then check again.")
    sys.exit(not ready)
