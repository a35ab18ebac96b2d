"""A class on a JupyterHub: what its check says, and that nothing is left behind.

Tests of a real hub run only if they are asked for, where the packages of
tools/hub/requirements.lock are installed: `HUB_TESTS=1 python -m pytest tests/test_hub.py`.
"""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from test_faults_data import Server

from tools.check_class import Problem
from tools.hub.check import Learner, check

asked_for = os.environ.get("HUB_TESTS") == "1" and find_spec("jupyterhub")
reason = "starts a JupyterHub: set HUB_TESTS=1 and install tools/hub/requirements.lock"
real_hub = pytest.mark.skipif(not asked_for, reason=reason)
# Not for a class: one user of the system owns it all.
CONFIG = f"""
import os
from jupyterhub.utils import random_port
c = get_config()
c.JupyterHub.authenticator_class = "null"  # tokens are the only way in
c.JupyterHub.api_tokens = {{"a-token-of-anna": "anna", "a-token-of-ben": "ben"}}
c.Authenticator.allowed_users = {{"anna", "ben"}}
c.JupyterHub.bind_url = os.environ["HUB_URL"]
c.JupyterHub.hub_port = random_port()
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{{random_port()}}"
c.ConfigurableHTTPProxy.command = ["{Path(sys.executable).with_name("configurable-http-proxy")}"]
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = os.getcwd() + "/learners/{{username}}"
c.Spawner.cmd = ["{sys.executable}", "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.Spawner.env_keep.extend(["MNIST_NPZ", "MNIST_OFFLINE"])
"""


def test_check_says_where_to_make_a_token(capsys):
    assert not check(Learner("https://hub.example.org/hub/", token=""), slow_epoch=15)
    problem, end = capsys.readouterr().out.splitlines()
    assert problem.startswith("PROBLEM  Log in: ") and "//hub.example.org/hub/token" in problem
    assert end.startswith("ok       End: nothing")


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        ("200 OK", b"<html>", "200, not a JupyterHub"),
        ("403 No", b'{"message": "Missing or invalid credentials"}', "403 Missing or invalid cred"),
    ],
    ids=["no hub", "no such token"],
)
def test_check_says_what_the_answer_of_an_address_means(capsys, status, content, problem):
    with Server(f"HTTP/1.0 {status}\r\n\r\n".encode(), content) as server:
        assert not check(Learner(server.url.removesuffix("/mnist.npz"), "token"), slow_epoch=15)
    assert f"PROBLEM  Log in: /hub/api/user: {problem}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("class")


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder or below it, also those whose parents have ended."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def hub(folder):
    """Two learners at a hub where all read the same MNIST, or without MNIST_NPZ offline digits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    learners = [Learner(url, f"a-token-of-{name}") for name in ("anna", "ben")]
    variables = {"HUB_URL": url, "MNIST_OFFLINE": "" if "MNIST_NPZ" in os.environ else "1"}
    for name in ("anna", "ben"):
        (folder / "learners" / name).mkdir(parents=True)
    (folder / "config.py").write_text(CONFIG)
    command = [sys.executable, "-m", "jupyterhub", "-f", folder / "config.py"]
    options = {"cwd": folder, "env": os.environ | variables, "start_new_session": True}
    process = subprocess.Popen(command, **options)
    try:
        for learner in learners:
            while not learner.name:  # the hub is starting
                assert process.poll() is None
                with suppress(Problem):
                    learner.log_in()
                time.sleep(0.2)
        yield learners
    finally:
        while left := processes_in(folder):  # a server may be starting a kernel at this moment
            for one in left:
                with suppress(psutil.Error):
                    one.kill()
            psutil.wait_procs(left, timeout=5)


@real_hub
@pytest.mark.slow
class TestHub:
    def test_check_passes_with_the_shared_file_and_leaves_nothing_behind(self, hub, folder, capsys):
        anna, _ = hub
        assert check(Learner(f"{anna.url}/hub/", anna.token), slow_epoch=250)
        lines = capsys.readouterr().out.splitlines()
        steps = dict(line.removeprefix("ok       ").split(": ", 1) for line in lines)
        assert list(steps) == ["Log in", "Server", "Kernel", "Data", "One epoch", "End"]
        # In no home folder is there a copy, and a download would have been a problem.
        assert steps["Data"] == ("MNIST" if "MNIST_NPZ" in os.environ else "offline digits")
        left = processes_in(folder / "learners" / anna.name)
        assert anna.server() == "" and psutil.wait_procs(left, timeout=60)[1] == []

    def test_check_leaves_a_server_running_that_it_did_not_start(self, hub, capsys):
        _, ben = hub
        ben.start_server()
        assert check(Learner(ben.url, ben.token), slow_epoch=250)
        assert "Server: was running" in capsys.readouterr().out
        assert ben.server() == "ready"
        assert ben.request("GET", "/user/{name}/api/kernels") == []
