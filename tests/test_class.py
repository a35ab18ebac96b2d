"""A class at a real JupyterHub, and what goes wrong in one: the others never notice."""

import asyncio
import json
import os
import pwd
import resource
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from browser import wait_until
from conftest import ROOT
from faults import HANGS, namespace

if sys.platform != "linux":
    pytest.skip("JupyterHub and its limits are tested on Linux", allow_module_level=True)

import hub as hubs
from learner import Learner, Lost, errors, text

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("class")]

NAMES = ["anna", "ben", "cleo"]
NOTEBOOK = "notebook.ipynb"
# Trains until a file says that it is enough, and tells that by its number of epochs.
TRAIN = """
from pathlib import Path
import numpy as np
from mnist_helpers import build_dense, keras

class Enough(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        Path("training").touch()
        self.model.stop_training = Path("enough").exists()

network = build_dense()
network.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
images, labels = np.zeros((1_000, 28, 28), "uint8"), np.zeros(1_000, "uint8")
history = network.fit(images, labels, epochs=1_000_000, verbose=0, callbacks=[Enough()])
print("trained")
"""

# The same, by a learner who keeps more and more, to the last kilobyte that there is.
HOARD = TRAIN.replace(
    'Path("training").touch()',
    """Path("training").touch()
        for size in (2**26, 2**22, 2**18, 2**14, 2**10):
            try:
                while epoch > 1:
                    held.append(bytes(size))
            except MemoryError:
                pass""",
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hubs.install()
    folder = tmp_path_factory.mktemp("class")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    nbformat.write(notebook, folder / NOTEBOOK)
    with hubs.Hub(folder, NAMES, [folder / NOTEBOOK]) as hub:
        yield hub
    assert hub.processes() == []


async def arrive(hub, name: str) -> Learner:
    """A learner with a server, and a folder in which nothing trains."""
    for flag in ("training", "enough"):
        (hub.home(name) / flag).unlink(missing_ok=True)
    learner = await Learner.log_in(hub.url, name, hub.passwords[name])
    await learner.start_server()
    return learner


async def is_training(hub, *names: str) -> None:
    """Wait until an epoch of each one's TRAIN has ended."""
    async with asyncio.timeout(HANGS):
        while not all((hub.home(name) / "training").exists() for name in names):
            await asyncio.sleep(0.1)


async def of(kernel) -> psutil.Process:
    """The process of a kernel."""
    return psutil.Process(int(text(await kernel.run("import os\nprint(os.getpid())"))))


def at_once(test):
    """A test that is a coroutine."""

    def run(hub):
        asyncio.run(test(hub))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@at_once
async def test_a_kernel_that_gets_no_more_memory_is_lost_to_one_learner_alone(hub):
    anna, ben = await arrive(hub, "anna"), await arrive(hub, "ben")
    hers, his = await anna.open(NOTEBOOK), await ben.open(NOTEBOOK)
    process = await of(hers)
    his_run = asyncio.create_task(his.run(TRAIN))
    await is_training(hub, "ben")
    await hers.run("held = []\nfrom mnist_helpers import keras")
    limit = process.memory_info().vms + 2**30
    resource.prlimit(process.pid, resource.RLIMIT_AS, (limit, limit))
    with pytest.raises(Lost, match="the kernel has ended"):
        print(await hers.run(HOARD, limit=HANGS))
    assert (hub.home("anna") / "training").exists()  # it was in the middle of `fit`
    (hub.home("ben") / "enough").touch()
    assert text(await his_run) == "trained\n"
    (hub.home("anna") / "enough").touch()
    assert text(await hers.run(TRAIN)) == "trained\n"  # in the kernel that was started anew
    for kernel in (hers, his):
        kernel.close()


@at_once
async def test_kernels_train_on_while_the_hub_is_restarted_and_learners_come_back_to_them(hub):
    anna, ben = await arrive(hub, "anna"), await arrive(hub, "ben")
    hers, his = await anna.open(NOTEBOOK), await ben.open(NOTEBOOK)
    before = [await of(hers), await of(his)]
    runs = [asyncio.create_task(kernel.run(TRAIN)) for kernel in (hers, his)]
    await is_training(hub, "anna", "ben")
    await asyncio.to_thread(hub.stop)
    (hub.home("anna") / "enough").touch()
    assert text(await runs[0]) == "trained\n"  # the proxy leads to the server without the hub
    await asyncio.to_thread(hub.start)
    his.close()  # a browser that was closed meanwhile
    again = await Learner.log_in(hub.url, "ben", hub.passwords["ben"])
    assert await again.start_server()  # it runs already
    kernel = await again.open(NOTEBOOK)
    (hub.home("ben") / "enough").touch()
    assert text(await kernel.run("print(len(history.epoch) > 0)")) == "True\n"  # after the fit
    assert [await of(hers), await of(kernel)] == before
    with pytest.raises(Lost, match="closed"):
        await runs[1]


@at_once
async def test_what_was_kept_is_there_after_a_server_was_stopped_and_started(hub):
    cleo = await arrive(hub, "cleo")
    content = await cleo.read(NOTEBOOK)
    kernel = await cleo.open(NOTEBOOK)
    keep = "from pathlib import Path\nPath('artifacts').mkdir()\nPath('artifacts/kept').touch()"
    content["cells"][0] |= {"source": keep, "outputs": await kernel.run(keep)}
    await cleo.write(NOTEBOOK, content)
    assert await of(kernel) in hub.processes_of("cleo")
    await cleo.stop_server()
    wait_until(lambda: hub.processes_of("cleo") == [], HANGS, "end of server and kernel")
    assert not await cleo.start_server()
    assert (await cleo.read(NOTEBOOK))["cells"][0]["source"] == keep
    kernel = await cleo.open(NOTEBOOK)
    look = "import os\nprint(os.listdir(os.environ['MNIST_ARTIFACTS']))"
    assert text(await kernel.run(look)) == "['kept']\n"
    await kernel.shut_down()


@at_once
async def test_two_tabs_on_one_notebook_share_a_kernel_that_runs_one_cell_after_the_other(hub):
    cleo = await arrive(hub, "cleo")
    first, second = await cleo.open(NOTEBOOK), await cleo.open(NOTEBOOK)
    assert first.id == second.id
    count = (
        "taken = globals().get('taken', 0)\nfor _ in range(1_000):\n    taken += 1\nprint(taken)"
    )
    outputs = await asyncio.gather(first.run(count), second.run(count))
    assert sorted(map(text, outputs)) == ["1000\n", "2000\n"]
    first.close()
    assert text(await second.run("print(taken)")) == "2000\n"
    await second.shut_down()


@at_once
async def test_a_shared_file_that_breaks_is_named_and_nobody_gets_other_data(hub):
    shared = hub.folder / "mnist.npz"
    load = f"import os\nos.environ['MNIST_NPZ'] = {str(shared)!r}\n"
    load += "from mnist_helpers import load_mnist\ndata = load_mnist()"
    show = "print(data.name, data.x_train.sum(dtype=int))"
    real = os.environ.get("MNIST_NPZ")
    anna, ben = [await (await arrive(hub, it)).open("another.ipynb") for it in ("anna", "ben")]
    if real:
        shutil.copy(real, shared)
        assert errors(await anna.run(load)) == []
    else:
        await anna.run("from mnist_helpers import load_mnist\ndata = load_mnist()")
    before = text(await anna.run(show))
    broken = hub.folder / "broken.npz"
    broken.write_bytes(b"no archive")
    broken.replace(shared)
    for kernel in (anna, ben):
        (error,) = errors(await kernel.run(load))
        assert error.startswith(f"MnistError: MNIST_NPZ names {shared}, which cannot be used: it")
    assert text(await anna.run(show)) == before != ""  # who had the data still has them
    assert errors(await ben.run("data")) == ["NameError: name 'data' is not defined"]
    for kernel in (anna, ben):
        await kernel.shut_down()


@pytest.fixture
def small_disk(hub):
    """Cleo's folder on a disk of 4 MB, with what was in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    home = hub.home("cleo")
    asyncio.run(stop(hub, "cleo"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", home]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine allows no mount")
    shutil.copy(hub.folder / NOTEBOOK, home)
    yield home
    asyncio.run(stop(hub, "cleo"))
    wait_until(
        lambda: subprocess.run(["umount", home], capture_output=True).returncode == 0,
        HANGS,
        "end of the disk's use",
    )


async def stop(hub, name: str) -> None:
    await (await Learner.log_in(hub.url, name, hub.passwords[name])).stop_server()


def test_a_full_disk_is_told_to_its_learner_and_spares_the_notebook_and_the_others(hub, small_disk):
    asyncio.run(fill_the_disk(hub, small_disk))


async def fill_the_disk(hub, disk: Path) -> None:
    cleo, ben = await arrive(hub, "cleo"), await arrive(hub, "ben")
    before = await cleo.read(NOTEBOOK)
    kernel = await cleo.open(NOTEBOOK)
    changed = json.loads(json.dumps(before))
    changed["cells"][0]["source"] = "# " + "longer " * 10_000
    fill = "with open('filler', 'wb', buffering=0) as file:\n    while file.write(bytes(1_000)):\n"
    (error,) = errors(await kernel.run(f"{fill}        pass"))
    assert error == "OSError: [Errno 28] No space left on device"
    with pytest.raises(Lost, match=r"No space left|disk is full"):
        await cleo.write(NOTEBOOK, changed)
    assert nbformat.read(disk / NOTEBOOK, as_version=4).cells[0].source == "print(1)"
    await ben.write(NOTEBOOK, changed)
    await kernel.run("import os\nos.remove('filler')")
    await cleo.write(NOTEBOOK, changed)
    assert (await cleo.read(NOTEBOOK))["cells"][0]["source"].startswith("# longer")
    await kernel.shut_down()


def test_check_class_passes_for_a_hub_and_leaves_it_as_it_was(hub):
    asyncio.run(stop(hub, "anna"))
    token = asyncio.run(Learner.log_in(hub.url, "anna", hub.passwords["anna"])).token
    status, lines = check_class(hub.url + "/hub/", token)
    assert status == 0, lines
    named = [line.split(":")[0].removeprefix("ok       ") for line in lines[:-2]]
    assert named == ["Log in", "Server", "Kernel", "Data", "One epoch", "End"]
    assert lines[0] == "ok       Log in: as anna" and lines[-1] == "Ready for class."
    wait_until(lambda: hub.processes_of("anna") == [], HANGS, "end of the server")


def test_check_class_ends_a_server_that_it_started_though_no_kernel_starts_there(hub):
    asyncio.run(stop(hub, "anna"))
    startup = hub.home("anna") / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "00-end.py").write_text("import os; os._exit(1)")
    token = asyncio.run(Learner.log_in(hub.url, "anna", hub.passwords["anna"])).token
    try:
        status, lines = check_class(hub.url, token)
    finally:
        (startup / "00-end.py").unlink()
    assert status == 1 and lines[2].startswith("PROBLEM  Kernel: ")
    assert lines[3] == "ok       End: the server is stopped"
    wait_until(lambda: hub.processes_of("anna") == [], HANGS, "end of the server")


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "make a token at http://*/hub/token, and set"), ("wrong", "/hub/api/user: 403 *")],
)
def test_check_class_says_that_a_hub_takes_no_such_token(hub, token, told):
    status, lines = check_class(hub.url, token)
    assert lines[0].startswith("PROBLEM  Log in: ")
    assert told.split("*")[0] in lines[0] and told.split("*")[-1] in lines[0]
    assert lines[-1] == "Not ready: 1 to mend." and status == 1


def check_class(url: str, token: str) -> tuple[int, list[str]]:
    command = [sys.executable, ROOT / "tools" / "check_class.py", "--slow-epoch=250", "--url", url]
    variables = os.environ | {"JUPYTERHUB_API_TOKEN": token}
    run = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert run.stderr == ""
    return run.returncode, run.stdout.splitlines()


def python_for_all(stage: Path) -> tuple[str, ...]:
    """Command prefix: users may run this Python, though it lies in another's private folder."""
    python = Path(sys.base_prefix).resolve()
    private = [it for it in [python, *python.parents] if not it.stat().st_mode & stat.S_IXOTH]
    if not private:
        return ()
    moves = [f"mount --bind {python} {stage}", f"mount -t tmpfs -o mode=755 tmpfs {private[-1]}"]
    moves += [f"mkdir -p {python}", f"mount --bind {stage} {python}"]
    return namespace("--mount", " && ".join(moves))


class TestSystemUsers:
    """Where each learner has a system user, as at The Littlest JupyterHub."""

    @pytest.fixture
    def users(self):
        """Names of two users with homes of their own."""
        if os.geteuid() != 0 or not shutil.which("useradd"):
            pytest.skip("only root can make users")
        names = [f"mnist-{number}-{os.getpid()}" for number in (1, 2)]
        try:
            for name in names:
                make = ["useradd", "--create-home", "--key", "HOME_MODE=0700", name]
                subprocess.run(make, check=True)
            yield names
        finally:
            for name in names:
                subprocess.run(["userdel", "--remove", name], capture_output=True)

    def test_a_learner_reads_neither_folder_nor_token_of_another(self, users, tmp_path_factory):
        hubs.install()
        folder = tmp_path_factory.mktemp("users")
        prefix = python_for_all(tmp_path_factory.mktemp("python"))
        with hubs.Hub(folder, users, system_users=True, prefix=prefix) as hub:
            told = asyncio.run(self.spy(hub, *users))
        assert told == dict.fromkeys(told, "PermissionError") and len(told) == 4
        assert hub.processes() == []

    async def spy(self, hub, name: str, other: str) -> dict[str, str]:
        """What each attempt to read something of another learner's came to."""
        spy, victim = [await arrive(hub, it) for it in (name, other)]
        home = pwd.getpwnam(other).pw_dir
        kernel = await victim.open("notebook.ipynb")
        process = await of(kernel)
        await kernel.run("open('secret', 'w').close()")
        places = [home, f"{home}/secret", f"/proc/{process.pid}/environ", f"{hub.folder}/hub.json"]
        attempts = await spy.open("notebook.ipynb")
        told = {}
        for place in places:
            read = "os.listdir" if place == home else "open"
            outputs = await attempts.run(f"import os\n{read}({place!r})")
            told[place] = (errors(outputs) or ["read"])[0].split(":")[0]
        with pytest.raises(Lost, match=r"403|404"):
            await Learner(hub.url, other, spy.token).server("GET", "contents/")
        return told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_of_a_measurement_that_is_interrupted(tmp_path, number):
    hubs.install()
    command = [sys.executable, ROOT / "tools" / "bench_class.py", "--learners=2", "--small"]
    variables = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as bench:
        try:
            servers = "learners/learner02"
            wait_until(lambda: any(servers in place for place in working_in(tmp_path)), HANGS, "it")
        finally:
            bench.send_signal(number)
        _, told = bench.communicate(timeout=HANGS)
    assert told.strip().startswith("class: interrupted") and bench.returncode == 1
    assert working_in(tmp_path) == [] and list(tmp_path.iterdir()) == []


def working_in(folder: Path) -> list[str]:
    """Where in the folder processes work."""
    places = [it.info["cwd"] or "" for it in psutil.process_iter(["cwd"])]
    return [place for place in places if place.startswith(str(folder))]
