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
facts = {}
import mnist_helpers, tensorflow as tf
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
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture(scope="module")
def found() -> tuple[dict, str]:
    return look("from mnist_helpers import keras")


@pytest.mark.slow
class TestKeras:
    def test_importing_it_says_nothing(self, found):
        assert found[1] == ""

    def test_a_network_still_works_in_scikit_learns_wrapper(self):
        ask = "network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])\n"
        ask += "network.compile('sgd', 'mse')\n"
        ask += "wrapped = keras.wrappers.SKLearnRegressor(network)\n"
        ask += "wrapped.fit([[0.0], [1.0]], [0.0, 1.0], verbose=0)\n"
        ask += "assert wrapped.predict([[0.5]]).shape == (1,)"
        look(f"from mnist_helpers import keras\n{ask}")

    def test_a_network_still_takes_what_pandas_holds(self):
        ask = "import pandas as pd\nnetwork = keras.Sequential([keras.layers.Dense(1)])\n"
        ask += "assert network.predict(pd.DataFrame({'x': [0.5, 1.5]}), verbose=0).shape == (2, 1)"
        look(f"from mnist_helpers import keras\n{ask}")

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
        assert own["one Keras"] and own["frozen"] > 100_000
        assert differing <= {"frozen"}

    def test_an_import_of_keras_that_came_before_does_no_harm(self, found):
        own, _ = look("import keras\nfrom mnist_helpers import build_dense")
        assert own["one Keras"] and own["KERAS_BACKEND"] == "tensorflow"
        assert not own["tuning"] and own["tuning when asked for"]

    def test_it_works_where_the_running_program_is_no_library(self):
        use = "from mnist_helpers import forget_networks, keras\nforget_networks()"
        own, _ = look(NO_LIBRARY + use)
        assert own["one Keras"]

    def test_settings_that_a_learner_has_made_stay(self):
        own, _ = look("from mnist_helpers import keras", TF_ENABLE_ONEDNN_OPTS="0")
        assert own["TF_ENABLE_ONEDNN_OPTS"] == "0"


# As on Windows, where there is no library without a name.
NO_LIBRARY = """
import ctypes
start = ctypes.CDLL.__init__
def refuse(library, name, *arguments, **options):
    if name is None:
        raise TypeError("argument of type 'NoneType' is not iterable")
    start(library, name, *arguments, **options)
ctypes.CDLL.__init__ = refuse
"""

TRAIN = """
import numpy as np
from mnist_helpers import build_cnn, keras
network = build_cnn()
network.compile("adam", "sparse_categorical_crossentropy")
network.fit(np.zeros((20, 28, 28), "uint8"), np.zeros(20), verbose=0)
print([weight.dtype for weight in network.weights] == 8 * ["float32"])
"""


def run(code: str, **settings: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KERAS_")} | settings
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
class TestSettingsOfAReadersOwnKeras:
    def test_what_keras_json_says_of_numbers_and_back_end_does_not_count(self, tmp_path):
        own = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float64"}
        (tmp_path / "keras.json").write_text(json.dumps(own))
        done = run(TRAIN, KERAS_HOME=str(tmp_path))
        assert (done.stdout, done.stderr) == ("True\n", "")

    @pytest.mark.parametrize("backend", ["torch", "jax"])
    def test_another_back_end_is_refused_in_a_line_that_names_the_setting(self, backend):
        done = run("from mnist_helpers import keras", KERAS_BACKEND=backend)
        assert done.stderr.splitlines()[-1] == (
            f"ImportError: Keras is set to run on '{backend}', and this tutorial runs on "
            "TensorFlow: set KERAS_BACKEND to tensorflow or remove it, and restart the kernel"
        )

    def test_a_keras_that_runs_on_another_back_end_already_is_refused_too(self):
        # No other back end is installed here, so something that says it runs on one stands in.
        other = "from types import SimpleNamespace as S; import sys\n"
        other += "sys.modules['keras'] = S(config=S(backend=lambda: 'torch'))\n"
        done = run(other + "from mnist_helpers import build_dense")
        assert "ImportError: Keras is set to run on 'torch'" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command):
    ruff = [sys.executable, "-m", "ruff", *command]
    result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
