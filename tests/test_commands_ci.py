"""The workflows of continuous integration: what they prove, with what they may do."""

import re
import tomllib

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


def test_paths_to_tests_are_right_and_every_lock_is_audited():
    assert [name for name in LOCKS if name not in commands(JOBS["audit"])] == []
    named = re.findall(r"tests/\S+\.py", "\n".join([SCRIPT, *map(commands, JOBS.values())]))
    assert len(named) >= 5 and [name for name in named if not list(ROOT.glob(name))] == []


def test_pages_are_published_of_a_run_on_mnist_with_no_more_permissions_than_that_takes():
    build, deploy = PUBLISHING["jobs"]["build"], PUBLISHING["jobs"]["deploy"]
    assert re.search(r"make run(.|\n)+MNIST.+build/results\.json", commands(build))
    assert PUBLISHING["permissions"] == {"contents": "read"} and "permissions" not in build
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    # What may publish runs nothing of the repository or of its packages.
    (publish,) = deploy["steps"]
    assert publish["uses"].startswith("actions/deploy-pages@")
