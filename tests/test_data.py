"""The two data sets: what load_mnist() returns, from where, and what it refuses."""

import hashlib
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mnist_helpers import data, hold_out, load_mnist, offline_digits
from mnist_helpers.data import MnistError

MNIST_NPZ = os.environ.get("MNIST_NPZ", "")
needs_mnist = pytest.mark.skipif(not MNIST_NPZ, reason="MNIST_NPZ is not set: no real MNIST here")


def numbered(name: str) -> data.Mnist:
    """A data set whose images hold their position in it, in their first two pixels."""
    images = np.zeros((60_000, 28, 28), np.uint8)
    images[:, 0, :2] = np.arange(60_000, dtype=">u2").view(np.uint8).reshape(-1, 2)
    labels = (np.arange(60_000) % 10).astype(np.uint8)
    return data.Mnist(name, images, labels, images[:10_000], labels[:10_000])


def positions(images: np.ndarray) -> np.ndarray:
    return images[:, 0, 0] * np.int64(256) + images[:, 0, 1]


@pytest.fixture
def offline(monkeypatch, tmp_path) -> list:
    """Select the offline digits, with a cache of one's own; gives the times they were made."""
    made, stand_in = [], numbered("offline digits")
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("MNIST_OFFLINE", "1")
    monkeypatch.setattr(data, "user_cache_path", tmp_path.joinpath)

    def make():
        made.append("anew")
        return [getattr(stand_in, name) for name in data.SHAPES]

    monkeypatch.setattr(offline_digits, "make_offline_digits", make)
    return made


@needs_mnist
def test_a_named_file_gives_mnist_even_if_the_offline_digits_are_chosen(monkeypatch, tmp_path):
    (tmp_path / "mine.npz").symlink_to(MNIST_NPZ)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_NPZ", "~/mine.npz")
    monkeypatch.setenv("MNIST_OFFLINE", "1")
    mnist = load_mnist()
    assert mnist.name == "MNIST" and "60,000 training" in repr(mnist)
    for name, shape in data.SHAPES.items():
        assert (getattr(mnist, name).shape, getattr(mnist, name).dtype) == (shape, np.uint8)


def test_offline_digits_are_kept_and_made_anew_if_damaged(offline, tmp_path, capsys):
    first, second = load_mnist(), load_mnist()
    assert first.name == "offline digits" and offline == ["anew"]
    assert np.array_equal(first.x_train, second.x_train)
    (kept,) = tmp_path.rglob("*.npz")  # under a name that changes with the recipe
    recipe = Path(offline_digits.__file__).read_bytes()
    assert hashlib.sha256(recipe).hexdigest()[:12] in kept.name
    content = bytearray(kept.read_bytes())
    content[20_000_000] ^= 1  # a pixel
    kept.write_bytes(content)
    assert np.array_equal(positions(load_mnist().x_train), np.arange(60_000))
    assert offline == ["anew"] * 2 and list(kept.parent.iterdir()) == [kept]
    data._read_arrays(kept, {})  # whole again
    assert capsys.readouterr().out == ""


# Recorded from a run. If a machine gives another, the docstring's promise is broken; if the
# recipe was changed on purpose, train both networks on the result, then record it anew.
OFFLINE_SHA256 = "223eee2911567a35529d42b6044f3e8cc647845e0c8e03b1442d8275d9b3808d"


def test_offline_digits_have_mnists_form_their_originals_labels_and_the_recorded_bytes():
    digits = offline_digits.make_offline_digits()
    assert [array.shape for array in digits] == [*data.SHAPES.values()]
    assert all(array.dtype == np.uint8 for array in digits)
    for labels, drawn in zip(digits[1::2], offline_digits.originals_of_images(), strict=True):
        assert np.array_equal(labels, load_digits().target[drawn])
    assert hashlib.sha256(b"".join(digits)).hexdigest() == OFFLINE_SHA256


def test_each_original_has_one_label_and_those_of_validation_and_test_are_theirs_alone():
    offline = numbered("offline digits")
    train, test = offline.writer_train, offline.writer_test
    assert train.dtype == test.dtype == np.int64 and (len(train), len(test)) == (60_000, 10_000)
    parts = [set(train[:48_000]), set(train[48_000:]), set(test)]
    assert [len(part) for part in parts] == [1117, 280, 400] and len(set.union(*parts)) == 1797


