"""The offline digits: what they promise, and that they behave like MNIST."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mnist_helpers.offline_digits import make_offline_digits, originals_of_images, split_originals

# Recorded from a run. If a machine gives another, the docstring's promise is broken; if the
# recipe was changed on purpose, train both networks on the result, then record it anew.
SHA256 = "223eee2911567a35529d42b6044f3e8cc647845e0c8e03b1442d8275d9b3808d"


@pytest.fixture(scope="module")
def digits():
    return make_offline_digits()


def test_arrays_have_the_shapes_and_types_of_mnist_and_the_recorded_bytes(digits):
    shapes = [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert [array.shape for array in digits] == shapes
    assert all(array.dtype == np.uint8 for array in digits)
    assert hashlib.sha256(b"".join(array.tobytes() for array in digits)).hexdigest() == SHA256


def test_training_validation_and_test_images_share_no_original_and_have_their_labels(digits):
    parts = split_originals()
    assert [len(part) for part in parts] == [1117, 280, 400]
    assert sorted(np.concatenate(parts)) == list(range(1797))
    train, test = originals_of_images()
    drawn = [set(train[:48000]), set(train[48000:]), set(test)]
    assert drawn == [set(part) for part in parts]
    for labels, originals in zip(digits[1::2], (train, test), strict=True):
        assert np.array_equal(labels, load_digits().target[originals])
