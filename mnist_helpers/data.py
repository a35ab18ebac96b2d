"""The data of the tutorial: MNIST, or the offline digits where MNIST cannot be had."""

import hashlib
import os
import ssl
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from http.client import IncompleteRead
from io import BytesIO
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from . import offline_digits
from .files import expanded, user_folder, write_atomically

# Where keras.datasets.mnist downloads from.
MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
# MNIST is known by the SHA-256 of each array's bytes. The file may have been packed in any way.
MNIST_SHA256 = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
SHAPES = dict(x_train=(60000, 28, 28), y_train=(60000,), x_test=(10000, 28, 28), y_test=(10000,))

# The limits of a download. An mnist.npz has 11.5 MB; unpacked it would have 55.
MAX_BYTES, TOTAL_SECONDS = 100_000_000, 300
STALL_SECONDS = 5  # without a single byte, or for one attempt to connect


class MnistError(Exception):
    """MNIST_NPZ or MNIST_OFFLINE cannot be followed; the message says why and what to do."""


class DownloadError(Exception):
    """MNIST cannot be downloaded; the message is a clause that follows "because"."""


@dataclass(frozen=True, repr=False, eq=False)
class Mnist:
    """Images and labels: uint8 arrays, pixels 0 (black) to 255 (white), labels 0 to 9."""

    name: str  # "MNIST" or "offline digits"
    x_train: np.ndarray  # (60000, 28, 28)
    y_train: np.ndarray  # (60000,)
    x_test: np.ndarray  # (10000, 28, 28)
    y_test: np.ndarray  # (10000,)

    @cached_property
    def writers(self) -> tuple[np.ndarray, np.ndarray]:
        """`writer_train` and `writer_test`: int64 numbers that say which images belong together.

        On MNIST the people who wrote them, those from 2100 on high-school students, the others
        employees of the Census Bureau; on the offline digits the originals that they are varied
        from. Source: C. Yadav, L. Bottou, "Cold case: the lost MNIST digits", 2019 (QMNIST).
        """
        if self.name != "MNIST":
            return offline_digits.originals_of_images()
        with np.load(Path(__file__).with_name("writers.npz")) as file:
            return file["train"].astype(np.int64), file["test"].astype(np.int64)

    writer_train = property(lambda self: self.writers[0])  # (60000,)
    writer_test = property(lambda self: self.writers[1])  # (10000,)

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.x_train):,} training, {len(self.x_test):,} test images>"


def load_mnist() -> Mnist:
    """Load MNIST, or the offline digits, which have the same shapes and types.

    The first of these that applies:

    1. the file that the environment variable MNIST_NPZ names (`~` is the home folder);
    2. the offline digits, if MNIST_OFFLINE is 1, true, yes or on;
    3. Keras's own copy: `$KERAS_HOME/datasets/mnist.npz`, or `~/.keras/datasets/mnist.npz`;
    4. a download, which is kept there, within five minutes;
    5. the offline digits, with a printed line that says why and how to get MNIST.

    Raises MnistError if MNIST_NPZ names a file that does not hold MNIST, or MNIST_OFFLINE is none
    of the words above nor 0, false, no, off or empty.
    """
    if named := os.environ.get("MNIST_NPZ"):
        path = expanded(named)
        try:
            return Mnist("MNIST", **_read_arrays(path, MNIST_SHA256))
        except ValueError as problem:
            how = f"an intact mnist.npz (as from {MNIST_URL}), or unset it, and restart the kernel."
            problem = f"MNIST_NPZ names {path}, which cannot be used: it {problem}."
            raise MnistError(f"{problem} Set it to the full path of {how}") from None
    if not offline_is_chosen():
        try:
            return cached_or_downloaded()
        except DownloadError as problem:
            _say(
                f"These are the offline digits, not MNIST: the download failed, because {problem}. "
                "To get MNIST, run this again with a network connection, or set\n"
                "MNIST_NPZ to the path of an mnist.npz before starting Jupyter."
            )
    return _load_offline_digits()


