"""Linux namespaces, in which tests cause real faults."""

import os
import shutil
import subprocess

import pytest


def namespace(option: str, preparation: str) -> tuple[str, ...]:
    """Command prefix: run in Linux namespaces of one's own, after a preparation in sh."""
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has no namespaces")
    prefix = ("unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)), option)
    prefix = (*prefix, "sh", "-c", f'{preparation} && exec "$@"', "sh")
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"]).returncode != 0:
        pytest.skip(f"this machine allows no `unshare {option}`")
    return prefix
