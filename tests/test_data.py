"""The two data sets: what load_mnist() returns, from where, and what it refuses."""

import importlib.util
import os
import pickle
import re
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_helpers import MnistError, data, load_mnist
from mnist_helpers.files import write_atomically

MNIST_NPZ = os.environ.get("MNIST_NPZ", "")
needs_mnist = pytest.mark.skipif(not MNIST_NPZ, reason="MNIST_NPZ is not set: no real MNIST here")


@pytest.fixture(scope="module")
def user_cache(tmp_path_factory) -> Path:
    """A private cache folder in which the offline digits are made once."""
    return tmp_path_factory.mktemp("user-cache")


@pytest.fixture
def offline(monkeypatch, user_cache) -> Path:
    """Select the offline digits; returns the folder they are kept in."""
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("MNIST_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(user_cache))
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))
    return user_cache


def offline_file(user_cache: Path) -> Path:
    (path,) = user_cache.rglob("offline-digits-*")
    return path


def check_contract(mnist: data.Mnist) -> None:
    for name, shape in data.SHAPES.items():
        array = getattr(mnist, name)
        assert (array.shape, array.dtype) == (shape, np.uint8)
    for labels in (mnist.y_train, mnist.y_test):
        assert set(np.unique(labels)) == set(range(10))
    assert mnist.x_train.max() > 200
    assert mnist.x_train.min() == 0


# ---- what is returned ----


@needs_mnist
def test_named_file_gives_mnist_in_two_seconds_of_processor_time(monkeypatch):
    monkeypatch.setenv("MNIST_NPZ", MNIST_NPZ)
    start = time.process_time()
    mnist = load_mnist()
    assert time.process_time() - start < 2
    assert mnist.name == "MNIST"
    check_contract(mnist)


@needs_mnist
def test_mnist_packed_in_another_way_is_accepted(monkeypatch, tmp_path):
    with np.load(MNIST_NPZ, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in reversed(archive.files)}
    arrays["x_test"] = np.asfortranarray(arrays["x_test"])
    path = tmp_path / "my own copy ä.npz"
    np.savez(path, note=np.array([1.5]), **arrays)
    monkeypatch.setenv("MNIST_NPZ", str(path))
    check_contract(load_mnist())


@needs_mnist
def test_named_file_goes_before_offline_digits(monkeypatch):
    monkeypatch.setenv("MNIST_NPZ", MNIST_NPZ)
    monkeypatch.setenv("MNIST_OFFLINE", "1")
    assert load_mnist().name == "MNIST"


def test_offline_digits_have_the_shapes_and_types_of_mnist(offline):
    mnist = load_mnist()
    assert mnist.name == "offline digits"
    check_contract(mnist)


def test_offline_digits_print_nothing(offline, capfd):
    load_mnist()
    assert capfd.readouterr() == ("", "")


def test_repr_is_one_short_line(offline):
    text = repr(load_mnist())
    assert text.startswith("<offline digits: 60,000 training and 10,000 test")
    assert "\n" not in text
    assert len(text) < 100


def test_offline_digits_are_kept_and_read_again(offline):
    first = load_mnist()
    written = offline_file(offline).stat().st_mtime_ns
    start = time.process_time()
    second = load_mnist()
    assert time.process_time() - start < 2
    assert offline_file(offline).stat().st_mtime_ns == written
    assert np.array_equal(first.x_train, second.x_train)


