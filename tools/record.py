"""Train the networks at full length, with many seeds, and record what each training gave.

A training adds one row to mnist_helpers/records/ as soon as it has ended. What stands there
already is not trained again, so the work can be stopped at any time and goes on. `--check 3`
records nothing: it repeats three rows, chosen at random, and compares.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from lockfile import take_lock
from machine import has_avx512, processor

from mnist_helpers import (
    build_cnn,
    build_compact_cnn,
    build_dense,
    build_wide_dense,
    forget_networks,
    hold_out,
    keras,
    load_mnist,
    shuffled_batches,
)
from mnist_helpers.files import write_atomically
from mnist_helpers.records import FOLDER, read_records

COLUMNS = ["data", "network", "seed", "epochs", "train_images", "seconds"]
COLUMNS += ["valid_accuracy", "test_accuracy", "test_loss"]
BATCH_SIZE = 100  # as in the notebooks, and in all predictions
# The one order into which notebook 04 scrambles the pixels.
SCRAMBLED = np.random.default_rng(1).permutation(28 * 28)
layers = keras.layers


@dataclass(frozen=True)
class Recipe:
    """How a notebook trains a network."""

    build: Callable[[], keras.Sequential]
    epochs: int = 4
    optimizer: Callable = keras.optimizers.Adam
    rate: float = 0.001
    batch_size: int = BATCH_SIZE
    decays: bool = False  # whether the rate falls to 0 by the end
    warm_up: float = 0.0  # the share of the steps in which it first rises from 0
    smoothing: float = 0.0  # of the labels
    all_images: bool = False  # also those of hold_out's validation images
    block: int = 0  # trains on so many images only: seed 1 on the first such block, and so on
    scrambled: bool = False


def cnn_with(convolutions: int) -> keras.Sequential:
    """The CNN of notebook 03 with one, two or three convolutional layers."""
    network = keras.Sequential([keras.Input((28, 28)), layers.Rescaling(1 / 255)])
    network.add(layers.Reshape((28, 28, 1)))
    for kernels in (12, 20, 20)[:convolutions]:
        network.add(layers.Conv2D(kernels, kernel_size=3, activation="relu"))
    network.add(layers.Flatten())
    network.add(layers.Dense(25, activation="relu"))
    network.add(layers.Dense(10, activation="softmax"))
    return network


def cnn_with_pooling() -> keras.Sequential:
    """The CNN of notebook 03 with max-pooling before its dense layers, as in notebook 05."""
    network = keras.Sequential([keras.Input((28, 28))])
    for layer in build_cnn().layers:
        if isinstance(layer, layers.Flatten):
            network.add(layers.MaxPooling2D(2))
        network.add(type(layer).from_config(layer.get_config()))
    return network


def compact_with(*without: type[keras.layers.Layer], dropout: float = 0.0) -> keras.Sequential:
    """The compact network of notebook 05 without some kinds of layer, or with dropout."""
    network = keras.Sequential([keras.Input((28, 28))])
    *stack, last = build_compact_cnn().layers
    for layer in [*stack, *([layers.Dropout(dropout)] if dropout else []), last]:
        config = layer.get_config()
        if isinstance(layer, layers.Conv2D) and layers.BatchNormalization in without:
            config["use_bias"] = True  # with a normalisation behind it, a bias would be idle
        if not isinstance(layer, without):
            network.add(type(layer).from_config(config))
    return network


def factorial(block: int) -> dict[str, Recipe]:
    """Notebook 05's combinations of shifts, dropout and smoothing but that of none of them."""
    recipes, last_rung = {}, LADDER["ladder-small-batches"]
    for shifts, dropout, smoothing in list(product((False, True), repeat=3))[1:]:
        chosen = {"shifts": shifts, "dropout": dropout, "smoothing": smoothing}
        build = partial(
            compact_with,
            *([] if shifts else [layers.RandomTranslation]),
            dropout=0.2 * dropout,
        )
        name = "-".join(["factorial", *(factor for factor in chosen if chosen[factor])])
        recipes[name] = replace(last_rung, build=build, smoothing=0.05 * smoothing, block=block)
    return recipes


