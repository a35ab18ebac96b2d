"""Train the two networks as one of several programs would; print what it took, as JSON.

    python bench_variants.py seed|tutorial|torch|jax ARRAYS.npz SETTINGS

Run by tools/bench.py, each variant in a process of its own, with a file of MNIST-shaped arrays
and its settings as JSON. Each needs NumPy and its own framework only; the tutorial's needs the
tutorial.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np
from machine import peak_memory

Result = tuple[float, float]  # seconds of training, accuracy on the test images


def train_with_keras(
    variant: str, read: Callable[[str], np.ndarray], settings: dict
) -> list[Result]:
    """seed: the code of the 2019 notebook, plainly: float64 arrays, `fit` as it comes.

    tutorial: as notebooks 02 and 03 train: bytes in memory, many batches a call.
    jax: the tutorial's networks with Keras on JAX.
    """
    os.environ["KERAS_BACKEND"] = "jax" if variant == "jax" else "tensorflow"
    if variant == "tutorial":
        from mnist_helpers import build_cnn, build_dense, keras, shuffled_batches

        networks = [build_dense(), build_cnn()]
        epoch = settings["train_images"] * 4 // 5 // settings["batch_size"]
        # As notebooks 02 and 03 do.
        steps_per_execution, validation_batch_size = [epoch, 20], [1_000, None]
    else:
        import keras

        networks = networks_of_2019(keras, scaled=variant == "seed")
        # What Keras does unless it is told.
        steps_per_execution, validation_batch_size = [1, 1], [None, None]
    x_train, x_test = read("x_train"), read("x_test")
    if variant == "seed":
        x_train, x_test = x_train / 255, x_test / 255
    y_train, y_test = (keras.utils.to_categorical(read(name), 10) for name in ("y_train", "y_test"))

    options = {"verbose": 0}
    of_arrays = {"batch_size": settings["batch_size"], "validation_split": 0.2}
    whole = len(x_train) * 4 // 5  # what is not held out
    results = []
    called = zip(steps_per_execution, validation_batch_size, strict=True)
    for name, model, (steps, of_validation) in zip(("dense", "cnn"), networks, called, strict=True):
        model.compile(
            loss="categorical_crossentropy",
            optimizer="adam",
            metrics=["accuracy"],
            steps_per_execution=steps,
        )
        shape = (-1, *model.input_shape[1:])
        start = time.perf_counter()
        options |= {"epochs": settings[f"{name}_epochs"], "validation_batch_size": of_validation}
        if variant == "tutorial":
            batches = shuffled_batches(x_train[:whole], y_train[:whole], settings["batch_size"])
            options |= {"validation_data": (x_train[whole:], y_train[whole:]), "shuffle": False}
            model.fit(batches, **options)
        else:
            model.fit(x_train.reshape(shape), y_train, **(options | of_arrays))
        seconds = time.perf_counter() - start
        results.append((seconds, model.evaluate(x_test.reshape(shape), y_test, verbose=0)[1]))
    return results


def networks_of_2019(keras, scaled: bool) -> list:
    """The two networks; unless the images come `scaled` and shaped, layers see to that."""
    layers = keras.layers
    dense = [layers.Dense(25, activation="relu"), layers.Dense(25, activation="relu")]
    cnn = [
        layers.Conv2D(12, kernel_size=3, activation="relu"),
        layers.Conv2D(20, kernel_size=3, activation="relu"),
        layers.Flatten(),
        layers.Dense(25, activation="relu"),
    ]
    networks = []
    for shape, hidden in [((784,), dense), ((28, 28, 1), cnn)]:
        raw = [keras.Input((28, 28)), layers.Rescaling(1 / 255), layers.Reshape(shape)]
        start = [keras.Input(shape)] if scaled else raw
        networks.append(keras.Sequential([*start, *hidden, layers.Dense(10, activation="softmax")]))
    return networks


def train_with_torch(read, settings):
    """The same two networks, trained by a plain PyTorch loop."""
    import torch
    from torch import nn

    def tensors(part):
        pixels = torch.from_numpy(read(f"x_{part}").astype("float32") / 255).unsqueeze(1)
        return pixels, torch.from_numpy(read(f"y_{part}").astype("int64"))

    (x_train, y_train), (x_test, y_test) = tensors("train"), tensors("test")
    held_out = len(x_train) // 5
    x_valid, y_valid = x_train[-held_out:], y_train[-held_out:]
    x_train, y_train = x_train[:-held_out], y_train[:-held_out]

    @torch.no_grad()
    def evaluate(model, x, y) -> float:
        model.eval()
        right = loss = 0.0
        for batch in torch.arange(len(x)).split(settings["batch_size"]):
            logits = model(x[batch])
            loss += float(nn.functional.cross_entropy(logits, y[batch], reduction="sum"))
            right += int((logits.argmax(dim=1) == y[batch]).sum())
        return right / len(x)

    def train(model, epochs) -> Result:
        optimizer = torch.optim.Adam(model.parameters())
        start = time.perf_counter()
        for _ in range(epochs):
            model.train()
            right = torch.zeros((), dtype=torch.int64)
            for batch in torch.randperm(len(x_train)).split(settings["batch_size"]):
                logits = model(x_train[batch])
                loss = nn.functional.cross_entropy(logits, y_train[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                right += (logits.argmax(dim=1) == y_train[batch]).sum()
            evaluate(model, x_valid, y_valid)
        seconds = time.perf_counter() - start
        return seconds, evaluate(model, x_test, y_test)

    dense = [nn.Flatten(), nn.Linear(784, 25), nn.ReLU(), nn.Linear(25, 25)]
    cnn = [nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 20, 3), nn.ReLU(), nn.Flatten()]
    cnn += [nn.Linear(11_520, 25)]
    return [
        train(nn.Sequential(*hidden, nn.ReLU(), nn.Linear(25, 10)), epochs)
        for hidden, epochs in [(dense, settings["dense_epochs"]), (cnn, settings["cnn_epochs"])]
    ]


def main() -> None:
    variant, arrays, settings = sys.argv[1:]
    settings = json.loads(settings)

    def read(name: str) -> np.ndarray:
        with np.load(arrays) as file:
            return file[name][: settings["train_images"] if name.endswith("train") else None]

    if variant == "torch":
        dense, cnn = train_with_torch(read, settings)
    else:
        dense, cnn = train_with_keras(variant, read, settings)
    report = {"dense s": dense[0], "dense accuracy": dense[1]}
    report |= {"CNN s": cnn[0], "CNN accuracy": cnn[1]}
    report["peak MB"] = peak_memory() / 1e6
    used = [sys.modules[name] for name in ("tensorflow", "torch", "jax") if name in sys.modules]
    report["runs on"] = ", ".join(f"{module.__name__} {module.__version__}" for module in used)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
