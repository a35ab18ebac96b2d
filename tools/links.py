"""Print the addresses at which Binder and Colab open this repository, from its remote `origin`.

Standard library only: it runs before anything is installed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
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
    if host == "github.com":
        where = f"gh/{quote(path)}"
    elif host == "gitlab.com":
        where = f"gl/{quote(path, safe='')}"
    else:
        # Without the user's name, and perhaps a password, that may stand in the address.
        where = f"git/{quote(f'https://{host}/{path}', safe='')}"
    return f"{BINDER}/{where}/{quote(ref)}?urlpath={quote(LANDING_PAGE, safe='')}"


def colab_links(remote: str, ref: str, notebooks: list[str]) -> list[str]:
    """The Colab addresses of notebooks; none if the repository is not on GitHub."""
    host, path = address_of(remote)
    if host != "github.com":
        return []
    return [f"{COLAB}/{quote(path)}/blob/{quote(ref)}/{quote(name)}" for name in notebooks]


def ask_git(*command: str) -> str | None:
    """What git answers, or None where it has no answer or there is no git."""
    try:
        run = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def origin() -> tuple[str, str]:
    """The address of this clone's remote `origin`, and its branch or commit.

    Raises ValueError where there is none.
    """
    top = ask_git("rev-parse", "--show-toplevel")
    # A ZIP may have been unpacked inside another repository, which is not the one to link to.
    if not top or not os.path.samefile(top, ROOT):
        raise ValueError(
            f"{ROOT} is no clone of a repository (a ZIP has no history); clone it with "
            "git, from the host to which the links are to lead"
        )
    remote = ask_git("remote", "get-url", "origin")
    ref = ask_git("symbolic-ref", "--short", "HEAD") or ask_git("rev-parse", "HEAD")
    if not remote or not ref:
        raise ValueError(
            "this clone has no remote named origin, and Binder builds from a public one; "
            "set it with: git remote add origin https://…"
        )
    return remote, ref


def links() -> dict:
    """Where others find the tutorial: "repository", "binder", and "colab" by notebook.

    Raises ValueError, which says what to do, if this is no clone of what others can reach.
    """
    remote, ref = origin()
    host, path = address_of(remote)
    names = [notebook.stem for notebook in sorted(ROOT.glob("notebooks/*.ipynb"))]
    colab = colab_links(remote, ref, [f"notebooks/{name}.ipynb" for name in names])
    return {
        "repository": f"https://{host}/{path}",
        "binder": binder_link(remote, ref),
        "colab": dict(zip(names, colab, strict=False)),  # none for hosts that Colab does not open
    }


def main() -> None:
    try:
        found = links()
    except ValueError as error:
        sys.exit(f"links: {error}")
    print(f"Binder: {found['binder']}")
    for link in found["colab"].values() or ["opens repositories on GitHub only"]:
        print(f"Colab:  {link}")


if __name__ == "__main__":
    main()
