"""Print the address at which Binder opens this repository, from its own remote `origin`.

Standard library only: it runs before anything is installed.
"""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
BINDER = "https://mybinder.org/v2"
LANDING_PAGE = "lab/tree/notebooks/01_data_exploration.ipynb"


def binder_link(remote: str, ref: str) -> str:
    """The Binder address of a repository, from the address of its remote and a branch or commit.

    Raises ValueError if Binder cannot reach such an address.
    """
    # git@host:owner/name is short for ssh://git@host/owner/name.
    short = re.fullmatch(r"(?:[^/@]+@)?([^/:]+\.[^/:]+):(?!//)(.+)", remote)
    address = urlsplit(f"ssh://{short[1]}/{short[2]}" if short else remote)
    if address.scheme not in ("https", "http", "ssh", "git") or not address.hostname:
        raise ValueError(
            f"origin is {remote}, which Binder cannot reach; push the repository to a public "
            "host and set origin to its address there: git remote set-url origin https://…"
        )
    path = address.path.strip("/").removesuffix(".git")
    if address.hostname == "github.com":
        where = f"gh/{quote(path)}"
    elif address.hostname == "gitlab.com":
        where = f"gl/{quote(path, safe='')}"
    else:
        # Without the user's name, and perhaps a password, that may stand in the address.
        where = f"git/{quote(f'https://{address.hostname}/{path}', safe='')}"
    return f"{BINDER}/{where}/{quote(ref)}?urlpath={quote(LANDING_PAGE, safe='')}"


def ask_git(*command: str) -> str | None:
    """What git answers, or None where it has no answer or there is no git."""
    try:
        run = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def main() -> None:
    remote = ask_git("remote", "get-url", "origin")
    ref = ask_git("symbolic-ref", "--short", "HEAD") or ask_git("rev-parse", "HEAD")
    if not remote or not ref:
        sys.exit(
            "binder-link: this folder has no git remote named origin, and Binder builds from a "
            "public one; set it with: git remote add origin https://…"
        )
    try:
        print(binder_link(remote, ref))
    except ValueError as error:
        sys.exit(f"binder-link: {error}")


if __name__ == "__main__":
    main()
