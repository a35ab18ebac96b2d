"""The two data sets: what load_mnist() returns, from where, and what it refuses."""

import importlib.util
import os
import re
import subprocess
import sys
import urllib.request
from io import BytesIO
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from faults import BAD_CONTENTS, BAD_FILES, Mine, assert_reads, offline_because
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_helpers import MnistError, data, hold_out, load_mnist
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
def test_named_file_gives_mnist_even_if_the_offline_digits_are_chosen(monkeypatch, tmp_path):
    (tmp_path / "mine.npz").symlink_to(MNIST_NPZ)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_NPZ", "~/mine.npz")
    monkeypatch.setenv("MNIST_OFFLINE", "1")
    mnist = load_mnist()
    assert mnist.name == "MNIST"
    check_contract(mnist)


@needs_mnist
def test_mnist_may_be_packed_in_another_way_but_not_changed(monkeypatch, tmp_path):
    with np.load(MNIST_NPZ, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in reversed(archive.files)}
    arrays["x_test"] = np.asfortranarray(arrays["x_test"])
    path = tmp_path / "my own copy ä.npz"
    np.savez(path, note=np.array([1.5]), **arrays)
    monkeypatch.setenv("MNIST_NPZ", str(path))
    check_contract(load_mnist())
    arrays["y_test"][5000] ^= 1
    np.savez(path, **arrays)
    with pytest.raises(MnistError, match="y_test has other contents"):
        load_mnist()


def test_offline_digits_are_like_mnist_and_print_nothing(offline, capfd):
    mnist = load_mnist()
    check_contract(mnist)
    assert capfd.readouterr() == ("", "")
    assert repr(mnist) == (
        "<offline digits: 60,000 training and 10,000 test images, 28 × 28 pixels, uint8>"
    )


def test_offline_digits_are_kept_and_read_again(offline):
    first = load_mnist()
    written = offline_file(offline).stat().st_mtime_ns
    second = load_mnist()
    assert offline_file(offline).stat().st_mtime_ns == written
    assert np.array_equal(first.x_train, second.x_train)


@pytest.mark.parametrize("damage", ["one pixel changed", "cut short", "pickled"])
def test_damaged_file_of_offline_digits_is_made_anew(offline, damage):
    good = load_mnist()
    path = offline_file(offline)
    whole = path.read_bytes()
    if damage == "pickled":
        np.savez(path, x_train=np.array([Mine(path)], dtype=object))
    elif damage == "cut short":
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(whole[:20_000_000] + bytes([whole[20_000_000] ^ 1]) + whole[20_000_001:])
    again = load_mnist()
    assert np.array_equal(again.x_train, good.x_train)
    assert list(path.parent.iterdir()) == [path]  # nothing was unpickled
    assert np.array_equal(data._read_arrays(path, sha256={})["x_train"], good.x_train)


def test_loading_imports_no_tensorflow():
    code = (
        "import sys; from mnist_helpers import load_mnist; load_mnist(); "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    environment = os.environ | {"MNIST_OFFLINE": "1"}  # or the file that MNIST_NPZ names
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_download_address_is_that_of_keras():
    keras = Path(importlib.util.find_spec("keras").origin).parent
    source = (keras / "src" / "datasets" / "mnist.py").read_text()
    folder = re.search(r'"(https://[^"]+tf-keras-datasets/)"', source).group(1)
    assert f"{folder}mnist.npz" == data.MNIST_URL


# ---- hold_out ----

NAMES = pytest.mark.parametrize("numbered", ["MNIST", "offline digits"], indirect=True)


@pytest.fixture
def numbered(request) -> data.Mnist:
    """A data set whose images tell their place in it, by their first two pixels."""
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:, 0, :2] = np.arange(60_000, dtype=">u2").view(np.uint8).reshape(-1, 2)
    labels = (np.arange(60_000) % 10).astype(np.uint8)
    return data.Mnist(request.param, images, labels, images[:1], labels[:1])


def places(images: np.ndarray) -> np.ndarray:
    return images[:, 0, 0] * np.int64(256) + images[:, 0, 1]


@NAMES
def test_48000_images_are_to_train_with_and_12000_to_validate(numbered):
    arrays = hold_out(numbered)
    shapes = [(48_000, 28, 28), (48_000,), (12_000, 28, 28), (12_000,)]
    assert [array.shape for array in arrays] == shapes
    assert {array.dtype for array in arrays} == {np.dtype(np.uint8)}


@NAMES
def test_each_training_image_is_in_one_of_the_two_parts(numbered):
    x_train, _, x_valid, _ = hold_out(numbered)
    both = np.concatenate([places(x_train), places(x_valid)])
    assert np.array_equal(np.sort(both), np.arange(60_000))


@NAMES
def test_both_parts_are_in_the_order_of_the_source_and_have_its_labels(numbered):
    x_train, y_train, x_valid, y_valid = hold_out(numbered)
    for images, labels in [(x_train, y_train), (x_valid, y_valid)]:
        assert np.all(np.diff(places(images)) > 0)
        assert np.array_equal(labels, places(images) % 10)


@pytest.mark.parametrize("numbered", ["MNIST"], indirect=True)
def test_of_mnist_the_first_of_every_five_runs_of_500_is_held_out(numbered):
    runs = places(hold_out(numbered)[2]).reshape(24, 500)
    assert np.array_equal(runs[0], np.arange(500))
    assert np.array_equal(runs[1:], runs[:-1] + 2_500)


@pytest.mark.parametrize("numbered", ["offline digits"], indirect=True)
def test_of_the_offline_digits_the_last_12000_are_held_out(numbered):
    assert np.array_equal(places(hold_out(numbered)[2]), np.arange(48_000, 60_000))


