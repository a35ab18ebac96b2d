"""Train the two networks as one of three programs would; print what it took, as JSON.

bench.py starts each in a process of its own, with a file of MNIST-shaped arrays. Each needs NumPy
and its own framework, and no more. A program gives, for each network, the seconds of its training
and its accuracy on the test images.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from time import perf_counter

import numpy as np

from tools.machine import peak_memory

BATCH_SIZE = 100
ADAM = {"loss": "categorical_crossentropy", "optimizer": "adam", "metrics": ["accuracy"]}
Results = Iterator[tuple[float, float]]


def code_of_2019(arrays: Mapping, epochs: list[int]) -> Results:
    """The code of the 2019 notebook, plainly: float64 arrays, `fit` with Keras's defaults."""
    import keras
    from keras import layers

    x_train, x_test = arrays["x_train"] / 255, arrays["x_test"] / 255
    y_train, y_test = (keras.utils.to_categorical(arrays[y], 10) for y in ("y_train", "y_test"))
    dense = [keras.Input((784,)), layers.Dense(25, activation="relu")]
    cnn = [keras.Input((28, 28, 1)), layers.Conv2D(12, kernel_size=3, activation="relu")]
    cnn += [layers.Conv2D(20, kernel_size=3, activation="relu"), layers.Flatten()]
    options = {"batch_size": BATCH_SIZE, "validation_split": 0.2, "verbose": 0}
    for first, number in zip([dense, cnn], epochs, strict=True):
        last = [layers.Dense(25, activation="relu"), layers.Dense(10, activation="softmax")]
        model = keras.Sequential([*first, *last])
        model.compile(**ADAM)
        shape = (-1, *model.input_shape[1:])
        start = perf_counter()
        model.fit(x_train.reshape(shape), y_train, epochs=number, **options)
        seconds = perf_counter() - start
        yield seconds, model.evaluate(x_test.reshape(shape), y_test, verbose=0)[1]


def this_tutorial(arrays: Mapping, epochs: list[int]) -> Results:
    """As notebooks 02 and 03 train: bytes in memory, many batches in one call."""
    from mnist_helpers import build_cnn, build_dense, keras, shuffled_batches

    x_train, x_test = arrays["x_train"], arrays["x_test"]
    y_train, y_test = (keras.utils.to_categorical(arrays[y], 10) for y in ("y_train", "y_test"))
    count = len(x_train) * 4 // 5  # the others are held out
    options = {"validation_data": (x_train[count:], y_train[count:]), "shuffle": False}
    networks = [(build_dense, count // BATCH_SIZE, 1_000), (build_cnn, 20, None)]
    for (build, steps, validation_batch), number in zip(networks, epochs, strict=True):
        model = build()
        model.compile(**ADAM, steps_per_execution=steps)
        options |= {"epochs": number, "validation_batch_size": validation_batch, "verbose": 0}
        start = perf_counter()
        model.fit(shuffled_batches(x_train[:count], y_train[:count], BATCH_SIZE), **options)
        seconds = perf_counter() - start
        yield seconds, model.evaluate(x_test, y_test, verbose=0)[1]


def plain_torch(arrays: Mapping, epochs: list[int]) -> Results:
    """The same two networks in a plain PyTorch loop."""
    from torch import from_numpy, nn, optim

    images = (arrays[x].astype("float32") / 255 for x in ("x_train", "x_test"))
    x_train, x_test = (from_numpy(x).unsqueeze(1) for x in images)
    y_train, y_test = (from_numpy(arrays[y].astype("int64")) for y in ("y_train", "y_test"))
    count = len(x_train) * 4 // 5
    dense = [nn.Flatten(), nn.Linear(784, 25), nn.ReLU(), nn.Linear(25, 25)]
    cnn = [nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 20, 3), nn.ReLU(), nn.Flatten()]
    cnn += [nn.Linear(11_520, 25)]
    for hidden, number in zip([dense, cnn], epochs, strict=True):
        model = nn.Sequential(*hidden, nn.ReLU(), nn.Linear(25, 10))
        optimizer = optim.Adam(model.parameters())
        start = perf_counter()
        for _ in range(number):
            torch_epoch(model, x_train[:count], y_train[:count], optimizer)
            torch_epoch(model, x_train[count:], y_train[count:])
        yield perf_counter() - start, torch_epoch(model, x_test, y_test)


def torch_epoch(model, x, y, optimizer=None) -> float:
    """The accuracy over one epoch: of training if there is an optimizer, else of evaluation."""
    import torch

    model.train(optimizer is not None)
    right, total_loss = torch.zeros((), dtype=torch.int64), torch.zeros(())
    order = torch.randperm(len(x)) if optimizer else torch.arange(len(x))
    with torch.set_grad_enabled(optimizer is not None):
        for batch in order.split(BATCH_SIZE):
            logits = model(x[batch])
            loss = torch.nn.functional.cross_entropy(logits, y[batch])
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total_loss += loss.detach()  # Keras reports it as well
            right += (logits.argmax(dim=1) == y[batch]).sum()
    return int(right) / len(x)


if __name__ == "__main__":
    program, path, *epochs = sys.argv[1:]
    programs = {"2019 code": code_of_2019, "this tutorial": this_tutorial, "PyTorch": plain_torch}
    with np.load(path) as arrays:
        results = programs[program](arrays, [int(number) for number in epochs])
        (dense_seconds, dense), (cnn_seconds, cnn) = results
    report = {"dense s": dense_seconds, "CNN s": cnn_seconds, "dense": dense, "CNN": cnn}
    print(json.dumps(report | {"peak MB": (peak_memory() or np.nan) / 1e6}))
