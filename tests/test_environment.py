"""pyproject.toml, requirements.lock, environment.yml, Binder and CI say the same."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from textwrap import indent

import pytest
import yaml
from conftest import ROOT
from lock import CLASS_LOCK, ENVIRONMENTS, environment_yml, locked
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED, CLASS = (
    [Requirement(f"{pin}; {mark}" if mark else pin) for pin, mark in locked(lock)]
    for lock in (LOCK, (ROOT / CLASS_LOCK).read_text())
)
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


def installed(requirements: list[Requirement], where: dict[str, str]) -> dict[str, list[str]]:
    """The versions that are installed of each package on such a machine: one, if all is well."""
    found = {}
    for entry in requirements:
        if entry.marker is None or entry.marker.evaluate(where):
            versions = found.setdefault(canonicalize_name(entry.name), [])
            versions.append(str(entry.specifier).removeprefix("=="))
    return found


def pip_section() -> list[str]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    # Binder understands Python's version in this exact form only.
    assert environment["dependencies"][:2] == ["python=3.11", "pip"]
    return environment["dependencies"][2]["pip"]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("platform", "processor"), PLATFORMS)
def test_lock_has_one_version_of_each_package_and_it_fits(python, platform, processor):
    where = machine(python, platform, processor)
    versions = installed(LOCKED, where)
    assert {name: found for name, found in versions.items() if len(found) != 1} == {}
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + extras["tutorial"] + extras["dev"]:
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        if wanted.marker is None or wanted.marker.evaluate(where):
            assert name in versions, f"{name} is not locked"
            assert wanted.specifier.contains(*versions[name]), f"{wanted}: {versions[name]}"
        else:
            assert name not in versions, f"{name} is not wanted here"


@pytest.mark.parametrize("python", PYTHONS)
def test_what_a_hub_needs_is_locked_apart_and_changes_nothing_that_is_installed(python):
    where = machine(python)
    versions, tutorial = installed(CLASS, where), installed(LOCKED, where)
    extra = {Requirement(it).name for it in PYPROJECT["project"]["optional-dependencies"]["class"]}
    assert extra <= set(versions) - set(tutorial)
    both = set(versions) & set(tutorial)
    assert {name: versions[name] for name in both} == {name: tutorial[name] for name in both}


@pytest.mark.parametrize("name", ["requirements.lock", CLASS_LOCK])
def test_every_locked_package_has_a_hash_and_no_registry_is_named(name):
    lock = (ROOT / name).read_text()
    packages = re.findall(r"^[A-Za-z0-9](?:.*\\\n)*.*$", lock, flags=re.MULTILINE)
    assert len(packages) == len(locked(lock))
    assert [entry.split()[0] for entry in packages if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|^-i ", lock)


# The oldest 3.11 is the one whose packages differ.
@pytest.mark.parametrize("release", ["3.11.0", "3.11.14"])
@pytest.mark.parametrize(("platform", "processor"), PLATFORMS)
def test_environment_yml_installs_what_the_lock_installs(release, platform, processor):
    where = machine("3.11", platform, processor) | {"python_full_version": release}
    expected = installed(LOCKED, where)
    assert installed([Requirement(x) for x in pip_section()], where) == expected
    for line in PYPROJECT["build-system"]["requires"]:
        # What builds the helper package has to be there too: it is built without a network.
        build = Requirement(line)
        assert build.specifier.contains(*expected[build.name]), line


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_yml_is_what_make_lock_writes(name):
    # A file of its own in binder/, too: not every system that git serves has symbolic links.
    assert not (ROOT / name).is_symlink()
    assert (ROOT / name).read_text() == environment_yml(LOCK)


def test_the_package_itself_asks_for_what_it_imports_and_for_no_tensorflow():
    """So that installing it, on Colab for example, leaves TensorFlow and Keras alone."""
    wanted = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
    assert not [it.name for it in wanted if it.name.startswith("tensorflow")]
    bounds = {str(bound) for it in wanted for bound in it.specifier}
    assert bounds == {">=3"}  # of Keras; an upper bound would replace what is there
    modules = set()
    for path in (ROOT / "mnist_helpers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.partition(".")[0])
    distributions = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn"}
    distributions["IPython"] = "ipython"
    imported = {distributions.get(name, name) for name in modules - sys.stdlib_module_names}
    assert {it.name for it in wanted} == imported - {"tensorflow", "traitlets"}  # of anywidget


@pytest.mark.slow
class TestMakeLock:
    """The script, run in a copy of what it reads, on a bare Python, without a network."""

    NAMES = ("requirements.lock", CLASS_LOCK, *ENVIRONMENTS)

    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        (tmp_path / "tools").mkdir()
        (tmp_path / "binder").mkdir()
        programs = ("lock", "setup_venv", "lockfile")
        for name in ("pyproject.toml", *(f"tools/{name}.py" for name in programs)):
            shutil.copy(ROOT / name, tmp_path / name)
        for name in self.NAMES:
            (tmp_path / name).write_text(f"old==1.0  # {name}\n")
        return tmp_path

    def lock(self, folder: Path, *options: str, uv: Path | None) -> subprocess.CompletedProcess:
        """Run the script; whatever pip and uv are told on this machine does not count."""
        variables = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
        variables |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "PIP_NO_INDEX": "1"}
        if uv:
            variables["PIP_FIND_LINKS"] = str(uv)
        # -S: without the packages of this environment.
        command = [sys.executable, "-S", "tools/lock.py", *options]
        options = {"env": variables, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run(command, cwd=folder, **options)

    def files(self, folder: Path) -> dict[str, str]:
        paths = [path for path in folder.glob("**/*.*") if path.is_file()]
        found = {path.relative_to(folder).as_posix(): path.read_text() for path in paths}
        return {name: text for name, text in found.items() if not name.startswith("tools/")}

    def wheel_of_uv(self, folder: Path, body: str) -> Path:
        """A folder with a package "uv" whose command runs these lines of Python."""
        members = {
            "uv.py": f"import sys\nfrom pathlib import Path\ndef main():\n{indent(body, '    ')}",
            "uv-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 1\n",
            "uv-1.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
            "uv-1.dist-info/entry_points.txt": "[console_scripts]\nuv = uv:main\n",
            "uv-1.dist-info/RECORD": "",
        }
        with zipfile.ZipFile(folder / "uv-1-py3-none-any.whl", "w") as wheel:
            for name, text in members.items():
                wheel.writestr(name, text)
        return folder

    def test_writes_all_files(self, folder, tmp_path_factory):
        body = """
