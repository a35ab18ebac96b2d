"""The data of the tutorial: MNIST, or the offline digits where MNIST cannot be had."""

import hashlib
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from platformdirs import user_cache_path

from .download import DownloadError, in_one_line, receive
from .files import expanded, user_folder, write_atomically

# Where keras.datasets.mnist downloads from.
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"

# MNIST is known by its content: the SHA-256 of each array's bytes. The file itself may have
# been packed in any way.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}


class MnistError(Exception):
    """MNIST_NPZ or MNIST_OFFLINE cannot be followed; the message says why and what to do."""


class _UnusableError(Exception):
    """A file cannot be used; the message says why, in words that follow "it"."""


@dataclass(frozen=True, repr=False, eq=False)
class Mnist:
    """Images and labels: uint8 arrays, pixels 0 (black) to 255 (white), labels 0 to 9."""

    name: str  # "MNIST" or "offline digits"
    x_train: np.ndarray  # (60000, 28, 28)
    y_train: np.ndarray  # (60000,)
    x_test: np.ndarray  # (10000, 28, 28)
    y_test: np.ndarray  # (10000,)

    def __repr__(self) -> str:
        return (
            f"<{self.name}: {len(self.x_train):,} training and {len(self.x_test):,} test "
            f"images, 28 × 28 pixels, {self.x_train.dtype}>"
        )


def load_mnist() -> Mnist:
    """Load MNIST, or the offline digits, which have the same shapes and types.

    The first of these that applies:

    1. the file that the environment variable MNIST_NPZ names (`~` is the home folder);
    2. the offline digits, if MNIST_OFFLINE is 1, true, yes or on;
    3. Keras's own copy: `$KERAS_HOME/datasets/mnist.npz`, or `~/.keras/datasets/mnist.npz`;
    4. a download, which is kept there. Proxies are used as the environment names them. A bar
       shows the progress if it takes more than a second; it may take five minutes, and ends
       earlier if nothing or next to nothing comes;
    5. the offline digits, with a printed line that says why and how to get MNIST.

    A file is known to be MNIST by the SHA-256 of its arrays, and nothing in it is unpickled.
    The offline digits are made once and kept in the user's cache folder. Interrupted or killed
    at any moment, and with several kernels at once, files are whole or not there.

    Returns uint8 arrays: `x_train` (60000, 28, 28), `y_train` (60000,), `x_test`
    (10000, 28, 28) and `y_test` (10000,).

    Raises MnistError if MNIST_NPZ names a file that does not hold MNIST, or if MNIST_OFFLINE
    is none of the words above nor 0, false, no, off or empty.
    """
    named = os.environ.get("MNIST_NPZ")
    if named:
        path = expanded(named)
        try:
            return Mnist("MNIST", **_read_arrays(path, MNIST_SHA256))
        except _UnusableError as problem:
            raise MnistError(
                f"MNIST_NPZ names {path}, which cannot be used: it {problem}. Set MNIST_NPZ to "
                f"the full path of an intact mnist.npz (for example from {MNIST_URL}), or unset "
                "it, and restart the kernel."
            ) from None
    if offline_is_chosen():
        return _load_offline_digits()

    try:
        return cached_or_downloaded()
    except DownloadError as problem:
        print(
            f"These are the offline digits, not MNIST: the download failed, because {problem}. "
            "To get MNIST, run this again with a network connection, or set MNIST_NPZ to the "
            "path of an mnist.npz before starting Jupyter."
        )
    return _load_offline_digits()


