"""Faults around the data, caused for real: networks, caches, disks, races, kills.

Each start is a process of its own with private folders. A server on loopback stands in for
the one that MNIST comes from. A start that hangs is killed and fails; the faults would hang
for longer than that, and the limits of a download end it after 5 to 16 seconds.
"""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import check_class
import numpy as np
import pytest
from faults import (
    BAD_FILES,
    HANGS,
    Server,
    assert_reads,
    bound_by_permissions,
    child,
    go,
    kill_at,
    namespace,
    offline_because,
)

from mnist_helpers import data
from mnist_helpers.files import write_atomically

pytestmark = pytest.mark.slow

# Loads the data as a notebook does, when it is told to, with some names of the two modules set
# to other values, and says in its last line what came of it.
START = """
import hashlib, json, sys
from types import SimpleNamespace
from mnist_helpers import data, download
settings = json.loads(sys.argv[1])
digits = settings.pop("digits", None)
for name, value in settings.items():
    setattr(data if hasattr(data, name) else download, name, value)
if digits:  # instead of drawing them, which takes seconds
    arrays = data._read_arrays(data.Path(digits), {}).values()
    stored = SimpleNamespace(make_offline_digits=lambda: list(arrays))
    sys.modules["mnist_helpers.offline_digits"] = stored
print("ready", flush=True)
sys.stdin.readline()
mnist = data.load_mnist()
sums = {name: hashlib.sha256(getattr(mnist, name)).hexdigest() for name in data.SHAPES}
tensorflow = "tensorflow" in sys.modules or "keras" in sys.modules
print()
print(json.dumps({"is_mnist": sums == data.MNIST_SHA256, "sums": sums, "tensorflow": tensorflow}))
"""


# ---- starts in private folders ----


def private_environment(folder: Path, cache: Path | None = None, **more: str) -> dict[str, str]:
    """The environment of a learner whose home, caches and temporary files are in `folder`."""
    others = ("MNIST_", "KERAS_", "SSL_")
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(others) and not name.lower().endswith("_proxy")
    }
    cache = cache or folder / "user-cache"
    temporary = folder / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    places = {"HOME": cache, "XDG_CACHE_HOME": cache, "KERAS_HOME": folder / "keras"}
    places["TMPDIR"] = temporary
    return environment | {name: str(place) for name, place in places.items()} | more


class Started:
    """What a start printed, and which data it got."""

    def __init__(self, process: subprocess.Popen) -> None:
        output, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        *lines, result = output.splitlines()
        result = json.loads(result)
        self.sums, self.is_mnist = result["sums"], result["is_mnist"]
        assert not result["tensorflow"]  # never needed for the data
        self.lines = [line for line in lines if line not in ("", "ready")]


def started(environment: dict, prefix: tuple = (), **settings) -> Started:
    with child(START, json.dumps(settings), prefix=prefix, environment=environment) as process:
        return Started(process)


@pytest.fixture(scope="module")
def first_start(tmp_path_factory) -> tuple[Started, Path]:
    """A start without a network and without anything in a cache, and its folder."""
    folder = tmp_path_factory.mktemp("first")
    return started(private_environment(folder), MNIST_URL=refusing_url()), folder


@pytest.fixture(scope="module")
def warm_cache(first_start) -> Path:
    """A user's cache that holds the offline digits, so that not every start draws them."""
    return first_start[1] / "user-cache"


@pytest.fixture
def environment(tmp_path, warm_cache) -> dict[str, str]:
    """A learner who has the offline digits and nothing else."""
    return private_environment(tmp_path, warm_cache)


@pytest.fixture
def cached(tmp_path) -> Path:
    """Where this learner's Keras keeps MNIST."""
    return tmp_path / "keras" / "datasets" / "mnist.npz"


@pytest.fixture(scope="module")
def digits(warm_cache) -> str:
    """The file of the offline digits, for starts that are to keep them in another cache."""
    (path,) = files_in(warm_cache)
    return path


@pytest.fixture(scope="module")
def mnist() -> tuple[bytes, dict]:
    """MNIST, or where it is not at hand another file of its kind: content and checksums."""
    if os.environ.get("MNIST_NPZ"):
        return Path(os.environ["MNIST_NPZ"]).read_bytes(), data.MNIST_SHA256
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in data.SHAPES.items()}
    arrays["x_train"][:12_000] = np.random.default_rng(1).integers(0, 256, (12_000, 28, 28))
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue(), {name: hashlib.sha256(arrays[name]).hexdigest() for name in arrays}


