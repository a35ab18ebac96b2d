"""Write the trained networks for the pages: one classic script with layers and weights.

The script sets `window.mnistTutorialNetworks`, by name {"layers": […], "weights": base64 of
float32 numbers}; template/network.js computes with them.
"""

import base64
import json
from pathlib import Path

import numpy as np

from mnist_helpers.files import write_atomically
from mnist_helpers.keras_setup import keras

from .live import NETWORKS

NAMES = ("dense", "cnn", "compact")
# These do nothing once the training is over.
TRAINING_ONLY = {"InputLayer", "Dropout", "GaussianNoise", "RandomTranslation", "RandomRotation"}
# What network.js takes for granted of a layer's settings.
GRANTED = {
    "Rescaling": {},
    "Reshape": {},
    "Flatten": {"data_format": "channels_last"},
    "Conv2D": {"data_format": "channels_last", "dilation_rate": (1, 1), "groups": 1},
    "BatchNormalization": {"axis": -1, "center": True, "scale": True},
    "MaxPooling2D": {"data_format": "channels_last", "padding": "valid"},
    "Dense": {},
    "ReLU": {"max_value": None, "negative_slope": 0, "threshold": 0},
    "Softmax": {},
}
as_array = keras.ops.convert_to_numpy
ACTIVATIONS = {"linear": [], "relu": ["ReLU"], "softmax": ["Softmax"]}


def export_networks(folder: Path, out: Path) -> list[str]:
    """Write `out`/networks.js with the networks kept in `folder`; return their names.

    A network that was not kept is left out, and one whose file cannot be read, with a line that
    says so. Raises ValueError, naming the layer, for a layer that the pages cannot compute.
    """
    networks = {}
    for name in NAMES:
        path = folder / f"{name}.keras"
        if not path.exists():
            continue
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # whatever is wrong with the file
            print(f"The pages do without the {name} network: {path} cannot be read ({error})")
            continue
        networks[name] = as_json(model)
    text = f"window.mnistTutorialNetworks = {json.dumps(networks, separators=(',', ':'))};\n"
    write_atomically(out / NETWORKS, lambda part: part.write_text(text, encoding="utf-8"))
    return list(networks)


def as_json(model: keras.Model) -> dict:
    """The layers of a network and all their weights. Raises ValueError as `export_networks`."""
    if not isinstance(model, keras.Sequential):
        raise ValueError(f"the pages compute Sequential networks, and {model.name} is none")
    layers, weights = [], []
    for layer in model.layers:
        if type(layer).__name__ in TRAINING_ONLY:
            continue
        settings, learned = describe(layer)
        arrays = {name: as_array(part).astype("<f4") for name, part in learned.items()}
        layers.append(settings | {"weights": {name: a.shape for name, a in arrays.items()}})
        weights += [array.tobytes() for array in arrays.values()]
        activation = layer.get_config().get("activation", "linear")
        if activation not in ACTIVATIONS:
            raise unknown(layer, f"the activation {activation}")
        layers += [{"type": name, "weights": {}} for name in ACTIVATIONS[activation]]
    return {"layers": layers, "weights": base64.b64encode(b"".join(weights)).decode()}


def describe(layer: keras.Layer) -> tuple[dict, dict]:
    """What network.js has to know of a layer: its settings, and its weights by name."""
    kind, config = type(layer).__name__, layer.get_config()
    if kind not in GRANTED:
        raise unknown(layer, f"a layer of the kind {kind}")
    for name, value in GRANTED[kind].items():
        if config[name] != value:
            raise unknown(layer, f"{kind} with {name} = {config[name]}")
    settings, weights = {"type": kind}, {}
    if kind == "Rescaling":
        settings |= {"scale": float(layer.scale), "offset": float(layer.offset)}
    elif kind == "Reshape":
        settings["shape"] = layer.output.shape[1:]
    elif kind == "MaxPooling2D":
        settings |= {"size": layer.pool_size, "strides": layer.strides}
    elif kind == "BatchNormalization":
        # Folded to a factor and a shift, in float64. Not into the kernel before: pooling may lie
        # between, which a negative factor does not let pass.
        learned = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        gamma, beta, mean, variance = (as_array(part).astype(np.float64) for part in learned)
        scale = gamma / np.sqrt(variance + layer.epsilon)
        weights = {"scale": scale, "offset": beta - mean * scale}
    elif kind in ("Conv2D", "Dense"):
        bias = layer.bias if layer.use_bias else np.zeros(layer.kernel.shape[-1])
        weights = {"kernel": layer.kernel, "bias": bias}
        if kind == "Conv2D":
            settings |= {"strides": layer.strides, "padding": layer.padding}
    return settings, weights


def unknown(layer: keras.Layer, what: str) -> ValueError:
    return ValueError(f"the pages cannot compute the layer {layer.name}: {what} (network.js)")
