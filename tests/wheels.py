"""Tiny packages for the tests of the set-up, and a build backend for one: standard library only."""

import zipfile
from pathlib import Path


def write_wheel(folder: Path, name: str, members: dict[str, str]) -> Path:
    """A package of these files, version 1.0."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    members = members | {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"}
    members |= {f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n", f"{info}/RECORD": ""}
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)
    return path


def get_requires_for_build_editable(config_settings=None):
    return []


def build_editable(folder, config_settings=None, metadata_directory=None):
    return write_wheel(Path(folder), "mnist_helpers", {"mnist_helpers.pth": str(Path.cwd())}).name
