"""Batches that are drawn anew in each epoch."""

import numpy as np
import pytest
from test_notebook_faults import DENSE, Kernel, place_of, sources

from mnist_helpers import build_dense, keras, shuffled_batches

images = np.random.default_rng(0).integers(0, 256, (250, 28, 28), dtype="uint8")


def orders(seed: int, epochs: int = 2, batch_size: int = 100) -> list[list[int]]:
    """The order in which each epoch of a training takes the images."""
    keras.utils.set_random_seed(seed)
    network, seen = build_dense(), [[]]

    class Loss(keras.losses.Loss):
        def call(self, positions, answers):
            seen[-1] += positions.numpy().ravel().astype(int).tolist()
            return keras.ops.mean(answers, axis=-1)

    network.compile("sgd", Loss(), run_eagerly=True)
    turn = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append([]))
    batches = shuffled_batches(images, np.arange(250), batch_size)
    network.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[turn])
    return seen[:epochs]


def test_each_epoch_has_every_image_once_in_another_order():
    first, second = orders(seed=1)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(250))


def test_the_seed_repeats_the_orders():
    assert orders(seed=1) == orders(seed=1) != orders(seed=2)


def test_the_last_batch_holds_what_is_left():
    batches = shuffled_batches(images, np.arange(250), 100)
    assert len(batches) == 3
    assert [len(labels) for _, labels in batches] == [100, 100, 50]


def test_each_image_keeps_its_label():
    for chosen, positions in shuffled_batches(images, np.arange(250), 100):
        np.testing.assert_array_equal(chosen, images[positions.numpy()])


@pytest.mark.parametrize("count, labels, size", [(5, 4, 2), (0, 0, 2), (5, 5, 0)])
def test_what_gives_no_batches_is_refused(count, labels, size):
    with pytest.raises(ValueError, match=f"{count} images, {labels} labels, batches of {size}"):
        shuffled_batches(images[:count], np.arange(labels), size)


# Keeps which images each step of a training gets.
WATCH = """
seen, step = [], model.train_step

def watched_step(batch):
    seen.extend(image.tobytes() for image in batch[0].numpy())
    return step(batch)

model.train_step, model.run_eagerly = watched_step, True
"""


@pytest.mark.slow
def test_notebook_02_trains_on_other_batches_in_each_epoch_and_on_the_same_with_the_same_seed():
    cells = sources(DENSE, train_images=1_000, epochs=2)
    build, fit = place_of(cells, "model = keras.Seq"), place_of(cells, "fit = model.fit(")
    kernel = Kernel()
    try:
        kernel.run_all(cells[:fit])
        kernel.run_all([WATCH, cells[fit], "first = seen"])
        assert kernel.run("assert seen[:1_000] != seen[1_000:] and len(seen) == 2_000")[0] == ""
        assert kernel.run("assert sorted(seen[:1_000]) == sorted(seen[1_000:])")[0] == ""
        kernel.run_all(cells[build:fit])
        kernel.run_all([WATCH, cells[fit]])
        assert kernel.run("assert seen == first")[0] == ""
    finally:
        kernel.close()
