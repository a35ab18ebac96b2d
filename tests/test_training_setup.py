"""The package as it is imported, Keras as it is set up, and the checks of a notebook's start."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace as S

import numpy as np
import pytest
from conftest import LESSONS, ROOT

from mnist_helpers import check_parameter, checked, checks, preflight
from mnist_helpers.data import Mnist


def python(code: str, **settings: str) -> subprocess.CompletedProcess:
    """Run a program with no settings of Keras and TensorFlow but these."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KERAS_", "TF_"))}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment | settings, capture_output=True, text=True)


def test_importing_the_package_loads_no_heavy_library_nor_do_data_and_figures_tensorflow():
    code = "import sys, mnist_helpers\n"
    code += "light = {'numpy', 'matplotlib', 'sklearn', 'keras'} & set(sys.modules)\n"
    code += "from mnist_helpers import load_mnist, plot_digits\n"
    code += "heavy = {'tensorflow', 'keras', 'sklearn', 'scipy', 'matplotlib.pyplot', 'requests'}\n"
    code += "print(light | heavy & set(sys.modules))"
    assert python(code).stdout == "set()\n"


def test_ruff_finds_nothing():
    ours = ["mnist_helpers", "tools", "tests", "notebooks/solutions", *LESSONS]
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, *ours]
        done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


# What a process finds after an import of Keras; printed as JSON.
LOOK = """
import json, os
import mnist_helpers, pandas as pd
facts = {"one": keras is mnist_helpers.keras}
facts |= {name: os.environ.get(name) for name in ("TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND")}
facts["settings"] = [keras.config.image_data_format(), keras.config.floatx()]
network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
network.compile("sgd", "mse")
facts["pandas"] = network.predict(pd.DataFrame({"x": [0.5, 1.5]}), verbose=0).shape == (2, 1)
print(json.dumps(facts))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "start, onednn",
    [
        ("from mnist_helpers import keras", None),
        # A learner's own import and setting, which came before, stay.
        ("import keras\nfrom mnist_helpers import build_dense", "0"),
    ],
    ids=["first", "after a learner's own"],
)
def test_keras_is_set_up_and_silent_whatever_a_readers_keras_json_says(start, onednn, tmp_path):
    own = {"backend": "jax", "image_data_format": "channels_first", "floatx": "float64"}
    (tmp_path / "keras.json").write_text(json.dumps(own))
    settings = {"TF_ENABLE_ONEDNN_OPTS": onednn, "KERAS_BACKEND": "tensorflow"} if onednn else {}
    done = python(f"{start}\n{LOOK}", KERAS_HOME=str(tmp_path), **settings)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["one"] and facts["pandas"], facts
    assert facts["KERAS_BACKEND"] == "tensorflow"
    assert facts["settings"] == ["channels_last", "float32"]
    if platform.machine() in ("x86_64", "AMD64"):
        assert facts["TF_ENABLE_ONEDNN_OPTS"] == (onednn or "1")
    assert onednn or done.stderr == ""


def test_another_back_end_is_refused_in_a_line_that_names_the_setting():
    errors = python("from mnist_helpers import keras", KERAS_BACKEND="torch").stderr
    last = errors.splitlines()[-1]
    assert last.startswith("ImportError: ") and "'torch'" in last and "set KERAS_BACKEND" in last


@pytest.mark.parametrize("content", ["x = 1", "import nothing", "x = ("])
def test_a_file_beside_the_notebook_that_hides_a_package_is_named(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keras.py").write_text(content)
    (tmp_path / "innocent.py").touch()
    last = python("import innocent; from mnist_helpers import keras").stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {tmp_path / 'keras.py'} hides") and "rename it" in last


def test_a_fault_of_a_dependency_shows_as_itself(tmp_path):
    (tmp_path / "keras.py").write_text("import os\nos.no_such_name")  # as of another version
    errors = python("from mnist_helpers import build_dense", PYTHONPATH=f"{tmp_path}:{ROOT}").stderr
    assert "no attribute 'no_such_name'" in errors.splitlines()[-1]


def test_without_a_standard_error_keras_is_imported_all_the_same():
    code = "import os, sys; sys.stderr = None; os.close(2)\nfrom mnist_helpers import keras"
    done = python(f"{code}\nprint(keras.__name__)")
    assert (done.returncode, done.stdout) == (0, "keras\n")


BAD = [0, -1, 201, 10**400, 2.5, "many", "", None, True, 2j, float("nan"), float("inf")]


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_a_bad_parameter_is_named_with_its_value_and_what_is_allowed(value):
    with pytest.raises(ValueError) as caught:
        check_parameter("epochs", value, 1, 200)
    assert f"epochs = {value!r}" in str(caught.value) and "from 1 to 200" in str(caught.value)


# papermill writes a NumPy number as text into the notebook.
@pytest.mark.parametrize("value", [1, np.int64(1), np.float32(200), 200.0, "1", "2.0"], ids=repr)
def test_a_whole_number_in_the_range_is_taken_in_every_form_and_becomes_an_int(value):
    number = check_parameter("epochs", value, 1, 200)
    assert type(number) is int and number == float(value)


@pytest.mark.parametrize("condition", [True, False])
def test_a_claim_whose_condition_is_not_met_says_so(condition, capsys):
    assert checked(condition) is condition
    assert ("Not checked" in capsys.readouterr().out) is not condition


def test_preflight_prints_versions_data_and_memory_and_a_way_out_of_too_little(capsys, monkeypatch):
    images = np.zeros((6, 28, 28), np.uint8)
    monkeypatch.setenv("MEM_LIMIT", "1")
    preflight(Mnist("MNIST", images, images[:, 0, 0], images[:2], images[:2, 0, 0]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Python 3.") and "TensorFlow 2." in lines[0] and "Keras" in lines[0]
    assert "MNIST, 6 training and 2 test images" in lines[1]
    assert lines[2] == "Memory free: 0.0 GB" and "shut down other notebooks" in lines[3]


def test_a_control_group_around_ones_own_counts_but_not_its_cached_files(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "Path", lambda *parts: Path(f"{tmp_path}{'/'.join(parts)}"))
    own, around = "sys/fs/cgroup/user/session", "sys/fs/cgroup/user"
    files = {"proc/self/cgroup": "1:cpu:/\n0::/user/session\n", f"{own}/memory.max": "max"}
    files |= {f"{around}/memory.max": "2000000", f"{around}/memory.current": "1500000"}
    files[f"{around}/memory.stat"] = "anon 300\ninactive_file 1200\nactive_file 0"
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert checks.free_memory_gb() == (500_000 + 1_200) / 1e9


def test_what_another_kernel_of_the_user_holds_is_not_free_under_a_hubs_limit(monkeypatch):
    user = checks.psutil.Process().username()
    held = [(user, S(rss=300 * 10**6)), (user, S(rss=200 * 10**6)), (user, None)]
    held.append(("another", S(rss=900 * 10**6)))
    processes = [S(info={"username": name, "memory_info": memory}) for name, memory in held]
    monkeypatch.setattr(checks.psutil, "process_iter", lambda names: processes)
    monkeypatch.setattr(checks.psutil, "virtual_memory", lambda: S(available=2**50))
    monkeypatch.setattr(checks, "_free_in_group", lambda group: float("inf"))
    monkeypatch.setenv("MEM_LIMIT", str(2 * 10**9))
    assert checks.free_memory_gb() == 1.5
    monkeypatch.delenv("MEM_LIMIT")
    assert checks.free_memory_gb() == 2**50 / 1e9
