"""JupyterLab driven as a reader does: notebooks opened and run, digits drawn, `make lab` itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
import requests
from browser import Pad, wait_until
from conftest import NOTEBOOKS, ROOT, SMALL, filled, write_notebook
from jupyter_server.serverapp import list_running_servers
from PIL import Image

from mnist_helpers.pad import load_collection
from mnist_helpers.strokes import EXAMPLE_DRAWINGS, prepare_strokes
from tools.tutorial import FOR_SNAP, LAB

pytestmark = pytest.mark.slow
IN_03, IN_06 = NOTEBOOKS[2], NOTEBOOKS[5]
# What the tests do in JupyterLab, as functions of `window.tests`.
IN_JUPYTERLAB = """
window.tests = {
  // The view of a widget is lost where the kernel comes later, so it comes with the notebook. Gives
  // nothing to wait for: a promise of JupyterLab's can stay unsettled for ever.
  open(path) {
    window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
  },
  panel: (path) => [...window.jupyterapp.shell.widgets('main')].find(
    (panel) => panel.context?.path === path),
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
    return context.model.toJSON().cells.filter((cell) => cell.cell_type === 'code');
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
};
"""


def private_jupyter(folder: Path) -> dict[str, str]:
    """The environment of a Jupyter that keeps everything in a folder and does not ask for news."""
    names = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    settings = folder / "JUPYTER_CONFIG_DIR/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    return os.environ | {name: str(folder / name) for name in names}


def running_server(folder: Path) -> dict:
    """What a server of such a Jupyter says of itself, "url" and "token", once it is there."""
    runtime = str(folder / "JUPYTER_RUNTIME_DIR")
    return wait_until(lambda: next(list_running_servers(runtime), None), 90, "JupyterLab")


@pytest.fixture(scope="module")
def folder(networks, tmp_path_factory) -> Path:
    """Copies of two notebooks, the one that trains shortened, and of the networks of the run."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(networks, folder / "artifacts")
    (folder / "notebooks").mkdir()
    shutil.copy(IN_06, folder / "notebooks")
    notebook = filled(IN_03, **SMALL[IN_03.stem])
    # What it keeps must not take the place of the network trained at full length.
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    kept = f"os.environ['MNIST_ARTIFACTS'] = {str(folder / 'small')!r}"
    first.source = f"import os\n{kept}\n{first.source}"
    nbformat.write(notebook, folder / "notebooks" / IN_03.name)
    return folder


@contextmanager
def jupyterlab(root: Path, private: Path, **variables) -> Iterator[dict]:
    """What a JupyterLab on the folder `root` says of itself; its own files are in `private`."""
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--allow-root"]
    command += ["--ServerApp.port_retries=50", "--expose-app-in-browser"]
    command += [f"--ServerApp.root_dir={root}"]
    with subprocess.Popen(command, env=private_jupyter(private) | variables) as process:
        try:
            yield running_server(private)
        finally:
            process.terminate()


def opened(chromium, server: dict):
    """JupyterLab on a page."""
    page = chromium.new_page(viewport={"width": 1280, "height": 1000})
    page.add_init_script(IN_JUPYTERLAB)
    page.goto(f"{server['url']}lab?reset&token={server['token']}")
    page.wait_for_function("window.jupyterapp", timeout=90_000)
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=90_000)
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    return page


@pytest.fixture(scope="module")
def page(folder, chromium):
    kept = {"MNIST_ARTIFACTS": str(folder / "artifacts")}
    with jupyterlab(folder / "notebooks", folder / "private", **kept) as server:
        yield opened(chromium, server)


def run_all(page, path: Path) -> list[str]:
    """Open a notebook and Run All; its errors, and the code cells that were not run."""
    page.evaluate("path => tests.open(path)", path.name)
    page.wait_for_function("path => tests.show(path)", arg=path.name, timeout=60_000)
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


def test_run_all_runs_03_and_its_frame_over_a_digit_is_live(page, folder):
    assert run_all(page, IN_03) == []
    cell = show(page, folder, IN_03, lambda cell: "ConvolutionView(" in cell.source)
    caption = cell.locator(".mnist-convolution figcaption").first
    before = caption.inner_text()
    cell.locator(".mnist-convolution-digit").press("ArrowRight")
    assert caption.inner_text() != before
    assert cell.locator(".jp-RenderedImage").count() == 0


@pytest.fixture(scope="module")
def opened_06(page) -> None:
    assert run_all(page, IN_06) == []


@pytest.fixture
def pad(page, folder, opened_06) -> Pad:
    """The pad of notebook 06, empty."""
    show(page, folder, IN_06, lambda cell: "DrawingPad(" in cell.source)
    pad = Pad(page)
    pad.surface.scroll_into_view_if_needed()
    pad.clear()
    return pad


def test_after_run_all_in_06_keys_draw_and_do_not_act_on_the_notebook(pad):
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


