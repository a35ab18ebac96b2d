"""What stands behind `make` and tools/tutorial.py: set-up, run, and how each is started."""

import errno
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import execute
import lockfile
import machine
import nbformat
import pytest
import run
import setup_venv
import tutorial
from browser import wait_until
from conftest import ROOT, read
from faults import namespace

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and scripts")
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="there is no make on this machine")


def write_notebook(path: Path, source: str, **networks: list[str]) -> None:
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(source)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    metadata["mnist_tutorial"] = networks
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


def make_checkout(tmp_path: Path) -> Path:
    """A copy of the repository without its notebooks."""
    tmp_path.mkdir(exist_ok=True)
    for name in ("pyproject.toml", "requirements.lock", "README.md", "tools", "mnist_helpers"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def give_environment(checkout: Path, script: str) -> None:
    """A `.venv` that counts as installed, whose Python is a script of sh."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    stamp = "import setup_venv as it; it.STAMP.write_text(it.wanted_stamp())"
    subprocess.run([sys.executable, "-c", stamp], cwd=checkout / "tools", check=True)


class TestSetup:
    @pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
    def test_an_unsupported_python_gets_one_clear_line(self, monkeypatch, version):
        monkeypatch.setattr(sys, "version_info", version)
        with pytest.raises(SystemExit, match=r"is not supported; use 3\.11, 3\.12 or 3\.13"):
            setup_venv.main()

    def test_an_intel_mac_is_told_that_there_is_no_tensorflow_for_it(self, monkeypatch):
        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(setup_venv.platform, "machine", lambda: "x86_64")
        with pytest.raises(SystemExit, match="no current TensorFlow for Intel Macs: use Binder or"):
            setup_venv.main()

    @pytest.mark.parametrize(
        ("system", "python"), [("nt", "Scripts/python.exe"), ("posix", "bin/python")]
    )
    def test_the_interpreter_of_an_environment_is_found_on_any_system(
        self, monkeypatch, system, python
    ):
        folder = Path("environment")
        with monkeypatch.context() as patched:
            patched.setattr(setup_venv.os, "name", system)
            found = setup_venv.python_of(folder)
        assert found.as_posix() == f"environment/{python}"

    def test_an_environment_without_its_stamp_is_not_taken_for_a_good_one(
        self, monkeypatch, tmp_path
    ):
        monkeypatch.setattr(setup_venv, "STAMP", tmp_path / "installed.txt")
        assert not setup_venv.is_current()

    def test_another_lock_needs_another_environment(self, monkeypatch, tmp_path):
        for name in ("requirements.lock", "pyproject.toml"):
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
        monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
        before = setup_venv.wanted_stamp()
        (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 99\n")
        assert setup_venv.wanted_stamp() == before  # a setting of the linter does not
        (tmp_path / "requirements.lock").write_text("numpy==0.0")
        assert setup_venv.wanted_stamp() != before


# Builds the helper package in the checkout of TestInstallation without setuptools.
BACKEND = """
import zipfile
from pathlib import Path

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "mnist_helpers-1.0-py3-none-any.whl"
    info = "mnist_helpers-1.0.dist-info"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        wheel.writestr("mnist_helpers.pth", str(Path.cwd()))
        about = "Metadata-Version: 2.1\\nName: mnist-helpers\\nVersion: 1.0\\n"
        wheel.writestr(f"{info}/METADATA", about)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.mark.slow
@needs_posix
class TestInstallation:
    """A whole set-up, with pip, of packages that are tiny, in an environment that is not."""

    @pytest.fixture
    def checkout(self, tmp_path) -> Path:
        checkout = tmp_path / "checkout"
        shutil.copytree(ROOT / "tools", checkout / "tools")
        (checkout / "mnist_helpers").mkdir()
        (checkout / "mnist_helpers" / "__init__.py").touch()
        (checkout / "backend.py").write_text(BACKEND)
        build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        (checkout / "pyproject.toml").write_text(build)
        wheels = tmp_path / "wheels"
        wheels.mkdir()
        lock = ""
        for name in ("numpy", "jupyterlab"):
            path = wheels / f"{name}-1.0-py3-none-any.whl"
            info = f"{name}-1.0.dist-info"
            with zipfile.ZipFile(path, "w") as wheel:
                wheel.writestr(f"{name}.py", "")
                about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
                wheel.writestr(f"{info}/METADATA", about)
                wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
                wheel.writestr(f"{info}/RECORD", "")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            lock += f"{name}==1.0 --hash=sha256:{digest}\n"
        (checkout / "requirements.lock").write_text(lock)
        return checkout

    def set_up(self, checkout: Path, python: Path = Path(sys._base_executable), **settings: str):
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        variables |= {"PIP_FIND_LINKS": str(checkout.parent / "wheels"), "PIP_NO_INDEX": "1"}
        variables |= {"PIP_CONFIG_FILE": os.devnull} | settings
        command = [python, checkout / "tools" / "tutorial.py", "setup"]
        return subprocess.run(command, env=variables, capture_output=True, text=True)

    def is_installed(self, checkout: Path) -> bool:
        packages = next(checkout.glob(".venv/lib/python*/site-packages"))
        names = ("numpy.py", "jupyterlab.py", "mnist_helpers.pth")
        return all((packages / name).exists() for name in (*names, "../../../installed.txt"))

    def test_is_not_touched_by_what_leads_pip_or_python_elsewhere(self, checkout, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for name in ("numpy", "pip"):
            (elsewhere / f"{name}.py").write_text(f"raise ImportError('the wrong {name}')")
        (tmp_path / "pip.conf").write_text("[install]\nuser = true\n")
        settings = dict.fromkeys(["PIP_TARGET", "PIP_PREFIX", "PYTHONPATH"], str(elsewhere))
        settings |= {"PIP_USER": "1", "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
        done = self.set_up(checkout, **settings)
        assert (done.returncode, done.stderr) == (0, "")
        assert self.is_installed(checkout)
        assert sorted(path.name for path in elsewhere.iterdir()) == ["numpy.py", "pip.py"]

    def test_packages_that_went_elsewhere_are_no_installation(self, checkout, tmp_path):
        (tmp_path / "pip.conf").write_text(f"[install]\ntarget = {tmp_path / 'elsewhere'}\n")
        done = self.set_up(checkout, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith(
            "setup: pip says that all is installed, but it is not in .venv (`pip"
        )
        assert not self.is_installed(checkout)

    def test_a_failure_says_what_failed(self, checkout):
        lock = (checkout / "requirements.lock").read_text()
        (checkout / "requirements.lock").write_text(lock.replace("numpy==1.0", "numpy==2.0"))
        done = self.set_up(checkout)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith("setup: the pinned packages could not be installed: ")
        assert "No matching distribution found for numpy==2.0" in last
        assert not self.is_installed(checkout)

    @pytest.mark.parametrize("behind_a_link", [False, True])
    def test_an_environment_of_someone_else_is_refused(self, checkout, tmp_path, behind_a_link):
        theirs = tmp_path / "theirs" if behind_a_link else checkout / ".venv"
        (theirs / "bin").mkdir(parents=True)
        (theirs / "bin" / "tool").write_text("precious")
        if behind_a_link:
            (checkout / ".venv").symlink_to(theirs, target_is_directory=True)
        done = self.set_up(checkout)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "move it away" in done.stderr.splitlines()[-1]
        assert (theirs / "bin" / "tool").read_text() == "precious"

    def test_an_activated_environment_that_is_out_of_date_is_replaced(self, checkout):
        subprocess.run(
            [sys._base_executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True
        )
        (checkout / ".venv" / "mnist-tutorial").touch()  # as made by an earlier set-up
        done = self.set_up(checkout, python=checkout / ".venv" / "bin" / "python")
        assert (done.returncode, done.stderr) == (0, "")
        assert self.is_installed(checkout)
        assert self.set_up(checkout).stdout == ""  # nothing is left to do


@needs_posix
class TestInterrupted:
    """Ctrl-C, and what the next start makes of what is there."""

    def test_a_killed_installation_is_not_taken_for_a_good_one(self, tmp_path):
        checkout = make_checkout(tmp_path)
        command = [sys._base_executable, checkout / "tools" / "setup_venv.py"]
        for _ in range(2):
            setup = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0)
            # Each start begins anew: the half-made environment of the first is not used.
            assert setup.stdout.readline().startswith("setup: installing the pinned packages")
            wait_until((checkout / ".venv" / "bin" / "python").exists, 60, "python in .venv")
            os.killpg(setup.pid, signal.SIGKILL)
            setup.wait()
            setup.stdout.close()
            assert not (checkout / ".venv" / "installed.txt").exists()

    @pytest.mark.slow
    def test_an_interrupted_run_goes_on_with_what_is_missing(self, tmp_path):
        checkout = make_checkout(tmp_path)
        begun, flag = tmp_path / "begun", tmp_path / "go on"
        wait = (
            f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\n"
            f"while not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.1)"
        )
        for name, source in [("01_first", "print(1)"), ("02_second", wait)]:
            write_notebook(checkout / "notebooks" / f"{name}.ipynb", source)
        command = [sys.executable, checkout / "tools" / "run.py"]
        environment = os.environ | {"MNIST_OFFLINE": "1", "PYTHONPATH": str(checkout)}

        run = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        lines = [run.stdout.readline() for _ in range(2)]
        assert lines == ["01_first: executing\n", "02_second: executing\n"]
        wait_until(begun.exists, 120, "start of the second notebook's cell")
        wait_until((checkout / "build/current/01_first.json").exists, 120, "end of the first")
        assert run.poll() is None
        os.killpg(run.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 1
        assert errors.strip().splitlines()[-1].startswith("run: interrupted; `make run` goes on")
        assert "Traceback" not in errors
        built = checkout / "build" / "notebooks"
        assert sorted(path.name for path in built.iterdir()) == ["01_first.ipynb"]

        flag.touch()
        again = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        assert again.stdout.startswith("01_first: unchanged\n02_second: executing\n")


class TestSideBySide:
    """Two notebooks at a time, as far as none uses what the other keeps."""

    @pytest.mark.parametrize(
        ("waiting", "running", "first"),
        [
            (["01", "02", "03", "04"], [], "02"),  # a network that others wait for
            (["01", "03", "04"], [], "03"),  # what has to do with no other can start at any time
            (["01", "04"], ["03"], "01"),
            (["03", "04"], ["01"], "03"),
            (["03", "04"], ["02"], None),  # the network is not there yet
            (["02", "03"], ["01"], "02"),
            (["04"], ["03"], None),  # what measures times waits for everything before it
            (["04"], [], "04"),
            (["01"], ["04"], None),  # and nothing starts beside it
        ],
    )
    def test_what_may_start_next(self, waiting, running, first):
        tells = {name: {"keeps": [], "uses": [], "alone": False} for name in ("01", "02", "03")}
        tells["02"]["keeps"] = tells["03"]["uses"] = ["dense"]
        tells["04"] = tells["01"] | {"alone": True}
        assert run.next_one(waiting, running, tells) == first

    def test_the_notebook_on_speed_runs_alone(self):
        assert run.told(read(ROOT / "notebooks" / "07_speed_and_devices.ipynb"))["alone"]

    @pytest.mark.slow
    def test_one_that_fails_lets_the_other_come_to_its_end_and_starts_no_more(
        self, monkeypatch, tmp_path
    ):
        monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
        monkeypatch.setattr(run, "BUILD", tmp_path / "build")
        for name, source in [("01", "1 / 0"), ("02", "import time; time.sleep(5)"), ("03", "3")]:
            write_notebook(tmp_path / f"{name}.ipynb", source)
        with pytest.raises(run.NotebookFailed, match=r"01\.ipynb, code cell 1: ZeroDivisionError"):
            run.run_all()
        executed = sorted(path.name for path in (tmp_path / "build" / "notebooks").iterdir())
        side_by_side = len(run.places()) == 2
        assert executed == ["01.failed.ipynb"] + ["02.ipynb"] * side_by_side


class TestRunAgain:
    """A second `make run` executes what has changed, and nothing else."""

    @pytest.fixture
    def series(self, monkeypatch, tmp_path) -> Path:
        """Three notebooks; the third uses the network that the second keeps."""
        monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
        monkeypatch.setattr(run, "BUILD", tmp_path / "build")
        monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "artifacts"))
        keep = "import os, pathlib; kept = pathlib.Path(os.environ['MNIST_ARTIFACTS'], 'net.keras')"
        keep += "; kept.parent.mkdir(exist_ok=True); kept.touch()"
        write_notebook(tmp_path / "01_first.ipynb", "1")
        write_notebook(tmp_path / "02_second.ipynb", keep, keeps=["net"])
        write_notebook(tmp_path / "03_third.ipynb", "3", uses=["net"])
        return tmp_path

    @pytest.mark.slow
    def test_what_is_there_and_unchanged_is_current(self, series):
        def current() -> list[str]:
            return [name for name, it in run.digests().items() if run.measured_before(name, it)]

        assert current() == []
        run.run_all()
        assert current() == ["01_first", "02_second", "03_third"]
        (series / "build" / "notebooks" / "01_first.ipynb").unlink()
        assert current() == ["02_second", "03_third"]
        (series / "artifacts" / "net.keras").unlink()
        assert current() == ["03_third"]

    def test_pages_are_rendered_again_when_they_would_say_something_else(self, series):
        (series / "build" / "notebooks").mkdir(parents=True)
        write_notebook(series / "build" / "notebooks" / "01_first.ipynb", "1")
        entry, page = series / "build/current/01_first.json", series / "build/site/index.html"
        run.write_json(entry, {"dataset": "MNIST", "machine": "a processor"})
        run.render_site()
        page.write_text("as it was")
        run.render_site()
        assert page.read_text() == "as it was"
        run.write_json(entry, {"dataset": "MNIST", "machine": "another processor"})
        run.render_site()
        assert "<html" in page.read_text()

    def test_a_changed_notebook_runs_alone(self, series):
        before = run.digests()
        write_notebook(series / "01_first.ipynb", "1 + 1")
        after = run.digests()
        assert [name for name in after if after[name] != before[name]] == ["01_first"]

    def test_notebooks_that_use_a_network_follow_the_one_that_keeps_it(self, series):
        before = run.digests()
        write_notebook(series / "02_second.ipynb", "2 + 2", keeps=["net"])
        after = run.digests()
        assert [n for n in after if after[n] != before[n]] == ["02_second", "03_third"]

    def test_another_data_set_runs_everything(self, series, monkeypatch):
        before = run.digests()
        monkeypatch.setenv("MNIST_NPZ", "elsewhere.npz")
        assert not set(before.values()) & set(run.digests().values())


@needs_posix
def test_two_runs_at_once_do_not_meet(tmp_path):
    checkout = make_checkout(tmp_path)
    (checkout / "build").mkdir()
    with open(checkout / "build" / ".lock", "w") as lock:
        lockfile.take_lock(lock, wait=False)
        second = [sys.executable, checkout / "tools" / "run.py"]
        result = subprocess.run(second, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.strip().startswith("run: another `make run` is at work")


class TestWithoutLocks:
    """Windows has no fcntl, and a network file system may refuse to lock a file."""

    # What such a system does, in front of a program.
    MISSING = "import sys, psutil; sys.modules.update(fcntl=None, resource=None)\n"
    REFUSED = """
import errno, os, fcntl
def refuse(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = refuse
"""

    @needs_posix
    @pytest.mark.slow
    @pytest.mark.parametrize("system", [MISSING, REFUSED], ids=["no fcntl", "ENOLCK"])
    def test_make_run_goes_on_without_the_lock(self, tmp_path, system):
        checkout = make_checkout(tmp_path)
        write_notebook(checkout / "notebooks" / "01_first.ipynb", "1")
        (tmp_path / "start.py").write_text(f"{system}import run\nrun.main()\n")
        environment = os.environ | {"MNIST_OFFLINE": "1", "MNIST_NPZ": ""}
        environment["PYTHONPATH"] = f"{checkout / 'tools'}{os.pathsep}{checkout}"
        command = [sys.executable, tmp_path / "start.py"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (checkout / "build" / "site" / "01_first.html").exists()

    @pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
    @needs_posix
    def test_set_up_goes_on_without_the_lock(self, tmp_path, monkeypatch, number):
        def refuse(*_):
            raise OSError(number, os.strerror(number))

        installed = []
        monkeypatch.setattr(lockfile.fcntl, "flock", refuse)
        monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
        monkeypatch.setattr(setup_venv, "VENV", tmp_path / ".venv")
        monkeypatch.setattr(setup_venv, "is_current", lambda: False)
        monkeypatch.setattr(setup_venv, "install", lambda: installed.append("all"))
        setup_venv.main()
        assert installed == ["all"]

    def test_every_tool_can_be_imported_without_fcntl_and_resource(self):
        names = sorted(path.stem for path in (ROOT / "tools").glob("*.py"))
        names.remove("record")  # needs TensorFlow, which takes seconds, and neither of these
        code = f"{self.MISSING}import {', '.join(names)}"
        environment = os.environ | {"PYTHONPATH": str(ROOT / "tools")}
        done = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE)
        assert done.stderr == b""

    @pytest.mark.slow
    def test_the_peak_of_a_kernel_is_measured_without_resource(self, tmp_path, monkeypatch):
        write_notebook(
            tmp_path / "01_first.ipynb", "x = bytearray(300_000_000)\nimport time; time.sleep(1)"
        )
        monkeypatch.setattr(machine, "resource", None)
        out = tmp_path / "out.ipynb"
        report = execute._execute_here(tmp_path / "01_first.ipynb", out, {}, str(tmp_path))
        assert 300 < report["peak_rss_mb"] < 600
        assert machine.peak_memory() > 20e6


def test_pages_are_told_the_processor_its_cores_and_the_system():
    told = machine.this_machine()
    assert told.startswith(machine.processor()) and told.endswith(platform.system())
    assert re.search(r", \d+ cores?, ", told)


@pytest.mark.slow
def test_the_tests_pass_in_a_zip_and_say_what_they_skip_without_git(tmp_path):
    """Those that could need git, in a copy that knows no git and no modes of files."""
    made = shutil.ignore_patterns(".git", ".venv", "build", "artifacts", "__pycache__", ".*_cache")
    copy = shutil.copytree(ROOT, tmp_path / "copy", ignore=made)
    archive = shutil.make_archive(str(tmp_path / "tutorial"), "zip", copy)
    folder = tmp_path / "unzipped"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(folder)  # as Windows does, without the right to execute
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    command += ["tests/test_environment.py", "tests/test_class_tools.py", "tests/test_structure.py"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "no clone: git keeps the files' modes" in done.stdout


class TestTutorial:
    """tools/tutorial.py, and the Makefile in front of it."""

    @needs_make
    @pytest.mark.parametrize("command", tutorial.COMMANDS)
    def test_make_has_a_target_for_each_command(self, command):
        make = ["make", "-n", command, "PYTHON=py"]
        done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True)
        asked = done.stdout.replace("\\\n", " ").splitlines()[-1].removeprefix("exec ")
        assert asked.split() == ["py", "tools/tutorial.py", command]

    @needs_make
    @pytest.mark.parametrize(
        ("target", "passed_on"),
        [
            (["record", "NETWORKS=dense cnn", "SEEDS=3"], "--networks dense cnn --seeds 3"),
            (["record", "CHECK=3"], "--check 3"),
            (["refresh", "NOTEBOOKS=notebooks/a.ipynb"], "notebooks/a.ipynb"),
            (["lab", "LAB_OPTIONS=--port=9000 --no-browser"], "--port=9000 --no-browser"),
            (["bench-class"], ""),
            (
                ["bench-class", "LEARNERS=1 4 12", "SPREAD=60", "SMALL=1", "KEEP_OPEN=1"],
                "--learners 1 4 12 --spread 60 --small --keep-open",
            ),
            (["check-class", "URL=https://hub"], "--url https://hub"),
            (["binder-link"], ""),
        ],
    )
    def test_variables_of_make_become_options(self, target, passed_on):
        make = ["make", "-n", *target]
        done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True)
        name = "links" if target == ["binder-link"] else target[0]
        asked = done.stdout.replace("\\", " ").split("tools/tutorial.py")[1]
        assert asked.split() == [name, *passed_on.split()]

    @needs_posix
    @pytest.mark.parametrize("named", ["given/x.npz", "~/given/x.npz", "{folder}/given/x.npz"])
    @pytest.mark.parametrize("way", ["make", "python"])
    def test_a_path_is_relative_to_where_the_person_stands(self, tmp_path, way, named):
        checkout = make_checkout(tmp_path / "checkout")
        shutil.copy(ROOT / "Makefile", checkout)
        # The environment's Python says what it is given, in place of doing it.
        give_environment(checkout, 'echo "$MNIST_NPZ"; echo "$MNIST_ARTIFACTS"; echo "$@"')
        folder = checkout if way == "make" else tmp_path
        named = named.format(folder=folder)
        environment = os.environ | {"HOME": str(folder), "MNIST_ARTIFACTS": "kept"}
        environment |= {"LAB_OPTIONS": "--allow-root", "MNIST_NPZ": named}
        command = [sys.executable, checkout / "tools" / "tutorial.py", "lab", "--allow-root"]
        if way == "make":
            if not shutil.which("make"):
                pytest.skip("there is no make on this machine")
            command = ["make", "lab", f"MNIST_NPZ={named}", f"PYTHON={sys.executable}"]
            del environment["MNIST_NPZ"]
        options = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
        done = subprocess.run(command, **options)
        assert done.stderr == ""
        given, kept, arguments = done.stdout.splitlines()
        assert given == str(folder / "given" / "x.npz")
        assert kept == str(folder / "kept")
        assert arguments.startswith("-m jupyterlab --ip=127.0.0.1 ")
        assert arguments.endswith(" --allow-root notebooks/01_data_exploration.ipynb")

    @needs_posix
    def test_root_is_told_how_to_open_jupyterlab(self):
        command = [sys.executable, ROOT / "tools" / "tutorial.py", "lab"]
        prefix = namespace("--mount", "true")  # in which everyone is root
        done = subprocess.run([*prefix, *command], capture_output=True, text=True)
        assert done.returncode == 1 and done.stdout == ""
        assert "make lab LAB_OPTIONS=--allow-root" in done.stderr
        assert "python tools/tutorial.py lab --allow-root" in done.stderr
        assert done.stderr.count("\n") == 1

    @needs_posix
    def test_ctrl_c_is_for_the_program_that_was_started(self):
        """Where nothing can take the place of a process, it waits for its child to end."""
        child = "import sys, time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
        child += "except KeyboardInterrupt:\n    time.sleep(0.5)\n    sys.exit(7)"
        code = (
            "import sys, tutorial; sys.exit(tutorial.wait_for([sys.executable, '-c', sys.argv[1]]))"
        )
        start = subprocess.Popen(
            [sys.executable, "-c", code, child],
            cwd=ROOT / "tools",
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert start.stdout.readline() == "ready\n"
        os.killpg(start.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
        assert start.wait(timeout=60) == 7
        start.stdout.close()

    def test_an_unknown_command_gets_the_list(self):
        command = [sys.executable, ROOT / "tools" / "tutorial.py", "lap"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2
        assert "invalid choice: 'lap'" in done.stderr and "test-quick" in done.stderr


@pytest.mark.slow
@needs_make
@needs_posix
def test_make_b_run_executes_everything_and_make_run_what_has_changed(tmp_path):
    checkout = make_checkout(tmp_path)
    shutil.copy(ROOT / "Makefile", checkout)
    write_notebook(checkout / "notebooks" / "01_first.ipynb", "1")
    # The environment of the tests stands in for one that would take minutes to install.
    give_environment(checkout, f'PYTHONPATH="{checkout}" exec "{sys.executable}" "$@"')
    environment = os.environ | {"MNIST_OFFLINE": "1", "MNIST_NPZ": ""}

    def executed(*options: str) -> int:
        make = ["make", *options, "run", f"PYTHON={sys.executable}"]
        done = subprocess.run(make, cwd=checkout, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.count(": executing")

    assert [executed(), executed(), executed("-B")] == [1, 0, 1]
