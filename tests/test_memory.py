"""Networks that are no longer used give their memory back."""

import gc

import numpy as np
import pytest

from mnist_helpers import build_dense, forget_networks, keras, memory

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
