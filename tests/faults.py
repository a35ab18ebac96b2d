"""Ways to cause real faults, for the tests: namespaces, permissions, kills, servers, files."""

import os
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest

from mnist_helpers.data import SHAPES

HANGS = 120  # seconds after which a process that should have ended is killed


def namespace(option: str, preparation: str) -> tuple[str, ...]:
    """Command prefix: run in Linux namespaces of one's own, after a preparation in sh."""
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has no namespaces")
    prefix = ("unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), option)
    prefix = (*prefix, "sh", "-c", f'{preparation} && exec "$@"', "sh")
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"]).returncode != 0:
        pytest.skip(f"this machine allows no `unshare {option}`")
    return prefix


@contextmanager
def child(code: str, *arguments: str) -> Iterator[subprocess.Popen]:
    """A Python process that runs `code`, with its output in a pipe; none outlives the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, *arguments], **pipes) as process:
        watchdog = threading.Timer(HANGS, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


# ---- a server ----


def ok(content: bytes) -> bytes:
    return f"HTTP/1.0 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()


# What is sent, piece by piece. Between the pieces are pauses in seconds; None never ends.
ANSWERS = {
    "": lambda content: [ok(content), content],
    "never answers": lambda content: [None],
    "trickles": lambda content: [ok(content), *[b"P", 0.05] * 1000],
    "half, then silence": lambda content: [ok(content), content[: len(content) // 2], None],
    "half, then closes": lambda content: [ok(content), content[: len(content) // 2]],
    "endless": lambda content: chain([b"HTTP/1.0 200 OK\r\n\r\n"], repeat(bytes(100_000))),
    "not found": lambda content: [b"HTTP/1.0 404 Not Found\r\n\r\n"],
}


class Server(socketserver.ThreadingTCPServer):
    """Answers every request as ANSWERS says for `fault`, and keeps its first line."""

    daemon_threads = True

    def __init__(self, content: bytes, fault: str = "", certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content, self.fault, self.requests = content, fault, []
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/mnist.npz"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *_) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_) -> None:
        pass  # a client that gives up is what these tests are about


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.server.requests.append(self.rfile.readline().decode().strip())
        while self.rfile.readline().strip():
            pass  # the request, up to its empty line
        for piece in ANSWERS[self.server.fault](self.server.content):
            if isinstance(piece, bytes):
                self.wfile.write(piece)
            elif self.server.closing.wait(piece):
                return


# ---- files that are not MNIST ----


class Mine:
    """An object whose unpickling makes a file `was run` beside the file that holds it."""

    def __init__(self, path: Path) -> None:
        self.trace = path.with_name("was run")

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def write_like_mnist(path: Path, **changed) -> None:
    """An npz file with arrays like MNIST's, except for those that are given."""
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in SHAPES.items()}
    np.savez(path, **{**arrays, **changed})


def write_truncated(path: Path) -> None:
    write_like_mnist(path)
    os.truncate(path, 30_000_000)


def write_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(5 * 10**7))


# How to write each, and a part of the reason that is given for it.
BAD_FILES = {
    "missing": (lambda path: None, "No such file"),
    "folder": (Path.mkdir, "no file"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html>Sign in"), "not a zip file"),
    "truncated": (write_truncated, "not a zip file"),
    "pickled objects": (
        lambda path: np.savez(path, x_train=np.array([Mine(path)], dtype=object)),
        "Object arrays cannot be loaded",
    ),
    "labels of another type": (
        lambda path: write_like_mnist(path, y_test=np.zeros(10000, np.int8)),
        "y_test is (10000,) int8 instead of (10000,) uint8",
    ),
    "zip bomb": (write_bomb, "x_train is larger than"),
    # As Fashion-MNIST has them: 28 x 28 pixels, ten classes, the same numbers of images.
    "other images of the right shape": (write_like_mnist, "x_train has other contents"),
}
if hasattr(os, "mkfifo"):
    BAD_FILES["pipe"] = (os.mkfifo, "no file")
