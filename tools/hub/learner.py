"""A learner at a JupyterHub, through the REST interface and the WebSocket that JupyterLab uses."""

import json
import time
from urllib.parse import quote

import requests
from jupyter_client.jsonutil import json_default
from jupyter_client.session import Session
from websocket import WebSocketException, create_connection

from tools.check_class import Problem

ENDED = ("restarting", "autorestarting", "dead")
CELL_SECONDS = 1_800  # a cell that sends nothing for longer has failed


class Learner:
    """Someone with a token for the hub at `url`, with a server and one kernel at a time.

    Every method raises Problem where hub, server or kernel refuses or does not answer.
    """

    def __init__(self, url: str, token: str, name: str = "") -> None:
        self.url, self.token, self.name = url.rstrip("/").removesuffix("/hub"), token, name
        self.headers = {"Authorization": f"token {token}"}
        self.started = False  # whether the server was started here
        self.kernel = ""  # its number
        self._socket = None

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

    def start_kernel(self, path: str) -> None:
        """Start a kernel for the notebook at `path`, or take the one that it has."""
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        session = self.request("POST", "/user/{name}/api/sessions", body)
        self.kernel, self._socket = session["kernel"]["id"], None

    def stop_kernel(self) -> None:
        self.request("DELETE", f"/user/{{name}}/api/kernels/{self.kernel}")

    def leave(self) -> str:
        """Stop the server if it was started here, else the kernel; what was stopped, in words."""
        if not self.started and self.kernel:
            self.stop_kernel()
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
            if self._socket is None:
                self._socket = create_connection(channels.replace("http", "ws", 1), **options)
            self._socket.send(text)
            return self._printed(message["msg_id"])
        except (OSError, WebSocketException) as error:
            raise Problem(f"the connection to the kernel ended: {error}") from None

    def _printed(self, number: str) -> str:
        """What the cell with this number prints, when all that it sends has come."""
        printed, problem = "", ""
        for text in iter(self._socket.recv, ""):
            if isinstance(text, bytes):  # the data of a widget
                continue
            message = json.loads(text)
            kind, content = message["msg_type"], message["content"]
            state = content["execution_state"] if kind == "status" else ""
            if state in ENDED:
                raise Problem("the kernel has ended")
            if message["parent_header"].get("msg_id") != number:
                continue
            if kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
            if kind == "error":
                problem = f"{content['ename']}: {content['evalue']}"
            if state == "idle" and problem:
                raise Problem(f"{problem}. Is the tutorial installed there? See docs/hub.md")
            if state == "idle":
                return printed.strip()
        raise Problem("the connection to the kernel was closed")
