"""tools/tutorial.py, the Makefile in front of it, and the main job."""

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest
from browser import wait_until
from conftest import ROOT, copy_checkout, write_notebook
from nbformat.v4 import new_markdown_cell

from mnist_helpers import checks
from tools import lockfile, run, tutorial

needs_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals and scripts")
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="there is no make on this machine")


class TestRun:
    """The main job, with an execution that only copies the notebook."""

    @pytest.fixture(autouse=True)
    def checkout(self, monkeypatch, tmp_path) -> Path:
        """Sources of a run: three notebooks, an extra one, a helper, the lock."""
        for name in ("notebooks/extras", "mnist_helpers/records", "build"):
            (tmp_path / name).mkdir(parents=True)
        write_notebook(tmp_path / "notebooks" / "01_speed.ipynb", "1", alone=True)
        write_notebook(tmp_path / "notebooks" / "02_uses.ipynb", "2", uses=["net"])
        write_notebook(tmp_path / "notebooks" / "03_keeps.ipynb", "3", keeps=["net"])
        write_notebook(tmp_path / "notebooks" / "extras" / "other.ipynb", "4")
        (tmp_path / "mnist_helpers" / "data.py").write_text("x = 1")
        (tmp_path / "requirements.lock").write_text("numpy==1.0")
        changes = {"ROOT": tmp_path, "NOTEBOOKS": tmp_path / "notebooks"}
        changes |= {"BUILD": tmp_path / "build", "execute": self.execute}
        changes |= {"render_site": lambda: None, "slots": lambda: [[0], [1]]}
        changes["load_mnist"] = lambda: SimpleNamespace(name=self.dataset)
        for name, value in changes.items():
            monkeypatch.setattr(run, name, value)
        monkeypatch.setenv("MNIST_OFFLINE", "")
        monkeypatch.setattr(sys, "argv", ["run"])
        self.dataset, self.events = "MNIST", []
        self.meet, self.fails = None, ""
        return tmp_path

    def execute(self, notebook: Path, output: Path, cores: list | None, slot: int) -> dict:
        self.events.append(f"begin {notebook.stem}")
        assert cores == (None if "speed" in notebook.stem else [slot])
        if self.meet and notebook.stem in ("03_keeps", "other"):
            self.meet.wait()  # until both are being executed
        if notebook.stem == self.fails:
            raise run.NotebookFailed(f"{notebook.name}, code cell 1: ZeroDivisionError")
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(notebook, output)
        if "keeps" in notebook.stem:
            Path(os.environ["MNIST_ARTIFACTS"], "net.keras").touch()
        self.events.append(f"end {notebook.stem}")
        return {"seconds": 1, "peak_rss_mb": 2, "models": {"net": {"by": notebook.stem}}}

    def run(self, *options: str) -> list[str]:
        """What `make run` has executed."""
        self.events.clear()
        os.environ["MNIST_ARTIFACTS"] = str(run.ROOT / "kept")
        sys.argv[1:] = options
        run.main()
        return sorted(event.split()[1] for event in self.events if "begin" in event)

    def test_everything_is_executed_always_and_measured(self, checkout):
        names = ["01_speed", "02_uses", "03_keeps", "other"]
        assert self.run() == self.run() == names
        results = json.loads((checkout / "build" / "results.json").read_text())
        assert results["dataset"] == run.last_run()["dataset"] == "MNIST"
        assert results["notebooks"] == {name: {"seconds": 1, "peak_rss_mb": 2} for name in names}
        # Of those that report a network the first counts.
        assert results["models"] == {"net": {"by": "01_speed"}}
        assert (checkout / "build" / "notebooks" / "extras" / "other.ipynb").exists()
        for folder in ("build/networks", "kept"):  # the second is where a learner's are
            assert [path.name for path in (checkout / folder).iterdir()] == ["net.keras"]

    def test_two_notebooks_run_at_a_time_if_none_needs_what_the_other_keeps(self):
        self.meet = Barrier(2, timeout=60)
        self.run()
        when = {event: number for number, event in enumerate(self.events)}
        assert when["end 03_keeps"] < when["begin 02_uses"]
        assert self.events[-2:] == ["begin 01_speed", "end 01_speed"]

    def test_one_that_fails_lets_the_other_end_and_starts_no_more(self, checkout):
        self.run()
        self.meet, self.fails = Barrier(2, timeout=60), "03_keeps"
        with pytest.raises(SystemExit, match=r"^run: 03_keeps.ipynb, code cell 1: Zero"):
            self.run()
        assert sorted(self.events) == ["begin 03_keeps", "begin other", "end other"]
        assert not any((run.BUILD / name).exists() for name in ("results.json", "run.json"))

    @pytest.mark.parametrize("name", ["02", "02_uses", "notebooks/02_uses.ipynb"])
    def test_a_part_is_executed_alone_and_is_no_complete_run(self, checkout, name):
        self.run()
        assert self.run(name) == ["02_uses"]
        # Nothing of the run before is left.
        left = [path.name for path in (checkout / "build" / "notebooks").rglob("*.ipynb")]
        assert left == ["02_uses.ipynb"] and len(self.run("--if-needed")) == 4

    def test_a_name_that_no_notebook_has_is_refused_before_anything_is_removed(self):
        self.run()
        with pytest.raises(SystemExit, match="09"):
            self.run("09")
        assert self.run("--if-needed") == []

    @pytest.mark.parametrize(
        "changed", ["notebooks/02_uses.ipynb", "mnist_helpers/data.py", "requirements.lock"]
    )
    def test_a_complete_run_is_used_until_its_sources_change(self, checkout, changed):
        self.run("--if-needed")
        assert self.run("--if-needed") == []
        with (checkout / changed).open("a") as file:
            file.write(" ")
        assert len(self.run("--if-needed")) == 4
        (checkout / "build" / "notebooks" / "02_uses.ipynb").unlink()
        assert len(self.run("--if-needed")) == 4

    def test_a_run_is_used_for_the_data_set_that_would_be_loaded_now_alone(self):
        self.dataset = "offline digits"  # without a network
        self.run("--if-needed")
        assert run.last_run()["dataset"] == "offline digits"
        assert os.environ["MNIST_OFFLINE"] == "1"  # also where it comes back during the run
        self.dataset = "MNIST"
        assert len(self.run("--if-needed")) == 4 and run.last_run()["dataset"] == "MNIST"

    def test_what_systems_and_editors_leave_in_folders_never_matters(self, checkout):
        self.run()
        for folder in ("mnist_helpers", "mnist_helpers/records", "notebooks"):
            for name in (".ipynb_checkpoints", "__pycache__", "data.csv"):
                (checkout / folder / name).mkdir()
                (checkout / folder / name / "data-checkpoint.py").touch()
            for name in (".DS_Store", "data.py~", "#data.py#", ".data.py.swp", "._data.py"):
                (checkout / folder / name).touch()
        if os.name != "nt":
            (checkout / "mnist_helpers" / ".#data.py").symlink_to("someone@machine.1234")
        assert self.run("--if-needed") == [] and len(self.run()) == 4

    def test_notebooks_of_ones_own_are_named_and_left_out(self, checkout, capsys):
        self.run()
        scratch = {"Untitled.ipynb": '{"cells": []}', "none.ipynb": "", "extras/none.ipynb": "["}
        scratch["02_uses-Copy1.ipynb"] = '{"metadata": {"mnist_tutorial": {}}}'
        for name, text in scratch.items():
            (checkout / "notebooks" / name).write_text(text)
        assert self.run("--if-needed") == [] and len(self.run()) == 4
        left_out = [line for line in capsys.readouterr().out.splitlines() if "left out" in line]
        named = {Path(line.partition(":")[0]) for line in left_out}
        assert named == {Path("notebooks", name) for name in scratch}

    @pytest.mark.parametrize("name", ["02_uses", "extras/other"])
    def test_an_unreadable_one_is_named_before_anything_is_removed(self, checkout, name):
        self.run()
        mark = '"mnist_tutorial"' if name == "extras/other" else ""
        (checkout / "notebooks" / f"{name}.ipynb").write_text(f"<<<<<<< HEAD{mark}")
        with pytest.raises(SystemExit, match=f"^run: notebooks/{name}.ipynb cannot be read: .*git"):
            self.run()
        assert (checkout / "build" / "results.json").exists()

    @needs_posix
    def test_two_runs_at_once_do_not_meet(self, checkout):
        with open(checkout / "build" / ".lock", "w") as lock:
            lockfile.take_lock(lock, wait=False)
            with pytest.raises(SystemExit, match="another `make run` is at work"):
                self.run()


@pytest.mark.parametrize(("limit", "at_a_time"), [("1000", 1), ("", 2)])
def test_where_memory_is_short_one_notebook_runs_at_a_time(monkeypatch, capsys, limit, at_a_time):
    process = SimpleNamespace(cpu_affinity=lambda: [0, 1])
    monkeypatch.setattr(run, "psutil", SimpleNamespace(Process=lambda: process))
    monkeypatch.setattr(checks.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**40))
    monkeypatch.setattr(checks, "_free_in_group", lambda group: 2**40)
    monkeypatch.setenv("MEM_LIMIT", limit)
    assert len(run.slots()) == at_a_time
    assert ("Memory free: 0.0 GB" in capsys.readouterr().out) is (at_a_time == 1)


def test_without_a_run_there_are_no_pages_to_render(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "BUILD", tmp_path)
    with pytest.raises(SystemExit, match="`make run` makes one"):
        run.render_site()


@pytest.mark.slow
@needs_posix
class TestCheckout:
    """`make run` as a program, in a checkout with a notebook made for it."""

    @pytest.fixture
    def checkout(self, tmp_path) -> Path:
        copy_checkout(tmp_path, "pyproject.toml", "requirements.lock", "tools", "mnist_helpers")
        (tmp_path / "notebooks").mkdir()
        return tmp_path

    def run(self, checkout: Path, source: str) -> subprocess.Popen:
        path = checkout / "notebooks" / "01_first.ipynb"
        write_notebook(path, new_markdown_cell("# Title"), source)
        variables = {"MNIST_OFFLINE": "1", "MNIST_NPZ": "", "PYTHONPATH": str(checkout)}
        options = {"cwd": checkout, "env": os.environ | variables, "process_group": 0}
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # As tools/tutorial.py starts it where nothing can take the place of a process.
        code = "import sys; from tools.tutorial import need; need([sys.executable, *sys.argv[1:]])"
        return subprocess.Popen([sys.executable, "-c", code, "-m", "tools.run"], **options)

    def test_it_executes_the_notebook_and_renders_its_page(self, checkout):
        output, errors = self.run(checkout, "print('Hello')").communicate(timeout=300)
        assert "01_first: executing" in output and "Results on offline digits" in output, errors
        assert "Hello" in (checkout / "build" / "site" / "01_first.html").read_text()

    def test_ctrl_c_ends_all_that_it_has_started(self, checkout):
        wait = "import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(600)"
        with self.run(checkout, wait) as process:
            try:
                wait_until((checkout / "notebooks" / "begun").exists, 300, "start of the cell")
                os.killpg(process.pid, signal.SIGINT)  # what a terminal does
                _, errors = process.communicate(timeout=300)
            finally:
                process.kill()
        assert process.returncode == 1 and "Traceback" not in errors
        assert errors.strip().splitlines()[-1].startswith("run: interrupted")
        assert list((checkout / "build" / "notebooks").iterdir()) == []


