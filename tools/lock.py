"""Resolve pyproject.toml into requirements.lock, for every supported Python and platform."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        tools = Path(folder) / "bin"
        subprocess.run([tools / "pip", "install", "-q", "uv"], check=True)
        command = [tools / "uv", "pip", "compile", "-q", "--universal", "--python-version", "3.11"]
        command += ["--upgrade", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--extra", "dev", "pyproject.toml", "-o", "requirements.lock"]
        sys.exit(subprocess.run(command, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
