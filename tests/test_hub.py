"""A class on a JupyterHub: what its check says, and that nothing is left behind.

Tests of a real hub run only if they are asked for, where the packages of
tools/hub/requirements.lock are installed: `HUB_TESTS=1 python -m pytest tests/test_hub.py`.
"""

import os
import shutil
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import psutil
import pytest
from conftest import ROOT

from tools.hub.bench import processes_in, running_hub
from tools.hub.check import check
from tools.hub.learner import Learner

asked_for = os.environ.get("HUB_TESTS") == "1" and find_spec("jupyterhub")
reason = "starts a JupyterHub: set HUB_TESTS=1 and install tools/hub/requirements.lock"
real_hub = pytest.mark.skipif(not asked_for, reason=reason)


def test_check_says_where_to_make_a_token(capsys):
    assert not check(Learner("https://hub.example.org/hub/", token=""), slow_epoch=15)
    problem, end = capsys.readouterr().out.splitlines()
    assert problem.startswith("PROBLEM  Log in: ") and "//hub.example.org/hub/token" in problem
    assert end.startswith("ok       End: nothing")


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        (200, b"<html>", "200, not a JupyterHub"),
        (403, b'{"message": "Missing or invalid credentials"}', "403 Missing or invalid cred"),
    ],
    ids=["no hub", "no such token"],
)
def test_check_says_what_the_answer_of_an_address_means(capsys, status, content, problem):
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever).start()
        assert not check(Learner(f"http://127.0.0.1:{server.server_port}", "token"), slow_epoch=15)
        server.shutdown()
    assert f"PROBLEM  Log in: /hub/api/user: {problem}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("class")


@pytest.fixture(scope="module")
def hub(folder):
    """Two learners at a hub where all read the same MNIST, or without MNIST_NPZ offline digits."""
    with pytest.MonkeyPatch.context() as patch:
        if "MNIST_NPZ" in os.environ:
            patch.setenv("MNIST_NPZ", str(shutil.copy(os.environ["MNIST_NPZ"], folder)))
        else:
            patch.setenv("MNIST_OFFLINE", "1")
        with running_hub(folder, ["anna", "ben"]) as learners:
            yield learners
    assert processes_in(folder) == []


def left_by(learner: Learner, folder: Path) -> list:
    """A learner's processes that do not end within a minute."""
    return psutil.wait_procs(processes_in(folder / "learners" / learner.name), timeout=60)[1]


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
        assert anna.server() == "" and left_by(anna, folder) == []

    def test_check_leaves_a_server_running_that_it_did_not_start(self, hub, capsys):
        _, ben = hub
        ben.start_server()
        assert check(Learner(ben.url, ben.token), slow_epoch=250)
        assert "Server: was running" in capsys.readouterr().out
        assert ben.server() == "ready"
        assert ben.request("GET", "/user/{name}/api/kernels") == []

    def test_check_stops_its_server_though_no_kernel_starts_there(self, hub, folder, capsys):
        anna, _ = hub
        startup = folder / "learners" / "anna" / ".ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True, exist_ok=True)
        (startup / "00-end.py").write_text("import os; os._exit(1)")
        assert not check(Learner(anna.url, anna.token), slow_epoch=250)
        (startup / "00-end.py").unlink()
        assert "PROBLEM  Kernel: " in capsys.readouterr().out
        assert anna.server() == "" and left_by(anna, folder) == []

    def test_ctrl_c_leaves_nothing_of_a_check_and_of_a_measurement(self, hub, folder, tmp_path):
        anna, _ = hub
        check_class = ["-m", "tools.check_class", "--url", anna.url]
        for command, ready in [(check_class, "Server"), (["-m", "tools.hub.bench", "1"], "---")]:
            variables = {"JUPYTERHUB_API_TOKEN": anna.token, "TMPDIR": str(tmp_path)}
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            options |= {"env": os.environ | variables, "cwd": ROOT}
            with subprocess.Popen([sys.executable, *command], **options) as process:
                while ready not in process.stdout.readline():
                    pass
                process.send_signal(signal.SIGINT)
                assert "interrupted" in process.communicate(timeout=120)[1]
        assert anna.server() == "" and left_by(anna, folder) == []
        assert processes_in(tmp_path) == [] and list(tmp_path.iterdir()) == []
