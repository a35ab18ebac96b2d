"""Keras's Muon optimizer, for the kernels of convolutions."""

from .keras_setup import keras

ops = keras.ops

# Not all of these are public names of Keras. Where one is missing, the class below would quietly
# be another optimizer.
for _name in ("_should_use_adamw", "zeropower_via_newtonschulz5", "lr_adjust"):
    if not hasattr(getattr(keras.optimizers, "Muon", None), _name):
        raise ImportError(
            f"Keras {keras.__version__} has no Muon of the form that is needed here: install "
            'another one with `pip install "keras>=3.13,<4"`, and restart the kernel'
        )


class Muon(keras.optimizers.Muon):
    """Muon for convolution kernels, Adam for everything else.

    Muon makes the step of a matrix equally long in all its directions: the singular values of
    the step are about 1 (K. Jordan and others, 2024), times a factor that gives it the size of
    Adam's (J. Liu and others, 2025). Keras does so for matrices alone. Here a kernel of shape
    (height, width, channels, filters) counts as a matrix with a column for each filter, as in
    the authors' own program, and dense layers, biases and normalisations are left to Adam.
    """

    def _should_use_adamw(self, variable) -> bool:
        return len(variable.shape) != 4

    def zeropower_via_newtonschulz5(self, x, steps: int):
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x):
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().lr_adjust(matrix), x.shape)