@needs_mnist
def test_mnists_validation_images_hold_each_digit_as_often_as_its_training_images():
    _, y_train, _, y_valid = hold_out(load_mnist())
    shares = [np.bincount(labels, minlength=10) / len(labels) for labels in (y_train, y_valid)]
    assert np.abs(shares[0] - shares[1]).max() < 0.01


# ---- MNIST_OFFLINE ----


def test_words_say_whether_the_offline_digits_are_chosen(monkeypatch):
    monkeypatch.delenv("MNIST_OFFLINE", raising=False)
    assert not data.offline_is_chosen()
    for word in ("1", "true", "Yes", " ON ", "", " ", "0", "False", "no", "off"):
        monkeypatch.setenv("MNIST_OFFLINE", word)
        assert data.offline_is_chosen() == (word in ("1", "true", "Yes", " ON ")), word


def test_any_other_word_gets_an_error_that_names_it(offline, monkeypatch):
    monkeypatch.setenv("MNIST_OFFLINE", "maybe")
    with pytest.raises(MnistError) as caught:
        load_mnist()
    assert str(caught.value) == (
        "MNIST_OFFLINE is 'maybe', which means neither yes nor no. Set it to 1 for the offline "
        "digits or to 0 for MNIST, and restart the kernel."
    )


# ---- what MNIST_NPZ may not be ----


@pytest.mark.parametrize("fault", BAD_FILES)
def test_named_file_that_is_not_mnist_gets_one_clear_error(fault, monkeypatch, tmp_path):
    write, problem = BAD_FILES[fault]
    path = tmp_path / "mine.npz"
    write(path)
    monkeypatch.setenv("MNIST_NPZ", str(path))
    monkeypatch.setenv("MNIST_OFFLINE", "1")  # no reason to take another source
    with pytest.raises(MnistError) as caught:
        load_mnist()
    assert_reads(
        str(caught.value),
        f"MNIST_NPZ names {path}, which cannot be used: it {problem}. Set MNIST_NPZ to the full "
        f"path of an intact mnist.npz (for example from {data.MNIST_URL}), or unset it, and "
        "restart the kernel.",
    )
    # The traceback shows this error alone, and nothing was unpickled.
    assert caught.value.__suppress_context__
    assert not (tmp_path / "was run").exists()


@pytest.mark.parametrize("name", ["nowhere.npz", "~nobody-of-this-name/mnist.npz"])
def test_missing_file_is_reported_with_its_full_path(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_NPZ", name)
    with pytest.raises(MnistError, match=re.escape(f"{tmp_path / name}, which cannot be used")):
        load_mnist()


some_arrays = st.dictionaries(
    st.sampled_from([*data.SHAPES, "x"]),
    st.builds(
        np.zeros,
        st.sampled_from([(), (0,), (3,), (10000,), (60000,), (2, 28, 28)]),
        st.sampled_from(["u1", "i8", "f4", "U3", "M8[s]", "u1,f4"]),
    ),
)


@st.composite
def damaged_npz(draw) -> bytes:
    """An npz file with a few bytes changed and perhaps its end missing."""
    buffer = BytesIO()
    np.savez(buffer, **draw(some_arrays))
    content = bytearray(buffer.getvalue())
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


# ---- what is said about a download that fails ----


@pytest.fixture
def online(offline, monkeypatch, tmp_path) -> None:
    """Nothing is chosen: MNIST is in tmp_path, or else it is to be downloaded."""
    monkeypatch.delenv("MNIST_OFFLINE")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


# What urllib raises, and what comes of it; more kinds are caused for real in test_data_faults.py.
DOWNLOAD_ERRORS = [
    (OSError("Tunnel connection\nfailed: 403"), "Tunnel connection failed: 403"),
    (URLError("unknown url type: htp"), "unknown url type: htp"),
    (ValueError(), "ValueError"),
    (ValueError("x" * 1000), "x" * 200),
]


@pytest.mark.parametrize(("error", "why"), DOWNLOAD_ERRORS, ids=lambda value: None)
def test_error_of_a_download_is_told_in_a_sentence(error, why, online, monkeypatch, capsys):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    assert load_mnist().name == "offline digits"
    assert capsys.readouterr().out == offline_because(f"the request failed ({why})") + "\n"


@pytest.mark.parametrize("fault", BAD_CONTENTS)
def test_bad_file_from_the_server_and_in_the_cache_are_told_in_sentences(
    fault, online, monkeypatch, tmp_path, capsys
):
    write, problem = BAD_FILES[fault]
    cached = tmp_path / "datasets" / "mnist.npz"
    cached.parent.mkdir()
    write(cached)
    monkeypatch.setattr(data, "receive", lambda url: BytesIO(cached.read_bytes()))
    assert load_mnist().name == "offline digits"
    assert_reads(
        capsys.readouterr().out,
        f"MNIST is downloaded anew, because {cached} cannot be used: it {problem}.\n"
        f"{offline_because(f'what the server sent {problem}')}\n",
    )
    assert list(cached.parent.iterdir()) == [cached]


# ---- writing in one step ----


def test_write_makes_missing_folders_and_replaces_the_old_file(tmp_path):
    path = tmp_path / "a" / "b" / "dense.keras"
    parts = []

    def write(part: Path) -> None:
        parts.append(part)
        part.write_text(f"run {len(parts)}")

    write_atomically(path, write)
    write_atomically(path, write)
    assert path.read_text() == "run 2"
    assert list(path.parent.iterdir()) == [path]
    assert {(part.parent, part.suffix) for part in parts} == {(path.parent, ".keras")}


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
