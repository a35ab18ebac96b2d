"""Faults around the data, caused for real: networks, caches, disks, kills.

A server on loopback stands in for the one that MNIST comes from, and small arrays for its own.
"""

import errno
import hashlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from faults import BAD_FILES, Server, child, namespace

from mnist_helpers import data
from mnist_helpers.files import artifacts_folder, short_path, write_atomically

LOOKS_LIKE_NPZ = b"PK\3\4" + bytes(2_000_000)
OFFLINE = "the offline digits stand in"


@pytest.fixture
def content(monkeypatch) -> bytes:
    """An npz file with small arrays, which is taken for MNIST."""
    shapes = {name: (6, *shape[1:]) for name, shape in data.SHAPES.items()}
    arrays = {name: np.full(shape, 7, np.uint8) for name, shape in shapes.items()}
    sums = {name: hashlib.sha256(array).hexdigest() for name, array in arrays.items()}
    monkeypatch.setattr(data, "SHAPES", shapes)
    monkeypatch.setattr(data, "MNIST_SHA256", sums)
    file = io.BytesIO()
    np.savez(file, **arrays)
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


def use(monkeypatch, url: str) -> None:
    monkeypatch.setattr(data, "MNIST_URL", url)


# What the server does and with which content -> a part of the reason that is given.
FAULTS = {
    ("never answers", b""): "answers too slowly or not at all",
    ("trickles", LOOKS_LIKE_NPZ): "answers too slowly or not at all",
    ("half, then silence", LOOKS_LIKE_NPZ): "answers too slowly or not at all",
    ("half, then closes", LOOKS_LIKE_NPZ): "the connection ended after 1.0 of 2.0 MB",
    ("endless", b""): "sent more than 3 MB",
    ("not found", b""): "404 Not Found",
    ("", b"<!DOCTYPE html>Sign in"): "does not hold MNIST (File is not a zip file)",
    ("", LOOKS_LIKE_NPZ): "does not hold MNIST (File is not a zip file)",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]} {fault[1][:9]}")
def test_a_download_that_fails_says_why_and_keeps_nothing(fault, cached, monkeypatch, capsys):
    limits = {"STALL_SECONDS": 0.5, "SLOW_SECONDS": 0.3, "MAX_BYTES": 3_000_000}
    for name, value in limits.items():
        monkeypatch.setattr(data, name, value)
    with Server(fault[1], fault[0]) as server:
        use(monkeypatch, server.url)
        assert data.load_mnist() == OFFLINE
    printed = capsys.readouterr().out
    assert FAULTS[fault] in printed and "network connection" in printed and "MNIST_NPZ" in printed
    assert not cached.parent.exists()


def test_a_download_has_a_deadline(cached, monkeypatch):
    monkeypatch.setattr(data, "TOTAL_SECONDS", 0.2)
    slow = pytest.raises(data.DownloadError, match="not complete after")
    with Server(LOOKS_LIKE_NPZ, "trickles") as server, slow:
        data.download(server.url)


def test_a_refused_connection_and_an_unknown_host_are_reasons(cached):
    with socket.socket() as bound:  # and not listening: nobody else can take its port
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(data.DownloadError, match=os.strerror(errno.ECONNREFUSED)):
            data.download(f"http://127.0.0.1:{bound.getsockname()[1]}/mnist.npz")
    with pytest.raises(data.DownloadError, match=r"request failed \(.*"):
        data.download("http://mnist.invalid/mnist.npz")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate that nobody trusts, with its key, for a server on loopback."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl on this machine to make a certificate")
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
    command += "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out own.pem && "
    command += "cat own.pem key.pem > server.pem"
    subprocess.run(command, shell=True, cwd=path.parent, check=True, capture_output=True)
    return path


