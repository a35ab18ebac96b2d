"""What Binder builds, without Docker: its packages, its postBuild, and a notebook on top."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT, code_cells

pytestmark = pytest.mark.slow

COPIED = ["mnist_helpers", "notebooks", "binder", "pyproject.toml", "README.md", "LICENSE"]


def run(command: list, **options) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def python_of_binder() -> str:
    found = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if not found:
        pytest.skip("Binder's Python, 3.11, is not on this machine")
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """A virtual environment with the pip section of environment.yml."""
    folder = tmp_path_factory.mktemp("binder") / "env"
    run([python_of_binder(), "-m", "venv", folder])
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    probe = [*pip, "download", "-q", "--no-deps", "-d", folder / "probe", "platformdirs"]
    if subprocess.run(probe, capture_output=True, timeout=300).returncode != 0:
        pytest.skip("no package registry can be reached from this machine")
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    packages = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    # Python compiles what it imports anyway; to compile everything takes longer than that.
    run([*pip, "install", "-q", "--no-compile", *packages])
    return folder


@pytest.fixture(scope="module")
def learner(environment, tmp_path_factory) -> tuple[Path, dict]:
    """The repository in a new home folder after postBuild without a network; its variables."""
    home = tmp_path_factory.mktemp("home")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, home / name, symlinks=True)
        else:
            shutil.copy(source, home / name)
    variables = {
        "HOME": str(home),
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        # Nothing listens there: every attempt to fetch something is refused.
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    variables |= {k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")}
    told = run([home / "binder" / "postBuild"], cwd=home, env=variables)
    assert "These are the offline digits, not MNIST" in told
    return home, variables


def test_post_build_without_network_keeps_the_offline_digits_for_the_class(learner):
    home, _ = learner
    assert len(list(home.glob(".cache/mnist-tutorial/offline-digits-*.npz"))) == 1


def test_packages_that_binder_installs_fit_together(environment, learner):
    run([environment / "bin" / "python", "-m", "pip", "check"])


def test_a_notebook_that_trains_runs_in_what_binder_builds(environment, learner):
    home, variables = learner
    output = home / "executed.ipynb"
    short = {"epochs": 1, "lab_epochs": 1, "train_images": 1000}
    parameters = [word for name, n in short.items() for word in ("-p", name, str(n))]
    command = [environment / "bin" / "papermill", "--no-progress-bar", *parameters]
    run(
        [*command, home / "notebooks" / "02_dense_network.ipynb", output],
        cwd=home / "notebooks",
        env=variables | {"MNIST_OFFLINE": "1"},
    )
    cells = code_cells(nbformat.read(output, as_version=4))
    assert [cell.metadata.papermill.status for cell in cells] == ["completed"] * len(cells)
