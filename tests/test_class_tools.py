"""What a teacher runs: the check before class, and the link for Binder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from binder_link import binder_link
from conftest import ROOT, read

LANDING = "?urlpath=lab%2Ftree%2Fnotebooks%2F01_data_exploration.ipynb"


def check_class(**environment: str) -> tuple[int, list[str]]:
    """The check's exit status and its lines."""
    command = [sys.executable, ROOT / "tools" / "check_class.py"]
    run = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=300
    )
    assert run.stderr == ""
    return run.returncode, run.stdout.splitlines()


@pytest.mark.slow
def test_check_class_passes_on_this_machine():
    status, lines = check_class(MNIST_OFFLINE="1", MNIST_NPZ="")
    passed = [line.split(":")[0].removeprefix("ok       ") for line in lines[:5]]
    assert passed == ["Python", "Packages", "Data", "Memory", "Kernel"]
    if lines[5].startswith("PROBLEM  One epoch: it took "):
        pytest.skip("this machine is too busy for a class")
    assert lines[5].startswith("ok       One epoch: ")
    assert lines[-1] == "Ready for class." and status == 0


@pytest.mark.slow
def test_check_class_says_what_to_do_and_goes_on(tmp_path):
    wrong = tmp_path / "mnist.npz"
    wrong.write_bytes(b"no archive")
    status, lines = check_class(MNIST_NPZ=str(wrong), MEM_LIMIT="100000000")
    assert lines[2].startswith("PROBLEM  Data: ") and str(wrong) in lines[2]
    assert lines[3].startswith("PROBLEM  Memory: ") and "Close other programs" in lines[3]
    assert lines[4].startswith("ok       Kernel: ")
    assert lines[5].startswith("PROBLEM  One epoch: ")  # for lack of data
    assert lines[-1] == "Not ready: 3 to mend." and status == 1


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/someone/tutorial.git",
        "https://github.com/someone/tutorial",
        "git@github.com:someone/tutorial.git",
        "ssh://git@github.com/someone/tutorial.git",
        "https://name:password@github.com/someone/tutorial.git",
    ],
)
def test_binder_link_of_each_form_of_a_github_address(remote):
    expected = f"https://mybinder.org/v2/gh/someone/tutorial/main{LANDING}"
    assert binder_link(remote, "main") == expected


def test_binder_link_of_another_host_escapes_its_address():
    assert binder_link("git@gitlab.com:group/part/tutorial.git", "main") == (
        f"https://mybinder.org/v2/gl/group%2Fpart%2Ftutorial/main{LANDING}"
    )
    assert binder_link("https://git.example.org/a/b.git", "main") == (
        f"https://mybinder.org/v2/git/https%3A%2F%2Fgit.example.org%2Fa%2Fb/main{LANDING}"
    )


@pytest.mark.parametrize("remote", ["/srv/git/tutorial.git", "../tutorial", "file:///srv/tutorial"])
def test_binder_link_refuses_what_binder_cannot_reach(remote):
    with pytest.raises(ValueError, match="which Binder cannot reach"):
        binder_link(remote, "main")


def test_binder_link_opens_a_notebook_that_exists():
    path = LANDING.rpartition("tree%2F")[2].replace("%2F", "/")
    assert (ROOT / path).is_file()


def test_binder_link_without_origin_says_how_to_set_it(tmp_path):
    (tmp_path / "tools").mkdir()
    script = tmp_path / "tools" / "binder_link.py"
    script.write_text((ROOT / "tools" / "binder_link.py").read_text())
    run = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == ""
    assert "git remote add origin" in run.stderr


@pytest.mark.parametrize("page", ["TEACHING.md", "CONTRIBUTING.md", "binder/README.md"])
def test_links_of_the_guides_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target), link


def anchors(path: Path) -> list[str]:
    """The link targets of headings: as JupyterLab makes them, or a code host of Markdown."""
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        return [title.replace(" ", "-") for title in re.findall(r"(?m)^#+ (.+)$", text)]
    titles = re.findall(r"(?m)^#+ (.+)$", path.read_text())
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
