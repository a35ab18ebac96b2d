"""Networks that are no longer used give their memory back, or start anew."""

import gc

import numpy as np
import psutil
import pytest

from mnist_helpers import (
    build_compact_cnn,
    build_dense,
    forget_networks,
    hold_out,
    keras,
    memory,
    restart,
)
from mnist_helpers.data import Mnist

# Networks are trained, to see what is left of them.
pytestmark = pytest.mark.slow

images, labels = np.zeros((200, 28, 28), dtype="uint8"), np.zeros(200, dtype="uint8")


def train():
    network = build_dense()
    network.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    network.fit(images, labels, batch_size=100, verbose=0)
    return network


def traces() -> int:
    gc.collect()
    return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())


def test_nothing_is_left_of_networks_that_are_not_held():
    forget_networks()
    before = traces()
    for _ in range(3):
        train()
    keras.backend.clear_session()
    assert traces() > before  # if Keras ever frees them itself, forget_networks can go
    forget_networks()
    assert traces() == before


def test_a_network_that_is_held_can_still_train_and_predict():
    network = train()
    forget_networks()
    network.fit(images, labels, batch_size=50, verbose=0)
    assert network.predict(images[:3], verbose=0).shape == (3, 10)


@pytest.mark.parametrize("error", [TypeError, OSError, AttributeError])
def test_a_system_without_glibc_is_left_as_it_is(error, monkeypatch):
    def refuse(name):
        raise error("no such library")

    monkeypatch.setattr(memory.ctypes, "CDLL", refuse)  # on Windows CDLL(None) is a TypeError
    forget_networks()


def test_a_tensorflow_without_the_private_names_is_left_as_it_is(monkeypatch):
    from tensorflow.python.framework import ops

    monkeypatch.delattr(ops, "gradient_registry")
    forget_networks()


class TestSharedArrays:
    """What `fit` is given is read where it lies."""

    @pytest.fixture
    def split(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (60_000, 28, 28), dtype="uint8")
        labels = rng.integers(0, 10, 60_000, dtype="uint8")
        return hold_out(Mnist("MNIST", images, labels, images[:0], labels[:0]))

    def resident(self) -> int:
        return psutil.Process().memory_info().rss

    def test_the_training_images_are_not_copied(self, split):
        x_train, y_train, *_ = split
        network = build_dense()
        network.compile("adam", "sparse_categorical_crossentropy")
        seen = []
        watch = keras.callbacks.LambdaCallback(
            on_train_begin=lambda _: seen.append(self.resident())
        )
        network.fit(x_train[:1_000], y_train[:1_000], 100, verbose=0)
        before = self.resident()
        network.fit(x_train, y_train, 100, verbose=0, callbacks=[watch])
        assert seen[0] - before < x_train.nbytes / 2

    def test_a_network_learns_from_them_what_it_learns_from_copies(self, split):
        x_train, y_train = split[0][:4_000], split[1][:4_000]
        elsewhere = np.empty(x_train.size + 1, "uint8")[1:].reshape(x_train.shape)
        elsewhere[:] = x_train
        weights = []
        for images in (x_train, elsewhere):
            keras.utils.set_random_seed(0)
            network = build_dense()
            network.compile("adam", "sparse_categorical_crossentropy")
            network.fit(images, y_train, 100, verbose=0)
            weights.append(network.get_weights())
        assert all(map(np.array_equal, *weights))


class TestRestart:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 28, 28), dtype="uint8")
    labels = rng.integers(0, 10, 200, dtype="uint8")

    def fit(self, network, seed):
        keras.utils.set_random_seed(seed)
        if network is None:
            network = self.compiled()
        else:
            restart(network, build_compact_cnn())
        network.fit(self.images, self.labels, batch_size=50, epochs=2, verbose=0)
        return network

    def compiled(self):
        network = build_compact_cnn()
        rate = keras.optimizers.schedules.CosineDecay(0.01, 8)
        network.compile(
            keras.optimizers.AdamW(rate, weight_decay=0.05), "sparse_categorical_crossentropy"
        )
        return network

    def test_a_restarted_network_learns_what_a_new_one_learns(self):
        restarted = self.fit(self.fit(None, seed=3), seed=7)
        new = self.fit(None, seed=7)
        for one, other in zip(restarted.get_weights(), new.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize(
        "optimizer",
        [
            keras.optimizers.Adagrad(0.01),
            keras.optimizers.Ftrl(0.01),
            keras.optimizers.SGD(0.01, momentum=0.9, use_ema=True),
            keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
        ],
        ids=lambda optimizer: type(optimizer).__name__,
    )
    def test_every_optimizer_remembers_what_a_new_one_does(self, optimizer):
        weights = []
        for used_before in (True, False):
            network = build_dense()
            given = type(optimizer).from_config(optimizer.get_config())
            network.compile(given, "sparse_categorical_crossentropy")
            if used_before:
                network.fit(self.images, self.labels, batch_size=50, verbose=0)
            keras.utils.set_random_seed(7)
            start = build_dense()
            if used_before:
                restart(network, start)
            else:
                network.set_weights(start.get_weights())
            network.fit(self.images, self.labels, batch_size=50, epochs=2, verbose=0)
            weights.append(network.get_weights())
        assert all(map(np.array_equal, *weights))

    def test_a_constant_learning_rate_stays(self):
        network = train()
        network.optimizer.learning_rate = 0.125
        restart(network, build_dense())
        assert float(network.optimizer.learning_rate) == 0.125
        assert int(network.optimizer.iterations) == 0

    def test_a_network_that_was_never_trained_gets_the_weights(self):
        network, fresh = build_dense(), build_dense()
        network.compile("adam", "sparse_categorical_crossentropy")
        restart(network, fresh)
        assert all(map(np.array_equal, network.get_weights(), fresh.get_weights()))

    def test_another_network_is_refused(self):
        network = train()
        before = network.get_weights()
        with pytest.raises(ValueError, match="other layers"):
            restart(network, build_compact_cnn())
        assert all(map(np.array_equal, network.get_weights(), before))
