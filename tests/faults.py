"""Ways to cause real faults, for the tests: namespaces, permissions, kills, little memory."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest


def namespace(option: str, preparation: str) -> tuple[str, ...]:
    """Command prefix: run in Linux namespaces of one's own, after a preparation in sh."""
    prefix = ("unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), option)
    prefix = (*prefix, "sh", "-c", f'{preparation} && exec "$@"', "sh")
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"]).returncode != 0:
        pytest.skip(f"this machine allows no `unshare {option}`")
    return prefix


def bound_by_permissions() -> tuple[str, ...]:
    """Command prefix: root, too, may only do what the permissions of files allow."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root may read and write everything, and there is no setpriv")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def kill_after(command: list[str], seconds: float, environment: dict | None = None) -> None:
    """Run a command that prints a line when it begins to write; kill it some time later."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    time.sleep(seconds)
    process.kill()
    process.communicate()
    # Killed in the middle of its work, and not ended by an error of its own.
    assert process.returncode == (-signal.SIGKILL if os.name != "nt" else 1)


@contextlib.contextmanager
def limited_memory(size: int):
    """Let no process that is started meanwhile have more than `size` bytes of its own data.

    Linux counts the stacks of threads in full, used or not, and TensorFlow starts threads by
    the number of cores: on a large machine there is no limit.
    """
    if sys.platform != "linux" or os.cpu_count() > 8:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
