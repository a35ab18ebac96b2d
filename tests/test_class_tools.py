"""What a teacher runs: the check before class, and the links for Binder and Colab."""

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import check_class
import links
import numpy as np
import pytest
from conftest import ROOT, code_cells, read
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
    checks = ["Python", "Packages", "Data", "Memory", "Kernel", "TensorFlow", "One epoch"]
    assert passed == checks
    assert lines[-1] == "Ready for class." and status == 0


@pytest.mark.slow
def test_check_class_says_what_to_do_and_goes_on(tmp_path):
    wrong = tmp_path / "mnist.npz"
    wrong.write_bytes(b"no archive")
    status, lines = run_check(MNIST_NPZ=str(wrong), MEM_LIMIT="100000000")
    assert lines[2].startswith("PROBLEM  Data: ") and str(wrong) in lines[2]
    assert lines[3].startswith("PROBLEM  Memory: ") and "Close other programs" in lines[3]
    assert lines[4].startswith("ok       Kernel: ")
    assert lines[5].startswith("ok       TensorFlow: ")
    assert lines[6].startswith("PROBLEM  One epoch: ")  # for lack of data
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


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (
            "os.kill(os.getpid(), signal.SIGILL)",
            r"it needs a processor with AVX, which this one \(",
        ),
        ("raise ImportError('DLL load failed')", "cannot be imported: .*DLL load failed.* Delete"),
    ],
    ids=["no AVX", "no DLL"],
)
def test_check_class_outlives_a_tensorflow_that_cannot_start(tmp_path, monkeypatch, code, problem):
    (tmp_path / "tensorflow.py").write_text(f"import os, signal\n{code}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(check_class.Problem, match=problem):
        check_class.check_tensorflow()


@pytest.mark.slow
def test_check_class_ends_with_its_verdict_on_a_processor_without_avx(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGILL)"
    )
    status, lines = run_check(PYTHONPATH=str(tmp_path), MNIST_OFFLINE="1", MNIST_NPZ="")
    assert lines[5].startswith("PROBLEM  TensorFlow: it needs a processor with AVX")
    assert lines[6:] == ["", "Not ready: 1 to mend."] and status == 1


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


EXPORT = ROOT / "docs" / "export.md"
LINKS = ROOT / "tools" / "links.py"
NOTEBOOK = "notebooks/01_data_exploration.ipynb"


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
    assert (ROOT / NOTEBOOK).is_file()
    landing = f"urlpath=lab%2Ftree%2F{NOTEBOOK.replace('/', '%2F')}"
    assert links.binder_link(remote, "main") == f"https://mybinder.org/v2/{place}/main?{landing}"


@pytest.mark.parametrize("remote", ["/srv/git/tutorial.git", "../tutorial", "file:///srv/tutorial"])
def test_binder_link_refuses_what_binder_cannot_reach(remote):
    with pytest.raises(ValueError, match="which Binder cannot reach"):
        links.binder_link(remote, "main")


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("git@github.com:someone/tutorial.git", [f"github/someone/tutorial/blob/a/b/{NOTEBOOK}"]),
        ("https://gitlab.com/someone/tutorial.git", []),
    ],
)
def test_colab_opens_notebooks_from_github_only(remote, expected):
    addresses = [f"https://colab.research.google.com/{place}" for place in expected]
    assert links.colab_links(remote, "a/b", [NOTEBOOK]) == addresses


@pytest.mark.parametrize(("host", "on_colab"), [("github.com", True), ("gitlab.com", False)])
def test_other_tools_are_told_the_repository_and_the_link_of_each_notebook(
    monkeypatch, host, on_colab
):
    monkeypatch.setattr(links, "origin", lambda: (f"git@{host}:someone/tutorial.git", "main"))
    told = links.links()
    assert told["repository"] == f"https://{host}/someone/tutorial"
    assert told["binder"].startswith("https://mybinder.org/v2/")
    notebooks = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert list(told["colab"]) == (notebooks if on_colab else [])


