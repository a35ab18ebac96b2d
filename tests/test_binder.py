"""What Binder builds, without Docker: its packages, its postBuild, and a notebook on top.

environment.yml pins what the tests' own environment has, so that environment stands in for the
one that Binder installs: what follows needs Python 3.11, as Binder has.
"""

import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT, code_cells

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11), reason="Binder has Python 3.11, these tests another one"
    ),
]

COPIED = ["mnist_helpers", "notebooks", "binder", "pyproject.toml", "README.md", "LICENSE"]


def run(command: list, **options) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    assert result.returncode == 0, f"{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result.stdout


def test_environment_yml_fits_together_and_nothing_more_would_be_installed():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    packages = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    # Resolves the whole list; an index that is not there would have to be asked for the rest.
    told = run([*pip, "install", "--dry-run", "--no-index", *packages])
    assert "Would install" not in told
    run([*pip, "check"])


@pytest.fixture(scope="module")
def learner(tmp_path_factory) -> tuple[Path, dict]:
    """The repository in a new home folder after postBuild without a network; its variables."""
    environment = tmp_path_factory.mktemp("binder") / "env"
    run([sys.executable, "-m", "venv", "--without-pip", environment])
    # The packages are there already; what postBuild adds goes into the new environment.
    packages = sysconfig.get_path("purelib", vars={"base": environment})
    (Path(packages) / "packages.pth").write_text("\n".join(site.getsitepackages()))
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
    told = run(["bash", home / "binder" / "postBuild"], cwd=home, env=variables)
    assert "These are the offline digits, not MNIST" in told
    return home, variables


def test_post_build_without_network_keeps_the_offline_digits_for_the_class(learner):
    home, _ = learner
    assert len(list(home.glob(".cache/mnist-tutorial/offline-digits-*.npz"))) == 1


def test_post_build_installs_the_helper_package_of_the_repository(learner):
    home, variables = learner
    code = "import mnist_helpers; print(mnist_helpers.__file__)"
    told = run(["python", "-c", code], cwd=home.parent, env=variables)
    assert told.strip() == str(home / "mnist_helpers" / "__init__.py")


def test_a_notebook_that_trains_runs_in_what_binder_builds(learner):
    home, variables = learner
    output = home / "executed.ipynb"
    short = {"epochs": 1, "lab_epochs": 1, "train_images": 1000}
    parameters = [word for name, n in short.items() for word in ("-p", name, str(n))]
    run(
        [
            *("python", "-m", "papermill", "--no-progress-bar", *parameters),
            *(home / "notebooks" / "02_dense_network.ipynb", output),
        ],
        cwd=home / "notebooks",
        env=variables | {"MNIST_OFFLINE": "1"},
    )
    cells = code_cells(nbformat.read(output, as_version=4))
    assert [cell.metadata.papermill.status for cell in cells] == ["completed"] * len(cells)