CONTESTANTS = ["dense", "wide-dense", "cnn"]
COMPACT = Recipe(
    build_compact_cnn,
    optimizer=partial(keras.optimizers.AdamW, weight_decay=0.05),
    rate=0.005,
    decays=True,
    batch_size=50,
    smoothing=0.05,
)
RECIPES = {
    "dense": Recipe(build_dense, epochs=20),
    "wide-dense": Recipe(build_wide_dense, epochs=20),
    "cnn": Recipe(build_cnn),
    "cnn-1-layer": Recipe(partial(cnn_with, 1)),
    "cnn-3-layers": Recipe(partial(cnn_with, 3)),
    "compact": COMPACT,
    "final-compact": replace(COMPACT, all_images=True),
    # One ingredient left out, or put back to what is customary …
    "compact-no-shifts": replace(COMPACT, build=partial(compact_with, layers.RandomTranslation)),
    "compact-no-normalisation": replace(
        COMPACT, build=partial(compact_with, layers.BatchNormalization)
    ),
    "compact-no-smoothing": replace(COMPACT, smoothing=0.0),
    "compact-no-schedule": replace(COMPACT, decays=False),
    "compact-no-small-batches": replace(COMPACT, batch_size=BATCH_SIZE),
    "compact-no-weight-decay": replace(COMPACT, optimizer=keras.optimizers.Adam),
    # … and what was tried besides, and is not in the network.
    "compact-and-dropout": replace(COMPACT, build=partial(compact_with, dropout=0.2)),
    "compact-and-warm-up": replace(COMPACT, warm_up=0.25),
}
# Notebook 04's contestants on separate blocks of training images, …
BLOCKS = {f"block-{name}": replace(RECIPES[name], block=8_000) for name in CONTESTANTS}
BLOCKS["block-cnn-3-layers"] = replace(RECIPES["cnn-3-layers"], block=8_000)
for name in CONTESTANTS:
    BLOCKS[f"scrambled-{name}"] = replace(RECIPES[name], block=8_000, scrambled=True)
