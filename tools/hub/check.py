"""Check a JupyterHub before a class, as a learner meets it: `python -m tools.check_class --url`.

Each line passes, or says what to do. What is started, over REST and a WebSocket, is stopped.
"""

import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from urllib.parse import quote

import requests
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from websocket import WebSocketException, create_connection

from tools.check_class import Problem, end, judge_epoch, one_epoch, passes

ENDED = ("restarting", "autorestarting", "dead")
CELL_SECONDS = 1_800  # a cell that sends nothing for longer has failed
STEPS = ("Log in", "Server", "Kernel", "Data", "One epoch")
VERSION = "import sys\n\nprint(sys.version.split()[0])"
LOAD = "from mnist_helpers import load_mnist\n\ndata = load_mnist()\nprint(data.name)"
TRAIN = f"{inspect.getsource(one_epoch)}\nprint(*one_epoch(data))"


class Learner:
    """Someone with a token for the hub at `url`, with a server and a kernel.

    Every method raises Problem where hub, server or kernel refuses or does not answer.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/").removesuffix("/hub"), token
        self.headers = {"Authorization": f"token {token}"}
        self.name = ""  # by which the hub knows the token
        self.started = False  # whether the server was started here
        self.kernel = ""  # its number

    def request(self, method: str, path: str, body: dict | None = None) -> dict:
        """The answer of hub or server, {} for an empty one. `path` may contain {name}."""
        path = path.format(name=quote(self.name))
        # `auth`: a password that ~/.netrc may have must not take the token's place.
        options = {"headers": self.headers, "auth": lambda request: request, "timeout": (60, 600)}
        try:
            answer = requests.request(method, self.url + path, json=body, **options)
            content = answer.json() if answer.content else {}
        except requests.JSONDecodeError:  # a web page
            raise Problem(f"{path}: {answer.status_code}, not a JupyterHub's answer") from None
        except requests.RequestException as error:
            raise Problem(f"{path}: {error}") from None
        if not answer.ok:
            raise Problem(f"{path}: {answer.status_code} {content.get('message', answer.reason)}")
        return content

    def log_in(self) -> str:
        """The name of the learner, whom the hub knows by the token."""
        self.name = self.request("GET", "/hub/api/user")["name"]
        return self.name

    def server(self) -> str:
        """State of the server: "ready", "spawn", "stop", or "" where there is none."""
        state = self.request("GET", "/hub/api/users/{name}")["servers"].get("", {})
        return "ready" if state.get("ready") else state.get("pending") or ""

    def start_server(self) -> None:
        """Start the server, unless it runs, and wait until it is ready."""
        while (state := self.server()) != "ready":
            if not state and self.started:
                raise Problem("the server did not start")
            if not state:
                self.started = True
                self.request("POST", "/hub/api/users/{name}/server", {})
            time.sleep(0.25)

    def start_kernel(self) -> None:
        self.kernel = self.request("POST", "/user/{name}/api/kernels", {"name": "python3"})["id"]

    def leave(self) -> str:
        """Stop the server if it was started here, else the kernel; what was stopped, in words."""
        if not self.started and self.kernel:
            self.request("DELETE", f"/user/{{name}}/api/kernels/{self.kernel}")
        while self.started and (state := self.server()):
            if state == "ready":  # it cannot be stopped before
                self.request("DELETE", "/hub/api/users/{name}/server")
            time.sleep(0.25)
        stopped = "the server is" if self.started else "the kernel is" if self.kernel else "nothing"
        return f"{stopped} stopped"

    def run(self, code: str) -> str:
        """What a cell prints. Raises Problem also where it ends with an error."""
        message = Session().msg("execute_request", {"code": code, "allow_stdin": False})
        text = json.dumps(message | {"channel": "shell"}, default=json_default)
        channels = f"{self.url}/user/{quote(self.name)}/api/kernels/{self.kernel}/channels"
        options = {"timeout": CELL_SECONDS, "header": self.headers, "suppress_origin": True}
        try:
            with closing(create_connection(channels.replace("http", "ws", 1), **options)) as socket:
                socket.send(text)
                return printed(map(json.loads, iter(socket.recv, "")), message["msg_id"])
        except (OSError, WebSocketException) as error:
            raise Problem(f"the connection to the kernel ended: {error}") from None


def printed(messages: Iterable[dict], number: str) -> str:
    """What the cell with this number prints, when all that it sends has come."""
    text, problem = "", ""
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        state = content["execution_state"] if kind == "status" else ""
        if state in ENDED:
            break
        if message["parent_header"].get("msg_id") != number:
            continue
        if kind == "stream" and content["name"] == "stdout":
            text += content["text"]
        if kind == "error":
            problem = f"{content['ename']}: {content['evalue']}"
        if state == "idle" and problem:
            raise Problem(f"{problem}. Is the tutorial installed there? See docs/hub.md")
        if state == "idle":
            return text.strip()
    raise Problem("the kernel has ended")


def check(learner: Learner, slow_epoch: float) -> bool:
    """Make the steps up to the first that fails, and always the last one. Whether all passed."""
    results, passed = visit(learner, slow_epoch), False
    try:
        passed = all(passes(name, results.__next__) for name in STEPS)
    finally:
        passed &= passes("End", learner.leave)
    return passed


def visit(learner: Learner, slow_epoch: float) -> Iterator[str]:
    """Make the STEPS one after another, each with what it has found. Raises Problem."""
    if not learner.token:
        raise Problem(f"make a token at {learner.url}/hub/token, set JUPYTERHUB_API_TOKEN to it")
    yield f"as {learner.log_in()}"
    start = time.perf_counter()
    learner.start_server()
    yield f"started in {time.perf_counter() - start:.1f} s" if learner.started else "was running"
    start = time.perf_counter()
    learner.start_kernel()
    yield f"Python {learner.run(VERSION)} started in {time.perf_counter() - start:.1f} s"
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
    end(ready)
