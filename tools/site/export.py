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

NAMES = ("dense", "cnn", "compact")
# These do nothing once the training is over.
TRAINING_ONLY = {"InputLayer", "Dropout", "GaussianNoise", "RandomTranslation", "RandomRotation"}
# What network.js computes: of each kind of layer the settings that it takes for granted, and the
# names of those that it reads.
LAST = {"data_format": "channels_last"}
LAYERS = {
    "Rescaling": ({}, ["scale", "offset"]),
    "Reshape": ({}, []),
    "Flatten": (LAST, []),
    "Conv2D": (LAST | {"dilation_rate": (1, 1), "groups": 1}, ["strides", "padding"]),
    "BatchNormalization": ({"axis": -1, "center": True, "scale": True}, []),
    "MaxPooling2D": (LAST | {"padding": "valid"}, ["pool_size", "strides"]),
    "Dense": ({}, []),
    "ReLU": ({"max_value": None, "negative_slope": 0, "threshold": 0}, []),
    "Softmax": ({}, []),
}
as_array = keras.ops.convert_to_numpy
ACTIVATIONS = {"linear": [], "relu": ["ReLU"], "softmax": ["Softmax"]}


def export_networks(folder: Path, out: Path) -> list[str]:
    """Write `out`/networks.js with the networks kept in `folder`; return their names.

    A network that was not kept is left out, and one whose file cannot be read, with a line that
    says so. Raises ValueError, naming the layer, for a layer that the pages cannot compute.
    """
    networks = {}
    paths = [folder / f"{name}.keras" for name in NAMES]
    for path in filter(Path.exists, paths):
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # whatever is wrong with the file
            print(f"The pages do without the {path.stem} network: {path} cannot be read ({error})")
            continue
        networks[path.stem] = as_json(model)
    text = f"window.mnistTutorialNetworks = {json.dumps(networks, separators=(',', ':'))};\n"
    write_atomically(out / "networks.js", lambda part: part.write_text(text, encoding="utf-8"))
    return list(networks)


def as_json(model: keras.Model) -> dict:
    """The layers of a network and all their weights. Raises ValueError as `export_networks`."""
    if not isinstance(model, keras.Sequential):
        raise ValueError(f"the pages compute Sequential networks, and {model.name} is none")
    layers, weights = [], []
    for layer in model.layers:
        kind, config = type(layer).__name__, layer.get_config()
        if kind in TRAINING_ONLY:
            continue
        if problem := unknown(kind, config):
            raise ValueError(f"the pages cannot compute the layer {layer.name}: {problem}")
        arrays = {name: as_array(part).astype("<f4") for name, part in weights_of(layer).items()}
        settings = {"type": kind, "shape": layer.output.shape[1:]}
        settings |= {name: config[name] for name in LAYERS[kind][1]}
        layers.append(settings | {"weights": {name: a.shape for name, a in arrays.items()}})
        weights += [array.tobytes() for array in arrays.values()]
        activation = ACTIVATIONS[config.get("activation", "linear")]
        layers += [{"type": name, "weights": {}} for name in activation]
    return {"layers": layers, "weights": base64.b64encode(b"".join(weights)).decode()}


def unknown(kind: str, config: dict) -> str | None:
    """What network.js does not know of a layer of this kind with this configuration, if any."""
    if kind not in LAYERS:
        return f"a layer of the kind {kind}"
    if (activation := config.get("activation", "linear")) not in ACTIVATIONS:
        return f"the activation {activation}"
    granted = LAYERS[kind][0].items()
    other = [f"{name} = {config[name]}" for name, value in granted if config[name] != value]
    return f"{kind} with {', '.join(other)}" if other else None


def weights_of(layer: keras.Layer) -> dict:
    """The weights of a layer by name, as network.js reads them; empty if it has none."""
    if isinstance(layer, keras.layers.BatchNormalization):
        # Folded to a factor and a shift, in float64. Not into the kernel before: pooling may lie
        # between, which a negative factor does not let pass.
        learned = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        gamma, beta, mean, variance = (as_array(part).astype(np.float64) for part in learned)
        scale = gamma / np.sqrt(variance + layer.epsilon)
        return {"scale": scale, "offset": beta - mean * scale}
    if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        bias = layer.bias if layer.use_bias else np.zeros(layer.kernel.shape[-1])
        return {"kernel": layer.kernel, "bias": bias}
    return {}