@pytest.fixture
def server(mnist):
    """A server that sends MNIST, and what makes a start take it for the real one."""
    with Server(mnist[0]) as server:
        server.settings = {"MNIST_URL": server.url, "MNIST_SHA256": mnist[1]}
        yield server


def files_in(*folders: Path) -> list[str]:
    return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


def assert_offline(start: Started, why: str) -> None:
    assert not start.is_mnist
    assert_reads(start.lines[-1], offline_because(why))


def assert_kept(folder: Path, *paths: Path) -> None:
    """These files alone are in Keras's folder and in that for temporary files."""
    assert files_in(folder / "keras", folder / "temporary") == [str(path) for path in paths]


LOOKS_LIKE_NPZ = b"PK\3\4" + bytes(11_490_516)  # as long as MNIST's
REFUSED = f"the request failed ({os.strerror(errno.ECONNREFUSED)})"
TOO_SLOW = "the server answers too slowly or not at all"
NOT_MNIST = "what the server sent does not hold MNIST (File is not a zip file)"


def refusing_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/mnist.npz"


# ---- network: downloads that fail ----

# What the server does and with which content -> the reason that is given.
FAULTS = {
    ("never answers", b""): TOO_SLOW,
    ("trickling headers", b""): TOO_SLOW,
    ("proxy never answers", b""): TOO_SLOW,
    ("name server never answers", b""): TOO_SLOW,
    ("no network", b""): "the request failed (*name*)",  # which cannot be looked up
    ("trickles", LOOKS_LIKE_NPZ): TOO_SLOW,
    ("trickles too long", LOOKS_LIKE_NPZ): "it was not complete after 2 seconds",
    ("half, then silence", LOOKS_LIKE_NPZ): TOO_SLOW,
    ("half, then closes", LOOKS_LIKE_NPZ): "the connection ended after 5.7 of 11.5 MB",
    ("endless", b""): "the server sent more than 100 MB",
    ("not found", b""): "the request failed (HTTP Error 404: Not Found)",
    ("", b"<!DOCTYPE html>Sign in"): NOT_MNIST,
    ("", b""): NOT_MNIST,
    ("", LOOKS_LIKE_NPZ): NOT_MNIST,
}


def start_with_a_fault(fault: str, content: bytes, folder: Path, cache: Path) -> Started:
    environment = private_environment(folder, cache)
    if fault == "no network":
        return started(environment, namespace("--net", "true"))
    if fault == "name server never answers":
        names = folder / "resolv.conf"
        names.write_text("nameserver 127.0.0.153\noptions timeout:30 attempts:5\n")
        prefix = namespace("--mount", f"mount --bind {names} /etc/resolv.conf")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            try:
                silent.bind(("127.0.0.153", 53))
            except OSError as error:
                pytest.skip(f"this machine allows no name server on 127.0.0.153: {error}")
            return started(environment, prefix)
    with Server(content, fault.removeprefix("proxy ").removesuffix(" too long")) as server:
        if fault == "proxy never answers":  # it promises the way to the real address
            return started(environment | {"https_proxy": server.url})
        limit = {"TOTAL_SECONDS": 2} if fault == "trickles too long" else {}
        return started(environment, MNIST_URL=server.url, **limit)


@pytest.fixture(scope="module")
def failing_starts(tmp_path_factory, warm_cache) -> dict[tuple, Future]:
    """Starts with the faults, all at the same time, because most wait."""

    def start(fault: tuple[str, bytes], folder: Path) -> None:
        assert_offline(start_with_a_fault(*fault, folder, warm_cache), FAULTS[fault])
        assert_kept(folder)

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        return {
            fault: pool.submit(start, fault, tmp_path_factory.mktemp("fault")) for fault in FAULTS
        }


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]} {fault[1][:9]}")
def test_download_that_fails_gives_offline_digits_soon(fault, failing_starts):
    failing_starts[fault].result()


def test_refused_connection_gives_offline_digits_even_without_a_cache(first_start):
    start, folder = first_start
    assert_offline(start, REFUSED)
    assert len(start.lines) == 1
    assert_kept(folder)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate that nobody trusts, with its key, for a server on loopback."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl on this machine to make a certificate")
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
        "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out own.pem && "
        "cat own.pem key.pem > server.pem",
        shell=True,
        cwd=path.parent,
        check=True,
        capture_output=True,
    )
    return path


def test_certificate_that_nobody_trusts_is_named_as_the_reason(certificate, environment, tmp_path):
    with Server(LOOKS_LIKE_NPZ, certificate=certificate) as server:
        start = started(environment, MNIST_URL=server.url)
    assert_offline(
        start,
        "the server's certificate cannot be trusted (self*); where the network shows a "
        "certificate of its own, SSL_CERT_FILE can name a file that holds it",
    )
    assert_kept(tmp_path)


