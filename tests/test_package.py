"""The package as a whole: imports, names, style."""

import subprocess
import sys

import pytest
from conftest import ROOT

import mnist_helpers


def test_importing_it_loads_neither_tensorflow_nor_matplotlib():
    heavy = "{'tensorflow', 'keras', 'matplotlib', 'sklearn'}"
    code = f"import sys, mnist_helpers; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("name", mnist_helpers.__all__)
def test_every_public_name_exists(name):
    assert getattr(mnist_helpers, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'build_something'"):
        mnist_helpers.build_something  # noqa: B018


def test_importing_keras_says_nothing():
    code = "from mnist_helpers import keras; keras.ops.ones(1)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command):
    ruff = [sys.executable, "-m", "ruff", *command]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
