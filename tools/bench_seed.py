"""The code of the 2019 notebook, plainly: float64 arrays, `fit` as it comes.

Run by tools/bench.py, in a process of its own, with a file of MNIST-shaped arrays and the
settings as JSON; prints what it measured as JSON.
"""

import json
import resource
import sys
import time

import numpy as np
from tensorflow import keras
from tensorflow.keras.layers import Conv2D, Dense, Flatten
from tensorflow.keras.models import Sequential

settings = json.loads(sys.argv[2])
with np.load(sys.argv[1]) as file:
    x_train_i = file["x_train"][: settings["train_images"]] / 255
    x_test_i = file["x_test"] / 255
    y_train = keras.utils.to_categorical(file["y_train"][: settings["train_images"]], 10)
    y_test = keras.utils.to_categorical(file["y_test"], 10)

x_train = x_train_i.reshape(x_train_i.shape[0], 784)
x_test = x_test_i.reshape(x_test_i.shape[0], 784)


def train(model, x, x_of_test, epochs):
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(
        x,
        y_train,
        batch_size=settings["batch_size"],
        epochs=epochs,
        validation_split=0.2,
        verbose=0,
    )
    seconds = time.perf_counter() - start
    return seconds, model.evaluate(x_of_test, y_test, verbose=0)[1]


model = Sequential()
model.add(keras.Input((784,)))
model.add(Dense(25, activation="relu"))
model.add(Dense(25, activation="relu"))
model.add(Dense(10, activation="softmax"))
dense_seconds, dense_accuracy = train(model, x_train, x_test, settings["dense_epochs"])

cnv_model = Sequential()
cnv_model.add(keras.Input((28, 28, 1)))
cnv_model.add(Conv2D(12, kernel_size=(3, 3), activation="relu"))
cnv_model.add(Conv2D(20, kernel_size=(3, 3), activation="relu"))
cnv_model.add(Flatten())
cnv_model.add(Dense(25, activation="relu"))
cnv_model.add(Dense(10, activation="softmax"))
cnn_seconds, cnn_accuracy = train(
    cnv_model,
    x_train_i.reshape(-1, 28, 28, 1),
    x_test_i.reshape(-1, 28, 28, 1),
    settings["cnn_epochs"],
)

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
