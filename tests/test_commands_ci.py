"""The workflows of continuous integration: what they prove, with what they may do."""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT

from tools.lock import LOCKS

FOLDER = ROOT / ".github" / "workflows"
JOBS = yaml.safe_load((FOLDER / "ci.yml").read_text())["jobs"]
PUBLISHING = yaml.safe_load((FOLDER / "pages.yml").read_text())
SCRIPT = (ROOT / ".ci" / "run").read_text()


def commands(job: dict) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_the_quick_tests_run_on_every_supported_python_and_system():
    matrix = JOBS["quick"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert matrix["python"] == [line.rpartition(" ")[2] for line in project["classifiers"]]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]


@pytest.mark.parametrize("name", ["quick", "whole"])
def test_the_tests_run_on_mnist_fetched_once_and_say_in_the_summary_what_they_skip(name):
    steps = JOBS[name]["steps"]
    (path,) = {step["env"]["MNIST_NPZ"] for step in steps if "MNIST_NPZ" in step.get("env", {})}
    (kept,) = {step["with"]["path"] for step in steps if "/cache@" in step.get("uses", "")}
    assert JOBS[name]["needs"] == "mnist" and path == f"{kept}/mnist.npz"
    assert 'SKIPPED" tests.txt >> "$GITHUB_STEP_SUMMARY"' in commands(JOBS[name])


def test_paths_to_tests_are_right_and_every_lock_is_audited():
    assert [name for name in LOCKS if name not in commands(JOBS["audit"])] == []
    named = re.findall(r"tests/\S+\.py", "\n".join([SCRIPT, *map(commands, JOBS.values())]))
    assert len(named) >= 5 and [name for name in named if not list(ROOT.glob(name))] == []


def test_the_package_is_tested_beside_the_oldest_tensorflow_and_beside_what_colab_has():
    job = JOBS["oldest-tensorflow"]
    assert job["strategy"]["matrix"]["tensorflow"] == ["2.16", "2.20"]
    colab = ("keras==3.13.*", "ipython==7.34.*", "ipywidgets==7.7.1", "tests/test_pad.py")
    assert [part for part in colab if part not in commands(job)] == []


def test_each_action_is_used_at_one_commit_and_its_version_is_named():
    commits = {}
    for path in sorted(FOLDER.glob("*.yml")):
        for line in re.findall(r"uses: (.+)", path.read_text()):
            pattern = r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+"
            action, commit = re.fullmatch(pattern, line).groups()
            assert commits.setdefault(action, commit) == commit, f"{path.name}: {action}"


def test_pages_are_published_of_a_run_on_mnist_with_no_more_permissions_than_that_takes():
    build, deploy = PUBLISHING["jobs"]["build"], PUBLISHING["jobs"]["deploy"]
    assert re.search(r"make run(.|\n)+MNIST.+build/results\.json", commands(build))
    assert PUBLISHING["permissions"] == {"contents": "read"} and "permissions" not in build
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    # What may publish runs nothing of the repository or of its packages.
    (publish,) = deploy["steps"]
    assert publish["uses"].startswith("actions/deploy-pages@")
