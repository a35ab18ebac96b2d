"""What a teacher runs: the check before class, and the links to hand out."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import LESSONS, ROOT
from nbformat.v4 import new_code_cell

from tools import check_class, links

NOTEBOOK = "notebooks/01_data_exploration.ipynb"


class TestCheckClass:
    def run(self, *options: str, **variables: str) -> tuple[int, list[str]]:
        """The exit status and the lines."""
        command = [sys.executable, "-m", "tools.check_class", *options]
        settings = {"cwd": ROOT, "env": os.environ | variables, "timeout": 300}
        done = subprocess.run(command, capture_output=True, text=True, **settings)
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    @pytest.mark.slow
    def test_it_passes_on_this_machine(self):
        # How fast this machine is while it tests is not what is tested.
        status, lines = self.run("--slow-epoch=250", MNIST_OFFLINE="1", MNIST_NPZ="")
        passed = [line.split(":")[0].removeprefix("ok       ") for line in lines[:-2]]
        assert passed == ["Python", "Data", "Memory", "Kernel", "TensorFlow", "One epoch"]
        assert lines[-1] == "Ready for class." and status == 0

    @pytest.mark.slow
    def test_it_says_what_to_do_and_goes_on_up_to_a_processor_without_avx(self, tmp_path):
        wrong = tmp_path / "mnist.npz"
        wrong.write_bytes(b"no archive")
        code = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)"
        (tmp_path / "tensorflow.py").write_text(code)
        settings = {"MNIST_NPZ": str(wrong), "PYTHONPATH": str(tmp_path)}
        status, lines = self.run(MEM_LIMIT="100000000", **settings)
        assert lines[1].startswith("PROBLEM  Data: ") and str(wrong) in lines[1]
        assert lines[2].startswith("PROBLEM  Memory: ") and "Close other programs" in lines[2]
        assert lines[3].startswith("ok       Kernel: ")
        assert lines[4].startswith("PROBLEM  TensorFlow: ") and "AVX" in lines[4]
        assert lines[5:] == ["", "Not ready: mend this, then check again."] and status == 1

    def test_a_kernel_of_another_installation_is_named(self, monkeypatch):
        cell = new_code_cell("print('/usr')")
        monkeypatch.setattr(check_class, "new_code_cell", lambda _: cell)
        with pytest.raises(check_class.Problem, match=r"another Python \(/usr\)"):
            check_class.check_kernel()

    @pytest.mark.parametrize(
        ("seconds", "accuracy", "problem"), [(16, 0.9, "lower `epochs`"), (1, 0.1, "90 % is usual")]
    )
    def test_an_epoch_that_is_slow_or_learns_nothing_is_a_problem(self, seconds, accuracy, problem):
        with pytest.raises(check_class.Problem, match=problem):
            check_class.judge_epoch(seconds, accuracy, limit=15)


class TestLinks:
    @pytest.mark.parametrize(
        ("remote", "place"),
        [
            ("git@github.com:someone/tutorial.git", "gh/someone/tutorial"),
            ("https://name:password@github.com/someone/tutorial", "gh/someone/tutorial"),
            ("ssh://git@git.example.org/a/b.git", "git/https%3A%2F%2Fgit.example.org%2Fa%2Fb"),
        ],
    )
    def test_binder_opens_notebook_01_of_each_host(self, remote, place):
        assert (ROOT / NOTEBOOK).is_file()
        page = f"urlpath=lab%2Ftree%2F{NOTEBOOK.replace('/', '%2F')}"
        assert links.binder_link(remote, "main") == f"https://mybinder.org/v2/{place}/main?{page}"

    @pytest.mark.parametrize("remote", ["/srv/git/tutorial.git", "file:///srv/tutorial"])
    def test_what_binder_cannot_reach_is_refused(self, remote):
        with pytest.raises(ValueError, match="Binder cannot reach"):
            links.binder_link(remote, "main")

    @pytest.mark.parametrize(("host", "on_colab"), [("github.com", True), ("gitlab.com", False)])
    def test_colab_opens_every_notebook_on_github(self, monkeypatch, host, on_colab):
        remote = f"git@{host}:someone/tutorial.git"
        monkeypatch.setattr(links, "origin", lambda: (remote, "a/branch"))
        addresses = links.links()
        assert addresses["repository"] == f"https://{host}/someone/tutorial"
        colab = "https://colab.research.google.com/github/someone/tutorial/blob/a/branch/"
        wanted = {path.stem: colab + path.relative_to(ROOT).as_posix() for path in LESSONS}
        assert addresses["colab"] == (wanted if on_colab else {})

    @pytest.mark.skipif(not shutil.which("git"), reason="there is no git on this machine")
    @pytest.mark.parametrize(("clone", "problem"), [(False, "no clone"), (True, "no origin")])
    def test_a_folder_without_an_address_says_so(self, tmp_path, monkeypatch, clone, problem):
        folder = tmp_path / "unpacked"  # if not a clone itself, then inside another repository
        folder.mkdir()
        monkeypatch.setattr(links, "ROOT", folder)
        subprocess.run(["git", "init", "-q", folder if clone else tmp_path], check=True)
        with pytest.raises(ValueError, match=problem):
            links.links()
