"""The networks: what goes in, what comes out, how many parameters."""

import numpy as np
import pytest

from mnist_helpers import build_cnn, build_dense, count_multiplications, keras

pixels = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype="uint8")
BOTH = pytest.mark.parametrize("build", [build_dense, build_cnn])


@pytest.mark.parametrize(("build", "parameters"), [(build_dense, 20_535), (build_cnn, 290_585)])
def test_the_number_of_parameters_is_the_original_one(build, parameters):
    assert build().count_params() == parameters


@BOTH
def test_raw_pixels_go_in_and_ten_probabilities_come_out(build):
    probabilities = build().predict(pixels, verbose=0)
    assert probabilities.shape == (3, 10)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@BOTH
def test_pixels_are_scaled_inside_the_network(build):
    network = build()
    scaled = keras.Model(network.inputs, network.get_layer("scale_to_0_1").output)
    assert np.allclose(scaled.predict(pixels, verbose=0), pixels / 255, atol=1e-6)


@BOTH
def test_the_network_is_left_uncompiled(build):
    assert not build().compiled


@BOTH
def test_building_warns_of_nothing(build, recwarn):
    build()
    assert not [str(warning.message) for warning in recwarn]


def test_layers_are_named_for_what_they_do():
    names = [layer.name for layer in build_cnn().layers]
    assert names[:3] == ["scale_to_0_1", "add_channel_axis", "convolution_1"]
    assert names[-1] == "probabilities"


def test_multiplications_of_dense_layers_are_their_weights():
    assert count_multiplications(build_dense()) == 784 * 25 + 25 * 25 + 25 * 10


def test_multiplications_of_convolutions_count_every_place():
    first = 26 * 26 * 3 * 3 * 12
    second = 24 * 24 * 3 * 3 * 12 * 20
    assert count_multiplications(build_cnn()) == first + second + 11_520 * 25 + 25 * 10
