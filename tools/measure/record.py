"""Train the networks at full length, with many seeds, and record what each training gave.

A training adds one row to mnist_helpers/records/ as soon as it has ended. What is there already is
not trained again, so the work can be stopped at any time and resumed. `--check 3` records nothing:
it repeats three rows, chosen at random, and compares.
"""

import argparse
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import mnist_helpers as helpers
from mnist_helpers import build_cnn, build_compact_cnn, build_dense, build_wide_dense, keras
from mnist_helpers.files import write_atomically
from tools.lockfile import take_lock
from tools.machine import CPUINFO, this_machine

FOLDER = Path(helpers.__file__).with_name("records")
COLUMNS = ["data", "network", "seed", "epochs", "train_images", "seconds"]
COLUMNS += ["valid_accuracy", "test_accuracy", "test_loss"]
BATCH_SIZE = 100  # as in the notebooks, and in all predictions
# The one order into which notebook 04 scrambles the pixels.
SCRAMBLED = np.random.default_rng(1).permutation(28 * 28)
layers = keras.layers


@dataclass(frozen=True)
class Recipe:
    """How a notebook trains a network; recipes.toml has them all."""

    build: Sequence = ("build_compact_cnn",)  # a function, and its arguments
    epochs: int = 4
    rate: float = 0.001
    weight_decay: float | None = None  # of AdamW, which Adam is with it
    batch_size: int = BATCH_SIZE
    decays: bool = False  # whether the rate falls to 0 by the end
    warm_up: float = 0.0  # the share of the steps in which it first rises from 0
    smoothing: float = 0.0  # of the labels
    all_images: bool = False  # also those of hold_out's validation images
    block: int = 0  # trains on so many images only: seed 1 on the first such block, and so on
    scrambled: bool = False
    seeds: Sequence[int] = (10, 5)  # how many there are, of MNIST and of the offline digits

    def network(self) -> keras.Sequential:
        function, *arguments = self.build
        return BUILDERS[function](*arguments)


def cnn_with(convolutions: int, learned: bool = True) -> keras.Sequential:
    """The CNN of notebook 03 with so many convolutional layers, whose kernels learn or do not."""
    stack = [keras.Input((28, 28)), layers.Rescaling(1 / 255), layers.Reshape((28, 28, 1))]
    for kernels in (12, 20, 20)[:convolutions]:
        stack.append(layers.Conv2D(kernels, 3, activation="relu", trainable=learned))
    stack += [layers.Flatten(), layers.Dense(25, activation="relu")]
    return keras.Sequential([*stack, layers.Dense(10, activation="softmax")])


# A recorded seed repeats its training only where layers are made in the same order as ever.
def copy_of(stack: list[keras.layers.Layer]) -> keras.Sequential:
    """A network of new layers with the settings of these."""
    copies = [type(layer).from_config(layer.get_config()) for layer in stack]
    return keras.Sequential([keras.Input((28, 28)), *copies])


def cnn_with_pooling() -> keras.Sequential:
    """The CNN of notebook 03 with max-pooling before its dense layers, as in notebook 05."""
    *convolutions, flatten, hidden, last = build_cnn().layers
    return copy_of([*convolutions, layers.MaxPooling2D(2), flatten, hidden, last])


def compact_with(without: Sequence[str] = (), dropout: float = 0.0) -> keras.Sequential:
    """The compact network of notebook 05 without some kinds of layer, or with dropout."""
    *stack, last = build_compact_cnn().layers
    if "BatchNormalization" in without:
        for layer in stack:
            layer.use_bias = True  # before a normalisation a bias would have no effect
    kept = [layer for layer in stack if type(layer).__name__ not in without]
    return copy_of([*kept, *([layers.Dropout(dropout)] if dropout else []), last])


BUILDERS = [build_dense, build_wide_dense, build_cnn, build_compact_cnn]
BUILDERS = {f.__name__: f for f in [*BUILDERS, cnn_with, cnn_with_pooling, compact_with]}
RECIPES: dict[str, Recipe] = {}
TABLES = tomllib.loads(Path(__file__).with_name("recipes.toml").read_text())
for name, fields in TABLES.items():
    RECIPES[name] = replace(RECIPES.get(fields.pop("like", ""), Recipe()), **fields)
# Of their first ten seeds, which images they got right is kept as well.
WITH_ANSWERS = ["dense", "wide-dense", "cnn", "cnn-20-epochs", "cnn-3-layers", "compact"]


def scramble(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, 28 * 28)[:, SCRAMBLED].reshape(-1, 28, 28)


def images_for(data, recipe: Recipe, seed: int) -> tuple[np.ndarray, ...]:
    """Images and labels to train with, and those to test with: test images, then validation."""
    x_train, y_train, x_valid, y_valid = helpers.hold_out(data)
    if recipe.all_images:  # none are left to validate with
        x_train, y_train, x_valid, y_valid = data.x_train, data.y_train, x_valid[:0], y_valid[:0]
    if recipe.block:
        block = slice((seed - 1) * recipe.block, seed * recipe.block)
        x_train, y_train = x_train[block], y_train[block]
    x_test, y_test = np.concatenate([data.x_test, x_valid]), np.concatenate([data.y_test, y_valid])
    if recipe.scrambled:
        x_train, x_test = scramble(x_train), scramble(x_test)
    return x_train, y_train, x_test, y_test


