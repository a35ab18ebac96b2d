"""The package as a whole: imports, names, style."""

import json
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


# What a fresh process finds after an import of Keras; printed as JSON.
LOOK = """
import gc, json, os, sys
facts = {"sklearn": "sklearn" in sys.modules}
import mnist_helpers, sklearn, tensorflow as tf
facts["one Keras"] = keras is mnist_helpers.keras
facts["frozen"] = gc.get_freeze_count()
facts |= {name: value for name, value in os.environ.items() if name.startswith(("TF_", "KERAS_"))}
options = tf.data.Options()
facts["tuning"] = options.autotune.enabled
options.autotune.enabled = True
dataset = tf.data.Dataset.range(1).with_options(options)
facts["tuning when asked for"] = dataset.options().autotune.enabled
print(json.dumps(facts))
"""


def look(start: str, **settings: str) -> tuple[dict, str]:
    """What a process finds after `start`, and what it wrote to stderr."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS_"))}
    command = [sys.executable, "-c", f"{start}\n{LOOK}"]
    done = subprocess.run(command, env=environment | settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def found() -> tuple[dict, str]:
    return look("from mnist_helpers import keras")


@pytest.mark.slow
class TestKeras:
    def test_importing_it_says_nothing(self, found):
        assert found[1] == ""

    def test_scikit_learn_is_not_imported_on_the_way(self, found):
        assert not found[0]["sklearn"]

    @pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not an x86-64")
    def test_convolutions_are_computed_with_onednn(self, found):
        assert found[0]["TF_ENABLE_ONEDNN_OPTS"] == "1"

    def test_input_pipelines_are_tuned_only_where_that_was_asked_for(self, found):
        assert not found[0]["tuning"] and found[0]["tuning when asked for"]

    def test_what_came_with_tensorflow_is_not_searched_for_garbage(self, found):
        assert found[0]["frozen"] > 100_000

    def test_a_learners_own_import_of_keras_gets_the_same_settings(self, found):
        own, _ = look("from mnist_helpers import load_mnist\nimport keras")
        differing = {name for name in own if own[name] != found[0].get(name)}
        # Scikit-learn costs time and memory, and changes nothing; the rest is made up for.
        assert own["one Keras"] and own["frozen"] > 100_000
        assert differing <= {"sklearn", "frozen"}

    def test_settings_that_a_learner_has_made_stay(self):
        own, _ = look("from mnist_helpers import keras", TF_ENABLE_ONEDNN_OPTS="0")
        assert own["TF_ENABLE_ONEDNN_OPTS"] == "0"


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command):
    ruff = [sys.executable, "-m", "ruff", *command]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
