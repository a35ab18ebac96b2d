"""The set-up of `.venv`, and what is pinned in it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wheels import write_wheel

from tools import environment, lock
from tools.lock import DEV_LOCK, ENVIRONMENTS, LOCK, LOCKS, environment_yml, locked

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = {
    name: [
        Requirement(f"{pin}; {mark}" if mark else pin)
        for pin, mark in locked((ROOT / name).read_text())
    ]
    for name in LOCKS
}
PLATFORMS = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]


@pytest.mark.parametrize(
    ("minor", "system", "kind", "size", "libc", "named"),
    [
        (10, "linux", "linux-x86_64", 2**63, "gnu", "x86_64 is not"),
        (14, "win32", "win-amd64", 2**63, None, "win-amd64 is not"),
        (12, "darwin", "macosx-11.0-universal2", 2**63, "", "x86_64 is not"),
        (12, "win32", "win-arm64", 2**63, None, "on Windows, ARM or not, for x86-64"),
        (12, "win32", "win32", 2**31, None, "32-bit is not"),
        (12, "linux", "linux-aarch64", 2**63, "aarch64-linux-musl", "musl is not .* with glibc"),
    ],
)
def test_where_no_packages_can_be_had_one_line_says_so(
    monkeypatch, minor, system, kind, size, libc, named
):
    monkeypatch.setattr(sys, "version_info", (3, minor, 0))
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(sys, "maxsize", size - 1)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sysconfig.get_platform", lambda: kind)
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: libc)
    monkeypatch.setattr(environment, "is_installed", lambda lock: True)
    with pytest.raises(SystemExit, match="Intel Macs") as caught:
        environment.main()
    assert re.search(named, str(caught.value))


@pytest.mark.skipif(os.name == "nt", reason="written for the paths of Unix")
class TestInstallation:
    """Whole set-ups, with pip, of packages that are tiny, in an environment that is not."""

    @pytest.fixture
    def checkout(self, tmp_path) -> Path:
        checkout = tmp_path / "checkout"
        shutil.copytree(ROOT / "tools", checkout / "tools")
        (checkout / "mnist_helpers").mkdir()
        (checkout / "mnist_helpers" / "__init__.py").touch()
        shutil.copy(ROOT / "tests" / "wheels.py", checkout)
        build = '[build-system]\nrequires = []\nbuild-backend = "wheels"\nbackend-path = ["."]\n'
        (checkout / "pyproject.toml").write_text(build)
        (tmp_path / "wheels").mkdir()
        for path, names in [(LOCK, ("numpy", "jupyterlab")), (DEV_LOCK, ("hypothesis",))]:
            wheels = [write_wheel(tmp_path / "wheels", name, {f"{name}.py": ""}) for name in names]
            digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
            lines = [f"{n}==1.0 --hash=sha256:{d}" for n, d in zip(names, digests, strict=True)]
            (checkout / path).write_text("\n".join(lines))
        return checkout

    def set_up(self, checkout: Path, *options: str, python=sys._base_executable, **settings: str):
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        variables |= {"PIP_FIND_LINKS": str(checkout.parent / "wheels"), "PIP_NO_INDEX": "1"}
        variables |= {"PIP_CONFIG_FILE": os.devnull} | settings
        command = [python, "-m", "tools.environment", *options]
        options = {"cwd": checkout, "env": variables, "capture_output": True, "text": True}
        return subprocess.run(command, **options)

    def installed(self, checkout: Path) -> list[str]:
        packages = next(checkout.glob(".venv/lib/python*/site-packages"))
        names = ["numpy.py", "jupyterlab.py", "mnist_helpers.pth", "hypothesis.py"]
        return [name.split(".")[0] for name in names if (packages / name).exists()]

    @pytest.mark.slow
    def test_learners_packages_then_those_of_tests_on_top_once(self, checkout, tmp_path):
        # What leads pip or Python elsewhere; and an environment of an earlier set-up, activated,
        # that was killed half way.
        (tmp_path / "elsewhere").mkdir()
        for name in ("numpy", "pip"):
            (tmp_path / "elsewhere" / f"{name}.py").write_text("raise ImportError('the wrong one')")
        settings = dict.fromkeys(["PIP_TARGET", "PIP_PREFIX"], str(tmp_path / "elsewhere"))
        venv = [sys._base_executable, "-m", "venv", "--without-pip", checkout / ".venv"]
        subprocess.run(venv, check=True)
        (checkout / ".venv" / "mnist-tutorial").touch()

        python = checkout / ".venv" / "bin" / "python"
        done = self.set_up(checkout, python=python, PIP_USER="1", **settings)
        assert (done.returncode, done.stderr) == (0, "")
        assert self.installed(checkout) == ["numpy", "jupyterlab", "mnist_helpers"]
        assert len(list((tmp_path / "elsewhere").iterdir())) == 2
        with (checkout / "pyproject.toml").open("a") as project:
            project.write("[tool.ruff]\nline-length = 99\n")
        assert self.set_up(checkout, PIP_FIND_LINKS="nowhere").stdout == ""  # nothing is left to do

        (checkout / ".venv" / "still the same").touch()
        done = self.set_up(checkout, "--tests")
        assert self.installed(checkout)[-1] == "hypothesis", done.stderr
        assert (checkout / ".venv" / "still the same").exists()
        assert self.set_up(checkout, "--tests", PIP_FIND_LINKS="nowhere").stdout == ""

        with (checkout / LOCK).open("a") as lock:
            lock.write("\n")
        self.set_up(checkout, "--tests")  # into a new environment, both
        assert len(self.installed(checkout)) == 4
        assert not (checkout / ".venv" / "still the same").exists()

    @pytest.mark.slow
    def test_a_failure_says_what_failed_and_is_no_installation(self, checkout):
        lock = checkout / LOCK
        lock.write_text(lock.read_text().replace("numpy==1", "numpy==2"))
        done = self.set_up(checkout)
        assert "No matching distribution found for numpy==2.0" in done.stderr
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and last.startswith("setup: requirements.lock could not be")
        assert not (checkout / ".venv" / "installed.txt").exists()

    @pytest.mark.parametrize("name", ["a:b", "two\nlines"])
    def test_a_folders_name_that_python_cannot_bear_is_said_before_any_work(self, checkout, name):
        folder = checkout.rename(checkout.with_name(name))
        done = self.set_up(folder)
        assert done.returncode == 1 and done.stdout == ""
        assert re.match(r"setup: .*rename or move the folder.*\n\Z", done.stderr)
        assert not (folder / ".venv").exists()

    @pytest.mark.parametrize("behind_a_link", [False, True])
    def test_an_environment_of_someone_else_is_left_alone(self, checkout, tmp_path, behind_a_link):
        theirs = tmp_path / "theirs" if behind_a_link else checkout / ".venv"
        theirs.mkdir()
        (theirs / ("mnist-tutorial" if behind_a_link else "pyvenv.cfg")).touch()
        if behind_a_link:
            (checkout / ".venv").symlink_to(theirs, target_is_directory=True)
        done = self.set_up(checkout)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "move it away" in done.stderr.splitlines()[-1]
        assert len(list(theirs.iterdir())) == 1


def installed(locks: tuple[str, ...], machine: tuple[str, str, str]) -> dict[str, list[str]]:
    """The versions that locks install of each package on a machine: one, if all is well."""
    python, system, processor = machine
    where = {"python_version": python, "python_full_version": f"{python}.9", "extra": ""}
    where |= {"sys_platform": system, "platform_machine": processor}
    where |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    where |= {"os_name": "nt" if system == "win32" else "posix"}
    found = {}
    for entry in [entry for name in locks for entry in PINS[name]]:
        if entry.marker is None or entry.marker.evaluate(where):
            found.setdefault(canonicalize_name(entry.name), set()).add(str(entry.specifier)[2:])
    return found


class TestLocks:
    @pytest.mark.parametrize("platform", PLATFORMS, ids=" ".join)
    @pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
    def test_there_is_one_version_of_each_package_and_it_fits(self, python, platform):
        machine = python, *platform
        versions = installed(LOCKS, machine)
        assert {name: found for name, found in versions.items() if len(found) != 1} == {}
        project = PYPROJECT["project"]
        learner, tests = installed((LOCK,), machine), installed((LOCK, DEV_LOCK), machine)
        for line in project["dependencies"] + project["optional-dependencies"]["tutorial"]:
            wanted = Requirement(line)
            if wanted.marker is None:  # TensorFlow's differ
                assert wanted.specifier.contains(*learner[canonicalize_name(wanted.name)]), line
        assert len({"tensorflow", "tensorflow-cpu"} & set(learner)) == 1
        not_theirs = {"playwright", "ruff", "hypothesis", "jupyter-repo2docker", "docker"}
        assert not (not_theirs | {"jupyterhub"}) & set(learner)
        for line in PYPROJECT["dependency-groups"]["dev"]:
            assert canonicalize_name(Requirement(line).name) in tests, line

    @pytest.mark.parametrize("name", LOCKS)
    def test_every_package_has_a_hash_and_no_registry_is_named(self, name):
        text = (ROOT / name).read_text()
        assert len(re.findall(r"(?m)^\w.* \\\n +--hash=sha256:", text)) == len(locked(text)) > 0
        assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^-i ", text)

    @pytest.mark.parametrize("name", ENVIRONMENTS)
    def test_environment_yml_is_what_make_lock_writes(self, name):
        # A file of its own in binder/, too: not every system that git serves has symbolic links.
        assert not (ROOT / name).is_symlink()
        assert (ROOT / name).read_text() == environment_yml((ROOT / LOCK).read_text())

    @pytest.mark.parametrize("failure", ["", "no route to the registry"])
    def test_make_lock_writes_all_files_or_none(self, monkeypatch, tmp_path, failure):
        # Above the pins of environment.yml stands what stays.
        old = dict.fromkeys(LOCKS, "old==1.0\n")
        old |= dict.fromkeys(ENVIRONMENTS, "Python\n  - pip:\n      - old==1.0\n")
        for name, text in old.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

        def resolve(folder):
            for name in LOCKS:
                (folder / name).write_text("new==2.0\n")
            if failure:
                raise OSError(failure)

        monkeypatch.setattr(lock, "ROOT", tmp_path)
        monkeypatch.setattr(lock, "resolve", resolve)
        with pytest.raises(SystemExit, match=failure) if failure else nullcontext():
            lock.main()
        new = {name: text.replace("old==1.0", "new==2.0") for name, text in old.items()}
        assert {name: (tmp_path / name).read_text() for name in old} == (old if failure else new)
        assert not list(tmp_path.glob(".lock-*"))


def test_the_package_itself_asks_for_what_it_imports_and_for_no_tensorflow():
    """So that installing it, on Colab for example, leaves TensorFlow and Keras alone."""
    wanted = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
    bounds = {str(bound) for it in wanted for bound in it.specifier}
    assert bounds == {">=3"}  # of Keras; an upper bound would replace what is there
    code = "\n".join(path.read_text() for path in (ROOT / "mnist_helpers").glob("*.py"))
    modules = set(re.findall(r"(?m)^ *(?:import|from(?= [\w.]+ import)) (\w+)", code))
    names = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
    imported = {names.get(name, name.lower()) for name in modules - sys.stdlib_module_names}
    with_others = {"tensorflow", "traitlets", "urllib3"}  # the last are anywidget's and requests'
    assert {it.name for it in wanted} == imported - with_others
