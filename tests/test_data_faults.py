"""Faults around the data, caused for real: networks, caches, disks, races, kills.

Each start is a process of its own with private folders. A server on loopback stands in for
the one that Keras downloads from.
"""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from faults import bound_by_permissions, kill_after, namespace

from mnist_helpers import data
from mnist_helpers.files import write_atomically

# Each test starts processes and waits for them.
pytestmark = pytest.mark.slow

MNIST_NPZ = os.environ.get("MNIST_NPZ", "")
needs_mnist = pytest.mark.skipif(not MNIST_NPZ, reason="MNIST_NPZ is not set: no real MNIST here")

# Loads the data as a notebook does, from the given address if there is one, and says in its
# last line what came of it.
START = """
import hashlib, json, sys
from mnist_helpers import data
if len(sys.argv) > 1:
    data.MNIST_URL = sys.argv[1]
mnist = data.load_mnist()
sums = [hashlib.sha256(getattr(mnist, name)).hexdigest() for name in data.SHAPES]
print()
print(json.dumps({
    "name": mnist.name,
    "is_mnist": sums == list(data.MNIST_SHA256.values()),
    "sums": sums,
    "tensorflow": "tensorflow" in sys.modules,
}))
"""


# ---- starts in private folders ----


def private_environment(folder: Path, cache: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a learner whose home, caches and temporary files are in `folder`."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MNIST_", "KERAS_")) and not name.lower().endswith("_proxy")
    }
    cache = cache or folder / "user-cache"
    temporary = folder / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    places = {"HOME": cache, "XDG_CACHE_HOME": cache, "KERAS_HOME": folder / "keras"}
    places["TMPDIR"] = temporary
    return environment | {name: str(place) for name, place in places.items()} | more


