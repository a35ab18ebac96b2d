"""A learner at a JupyterHub, through the REST interface and the WebSocket that JupyterLab uses."""

import json
import time
import uuid
from urllib.parse import quote

import requests
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg
from websocket import WebSocketException, create_connection

OUTPUTS = ("stream", "display_data", "execute_result", "error")
ENDED = ("restarting", "autorestarting", "dead")
CELL_SECONDS = 1_800  # a cell that sends nothing for longer has failed


class Lost(Exception):
    """The hub, the server or the kernel refuses or does not answer; the message says why."""


class Learner:
    """Someone with a token for the hub at `url`, with a server and one kernel at a time.

    Every method raises Lost where it cannot do its work.
    """

    def __init__(self, url: str, token: str, name: str = "") -> None:
        self.url, self.token, self.name = url.rstrip("/").removesuffix("/hub"), token, name
        self.started = False  # whether the server was started here
        self.kernel = ""  # its number
        self._socket = None

    def request(self, method: str, path: str, body: dict | None = None) -> dict:
        """The answer of hub or server, {} for an empty one. `path` may contain {name}."""
        path = path.format(name=quote(self.name))
        try:
            answer = requests.request(
                method,
                self.url + path,
                headers={"Authorization": f"token {self.token}"},
                json=body,
                auth=lambda request: request,  # no password that ~/.netrc may have
                timeout=(60, 600),
            )
            content = answer.json() if answer.content else {}
        except requests.JSONDecodeError:  # a web page
            raise Lost(f"{path}: {answer.status_code}, not a JupyterHub's answer") from None
        except requests.RequestException as error:
            raise Lost(f"{path}: {error}") from None
        if not answer.ok:
            raise Lost(f"{path}: {answer.status_code} {content.get('message') or answer.reason}")
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
                raise Lost("the server did not start")
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
        if self.started:
            while state := self.server():
                if state == "ready":  # it cannot be stopped before
                    self.request("DELETE", "/hub/api/users/{name}/server")
                time.sleep(0.25)
            return "the server is stopped"
        if self.kernel:
            self.stop_kernel()
            return "the kernel is shut down"
        return "nothing had been started"

    def run(self, code: str) -> list[NotebookNode]:
        """Run a cell and give its outputs as a notebook holds them; an error is one of them."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "session": number, "username": self.name, "version": "5.3"}
        message = {"header": header | {"msg_type": "execute_request"}, "channel": "shell"}
        message |= {"content": {"code": code, "allow_stdin": False}}
        try:
            self._socket = self._socket or create_connection(
                self.url.replace("http", "ws", 1)
                + f"/user/{quote(self.name)}/api/kernels/{self.kernel}/channels",
                timeout=CELL_SECONDS,
                header=[f"Authorization: token {self.token}"],
                suppress_origin=True,
            )
            self._socket.send(json.dumps(message | {"parent_header": {}, "metadata": {}}))
            return self._outputs(number)
        except (OSError, WebSocketException) as error:
            raise Lost(f"the connection to the kernel ended: {error}") from None

    def _outputs(self, number: str) -> list[NotebookNode]:
        outputs, missing = [], {"execute_reply", "idle"}
        while missing:
            text = self._socket.recv()
            if not text:
                raise Lost("the connection to the kernel was closed")
            if isinstance(text, bytes):  # the data of a widget; outputs come as text
                continue
            message = json.loads(text)
            kind, content = message["msg_type"], message["content"]
            state = content["execution_state"] if kind == "status" else None
            if state in ENDED:
                raise Lost("the kernel has ended")
            if message["parent_header"].get("msg_id") == number:
                missing -= {kind, state}
                outputs += [output_from_msg(message)] if kind in OUTPUTS else []
        return outputs


def errors(outputs: list[NotebookNode]) -> list[str]:
    """What went wrong in a cell, a line for each error."""
    return [f"{x.ename}: {x.evalue}" for x in outputs if x.output_type == "error"]