@pytest.mark.parametrize("damage", ["one pixel changed", "cut short", "pickled"])
def test_damaged_file_of_offline_digits_is_made_anew(offline, damage, tmp_path):
    good = load_mnist()
    path = offline_file(offline)
    if damage == "one pixel changed":
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        arrays["x_train"][100, 14, 14] ^= 1
        np.savez(path, **arrays)
    elif damage == "cut short":
        os.truncate(path, path.stat().st_size // 2)
    else:
        np.savez(path, x_train=np.array([Mine(tmp_path / "was run")], dtype=object))
    again = load_mnist()
    assert np.array_equal(again.x_train, good.x_train)
    assert list(path.parent.iterdir()) == [path]
    assert not (tmp_path / "was run").exists()
    np.testing.assert_array_equal(data._read_arrays(path, sha256=None)["x_train"], good.x_train)


def test_named_file_and_offline_digits_import_no_tensorflow(offline):
    code = (
        "import sys; from mnist_helpers import load_mnist; load_mnist(); "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    load_mnist()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    if MNIST_NPZ:
        environment = {**os.environ, "MNIST_NPZ": MNIST_NPZ}
        assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_download_address_is_that_of_keras():
    keras = Path(importlib.util.find_spec("keras").origin).parent
    source = (keras / "src" / "datasets" / "mnist.py").read_text()
    folder = re.search(r'"(https://[^"]+tf-keras-datasets/)"', source).group(1)
    assert f"{folder}mnist.npz" == data.MNIST_URL


# ---- what MNIST_NPZ may not be ----


class Mine:
    """An object whose unpickling makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def arrays_like_mnist(seed: int = 0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.integers(0, 10, shape).astype(np.uint8)
        for name, shape in data.SHAPES.items()
    }


def write_small_npz(path: Path, **changed) -> None:
    """An npz file that is wrong in its first or a later array only."""
    np.savez(path, **{**arrays_like_mnist(), **changed})


def write_claim_of_terabytes(path: Path) -> None:
    buffer = BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": (10**7, 1000, 1000)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", buffer.getvalue())


def write_zip_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x_train.npy", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1_000_000))


def write_truncated(path: Path) -> None:
    write_small_npz(path)
    os.truncate(path, 30_000_000)


def write_zip_of_text(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", "not an array")


BAD_FILES = {
    "missing": (lambda path: None, "does not exist"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "pipe": (lambda path: os.mkfifo(path), "is not a file"),
    "empty": (lambda path: path.touch(), "is empty"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html><title>Sign in</title>"), "not an"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps(Mine(path.parent / "run"))), "not an"),
    "npy": (lambda path: np.save(path.open("wb"), np.zeros(3)), "not an npz file"),
    "truncated": (write_truncated, "damaged or cut short"),
    "zip of text": (write_zip_of_text, "x_train no array"),
    "other arrays": (lambda path: np.savez(path, x=np.zeros(3)), "no array x_train"),
    "pickled objects": (
        lambda path: np.savez(path, x_train=np.array([Mine(path.parent / "run")], dtype=object)),
        "pickled Python objects as x_train, which are never loaded",
    ),
    "images of 8 x 8": (
        lambda path: np.savez(path, x_train=np.zeros((60000, 8, 8), np.uint8)),
        "(60000, 8, 8) uint8, where MNIST has (60000, 28, 28) uint8",
    ),
    "labels as floats": (
        lambda path: write_small_npz(path, y_test=np.zeros(10000, np.float16)),
        "larger than (10000,) uint8",
    ),
    "labels of one byte, signed": (
        lambda path: write_small_npz(path, y_test=np.zeros(10000, np.int8)),
        "(10000,) int8, where MNIST has (10000,) uint8",
    ),
    "label 10": (
        lambda path: write_small_npz(path, y_train=np.full(60000, 10, np.uint8)),
        "labels above 9 in y_train",
    ),
    "claim of terabytes": (write_claim_of_terabytes, "damaged"),
    "zip bomb": (write_zip_bomb, "larger than (60000, 28, 28) uint8"),
    # As Fashion-MNIST has them: 28 x 28 pixels, ten classes, the same numbers of images.
    "other images of the right shape": (write_small_npz, "but with other contents"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_named_file_that_is_not_mnist_gets_one_clear_error(fault, monkeypatch, tmp_path):
    write, expected = BAD_FILES[fault]
    path = tmp_path / "mine.npz"
    write(path)
    monkeypatch.setenv("MNIST_NPZ", str(path))
    monkeypatch.setenv("MNIST_OFFLINE", "1")  # no reason to take another source
    with pytest.raises(MnistError) as caught:
        load_mnist()
    message = str(caught.value)
    assert str(path) in message
    assert expected in message
    assert "Set MNIST_NPZ to" in message  # what to do
    assert "\n" not in message
    # The traceback shows this error alone, and nothing was unpickled.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert not (tmp_path / "run").exists()


def test_relative_name_is_reported_in_full(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_NPZ", "nowhere.npz")
    with pytest.raises(MnistError, match=re.escape(str(tmp_path / "nowhere.npz"))):
        load_mnist()


def small_npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


some_arrays = st.dictionaries(
    st.sampled_from([*data.SHAPES, "sha256", "x"]),
    st.builds(
        np.zeros,
        st.sampled_from([(), (0,), (3,), (10000,), (60000,), (2, 28, 28)]),
        st.sampled_from(["u1", "i8", "f4", "U3", "M8[s]", "u1,f4"]),
    ),
)


@st.composite
def damaged_npz(draw) -> bytes:
    """An npz file with a few bytes changed and perhaps its end missing."""
    content = bytearray(small_npz(draw(some_arrays)))
    for _ in range(draw(st.integers(0, 8))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


@pytest.mark.filterwarnings("ignore")  # numpy's, about the damaged headers
@pytest.mark.slow
@settings(
    max_examples=1000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.one_of(st.binary(), st.binary().map(b"PK\x03\x04".__add__), damaged_npz()))
def test_any_other_file_gets_the_documented_error(content, monkeypatch, tmp_path):
    path = tmp_path / "generated.npz"
    path.write_bytes(content)
    monkeypatch.setenv("MNIST_NPZ", str(path))
    with pytest.raises(MnistError, match="generated"):
        load_mnist()


# ---- writing in one step ----


def test_write_makes_missing_folders_and_replaces_the_old_file(tmp_path):
    path = tmp_path / "a" / "b" / "run.json"
    for text in ("old", "new"):
        write_atomically(path, lambda part, text=text: part.write_text(text))
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_failed_write_keeps_the_old_file_and_leaves_no_part(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")

    def write(part: Path) -> None:
        part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_part_has_the_suffix_and_folder_of_the_file(tmp_path):
    seen = []

    def write(part: Path) -> None:
        seen.append(part)
        part.touch()

    write_atomically(tmp_path / "dense.keras", write)
    assert seen[0].suffix == ".keras"
    assert seen[0].parent == tmp_path