class Started:
    """What one start printed, and how long it took."""

    def __init__(self, environment: dict, *arguments: str, prefix: tuple = ()) -> None:
        start = time.perf_counter()
        done = subprocess.run(
            [*prefix, sys.executable, "-c", START, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.seconds = time.perf_counter() - start
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        *lines, result = done.stdout.splitlines()
        self.result = json.loads(result)
        self.lines = [line for line in lines if line]


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory) -> Path:
    """A user's cache that holds the offline digits, so that not every start makes them."""
    cache = tmp_path_factory.mktemp("warm-cache")
    environment = private_environment(tmp_path_factory.mktemp("warm"), cache, MNIST_OFFLINE="1")
    done = subprocess.run([sys.executable, "-c", START], env=environment)
    assert done.returncode == 0
    return cache


def slowness() -> float:
    """1 on a quiet machine; on a busy one, how many processes share each core."""
    return max(1, os.getloadavg()[0] / os.cpu_count())


def files_in(*folders: Path) -> list[str]:
    return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


def assert_offline(start: Started, *reasons: str) -> None:
    """One visible line says which data this is, why, and how to get MNIST."""
    assert start.result["name"] == "offline digits"
    line = start.lines[-1]
    assert line.startswith("These are the offline digits, not MNIST:")
    assert "To get MNIST" in line
    for reason in reasons:
        assert reason in line


def assert_nothing_left(folder: Path) -> None:
    """Keras's cache holds no data and the folder for temporary files nothing at all."""
    assert files_in(folder / "keras" / "datasets", folder / "temporary") == []


# ---- the server that stands in for Keras's ----


class Server(ThreadingHTTPServer):
    """Answers every request with `content`, in the way that `fault` says."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, content: bytes, fault: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content, self.fault = content, fault
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mnist.npz"

    def __exit__(self, *_) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_) -> None:
        pass  # a client that gives up is what these tests are about


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content, fault = self.server.content, self.server.fault
        if fault == "never answers":
            self.server.closing.wait(60)
            return
        self.send_response(404 if fault == "not found" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "trickles":
            for byte in content:
                self.wfile.write(bytes([byte]))
                if self.server.closing.wait(1):
                    return
        half = len(content) // 2 if fault.startswith("half") else len(content)
        self.wfile.write(content[:half])
        if fault == "half, then silence":
            self.server.closing.wait(60)

    def do_CONNECT(self) -> None:
        self.server.closing.wait(60)

    def log_message(self, *_) -> None:
        pass


# The beginning of an npz file, as long as MNIST's.
LOOKS_LIKE_NPZ = data.ZIP_MAGIC + bytes(11_490_515)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def refusing_url() -> str:
    return f"http://127.0.0.1:{unused_port()}/mnist.npz"


# ---- network ----


@pytest.fixture(scope="module")
def starts_with_slow_servers(tmp_path_factory, warm_cache) -> dict:
    """Starts that mostly wait, all at the same time: fault -> (start, its folder)."""
    faults = ["never answers", "trickles", "half, then silence", "proxy never answers"]
    folders = [tmp_path_factory.mktemp("slow") for _ in faults]

    def start(fault: str, folder: Path) -> Started:
        with Server(LOOKS_LIKE_NPZ, fault) as server:
            if not fault.startswith("proxy"):
                return Started(private_environment(folder, warm_cache), server.url)
            # The real address, to which a proxy promises the way.
            address = server.url.removesuffix("mnist.npz")
            return Started(private_environment(folder, warm_cache, https_proxy=address))

    with ThreadPoolExecutor(len(faults)) as pool:
        starts = list(pool.map(start, faults, folders))
    return dict(zip(faults, zip(starts, folders, strict=True), strict=True))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("never answers", "timed out"),
        ("trickles", "the server does not answer"),
        ("half, then silence", "timed out"),
        ("proxy never answers", "timed out"),
    ],
)
def test_server_that_stalls_gives_offline_digits_soon(fault, reason, starts_with_slow_servers):
    start, folder = starts_with_slow_servers[fault]
    assert_offline(start, reason)
    assert start.seconds < 15 * slowness()
    assert_nothing_left(folder)
    if not fault.startswith("half"):
        assert len(start.lines) == 1
        assert not start.result["tensorflow"]  # not imported in vain


@pytest.mark.parametrize(
    ("fault", "content", "reason"),
    [
        ("not found", b"nothing here", "404"),
        ("", b"<!DOCTYPE html><title>Sign in to this network</title>", "other than an npz file"),
    ],
    ids=["not found", "web page"],
)
def test_server_that_sends_no_data_gives_offline_digits(
    fault, content, reason, tmp_path, warm_cache
):
    with Server(content, fault) as server:
        start = Started(private_environment(tmp_path, warm_cache), server.url)
    assert_offline(start, reason)
    assert len(start.lines) == 1
    assert not start.result["tensorflow"]
    assert_nothing_left(tmp_path)


def test_refused_connection_gives_offline_digits_even_without_a_cache(tmp_path):
    start = Started(private_environment(tmp_path), refusing_url())
    assert_offline(start, "Connection refused")
    assert len(start.lines) == 1
    assert start.seconds < 45 * slowness()  # draws the digits too, which a busy machine delays
    assert_nothing_left(tmp_path)


def test_name_that_cannot_be_looked_up_gives_offline_digits(tmp_path, warm_cache):
    environment = private_environment(tmp_path, warm_cache)
    start = Started(environment, "http://mnist.invalid/mnist.npz")
    assert_offline(start, "[Errno")
    assert start.seconds < 15 * slowness()
    assert_nothing_left(tmp_path)


def test_no_network_at_all_at_the_real_address(tmp_path, warm_cache):
    prefix = namespace("--net", "true")
    start = Started(private_environment(tmp_path, warm_cache), prefix=prefix)
    assert_offline(start)
    assert start.seconds < 15 * slowness()
    assert_nothing_left(tmp_path)


def test_name_server_that_never_answers_at_the_real_address(tmp_path, warm_cache):
    names = tmp_path / "resolv.conf"
    names.write_text("nameserver 127.0.0.153\noptions timeout:30\n")
    prefix = namespace("--mount", f"mount --bind {names} /etc/resolv.conf")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.153", 53))
        except OSError as error:
            pytest.skip(f"cannot stand in for a name server here: {error}")
        start = Started(private_environment(tmp_path, warm_cache), prefix=prefix)
    assert_offline(start, "the server does not answer")
    assert start.seconds < 15 * slowness()
    assert_nothing_left(tmp_path)


@needs_mnist
def test_next_start_with_a_working_server_gets_mnist_and_keeps_it(tmp_path, warm_cache):
    environment = private_environment(tmp_path, warm_cache)
    cached = tmp_path / "keras" / "datasets" / "mnist.npz"
    content = Path(MNIST_NPZ).read_bytes()
    with Server(content, "half, then closes") as server:
        assert_offline(Started(environment, server.url))
        assert_nothing_left(tmp_path)
        server.fault = ""
        second = Started(environment, server.url)
        assert second.result["is_mnist"]
        assert cached.read_bytes() == content
        assert files_in(tmp_path / "keras" / "datasets", tmp_path / "temporary") == [str(cached)]
    third = Started(environment, server.url)  # the server is gone
    assert third.result["is_mnist"]
    assert not third.result["tensorflow"]
    assert third.lines == []


# ---- bad files in Keras's cache ----


class Mine:
    """An object whose unpickling makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def write_truncated(path: Path) -> None:
    np.savez(path, x_train=np.zeros((60000, 28, 28), np.uint8))
    os.truncate(path, 20_000_000)


BAD_CACHES = {
    "truncated": (write_truncated, "damaged or cut short"),
    "empty": (lambda path: path.touch(), "it is empty"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html>"), "it is not an npz file"),
    "other arrays": (lambda path: np.savez(path, x=np.zeros(3)), "no array x_train"),
    "pickled objects": (
        lambda path: np.savez(path, x_train=np.array([Mine(path.parent / "run")], dtype=object)),
        "pickled Python objects",
    ),
}


@pytest.mark.parametrize("fault", BAD_CACHES)
def test_bad_cache_without_network_gives_offline_digits_and_the_reason(fault, tmp_path, warm_cache):
    write, reason = BAD_CACHES[fault]
    cached = tmp_path / "keras" / "datasets" / "mnist.npz"
    cached.parent.mkdir(parents=True)
    write(cached)
    start = Started(private_environment(tmp_path, warm_cache), refusing_url())
    assert_offline(start, str(cached), reason, "Connection refused")
    assert len(start.lines) == 1
    assert files_in(cached.parent) == [str(cached)]  # not unpickled, nothing added


# ---- downloads ----


@pytest.fixture(scope="module")
def downloads(tmp_path_factory, warm_cache) -> tuple[list[str], Path]:
    """What one kernel prints in several downloads, one after the other, and its folder.

    One process for all, because each import of TensorFlow takes seconds.
    """
    folder = tmp_path_factory.mktemp("downloads")
    datasets = folder / "keras" / "datasets"
    datasets.mkdir(parents=True)
    bad_files = [folder / f"{fault}.npz" for fault in BAD_CACHES]
    for path, (write, _) in zip(bad_files, BAD_CACHES.values(), strict=True):
        write(path)
    code = """
import shutil, sys
from pathlib import Path
from mnist_helpers import data
wrong_url, good_url, *bad_files = sys.argv[1:]
cached = data._keras_cache()

def load(url):
    data.MNIST_URL = url
    print("", data.load_mnist().name, list(cached.parent.rglob("*")) == [cached], sep="\\n")
    print("----")

load(wrong_url)
for bad_file in bad_files:
    shutil.copy(bad_file, cached)
    load(good_url)
    data._read_arrays(cached, data.MNIST_SHA256)
shutil.rmtree(cached.parent)
cached.parent.write_text("a file where the folder should be")
load(good_url)
"""
    with Server(LOOKS_LIKE_NPZ) as wrong, Server(Path(MNIST_NPZ).read_bytes()) as good:
        done = subprocess.run(
            [sys.executable, "-c", code, wrong.url, good.url, *map(str, bad_files)],
            env=private_environment(folder, warm_cache),
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n----\n")[:-1], folder


@needs_mnist
def test_server_that_sends_another_file_gives_offline_digits(downloads):
    printed = downloads[0][0]
    assert "\nThese are the offline digits, not MNIST:" in printed
    assert "what the server sent is damaged or cut short" in printed
    assert printed.endswith("\noffline digits\nFalse")  # and no file in the cache


@needs_mnist
@pytest.mark.parametrize("fault", BAD_CACHES)
def test_bad_cache_is_replaced_by_a_good_download(fault, downloads):
    printed = downloads[0][1 + list(BAD_CACHES).index(fault)]
    assert "\nMNIST was downloaded anew:" in printed
    assert BAD_CACHES[fault][1] in printed
    assert printed.endswith("\nMNIST\nTrue")  # and one file in the cache


@needs_mnist
def test_download_that_cannot_be_kept_is_used_from_memory(downloads):
    outputs, folder = downloads
    assert f"\nNothing could be kept in {folder / 'keras' / 'datasets'}" in outputs[-1]
    assert outputs[-1].endswith("\nMNIST\nFalse")


@needs_mnist
def test_downloads_leave_no_temporary_files_and_unpickle_nothing(downloads):
    _, folder = downloads
    assert files_in(folder / "temporary") == []
    assert not list(folder.rglob("run"))


# ---- unreadable, read-only, full ----


@pytest.mark.skipif(os.name == "nt", reason="permissions of Unix")
def test_named_file_without_permission_gets_a_clear_error(tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(LOOKS_LIKE_NPZ)
    path.chmod(0)
    done = subprocess.run(
        [*bound_by_permissions(), sys.executable, "-c", START],
        env=private_environment(tmp_path, MNIST_NPZ=str(path)),
        capture_output=True,
        text=True,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert f"MnistError: MNIST_NPZ names {path}" in last
    assert "cannot be read: Permission denied" in last


@pytest.mark.skipif(os.name == "nt", reason="permissions of Unix")
def test_read_only_cache_folder_works_from_memory_and_says_so(tmp_path):
    cache = tmp_path / "user-cache"
    cache.mkdir()
    cache.chmod(0o555)
    environment = private_environment(tmp_path, MNIST_OFFLINE="1")
    start = Started(environment, prefix=bound_by_permissions())
    assert start.result["name"] == "offline digits"
    assert len(start.lines) == 1
    assert start.lines[0].startswith(f"Nothing could be kept in {cache}")
    assert "Permission denied" in start.lines[0]
    assert list(cache.iterdir()) == []


def test_cache_folder_blocked_by_a_file_works_from_memory_and_says_so(tmp_path):
    (tmp_path / "user-cache").write_text("a file where the folder should be")
    start = Started(private_environment(tmp_path, MNIST_OFFLINE="1"))
    assert start.result["name"] == "offline digits"
    assert len(start.lines) == 1
    assert start.lines[0].startswith("Nothing could be kept in")


def test_full_disk_works_from_memory_and_leaves_no_half_written_file(tmp_path):
    cache = tmp_path / "user-cache"
    cache.mkdir()
    listing = tmp_path / "listing"
    prefix = namespace("--mount", f"mount -t tmpfs -o size=1m tmpfs '{cache}'")
    # The small disk exists only inside: list it there, after the start.
    inside = ("sh", "-c", f"\"$@\"; find '{cache}' -type f > '{listing}'", "sh")
    start = Started(private_environment(tmp_path, MNIST_OFFLINE="1"), prefix=(*prefix, *inside))
    assert start.result["name"] == "offline digits"
    assert len(start.lines) == 1
    assert "No space left on device" in start.lines[0]
    assert listing.read_text() == ""


# ---- several kernels at once ----


def start_eight(environment: dict, *arguments: str) -> list[dict]:
    command = [sys.executable, "-c", START, *arguments]
    kernels = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    outputs = [kernel.communicate(timeout=600)[0] for kernel in kernels]
    assert [kernel.returncode for kernel in kernels] == [0] * 8
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def test_eight_kernels_at_once_make_the_same_offline_digits(tmp_path):
    results = start_eight(private_environment(tmp_path, MNIST_OFFLINE="1"))
    assert results == [results[0]] * 8
    (cached,) = files_in(tmp_path / "user-cache")
    data._read_arrays(Path(cached), sha256=None)


@needs_mnist
def test_eight_kernels_at_once_download_the_same_mnist(tmp_path, warm_cache):
    with Server(Path(MNIST_NPZ).read_bytes()) as server:
        results = start_eight(private_environment(tmp_path, warm_cache), server.url)
    assert all(result["is_mnist"] for result in results)
    cached = tmp_path / "keras" / "datasets" / "mnist.npz"
    assert files_in(cached.parent, tmp_path / "temporary") == [str(cached)]
    data._read_arrays(cached, data.MNIST_SHA256)


# ---- killed while writing ----


def test_writer_killed_at_any_moment_leaves_the_old_or_the_new_file_whole(tmp_path):
    code = """
import itertools, sys
from mnist_helpers.files import write_atomically
print("writing", flush=True)
for number in itertools.count():
    write_atomically(sys.argv[1], lambda part: part.write_bytes(bytes([number % 256]) * 3_000_000))
"""
    path = tmp_path / "run.bin"
    path.write_bytes(bytes(3_000_000))
    moments = random.Random(1)
    abandoned = 0
    for _ in range(30):
        kill_after([sys.executable, "-c", code, str(path)], moments.uniform(0, 0.05))
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content == content[:1] * 3_000_000
        abandoned += len(files_in(tmp_path)) - 1
    assert abandoned > 0  # some were killed in the middle
    write_atomically(path, lambda part: part.write_bytes(b"new"))
    assert files_in(tmp_path) == [str(path)]
    assert path.read_bytes() == b"new"


def test_kernel_killed_while_it_keeps_the_offline_digits(tmp_path, warm_cache):
    # The digits come from the warm cache, to be written a moment after the start.
    code = """
import os, sys
from mnist_helpers import data, offline_digits
mnist = data.load_mnist()
offline_digits.make_offline_digits = lambda: [getattr(mnist, name) for name in data.SHAPES]
os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = sys.argv[1]
print("writing", flush=True)
while True:
    data.load_mnist()
    for path in data.user_cache_path("mnist-tutorial").glob("offline*"):
        path.unlink()
"""
    cache = tmp_path / "user-cache"
    environment = private_environment(tmp_path, warm_cache, MNIST_OFFLINE="1")
    moments = random.Random(2)
    for _ in range(6):
        command = [sys.executable, "-c", code, str(cache)]
        kill_after(command, moments.uniform(0, 0.5), environment)
        for path in cache.rglob("offline*"):
            data._read_arrays(path, sha256=None)
    start = Started(private_environment(tmp_path, cache, MNIST_OFFLINE="1"))
    assert start.lines == []
    expected = Started(environment)
    assert start.result["sums"] == expected.result["sums"]


def test_kernel_killed_while_it_downloads_leaves_the_cache_clean(tmp_path, warm_cache):
    environment = private_environment(tmp_path, warm_cache)
    with Server(LOOKS_LIKE_NPZ, "half, then silence") as server:
        process = subprocess.Popen(
            [sys.executable, "-c", START, server.url], env=environment, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60 * slowness()
        while not any(os.path.getsize(path) > 0 for path in files_in(tmp_path / "temporary")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.wait()
    # As on the very first start: nothing there that could be taken for MNIST.
    assert files_in(tmp_path / "keras" / "datasets") == []
