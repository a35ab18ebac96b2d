"""pyproject.toml, requirements.lock, environment.yml, Binder and CI say the same."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
PYTHONS = ["3.11", "3.12", "3.13"]
PLATFORMS = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64")]


def machine(python: str, platform: str = "linux", processor: str = "x86_64") -> dict[str, str]:
    """The values by which environment markers are judged on such a machine."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "platform_machine": processor,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "nt" if platform == "win32" else "posix",
        "extra": "",
    }


def direct_dependencies(extra: str = "") -> list[Requirement]:
    """The runtime dependencies of pyproject.toml, and those of the named extra."""
    project = PYPROJECT["project"]
    lines = project["dependencies"] + project["optional-dependencies"].get(extra, [])
    return [Requirement(line) for line in lines]


def locked_requirements() -> list[Requirement]:
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*?) *\\?$", LOCK, flags=re.MULTILINE)
    return [Requirement(line) for line in lines]


def locked_versions(name: str, where: dict[str, str]) -> list[str]:
    """The versions that the lock installs of a package on such a machine: one, or none."""
    return [
        str(entry.specifier).removeprefix("==")
        for entry in locked_requirements()
        if canonicalize_name(entry.name) == canonicalize_name(name)
        and (entry.marker is None or entry.marker.evaluate(where))
    ]


def environment() -> dict:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def environment_pip_section() -> list[str]:
    return next(entry["pip"] for entry in environment()["dependencies"] if isinstance(entry, dict))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("platform", "processor"), PLATFORMS)
def test_lock_has_one_fitting_version_of_each_direct_dependency(python, platform, processor):
    where = machine(python, platform, processor)
    for wanted in direct_dependencies("dev"):
        versions = locked_versions(wanted.name, where)
        if wanted.marker is None or wanted.marker.evaluate(where):
            assert len(versions) == 1, f"{wanted.name}: the lock installs {versions}"
            assert wanted.specifier.contains(versions[0]), f"{wanted} is locked at {versions[0]}"
        else:
            assert versions == [], f"{wanted.name} is not wanted here"


def test_every_locked_package_has_a_hash():
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)
    packages = [entry for entry in entries if re.match(r"[A-Za-z0-9]", entry)]
    assert len(packages) == len(locked_requirements())
    assert [entry.split()[0] for entry in packages if "--hash=sha256:" not in entry] == []


def test_lock_names_no_registry():
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^-i ", LOCK)


def test_environment_yml_pins_the_direct_dependencies_at_the_locked_versions():
    # What builds the helper package has to be there too: it is built without a network.
    build = [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
    listed = {canonicalize_name(Requirement(x).name): x for x in environment_pip_section()}
    expected = {}
    for wanted in direct_dependencies() + build:
        name = canonicalize_name(wanted.name)
        # A dependency of another platform is judged there.
        wheres = (machine("3.11", platform, processor) for platform, processor in PLATFORMS)
        where = next(w for w in wheres if wanted.marker is None or wanted.marker.evaluate(w))
        (version,) = locked_versions(name, where)
        expected[name] = f"{wanted.name}=={version}" + (
            f"; {wanted.marker}" if wanted.marker else ""
        )
    assert {name: str(Requirement(x)) for name, x in listed.items()} == {
        name: str(Requirement(x)) for name, x in expected.items()
    }


def test_environment_yml_has_python_in_the_form_that_binder_reads():
    assert environment()["dependencies"][:2] == ["python=3.11", "pip"]


def test_environment_yml_installs_nothing_by_path():
    options = [line for line in environment_pip_section() if re.match(r"-|\.|/|file:", line)]
    assert options == []


def test_binder_reads_the_environment_of_the_repository():
    link = ROOT / "binder" / "environment.yml"
    assert os.readlink(link) == "../environment.yml"
    assert link.read_text() == (ROOT / "environment.yml").read_text()


@pytest.fixture(scope="module")
def rendered_dockerfile() -> str:
    """What mybinder.org would build, rendered without Docker."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug"]
    command += ["--Repo2Docker.default_buildpack=None", "."]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def test_binder_builds_python_3_11(rendered_dockerfile):
    assert "Building conda environment for python=3.11\n" in rendered_dockerfile


def test_binder_builds_the_environment_before_it_copies_the_repository(rendered_dockerfile):
    # In this order a changed notebook does not cost a new environment.
    build = rendered_dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "binder/environ')
    assert build < rendered_dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")


def test_binder_runs_post_build_and_start(rendered_dockerfile):
    assert re.search(r"^RUN \./binder/postBuild$", rendered_dockerfile, flags=re.MULTILINE)
    assert re.search(r"^ENV R2D_ENTRYPOINT=?.*binder/start", rendered_dockerfile, re.MULTILINE)


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_binder_scripts_can_be_executed(name):
    script = ROOT / "binder" / name
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/bin/bash\n")
    assert subprocess.run(["bash", "-n", script]).returncode == 0


@pytest.mark.parametrize(
    ("limit", "threads"), [("1.0", "1"), ("0.5", "1"), ("2", "2"), ("", "unset"), ("x", "unset")]
)
def test_start_limits_tensorflow_to_the_cores_of_the_learner(limit, threads):
    show = ["bash", "-c", 'echo "${TF_NUM_INTRAOP_THREADS-unset} ${OMP_NUM_THREADS-unset}"']
    run = subprocess.run(
        [ROOT / "binder" / "start", *show],
        env={"PATH": os.environ["PATH"], "CPU_LIMIT": limit},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"{threads} {threads}\n"


def test_ci_runs_on_every_supported_python():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    supported = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert matrix["python"] == [f"3.{n}" for n in range(30) if supported.contains(f"3.{n}")]
    assert matrix["python"] == PYTHONS
