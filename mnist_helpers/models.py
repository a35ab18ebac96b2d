"""The tutorial's networks, uncompiled: `compile` and `fit` belong to the notebooks.

Every network takes raw pixel values, 0 to 255, of shape (batch, 28, 28) and gives the
probabilities of the ten digits, shape (batch, 10), float32. Scaling, flattening and the
channel axis are layers of the model, so nothing can be forgotten at prediction time.
"""

from .keras_setup import keras

layers = keras.layers


def build_dense() -> keras.Sequential:
    """Two hidden layers of 25 units: 20,535 parameters."""
    return _two_hidden_layers(25, "dense_network")


def build_wide_dense() -> keras.Sequential:
    """Two hidden layers of 272 units: 290,506 parameters, about as many as the CNN has."""
    return _two_hidden_layers(272, "wide_dense_network")


def _two_hidden_layers(units: int, name: str) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28), name="pixels"),
            layers.Rescaling(1 / 255, name="scale_to_0_1"),
            layers.Flatten(name="flatten_to_784"),
            layers.Dense(units, activation="relu", name="hidden_1"),
            layers.Dense(units, activation="relu", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name=name,
    )


def build_cnn() -> keras.Sequential:
    """Two convolutional layers, then one hidden layer of 25 units: 290,585 parameters."""
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28), name="pixels"),
            layers.Rescaling(1 / 255, name="scale_to_0_1"),
            layers.Reshape((28, 28, 1), name="add_channel_axis"),
            layers.Conv2D(12, kernel_size=3, activation="relu", name="convolution_1"),
            layers.Conv2D(20, kernel_size=3, activation="relu", name="convolution_2"),
            layers.Flatten(name="flatten_to_11520"),
            layers.Dense(25, activation="relu", name="hidden"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="convolutional_network",
    )


def count_multiplications(model: keras.Model) -> int:
    """Multiply-adds that a built model needs to classify one image.

    Counts the kernels of dense and convolutional layers: each weight of a dense kernel is
    used once, each weight of a convolution kernel once for every position of its output.
    Biases, activations, scaling and normalisation are left out, as is customary.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += layer.kernel.shape.num_elements() * height * width
        elif isinstance(layer, layers.Dense):
            total += layer.kernel.shape.num_elements()
    return total


def build_compact_cnn() -> keras.Sequential:
    """Four convolutional layers, no hidden dense layer: 32,842 parameters.

    While it trains, every image is first moved by up to 2 pixels; predictions leave it in place.
    The probabilities stay float32 under a mixed-precision policy too.
    """
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28), name="pixels"),
            layers.Rescaling(1 / 255, name="scale_to_0_1"),
            layers.Reshape((28, 28, 1), name="add_channel_axis"),
            layers.RandomTranslation(
                2 / 28, 2 / 28, fill_mode="constant", interpolation="nearest", name="shift_randomly"
            ),
            layers.Conv2D(
                16,
                kernel_size=5,
                strides=2,
                padding="same",
                activation="relu",
                name="convolution_1",
            ),
            layers.Conv2D(32, kernel_size=3, use_bias=False, name="convolution_2"),
            *_normalise_and_cut_off(2),
            layers.Conv2D(32, kernel_size=3, use_bias=False, name="convolution_3"),
            layers.MaxPooling2D(2, name="pooling"),
            *_normalise_and_cut_off(3),
            layers.Conv2D(48, kernel_size=3, use_bias=False, name="convolution_4"),
            *_normalise_and_cut_off(4),
            layers.Flatten(name="flatten_to_432"),
            layers.Dense(10, activation="softmax", dtype="float32", name="probabilities"),
        ],
        name="compact_network",
    )


def _normalise_and_cut_off(number: int) -> list[keras.Layer]:
    # The normalisation has a shift of its own, which makes the convolution's bias idle. Its
    # running averages follow within some ten batches: a few epochs are all they have.
    return [
        layers.BatchNormalization(momentum=0.9, name=f"normalisation_{number}"),
        layers.ReLU(name=f"relu_{number}"),
    ]
