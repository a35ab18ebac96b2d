"""The two networks as notebooks 02 and 03 train them: bytes in memory, many batches a call.

Run by tools/bench.py, in a process of its own, with a file of MNIST-shaped arrays and the
settings as JSON; prints what it measured as JSON.
"""

import json
import resource
import sys
import time

import numpy as np

from mnist_helpers import build_cnn, build_dense, keras

settings = json.loads(sys.argv[2])
with np.load(sys.argv[1]) as file:
    x_train = file["x_train"][: settings["train_images"]]
    x_test = file["x_test"]
    y_train = keras.utils.to_categorical(file["y_train"][: settings["train_images"]], 10)
    y_test = keras.utils.to_categorical(file["y_test"], 10)


def train(model, epochs):
    model.compile(
        loss="categorical_crossentropy",
        optimizer="adam",
        metrics=["accuracy"],
        steps_per_execution=20,
    )
    start = time.perf_counter()
    model.fit(
        x_train,
        y_train,
        batch_size=settings["batch_size"],
        epochs=epochs,
        validation_split=0.2,
        verbose=0,
    )
    seconds = time.perf_counter() - start
    return seconds, model.evaluate(x_test, y_test, batch_size=200, verbose=0)[1]


dense_seconds, dense_accuracy = train(build_dense(), settings["dense_epochs"])
cnn_seconds, cnn_accuracy = train(build_cnn(), settings["cnn_epochs"])

peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(
    json.dumps(
        {
            "dense_seconds": dense_seconds,
            "dense_accuracy": dense_accuracy,
            "cnn_seconds": cnn_seconds,
            "cnn_accuracy": cnn_accuracy,
            "peak_mb": peak * (1 if sys.platform == "darwin" else 1024) / 1e6,
        }
    )
)
