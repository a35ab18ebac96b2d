"""Progress, and networks kept between notebooks."""

import json
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from scipy.stats import binomtest

from mnist_helpers import (
    FitProgress,
    accuracy_interval,
    build_dense,
    hold_out,
    keras,
    load_or_train,
    load_run,
    prediction_interval,
    progress,
    report_result,
    results,
    save_run,
)
from mnist_helpers.data import Mnist

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
        assert "No dense network was kept" in capsys.readouterr().out

    def test_other_settings_are_recognised(self, artifacts, network, capsys):
        save_run("dense", network, HISTORY, SETTINGS)
        assert load_run("dense", SETTINGS | {"data": "MNIST"}) is None
        assert "other settings" in capsys.readouterr().out

    def test_saving_again_leaves_one_file(self, artifacts, network):
        save_run("dense", network, HISTORY, SETTINGS)
        save_run("dense", build_dense(), HISTORY, SETTINGS)
        assert [path.name for path in artifacts.iterdir()] == ["dense.keras"]

    @pytest.mark.parametrize("damage", [0, 1_000, -1, "a changed weight"])
    def test_a_truncated_or_changed_file_is_recognised(self, artifacts, network, capsys, damage):
        save_run("dense", network, HISTORY, SETTINGS)
        kept = artifacts / "dense.keras"
        content = bytearray(kept.read_bytes())
        if damage == "a changed weight":
            weights = network.get_layer("hidden_2").get_weights()[0].tobytes()
            content[content.index(weights)] ^= 1
        else:
            del content[damage:]
        kept.write_bytes(content)
        assert load_run("dense", SETTINGS) is None
        assert "its file is damaged" in capsys.readouterr().out

    def test_a_network_of_someone_else_is_recognised(self, artifacts, network, capsys):
        artifacts.mkdir()
        network.save(artifacts / "dense.keras")
        assert load_run("dense", SETTINGS) is None
        assert "not used" in capsys.readouterr().out

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
        with zipfile.ZipFile(artifacts / "dense.keras") as archive:
            assert "__lambda__" in archive.read("config.json").decode()
        assert load_run("dense", SETTINGS) is None
        assert not trap.exists()
        assert "not used" in capsys.readouterr().out

    @pytest.mark.parametrize("version, loads", [("3.10.0", False), ("3.11.0", True)])
    def test_a_keras_whose_safe_mode_is_not_safe_loads_nothing(
        self, artifacts, network, monkeypatch, capsys, version, loads
    ):
        save_run("dense", network, HISTORY, SETTINGS)
        monkeypatch.setattr(keras, "__version__", version)
        assert (load_run("dense", SETTINGS) is not None) is loads
        assert ("pip install 'keras>=3.11'" in capsys.readouterr().out) is not loads

    def test_a_folder_that_cannot_be_made_is_told_and_survived(
        self, tmp_path, monkeypatch, network, capsys
    ):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
        save_run("dense", network, HISTORY, SETTINGS)
        assert "could not be kept" in capsys.readouterr().out


class TestLoadOrTrain:
    """On 2,500 images, of which `hold_out` gives all but the first 500 to train with."""

    def data(self, x_train):
        y_train = np.arange(len(x_train)) % 10
        return Mnist("MNIST", x_train.astype("uint8"), y_train, x_train[:1], y_train[:1])

    def noise(self):
        return self.data(np.random.default_rng(1).integers(0, 256, (2_500, 28, 28)))

    def call(self, epochs=1, data=None):
        options = {"batch_size": 100, "train_images": 200, "seed": 1}
        return load_or_train("dense", build_dense, data or self.noise(), epochs=epochs, **options)

    def test_without_a_kept_network_it_trains_one(self, artifacts, capsys):
        network, history = self.call(epochs=2)
        assert "No dense network was kept." in capsys.readouterr().out
        assert len(history["val_loss"]) == len(history["seconds"]) == 2
        assert network.optimizer.iterations == 2 * 2  # 200 images in batches of 100

    def test_it_trains_on_the_first_of_the_images_that_hold_out_gives(self, artifacts):
        images = np.zeros((2_500, 28, 28))
        images[500:700, 0, 0] = images[700:, 0, 1] = images[:500, 0, 2] = 255
        network, _ = self.call(data=self.data(images))
        keras.utils.set_random_seed(1)
        before, after = (n.get_layer("hidden_1").get_weights()[0] for n in (build_dense(), network))
        # Only the weights of a pixel with ink in an image that is trained on are changed.
        assert np.flatnonzero((before != after).any(axis=1)).tolist() == [0]

    def test_it_validates_with_all_images_that_hold_out_gives_for_that(self, artifacts):
        network, history = self.call()
        _, _, x_valid, y_valid = hold_out(self.noise())
        loss, _ = network.evaluate(x_valid, keras.utils.to_categorical(y_valid, 10), verbose=0)
        assert len(x_valid) == 500 and history["val_loss"] == [pytest.approx(loss, rel=1e-4)]

    def test_with_the_same_settings_it_gives_the_kept_one(self, artifacts):
        network, history = self.call()
        settings = {"data": "MNIST", "epochs": 1, "batch_size": 100}
        save_run("dense", network, history, settings | {"train_images": 200, "seed": 1})
        again, kept_history = self.call()
        assert kept_history == history
        assert all(map(np.array_equal, again.get_weights(), network.get_weights()))
        assert self.call(epochs=2)[1] != history