def cached_or_downloaded() -> Mnist:
    """MNIST from Keras's cache or its address. Raises DownloadError where neither has it."""
    cached = expanded(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets" / "mnist.npz"
    if os.path.exists(cached):
        try:
            return Mnist("MNIST", **_read_arrays(cached, MNIST_SHA256))
        except ValueError as problem:
            _say(f"MNIST is downloaded anew, because {cached} cannot be used: it {problem}.")
    content = download(MNIST_URL)
    try:
        arrays = _read_arrays(content, MNIST_SHA256)
    except ValueError as problem:
        raise DownloadError(f"what the server sent {problem}") from problem
    _keep(cached, lambda part: part.write_bytes(content.getbuffer()))
    return Mnist("MNIST", **arrays)


def hold_out(data: Mnist) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split the training images: 48,000 to learn from and 12,000 to validate with.

    Gives x_train, y_train, x_valid and y_valid, uint8, each in the order of the source.

    MNIST's file is not in random order: see notebook 01. The first of every five runs of 500
    images is held out, so that some of the employees are held out as a whole. (The first, because
    those are as hard as the file.) Of the offline digits it is the last 12,000, which have
    originals of their own.
    """
    position = np.arange(len(data.x_train))
    held_out = position // 500 % 5 == 0 if data.name == "MNIST" else position >= 48_000
    x_train, y_train = _aligned(data.x_train[~held_out]), data.y_train[~held_out]
    return x_train, y_train, _aligned(data.x_train[held_out]), data.y_train[held_out]


def offline_is_chosen() -> bool:
    """Whether MNIST_OFFLINE asks for the offline digits. Raises MnistError as `load_mnist`."""
    word = os.environ.get("MNIST_OFFLINE", "").strip()
    if word.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off", ""):
        how = "Set it to 1 for the offline digits or to 0 for MNIST, and restart the kernel."
        raise MnistError(f"MNIST_OFFLINE is {word!r}, which means neither yes nor no. {how}")
    return word.lower() in ("1", "true", "yes", "on")


def _read_arrays(file: Path | BytesIO, sha256: dict[str, str]) -> dict[str, np.ndarray]:
    """The four arrays of an npz file, or ValueError, whatever is wrong, in words after "it"."""
    try:
        if isinstance(file, Path) and file.exists() and not file.is_file():
            raise OSError("it is no file")  # a pipe would be waited for
        with zipfile.ZipFile(file) as archive:  # an npz file is a zip archive
            arrays = {name: _read_array(archive, name) for name in SHAPES}
        for name, checksum in sha256.items():
            if hashlib.sha256(arrays[name]).hexdigest() != checksum:
                raise ValueError(f"{name} has other contents")
    except OSError as error:
        raise ValueError(f"cannot be read ({_in_one_line(error)})") from error
    except Exception as error:  # a damaged archive can raise nearly anything
        raise ValueError(f"does not hold MNIST ({_in_one_line(error)})") from error
    return arrays


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    # Before anything is unpacked: a small file can claim to hold terabytes.
    if archive.getinfo(f"{name}.npy").file_size > np.prod(SHAPES[name]) + 10_000:
        raise ValueError(f"{name} is larger than {SHAPES[name]} uint8")
    with archive.open(f"{name}.npy") as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    if (array.shape, array.dtype) != (SHAPES[name], np.uint8):
        raise ValueError(f"{name} is {array.shape} {array.dtype} instead of {SHAPES[name]} uint8")
    return _aligned(array)


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy of a uint8 array at a multiple of 64 bytes, for `keras_setup.without_copying`."""
    memory = np.empty(array.size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + array.size].reshape(array.shape)
    copy[:] = array
    return copy


def _load_offline_digits() -> Mnist:
    """The offline digits, from this user's cache or made anew (and then kept there)."""
    # A changed recipe gets another file name, so that an old file is not taken for it.
    recipe = Path(offline_digits.__file__).read_bytes()
    version = hashlib.sha256(recipe).hexdigest()[:12]
    cached = user_folder(user_cache_path) / f"offline-digits-{version}.npz"
    try:
        arrays = _read_arrays(cached, sha256={})
    except ValueError:  # makes no difference: they are made from what is installed
        arrays = dict(zip(SHAPES, offline_digits.make_offline_digits(), strict=True))
        _keep(cached, lambda part: np.savez(part, **arrays))
    return Mnist("offline digits", **arrays)


def _keep(path: Path, writer: Callable[[Path], object]) -> None:
    try:
        write_atomically(path, writer)
    except OSError as error:
        nothing = f"Nothing could be kept in {path.parent} ({_in_one_line(error)})"
        _say(f"{nothing}: the data is in\nmemory and will be fetched or made again next time.")


def _say(text: str) -> None:
    """Print in any code page: a path may hold characters that it does not have."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def download(url: str) -> BytesIO:
    """What is at `url`, in memory: an interrupted or killed kernel leaves no file behind.

    Proxies are those of the environment, trusted certificates those of the system. Raises
    DownloadError as soon as one of the limits above is passed.
    """
    import requests  # here, because a download is rare and the import takes a moment
    import urllib3

    class SystemCertificates(requests.adapters.HTTPAdapter):
        def build_connection_pool_key_attributes(self, *arguments):
            host, options = super().build_connection_pool_key_attributes(*arguments)
            return host, options | {"ssl_context": ssl.create_default_context()}

    try:
        with requests.Session() as session:
            session.mount("https://", SystemCertificates())
            headers = {"Accept-Encoding": "identity"}
            response = session.get(url, headers=headers, stream=True, timeout=STALL_SECONDS)
            if not response.ok:
                raise DownloadError(f"the server says {response.status_code} {response.reason}")
            return _read_body(response.raw)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise DownloadError(_reason(error)) from error


def _read_body(response) -> BytesIO:
    from tqdm import tqdm

    content, begin = BytesIO(), time.monotonic()
    options = {"unit": "B", "unit_scale": True, "delay": 1, "mininterval": 0.5, "miniters": 1}
    with tqdm(desc="MNIST", total=response.length_remaining, file=sys.stdout, **options) as bar:
        while chunk := response.read1(65536):  # what has come; `read` would wait for all of it
            bar.update(content.write(chunk))
            if content.tell() > MAX_BYTES:
                raise DownloadError(f"the server sent more than {MAX_BYTES // 10**6} MB")
            if time.monotonic() - begin > TOTAL_SECONDS:
                raise DownloadError(f"it was not complete after {TOTAL_SECONDS} seconds")
    content.seek(0)
    return content


def _reason(error: BaseException) -> str:
    while error.__context__:  # requests and urllib3 wrap what has happened
        error = error.__context__
    if isinstance(error, TimeoutError):
        return f"the server was silent for {STALL_SECONDS} seconds"
    if isinstance(error, IncompleteRead):
        size = error.partial + error.expected
        return f"the connection ended after {error.partial / 1e6:.1f} of {size / 1e6:.1f} MB"
    if isinstance(error, ssl.SSLCertVerificationError):
        own = "where the network shows one of its own, SSL_CERT_FILE can name a file that holds it"
        return f"the server's certificate cannot be trusted ({error.verify_message}); {own}"
    return f"the request failed ({_in_one_line(error)})"


def _in_one_line(error: object) -> str:
    """What an error says, without line breaks, in at most 200 characters."""
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text[:200] or type(error).__name__
