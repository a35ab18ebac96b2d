"""The package as a whole: imports, names, style."""

import os
import platform
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


@pytest.mark.slow
class TestKerasQuietly:
    def run(self, code: str, **environment: str) -> str:
        code = f"from mnist_helpers import keras; {code}"
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={name: value for name, value in os.environ.items() if "ONEDNN" not in name}
            | environment,
            capture_output=True,
            text=True,
        )
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.strip()

    def test_importing_it_says_nothing(self):
        assert self.run("keras.ops.ones(1)") == ""

    def test_scikit_learn_is_not_imported_on_the_way_and_can_be_afterwards(self):
        code = "import sys; print('sklearn' in sys.modules); import sklearn; print('fine')"
        assert self.run(code).split() == ["False", "fine"]

    @pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not an x86-64")
    def test_convolutions_are_computed_with_onednn_unless_told_otherwise(self):
        code = "import os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
        assert self.run(code) == "1"
        assert self.run(code, TF_ENABLE_ONEDNN_OPTS="0") == "0"

    def test_input_pipelines_are_tuned_only_where_that_was_asked_for(self):
        code = "import tensorflow as tf; options = tf.data.Options(); "
        code += "print(options.autotune.enabled); options.autotune.enabled = True; "
        code += "dataset = tf.data.Dataset.range(1).with_options(options); "
        code += "print(dataset.options().autotune.enabled)"
        assert self.run(code).split() == ["False", "True"]

    def test_what_came_with_tensorflow_is_not_searched_for_garbage(self):
        count = self.run("import gc; print(gc.get_freeze_count())")
        assert int(count) > 100_000


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command):
    ruff = [sys.executable, "-m", "ruff", *command]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
