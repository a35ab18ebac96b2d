"""A class at a real JupyterHub, and what goes wrong in one: the others never notice."""

import asyncio
import json
import os
import pwd
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from browser import wait_until
from conftest import ROOT
from faults import HANGS

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
    runs = [asyncio.create_task(kernel.run(TRAIN)) for kernel in (hers, his)]
    await is_training(hub, "anna", "ben")
    size = process.memory_info().vms
    resource.prlimit(process.pid, resource.RLIMIT_AS, (size, size))
    with pytest.raises(Lost, match="the kernel has ended"):
        print(await runs[0])
    (hub.home("ben") / "enough").touch()
    assert text(await runs[1]) == "trained\n"
    (hub.home("anna") / "enough").touch()
    assert text(await hers.run(TRAIN)) == "trained\n"  # in the kernel that was started anew
    await hers.shut_down()
    await his.shut_down()