def test_a_certificate_is_trusted_if_ssl_cert_file_names_it(certificate, cached, monkeypatch):
    with Server(b"content", certificate=certificate) as server:
        with pytest.raises(data.DownloadError, match=r"certificate cannot be .*SSL_CERT_FILE"):
            data.download(server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert data.download(server.url).read() == b"content"


def test_a_download_is_kept_and_used_again(content, cached, monkeypatch, capsys):
    with Server(content) as server:
        use(monkeypatch, server.url)
        assert data.load_mnist().name == data.load_mnist().name == "MNIST"
        assert len(server.requests) == 1
    assert cached.read_bytes() == content
    assert [path.name for path in cached.parent.iterdir()] == ["mnist.npz"]
    assert capsys.readouterr().out == ""  # what takes less than a second shows no progress


def test_a_download_goes_through_the_proxy_of_the_environment(content, cached, monkeypatch):
    with Server(content) as server:
        monkeypatch.setenv("http_proxy", server.url)
        assert data.download("http://mnist.invalid/mnist.npz").read() == content
    assert server.requests == ["GET http://mnist.invalid/mnist.npz HTTP/1.1"]


@pytest.mark.parametrize("fault", ["web page", "pickled objects", "truncated"])
def test_a_bad_file_in_the_cache_is_named_and_replaced(fault, content, cached, monkeypatch, capsys):
    write, reason = BAD_FILES[fault]
    cached.parent.mkdir(parents=True)
    if fault == "truncated":
        cached.write_bytes(content[: len(content) // 2])
    else:
        write(cached)
    with Server(content) as server:
        use(monkeypatch, server.url)
        assert data.load_mnist().name == "MNIST"
    printed = capsys.readouterr().out
    assert f"downloaded anew, because {cached} cannot be used" in printed and reason in printed
    assert cached.read_bytes() == content
    assert list(cached.parent.iterdir()) == [cached]  # and nothing was unpickled


def test_a_download_that_cannot_be_kept_is_used_from_memory(content, cached, monkeypatch, capsys):
    cached.parent.parent.mkdir()
    cached.parent.write_text("a file where the folder should be")
    with Server(content) as server:
        use(monkeypatch, server.url)
        assert data.load_mnist().name == "MNIST"
    assert f"Nothing could be kept in {cached.parent} (" in capsys.readouterr().out


# ---- where files are kept ----


def test_a_checkout_keeps_networks_in_a_folder_of_its_own_a_package_in_the_users(
    monkeypatch, tmp_path
):
    monkeypatch.delenv("MNIST_ARTIFACTS", raising=False)
    kept = artifacts_folder() / "dense.keras"
    assert short_path(kept) == os.path.join("artifacts", "dense.keras")
    monkeypatch.setattr("mnist_helpers.files.CHECKOUT", tmp_path / "site-packages")
    assert "site-packages" not in str(artifacts_folder())


def test_a_chosen_folder_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("~/kept", "kept"):
        monkeypatch.setenv("MNIST_ARTIFACTS", name)
        assert short_path(artifacts_folder()) == str(tmp_path / "kept")


def test_no_folder_named_tilde_is_made_where_there_is_no_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_ARTIFACTS", "~nobody-of-this-name/kept")
    with pytest.raises(OSError, match="no such home folder"):
        write_atomically(artifacts_folder() / "dense.keras", Path.touch)
    assert list(tmp_path.iterdir()) == []


# ---- writing in one step ----


def test_writing_makes_missing_folders_and_replaces_the_old_file(tmp_path):
    path, parts = tmp_path / "a" / "b" / "dense.keras", []

    def write(part: Path) -> None:
        parts.append(part)
        part.write_text(f"run {len(parts)}")

    write_atomically(path, write)
    write_atomically(path, write)
    assert path.read_text() == "run 2"
    assert list(path.parent.iterdir()) == [path]
    assert {(part.parent, part.suffix) for part in parts} == {(path.parent, ".keras")}


def test_a_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")

    def write(part: Path) -> None:
        part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_at_the_same_time_leave_one_of_their_files_whole(tmp_path):
    path, start = tmp_path / "run.bin", threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        write_atomically(path, lambda part: part.write_bytes(bytes([number]) * 1_000_000))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    content = path.read_bytes()
    assert content in [bytes([number]) * 1_000_000 for number in range(8)]
    assert list(tmp_path.iterdir()) == [path]


WRITE_HALF = """
import sys
from mnist_helpers.files import write_atomically
def write(part):
    part.write_text("half")
    print("half written", flush=True)
    sys.stdin.read()
write_atomically(sys.argv[1], write)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows kills in another way")
def test_a_killed_writer_leaves_the_old_file_and_what_it_left_is_removed(tmp_path):
    path = tmp_path / "run.bin"
    path.write_text("old")
    with child(WRITE_HALF, str(path)) as process:
        assert process.stdout.readline() == "half written\n"
        write_atomically(path, lambda part: part.write_text("newer"))
        assert len(list(tmp_path.iterdir())) == 2  # the part of a living process stays
        process.kill()
        process.wait()
    assert path.read_text() == "newer"
    write_atomically(path, lambda part: part.write_text("new"))
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "new"


KEEP = "import sys; from mnist_helpers.files import write_atomically as w\n"
KEEP += "w(sys.argv[1], lambda part: part.write_bytes(bytes(3_000_000)))"


def test_a_full_disk_is_an_error_and_leaves_no_part(tmp_path):
    prefix = namespace("--mount", f"mount -t tmpfs -o size=1m tmpfs '{tmp_path}'")
    listed = (*prefix, "sh", "-c", f"\"$@\"; ls -A '{tmp_path}'", "sh")
    command = [*listed, sys.executable, "-c", KEEP, str(tmp_path / "run.bin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert done.stdout == ""
