"""A learner at a JupyterHub, over the REST interface and the WebSockets that JupyterLab uses."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

from jupyter_server.services.kernels.connection.base import deserialize_binary_message
from nbformat.v4 import output_from_msg
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClosedError, websocket_connect

OUTPUTS = ("stream", "display_data", "execute_result", "error")
ENDED = ("restarting", "autorestarting", "dead")


class Lost(Exception):
    """Something a learner needs is gone or never came; the message says what."""


class Learner:
    """Someone with a token for a hub at `url`, which has no slash at its end."""

    def __init__(self, url: str, name: str, token: str) -> None:
        self.url, self.name, self.token = url, name, token

    @classmethod
    async def log_in(cls, url: str, name: str, password: str) -> "Learner":
        """By password, which gives a token for what follows; Lost if the hub refuses."""
        body = {"auth": {"username": name, "password": password}}
        path = f"/hub/api/users/{quote(name)}/tokens"
        return cls(url, name, (await _request(url, "", "POST", path, body))["token"])

    @classmethod
    async def with_token(cls, url: str, token: str) -> "Learner":
        """Whom a token belongs to, the hub says; Lost if it does not know the token."""
        return cls(url, (await _request(url, token, "GET", "/hub/api/user"))["name"], token)

    async def hub(self, method: str, path: str, body: dict | None = None):
        """Ask the hub about this learner: `path` follows `users/NAME`."""
        place = f"/hub/api/users/{quote(self.name)}{path}"
        return await _request(self.url, self.token, method, place, body)

    async def server(self, method: str, path: str, body: dict | None = None):
        """Ask the learner's own server: `path` follows `api/`."""
        place = f"/user/{quote(self.name)}/api/{path}"
        return await _request(self.url, self.token, method, place, body)

    async def start_server(self, limit: float = 600) -> bool:
        """Wait until it is ready; whether it ran before, or Lost after `limit` seconds."""
        if await self._is_ready():
            return True
        await self.hub("POST", "/server", {})
        end = time.monotonic() + limit
        while not await self._is_ready():
            if time.monotonic() > end:
                raise Lost(f"no server within {limit:.0f} s")
            await asyncio.sleep(0.25)
        return False

    async def stop_server(self) -> None:
        await self.hub("DELETE", "/server")
        while (await self.hub("GET", "")).get("servers"):
            await asyncio.sleep(0.25)

    async def _is_ready(self) -> bool:
        servers = (await self.hub("GET", ""))["servers"]
        if "" not in servers:
            return False
        if not servers[""]["ready"] and not servers[""]["pending"]:
            raise Lost("the server did not start")
        return servers[""]["ready"]

    async def read(self, path: str):
        """The content of a file: of a notebook, its JSON as a dict."""
        return (await self.server("GET", f"contents/{quote(path)}?content=1"))["content"]

    async def write(self, path: str, notebook: dict) -> None:
        """Save a notebook."""
        body = {"type": "notebook", "format": "json", "content": notebook}
        await self.server("PUT", f"contents/{quote(path)}", body)

    async def open(self, path: str) -> "Kernel":
        """The kernel of the notebook at `path`: started, or the one that it has already."""
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        session = await self.server("POST", "sessions", body)
        kernel = Kernel(self, session["kernel"]["id"])
        await kernel.connect()
        return kernel


class Kernel:
    """A connection to a learner's kernel; a second one to the same kernel is a second tab."""

    def __init__(self, learner: Learner, id: str) -> None:
        self.learner, self.id = learner, id
        self._session = uuid.uuid4().hex

    async def connect(self) -> None:
        place = f"/user/{quote(self.learner.name)}/api/kernels/{self.id}/channels"
        address = self.learner.url.replace("http", "ws", 1) + place
        request = HTTPRequest(
            f"{address}?session_id={self._session}",
            headers={"Authorization": f"token {self.learner.token}"},
            connect_timeout=60,
        )
        try:
            self._socket = await websocket_connect(request, max_message_size=2**27)
        except (OSError, HTTPClientError) as error:
            raise Lost(f"no connection to the kernel: {error}") from None

    def close(self) -> None:
        """The tab; the kernel goes on."""
        self._socket.close()

    async def shut_down(self) -> None:
        self.close()
        await self.learner.server("DELETE", f"kernels/{self.id}")

    async def run(
        self, code: str, seen: Callable[[dict], None] = lambda output: None, limit: float = 1_800
    ) -> list:
        """Run a cell and give its outputs, as a notebook holds them; an error is one of them.

        `seen` is called with each output as it comes. Lost if the kernel ends, if the connection
        does, or after `limit` seconds.
        """
        request, outputs = uuid.uuid4().hex, []
        header = {"msg_id": request, "msg_type": "execute_request", "session": self._session}
        header |= {"username": self.learner.name, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}}
        message["content"] = content | {"allow_stdin": False, "user_expressions": {}}
        await self._send(json.dumps(message))
        end, waiting = time.monotonic() + limit, {"execute_reply", "idle"}
        while waiting:
            message = await self._next(end)
            kind, content = message["msg_type"], message["content"]
            state = content["execution_state"] if kind == "status" else None
            if state in ENDED:
                raise Lost("the kernel has ended")
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind in OUTPUTS:
                outputs.append(output_from_msg(message))
                seen(outputs[-1])
            waiting -= {kind, state}
        return outputs

    async def _send(self, message: str) -> None:
        try:
            await self._socket.write_message(message)
        except WebSocketClosedError:
            raise Lost("the connection to the kernel was closed") from None

    async def _next(self, end: float) -> dict:
        """The next message from the kernel, or from the server about it."""
        try:
            told = await asyncio.wait_for(self._socket.read_message(), end - time.monotonic())
        except TimeoutError:
            raise Lost("a cell came to no end") from None
        if told is None:
            raise Lost("the connection to the kernel was closed")
        return deserialize_binary_message(told) if isinstance(told, bytes) else json.loads(told)


def errors(outputs: list) -> list[str]:
    """What went wrong in a cell, a line for each error."""
    return [f"{it.ename}: {it.evalue}" for it in outputs if it.output_type == "error"]


def text(outputs: list) -> str:
    """What a cell has printed."""
    return "".join(it.text for it in outputs if it.output_type == "stream")


async def _request(url: str, token: str, method: str, path: str, body: dict | None = None):
    """The JSON of an answer, or None for an empty one; Lost says what was refused and why."""
    request = HTTPRequest(
        url + path,
        method=method,
        headers={"Authorization": f"token {token}"} if token else {},
        body=None if body is None else json.dumps(body),
        allow_nonstandard_methods=True,
        connect_timeout=60,
        request_timeout=600,
    )
    try:
        answer = await AsyncHTTPClient().fetch(request)
    except HTTPClientError as error:
        why = error.message
        if error.response and error.response.body:
            with suppress(ValueError):  # a page in place of JSON
                why = json.loads(error.response.body).get("message") or why
        raise Lost(f"{path}: {error.code} {why}") from None
    except OSError as error:
        raise Lost(f"{path}: {error}") from None
    return json.loads(answer.body) if answer.body else None
