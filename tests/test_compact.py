"""The compact network: its size, what it does in training only, and that it survives saving."""

import numpy as np
import pytest

from mnist_helpers import build_cnn, build_compact_cnn, count_multiplications, keras

pixels = np.random.default_rng(1).integers(0, 256, (4, 28, 28), dtype="uint8")


def dot(count: int) -> np.ndarray:
    """`count` images of one channel with a single bright pixel in the middle."""
    images = np.zeros((count, 28, 28, 1), dtype="float32")
    images[:, 14, 14] = 1
    return images


def test_it_stays_below_35_000_parameters():
    assert build_compact_cnn().count_params() == 32_890 <= 35_000


def test_it_needs_about_as_many_multiplications_as_the_cnn():
    compact, cnn = count_multiplications(build_compact_cnn()), count_multiplications(build_cnn())
    assert compact == (14 * 14 * 400) + (12 * 12 * 4_608) + (10 * 10 * 9_216) + 9 * 13_824 + 4_320
    assert compact < 1.2 * cnn


def test_raw_pixels_go_in_and_ten_probabilities_come_out():
    probabilities = build_compact_cnn().predict(pixels, verbose=0)
    assert probabilities.shape == (4, 10) and probabilities.dtype == "float32"
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_pixels_are_scaled_inside_the_network():
    network = build_compact_cnn()
    scaled = keras.Model(network.inputs, network.get_layer("scale_to_0_1").output)
    assert np.allclose(scaled.predict(pixels, verbose=0), pixels / 255, atol=1e-6)


def test_it_is_left_uncompiled():
    assert not build_compact_cnn().compiled


def test_training_images_move_by_up_to_two_whole_pixels_each_way():
    keras.utils.set_random_seed(1)
    shift = build_compact_cnn().get_layer("shift_randomly")
    moved = shift(dot(1_000), training=True).numpy()[..., 0]
    assert np.array_equal(moved.sum(axis=(1, 2)), np.ones(1_000))  # one pixel, not blurred
    offsets = np.argwhere(moved)[:, 1:] - 14
    assert set(offsets[:, 0]) == set(offsets[:, 1]) == {-2, -1, 0, 1, 2}


def test_what_enters_a_moved_image_is_background():
    keras.utils.set_random_seed(1)
    shift = build_compact_cnn().get_layer("shift_randomly")
    full = np.ones((200, 28, 28, 1), dtype="float32")
    moved = shift(full, training=True).numpy()
    assert set(np.unique(moved)) == {0, 1}
    assert moved.sum(axis=(1, 2, 3)).min() == 26 * 26


def test_images_to_predict_stay_in_place():
    shift = build_compact_cnn().get_layer("shift_randomly")
    assert np.array_equal(shift(dot(20), training=False).numpy(), dot(20))


def test_two_predictions_of_one_image_are_equal():
    network = build_compact_cnn()
    first, second = (network.predict(pixels, verbose=0) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_saved_network_answers_the_same_when_loaded_in_safe_mode(tmp_path):
    network = build_compact_cnn()
    network.save(tmp_path / "compact.keras")
    loaded = keras.saving.load_model(tmp_path / "compact.keras", safe_mode=True)
    expected = network.predict(pixels, verbose=0)
    assert np.allclose(loaded.predict(pixels, verbose=0), expected, atol=1e-6)


@pytest.fixture
def sixteen_bits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def test_probabilities_stay_32_bits_in_mixed_precision(sixteen_bits):
    network = build_compact_cnn()
    assert network.get_layer("convolution_1").compute_dtype == "bfloat16"
    assert network.predict(pixels, verbose=0).dtype == "float32"


@pytest.mark.slow
def test_a_short_training_learns():
    keras.utils.set_random_seed(1)
    labels = np.arange(500) % 5
    images = np.zeros((500, 28, 28), dtype="uint8")
    images[np.arange(500), 4 + 5 * labels, 6:22] = 255  # a line, lower for a larger label
    network = build_compact_cnn()
    network.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam(0.005))
    before = network.evaluate(images, labels, verbose=0)
    network.fit(images, labels, batch_size=50, epochs=4, verbose=0)
    assert network.evaluate(images, labels, verbose=0) < before
