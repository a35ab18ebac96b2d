"""Print this repository's addresses on Binder and Colab. Standard library only: comes first."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

from tools.tutorial import ROOT

NOTEBOOKS = ROOT / "notebooks"
EXECUTED = ("*.ipynb", "extras/*.ipynb")
BINDER = "https://mybinder.org/v2"
COLAB = "https://colab.research.google.com/github"
LANDING_PAGE = "lab/tree/notebooks/01_data_exploration.ipynb"


def files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The files of a folder that match, in order, without what systems and editors leave there."""
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def own_notebooks(folder: Path) -> list[Path]:
    """The tutorial's, readable or not: lessons have a number, and all of them these metadata."""
    found = [path for path in files(folder, EXECUTED) if "-Copy" not in path.name]  # JupyterLab's
    return [p for p in found if re.match(r"\d\d_", p.name) or b'"mnist_tutorial"' in p.read_bytes()]


def address_of(remote: str) -> tuple[str, str]:
    """Host and path of a repository, from its remote; ValueError where nobody can reach that."""
    # git@host:owner/name is short for ssh://git@host/owner/name.
    short = re.fullmatch(r"(?:[^/@]+@)?([^/:]+\.[^/:]+):(?!//)(.+)", remote)
    address = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else remote)
    if address.scheme not in ("https", "http", "ssh", "git") or not address.hostname:
        raise ValueError(
            f"origin is {remote}, which Binder cannot reach; push the repository to a public "
            "host and set origin to its address there: git remote set-url origin https://…"
        )
    return address.hostname, address.path.strip("/").removesuffix(".git")


def binder_link(remote: str, ref: str) -> str:
    """The Binder address of a repository, from its remote and a branch or commit."""
    host, path = address_of(remote)
    # Without the user's name, and perhaps a password, that may stand in the remote.
    where = f"git/{quote(f'https://{host}/{path}', safe='')}"
    where = f"gh/{quote(path)}" if host == "github.com" else where
    return f"{BINDER}/{where}/{quote(ref)}?urlpath={quote(LANDING_PAGE, safe='')}"


def ask_git(*command: str) -> str:
    """What git answers. Raises ValueError with its reason for not doing so."""
    try:
        options = {"cwd": ROOT, "capture_output": True, "text": True, "check": True}
        return subprocess.run(["git", *command], **options).stdout.strip()
    except FileNotFoundError:
        raise ValueError("git is needed, and not installed") from None
    except subprocess.CalledProcessError as error:
        raise ValueError(" ".join(error.stderr.split())) from None


def origin() -> tuple[str, str]:
    """The address of this clone's remote `origin`, and its branch or commit, or a ValueError."""
    # A ZIP may have been unpacked inside another repository, which is not the one to link to.
    if not (ROOT / ".git").exists():
        raise ValueError(f"{ROOT} is no clone of a repository: clone it with git from its host")
    if "origin" not in ask_git("remote").split():
        raise ValueError("this clone has no origin; set it: git remote add origin https://…")
    ref = ask_git("branch", "--show-current") or ask_git("rev-parse", "HEAD")
    return ask_git("remote", "get-url", "origin"), ref


def links() -> dict:
    """Where others find the tutorial: "repository", "binder", and "colab" by notebook.

    Raises ValueError, which says what to do, if this is no clone of what others can reach.
    """
    remote, ref = origin()
    host, repository = address_of(remote)
    names = {p.stem: quote(p.relative_to(NOTEBOOKS).as_posix()) for p in own_notebooks(NOTEBOOKS)}
    colab = f"{COLAB}/{quote(repository)}/blob/{quote(ref)}/notebooks"
    on_github = host == "github.com"  # Colab opens no others
    return {
        "repository": f"https://{host}/{repository}",
        "binder": binder_link(remote, ref),
        "colab": {stem: f"{colab}/{name}" for stem, name in names.items() if on_github},
    }


def main() -> None:
    try:
        addresses = links()
    except ValueError as error:
        sys.exit(f"links: {error}")
    print(f"Binder: {addresses['binder']}")
    for link in addresses["colab"].values() or ["opens repositories on GitHub only"]:
        print(f"Colab:  {link}")


if __name__ == "__main__":
    main()