def train(network, metrics=("accuracy",), steps_per_execution=1, batch_size=None, **options):
    network.compile(
        "sgd",
        "categorical_crossentropy",
        metrics=list(metrics),
        steps_per_execution=steps_per_execution,
    )
    pixels = np.zeros((20, 28, 28), dtype="uint8")
    labels = keras.utils.to_categorical(np.arange(20) % 10, 10)
    options |= {"verbose": 0, "callbacks": [FitProgress()], "batch_size": batch_size}
    return network.fit(pixels, labels, **options).history


class TestProgress:
    @pytest.fixture
    def lines(self, shown, network, monkeypatch):
        """Trains, and gives every line that was shown, the record that stays as the last."""
        monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0)

        def lines(**options) -> list[str]:
            outputs = shown(train, network, **options)
            return [output.data["text/plain"] for output in outputs]

        return lines

    def test_the_history_tells_the_seconds_of_every_epoch(self, network):
        first, second, third = train(network, epochs=3)["seconds"]
        assert 0 < first < second < third

    def test_the_record_that_stays_is_short_and_tells_the_last_epoch(self, lines, network):
        first, second, third = lines(epochs=2, validation_split=0.2)[-1].splitlines()
        history = network.history.history
        assert first.startswith("2 epochs in ")
        for line, prefix in [(second, ""), (third, "val_")]:
            assert f"loss {history[prefix + 'loss'][-1]:.4f}" in line
            assert f"accuracy {history[prefix + 'accuracy'][-1]:.4f}" in line

    @pytest.mark.parametrize("metrics", [["acc"], [], ["mae", "top_k_categorical_accuracy"]])
    def test_whatever_is_measured_is_shown(self, lines, metrics):
        _, live, record = lines(metrics=metrics, validation_split=0.2)
        training, validation = record.splitlines()[1:]
        for line in (live, training, validation):
            assert re.findall(r"([a-z_]+) \d\.\d{4}", line) == ["loss", *metrics]

    def test_a_metric_of_many_numbers_is_left_out(self, lines):
        record = lines(metrics=[keras.metrics.F1Score()])[-1]
        assert "loss" in record and "f1" not in record

    def test_the_time_left_is_never_negative(self, lines):
        # Seven steps an epoch, five a call: the second call counts ten.
        live = lines(epochs=3, batch_size=3, steps_per_execution=5)[1:-1]
        left = [int(re.search(r"about (-?\d+) s left", line)[1]) for line in live]
        assert len(left) == 6 and min(left) >= 0 == left[-1]

    def test_a_network_that_was_trained_is_not_trained_on(self, network):
        train(network)
        before = network.get_weights()
        with pytest.raises(RuntimeError, match="run the cells again from the one that builds it"):
            train(network)  # compiled anew, but with the old weights
        assert all(map(np.array_equal, before, network.get_weights()))


class TestHistoryOfAnotherTraining:
    """Cells run out of order: the network is not the one that the history tells of."""

    def test_it_is_neither_reported_nor_kept(self, artifacts, network):
        history = train(network)
        other = build_dense()
        train(other)
        with pytest.raises(ValueError, match="history is of another training"):
            report_result("dense", other, history, 0.2, 96, 100)
        with pytest.raises(ValueError, match="history is of another training"):
            save_run("dense", other, history, SETTINGS)
        assert not artifacts.exists()

    def test_the_networks_own_history_is_reported_and_kept(self, artifacts, network):
        history = train(network)
        network.evaluate(np.zeros((2, 28, 28)), np.eye(10)[:2], verbose=0)
        report_result("dense", network, history, 0.2, 96, 100)
        save_run("dense", network, history, SETTINGS)
        assert load_run("dense", SETTINGS)


class TestReport:
    def test_a_result_is_shown_and_can_be_read_by_programs(self, network, shown):
        options = {"test_loss": 0.2, "correct": 96, "total": 100}
        (output,) = shown(report_result, "dense", network, HISTORY, **options)
        assert "96.00% of 100 test images" in output.data["text/plain"]
        report = json.loads(json.dumps(output.data[results.RESULT_TYPE]))
        assert report["test_accuracy"] == 0.96 and report["parameters"] == 20_535


PROGRAM = """
import numpy as np
from mnist_helpers import FitProgress, build_dense, report_result
network = build_dense()
network.compile("sgd", "sparse_categorical_crossentropy")
images = np.zeros((20, 28, 28), dtype="uint8")
options = {"epochs": 2, "verbose": 0, "callbacks": [FitProgress()]}
history = network.fit(images, np.zeros(20), **options).history
report_result("dense", network, history, test_loss=0.2, correct=96, total=100)
"""


@pytest.mark.slow
def test_a_program_that_is_no_notebook_prints_the_records_alone():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert first.startswith("2 epochs in ") and second.startswith("training images: ")
    assert third.startswith("dense: 96.00% of 100 test images right (95 % interval ")


@pytest.mark.parametrize("correct, total", [(0, 1), (5, 10), (9_593, 10_000), (10_000, 10_000)])
def test_the_interval_of_an_accuracy_is_scipys(correct, total):
    expected = binomtest(correct, total).proportion_ci(0.95, method="wilson")
    assert accuracy_interval(correct, total) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_one_more_value_lies_in_the_prediction_interval_as_often_as_it_says(level):
    *before, after = np.random.default_rng(1).normal(97, 0.2, (6, 4_000))
    intervals = [prediction_interval(values, level) for values in np.transpose(before)]
    inside = [low < value < high for (low, high), value in zip(intervals, after, strict=True)]
    assert np.mean(inside) == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize("correct, total", [(-1, 10), (11, 10), (0, 0)])
def test_an_accuracy_above_all_or_below_none_has_no_interval(correct, total):
    with pytest.raises(ValueError, match="need 0 <= correct <= total"):
        accuracy_interval(correct, total)
