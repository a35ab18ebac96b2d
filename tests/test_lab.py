"""JupyterLab driven as a reader does: notebooks opened and run, digits drawn, `make lab` itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import nbformat
import psutil
import pytest
from browser import Pad, wait_until
from conftest import NOTEBOOKS, ROOT, SMALL
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from mnist_helpers.pad import load_collection
from mnist_helpers.strokes import EXAMPLE_DRAWINGS
from tools.site.build import is_hidden

pytestmark = pytest.mark.slow
IN_03, IN_04, IN_06 = (NOTEBOOKS[number - 1] for number in (3, 4, 6))
# What the tests do in JupyterLab, as functions of `window.tests`.
IN_JUPYTERLAB = """
window.tests = {
  // Opens a notebook with its kernel (the view of a widget is lost where the kernel comes later).
  // The answer is not waited for: a promise of JupyterLab's can stay unsettled for ever.
  open(path) {
    if (tests.panel(path)) return;
    window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
  },
  panels: () => [...window.jupyterapp.shell.widgets('main')],
  panel: (path) => tests.panels().find((panel) => panel.context?.path === path),
  // Brings a notebook to the front; false until it is loaded.
  show(path) {
    const panel = tests.panel(path);
    if (panel?.context.isReady) window.jupyterapp.shell.activateById(panel.id);
    return Boolean(panel?.context.isReady);
  },
  // Runs every cell, and gives the code cells when the kernel has finished.
  async runAll(path) {
    const {context, sessionContext} = tests.panel(path);
    await sessionContext.ready;
    await window.jupyterapp.commands.execute('notebook:run-all-cells');
    // Run All ends early when a cell fails; the kernel's last words may still be on their way.
    await sessionContext.session.kernel.requestKernelInfo();
    const cells = context.model.toJSON().cells.filter((cell) => cell.cell_type === 'code');
    return cells.map(({source, execution_count, outputs}) => ({source, execution_count, outputs}));
  },
  // Whether a cell is drawn; scrolls to it again where it is not yet. Only what is near the screen
  // is drawn, and a scroll that comes while cells above change is lost.
  showCell([path, index]) {
    const {content} = tests.panel(path);
    content.activeCellIndex = index;
    if (content.widgets[index].node.checkVisibility()) return true;
    content.scrollToItem(index).catch(() => {});
    return false;
  },
  // Shuts down every kernel and closes every notebook, without saving.
  async close() {
    for (const panel of tests.panels()) {
      await panel.sessionContext?.shutdown();
      await panel.context?.revert();
      panel.dispose();
    }
  },
};
"""


def private_jupyter(folder: Path) -> dict[str, str]:
    """The environment of a Jupyter that keeps everything in a folder and does not ask for news."""
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    names += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    settings = folder / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    return os.environ | {name: str(folder / name) for name in names}


def running_server(folder: Path) -> dict:
    """What a server of such a Jupyter says of itself, "url" and "token", once it is there."""

    def found() -> dict | None:
        for file in (folder / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
            text = file.read_text()
            return json.loads(text) if text.rstrip().endswith("}") else None
        return None

    return wait_until(found, 90, "JupyterLab")


@pytest.fixture(scope="module")
def folder(networks, tmp_path_factory) -> Path:
    """Copies of three notebooks, two of them shortened, and of the networks of the run."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(networks, folder / "artifacts")
    (folder / "notebooks").mkdir()
    for path in (IN_03, IN_04, IN_06):
        notebook = load_notebook_node(str(path))
        if path != IN_06:  # which trains nothing
            notebook = parameterize_notebook(notebook, SMALL[path.stem])
            # What these keep must not take the place of the networks trained at full length.
            first = next(cell for cell in notebook.cells if cell.cell_type == "code")
            kept = f"os.environ['MNIST_ARTIFACTS'] = {str(folder / 'small')!r}"
            first.source = f"import os\n{kept}\n{first.source}"
        nbformat.write(notebook, folder / "notebooks" / path.name)
    return folder


