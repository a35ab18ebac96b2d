"""The networks: what goes in, what comes out, their size, and what training adds to them."""

import numpy as np
import pytest

from mnist_helpers import (
    build_cnn,
    build_compact_cnn,
    build_dense,
    count_multiplications,
    keras,
)

pixels = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype="uint8")


@pytest.mark.parametrize("build", [build_dense, build_cnn, build_compact_cnn])
class TestEveryNetwork:
    def test_takes_raw_pixels_and_gives_ten_probabilities(self, build):
        probabilities = build().predict(pixels, verbose=0)
        assert probabilities.shape == (3, 10) and probabilities.dtype == "float32"
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)

    def test_scales_the_pixels_itself(self, build):
        network = build()
        scaled = keras.Model(network.inputs, network.get_layer("scale_to_0_1").output)
        assert np.allclose(scaled.predict(pixels, verbose=0), pixels / 255, atol=1e-6)

    def test_is_left_uncompiled_and_warns_of_nothing(self, build, recwarn):
        assert not build().compiled
        assert not [str(warning.message) for warning in recwarn]


@pytest.mark.parametrize(
    "build, parameters, multiplications",
    [
        (build_dense, 20_535, 784 * 25 + 25 * 25 + 25 * 10),
        # A convolution's weights are used at every place of its output.
        (build_cnn, 290_585, 26 * 26 * 108 + 24 * 24 * 2_160 + 11_520 * 25 + 25 * 10),
        (
            build_compact_cnn,
            32_842,
            14 * 14 * 400 + 12 * 12 * 4_608 + 10 * 10 * 9_216 + 3 * 3 * 13_824 + 432 * 10,
        ),
    ],
)
def test_sizes_are_those_that_the_text_names(build, parameters, multiplications):
    assert build().count_params() == parameters
    assert count_multiplications(build()) == multiplications


def test_layers_are_named_for_what_they_do():
    names = [layer.name for layer in build_cnn().layers]
    assert names[:3] == ["scale_to_0_1", "add_channel_axis", "convolution_1"]
    assert names[-1] == "probabilities"


def dot(count: int) -> np.ndarray:
    """`count` images of one channel with a single bright pixel in the middle."""
    images = np.zeros((count, 28, 28, 1), dtype="float32")
    images[:, 14, 14] = 1
    return images


class TestCompactNetwork:
    @pytest.fixture
    def shift(self):
        keras.utils.set_random_seed(1)
        return build_compact_cnn().get_layer("shift_randomly")

    def test_training_images_move_by_up_to_two_whole_pixels_each_way(self, shift):
        moved = shift(dot(1_000), training=True).numpy()[..., 0]
        assert np.array_equal(moved.sum(axis=(1, 2)), np.ones(1_000))  # one pixel, not blurred
        offsets = np.argwhere(moved)[:, 1:] - 14
        assert set(offsets[:, 0]) == set(offsets[:, 1]) == {-2, -1, 0, 1, 2}

    def test_what_enters_a_moved_image_is_background(self, shift):
        moved = shift(np.ones((200, 28, 28, 1), dtype="float32"), training=True).numpy()
        assert set(np.unique(moved)) == {0, 1}
        assert moved.sum(axis=(1, 2, 3)).min() == 26 * 26

    def test_images_to_predict_stay_in_place(self, shift):
        assert np.array_equal(shift(dot(20), training=False).numpy(), dot(20))

    def test_saved_it_answers_the_same_each_time_when_loaded_in_safe_mode(self, tmp_path):
        network = build_compact_cnn()
        expected = network.predict(pixels, verbose=0)
        assert np.array_equal(network.predict(pixels, verbose=0), expected)
        network.save(tmp_path / "compact.keras")
        loaded = keras.saving.load_model(tmp_path / "compact.keras", safe_mode=True)
        assert np.allclose(loaded.predict(pixels, verbose=0), expected, atol=1e-6)

    def test_probabilities_stay_32_bits_in_mixed_precision(self):
        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            network = build_compact_cnn()
        finally:
            keras.config.set_dtype_policy("float32")
        assert network.get_layer("convolution_1").compute_dtype == "bfloat16"
        assert network.predict(pixels, verbose=0).dtype == "float32"

    @pytest.mark.slow
    def test_a_short_training_learns(self):
        keras.utils.set_random_seed(1)
        labels = np.arange(500) % 5
        images = np.zeros((500, 28, 28), dtype="uint8")
        images[np.arange(500), 4 + 5 * labels, 6:22] = 255  # a line, lower for a larger label
        network = build_compact_cnn()
        network.compile("adamw", "sparse_categorical_crossentropy")
        before = network.evaluate(images, labels, verbose=0)
        network.fit(images, labels, batch_size=50, epochs=4, verbose=0)
        assert network.evaluate(images, labels, verbose=0) < before
