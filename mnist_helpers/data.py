"""The data of the tutorial: MNIST, or the offline digits where MNIST cannot be had."""

import hashlib
import os
import queue
import shutil
import socket
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import numpy as np
from platformdirs import user_cache_path

from .files import write_atomically

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

ZIP_MAGIC = b"PK\x03\x04"  # an npz file is a zip archive
STALL_SECONDS = 5  # without a single byte
ANSWER_SECONDS = 8  # until the first 64 KiB, the look-up of the server's name included


class MnistError(Exception):
    """The file named by MNIST_NPZ cannot be used; the message says why and what to do."""


class _UnusableError(Exception):
    """A source of data cannot be used; the message says why, in words that follow "it"."""


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

    The first of these that applies: the file that the environment variable MNIST_NPZ names;
    the offline digits if MNIST_OFFLINE=1; the file that Keras has downloaded before; Keras's
    download; the offline digits, with a printed line that says why.

    Raises MnistError if MNIST_NPZ names a file that does not hold MNIST.
    """
    if os.environ.get("MNIST_NPZ"):
        return _load_named_file(Path(os.environ["MNIST_NPZ"]).expanduser().absolute())
    if os.environ.get("MNIST_OFFLINE", "0") not in ("", "0"):
        return _load_offline_digits()

    cached = _keras_cache()
    bad_cache = ""
    try:
        return Mnist("MNIST", **_read_arrays(cached, MNIST_SHA256))
    except FileNotFoundError:
        pass
    except _UnusableError as problem:
        bad_cache = f"{cached} cannot be used (it {problem})"
    try:
        arrays = _download(cached)
    except _UnusableError as problem:
        reasons = f"{bad_cache}; " if bad_cache else ""
        print(
            f"These are the offline digits, not MNIST: {reasons}the download failed "
            f"({problem}). To get MNIST, run this again with a network connection, or set "
            "MNIST_NPZ to the path of an mnist.npz before starting Jupyter."
        )
        return _load_offline_digits()
    if bad_cache:
        print(f"MNIST was downloaded anew: {bad_cache}.")
    return Mnist("MNIST", **arrays)


def _load_named_file(path: Path) -> Mnist:
    try:
        return Mnist("MNIST", **_read_arrays(path, MNIST_SHA256))
    except FileNotFoundError:
        problem = "does not exist"
    except _UnusableError as error:
        problem = str(error)
    # Raised here rather than above, so that the reader sees this error alone.
    raise MnistError(
        f"MNIST_NPZ names {path}, which cannot be used: it {problem}. Set MNIST_NPZ to the "
        f"full path of an intact mnist.npz (for example from {MNIST_URL}), or unset it and "
        "restart the kernel."
    )


def _keras_cache() -> Path:
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(os.path.expanduser(home), "datasets", "mnist.npz")


def _read_arrays(path: Path, sha256: dict[str, str] | None) -> dict[str, np.ndarray]:
    """The four arrays of an npz file, checked: shapes, uint8, labels, SHA-256.

    With `sha256=None` the file itself says its arrays' checksums. Nothing is unpickled.
    Raises FileNotFoundError, or _UnusableError for anything else that is wrong.
    """
    try:
        if not path.is_file():
            if not path.exists():
                raise FileNotFoundError(path)
            raise _UnusableError("is not a file" if not path.is_dir() else "is a folder")
        with path.open("rb") as file:
            start = file.read(len(ZIP_MAGIC))
        if start != ZIP_MAGIC:
            raise _UnusableError("is not an npz file" if start else "is empty")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: _read_array(archive, name) for name in SHAPES}
            if sha256 is None:
                sha256 = dict(zip(SHAPES, archive["sha256"].tolist(), strict=True))
    except (FileNotFoundError, _UnusableError):
        raise
    except zipfile.BadZipFile as error:
        raise _UnusableError("is damaged or cut short") from error
    except OSError as error:
        raise _UnusableError(f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged archive can raise nearly anything
        raise _UnusableError(f"is damaged: {_in_one_line(error)}") from error
    for name, array in arrays.items():
        if hashlib.sha256(array).hexdigest() != sha256[name]:
            raise _UnusableError(
                f"has an array {name} of the right shape and type, but with other contents"
            )
    return arrays


def _read_array(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    member = f"{name}.npy"
    shape = SHAPES[name]
    if member not in archive.zip.namelist():
        raise _UnusableError(f"holds no array {name}")
    # Before anything is unpacked: a small file can claim to hold terabytes.
    if archive.zip.getinfo(member).file_size > np.prod(shape) + 10_000:
        raise _UnusableError(f"has an array {name} that is larger than {shape} uint8")
    try:
        array = archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise _UnusableError(
                f"holds pickled Python objects as {name}, which are never loaded: they could "
                "run any code"
            ) from None
        raise
    found = f"{getattr(array, 'shape', '')} {getattr(array, 'dtype', 'no array')}".strip()
    if found != f"{shape} uint8":
        raise _UnusableError(f"has as {name} {found}, where MNIST has {shape} uint8")
    if name.startswith("y") and array.max() > 9:
        raise _UnusableError(f"has labels above 9 in {name}")
    return np.ascontiguousarray(array)


def _download(cached: Path) -> dict[str, np.ndarray]:
    """Download MNIST with Keras, check it and keep it as `cached`.

    Raises _UnusableError, and then leaves nothing behind.
    """
    _ask_server()
    with tempfile.TemporaryDirectory(prefix="mnist-download-") as folder:
        # Keras would write straight to its cache, where several kernels that start at once
        # can meet, and waits for ever if the connection stalls.
        time_limit = socket.getdefaulttimeout()
        socket.setdefaulttimeout(STALL_SECONDS)
        try:
            from .keras_quietly import keras

            downloaded = Path(keras.utils.get_file("mnist.npz", origin=MNIST_URL, cache_dir=folder))
        except Exception as error:  # what Keras raises for a failed download is no more exact
            print()  # ends the line of the unfinished progress bar
            raise _UnusableError(_in_one_line(error)) from error
        finally:
            socket.setdefaulttimeout(time_limit)
        try:
            arrays = _read_arrays(downloaded, MNIST_SHA256)
        except _UnusableError as problem:
            raise _UnusableError(f"what the server sent {problem}") from problem
        _keep(cached, lambda part: shutil.copyfile(downloaded, part))
    return arrays


def _ask_server() -> None:
    """Raise _UnusableError unless the server soon sends the beginning of an npz file.

    Spares the import of TensorFlow where there is no network, and limits what no socket
    time limit covers: the look-up of a name, and one attempt for each of many addresses.
    """
    answers = queue.SimpleQueue()

    def ask() -> None:
        try:
            with urllib.request.urlopen(MNIST_URL, timeout=STALL_SECONDS) as response:
                answers.put(response.read(65536))
        except Exception as error:
            # What urllib wraps around a failed connection says nothing more.
            answers.put(error.reason if type(error) is URLError else error)

    # A daemon thread may hang in the look-up of a name without keeping the kernel from ending.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise _UnusableError("the server does not answer") from None
    if not isinstance(answer, bytes):
        raise _UnusableError(_in_one_line(answer))
    if not answer.startswith(ZIP_MAGIC):
        raise _UnusableError("the server sent something other than an npz file")


def _load_offline_digits() -> Mnist:
    """The offline digits, from this user's cache or made anew (and then kept there)."""
    # A changed recipe gets another file name, so that an old file is not taken for it.
    recipe = Path(__file__).with_name("offline_digits.py").read_bytes()
    version = hashlib.sha256(recipe).hexdigest()[:12]
    cached = user_cache_path("mnist-tutorial") / f"offline-digits-{version}.npz"
    try:
        return Mnist("offline digits", **_read_arrays(cached, sha256=None))
    except (FileNotFoundError, _UnusableError):
        pass  # makes no difference: they are made from what is installed

    from .offline_digits import make_offline_digits  # here, because it imports scikit-learn

    arrays = dict(zip(SHAPES, make_offline_digits(), strict=True))
    sha256 = [hashlib.sha256(array).hexdigest() for array in arrays.values()]
    _keep(cached, lambda part: np.savez(part, sha256=sha256, **arrays))
    return Mnist("offline digits", **arrays)


def _keep(path: Path, writer: Callable[[Path], object]) -> None:
    try:
        write_atomically(path, writer)
    except OSError as error:
        print(
            f"Nothing could be kept in {path.parent} ({error.strerror or error}): the data is "
            "in memory and will be fetched or made again next time."
        )


def _in_one_line(error: object) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + " …"
