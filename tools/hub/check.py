"""Check a JupyterHub before a class, as a learner meets it: each line passes, or says what to do.

    JUPYTERHUB_API_TOKEN=… python -m tools.hub.check https://hub.example.org

What the check starts there, it stops.
"""

import argparse
import inspect
import os
import signal
import sys
from collections.abc import Callable
from time import perf_counter

from tools.check_class import Problem, judge_epoch, one_epoch
from tools.hub.learner import Learner, Lost, errors

VERSION = "import sys\n\nprint(sys.version.split()[0])"
LOAD = "from mnist_helpers import load_mnist\n\ndata = load_mnist()\nprint(data.name)"
TRAIN = f"{inspect.getsource(one_epoch)}\nprint(*one_epoch(data))"


def check(learner: Learner, slow_epoch: float) -> bool:
    """Make the steps up to the first that fails, and always the last one. Whether all passed."""
    steps = {
        "Log in": lambda: log_in(learner),
        "Server": lambda: start_server(learner),
        "Kernel": lambda: start_kernel(learner),
        "Data": lambda: load_data(learner),
        "One epoch": lambda: judge_epoch(*map(float, printed(learner, TRAIN).split()), slow_epoch),
    }
    passed = False
    try:
        passed = all(passes(name, step) for name, step in steps.items())
    finally:
        passed &= passes("End", learner.leave)
    return passed


def passes(name: str, step: Callable[[], str]) -> bool:
    """Make a step, and print how it went."""
    try:
        print(f"ok       {name}: {step()}", flush=True)
    except (Problem, Lost) as problem:
        print(f"PROBLEM  {name}: {problem}", flush=True)
        return False
    return True


def log_in(learner: Learner) -> str:
    if not learner.token:
        page = f"{learner.url}/hub/token"
        raise Problem(f"make a token at {page}, and set JUPYTERHUB_API_TOKEN to it")
    return f"as {learner.log_in()}"


def start_server(learner: Learner) -> str:
    start = perf_counter()
    learner.start_server()
    return f"started in {perf_counter() - start:.1f} s" if learner.started else "was running"


def start_kernel(learner: Learner) -> str:
    start = perf_counter()
    learner.start_kernel("check-class.ipynb")
    return f"Python {printed(learner, VERSION)} started in {perf_counter() - start:.1f} s"


def load_data(learner: Learner) -> str:
    *messages, name = printed(learner, LOAD).splitlines()
    if messages:  # a download, or why there was none
        raise Problem(f"{name}, but: {' '.join(messages)}. Set MNIST_NPZ for all learners")
    return name


def printed(learner: Learner, code: str) -> str:
    """What the code prints in the learner's kernel."""
    outputs = learner.run(code)
    if found := errors(outputs):
        raise Problem(f"{found[0]}. Is the tutorial installed there? See docs/hub.md")
    return "".join(x.text for x in outputs if x.get("name") == "stdout").strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of the hub")
    parser.add_argument("--slow-epoch", type=float, default=15, metavar="SECONDS")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    learner = Learner(arguments.url, os.environ.get("JUPYTERHUB_API_TOKEN", ""))
    try:
        ready = check(learner, arguments.slow_epoch)
    except KeyboardInterrupt:
        sys.exit("check-class: interrupted")
    print("\nReady for class." if ready else "\nNot ready: mend this, then check again.")
    sys.exit(not ready)


if __name__ == "__main__":
    main()
