"""What stands behind `make setup` and `make run`."""

import fcntl
import subprocess
import sys

import nbformat
import pytest
import run
import setup_venv
from conftest import ROOT


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


class TestRunAgain:
    """A second `make run` executes what has changed, and nothing else."""

    @pytest.fixture
    def series(self, monkeypatch, tmp_path):
        def write(name, source):
            notebook = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(source)],
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            )
            nbformat.write(notebook, tmp_path / f"{name}.ipynb")

        monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
        monkeypatch.setattr(run, "BUILD", tmp_path / "build")
        write("01_first", "1")
        write("02_second", "2  # save_run(")
        write("03_third", "3")
        return write

    def test_nothing_changed_nothing_runs(self, series, capsys):
        run.run_all()
        capsys.readouterr()
        run.run_all()
        assert capsys.readouterr().out.count("unchanged") == 3

    def test_everything_runs_when_asked_to(self, series, capsys):
        run.run_all()
        run.run_all(everything=True)
        assert "unchanged" not in capsys.readouterr().out

    def test_a_changed_notebook_runs_alone(self, series):
        before = run.digests()
        series("01_first", "1 + 1")
        after = run.digests()
        assert [name for name in after if after[name] != before[name]] == ["01_first"]

    def test_notebooks_after_one_that_keeps_a_network_follow_it(self, series):
        before = run.digests()
        series("02_second", "2 + 2  # save_run(")
        after = run.digests()
        assert [n for n in after if after[n] != before[n]] == ["02_second", "03_third"]

    def test_another_data_set_runs_everything(self, series, monkeypatch):
        before = run.digests()
        monkeypatch.setenv("MNIST_NPZ", "elsewhere.npz")
        assert not set(before.values()) & set(run.digests().values())


def test_two_runs_at_once_do_not_meet():
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = [sys.executable, str(ROOT / "tools" / "run.py")]
        result = subprocess.run(second, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.strip().startswith("run: another `make run` is at work")
