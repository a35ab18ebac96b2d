"""Print the addresses at which Binder and Colab open this repository, from its remote `origin`.

Standard library only: it runs before anything is installed.
"""

import re
import subprocess
import sys
from urllib.parse import quote, urlsplit

from tools.tutorial import ROOT

NOTEBOOKS = ROOT / "notebooks"
BINDER = "https://mybinder.org/v2"
COLAB = "https://colab.research.google.com/github"
LANDING_PAGE = "lab/tree/notebooks/01_data_exploration.ipynb"


def address_of(remote: str) -> tuple[str, str]:
    """Host and path of a repository, from the address of its remote.

    Raises ValueError if nobody else can reach such an address.
    """
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
    """What git answers, or nothing where it has no answer or there is no git."""
    try:
        options = {"cwd": ROOT, "stderr": subprocess.DEVNULL, "text": True}
        return subprocess.check_output(["git", *command], **options).strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""


def origin() -> tuple[str, str]:
    """The address of this clone's remote `origin`, and its branch or commit, or a ValueError."""
    # A ZIP may have been unpacked inside another repository, which is not the one to link to.
    if not (ROOT / ".git").exists():
        raise ValueError(f"{ROOT} is no clone of a repository: clone it with git from its host")
    remote = ask_git("remote", "get-url", "origin")
    ref = ask_git("symbolic-ref", "--short", "HEAD") or ask_git("rev-parse", "HEAD")
    if not remote or not ref:
        raise ValueError("this clone has no origin; set it: git remote add origin https://…")
    return remote, ref


def links() -> dict:
    """Where others find the tutorial: "repository", "binder", and "colab" by notebook.

    Raises ValueError, which says what to do, if this is no clone of what others can reach.
    """
    remote, ref = origin()
    host, repository = address_of(remote)
    paths = sorted(NOTEBOOKS.glob("*.ipynb")) + sorted(NOTEBOOKS.glob("extras/*.ipynb"))
    names = {path.stem: quote(path.relative_to(NOTEBOOKS).as_posix()) for path in paths}
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
