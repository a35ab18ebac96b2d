"""Where networks and drawings are kept, and by which name messages call the place."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT
from faults import bound_by_permissions, namespace

from mnist_helpers.files import artifacts_folder, place, write_atomically
from mnist_helpers.pad import collection_path


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    monkeypatch.delenv("MNIST_ARTIFACTS", raising=False)


def test_a_checkout_has_a_folder_of_its_own():
    assert artifacts_folder() == ROOT / "artifacts"
    assert place(collection_path()) == os.path.join("artifacts", "my_digits.npz")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MNIST_ARTIFACTS", "~/kept")
    assert artifacts_folder() == tmp_path / "kept"
    assert place(collection_path()) == str(tmp_path / "kept" / "my_digits.npz")


def test_a_relative_folder_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_ARTIFACTS", "kept")
    assert artifacts_folder() == tmp_path / "kept"


def test_no_folder_named_tilde_is_made_where_there_is_no_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_ARTIFACTS", "~nobody-of-this-name/kept")
    with pytest.raises(OSError, match="there is no such home folder"):
        write_atomically(collection_path(), Path.touch)
    assert list(tmp_path.iterdir()) == []


def test_an_installed_package_keeps_nothing_among_the_packages(tmp_path):
    shutil.copytree(ROOT / "mnist_helpers", tmp_path / "packages" / "mnist_helpers")
    code = "from mnist_helpers import collection_path, files; print(files.__file__)\n"
    code += "path = collection_path(); print(path, files.place(path))"
    places = {"PYTHONPATH": str(tmp_path / "packages"), "XDG_DATA_HOME": str(tmp_path / "data")}
    environment = os.environ | places | {"HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    imported, paths = done.stdout.splitlines()
    assert imported.startswith(str(tmp_path / "packages"))
    path, named = paths.split()
    assert path == named and path.startswith(str(tmp_path)) and "packages" not in path


# What notebooks keep: a network, a drawing and, unseen, Matplotlib's list of fonts.
KEEP = """
from mnist_helpers import DrawingPad, EXAMPLE_DRAWINGS, build_dense, plot_digit, prepare_strokes
from mnist_helpers import save_run, show_figure
network = build_dense()
save_run("dense", network, {"loss": [1]}, {"data": "none"})
pad = DrawingPad({"dense": network})
pad.strokes = EXAMPLE_DRAWINGS[3]
pad.save(3)
print(pad.message)
show_figure(plot_digit(prepare_strokes(pad.strokes)))
print("done")
"""
# And the data; that they are kept or not, test_data_faults.py shows for a cache of their own.
KEEP_DATA = "from mnist_helpers import load_mnist\nload_mnist()\n"


def kept_by(folder: Path, *prefix: str, code: str = KEEP, home: bool = True):
    """A program that keeps things, with an installed package, in a home folder and no other."""
    packages = folder / "packages"
    if not packages.exists():
        shutil.copytree(ROOT / "mnist_helpers", packages / "mnist_helpers")
    others = ("MNIST_", "KERAS_", "XDG_", "MPL", "TMPDIR")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    environment |= {"PYTHONPATH": str(packages), "MNIST_OFFLINE": "1"}
    environment |= {"HOME": str(folder / "home")}
    if not home:
        del environment["HOME"]
    work = folder / "work"
    work.mkdir(exist_ok=True)
    command = [*prefix, sys.executable, "-c", code]
    return subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True)


@pytest.mark.slow
class TestHomes:
    def test_with_a_mask_for_oneself_alone_all_is_kept(self, tmp_path):
        (tmp_path / "home").mkdir()
        done = kept_by(tmp_path, "sh", "-c", 'umask 077 && exec "$@"', "sh")
        lines = done.stdout.splitlines()
        data = tmp_path / "home" / ".local" / "share" / "mnist-tutorial"
        assert lines[0] == f"Kept for the later notebooks: {data / 'dense.keras'}", done.stderr
        assert lines[1] == f"Saved as a 3: 1 in {data / 'my_digits.npz'}"
        assert lines[-1] == "done" and done.returncode == 0
        assert (data / "dense.keras").stat().st_mode & 0o077 == 0

    def test_a_home_folder_that_cannot_be_written_is_told_and_survived(self, tmp_path):
        (tmp_path / "home").mkdir(mode=0o555)
        done = kept_by(tmp_path, *bound_by_permissions())
        self.assert_told(done, "Permission denied")
        assert list((tmp_path / "home").iterdir()) == []

    def test_a_full_home_folder_is_told_and_survived(self, tmp_path):
        (tmp_path / "home").mkdir()
        prefix = namespace("--mount", f"mount -t tmpfs -o size=16k tmpfs '{tmp_path / 'home'}'")
        self.assert_told(kept_by(tmp_path, *prefix), "No space left on device")

    def test_without_home_the_systems_own_entry_serves(self, tmp_path):
        # A folder of this system's, so it is shown only, and nothing is kept in it.
        pwd = pytest.importorskip("pwd", reason="this system has no such entries")
        code = "from mnist_helpers.files import expanded; print(expanded('~/kept'))"
        environment = {name: value for name, value in os.environ.items() if name != "HOME"}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.stdout == f"{pwd.getpwuid(os.getuid()).pw_dir}/kept\n"

    def test_without_any_home_folder_it_is_told_and_survived(self):
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            pytest.skip("only root can be a user whom the system does not know")
        nobody = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
        if subprocess.run([*nobody, sys.executable, "-c", "import numpy"]).returncode != 0:
            pytest.skip("this Python is where no other user may look")
        # Not pytest's folder, into which others may not look.
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            (folder / "work").mkdir()
            (folder / "work").chmod(0o777)
            done = kept_by(folder, *nobody, code=KEEP_DATA + KEEP, home=False)
            kept = [path.name for path in (folder / "work").rglob("*") if path.is_file()]
        assert set(kept) <= {"keras.json"}  # Keras itself makes a folder named ~
        line, done.stdout = done.stdout.split("\n", 1)
        assert line.startswith("Nothing could be kept in ") and "no such home folder" in line
        self.assert_told(done, "there is no such home folder")

    def assert_told(self, done, reason: str) -> None:
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0].startswith("The network could not be kept (") and reason in lines[0]
        assert lines[1].startswith("Not saved: ") and reason in lines[1]
        assert lines[-1] == "done"
