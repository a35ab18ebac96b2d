"""The recorded trainings, and the tool that makes them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import record as tool

from mnist_helpers import build_cnn, build_compact_cnn, keras, load_records
from mnist_helpers.data import Mnist

QUICK_ONES = ("dense", "compact", "final-compact")
QUICK = {name: replace(tool.RECIPES[name], epochs=1) for name in QUICK_ONES}


@pytest.fixture
def data(monkeypatch) -> Mnist:
    """A few random images, and recipes of one epoch."""
    monkeypatch.setattr(tool, "RECIPES", QUICK)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2_700, 28, 28), dtype="uint8")
    labels = random.integers(0, 10, 2_700, dtype="uint8")
    return Mnist("MNIST", images[:2_500], labels[:2_500], images[2_500:], labels[2_500:])


def trained(folder) -> list[tuple[str, int]]:
    table = pd.read_csv(folder / "mnist.csv", comment="#")
    return list(zip(table["network"], table["seed"], strict=True))


class TestRecipes:
    @pytest.mark.parametrize("name", tool.RECIPES)
    def test_every_network_takes_images_and_gives_ten_probabilities(self, name):
        network = tool.RECIPES[name].build()
        assert (network.input_shape, network.output_shape) == ((None, 28, 28), (None, 10))

    def test_two_layers_are_the_cnn(self):
        assert tool.cnn_with(2).count_params() == build_cnn().count_params()

    @pytest.mark.parametrize("kind", ["RandomTranslation", "BatchNormalization"])
    def test_what_is_left_out_is_all_that_is_left_out(self, kind):
        kinds = [type(layer).__name__ for layer in build_compact_cnn().layers]
        left = tool.compact_without(getattr(keras.layers, kind)).layers
        assert [type(layer).__name__ for layer in left] == [k for k in kinds if k != kind]

    def test_what_is_added_is_all_that_is_added(self):
        kinds = [type(layer).__name__ for layer in build_compact_cnn().layers]
        more = tool.RECIPES["compact-and-dropout"].build().layers
        assert [type(layer).__name__ for layer in more] == [*kinds[:-1], "Dropout", kinds[-1]]


class TestRecording:
    def test_each_training_is_a_row_with_what_it_gave(self, data, tmp_path):
        tool.record(data, tmp_path, {"dense": 1})
        (row,) = pd.read_csv(tmp_path / "mnist.csv", comment="#").to_dict("records")
        assert list(row) == tool.COLUMNS
        assert (row["data"], row["network"], row["seed"]) == ("MNIST", "dense", 0)
        assert (row["epochs"], row["train_images"]) == (1, 2_000)
        assert 0 <= row["valid_accuracy"] < 0.3 and row["test_loss"] > 2

    def test_a_training_on_all_images_has_none_left_to_validate_with(self, data, tmp_path):
        tool.record(data, tmp_path, {"final-compact": 1})
        (row,) = pd.read_csv(tmp_path / "mnist.csv", comment="#").to_dict("records")
        assert row["train_images"] == 2_500
        assert np.isnan(row["valid_accuracy"]) and row["test_accuracy"] >= 0

    def test_the_file_names_machine_and_versions(self, data, tmp_path):
        tool.record(data, tmp_path, {"dense": 1})
        assert (tmp_path / "mnist.csv").read_text().splitlines()[1] == f"# {tool.machine()}"

    def test_only_what_is_missing_is_trained(self, data, tmp_path, capsys):
        tool.record(data, tmp_path, {"dense": 1})
        capsys.readouterr()
        tool.record(data, tmp_path, {"dense": 2, "compact": 1})
        assert capsys.readouterr().out.count("seed") == 2
        assert sorted(trained(tmp_path)) == [("compact", 0), ("dense", 0), ("dense", 1)]

    def test_half_a_row_is_dropped_and_trained_anew(self, data, tmp_path):
        tool.record(data, tmp_path, {"dense": 1})
        path = tmp_path / "mnist.csv"
        path.write_text(path.read_text() + "MNIST,dense,1,1,25")
        tool.record(data, tmp_path, {"dense": 2})
        assert trained(tmp_path) == [("dense", 0), ("dense", 1)]

    def test_check_tells_a_row_that_cannot_be_repeated(self, data, tmp_path, capsys):
        tool.record(data, tmp_path, {"dense": 2, "final-compact": 2})
        assert tool.check(data, tmp_path, 4)
        path = tmp_path / "mnist.csv"
        table = pd.read_csv(path, comment="#")
        table[["valid_accuracy", "test_accuracy"]] += 0.5
        table.to_csv(path, index=False)
        assert not tool.check(data, tmp_path, 1)
        assert "NOT the same" in capsys.readouterr().out


class TestRecords:
    def test_every_row_is_a_training_at_full_length(self):
        table = load_records()
        assert list(table.columns) == tool.COLUMNS
        on_all = table["network"] == "final-compact"
        assert (table["train_images"] == np.where(on_all, 60_000, 48_000)).all()
        assert (table["valid_accuracy"].isna() == on_all).all()
        assert not table.duplicated(["data", "network", "seed"]).any()
        for name, rows in table.groupby("network"):
            assert (rows["epochs"] == tool.RECIPES[name].epochs).all()
        assert table["test_accuracy"].between(0.94, 0.998).all()
