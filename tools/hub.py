"""A JupyterHub on loopback for a measurement or a test: nothing of it is left afterwards.

Linux and macOS only, as JupyterHub itself; memory and processor are read on Linux only.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import psutil
from setup_venv import ROOT, VENV, clean_environment, run_step

LOCK = ROOT / "requirements-class.lock"
STAMP = VENV / "class.txt"
STARTS = 120  # seconds after which a hub that does not answer has failed
# What a learner's process may need of this process's variables, beyond what JupyterHub passes on.
PASSED_ON = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX", "MNIST_OFFLINE")


def install() -> None:
    """Add JupyterHub and its proxy to `.venv`, at the versions of their lock, if they lack."""
    wanted = sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    print("class: installing JupyterHub into .venv", flush=True)
    pip = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    failure = "JupyterHub could not be installed"
    run_step(failure, [*pip, "--no-user", "--require-hashes", "-r", LOCK])
    STAMP.write_text(wanted)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [it.getsockname()[1] for it in sockets]
    for it in sockets:
        it.close()
    return ports


class Hub:
    """A hub with its proxy, all in `folder`, which should be a new one.

    `folder/learners/NAME` is the home of each learner: `notebooks` are copied into it. With
    `system_users` the learners are users of the system instead, with their own homes (root only).
    MNIST is read from `mnist` by all, or the offline digits are taken. `passwords` has a password
    for each name. `prefix` is a command that runs the hub itself. RuntimeError, with the end of
    the log, if the hub does not start.
    """

    def __init__(
        self,
        folder: Path,
        names: list[str],
        notebooks: list[Path] = (),
        mnist: Path | None = None,
        system_users: bool = False,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder.resolve()
        self.system_users, self.prefix = system_users, prefix
        self.passwords = {name: secrets.token_hex(16) for name in names}
        port, self._hub_port, self._proxy_port = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        data = {"MNIST_NPZ": str(mnist.resolve())} if mnist else {"MNIST_OFFLINE": "1"}
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        settings = {
            "url": self.url,
            "hub_port": self._hub_port,
            "proxy_url": f"http://127.0.0.1:{self._proxy_port}",
            "proxy_token": secrets.token_hex(16),
            "passwords": self.passwords,
            "environment": passed_on | data,
            "system_users": system_users,
        }
        # Passwords are in it.
        (self.folder / "hub.json").touch(mode=0o600)
        (self.folder / "hub.json").write_text(json.dumps(settings))
        self._token = settings["proxy_token"]
        for name in names if not system_users else ():
            self.home(name).mkdir(parents=True)
            for notebook in notebooks:
                shutil.copy(notebook, self.home(name))

    def home(self, name: str) -> Path:
        if self.system_users:
            return Path(f"~{name}").expanduser()
        return self.folder / "learners" / name

    def __enter__(self) -> "Hub":
        try:
            program = Path(sys.executable).with_name("configurable-http-proxy")
            command = [program, "--ip=127.0.0.1", f"--port={self.url.rpartition(':')[2]}"]
            command += ["--api-ip=127.0.0.1", f"--api-port={self._proxy_port}"]
            self._run(command)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        """Kill until nothing is left: a server may just be starting a kernel anew."""
        while left := self.processes():
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=5)

    def _run(self, command: list) -> subprocess.Popen:
        variables = clean_environment() | {"CONFIGPROXY_AUTH_TOKEN": self._token}
        with open(self.folder / "hub.log", "a") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for who started this
            )

    def start(self) -> None:
        """Start the hub, or start it again after `stop`, and wait until it answers."""
        config = ROOT / "tools" / "class_hub" / "jupyterhub_config.py"
        self._hub = self._run([*self.prefix, sys.executable, "-m", "jupyterhub", "-f", str(config)])
        end = time.monotonic() + STARTS
        while not (self._answers(f"http://127.0.0.1:{self._hub_port}") and self._answers(self.url)):
            if self._hub.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the hub did not start:\n{self.log()[-3_000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the hub alone; its proxy, servers and kernels go on."""
        self._hub.terminate()
        self._hub.wait(60)

    def _answers(self, url: str) -> bool:
        try:
            with urllib.request.urlopen(f"{url}/hub/api", timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()

    def processes(self) -> list[psutil.Process]:
        """Every process that works in the hub's folders: also those whose parents have ended."""
        folders = [self.folder, *map(self.home, self.passwords)]
        return list(self._working_in(folders, psutil.process_iter()))

    def _working_in(self, folders: list[Path], processes: Iterable[psutil.Process]):
        for process in processes:
            with suppress(psutil.Error, OSError):
                where = Path(process.cwd())
                if any(where.is_relative_to(folder) for folder in folders):
                    yield process

    def processes_of(
        self, name: str, among: Iterable[psutil.Process] | None = None
    ) -> list[psutil.Process]:
        """A learner's server and kernels; looked for `among` processes, if these are known."""
        processes = psutil.process_iter() if among is None else among
        return list(self._working_in([self.home(name)], processes))


def shared_memory(process: psutil.Process) -> int:
    """Its proportional set size in bytes: a page that n processes share counts as 1/n (Linux).

    0 for a process that has just ended.
    """
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * int(re.search(r"(?m)^Pss:\s+(\d+) kB", text)[1])
