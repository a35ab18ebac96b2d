"""What Binder builds, without Docker: its packages, its scripts, and a notebook on top.

What a learner gets anywhere is tested here too: the packages of requirements.lock alone.
"""

import os
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import pytest
from conftest import ROOT, code_cells, copy_checkout, read
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from tools.lock import LOCK, locked

# The packages that a learner with this Python on this system has.
NAMES = {
    canonicalize_name(pin.split("==")[0])
    for pin, mark in locked((ROOT / LOCK).read_text())
    if not mark or Marker(mark).evaluate()
}
COPIED = ["mnist_helpers", "notebooks", "binder", "pyproject.toml", "README.md", "LICENSE"]
needs_binders_python = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="Binder has Python 3.11, these tests another one"
)


def run(command: list, **options) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


@pytest.mark.skipif(os.name == "nt", reason="repo2docker does not run on Windows")
def test_binder_builds_the_environment_and_then_runs_its_scripts():
    """What mybinder.org would build, rendered without Docker."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug"]
    command += ["--Repo2Docker.default_buildpack=None", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    dockerfile = done.stdout + done.stderr
    assert "Building conda environment for python=3.11\n" in dockerfile
    # In this order a changed notebook does not cost a new environment.
    build = dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "binder/environ')
    assert build < dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    assert re.search(r"^RUN \./binder/postBuild$", dockerfile, re.MULTILINE)
    assert re.search(r"^ENV R2D_ENTRYPOINT=?.*binder/start", dockerfile, re.MULTILINE)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone: git keeps the files' modes")
@pytest.mark.parametrize("name", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_are_scripts_of_bash_and_can_be_executed(name):
    listed = subprocess.run(["git", "ls-files", "-s", name], cwd=ROOT, stdout=subprocess.PIPE)
    assert listed.stdout.startswith(b"100755 ")
    assert re.match(rb"#!(/bin/|/usr/bin/env )bash\n", (ROOT / name).read_bytes())


@pytest.mark.skipif(os.name == "nt", reason="runs on Binder's machines, which have Linux")
@pytest.mark.parametrize(("limit", "threads"), [("0.5", "1"), ("2", "2"), ("", "unset")])
def test_start_limits_tensorflow_to_the_cores_of_the_learner(limit, threads):
    show = ["bash", "-c", 'echo "${TF_NUM_INTRAOP_THREADS-unset} ${OMP_NUM_THREADS-unset}"']
    variables = {"PATH": os.environ["PATH"], "CPU_LIMIT": limit}
    printed = run(["bash", ROOT / "binder" / "start", *show], env=variables)
    assert printed == f"{threads} {threads}\n"


@pytest.mark.slow
@needs_binders_python
def test_after_post_build_without_a_network_a_learner_trains_a_network(tmp_path):
    """In an environment that has the packages of the lock and no others, in a new home folder."""
    environment, home = tmp_path / "environment", tmp_path / "home"
    run([sys.executable, "-m", "venv", "--without-pip", environment])
    link_packages(Path(sysconfig.get_path("purelib", vars={"base": environment})))
    home.mkdir()
    copy_checkout(home, *COPIED)
    # Nothing listens there: every attempt to fetch something is refused.
    variables = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    variables |= {"HOME": str(home), "PATH": f"{environment / 'bin'}:/usr/bin:/bin"}
    variables |= {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")}
    printed = run(["bash", home / "binder" / "postBuild"], cwd=home, env=variables)
    assert "These are the offline digits, not MNIST" in printed
    # For the whole class.
    assert len(list(home.glob(".cache/mnist-tutorial/offline-digits-*.npz"))) == 1

    short = {"epochs": 1, "lab_epochs": 1, "train_images": 1000}
    parameters = [word for name, n in short.items() for word in ("-p", name, str(n))]
    command = ["python", "-m", "papermill", "--no-progress-bar", *parameters]
    command += [home / "notebooks" / "02_dense_network.ipynb", home / "executed.ipynb"]
    run(command, cwd=home / "notebooks", env=variables | {"MNIST_OFFLINE": "1"})
    cells = code_cells(read(home / "executed.ipynb"))
    assert [cell.metadata.papermill.status for cell in cells] == ["completed"] * len(cells)
    code = "import mnist_helpers as helpers, importlib.util as installed\n"
    code += "print(helpers.__file__, installed.find_spec('playwright'))"
    printed = run(["python", "-c", code], cwd=tmp_path, env=variables)
    assert printed == f"{home / 'mnist_helpers' / '__init__.py'} None\n"


def link_packages(folder: Path) -> None:
    """Link into an environment, from that of the tests, what belongs to a learner's packages."""
    for name in NAMES | {"pip"}:
        for file in distribution(name).files:
            top = file.parts[0]
            link = folder / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(distribution(name).locate_file(top))