out = Path(sys.argv[sys.argv.index("-o") + 1])
words = " ".join(sys.argv[1:]).replace(str(out), "OUT")
kept = out.read_text() if out.exists() else ""
out.write_text(f"{kept}new==2.0\\n# {words}\\n# {sys.stdin.read()}\\n")
"""
        uv = self.wheel_of_uv(tmp_path_factory.mktemp("wheels"), body)
        run = self.lock(folder, uv=uv)
        assert (run.stderr, run.returncode) == ("", 0)
        files = self.files(folder)
        assert sorted(files) == sorted([*self.NAMES, "pyproject.toml"])
        pins, asked, build = files["requirements.lock"].splitlines()
        assert pins == "new==2.0"  # and nothing that was locked before: all is upgraded
        assert build == f"# {PYPROJECT['build-system']['requires'][0]}"
        assert asked.endswith("--extra tutorial --extra dev -o OUT pyproject.toml -")
        assert "--extra class -c " in files[CLASS_LOCK]
        assert "--universal --generate-hashes --python-version 3.11" in asked
        assert "--no-emit-index-url --no-emit-find-links --no-emit-index-annotation" in asked
        for name in ENVIRONMENTS:
            assert files[name] == environment_yml("new==2.0")

        assert self.lock(folder, "--keep", uv=uv).returncode == 0
        # uv keeps the versions that it finds in the file that it is to write.
        assert self.files(folder)["requirements.lock"].startswith(files["requirements.lock"])

    HALF_WAY = """
