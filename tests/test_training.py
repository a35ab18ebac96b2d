"""Progress, and networks kept between notebooks."""

import json
import zipfile

import numpy as np
import pytest

from mnist_helpers import FitProgress, build_dense, keras, load_run, report_result, save_run
from mnist_helpers.training import RESULT_TYPE

SETTINGS = {"data": "offline digits", "epochs": 1}
HISTORY = {"loss": [1.0], "seconds": [0.5]}


@pytest.fixture
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


@pytest.fixture
def network():
    return build_dense()


class TestKeptNetworks:
    def test_a_kept_network_gives_the_same_answers(self, artifacts, network):
        save_run("dense", network, HISTORY, SETTINGS)
        loaded, history = load_run("dense", SETTINGS)
        pixels = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype="uint8")
        assert np.allclose(loaded.predict(pixels, verbose=0), network.predict(pixels, verbose=0))
        assert history == HISTORY

    def test_without_a_kept_network_there_is_none(self, artifacts, capsys):
        assert load_run("dense", SETTINGS) is None
        assert "No kept dense network" in capsys.readouterr().out

    def test_other_settings_are_recognised(self, artifacts, network, capsys):
        save_run("dense", network, HISTORY, SETTINGS)
        assert load_run("dense", SETTINGS | {"data": "MNIST"}) is None
        assert "other settings" in capsys.readouterr().out

    def test_saving_again_leaves_one_network(self, artifacts, network):
        save_run("dense", network, HISTORY, SETTINGS)
        save_run("dense", build_dense(), HISTORY, SETTINGS)
        assert len(list(artifacts.iterdir())) == 2

    def test_a_truncated_file_is_recognised(self, artifacts, network, capsys):
        save_run("dense", network, HISTORY, SETTINGS)
        kept = next(artifacts.glob("*.keras"))
        kept.write_bytes(kept.read_bytes()[:1000])
        assert load_run("dense", SETTINGS) is None
        assert "damaged" in capsys.readouterr().out

    def test_broken_json_is_recognised(self, artifacts, network):
        save_run("dense", network, HISTORY, SETTINGS)
        (artifacts / "dense.json").write_text('{"settings": ')
        assert load_run("dense", SETTINGS) is None

    def test_a_network_of_another_shape_is_refused(self, artifacts, capsys):
        other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        save_run("dense", other, HISTORY, SETTINGS)
        assert load_run("dense", SETTINGS) is None
        assert "another kind of network" in capsys.readouterr().out

    def test_a_file_made_to_run_code_is_refused(self, artifacts, tmp_path, capsys):
        trap = tmp_path / "was_run"
        layers = [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)]
        harmful = keras.Sequential(layers)
        code = f"__import__('pathlib').Path({str(trap)!r}).touch() or x"
        harmful.add(keras.layers.Lambda(eval(f"lambda x: {code}"), output_shape=(10,)))
        trap.unlink(missing_ok=True)
        save_run("dense", harmful, HISTORY, SETTINGS)
        trap.unlink(missing_ok=True)
        with zipfile.ZipFile(next(artifacts.glob("*.keras"))) as archive:
            assert "__lambda__" in archive.read("config.json").decode()
        assert load_run("dense", SETTINGS) is None
        assert not trap.exists()
        assert "not used" in capsys.readouterr().out

    def test_a_folder_that_cannot_be_made_is_told_and_survived(
        self, tmp_path, monkeypatch, network, capsys
    ):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
        save_run("dense", network, HISTORY, SETTINGS)
        assert "could not be kept" in capsys.readouterr().out


class TestProgress:
    def test_the_history_tells_the_seconds_of_every_epoch(self, network):
        network.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
        pixels = np.zeros((20, 28, 28), dtype="uint8")
        labels = keras.utils.to_categorical(np.arange(20) % 10, 10)
        fit = network.fit(pixels, labels, epochs=3, verbose=0, callbacks=[FitProgress()])
        seconds = fit.history["seconds"]
        assert len(seconds) == 3
        assert 0 < seconds[0] < seconds[1] < seconds[2]


class TestReport:
    def test_a_result_is_shown_and_can_be_read_by_programs(self, network, monkeypatch):
        shown = []
        monkeypatch.setattr("mnist_helpers.training.display", lambda data, raw: shown.append(data))
        report_result("dense", network, HISTORY, test_loss=0.2, correct=96, total=100)
        assert "96.00% of 100 test images" in shown[0]["text/plain"]
        report = json.loads(json.dumps(shown[0][RESULT_TYPE]))
        assert report["test_accuracy"] == 0.96 and report["parameters"] == 20_535