def test_certificate_that_nobody_trusts_is_named_by_the_check_before_class(
    certificate, monkeypatch, tmp_path
):
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.delenv("MNIST_OFFLINE", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with Server(LOOKS_LIKE_NPZ, certificate=certificate) as server:
        monkeypatch.setattr(data, "MNIST_URL", server.url)
        told = "because the server's certificate cannot be trusted .* SSL_CERT_FILE can name"
        with pytest.raises(check_class.Problem, match=told):
            check_class.check_data()


def test_certificate_named_by_ssl_cert_file_is_trusted(certificate, environment, mnist):
    environment["SSL_CERT_FILE"] = str(certificate)
    with Server(mnist[0], certificate=certificate) as server:
        assert started(environment, MNIST_URL=server.url, MNIST_SHA256=mnist[1]).is_mnist


# ---- network: downloads that work ----


def test_next_start_with_a_working_server_gets_mnist_and_keeps_it(
    server, environment, cached, tmp_path
):
    server.fault = "half, then closes"
    assert not started(environment, **server.settings).is_mnist
    assert_kept(tmp_path)
    server.fault = ""
    # So late that even the busiest machine shows no progress bar.
    second = started(environment, **server.settings, PROGRESS_SECONDS=HANGS)
    assert second.is_mnist
    assert second.lines == []
    assert_kept(tmp_path, cached)
    assert cached.read_bytes() == server.content
    server.fault = "not found"
    third = started(environment, **server.settings)
    assert third.is_mnist
    assert third.lines == []


def test_progress_of_a_slow_download_is_shown_and_ends_in_one_line(server, environment):
    server.fault = "takes three seconds"
    start = started(environment, **server.settings)
    assert start.is_mnist
    percents = [int(re.match(r"MNIST: +(\d+)%\|", line)[1]) for line in start.lines]
    assert percents == sorted(percents)
    assert percents[0] < 100
    assert percents[-1] == 100


def test_download_goes_through_the_proxy_of_the_environment(server, environment):
    environment["http_proxy"] = server.url
    settings = server.settings | {"MNIST_URL": "http://mnist.invalid/mnist.npz"}
    assert started(environment, **settings).is_mnist


def test_download_that_cannot_be_kept_is_used_from_memory(server, environment, cached, tmp_path):
    cached.parent.parent.mkdir()
    cached.parent.write_text("a file where the folder should be")
    start = started(environment, **server.settings)
    assert start.is_mnist
    assert start.lines[-1].startswith(f"Nothing could be kept in {cached.parent} (")
    assert_kept(tmp_path, cached.parent)


# ---- bad files in Keras's cache ----


@pytest.mark.parametrize(
    "fault", ["truncated", "empty", "web page", "other arrays", "pickled objects"]
)
def test_bad_cache_is_told_and_replaced_once_there_is_a_network(
    fault, server, environment, cached, tmp_path
):
    write, problem = BAD_FILES[fault]
    cached.parent.mkdir(parents=True)
    write(cached)
    told = f"MNIST is downloaded anew, because {cached} cannot be used: it {problem}."

    start = started(environment, MNIST_URL=refusing_url())
    assert_offline(start, REFUSED)
    assert start.lines[:-1] == [told]
    assert_kept(tmp_path, cached)  # not unpickled, nothing added

    start = started(environment, **server.settings)
    assert start.is_mnist
    assert start.lines[0] == told
    assert_kept(tmp_path, cached)
    assert cached.read_bytes() == server.content


# ---- unreadable, read-only, full ----


def test_named_file_without_permission_gets_a_clear_error(tmp_path):
    path = tmp_path / "mine.npz"
    path.touch(mode=0)
    environment = private_environment(tmp_path, MNIST_NPZ=str(path))
    with child(START, "{}", prefix=bound_by_permissions(), environment=environment) as process:
        _, errors = process.communicate()
    assert errors.splitlines()[-1].endswith(
        f"MnistError: MNIST_NPZ names {path}, which cannot be used: it cannot be read (Permission "
        "denied). Set MNIST_NPZ to the full path of an intact mnist.npz (for example from "
        f"{data.MNIST_URL}), or unset it, and restart the kernel."
    )


@pytest.mark.parametrize("fault", ["EACCES", "ENOTDIR", "ENOSPC"])
def test_cache_that_cannot_be_written_is_told_and_the_work_goes_on(fault, tmp_path, digits):
    cache, listing, prefix = tmp_path / "user-cache", tmp_path / "listing", ()
    if fault == "ENOTDIR":
        cache.write_text("a file where the folder should be")
    else:
        cache.mkdir()
    if fault == "EACCES":
        cache.chmod(0o555)
        prefix = bound_by_permissions()
    if fault == "ENOSPC":
        prefix = namespace("--mount", f"mount -t tmpfs -o size=1m tmpfs '{cache}'")
    # The small disk exists only inside: list it there, after the start.
    then_list = f"\"$@\"; find '{cache}' -mindepth 1 -type f > '{listing}'"
    prefix = (*prefix, "sh", "-c", then_list, "sh")
    environment = private_environment(tmp_path, MNIST_OFFLINE="1")
    start = started(environment, prefix, digits=digits)
    assert not start.is_mnist
    (line,) = start.lines
    assert line.startswith(f"Nothing could be kept in {cache}")
    assert f" ({os.strerror(getattr(errno, fault))}): the data is in memory" in line
    assert listing.read_text() == ""  # nothing half-written either


# ---- several kernels at once ----


def start_eight(environment: dict, **settings) -> list[Started]:
    """Start eight kernels and let them load the data at the same moment."""
    with ExitStack() as stack:
        kernels = [
            stack.enter_context(child(START, json.dumps(settings), environment=environment))
            for _ in range(8)
        ]
        assert [kernel.stdout.readline() for kernel in kernels] == ["ready\n"] * 8
        for kernel in kernels:
            go(kernel)
        return [Started(kernel) for kernel in kernels]


def test_eight_kernels_at_once_keep_the_same_offline_digits(tmp_path, digits):
    starts = start_eight(private_environment(tmp_path, MNIST_OFFLINE="1"), digits=digits)
    assert [start.sums for start in starts] == [starts[0].sums] * 8
    (cached,) = files_in(tmp_path / "user-cache")
    data._read_arrays(Path(cached), sha256={})


def test_eight_kernels_at_once_download_the_same_mnist(server, environment, cached, tmp_path):
    assert all(start.is_mnist for start in start_eight(environment, **server.settings))
    assert_kept(tmp_path, cached)
    assert cached.read_bytes() == server.content


# ---- interrupted, killed ----


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_kernel_ended_while_it_downloads_leaves_nothing_behind(sent, environment, tmp_path):
    with Server(LOOKS_LIKE_NPZ, "half, then silence") as server:
        limits = {"STALL_SECONDS": HANGS, "SLOW_SECONDS": HANGS}
        settings = json.dumps({"MNIST_URL": server.url, **limits})
        with child(START, settings, environment=environment) as process:
            go(process)
            assert server.pausing.wait(HANGS)
            process.send_signal(sent)
            _, errors = process.communicate()
    assert process.returncode == -sent
    assert errors.endswith("KeyboardInterrupt\n") == (sent == signal.SIGINT)
    assert_kept(tmp_path)


WRITE_FOR_EVER = """
import itertools, sys
from mnist_helpers.files import write_atomically
for number in itertools.count():
    print("writing", flush=True)
    write_atomically(sys.argv[1], lambda part: part.write_bytes(bytes([number % 256]) * 3_000_000))
"""


def test_writer_killed_at_any_moment_leaves_the_old_or_the_new_file_whole(tmp_path):
    path = tmp_path / "run.bin"
    path.write_bytes(bytes(3_000_000))
    for times in range(1, 21):
        kill_at("writing", WRITE_FOR_EVER, str(path), times=times)
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert content == content[:1] * 3_000_000
        assert len(files_in(tmp_path)) <= 2  # parts do not gather
    write_atomically(path, lambda part: part.write_bytes(b"new"))
    assert files_in(tmp_path) == [str(path)]


KEEP_HALF = """
import os, sys
import numpy as np
save = np.savez
def save_half(part, **arrays):
    save(part, **arrays)
    os.truncate(part, 1_000_000)
    print("half written", flush=True)
    sys.stdin.read()
np.savez = save_half
"""


def test_kernel_killed_while_it_keeps_the_offline_digits(tmp_path, digits):
    environment = private_environment(tmp_path, MNIST_OFFLINE="1")
    settings = json.dumps({"digits": digits})
    kill_at("half written", KEEP_HALF + START, settings, environment=environment)
    (part,) = files_in(tmp_path / "user-cache")
    assert os.path.getsize(part) == 1_000_000
    start = started(environment, digits=digits)
    assert start.lines == []
    (cached,) = files_in(tmp_path / "user-cache")
    assert cached != part
    assert data._read_arrays(Path(cached), sha256={}).keys() == data.SHAPES.keys()
