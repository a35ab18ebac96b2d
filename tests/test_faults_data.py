"""Faults around the data, caused for real: networks, caches, disks, kills.

A server on loopback stands in for the one that MNIST comes from, and small arrays for its own.
"""

import hashlib
import io
import os
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mnist_helpers import data
from mnist_helpers.files import artifacts_folder, short_path, write_atomically


class Server(socketserver.ThreadingTCPServer):
    """Answers every request with these pieces; a number is a pause in seconds, None never ends."""

    daemon_threads = True

    def __init__(self, *pieces: bytes | float | None, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pieces, self.closing = pieces, threading.Event()
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


class Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass  # the request, up to its empty line
        for piece in self.server.pieces:
            if isinstance(piece, bytes):
                self.wfile.write(piece)
            elif self.server.closing.wait(piece):
                return


@pytest.fixture
def content(monkeypatch) -> bytes:
    """An npz file with small arrays, which is taken for MNIST, packed in a way of its own."""
    shapes = {name: (6, *shape[1:]) for name, shape in data.SHAPES.items()}
    arrays = {name: np.indices(shape, np.uint8)[-1] for name, shape in shapes.items()}
    sums = {name: hashlib.sha256(array).hexdigest() for name, array in arrays.items()}
    monkeypatch.setattr(data, "SHAPES", shapes)
    monkeypatch.setattr(data, "MNIST_SHA256", sums)
    file = io.BytesIO()
    packed = {name: np.asfortranarray(arrays[name]) for name in reversed(arrays)}
    np.savez_compressed(file, note=np.array([1.5]), **packed)
    return file.getvalue()


@pytest.fixture
def cached(monkeypatch, tmp_path) -> Path:
    """Where MNIST is kept. Nothing else is chosen."""
    for name in ("MNIST_NPZ", "MNIST_OFFLINE", "SSL_CERT_FILE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(data, "_load_offline_digits", lambda: OFFLINE)
    return tmp_path / "keras" / "datasets" / "mnist.npz"


OFFLINE = "the offline digits stand in"
OK, HALF = b"HTTP/1.0 200 OK\r\n", bytes(1_000_000)
OK_2_MB = OK + b"Content-Length: 2000000\r\n\r\n"
# What the server sends, and the reason that is given.
FAULTS = {
    "half, then silence": ([OK_2_MB, HALF, None], "silent for 0.5 seconds"),
    "trickles": ([OK_2_MB, *[b"P", 0.05] * 1000], "not complete after 2 seconds"),
    "half, then closes": ([OK_2_MB, HALF], "the connection ended after 1.0 of 2.0 MB"),
    "endless": ([OK, b"\r\n", *[HALF] * 10], "sent more than 3 MB"),
    "not found": ([b"HTTP/1.0 404 Not Found\r\n\r\n"], "404 Not Found"),
    "web page": ([OK, b"\r\n<!DOCTYPE html>"], "does not hold MNIST (File is not a zip file)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_download_that_fails_says_why_and_keeps_nothing(fault, cached, monkeypatch, capsys):
    limits = {"STALL_SECONDS": 0.5, "MAX_BYTES": 3_000_000, "TOTAL_SECONDS": 2}
    for name, value in limits.items():
        monkeypatch.setattr(data, name, value)
    pieces, reason = FAULTS[fault]
    with Server(*pieces) as server:
        monkeypatch.setattr(data, "MNIST_URL", server.url)
        assert data.load_mnist() == OFFLINE
    printed = capsys.readouterr().out
    assert reason in printed and "network connection" in printed and "MNIST_NPZ" in printed
    assert not cached.parent.exists()


def test_a_host_that_is_not_found_is_a_reason_unless_the_proxy_finds_it(cached, monkeypatch):
    with pytest.raises(data.DownloadError, match=r"request failed \(.*"):
        data.download("http://mnist.invalid/mnist.npz")
    with Server(OK, b"\r\ncontent") as server:
        monkeypatch.setenv("http_proxy", server.url)
        assert data.download("http://mnist.invalid/mnist.npz").read() == b"content"


def test_a_certificate_is_trusted_if_ssl_cert_file_names_it(cached, monkeypatch, tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl on this machine to make a certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
    command += "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out own.pem && "
    command += "cat own.pem key.pem > server.pem"
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    certificate = tmp_path / "server.pem"
    with Server(OK, b"\r\ncontent", certificate=certificate) as server:
        with pytest.raises(data.DownloadError, match=r"certificate cannot be .*SSL_CERT_FILE"):
            data.download(server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert data.download(server.url).read() == b"content"


def test_a_download_replaces_a_bad_file_and_is_used_again(content, cached, monkeypatch, capsys):
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content[: len(content) // 2])
    with Server(OK, b"\r\n", content) as server:
        monkeypatch.setattr(data, "MNIST_URL", server.url)
        assert data.load_mnist().name == "MNIST"
    assert data.load_mnist().name == "MNIST"  # the server has gone
    (line,) = capsys.readouterr().out.splitlines()  # within a second no progress is shown
    assert f"downloaded anew, because {cached} cannot be used: it does not hold MNIST" in line
    assert list(cached.parent.iterdir()) == [cached] and cached.read_bytes() == content


def test_a_download_that_cannot_be_kept_is_used_from_memory(content, cached, monkeypatch, capsys):
    cached.parent.parent.mkdir()
    cached.parent.write_text("a file where the folder should be")
    with Server(OK, b"\r\n", content) as server:
        monkeypatch.setattr(data, "MNIST_URL", server.url)
        assert data.load_mnist().name == "MNIST"
    assert f"Nothing could be kept in {cached.parent} (" in capsys.readouterr().out


def test_what_it_prints_can_be_printed_in_any_code_page(tmp_path):
    folder = tmp_path / "Größe 数"
    folder.write_text("a file where the folder should be")
    settings = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "MNIST_OFFLINE": "1"}
    code = "from mnist_helpers import load_mnist; print(load_mnist())"
    settings |= {"MNIST_NPZ": "", "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", code]
    printed = subprocess.check_output(command, env=os.environ | settings).decode("cp1252")
    assert "Größe \\u6570" in printed and printed.splitlines()[-1].startswith("<offline digits")


def test_a_checkout_keeps_networks_in_itself_a_package_in_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MNIST_ARTIFACTS", raising=False)
    kept = artifacts_folder() / "dense.keras"
    assert short_path(kept) == os.path.join("artifacts", "dense.keras")
    monkeypatch.setattr("mnist_helpers.files.CHECKOUT", tmp_path / "site-packages")
    assert "site-packages" not in str(artifacts_folder())


def test_a_chosen_folder_is_named_in_full_and_none_named_tilde_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("~/kept", "kept"):
        monkeypatch.setenv("MNIST_ARTIFACTS", name)
        assert short_path(artifacts_folder()) == str(tmp_path / "kept")
    monkeypatch.setenv("MNIST_ARTIFACTS", "~nobody-of-this-name/kept")
    with pytest.raises(OSError, match="no such home folder"):
        write_atomically(artifacts_folder() / "dense.keras", Path.touch)
    assert list(tmp_path.iterdir()) == []


def test_writing_makes_missing_folders_and_replaces_the_old_file_unless_it_fails(tmp_path):
    path, parts = tmp_path / "a" / "b" / "dense.keras", []

    def write(part: Path) -> None:
        parts.append(part)
        part.write_text(f"run {len(parts)}")
        if len(parts) == 3:
            raise KeyboardInterrupt

    write_atomically(path, write)
    write_atomically(path, write)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_text() == "run 2"
    assert list(path.parent.iterdir()) == [path]  # no part is left
    assert {(part.parent, part.suffix) for part in parts} == {(path.parent, ".keras")}


def test_a_writer_that_is_killed_leaves_the_old_file_and_the_next_removes_its_part(tmp_path):
    path = tmp_path / "run.bin"
    path.write_text("old")
    code = "import os, sys; from mnist_helpers.files import write_atomically\n"
    code += "write_atomically(sys.argv[1], lambda part: (part.touch(), os._exit(9)))"
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == 9
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 2

    def write(part: Path) -> None:
        part.touch()
        write_atomically(path, Path.touch)  # leaves the part of a process that lives alone

    write_atomically(path, write)
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == ""
