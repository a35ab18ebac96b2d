"""Ways to cause real faults, for the tests: namespaces, permissions, kills, servers, files."""

import os
import pickle
import re
import shutil
import signal
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


def bound_by_permissions() -> tuple[str, ...]:
    """Command prefix: root, too, may only do what the permissions of files allow."""
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has other permissions")
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root may read and write everything, and there is no setpriv")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def assert_reads(text: str, expected: str) -> None:
    """The text is the expected one, in which * is anything; it is printed, to be read."""
    print(text)
    assert re.fullmatch(re.escape(expected).replace(r"\*", ".+"), text), text


def offline_because(why: str) -> str:
    return (
        f"These are the offline digits, not MNIST: the download failed, because {why}. To get "
        "MNIST, run this again with a network connection, or set MNIST_NPZ to the path of an "
        "mnist.npz before starting Jupyter."
    )


@contextmanager
def child(code: str, *arguments: str, prefix=(), environment=None) -> Iterator[subprocess.Popen]:
    """A Python process that runs `code`, with pipes to and from it; none outlives the block."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", code, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(HANGS, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def go(process: subprocess.Popen) -> None:
    """Let a child go on that waits for a line."""
    process.stdin.write("go\n")
    process.stdin.flush()


def kill_at(line: str, code: str, *arguments: str, times: int = 1, environment=None) -> None:
    """Run `code`, and kill it when it has printed `line` so many times, while it goes on."""
    with child(code, *arguments, environment=environment) as process:
        go(process)
        for _ in range(times):
            assert f"{line}\n" in process.stdout  # reads up to this line
        process.kill()
        assert process.wait() == -signal.SIGKILL  # and it had not ended by itself


# ---- a server ----


def ok(content: bytes) -> bytes:
    return f"HTTP/1.0 200 OK\r\nContent-Length: {len(content)}\r\n\r\n".encode()


def in_thirty_parts(content: bytes) -> Iterator[bytes | float]:
    size = len(content) // 30 + 1
    for start in range(0, len(content), size):
        yield from (content[start : start + size], 0.1)


# What is sent, piece by piece. Between the pieces are pauses in seconds; None never ends.
ANSWERS = {
    "": lambda content: [ok(content), content],
    "never answers": lambda content: [None],
    "trickling headers": lambda content: [b"HTTP/1.0 200 OK\r\nX: ", *[b"x", 0.5] * 1000],
    "trickles": lambda content: [ok(content), *[b"P", 0.5] * 1000],
    "takes three seconds": lambda content: chain([ok(content)], in_thirty_parts(content)),
    "half, then silence": lambda content: [ok(content), content[: len(content) // 2], None],
    "half, then closes": lambda content: [ok(content), content[: len(content) // 2]],
    "endless": lambda content: chain([b"HTTP/1.0 200 OK\r\n\r\n"], repeat(bytes(1_000_000))),
    "not found": lambda content: [b"HTTP/1.0 404 Not Found\r\n\r\n"],
}


class Server(socketserver.ThreadingTCPServer):
    """Answers every request as ANSWERS says for `fault`, several at once."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, content: bytes, fault: str = "", certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.content, self.fault = content, fault
        self.pausing, self.closing = threading.Event(), threading.Event()
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
        while self.rfile.readline().strip():
            pass  # the request, up to its empty line
        for piece in ANSWERS[self.server.fault](self.server.content):
            if isinstance(piece, bytes):
                self.wfile.write(piece)
            else:
                self.server.pausing.set()
                if self.server.closing.wait(piece):
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


def write_member(path: Path, content: bytes) -> None:
    """A zip archive in which an array's member has this content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", content)


IMAGES_8 = np.zeros((60000, 8, 8), np.uint8)
TERABYTES = b"{'descr': '|u1', 'fortran_order': False, 'shape': (10000000, 1000, 1000)}\n"
NPY_HEADER = b"\x93NUMPY\1\0" + bytes([len(TERABYTES), 0]) + TERABYTES
NO_ZIP = "File is not a zip file"

# How to write each, and the reason that is given for it (* is anything).
BAD_CONTENTS = {
    "empty": (Path.touch, NO_ZIP),
    "web page": (lambda path: path.write_text("<!DOCTYPE html>Sign in"), NO_ZIP),
    "pickle": (lambda path: path.write_bytes(pickle.dumps(Mine(path))), NO_ZIP),
    "npy": (lambda path: np.save(path.open("wb"), np.zeros(3)), NO_ZIP),
    "truncated": (write_truncated, NO_ZIP),
    "zip of text": (lambda path: write_member(path, b"text"), "EOF: reading magic string, *"),
    "other arrays": (
        lambda path: np.savez(path, x=np.zeros(3)),
        "\"There is no item named 'x_train.npy' in the archive\"",
    ),
    "pickled objects": (
        lambda path: np.savez(path, x_train=np.array([Mine(path)], dtype=object)),
        "Object arrays cannot be loaded when allow_pickle=False",
    ),
    "images of 8 x 8": (
        lambda path: np.savez(path, x_train=IMAGES_8),
        "x_train is (60000, 8, 8) uint8 instead of (60000, 28, 28) uint8",
    ),
    "labels as floats": (
        lambda path: write_like_mnist(path, y_test=np.zeros(10000, np.float16)),
        "y_test is larger than (10000,) uint8",
    ),
    "labels of one byte, signed": (
        lambda path: write_like_mnist(path, y_test=np.zeros(10000, np.int8)),
        "y_test is (10000,) int8 instead of (10000,) uint8",
    ),
    "claim of terabytes": (lambda path: write_member(path, NPY_HEADER), "Unable to allocate *"),
    "zip bomb": (lambda path: write_member(path, bytes(10**8)), "x_train is larger than *"),
    # As Fashion-MNIST has them: 28 x 28 pixels, ten classes, the same numbers of images.
    "other images of the right shape": (write_like_mnist, "x_train has other contents"),
}
# The same, and what is no file at all, with what is said in words that follow "it".
BAD_FILES = {
    "missing": (lambda path: None, "does not exist"),
    "folder": (Path.mkdir, "is not a file"),
} | {name: (write, f"does not hold MNIST ({why})") for name, (write, why) in BAD_CONTENTS.items()}
if hasattr(os, "mkfifo"):
    BAD_FILES["pipe"] = (os.mkfifo, "is not a file")
