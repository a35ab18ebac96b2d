"""What the tests share: where things are, and one full-length run of the tutorial."""

import os
import signal
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

# Notebooks run in a folder of their own: a relative path must not depend on it.
if os.environ.get("MNIST_NPZ"):
    os.environ["MNIST_NPZ"] = os.path.abspath(os.environ["MNIST_NPZ"])

# A shell that starts the tests in the background ignores Ctrl-C for them; some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


@pytest.fixture(scope="session")
def full_run() -> dict:
    """build/results.json of one execution of every notebook, as shipped, within 2 GB each.

    That is the limit above which mybinder.org stops a kernel.
    """
    import run
    from faults import limited_memory

    with limited_memory(2_000_000_000):
        return run.run_all(everything=True)


# For one module at a time: while it is open, no other event loop can run in this process.
@pytest.fixture(scope="module")
def chromium():
    """A running Chromium; without one the tests are skipped, or fail if REQUIRE_BROWSER=1."""
    from browser import CHROMIUM_ARGS, find_chromium
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    if executable is None:
        reason = "no Chromium or Chrome is installed (Debian: apt-get install chromium)"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield browser
        browser.close()
