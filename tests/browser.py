"""JupyterLab in a real Chromium, for the tests: start it, open notebooks, run them; colours."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Opens a notebook with its kernel (the view of a widget is lost where the kernel comes later).
# The answer is not waited for: a promise of JupyterLab's can stay unsettled for ever.
OPEN = """
(path) => {
  const app = window.jupyterapp;
  if (![...app.shell.widgets('main')].some((panel) => panel.context?.path === path)) {
    app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
  }
}
"""
# The panel of a notebook, brought to the front, or undefined until the notebook is loaded.
PANEL = """
(path) => {
  const shell = window.jupyterapp.shell;
  const panel = [...shell.widgets('main')].find((panel) => panel.context?.path === path);
  if (!panel?.context.isReady) return undefined;
  shell.activateById(panel.id);
  return panel;
}
"""
# Runs every cell of an open notebook, and gives its code cells when the kernel has finished.
RUN_ALL = """
async (path) => {
  const panel = (PANEL)(path);
  const session = panel.sessionContext;
  await session.ready;
  await window.jupyterapp.commands.execute('notebook:run-all-cells');
  // Run All ends early when a cell fails; the kernel's last words may still be on their way.
  await session.session.kernel.requestKernelInfo();
  const cells = panel.context.model.toJSON().cells.filter((cell) => cell.cell_type === 'code');
  return cells.map(({source, execution_count, outputs}) => ({source, execution_count, outputs}));
}
""".replace("PANEL", PANEL)
# Whether a cell of an open notebook is drawn; scrolls to it again where it is not yet. Only what
# is near the screen is drawn, and a scroll that comes while cells above change is lost.
SHOW_CELL = """
([path, index]) => {
  const {content} = (PANEL)(path);
  content.activeCellIndex = index;
  if (content.widgets[index].node.checkVisibility()) return true;
  content.scrollToItem(index).catch(() => {});
  return false;
}
""".replace("PANEL", PANEL)
CURRENT_PATH = "() => window.jupyterapp.shell.currentWidget?.context?.path"


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    return next((path for path in map(shutil.which, names) if path), None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, seconds: float, what: str):
    """Call `condition` until it gives something true, and give that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.2)
    raise TimeoutError(f"no {what} within {seconds:.0f} s")


def luminance(color: list[float]) -> float:
    """Relative luminance of sRGB values from 0 to 255, as WCAG 2 defines it."""
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


class Lab:
    """A JupyterLab server on `folder`, with settings and kernels of its own."""

    def __init__(self, folder: Path, private: Path, environment: dict | None = None):
        self.folder = folder
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{free_port()}"
        port = self.url.rsplit(":", 1)[1]
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        env = os.environ | {name: str(private / place) for name, place in own.items()}
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1"),
            *(f"--port={port}", "--ServerApp.port_retries=0", "--expose-app-in-browser"),
            *(f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={folder}"),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--allow-root")
        private.mkdir(parents=True, exist_ok=True)
        # Otherwise JupyterLab asks on each start whether it may fetch its news.
        notification = private / "settings/@jupyterlab/apputils-extension"
        notification.mkdir(parents=True, exist_ok=True)
        (notification / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )
        self.log = private / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=env | (environment or {}), stdout=log, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        def is_up():
            if self.process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended:\n{self.log.read_text()[-3000:]}")
            return answers(f"{self.url}/api/status?token={self.token}")

        wait_until(is_up, 60, "answer from JupyterLab")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def open(self, page, theme: str = "JupyterLab Light") -> None:
        """Show JupyterLab's empty start page in the given theme."""
        page.goto(f"{self.url}/lab?reset&token={self.token}")
        page.wait_for_function("() => window.jupyterapp", timeout=90_000)
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=90_000)
        page.evaluate("async () => { await window.jupyterapp.restored; }")
        page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )


def open_notebook(page, path: str) -> None:
    """Open a notebook, if need be, and wait until it is loaded."""
    page.evaluate(OPEN, path)
    page.wait_for_function(f"path => ({PANEL})(path) !== undefined", arg=path, timeout=60_000)


def run_all(page, path: str) -> list[dict]:
    """Open a notebook, run all its cells, and give its code cells with their outputs."""
    open_notebook(page, path)
    return page.evaluate(RUN_ALL, path)


def show_cell(page, path: str, index: int = 0) -> None:
    """Bring a cell of a notebook to the front, opening the notebook if need be."""
    open_notebook(page, path)
    page.wait_for_function(SHOW_CELL, arg=[path, index], polling=200, timeout=60_000)
    page.locator(".jp-Cell.jp-mod-active:visible").scroll_into_view_if_needed()


def close_everything(page) -> None:
    """Shut down every kernel and close every notebook, without saving."""
    page.evaluate(
        """async () => {
          for (const panel of [...window.jupyterapp.shell.widgets('main')]) {
            await panel.sessionContext?.shutdown();
            await panel.context?.revert();
            panel.dispose();
          }
        }"""
    )


def problems(cells: list[dict]) -> list[str]:
    """What is wrong with code cells after Run All: errors, and cells that were not run."""
    found = []
    for number, cell in enumerate(cells, 1):
        start = "".join(cell["source"]).strip().splitlines()[:1]
        if not start:
            continue
        if cell["execution_count"] is None:
            found.append(f"code cell {number} was not run: {start[0]}")
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                found.append(f"code cell {number}: {output['ename']}: {output['evalue']}")
    return found