@pytest.fixture(scope="module")
def page(folder, chromium):
    """JupyterLab on a page."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--allow-root"]
    command += ["--ServerApp.port_retries=50", "--expose-app-in-browser"]
    command += [f"--ServerApp.root_dir={folder / 'notebooks'}"]
    environment = private_jupyter(folder / "private")
    environment["MNIST_ARTIFACTS"] = str(folder / "artifacts")
    with subprocess.Popen(command, env=environment) as process:
        try:
            server = running_server(folder / "private")
            page = chromium.new_page(viewport={"width": 1280, "height": 1000})
            page.add_init_script(IN_JUPYTERLAB)
            page.goto(f"{server['url']}lab?reset&token={server['token']}")
            page.wait_for_function("window.jupyterapp", timeout=90_000)
            page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=90_000)
            page.evaluate("async () => { await window.jupyterapp.restored; }")
            yield page
        finally:
            process.terminate()


def open_alone(page, path: Path) -> None:
    """Open a notebook and close all others."""
    page.evaluate("tests.close()")
    page.evaluate("path => tests.open(path)", path.name)
    page.wait_for_function("path => tests.show(path)", arg=path.name, timeout=60_000)


def run_all(page, path: Path) -> list[str]:
    """Run All in an open notebook; errors, and code cells that were not run."""
    cells = page.evaluate("path => tests.runAll(path)", path.name)
    outputs = [output for cell in cells for output in cell["outputs"]]
    errors = [output for output in outputs if output["output_type"] == "error"]
    idle = [c["source"] for c in cells if "".join(c["source"]).strip() and not c["execution_count"]]
    return [f"{error['ename']}: {error['evalue']}" for error in errors] + idle


def show(page, folder: Path, path: Path, wanted):
    """The first cell that is wanted of an open notebook, on the screen."""
    cells = nbformat.read(folder / "notebooks" / path.name, as_version=4).cells
    index = next(index for index, cell in enumerate(cells) if wanted(cell))
    page.wait_for_function("cell => tests.showCell(cell)", arg=[path.name, index], timeout=60_000)
    cell = page.locator(".jp-Cell.jp-mod-active:visible")
    cell.scroll_into_view_if_needed()
    return cell


# --- notebooks ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opened_03(page) -> None:
    open_alone(page, IN_03)


@pytest.fixture(scope="module")
def problems_of_03(page, opened_03) -> list[str]:
    return run_all(page, IN_03)


def test_answer_is_folded_when_the_notebook_is_opened(page, folder, opened_03):
    cell = show(page, folder, IN_03, lambda cell: is_hidden(cell, "outputs"))
    cell.locator(".jp-OutputPlaceholder").wait_for()
    assert cell.locator(".jp-OutputArea-output:visible").count() == 0


def test_run_all_runs_03(problems_of_03):
    assert problems_of_03 == []


def test_frame_over_a_digit_is_live_and_not_its_picture(page, folder, problems_of_03):
    cell = show(page, folder, IN_03, lambda cell: "ConvolutionView(" in cell.source)
    caption = cell.locator(".mnist-convolution figcaption").first
    caption.wait_for()
    before = caption.inner_text()
    cell.locator(".mnist-convolution-digit").press("ArrowRight")
    assert caption.inner_text() != before
    assert cell.locator(".jp-RenderedImage").count() == 0


def test_run_all_runs_04(page):
    open_alone(page, IN_04)
    assert run_all(page, IN_04) == []


# --- the drawing pad ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def problems_of_06(page) -> list[str]:
    open_alone(page, IN_06)
    return run_all(page, IN_06)


@pytest.fixture
def pad(page, folder, problems_of_06) -> Pad:
    """The pad of notebook 06, empty."""
    show(page, folder, IN_06, lambda cell: "DrawingPad(" in cell.source)
    pad = Pad(page)
    pad.surface.scroll_into_view_if_needed()
    pad.clear()
    return pad


def test_run_all_runs_06(problems_of_06):
    assert problems_of_06 == []


def test_digits_drawn_with_the_mouse_are_recognised(pad):
    for digit in (2, 3, 5):
        pad.clear()
        pad.draw(EXAMPLE_DRAWINGS[digit])
        assert pad.answers()["CNN"] == digit


def test_keys_draw_and_do_not_act_on_the_notebook(pad):
    count = "window.jupyterapp.shell.currentWidget.content.widgets.length"
    before = pad.page.evaluate(count)
    pad.surface.focus()
    # The pen starts at the top; the notebook's own keys (D D, A) must not act meanwhile.
    for key in ["d", "d", "a", "Space", *["ArrowDown"] * 20, "Space"]:
        pad.page.keyboard.press(key)
    pad.wait_for_answer(1)
    assert pad.answers()["CNN"] == 1 and pad.page.evaluate(count) == before


def test_saved_drawings_are_in_the_collection(pad, folder):
    path = folder / "artifacts" / "my_digits.json"
    for count, digit in enumerate((3, 8), 1):
        pad.save(EXAMPLE_DRAWINGS[digit], digit)
        pad.root.get_by_text(f"Saved as a {digit}: {count} in {path}").wait_for()
    assert load_collection(path)["labels"].tolist() == [3, 8]


# Whether the ink of the pad is so much lighter than its paper.
LIGHTER = """(least) => {
  const line = document.querySelector('.mnist-pad-surface polyline');
  const paper = getComputedStyle(line.closest('.mnist-pad')).backgroundColor;
  const light = (color) => Math.max(...color.match(/\\d+/g).slice(0, 3).map(Number));
  return light(getComputedStyle(line).stroke) - light(paper) > least;
}"""


def test_ink_is_light_in_the_dark_theme_alone(pad):
    pad.draw(EXAMPLE_DRAWINGS[1])
    assert not pad.page.evaluate(LIGHTER, -150)
    dark = "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    pad.page.evaluate(dark)
    pad.page.wait_for_function(LIGHTER, arg=150)


# --- make lab -----------------------------------------------------------------------------------


@pytest.fixture
def make_lab(tmp_path):
    """A running `make lab` with a Jupyter of its own."""
    options = "LAB_OPTIONS=--no-browser --ServerApp.port_retries=50 --allow-root"
    environment = private_jupyter(tmp_path)
    make = subprocess.Popen(["make", "lab", options], cwd=ROOT, env=environment, process_group=0)
    yield make
    if make.poll() is None:
        os.killpg(make.pid, signal.SIGKILL)
        make.wait()


def test_make_lab_opens_01_on_loopback_with_a_token_and_stops_on_ctrl_c(make_lab, tmp_path):
    server = running_server(tmp_path)
    make = psutil.Process(make_lab.pid)
    processes = [make, *make.children(recursive=True)]
    connections = [c for process in processes for c in process.net_connections("tcp")]
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    with pytest.raises(HTTPError, match="403"):
        urlopen(f"{server['url']}api/contents", timeout=10)
    # What it has a browser open: a file with the address, and in that the token.
    (file,) = (tmp_path / "JUPYTER_RUNTIME_DIR").glob("*-file-to-run-*-open.html")
    assert f"01_data_exploration.ipynb?token={server['token']}" in file.read_text()
    os.killpg(make_lab.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    make_lab.wait(30)
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive
