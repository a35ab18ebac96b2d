"""What stands behind `make setup` and `make run`."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import run
import setup_venv
from browser import wait_until
from conftest import ROOT


def write_notebook(path: Path, source: str, **networks: list[str]) -> None:
    cells = [nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell(source)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    metadata["mnist_tutorial"] = networks
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


def make_checkout(tmp_path: Path) -> Path:
    """A copy of the repository without its notebooks."""
    for name in ("pyproject.toml", "requirements.lock", "README.md", "tools", "mnist_helpers"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


class TestSetup:
    @pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0)])
    def test_an_unsupported_python_gets_one_clear_line(self, monkeypatch, version):
        monkeypatch.setattr(sys, "version_info", version)
        with pytest.raises(SystemExit, match=r"is not supported; use 3\.11, 3\.12 or 3\.13"):
            setup_venv.main()

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
        (tmp_path / "requirements.lock").write_text("numpy==0.0")
        assert setup_venv.wanted_stamp() != before


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
            (["01", "02", "03", "04"], [], "01"),
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
        assert run.told(ROOT / "notebooks" / "07_speed_and_devices.ipynb")["alone"]

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


def test_two_runs_at_once_do_not_meet(tmp_path):
    checkout = make_checkout(tmp_path)
    (checkout / "build").mkdir()
    with open(checkout / "build" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = [sys.executable, checkout / "tools" / "run.py"]
        result = subprocess.run(second, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.strip().startswith("run: another `make run` is at work")


@pytest.mark.slow
def test_make_b_run_executes_everything_and_make_run_what_has_changed(tmp_path):
    checkout = make_checkout(tmp_path)
    shutil.copy(ROOT / "Makefile", checkout)
    write_notebook(checkout / "notebooks" / "01_first.ipynb", "1")
    # The environment of the tests stands in for one that would take minutes to install.
    (checkout / "tools" / "setup_venv.py").write_text("")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    python = checkout / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    environment = os.environ | {"MNIST_OFFLINE": "1", "MNIST_NPZ": "", "PYTHONPATH": str(checkout)}

    def executed(*options: str) -> int:
        make = ["make", *options, "run"]
        done = subprocess.run(make, cwd=checkout, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.count(": executing")

    assert [executed(), executed(), executed("-B")] == [1, 0, 1]