class TestLinksOfACheckout:
    """The script, in folders that git knows, or does not."""

    @pytest.fixture(autouse=True)
    def git(self, monkeypatch):
        if not shutil.which("git"):
            pytest.skip("there is no git on this machine")
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            monkeypatch.delenv(name)

    def links(self, folder: Path) -> subprocess.CompletedProcess:
        (folder / "tools").mkdir(parents=True)
        script = shutil.copy(LINKS, folder / "tools")
        (folder / "notebooks").mkdir()
        for name in ("01_a", "02_b"):
            (folder / "notebooks" / f"{name}.ipynb").touch()
        return subprocess.run([sys.executable, script], capture_output=True, text=True)

    def clone(self, folder: Path, origin: str = "") -> Path:
        subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
        if origin:
            subprocess.run(["git", "-C", folder, "remote", "add", "origin", origin], check=True)
        return folder

    def test_a_clone_has_one_address_for_binder_and_one_a_notebook_for_colab(self, tmp_path):
        run = self.links(self.clone(tmp_path, "https://github.com/someone/tutorial"))
        assert run.stderr == "" and run.returncode == 0
        binder, *colab = run.stdout.splitlines()
        assert binder.startswith("Binder: https://mybinder.org/v2/gh/someone/tutorial/main?")
        where = "Colab:  https://colab.research.google.com/github/someone/tutorial/blob/main"
        assert colab == [f"{where}/notebooks/{name}.ipynb" for name in ("01_a", "02_b")]

    def test_a_clone_without_origin_says_how_to_set_it(self, tmp_path):
        run = self.links(self.clone(tmp_path))
        assert run.returncode == 1 and run.stdout == ""
        assert "git remote add origin" in run.stderr

    @pytest.mark.parametrize("inside", [False, True])
    def test_a_zip_is_no_clone_even_inside_another_repository(self, tmp_path, inside):
        if inside:
            self.clone(tmp_path, "https://github.com/someone/else")
        run = self.links(tmp_path / "unpacked")
        assert run.returncode == 1 and run.stdout == ""
        assert "unpacked is no clone of a repository" in run.stderr and "\n" not in run.stderr[:-1]


def anchors(path: Path) -> list[str]:
    """The link targets of headings: as JupyterLab makes them, or a code host of Markdown."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    titles = re.findall(r"(?m)^#+ (.+)$", text)
    if path.suffix == ".md":
        titles = [re.sub(r"[^\w -]", "", title.lower()) for title in titles]
    return [title.replace(" ", "-") for title in titles]


def test_the_readme_is_short_and_names_every_way_in():
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 90
    ways = ["`make lab`", "`python tools/tutorial.py lab`", "py tools\\tutorial.py lab"]
    ways += ["environment.yml", "Binder", "Colab", "VS Code", "Intel Macs"]
    assert [way for way in ways if way not in text] == []
    assert "The test command is `make test`." in text


class TestExport:
    """docs/export.md: a reader's own pages and slides have the descriptions of the figures."""

    COMMANDS = re.findall(r"(?m)^\.venv/bin/jupyter nbconvert (.+)$", EXPORT.read_text())

    @pytest.mark.parametrize("command", COMMANDS, ids=["html", "slides"])
    def test_a_figure_keeps_its_description(self, tmp_path, command):
        *options, _ = command.split()
        nbconvert = [sys.executable, "-m", "nbconvert", *options, "--output-dir", tmp_path]
        done = subprocess.run([*nbconvert, NOTEBOOK], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
        pictures = [
            output.metadata["image/png"]["alt"]
            for cell in code_cells(read(ROOT / NOTEBOOK))
            for output in cell.outputs
            if "image/png" in output.get("data", {})
        ]
        told = [html.unescape(alt) for alt in re.findall(r'<img[^>]* alt="([^"]*)"', page)]
        assert told == pictures != []


PAGES = ["README.md", "TEACHING.md", "CONTRIBUTING.md", "CHANGELOG.md", "binder/README.md"]
PAGES += sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_guides_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