def test_mnist_was_written_by_539_people_and_297_others_in_two_groups():
    train, test = numbered("MNIST").writer_train, numbered("MNIST").writer_test
    assert train.dtype == test.dtype == np.int64 and (len(train), len(test)) == (60_000, 10_000)
    people, others = np.unique(train), np.unique(test)
    assert (len(people), len(others)) == (539, 297) and not np.isin(others, people).any()
    assert (np.sum(people >= 2100), np.sum(people < 2100)) == (250, 289)
    assert np.array_equal(test >= 2100, np.arange(10_000) <= 5_000)  # one more than the half


@pytest.mark.parametrize("word", ["1", "true", "Yes", " ON ", "", " ", "0", "False", "no", "off"])
def test_a_word_says_whether_the_offline_digits_are_chosen_any_other_is_refused(monkeypatch, word):
    monkeypatch.setenv("MNIST_OFFLINE", word)
    assert data.offline_is_chosen() == (word.strip().lower() in ("1", "true", "yes", "on"))
    monkeypatch.setenv("MNIST_OFFLINE", f"not {word}")
    with pytest.raises(MnistError, match=r"MNIST_OFFLINE is 'not.* restart the kernel"):
        data.offline_is_chosen()


def write_like_mnist(path: Path | BytesIO, **changed) -> None:
    """An npz file with arrays like MNIST's, except for those that are given."""
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in data.SHAPES.items()}
    np.savez(path, **{**arrays, **changed})


def damaged_mnist() -> bytes:
    file = BytesIO()
    write_like_mnist(file)
    content = bytearray(file.getvalue())
    content[20_000_000] ^= 1  # a pixel
    return content


# How to write each, and a part of the reason that is given for it.
BAD_FILES = {
    "missing": (lambda path: None, "No such file"),
    "folder": (Path.mkdir, "no file"),
    "web page": (lambda path: path.write_text("<!DOCTYPE html>Sign in"), "not a zip file"),
    "damaged": (lambda path: path.write_bytes(damaged_mnist()), "does not hold MNIST (Bad CRC"),
    # Nothing is unpickled: NumPy refuses, in these words.
    "pickled objects": (
        lambda path: np.savez(path, x_train=np.array([path], dtype=object)),
        "Object arrays cannot be loaded",
    ),
    "labels of another type": (
        lambda path: write_like_mnist(path, y_test=np.zeros(10000, np.int8)),
        "y_test is (10000,) int8 instead of (10000,) uint8",
    ),
    "zip bomb": (
        lambda path: np.savez_compressed(path, x_train=np.zeros(5 * 10**7, np.uint8)),
        "x_train is larger than",
    ),
    # As Fashion-MNIST has them: 28 x 28 pixels, ten classes, the same numbers of images.
    "other images of the right shape": (write_like_mnist, "x_train has other contents"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_named_file_that_is_not_mnist_is_one_error_with_the_reason(fault, monkeypatch, tmp_path):
    write, reason = BAD_FILES[fault]
    path = tmp_path / "mine.npz"
    write(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_NPZ", "mine.npz")
    monkeypatch.setenv("MNIST_OFFLINE", "1")  # no reason to take another source
    with pytest.raises(MnistError) as caught:
        load_mnist()
    message = str(caught.value)
    assert str(path) in message and reason in message and "restart the kernel" in message
    assert caught.value.__suppress_context__  # the traceback shows this error alone


@pytest.mark.parametrize("name", ["MNIST", "offline digits"])
def test_each_training_image_is_in_one_of_two_parts_in_order_with_its_label(name):
    x_train, y_train, x_valid, y_valid = hold_out(numbered(name))
    assert (len(x_train), len(x_valid)) == (48_000, 12_000)
    both = np.concatenate([positions(x_train), positions(x_valid)])
    assert np.array_equal(np.sort(both), np.arange(60_000))
    for images, labels in [(x_train, y_train), (x_valid, y_valid)]:
        assert images.dtype == labels.dtype == np.uint8
        assert np.all(np.diff(positions(images)) > 0)
        assert np.array_equal(labels, positions(images) % 10)
        assert images.ctypes.data % 64 == 0  # where TensorFlow reads them without a copy


def test_of_mnist_the_first_of_every_five_runs_of_500_is_held_out_else_the_last_12000():
    runs = positions(hold_out(numbered("MNIST"))[2]).reshape(24, 500)
    assert np.array_equal(runs, np.arange(500) + np.arange(0, 60_000, 2_500)[:, np.newaxis])
    held_out = positions(hold_out(numbered("offline digits"))[2])
    assert np.array_equal(held_out, np.arange(48_000, 60_000))