# … and notebook 05's ladder, each rung with what the rung below has, and combinations.
CONVOLUTIONS = partial(compact_with, layers.RandomTranslation, layers.BatchNormalization)
NORMALISED = partial(compact_with, layers.RandomTranslation)
LADDER = {
    "ladder-cnn": Recipe(build_cnn),
    "ladder-pooling": Recipe(cnn_with_pooling),
    "ladder-four-convolutions": Recipe(CONVOLUTIONS),
    "ladder-batch-norm": Recipe(NORMALISED),
    "ladder-rate": Recipe(NORMALISED, rate=0.005),
    "ladder-schedule": Recipe(NORMALISED, rate=0.005, decays=True),
    "ladder-small-batches": Recipe(NORMALISED, rate=0.005, decays=True, batch_size=50),
}
LADDER = {name: replace(recipe, block=6_000) for name, recipe in LADDER.items()}
RECIPES |= BLOCKS | LADDER | factorial(block=6_000)
# What is left out of the compact network, or was tried besides, is paired with its own trainings.
VARIANTS = [name for name in RECIPES if name.startswith(("compact-no-", "compact-and-"))]
SEEDS = dict.fromkeys(RECIPES, 10) | dict.fromkeys(VARIANTS, 5)
# Of these, which images they got right is kept as well.
WITH_ANSWERS = [*CONTESTANTS, "cnn-3-layers", "compact"]
# As many blocks as the 48,000 training images have.
ON_BLOCKS = {name: 48_000 // recipe.block for name, recipe in RECIPES.items() if recipe.block}
SEEDS |= ON_BLOCKS
# On the offline digits, five of each network that the notebooks compare.
OFFLINE_SEEDS = ON_BLOCKS | dict.fromkeys(
    [*CONTESTANTS, "cnn-1-layer", "cnn-3-layers", "compact", "final-compact"], 5
)


def scramble(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, 28 * 28)[:, SCRAMBLED].reshape(-1, 28, 28)


def train(data, name: str, recipe: Recipe, seed: int) -> tuple[dict, np.ndarray]:
    """Train a network once, by its recipe: its row, and whether each image was right.

    First all test images, then the validation images, where any are left.
    """
    x_train, y_train, x_valid, y_valid = hold_out(data)
    if recipe.all_images:
        x_train, y_train = data.x_train, data.y_train
    if recipe.block:
        block = slice((seed - 1) * recipe.block, seed * recipe.block)
        x_train, y_train = x_train[block], y_train[block]
    x_test = data.x_test
    if recipe.scrambled:
        x_train, x_valid, x_test = map(scramble, (x_train, x_valid, x_test))
    steps = recipe.epochs * -(-len(x_train) // recipe.batch_size)  # rounded up, as `fit` counts
    rate = recipe.rate
    if recipe.decays:
        warm_up = round(recipe.warm_up * steps)
        rise = {"warmup_target": recipe.rate, "warmup_steps": warm_up} if warm_up else {}
        start = 0.0 if warm_up else recipe.rate
        rate = keras.optimizers.schedules.CosineDecay(start, steps - warm_up, **rise)
    forget_networks()
    keras.utils.set_random_seed(seed)
    network = recipe.build()
    network.compile(
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.smoothing),
        optimizer=recipe.optimizer(rate),
        steps_per_execution=20,
    )
    labels = keras.utils.to_categorical(y_train, 10)
    started = time.perf_counter()
    batches = shuffled_batches(x_train, labels, recipe.batch_size)
    network.fit(batches, shuffle=False, epochs=recipe.epochs, verbose=0)
    seconds = time.perf_counter() - started
    valid_accuracy, right = "", np.zeros(0, bool)  # nothing is left to validate with
    if not recipe.all_images:
        valid = network.predict(x_valid, batch_size=BATCH_SIZE, verbose=0)
        right = valid.argmax(axis=1) == y_valid
        valid_accuracy = round(right.mean(), 6)
    test = network.predict(x_test, batch_size=BATCH_SIZE, verbose=0)
    of_label = test[np.arange(len(test)), data.y_test]
    right_in_test = test.argmax(axis=1) == data.y_test
    row = {
        "data": data.name,
        "network": name,
        "seed": seed,
        "epochs": recipe.epochs,
        "train_images": len(x_train),
        "seconds": round(seconds, 1),
        "valid_accuracy": valid_accuracy,
        "test_accuracy": round(right_in_test.mean(), 6),
        "test_loss": round(-np.log(np.clip(of_label, 1e-7, 1)).mean(), 5),
    }
    return row, np.concatenate([right_in_test, right])


def keep_answers(folder: Path, row: dict, right: np.ndarray) -> None:
    """Add to answers.npz which test images, then which validation images were right, as bits."""
    path = folder / "answers.npz"
    with open(folder / ".answers.lock", "w") as lock:  # several may record side by side
        take_lock(lock, wait=True)
        answers = read_answers(path)
        answers[f"{row['data']}/{row['network']}/{row['seed']}"] = np.packbits(right)
        write_atomically(path, lambda part: np.savez_compressed(part, **answers))


def read_answers(path: Path) -> dict[str, np.ndarray]:
    """By "data/network/seed", the packed bits of one training."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        return dict(file)


def machine() -> str:
    """The processor and the versions that a record was made with, in a line."""
    avx = {True: ", AVX-512", False: ", no AVX-512", None: ""}[has_avx512()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    import tensorflow as tf

    versions = f"TensorFlow {tf.__version__}, Keras {keras.version()}, NumPy {np.__version__}"
    return f"{processor()}{avx}, {cores} cores; {versions}"


def file_of(data, folder: Path) -> Path:
    return folder / f"{data.name.lower().replace(' ', '_')}.csv"


def prepare(path: Path) -> None:
    """Make a file ready for rows: header, machine, and no half of a row at its end."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]  # the rest was being written when the work was killed
    whole = whole or ",".join(COLUMNS) + "\n"
    here = f"# {machine()}\n"
    told = [line for line in whole.splitlines(keepends=True) if line.startswith("#")]
    if told[-1:] != [here]:
        whole += here
    if whole != text:
        write_atomically(path, lambda part: part.write_text(whole))


def record(data, folder: Path, seeds: dict[str, int]) -> None:
    """Train each network with so many seeds, where the folder has no row for it, and add one."""
    path = file_of(data, folder)
    prepare(path)
    table = read_records(path)
    done = set(zip(table["network"], table["seed"], strict=True))
    wanted = {}
    for name, count in seeds.items():
        first = 1 if RECIPES[name].block else 0  # notebooks 04 and 05 begin with seed 1
        wanted[name] = range(first, first + count)
    for seed in range(max(seeds.values()) + 1):
        for name in [it for it in seeds if seed in wanted[it] and (it, seed) not in done]:
            row, right = train(data, name, RECIPES[name], seed)
            if name in WITH_ANSWERS:  # before the row, which says that all is there
                keep_answers(folder, row, right)
            with path.open("a") as file:
                file.write(",".join(str(row[column]) for column in COLUMNS) + "\n")
            print(f"{name}, seed {seed}: {row['seconds']:.0f} s", flush=True)


def check(data, folder: Path, count: int) -> bool:
    """Repeat some rows, chosen at random, and print how each compares. False if one differs."""
    path = file_of(data, folder)
    if not path.exists():
        sys.exit(f"record: nothing is recorded for {data.name}; `make record` does it")
    table = read_records(path)
    verdicts = []
    for row in table.sample(min(count, len(table))).itertuples():
        again, _ = train(data, row.network, RECIPES[row.network], row.seed)
        # Another processor rounds differently, which is as good as another seed.
        measure = "test_accuracy" if RECIPES[row.network].all_images else "valid_accuracy"
        seeds = table[table["network"] == row.network][measure]
        allowed = max(4 * seeds.std(ddof=1), 0.002) if len(seeds) > 2 else 0.01
        difference = again[measure] - getattr(row, measure)
        verdicts.append(abs(difference) <= allowed)
        verdict = "the same" if verdicts[-1] else "NOT the same"
        print(f"{row.network}, seed {row.seed}: {difference:+.2%} of {allowed:.2%}: {verdict}")
    return all(verdicts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=RECIPES, metavar="NETWORK")
    parser.add_argument("--seeds", type=int, help="how many of each network")
    parser.add_argument("--check", type=int, metavar="ROWS")
    chosen = parser.parse_args()
    data = load_mnist()
    if chosen.check:
        sys.exit(0 if check(data, FOLDER, chosen.check) else 1)
    seeds = SEEDS if data.name == "MNIST" else OFFLINE_SEEDS
    names = chosen.networks or list(seeds)
    try:
        record(data, FOLDER, {name: chosen.seeds or seeds.get(name, 5) for name in names})
    except KeyboardInterrupt:
        sys.exit("\nrecord: interrupted; `make record` goes on with what is missing")


if __name__ == "__main__":
    main()
