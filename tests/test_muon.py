"""Muon: equally far in all directions of a convolution's kernels, Adam's steps for the rest."""

from importlib import reload

import numpy as np
import pytest

from mnist_helpers import Muon, keras, muon

RATE = 0.01
random = np.random.default_rng(0)


def step(optimizer, gradient: np.ndarray) -> np.ndarray:
    """The first step that an optimizer takes from zero."""
    variable = keras.Variable(np.zeros_like(gradient))
    optimizer.build([variable])
    optimizer.apply([gradient], [variable])
    return variable.numpy()


@pytest.fixture
def gradient() -> np.ndarray:
    """A gradient of 16 filters that is longest by far in one direction."""
    main = np.outer(random.normal(size=72), random.normal(size=16))
    return (main + 0.1 * random.normal(size=(72, 16))).reshape(3, 3, 8, 16).astype("float32")


def lengths(kernel: np.ndarray) -> np.ndarray:
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)


class TestKernels:
    def test_a_step_is_about_equally_long_in_all_directions(self, gradient):
        before, after = lengths(gradient), lengths(step(Muon(RATE), gradient))
        assert before[0] > 20 * before[-1]
        assert after[0] < 3 * after[-1]

    def test_a_step_goes_down_the_gradient(self, gradient):
        assert (step(Muon(RATE), gradient) * gradient).sum() < 0

    def test_a_step_is_as_large_as_the_rate_asks_for_whatever_the_gradients_size(self, gradient):
        taken = step(Muon(RATE), gradient)
        assert 0.05 * RATE < np.sqrt((taken**2).mean()) < 0.5 * RATE
        np.testing.assert_allclose(step(Muon(RATE), 1_000 * gradient), taken, rtol=0.01, atol=1e-5)

    def test_one_made_from_its_settings_takes_the_same_step(self, gradient):
        twin = Muon.from_config(Muon(RATE).get_config())
        np.testing.assert_array_equal(step(twin, gradient), step(Muon(RATE), gradient))


@pytest.mark.parametrize("shape", [(5,), (4, 6)], ids=["a bias", "a dense layer"])
def test_other_weights_take_the_steps_of_adam(shape):
    gradient = random.normal(size=shape).astype("float32")
    expected = step(keras.optimizers.Adam(RATE), gradient)
    np.testing.assert_allclose(step(Muon(RATE), gradient), expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["Muon", "Muon.lr_adjust", "Muon._should_use_adamw"])
def test_a_keras_that_lacks_what_is_built_on_is_refused_by_name(name, monkeypatch):
    monkeypatch.delattr(f"keras.optimizers.{name}")
    with pytest.raises(ImportError, match=rf"Keras {keras.__version__} has no Muon .*keras>=3\.13"):
        reload(muon)