@needs_posix
def test_where_a_network_file_system_locks_no_file_the_work_goes_on(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lockfile.fcntl, "flock", refuse)
    with open(tmp_path / "lock", "w") as lock:
        lockfile.take_lock(lock, wait=True)


class TestTutorial:
    @needs_make
    @pytest.mark.parametrize(
        ("target", "passed_on"),
        [
            ("run NOTEBOOKS='02 03'", "02 03"),
            ("refresh NOTEBOOKS=notebooks/a.ipynb", "notebooks/a.ipynb"),
            ("record NETWORKS='a b' SEEDS=3 CHECK=2", "--networks a b --seeds 3 --check 2"),
            ("lab LAB_OPTIONS='--port=9000 --no-browser'", "--port=9000 --no-browser"),
            ("check-class URL=https://hub", "--url https://hub"),
            *[(command, "") for command in tutorial.COMMANDS],
        ],
    )
    def test_make_passes_on_each_command_and_its_variables(self, target, passed_on):
        make = ["make", "-n", *shlex.split(target), "PYTHON=py"]
        printed = subprocess.check_output(make, cwd=ROOT, text=True)
        expected = f"exec py tools/tutorial.py {target.split()[0]} {passed_on}"
        assert printed.replace("\\\n", " ").split() == expected.split()

    def test_every_program_of_a_command_is_there(self):
        for _, _, program in tutorial.COMMANDS.values():
            if program and program[0].startswith("tools."):
                assert (ROOT / f"{program[0].replace('.', '/')}.py").exists(), program

    @needs_posix
    @pytest.mark.parametrize("command", ["lab --allow-root", "test -k pad"])
    @pytest.mark.parametrize("snap", [False, True])
    def test_what_is_started_and_with_which_paths(self, tmp_path, command, snap):
        copy_checkout(tmp_path, "tools")
        program = tmp_path / "tools" / "tutorial.py"
        program.write_text(program.read_text().replace("/snap/bin", str(tmp_path)))
        if snap:
            (tmp_path / "firefox").touch()
        (tmp_path / "tools" / "environment.py").write_text("# Nothing is left to install.")
        # The Python of the environment says what it is given.
        python = tmp_path / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\necho "$MNIST_NPZ $MNIST_ARTIFACTS $@"\n')
        python.chmod(0o755)
        folder = tmp_path / "where I stand"
        folder.mkdir()
        variables = {"HOME": str(tmp_path), "MNIST_NPZ": "x.npz", "MNIST_ARTIFACTS": "~/kept"}
        start = [sys.executable, tmp_path / "tools" / "tutorial.py", *command.split()]
        options = {"cwd": folder, "env": os.environ | variables, "text": True}
        done = subprocess.run(start, capture_output=True, **options)
        assert done.stderr == ""
        *before, last = done.stdout.splitlines()
        paths = f"{folder / 'x.npz'} {tmp_path / 'kept'}"
        if command.startswith("lab"):
            assert last.startswith(f"{paths} -m jupyterlab --ip=127.0.0.1 ") and before == []
            assert last.endswith(" --allow-root") and (tutorial.FOR_SNAP in last) is snap
        else:
            assert before == [f"{paths} -m tools.run --if-needed"]
            assert last.startswith(f"{paths} -m pytest ") and last.endswith(" -k pad")
