"""One download, in one stream and in memory, that ends with any server and any network."""

import ssl
import sys
import threading
import time
import urllib.request
from io import BytesIO
from urllib.error import URLError

STALL_SECONDS = 5  # without a single byte, or for one try to connect
SLOW_SECONDS, SLOW_BYTES = 8, 100_000  # in each such time, at least so many bytes
TOTAL_SECONDS = 300
MAX_BYTES = 100_000_000  # an mnist.npz has 11.5 MB; unpacked it would have 55
PROGRESS_SECONDS = 1  # what takes less shows no progress bar

TOO_SLOW = "the server answers too slowly or not at all"


class DownloadError(Exception):
    """The download failed; the message says why, in a clause that follows "because"."""


def receive(url: str) -> BytesIO:
    """What is at `url`, in memory, to be read from its beginning.

    Proxies are used as the environment names them. Prints a progress bar if it takes more
    than a second. Raises DownloadError as soon as one of the limits above is passed. Nothing
    is written to a disk, so an interrupted or killed kernel leaves nothing behind.
    """
    from tqdm import tqdm  # here, because a download is rare and the import takes a moment

    transfer = _Transfer(url)
    begin = mark = time.monotonic()
    received_at_mark = 0
    with tqdm(
        desc="MNIST",
        unit="B",
        unit_scale=True,
        delay=PROGRESS_SECONDS,
        mininterval=0.5,
        miniters=1,
        file=sys.stdout,
    ) as bar:
        try:
            transfer.start()
            while True:
                transfer.join(timeout=0.1)
                alive, now, received = transfer.is_alive(), time.monotonic(), transfer.received
                bar.total = transfer.size  # once the server has said it
                bar.update(received - bar.n)
                if not alive:
                    break
                if received > MAX_BYTES:
                    raise DownloadError(f"the server sent more than {MAX_BYTES // 10**6} MB")
                if now - begin > TOTAL_SECONDS:
                    raise DownloadError(f"it was not complete after {TOTAL_SECONDS} seconds")
                if now - mark > SLOW_SECONDS:
                    if received - received_at_mark < SLOW_BYTES:
                        raise DownloadError(TOO_SLOW)
                    mark, received_at_mark = now, received
        finally:
            transfer.given_up = True
    if transfer.error:
        raise DownloadError(_explained(transfer.error))
    if received < (transfer.size or 0):
        done, size = received / 1e6, transfer.size / 1e6
        raise DownloadError(f"the connection ended after {done:.1f} of {size:.1f} MB")
    transfer.content.seek(0)
    return transfer.content


class _Transfer(threading.Thread):
    """Reads what is at `url` into `content`.

    In a thread, because the look-up of a name cannot be interrupted, and no time limit of a
    socket covers it. As a daemon it may hang there and not keep the kernel from ending.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.content = BytesIO()
        self.received = 0
        self.size: int | None = None
        self.error: Exception | None = None
        self.given_up = False

    def run(self) -> None:
        try:
            with urllib.request.urlopen(self.url, timeout=STALL_SECONDS) as response:
                self.size = response.length
                while not self.given_up and (chunk := response.read1(65536)):
                    self.received += self.content.write(chunk)
        except Exception as error:
            self.error = error


def _explained(error: Exception) -> str:
    if type(error) is URLError:  # a wrapping that says nothing more
        error = error.reason
    if isinstance(error, TimeoutError):
        return TOO_SLOW
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate cannot be trusted ({error.verify_message}); where the "
            "network shows a certificate of its own, SSL_CERT_FILE can name a file that holds it"
        )
    return f"the request failed ({in_one_line(error)})"


def in_one_line(error: object) -> str:
    """What an error says, without line breaks, in at most 200 characters."""
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    return text[:200] or type(error).__name__
