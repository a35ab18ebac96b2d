"""A JupyterHub on loopback, for a measurement or a test. Nothing of it is left afterwards."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import requests

from tools.hub.learner import Learner

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
START_SECONDS = 120  # a hub that does not answer by then has failed


@contextmanager
def running_hub(folder: Path, names: list[str]) -> Iterator[list[Learner]]:
    """Learners of these names, at a hub that runs as long as the `with` block.

    `folder` should be new: `folder/learners/NAME` becomes a learner's home folder. The variables
    MNIST_NPZ and MNIST_OFFLINE apply to all. Raises RuntimeError, with the end of the log, if the
    hub does not start. Needs the packages of requirements.lock beside this file.
    """
    ports = free_ports(3)
    url, log = f"http://127.0.0.1:{ports[0]}", folder / "hub.log"
    learners = [Learner(url, secrets.token_hex(16), name) for name in names]
    tokens = {learner.name: learner.token for learner in learners}
    variables = {"CLASS_TOKENS": json.dumps(tokens), "CLASS_PORTS": " ".join(map(str, ports))}
    for name in names:
        (folder / "learners" / name).mkdir(parents=True)
    # In a session of its own: Ctrl-C is for the program that started it.
    options = {"cwd": folder, "env": os.environ | variables, "start_new_session": True}
    options |= {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    command = [sys.executable, "-m", "jupyterhub", "-f", CONFIG]
    try:
        with log.open("w") as file:
            hub = subprocess.Popen(command, stdout=file, **options)
        if not answers(url, hub):
            raise RuntimeError(f"the hub did not start:\n{log.read_text()[-3_000:]}")
        yield learners
    finally:
        # Until nothing is left: a server may be starting a kernel at this moment.
        while left := processes_in(folder):
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=5)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that are free now. Where one is taken since, the hub does not start."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def answers(url: str, hub: subprocess.Popen) -> bool:
    """Wait until the hub answers; False if it ends, or takes too long."""
    end = time.monotonic() + START_SECONDS
    while hub.poll() is None and time.monotonic() < end:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/hub/api", timeout=5).ok:
                return True
        time.sleep(0.2)
    return False


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder or below it, also those whose parents have ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
    return found
