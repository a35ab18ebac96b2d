"""The tutorial's networks, uncompiled: `compile` and `fit` belong to the notebooks.

Every network takes raw pixel values, 0 to 255, of shape (batch, 28, 28) and gives the
probabilities of the ten digits, shape (batch, 10), float32. Scaling, flattening and the
channel axis are layers of the model, so nothing can be forgotten at prediction time.
"""

from .keras_quietly import keras

layers = keras.layers


def build_dense() -> keras.Sequential:
    """Two hidden layers of 25 units: 20,535 parameters."""
    return keras.Sequential(
        [
            keras.Input(shape=(28, 28), name="pixels"),
            layers.Rescaling(1 / 255, name="scale_to_0_1"),
            layers.Flatten(name="flatten_to_784"),
            layers.Dense(25, activation="relu", name="hidden_1"),
            layers.Dense(25, activation="relu", name="hidden_2"),
            layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="dense_network",
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
