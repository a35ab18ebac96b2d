"""The tutorial's networks, uncompiled: `compile` and `fit` belong to the notebooks.

Every network takes raw pixel values, 0 to 255, of shape (batch, 28, 28) and gives the
probabilities of the ten digits, shape (batch, 10), float32. Scaling, flattening and the
channel axis are layers of the model.
"""

from math import prod

from .keras_setup import keras

layers = keras.layers


def build_dense() -> keras.Sequential:
    """Two hidden layers of 25 units: 20,535 parameters."""
    return _dense_network(25, "dense_network")


def build_wide_dense() -> keras.Sequential:
    """Two hidden layers of 272 units: 290,506 parameters, about as many as the CNN has."""
    return _dense_network(272, "wide_dense_network")


def _dense_network(units: int, name: str) -> keras.Sequential:
    return _network(
        name,
        layers.Flatten(name="flatten_to_784"),
        layers.Dense(units, activation="relu", name="hidden_1"),
        layers.Dense(units, activation="relu", name="hidden_2"),
    )


def build_cnn() -> keras.Sequential:
    """Two convolutional layers, then one hidden layer of 25 units: 290,585 parameters."""
    return _network(
        "convolutional_network",
        layers.Reshape((28, 28, 1), name="add_channel_axis"),
        layers.Conv2D(12, kernel_size=3, activation="relu", name="convolution_1"),
        layers.Conv2D(20, kernel_size=3, activation="relu", name="convolution_2"),
        layers.Flatten(name="flatten_to_11520"),
        layers.Dense(25, activation="relu", name="hidden"),
    )


def build_compact_cnn() -> keras.Sequential:
    """Four convolutional layers, no hidden dense layer: 32,842 parameters.

    While it trains, every image is first moved by up to 2 pixels; predictions leave it in place.
    """
    shifts = {"fill_mode": "constant", "interpolation": "nearest", "name": "shift_randomly"}
    first = {"strides": 2, "padding": "same", "activation": "relu", "name": "convolution_1"}
    return _network(
        "compact_network",
        layers.Reshape((28, 28, 1), name="add_channel_axis"),
        layers.RandomTranslation(2 / 28, 2 / 28, **shifts),
        layers.Conv2D(16, kernel_size=5, **first),
        layers.Conv2D(32, kernel_size=3, use_bias=False, name="convolution_2"),
        *_normalise_and_cut_off(2),
        layers.Conv2D(32, kernel_size=3, use_bias=False, name="convolution_3"),
        layers.MaxPooling2D(2, name="pooling"),
        *_normalise_and_cut_off(3),
        layers.Conv2D(48, kernel_size=3, use_bias=False, name="convolution_4"),
        *_normalise_and_cut_off(4),
        layers.Flatten(name="flatten_to_432"),
    )


def _normalise_and_cut_off(number: int) -> list[keras.Layer]:
    # Its shift makes the convolution's bias idle, its averages follow within some ten batches.
    normalisation = layers.BatchNormalization(momentum=0.9, name=f"normalisation_{number}")
    return [normalisation, layers.ReLU(name=f"relu_{number}")]


def _network(name: str, *hidden: keras.Layer) -> keras.Sequential:
    pixels = keras.Input(shape=(28, 28), name="pixels")
    scaling = layers.Rescaling(1 / 255, name="scale_to_0_1")
    # In 32 bits under a mixed-precision policy, too.
    answer = layers.Dense(10, activation="softmax", dtype="float32", name="probabilities")
    return keras.Sequential([pixels, scaling, *hidden, answer], name=name)


def count_multiplications(model: keras.Model) -> int:
    """Multiply-adds that a built model needs to classify one image.

    Those of the kernels of dense and convolutional layers; the rest is left out, as is customary.
    """
    weighted = [one for one in model.layers if isinstance(one, layers.Conv2D | layers.Dense)]
    # A convolution's kernel is used at each of its output's positions, a dense layer's once.
    return sum(prod(one.kernel.shape) * prod(one.output.shape[1:-1]) for one in weighted)
