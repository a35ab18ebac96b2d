"""Progress, networks kept between notebooks, and results."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from mnist_helpers import build_dense, hold_out, keras, results, training
from mnist_helpers.data import Mnist
from mnist_helpers.kept import load_or_train, load_run, save_run
from mnist_helpers.results import accuracy_interval, prediction_interval, report_result
from mnist_helpers.training import FitProgress

SETTINGS = {"data": "offline digits", "epochs": 1}
HISTORY = {"loss": [1.0], "seconds": [0.5]}


@pytest.fixture
def network():
    return build_dense()


class TestKeptNetworks:
    def test_a_kept_network_gives_the_same_answers_and_its_history(self, artifacts, network):
        save_run("dense", build_dense(), HISTORY, SETTINGS)
        save_run("dense", network, HISTORY, SETTINGS)
        assert [path.name for path in artifacts.iterdir()] == ["dense.keras"]
        loaded, history = load_run("dense", SETTINGS)
        pixels = np.random.default_rng(1).integers(0, 256, (5, 28, 28), dtype="uint8")
        assert np.allclose(loaded.predict(pixels, verbose=0), network.predict(pixels, verbose=0))
        assert history == HISTORY

    def assert_refused(self, capsys, reason: str, settings: dict = SETTINGS) -> None:
        assert load_run("dense", settings) is None
        printed = capsys.readouterr().out
        assert "not used" in printed and reason in printed

    def test_what_does_not_fit_is_refused(self, artifacts, network, capsys, monkeypatch):
        other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        save_run("dense", other, HISTORY, SETTINGS)
        self.assert_refused(capsys, "another kind of network")
        network.save(artifacts / "dense.keras")
        self.assert_refused(capsys, "or something else")
        save_run("dense", network, HISTORY, SETTINGS)
        self.assert_refused(capsys, "other settings", SETTINGS | {"data": "MNIST"})
        monkeypatch.setattr(keras, "__version__", "3.10.0")  # whose safe mode is not safe
        self.assert_refused(capsys, "pip install 'keras>=3.11'")

    def test_a_file_cut_short_or_with_a_changed_weight_is_refused(self, artifacts, network, capsys):
        save_run("dense", network, HISTORY, SETTINGS)
        kept = artifacts / "dense.keras"
        whole = kept.read_bytes()
        changed, weights = bytearray(whole), network.get_layer("hidden_2").get_weights()[0]
        changed[whole.index(weights.tobytes())] ^= 1
        for damaged in (whole[:-1], changed):
            kept.write_bytes(damaged)
            self.assert_refused(capsys, "its file is damaged")

    def test_a_file_made_to_run_code_is_refused_and_runs_none(self, artifacts, tmp_path, capsys):
        trap = tmp_path / "was_run"
        code = f"lambda x: __import__('pathlib').Path({str(trap)!r}).touch() or x"
        layers = keras.layers
        harmful = [layers.Flatten(), layers.Dense(10), layers.Lambda(eval(code), (10,))]
        save_run("dense", keras.Sequential([keras.Input((28, 28)), *harmful]), HISTORY, SETTINGS)
        trap.unlink(missing_ok=True)  # building the network may run it
        with zipfile.ZipFile(artifacts / "dense.keras") as archive:
            assert "__lambda__" in archive.read("config.json").decode()
        self.assert_refused(capsys, "")
        assert not trap.exists()

    def test_what_cannot_be_kept_is_reported(self, tmp_path, monkeypatch, network, capsys):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("MNIST_ARTIFACTS", str(tmp_path / "file" / "artifacts"))
        save_run("dense", network, HISTORY, SETTINGS)
        assert "could not be kept" in capsys.readouterr().out


def train_or_load(epochs=1, build=build_dense):
    """On 2,500 images: those to validate with, to train with and left over have a pixel each."""
    images, labels = np.zeros((2_500, 28, 28), "uint8"), np.arange(2_500) % 10
    images[:500, 0, 2] = images[500:700, 0, 0] = images[700:, 0, 1] = 255
    data = Mnist("MNIST", images, labels, images[:1], labels[:1])
    options = {"batch_size": 100, "train_images": 200, "seed": 1}
    return load_or_train("dense", build, data, epochs=epochs, **options), data


def test_without_a_kept_network_one_is_trained_on_the_first_images_and_validated(artifacts, capsys):
    (network, history), data = train_or_load(epochs=2)
    assert "No dense network was kept." in capsys.readouterr().out
    assert len(history["val_loss"]) == len(history["seconds"]) == 2
    assert network.optimizer.iterations == 2 * 2  # 200 images in batches of 100
    keras.utils.set_random_seed(1)
    before, after = (n.get_layer("hidden_1").get_weights()[0] for n in (build_dense(), network))
    # Only the weights of a pixel with ink in an image that is trained on are changed.
    assert np.flatnonzero((before != after).any(axis=1)).tolist() == [0]
    _, _, x_valid, y_valid = hold_out(data)
    loss, _ = network.evaluate(x_valid, keras.utils.to_categorical(y_valid, 10), verbose=0)
    assert len(x_valid) == 500 and history["val_loss"][1] == pytest.approx(loss, rel=1e-4)


def test_with_the_same_settings_the_kept_network_is_loaded(artifacts):
    (network, history), _ = train_or_load()
    settings = {"data": "MNIST", "epochs": 1, "batch_size": 100}
    save_run("dense", network, history, settings | {"train_images": 200, "seed": 1})
    (again, kept_history), _ = train_or_load(build=None)
    assert kept_history == history
    assert all(map(np.array_equal, again.get_weights(), network.get_weights()))
    assert train_or_load(epochs=2, build=None)[0] is None


def train(network, metrics=("accuracy",), **options):
    network.compile("sgd", "categorical_crossentropy", metrics=list(metrics))
    pixels = np.zeros((20, 28, 28), dtype="uint8")
    labels = keras.utils.to_categorical(np.arange(20) % 10, 10)
    return network.fit(pixels, labels, verbose=0, callbacks=[FitProgress()], **options).history


class TestProgress:
    @pytest.fixture
    def lines(self, shown, network, monkeypatch):
        """Trains, and gives every line that was shown, the record that stays as the last."""
        monkeypatch.setattr(training, "SECONDS_BETWEEN", 0)

        def lines(**options) -> list[str]:
            outputs = shown(train, network, **options)
            return [output.data["text/plain"] for output in outputs]

        return lines

    def test_the_record_that_stays_is_of_the_last_epoch_and_has_the_seconds(self, lines, network):
        first, second, third = lines(epochs=2, validation_split=0.2)[-1].splitlines()
        history = network.history.history
        assert 0 < history["seconds"][0] < history["seconds"][1]
        assert first.startswith("2 epochs in ")
        for line, prefix in [(second, ""), (third, "val_")]:
            assert f"loss {history[prefix + 'loss'][-1]:.4f}" in line
            assert f"accuracy {history[prefix + 'accuracy'][-1]:.4f}" in line

    @pytest.mark.parametrize("metrics", [[], ["mae", keras.metrics.F1Score()]])
    def test_all_single_numbers_are_shown_the_loss_first(self, lines, metrics):
        _, live, record = lines(metrics=metrics, validation_split=0.2)
        for line in (live, *record.splitlines()[1:]):
            assert re.findall(r"([a-z_]+) \d\.\d{4}", line) == ["loss", *metrics[:1]]


class TestResults:
    def test_a_result_is_shown_and_can_be_read_by_programs(self, network, shown):
        history = train(network)
        network.evaluate(np.zeros((2, 28, 28)), np.eye(10)[:2], verbose=0)
        right, writer = np.arange(100) >= 4, np.arange(100) // 2
        (output,) = shown(report_result, "dense", network, history, 0.2, right, writer)
        line, (low, high) = output.data["text/plain"], accuracy_interval(right, writer)
        assert f"96.00% of 100 test images right (95 % interval {low:.2%} to {high:.2%})" in line
        report = json.loads(json.dumps(output.data[results.RESULT_TYPE]))
        assert report["test_accuracy"] == 0.96 and report["parameters"] == 20_535

    def test_a_history_of_another_training_is_not_reported(self, network):
        history = train(network)
        other = build_dense()
        train(other)
        with pytest.raises(ValueError, match="history is of another training"):
            report_result("dense", other, history, 0.2, [True, False], [1, 2])

    def test_the_interval_holds_the_truth_in_95_of_100_cases_when_writers_are_drawn_anew(self):
        with np.load(Path(results.__file__).with_name("writers.npz")) as file:
            people, writer = np.unique(file["test"], return_inverse=True)
        # Whoever wrote them differs so much that the error is 1.7 times that of separate images.
        random, truth, inside = np.random.default_rng(1), 0.957, []
        for _ in range(1_000):
            accuracies = random.beta(33 * truth, 33 * (1 - truth), len(people))
            low, high = accuracy_interval(random.random(10_000) < accuracies[writer], writer)
            inside.append(low < truth < high)
        assert 0.93 < np.mean(inside) < 0.97

    def test_of_writers_of_one_image_each_the_interval_is_scipys_of_wilson(self):
        writer = np.arange(10_000)
        for correct in (3, 5_000, 9_593):
            expected = binomtest(correct, 10_000).proportion_ci(method="wilson")
            found = accuracy_interval(writer < correct, writer)
            assert found == pytest.approx((expected.low, expected.high), abs=1e-5)
        low, high = accuracy_interval(writer < 10_000, writer // 40)  # all right, by 250 writers
        assert 0.98 < low < 0.99 and high == 1
        for answers, writers in [([1, 0], [1, 2, 3]), ([1, 0, 1], [7, 7, 7])]:
            with pytest.raises(ValueError, match=f"{len(answers)} answers, . writers of 3 images"):
                accuracy_interval(answers, writers)

    def test_one_more_value_lies_in_the_prediction_interval_as_often_as_it_says(self):
        *before, after = np.random.default_rng(1).normal(97, 0.2, (6, 4_000))
        intervals = np.array([prediction_interval(values, 0.8) for values in np.transpose(before)])
        inside = (intervals[:, 0] < after) & (after < intervals[:, 1])
        assert inside.mean() == pytest.approx(0.8, abs=0.02)
