"""The recorded trainings, and the tool that makes them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mnist_helpers import hold_out, load_answers, load_records
from tools.measure import record as tool


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, comment="#")


@pytest.fixture(scope="class")
def data():
    """A few random images, and recipes of one epoch, on blocks of 400 images."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2_700, 28, 28), dtype="uint8")
    labels = random.integers(0, 10, 2_700, dtype="uint8")
    train = {"x_train": images[:2_500], "y_train": labels[:2_500]}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("dense", "final-compact", "block-dense", "scrambled-dense"):
            recipe = tool.RECIPES[name]
            quick = replace(recipe, epochs=1, block=400 if recipe.block else 0)
            patch.setitem(tool.RECIPES, name, quick)
        test = {"x_test": images[2_500:], "y_test": labels[2_500:]}
        yield SimpleNamespace(name="MNIST", **train, **test)


@pytest.fixture(scope="class")
def path(data, tmp_path_factory):
    """A file of records; the work was stopped, and resumed."""
    path = tmp_path_factory.mktemp("records") / "mnist.csv"
    tool.record(data, path, {"dense": 1, "final-compact": 1})
    tool.record(data, path, {"dense": 2, "final-compact": 1, "block-dense": 1})
    return path


class TestRecording:
    def test_each_missing_training_is_a_row_below_the_name_of_the_machine(self, path):
        lines, rows = path.read_text().splitlines(), read(path)
        assert [line for line in lines if line.startswith("#")] == [tool.machine()]
        assert list(rows) == tool.COLUMNS and set(rows["data"]) == {"MNIST"}
        trained = rows[["network", "seed", "epochs", "train_images"]].to_numpy().tolist()
        assert trained[:2] == [["dense", 0, 1, 2_000], ["final-compact", 0, 1, 2_500]]
        assert trained[2:] == [["dense", 1, 1, 2_000], ["block-dense", 1, 1, 400]]  # from seed 1
        # A training on all images has none left to validate with.
        assert rows["valid_accuracy"].isna().tolist() == [False, True, False, False]
        assert rows["valid_accuracy"].max() < 0.3 and rows["test_accuracy"].min() >= 0
        assert rows["test_loss"][0] > 2

    def test_the_images_that_were_right_are_kept_as_bits(self, path):
        answers, rows = np.load(path.with_name("answers.npz")), read(path)
        assert list(answers) == ["MNIST/dense/0", "MNIST/dense/1"]
        right = np.unpackbits([answers[name] for name in answers], axis=1, count=700)
        assert_agreement(rows[rows["network"] == "dense"], right, test_images=200)

    def test_check_notices_a_row_that_cannot_be_repeated(self, data, path, capsys):
        assert tool.check(data, path, 1)
        table = read(path)
        table["test_accuracy"] += 0.5
        table.to_csv(path.with_name("wrong.csv"), index=False)
        assert not tool.check(data, path.with_name("wrong.csv"), 1)
        assert "NOT the same" in capsys.readouterr().out

    def test_each_seed_has_its_own_block_and_scrambling_only_moves_pixels(self, data):
        blocks = [("block-dense", 1), ("block-dense", 2), ("scrambled-dense", 1)]
        blocks = [tool.images_for(data, tool.RECIPES[name], seed) for name, seed in blocks]
        for part, whole in enumerate(hold_out(data)[:2]):  # images and labels
            found = np.concatenate([blocks[0][part], blocks[1][part]])
            assert np.array_equal(found, whole[:800])
        first, _, scrambled = (block[0] for block in blocks)
        assert np.array_equal(tool.scramble(first), scrambled)
        assert not np.array_equal(first, scrambled)
        assert np.array_equal(np.sort(first, axis=None), np.sort(scrambled, axis=None))


def assert_agreement(rows, right: np.ndarray, test_images: int) -> None:
    """What was right gives the accuracies of its rows: the test images come first."""
    parts = {"test_accuracy": right[:, :test_images], "valid_accuracy": right[:, test_images:]}
    for column, part in parts.items():
        assert part.mean(axis=1) == pytest.approx(rows[column].to_numpy(), abs=1e-6)


class TestRecords:
    def test_answers_come_in_the_order_of_the_seeds_and_agree_with_the_accuracies(self):
        table = load_records().query("network in @tool.WITH_ANSWERS and seed < 10")
        for contestant, rows in table.groupby(["data", "network"]):
            right = load_answers(*contestant)
            assert right.shape == (len(rows), 22_000) and right.dtype == bool
            assert_agreement(rows.sort_values("seed"), right, test_images=10_000)
        with pytest.raises(KeyError, match="no answers of nobody on MNIST"):
            load_answers("MNIST", "nobody")

    @pytest.mark.parametrize("data", ["MNIST", "offline digits"])
    def test_every_network_is_there_with_all_its_seeds(self, data):
        table = load_records().query("data == @data").groupby("network")["seed"].apply(sorted)
        for name, recipe in tool.RECIPES.items():
            first, count = int(recipe.block > 0), recipe.seeds[data != "MNIST"]
            assert table.get(name, []) == list(range(first, first + count)), name

    def test_every_row_is_a_training_by_its_recipe(self):
        table = load_records()
        assert list(table.columns) == tool.COLUMNS
        assert not table.duplicated(["data", "network", "seed"]).any()
        for name, rows in table.groupby("network"):
            recipe = tool.RECIPES[name]
            network = recipe.network()
            assert (network.input_shape, network.output_shape) == ((None, 28, 28), (None, 10)), name
            images = 60_000 if recipe.all_images else recipe.block or 48_000
            assert (rows["train_images"] == images).all()
            assert (rows["epochs"] == recipe.epochs).all()
            assert (rows["valid_accuracy"].isna() == recipe.all_images).all()
            assert rows["test_accuracy"].between(0.88 if recipe.block else 0.94, 0.998).all()
