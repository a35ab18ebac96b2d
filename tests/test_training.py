"""The networks, and the batches they are trained on."""

import numpy as np
import pytest

from mnist_helpers import count_multiplications, keras
from mnist_helpers.networks import build_cnn, build_compact_cnn, build_dense, build_wide_dense
from mnist_helpers.training import shuffled_batches

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (250, 28, 28), dtype="uint8")


@pytest.mark.parametrize("build", [build_dense, build_wide_dense, build_cnn, build_compact_cnn])
def test_a_network_scales_raw_pixels_itself_and_gives_ten_probabilities(build, recwarn):
    network = build()
    assert not network.compiled and not [str(warning.message) for warning in recwarn]
    probabilities = network.predict(IMAGES[:3], verbose=0)
    assert probabilities.shape == (3, 10) and probabilities.dtype == "float32"
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    scaled = keras.Model(network.inputs, network.get_layer("scale_to_0_1").output)
    assert np.allclose(scaled.predict(IMAGES[:3], verbose=0), IMAGES[:3] / 255, atol=1e-6)


@pytest.mark.parametrize(
    "build, parameters, multiplications",
    [
        (build_wide_dense, 290_506, 784 * 272 + 272 * 272 + 272 * 10),
        # A convolution's weights are used at every position of its output.
        (build_cnn, 290_585, 26 * 26 * 108 + 24 * 24 * 2_160 + 11_520 * 25 + 25 * 10),
        (build_compact_cnn, 32_842, 196 * 400 + 144 * 4_608 + 100 * 9_216 + 9 * 13_824 + 4_320),
    ],
)
def test_sizes_are_those_that_the_text_names(build, parameters, multiplications):
    assert build().count_params() == parameters
    assert count_multiplications(build()) == multiplications


def test_probabilities_stay_32_bits_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_compact_cnn()
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.get_layer("convolution_1").compute_dtype == "bfloat16"
    assert network.predict(IMAGES[:3], verbose=0).dtype == "float32"


def orders(seed: int) -> list[list[int]]:
    """The order in which two epochs take the images, which are known by their labels."""
    keras.utils.set_random_seed(seed)
    batches = shuffled_batches(IMAGES, np.arange(250), 100)
    return [[int(n) for _, labels in batches for n in labels] for _ in range(2)]


def test_each_epoch_has_every_image_once_in_an_order_of_its_own_which_the_seed_repeats():
    first, second = orders(seed=1)
    assert sorted(first) == sorted(second) == list(range(250)) and first != second
    assert orders(seed=1) == [first, second] != orders(seed=2)


def test_the_last_batch_holds_what_is_left_and_each_image_keeps_its_label():
    batches = shuffled_batches(IMAGES, np.arange(250), 100)
    assert len(batches) == 3
    assert [len(labels) for _, labels in batches] == [100, 100, 50]
    for chosen, labels in batches:
        assert np.array_equal(chosen, IMAGES[labels.numpy()])


@pytest.mark.parametrize("count, labels, size", [(5, 4, 2), (0, 0, 2), (5, 5, 0)])
def test_what_gives_no_batches_is_refused(count, labels, size):
    with pytest.raises(ValueError, match=f"{count} images, {labels} labels, batches of {size}"):
        shuffled_batches(IMAGES[:count], np.arange(labels), size)