def test_a_photograph_of_any_size_is_answered_and_what_cannot_be_sent_is_said(
    page, folder, opened_06, tmp_path
):
    # A 5, photographed with the camera on its side, with noise, which JPEG hardly makes smaller.
    paper = np.kron(255 - prepare_strokes(EXAMPLE_DRAWINGS[5]) // 2, np.ones((120, 120), np.uint8))
    noise = np.random.default_rng(1).integers(0, 40, (*paper.shape, 3), dtype=np.uint8)
    picture = Image.fromarray(np.rot90(paper)[..., np.newaxis] // 2 + noise)
    picture.getexif()[0x0112] = 6
    picture.save(tmp_path / "five.jpg", quality=100, exif=picture.getexif())
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam")
    (tmp_path / "film.mov").write_bytes(bytes(11 * 2**20))
    assert (tmp_path / "five.jpg").stat().st_size > 10 * 2**20
    cell = show(page, folder, IN_06, lambda cell: "PictureUpload(" in cell.source)
    message, digits = cell.locator(".mnist-upload-message"), cell.locator(".mnist-network")

    def upload(name: str, said: str) -> list[str]:
        with page.expect_file_chooser() as chooser:
            cell.get_by_role("button", name="Upload a picture").click()
        chooser.value.set_files(tmp_path / name)
        message.filter(has_text=re.compile(f"^{name}{said}")).wait_for()
        return digits.evaluate_all("nodes => nodes.map((node) => node.dataset.digit)")

    assert upload("five.jpg", "$") == ["5"] * 3
    assert upload("film.mov", ": too large to send") == []
    assert upload("letter.txt", ": the file is no picture of a known kind") == []
    assert upload("five.jpg", "$") == ["5"] * 3


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


# Of each kind, and without networks, which are not asked.
VIEWS = """
import numpy as np
from mnist_helpers import ConvolutionView, DrawingPad, PictureUpload
display(DrawingPad({}), PictureUpload({}))
ConvolutionView(np.zeros((1, 28, 28), np.uint8), [0], {"mean": np.ones((3, 3)) / 9})
"""


def test_where_jupyterlab_knows_no_widgets_each_view_says_what_to_install(chromium, tmp_path):
    path = write_notebook(tmp_path / "views.ipynb", VIEWS)
    settings = tmp_path / "private/JUPYTER_CONFIG_DIR/labconfig/page_config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"disabledExtensions": {"@jupyter-widgets/jupyterlab-manager": true}}')
    with jupyterlab(tmp_path, tmp_path / "private") as server:
        page = opened(chromium, server)
        assert run_all(page, path) == []
        assert page.get_by_text("pip install anywidget").count() == 3
        assert page.locator(".jp-OutputArea img").count() == 2


# What stops JupyterLab, or hides notebook 01, where a person's own configuration counts.
OWN = """
import os
c.ServerApp.root_dir = c.ServerApp.preferred_dir = c.FileContentsManager.preferred_dir = os.getcwd()
c.ServerApp.password_required = c.PasswordIdentityProvider.password_required = True
c.ServerApp.default_url = c.LabApp.default_url = "/doc"
c.ServerApp.ip, c.ServerApp.base_url = "*", "/mine"
"""


@pytest.mark.skipif(os.name == "nt", reason="the browser that stands in is a shell script")
@pytest.mark.parametrize("own", [OWN, "c.ServerApp.sock = 's'", "c.ServerApp.file_to_run = 'x'"])
def test_a_browser_from_snap_is_given_the_address_of_01_whatever_ones_configuration(tmp_path, own):
    given = tmp_path / "given"
    browser = f"sh -c 'echo $0 > {given}.part; mv {given}.part {given}' %s"
    environment = private_jupyter(tmp_path) | {"BROWSER": browser}
    (tmp_path / "JUPYTER_CONFIG_DIR" / "jupyter_server_config.py").write_text(own)
    command = [sys.executable, "-m", *LAB, FOR_SNAP, "--allow-root", "--ServerApp.port_retries=50"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            address = wait_until(lambda: given.exists() and given.read_text(), 90, "browser")
            assert "/lab/tree/01_data_exploration.ipynb?token=" in address
            page = address.strip().replace("/lab/tree/", "/api/contents/")
            assert requests.get(page, timeout=10).json()["type"] == "notebook"
        finally:
            process.terminate()


def test_make_lab_opens_01_on_loopback_with_a_token_and_stops_on_ctrl_c(tmp_path):
    options = "LAB_OPTIONS=--no-browser --ServerApp.port_retries=50 --allow-root"
    environment = private_jupyter(tmp_path)
    make = psutil.Popen(["make", "lab", options], cwd=ROOT, env=environment, process_group=0)
    try:
        server = running_server(tmp_path)
        processes = [make, *make.children(recursive=True)]
        connections = [c for process in processes for c in process.net_connections("tcp")]
        listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert requests.get(f"{server['url']}api/contents", timeout=10).status_code == 403
        # What a browser opens that is not from Snap: a file with the address, and so the token.
        (file,) = (tmp_path / "JUPYTER_RUNTIME_DIR").glob("jpserver-*-open.html")
        assert f"/lab/tree/01_data_exploration.ipynb?token={server['token']}" in file.read_text()
        os.killpg(make.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        make.wait(30)
        _, alive = psutil.wait_procs(processes, timeout=20)
        assert not alive
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