Path(sys.argv[sys.argv.index("-o") + 1]).write_text("half==")
sys.exit("error: no route\\n  to the registry")
"""

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (None, "uv could not be installed: "),
            (HALF_WAY, "pyproject.toml could not be resolved: error: no route to the registry\n"),
        ],
        ids=["no uv", "half way"],
    )
    def test_a_failure_changes_nothing_and_is_told_in_a_line(
        self, folder, tmp_path_factory, body, told
    ):
        before = self.files(folder)
        uv = self.wheel_of_uv(tmp_path_factory.mktemp("wheels"), body) if body else None
        run = self.lock(folder, uv=uv)
        assert run.stderr.startswith(f"lock: nothing is changed: {told}")
        assert run.stderr.count("\n") == 1 and run.returncode == 1
        assert self.files(folder) == before
        folders = sorted(path.name for path in folder.iterdir() if path.is_dir())
        assert folders == ["binder", "tools"]


@pytest.mark.skipif(os.name == "nt", reason="repo2docker does not run on Windows")
def test_binder_builds_the_environment_and_then_runs_its_scripts():
    """What mybinder.org would build, rendered without Docker."""
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug"]
    command += ["--Repo2Docker.default_buildpack=None", "."]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    dockerfile = run.stdout + run.stderr
    assert "Building conda environment for python=3.11\n" in dockerfile
    # In this order a changed notebook does not cost a new environment.
    build = dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "binder/environ')
    assert build < dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    assert re.search(r"^RUN \./binder/postBuild$", dockerfile, re.MULTILINE)
    assert re.search(r"^ENV R2D_ENTRYPOINT=?.*binder/start", dockerfile, re.MULTILINE)


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_binder_scripts_are_scripts_of_bash(name):
    script = ROOT / "binder" / name
    assert script.read_bytes().startswith(b"#!/bin/bash\n")
    if not shutil.which("bash"):
        pytest.skip("there is no bash on this machine")
    assert subprocess.run(["bash", "-n", script]).returncode == 0


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone: git keeps the files' modes")
@pytest.mark.parametrize("name", ["binder/postBuild", "binder/start", ".ci/run"])
def test_scripts_can_be_executed(name):
    listed = subprocess.run(["git", "ls-files", "-s", name], cwd=ROOT, stdout=subprocess.PIPE)
    assert listed.stdout.startswith(b"100755 ")


@pytest.mark.skipif(os.name == "nt", reason="runs on Binder's machines, which have Linux")
@pytest.mark.parametrize(
    ("limit", "threads"), [("1.0", "1"), ("0.5", "1"), ("2", "2"), ("", "unset"), ("x", "unset")]
)
def test_start_limits_tensorflow_to_the_cores_of_the_learner(limit, threads):
    show = ["bash", "-c", 'echo "${TF_NUM_INTRAOP_THREADS-unset} ${OMP_NUM_THREADS-unset}"']
    variables = {"PATH": os.environ["PATH"], "CPU_LIMIT": limit}
    start = ["bash", ROOT / "binder" / "start", *show]
    run = subprocess.run(start, env=variables, capture_output=True, text=True, check=True)
    assert run.stdout == f"{threads} {threads}\n"


WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
PUBLISHING = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text())


def test_ci_runs_on_every_supported_python_and_system():
    matrix = WORKFLOW["jobs"]["quick"]["strategy"]["matrix"]
    classifiers = [it.rpartition(" ")[2] for it in PYPROJECT["project"]["classifiers"]]
    assert matrix["python"] == PYTHONS == classifiers
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(PYTHONS[0])
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]


def test_ci_runs_the_tests_on_real_mnist_which_is_fetched_once():
    for job in (WORKFLOW["jobs"]["quick"], WORKFLOW["jobs"]["whole"]):
        assert job["needs"] == "mnist"
        (path,) = {
            step["env"]["MNIST_NPZ"] for step in job["steps"] if "tee" in step.get("run", "")
        }
        (kept,) = {s["with"]["path"] for s in job["steps"] if "/cache@" in s.get("uses", "")}
        assert path == f"{kept}/mnist.npz"


def test_ci_says_in_its_summary_what_it_skipped(tmp_path):
    for job in (WORKFLOW["jobs"]["quick"], WORKFLOW["jobs"]["whole"]):
        (say,) = {step["run"] for step in job["steps"] if "SUMMARY" in step.get("run", "")}
        (tmp_path / "tests.txt").write_text(
            "2 passed\nSKIPPED [1] tests/faults.py:34: no unshare\n"
        )
        summary = tmp_path / "summary.md"
        variables = os.environ | {"GITHUB_STEP_SUMMARY": str(summary)}
        subprocess.run(["bash", "-ec", say], cwd=tmp_path, env=variables, check=True)
        assert summary.read_text().splitlines()[-1] == "SKIPPED [1] tests/faults.py:34: no unshare"


def test_a_push_and_its_pull_request_do_not_both_run():
    assert WORKFLOW[True]["push"] == {"branches": ["main"]} and "pull_request" in WORKFLOW[True]


def test_every_lock_is_audited():
    (audit,) = [step["run"] for step in STEPS if "pip-audit" in step.get("run", "")]
    listing = audit.split("; do")[0] + "; do echo $lock; done"
    listed = subprocess.run(["bash", "-ec", listing], cwd=ROOT, capture_output=True, text=True)
    assert listed.stdout.split() == sorted(path.name for path in ROOT.glob("requirements*.lock"))


def test_workflows_use_each_action_at_one_commit_and_say_which_version_it_is():
    commits = {}
    for path in sorted((ROOT / ".github/workflows").glob("*.yml")):
        for line in re.findall(r"uses: (.+)", path.read_text()):
            action, commit = re.fullmatch(
                r"([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line
            ).groups()
            assert commits.setdefault(action, commit) == commit, f"{path.name}: {action}"


def test_pages_are_published_with_no_more_permissions_than_that_takes():
    assert PUBLISHING["permissions"] == {"contents": "read"}
    build, deploy = PUBLISHING["jobs"]["build"], PUBLISHING["jobs"]["deploy"]
    assert "permissions" not in build
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    # What may publish runs nothing of the repository or of its packages.
    (publish,) = deploy["steps"]
    assert publish["uses"].startswith("actions/deploy-pages@")
    assert deploy["environment"]["name"] == "github-pages"


def test_pages_are_published_of_a_run_on_mnist_one_at_a_time():
    build, deploy = PUBLISHING["jobs"]["build"], PUBLISHING["jobs"]["deploy"]
    checkout, python, cache, run, check, upload = build["steps"]
    assert {"checkout": checkout, "python": python, "cache": cache} == {
        name: WORKFLOW["jobs"]["whole"]["steps"][number]
        for number, name in enumerate(("checkout", "python", "cache"))
    }
    assert run["run"] == "make run"
    assert check["run"].strip() == """grep '"dataset": "MNIST"' build/results.json"""
    assert upload["with"]["path"] == "build/site"
    assert deploy["needs"] == "build"
    assert PUBLISHING["concurrency"] == {"group": "pages", "cancel-in-progress": False}


def test_pages_are_published_where_the_owner_has_switched_them_on():
    # YAML takes a bare `on` for true.
    assert PUBLISHING[True] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    condition = "github.event_name == 'workflow_dispatch' || github.event.repository.has_pages"
    assert PUBLISHING["jobs"]["build"]["if"] == condition


def test_ci_does_all_that_the_local_script_does_and_tries_the_oldest_tensorflow():
    commands = " ".join("\n".join(step.get("run", "") for step in STEPS).split())
    script = " ".join((ROOT / ".ci/run").read_text().replace("\\\n", " ").split())
    for part in (
        "make test",
        "npx --yes @biomejs/biome@",
        "tests/test_nbval.py tests/test_data.py",
    ):
        assert part in commands and part in script
    assert '"tensorflow-cpu==2.16.*" "keras==3.13.*"' in commands