def train(data, name: str, seed: int) -> tuple[dict, np.ndarray]:
    """Train a network once, by its recipe: its row, and whether each image was right.

    First all test images, then the validation images, where any are left.
    """
    recipe, count = RECIPES[name], len(data.y_test)
    x_train, y_train, x_test, y_test = images_for(data, recipe, seed)
    helpers.forget_networks()
    keras.utils.set_random_seed(seed)
    steps = recipe.epochs * -(-len(x_train) // recipe.batch_size)  # rounded up, as `fit` counts
    rate, warm_up = recipe.rate, round(recipe.warm_up * steps)
    if recipe.decays:
        rise = {"warmup_target": rate, "warmup_steps": warm_up} if warm_up else {}
        start = 0.0 if warm_up else rate
        rate = keras.optimizers.schedules.CosineDecay(start, steps - warm_up, **rise)
    network = recipe.network()
    network.compile(
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.smoothing),
        optimizer=keras.optimizers.Adam(rate, weight_decay=recipe.weight_decay),
        steps_per_execution=20,
    )
    labels = keras.utils.to_categorical(y_train, 10)
    started = time.perf_counter()
    batches = helpers.shuffled_batches(x_train, labels, recipe.batch_size)
    network.fit(batches, shuffle=False, epochs=recipe.epochs, verbose=0)
    seconds = time.perf_counter() - started
    predicted = network.predict(x_test, batch_size=BATCH_SIZE, verbose=0)
    right, of_label = predicted.argmax(axis=1) == y_test, predicted[np.arange(count), data.y_test]
    row = [data.name, name, seed, recipe.epochs, len(x_train), round(seconds, 1)]
    row.append("" if recipe.all_images else round(right[count:].mean(), 6))
    row += [round(right[:count].mean(), 6), round(-np.log(np.clip(of_label, 1e-7, 1)).mean(), 5)]
    return dict(zip(COLUMNS, row, strict=True)), right


def keep_answers(folder: Path, row: dict, right: np.ndarray) -> None:
    """Add to answers.npz which test images, then which validation images were right, as bits."""
    path = folder / "answers.npz"
    with open(folder / ".answers.lock", "w") as lock:  # several may record side by side
        take_lock(lock, wait=True)
        answers = dict(np.load(path)) if path.exists() else {}
        answers[f"{row['data']}/{row['network']}/{row['seed']}"] = np.packbits(right)
        write_atomically(path, lambda part: np.savez_compressed(part, **answers))


def machine() -> str:
    """The processor and the versions that a record was made with, in a line."""
    import tensorflow as tf

    versions = f"TensorFlow {tf.__version__}, Keras {keras.version()}, NumPy {np.__version__}"
    has_avx512 = "avx512f" in CPUINFO if CPUINFO else None
    return f"# {this_machine()}, AVX-512: {has_avx512}; {versions}"


def record(data, path: Path, seeds: dict[str, int]) -> None:
    """Train each network with so many seeds, where the file has no row for it, and add one."""
    lines = path.read_text().splitlines() if path.exists() else []
    with path.open("a") as file:
        if not lines:
            file.write(",".join(COLUMNS) + "\n")
        if [line for line in lines if line.startswith("#")][-1:] != [machine()]:
            file.write(machine() + "\n")
    table = pd.read_csv(path, comment="#")
    done = set(zip(table["network"], table["seed"], strict=True))
    for seed in range(max(seeds.values()) + 1):
        for name, count in seeds.items():
            first = 1 if RECIPES[name].block else 0  # notebooks 04 and 05 begin with seed 1
            if (name, seed) in done or not first <= seed < first + count:
                continue
            row, right = train(data, name, seed)
            if name in WITH_ANSWERS and seed < 10:  # before the row, which says that all is there
                keep_answers(path.parent, row, right)
            with path.open("a") as file:  # in one piece, whenever the work is stopped
                file.write(",".join(map(str, row.values())) + "\n")
            print(f"{name}, seed {seed}: {row['seconds']:.0f} s", flush=True)


def check(data, path: Path, count: int) -> bool:
    """Repeat some rows, chosen at random, and print how each compares. False if one differs."""
    table, same = pd.read_csv(path, comment="#"), []
    for row in table.sample(min(count, len(table))).itertuples():
        again, _ = train(data, row.network, row.seed)
        # Another processor rounds differently, which is as good as another seed.
        accuracies = table[table["network"] == row.network]["test_accuracy"]
        allowed = max(0.002, 4 * accuracies.std())
        difference = again["test_accuracy"] - row.test_accuracy
        same.append(abs(difference) <= allowed)
        verdict = "the same" if same[-1] else "NOT the same"
        print(f"{row.network}, seed {row.seed}: {difference:+.2%} of {allowed:.2%}: {verdict}")
    return all(same)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=RECIPES, metavar="NETWORK")
    parser.add_argument("--seeds", type=int, help="how many of each network")
    parser.add_argument("--check", type=int, metavar="ROWS")
    chosen = parser.parse_args()
    data = helpers.load_mnist()
    path = FOLDER / f"{data.name.lower().replace(' ', '_')}.csv"
    if chosen.check:
        sys.exit(not check(data, path, chosen.check))
    seeds = {name: RECIPES[name].seeds[data.name != "MNIST"] for name in RECIPES}
    record(data, path, {name: chosen.seeds or seeds[name] for name in chosen.networks or seeds})


if __name__ == "__main__":
    main()
