"""What a teacher runs: the check before class, and the link for Binder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import check_class
import numpy as np
import pytest
from binder_link import binder_link
from conftest import ROOT, read
from nbformat.v4 import new_code_cell


def run_check(*options: str, **environment: str) -> tuple[int, list[str]]:
    """The check's exit status and its lines."""
    command = [sys.executable, ROOT / "tools" / "check_class.py", *options]
    variables = os.environ | environment
    run = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert run.stderr == ""
    return run.returncode, run.stdout.splitlines()


@pytest.mark.slow
def test_check_class_passes_on_this_machine():
    # How fast this machine is while it tests is not what is tested.
    status, lines = run_check("--slow-epoch=250", MNIST_OFFLINE="1", MNIST_NPZ="")
    passed = [line.split(":")[0].removeprefix("ok       ") for line in lines[:-2]]
    assert passed == ["Python", "Packages", "Data", "Memory", "Kernel", "One epoch"]
    assert lines[-1] == "Ready for class." and status == 0


@pytest.mark.slow
def test_check_class_says_what_to_do_and_goes_on(tmp_path):
    wrong = tmp_path / "mnist.npz"
    wrong.write_bytes(b"no archive")
    status, lines = run_check(MNIST_NPZ=str(wrong), MEM_LIMIT="100000000")
    assert lines[2].startswith("PROBLEM  Data: ") and str(wrong) in lines[2]
    assert lines[3].startswith("PROBLEM  Memory: ") and "Close other programs" in lines[3]
    assert lines[4].startswith("ok       Kernel: ")
    assert lines[5].startswith("PROBLEM  One epoch: ")  # for lack of data
    assert lines[-1] == "Not ready: 3 to mend." and status == 1


def test_check_class_names_packages_at_other_versions(monkeypatch):
    monkeypatch.setattr(check_class, "locked", lambda lock: [("numpy==0.1", ""), ("none==1", "")])
    told = r"numpy is [\d.]+, not 0\.1; none is missing, not 1\. Delete"
    with pytest.raises(check_class.Problem, match=told):
        check_class.check_packages()


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print('/usr')", r"would use another Python \(/usr\)"),
        ("import nothing_of_this_name", "ModuleNotFoundError: .* Delete the folder .venv"),
    ],
)
def test_check_class_names_what_is_wrong_with_the_kernel(monkeypatch, code, problem):
    monkeypatch.setattr(check_class, "new_code_cell", lambda _: new_code_cell(code))
    with pytest.raises(check_class.Problem, match=problem):
        check_class.check_kernel()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("brightest", "limit", "problem"),
    [(255, 0, r"it took \d+ s.* lower `epochs`"), (0, 250, "only .* where 90 % is usual")],
)
def test_check_class_names_an_epoch_that_is_slow_or_learns_nothing(
    monkeypatch, brightest, limit, problem
):
    labels = np.arange(4_000) % 10
    pixels = np.zeros((4_000, 28, 28), np.uint8)
    pixels[:, 10:20] = (np.eye(10)[labels] * brightest)[:, :, None]  # row 10 + n for digit n
    data = SimpleNamespace(x_train=pixels, y_train=labels)
    monkeypatch.setattr(check_class, "load_mnist", lambda: data)
    with pytest.raises(check_class.Problem, match=problem):
        check_class.check_epoch(limit)


@pytest.mark.parametrize(
    ("remote", "place"),
    [
        ("https://github.com/someone/tutorial.git", "gh/someone/tutorial"),
        ("https://github.com/someone/tutorial", "gh/someone/tutorial"),
        ("git@github.com:someone/tutorial.git", "gh/someone/tutorial"),
        ("ssh://git@github.com/someone/tutorial.git", "gh/someone/tutorial"),
        ("https://name:password@github.com/someone/tutorial.git", "gh/someone/tutorial"),
        ("git@gitlab.com:group/part/tutorial.git", "gl/group%2Fpart%2Ftutorial"),
        ("https://git.example.org/a/b.git", "git/https%3A%2F%2Fgit.example.org%2Fa%2Fb"),
    ],
)
def test_binder_link_of_each_form_of_an_address(remote, place):
    notebook = "notebooks/01_data_exploration.ipynb"
    assert (ROOT / notebook).is_file()
    landing = f"urlpath=lab%2Ftree%2F{notebook.replace('/', '%2F')}"
    assert binder_link(remote, "main") == f"https://mybinder.org/v2/{place}/main?{landing}"


@pytest.mark.parametrize("remote", ["/srv/git/tutorial.git", "../tutorial", "file:///srv/tutorial"])
def test_binder_link_refuses_what_binder_cannot_reach(remote):
    with pytest.raises(ValueError, match="which Binder cannot reach"):
        binder_link(remote, "main")


def test_binder_link_without_origin_says_how_to_set_it(tmp_path):
    (tmp_path / "tools").mkdir()
    script = shutil.copy(ROOT / "tools" / "binder_link.py", tmp_path / "tools")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == ""
    assert "git remote add origin" in run.stderr


def anchors(path: Path) -> list[str]:
    """The link targets of headings: as JupyterLab makes them, or a code host of Markdown."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    titles = re.findall(r"(?m)^#+ (.+)$", text)
    if path.suffix == ".md":
        titles = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
    return [title.replace(" ", "-") for title in titles]


@pytest.mark.parametrize("page", ["TEACHING.md", "CONTRIBUTING.md", "binder/README.md"])
def test_links_of_the_guides_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link