def cached_or_downloaded() -> Mnist:
    """MNIST from Keras's cache or, where that has none, from its address.

    Raises DownloadError, which says why, where neither can be had.
    """
    cached = expanded(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets" / "mnist.npz"
    if os.path.exists(cached):
        try:
            return Mnist("MNIST", **_read_arrays(cached, MNIST_SHA256))
        except _UnusableError as problem:
            print(f"MNIST is downloaded anew, because {cached} cannot be used: it {problem}.")
    return Mnist("MNIST", **_download(cached))


def hold_out(data: Mnist) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split the training images: 48,000 to learn from and 12,000 to validate with.

    Gives x_train (48000, 28, 28), y_train (48000,), x_valid (12000, 28, 28) and y_valid
    (12000,), uint8, each in the order of the source.

    MNIST's file is not in random order, and neighbours in it share writers. So the first of
    every five runs of 500 images is held out: runs from everywhere in the file, whose writers
    are, but for those at the ends of a run, not among the training images. (The first, because
    with it the held-out images are as hard as the file; notebook 01 measures it.) Of the
    offline digits the last 12,000 are held out, because those have originals of their own.
    """
    position = np.arange(len(data.x_train))
    held_out = position // 500 % 5 == 0 if data.name == "MNIST" else position >= 48_000
    return (
        *(_aligned(data.x_train[~held_out]), data.y_train[~held_out]),
        *(_aligned(data.x_train[held_out]), data.y_train[held_out]),
    )


def offline_is_chosen() -> bool:
    """Whether MNIST_OFFLINE asks for the offline digits.

    Raises MnistError if it is neither 1, true, yes or on, nor 0, false, no, off or empty.
    """
    word = os.environ.get("MNIST_OFFLINE", "").strip()
    if word.lower() in ("1", "true", "yes", "on"):
        return True
    if word.lower() in ("0", "false", "no", "off", ""):
        return False
    raise MnistError(
        f"MNIST_OFFLINE is {in_one_line(word)!r}, which means neither yes nor no. Set it to 1 "
        "for the offline digits or to 0 for MNIST, and restart the kernel."
    )


def _read_arrays(file: Path | BinaryIO, sha256: dict[str, str]) -> dict[str, np.ndarray]:
    """The four arrays of an npz file, checked: the zip's CRC-32, shapes, uint8, `sha256`.

    Nothing is unpickled. Raises _UnusableError, whatever is wrong.
    """
    try:
        if isinstance(file, Path) and not file.is_file():  # a pipe would be waited for
            raise _UnusableError("is not a file" if file.exists() else "does not exist")
        with zipfile.ZipFile(file) as archive:  # an npz file is a zip archive
            arrays = {name: _read_array(archive, name) for name in SHAPES}
        for name, checksum in sha256.items():
            if hashlib.sha256(arrays[name]).hexdigest() != checksum:
                raise ValueError(f"{name} has other contents")
    except _UnusableError:
        raise
    except OSError as error:
        raise _UnusableError(f"cannot be read ({in_one_line(error)})") from error
    except Exception as error:  # a damaged archive can raise nearly anything
        raise _UnusableError(f"does not hold MNIST ({in_one_line(error)})") from error
    return arrays


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    member = archive.getinfo(f"{name}.npy")
    wanted = f"{SHAPES[name]} uint8"
    # Before anything is unpacked: a small file can claim to hold terabytes.
    if member.file_size > np.prod(SHAPES[name]) + 10_000:
        raise ValueError(f"{name} is larger than {wanted}")
    with archive.open(member) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if f"{array.shape} {array.dtype}" != wanted:
        raise ValueError(f"{name} is {array.shape} {array.dtype} instead of {wanted}")
    return _aligned(array)


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy of a uint8 array in memory that begins at a multiple of 64 bytes.

    There TensorFlow can read it without a copy of its own, see keras_setup.py.
    """
    memory = np.empty(array.size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.size].reshape(array.shape)
    copy[:] = array
    return copy


def _download(cached: Path) -> dict[str, np.ndarray]:
    """Download MNIST, check it and keep it as `cached`, where Keras finds it, too.

    Raises DownloadError, and then leaves nothing behind.
    """
    content = receive(MNIST_URL)
    try:
        arrays = _read_arrays(content, MNIST_SHA256)
    except _UnusableError as problem:
        raise DownloadError(f"what the server sent {problem}") from problem
    _keep(cached, lambda part: part.write_bytes(content.getbuffer()))
    return arrays


def _load_offline_digits() -> Mnist:
    """The offline digits, from this user's cache or made anew (and then kept there)."""
    # A changed recipe gets another file name, so that an old file is not taken for it.
    recipe = Path(__file__).with_name("offline_digits.py").read_bytes()
    version = hashlib.sha256(recipe).hexdigest()[:12]
    cached = user_folder(user_cache_path) / f"offline-digits-{version}.npz"
    try:
        return Mnist("offline digits", **_read_arrays(cached, sha256={}))
    except _UnusableError:
        pass  # makes no difference: they are made from what is installed

    from .offline_digits import make_offline_digits  # here, because it imports scikit-learn

    arrays = dict(zip(SHAPES, make_offline_digits(), strict=True))
    _keep(cached, lambda part: np.savez(part, **arrays))
    return Mnist("offline digits", **arrays)


def _keep(path: Path, writer: Callable[[Path], object]) -> None:
    try:
        write_atomically(path, writer)
    except OSError as error:
        print(
            f"Nothing could be kept in {path.parent} ({in_one_line(error)}): the data is "
            "in memory and will be fetched or made again next time."
        )
