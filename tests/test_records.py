"""The recorded trainings, and the tool that makes them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import record as tool

from mnist_helpers import (
    build_cnn,
    build_compact_cnn,
    hold_out,
    keras,
    load_records,
    shuffled_batches,
)
from mnist_helpers.data import Mnist

QUICK_ONES = ("dense", "compact", "final-compact")
QUICK = {name: replace(tool.RECIPES[name], epochs=1) for name in QUICK_ONES}
QUICK |= {
    name: replace(tool.RECIPES[name], epochs=1, block=400)
    for name in ("block-dense", "scrambled-dense")
}


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

    def test_eight_combinations_are_all_there_is_of_three_factors(self):
        combinations = [name for name in tool.RECIPES if name.startswith("factorial-")]
        assert len(combinations) == 7  # and the last rung of the ladder, which has none of them
        last, most = tool.RECIPES["ladder-small-batches"], tool.RECIPES[max(combinations, key=len)]
        kinds = [type(layer).__name__ for layer in last.build().layers]
        more = [type(layer).__name__ for layer in most.build().layers]
        assert sorted(more) == sorted([*kinds, "Dropout", "RandomTranslation"])
        assert (last.smoothing, most.smoothing) == (0, 0.05)
        assert replace(most, build=last.build, smoothing=0.0) == last

    def test_pooling_leaves_a_quarter_of_the_places(self):
        shapes = [layer.output.shape[1] for layer in tool.cnn_with_pooling().layers]
        assert 24 * 24 * 20 // 4 in shapes and 24 * 24 * 20 not in shapes

    def test_two_layers_are_the_cnn(self):
        assert tool.cnn_with(2).count_params() == build_cnn().count_params()

    @pytest.mark.parametrize("kind", ["RandomTranslation", "BatchNormalization"])
    def test_what_is_left_out_is_all_that_is_left_out(self, kind):
        kinds = [type(layer).__name__ for layer in build_compact_cnn().layers]
        left = tool.compact_with(getattr(keras.layers, kind)).layers
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

    def test_each_seed_has_a_block_of_training_images_of_its_own(self, data, tmp_path, monkeypatch):
        x_train, _, _, _ = hold_out(data)
        seen = []

        def look(images, labels, batch_size):
            seen.append(images)
            return shuffled_batches(images, labels, batch_size)

        monkeypatch.setattr(tool, "shuffled_batches", look)
        tool.record(data, tmp_path, {"block-dense": 2, "scrambled-dense": 1})
        rows = [("block-dense", 1), ("scrambled-dense", 1), ("block-dense", 2)]
        assert trained(tmp_path) == rows
        first, scrambled, second = seen
        assert np.array_equal(np.concatenate([first, second]), x_train[:800])
        assert np.array_equal(tool.scramble(first), scrambled)
        assert not np.array_equal(first, scrambled)
        assert np.array_equal(np.sort(first, axis=None), np.sort(scrambled, axis=None))

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

    def test_which_images_were_right_is_kept_as_bits(self, data, tmp_path):
        tool.record(data, tmp_path, {"dense": 2, "final-compact": 1})
        answers = tool.read_answers(tmp_path / "answers.npz")
        assert list(answers) == ["MNIST/dense/0", "MNIST/dense/1"]
        table = pd.read_csv(tmp_path / "mnist.csv", comment="#")
        assert_agreement(table, answers, test_images=200, valid_images=500)

    def test_check_tells_a_row_that_cannot_be_repeated(self, data, tmp_path, capsys):
        tool.record(data, tmp_path, {"dense": 2, "final-compact": 2})
        assert tool.check(data, tmp_path, 4)
        path = tmp_path / "mnist.csv"
        table = pd.read_csv(path, comment="#")
        table[["valid_accuracy", "test_accuracy"]] += 0.5
        table.to_csv(path, index=False)
        assert not tool.check(data, tmp_path, 1)
        assert "NOT the same" in capsys.readouterr().out


def assert_agreement(table, answers: dict, test_images: int, valid_images: int) -> None:
    """The bits of each training give the accuracies of its row."""
    rows = table.set_index(["data", "network", "seed"])
    for name, bits in answers.items():
        data, network, seed = name.split("/")
        row = rows.loc[data, network, int(seed)]
        right = np.unpackbits(bits)
        valid = right[test_images : test_images + valid_images]
        assert right[:test_images].mean() == pytest.approx(row["test_accuracy"], abs=1e-6)
        assert valid.mean() == pytest.approx(row["valid_accuracy"], abs=1e-6)


class TestRecords:
    def test_the_bits_agree_with_the_accuracies_beside_them(self):
        table, answers = load_records(), tool.read_answers(tool.FOLDER / "answers.npz")
        assert_agreement(table, answers, test_images=10_000, valid_images=12_000)
        full = table[table["network"].isin(tool.WITH_ANSWERS)]
        names = full["data"] + "/" + full["network"] + "/" + full["seed"].astype(str)
        assert set(names) == set(answers)

    def test_every_network_is_there_with_all_its_seeds(self):
        counts = load_records().groupby(["data", "network"]).size()
        for name, seeds in [("MNIST", tool.SEEDS), ("offline digits", tool.OFFLINE_SEEDS)]:
            assert counts[name].to_dict() == seeds

    def test_every_row_is_a_training_by_its_recipe(self):
        table = load_records()
        assert list(table.columns) == tool.COLUMNS
        assert not table.duplicated(["data", "network", "seed"]).any()
        for name, rows in table.groupby("network"):
            recipe = tool.RECIPES[name]
            images = 60_000 if recipe.all_images else recipe.block or 48_000
            assert (rows["train_images"] == images).all()
            assert (rows["epochs"] == recipe.epochs).all()
            assert (rows["valid_accuracy"].isna() == recipe.all_images).all()
            assert rows["test_accuracy"].between(0.88 if recipe.block else 0.94, 0.998).all()

    @pytest.mark.parametrize("name", ["MNIST", "offline digits"])
    def test_every_block_has_every_network_that_the_notebooks_compare_on_blocks(self, name):
        table = load_records().query("data == @name").groupby("network")["seed"].apply(sorted)
        for network, count in tool.ON_BLOCKS.items():
            assert table[network] == list(range(1, count + 1))
