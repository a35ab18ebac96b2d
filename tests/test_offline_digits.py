"""The offline digits: what they promise, and that they behave like MNIST."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import center_of_mass, shift, zoom
from sklearn.datasets import load_digits

from mnist_helpers.offline_digits import (
    make_offline_digits,
    originals_of_images,
    split_originals,
)

# Recorded from a run. If a machine gives another, the docstring's promise is broken; if the
# recipe was changed on purpose, train both networks on the result, then record it anew.
SHA256 = "223eee2911567a35529d42b6044f3e8cc647845e0c8e03b1442d8275d9b3808d"


@pytest.fixture(scope="module")
def digits():
    return make_offline_digits()


def test_arrays_have_the_shapes_and_types_of_mnist(digits):
    assert [array.shape for array in digits] == [
        (60000, 28, 28),
        (60000,),
        (10000, 28, 28),
        (10000,),
    ]
    assert all(array.dtype == np.uint8 for array in digits)


def test_two_calls_give_the_recorded_bytes(digits):
    for arrays in (digits, make_offline_digits()):
        assert hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest() == SHA256


def test_classes_are_balanced_as_in_mnist(digits):
    for labels in digits[1::2]:
        shares = np.bincount(labels, minlength=10) / len(labels)
        assert len(shares) == 10
        assert shares.min() > 0.085
        assert shares.max() < 0.12
        assert shares.argmax() == 1
        assert shares.argmin() == 5


def test_every_class_is_everywhere_in_the_order(digits):
    for labels in digits[1::2]:
        for part in labels.reshape(-1, 1000):
            assert np.bincount(part, minlength=10).min() > 40


def test_originals_are_split_into_three_disjoint_parts():
    parts = split_originals()
    assert [len(part) for part in parts] == [1117, 280, 400]
    assert sorted(np.concatenate(parts)) == list(range(1797))


def test_training_validation_and_test_images_share_no_original():
    train, test = originals_of_images()
    drawn = [set(train[:48000]), set(train[48000:]), set(test)]
    assert drawn == [set(part) for part in split_originals()]


def test_labels_are_those_of_the_originals(digits):
    target = load_digits().target
    for labels, originals in zip(digits[1::2], originals_of_images(), strict=True):
        assert np.array_equal(labels, target[originals])


def test_images_show_the_originals_they_are_said_to_show(digits):
    # Scaled up independently, the one of all originals that is most like the mean of the
    # images said to show it is that original.
    framed = np.pad(load_digits().images, ((0, 0), (2, 2), (2, 2)))
    scaled = zoom(framed, (1, 2.5, 2.5), order=1, grid_mode=True, mode="grid-constant")
    sharp = np.clip(scaled[:, 1:-1, 1:-1] - 3, 0, 8)
    known = standardised(np.array([centred(image) for image in sharp]))
    for images, originals in zip(digits[::2], originals_of_images(), strict=True):
        some = np.unique(originals)[::5]
        means = standardised(np.array([images[originals == one].mean(axis=0) for one in some]))
        best = (means @ known.T).argmax(axis=1)
        assert np.mean(best == some) > 0.95


def centred(image):
    """Move the image's centre of mass to its middle."""
    return shift(image, 13.5 - np.array(center_of_mass(image)), order=1)


def standardised(images):
    rows = images.reshape(len(images), -1).astype(float)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_no_two_images_are_equal(digits):
    x_train, _, x_test, _ = digits
    different = {image.tobytes() for images in (x_train, x_test) for image in images}
    assert len(different) == 70000


def test_ink_is_white_on_black(digits):
    for images in digits[::2]:
        assert images.min() == 0
        assert images.max() == 255
        assert images.max(axis=(1, 2)).min() >= 200
        assert 0.7 < np.mean(images == 0) < 0.85


def test_digits_lie_centred_in_a_box_of_about_twenty_pixels(digits):
    for images in digits[::2]:
        mean = images.mean(axis=0)
        place = np.arange(28) - 13.5
        assert abs((mean.sum(axis=0) * place).sum() / mean.sum()) < 0.2
        assert abs((mean.sum(axis=1) * place).sum() / mean.sum()) < 0.2
        assert mean[3:-3, 3:-3].sum() > 0.99 * mean.sum()
        heights = np.count_nonzero(images.max(axis=2) >= 128, axis=1)
        assert 18 < np.median(heights) < 22


def test_nearest_mean_classifier_scores_as_on_mnist(digits):
    x_train, y_train, x_test, y_test = digits
    means = np.array([x_train[y_train == digit].mean(axis=0).ravel() for digit in range(10)])
    images = x_test.reshape(10000, -1).astype(float)
    distances = (means**2).sum(axis=1) - 2 * images @ means.T
    assert 0.7 < np.mean(distances.argmin(axis=1) == y_test) < 0.9


def test_importing_the_module_imports_no_heavy_library():
    code = (
        "import sys, mnist_helpers.offline_digits;"
        "assert not {'sklearn', 'scipy', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
