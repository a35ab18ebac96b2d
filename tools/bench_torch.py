"""The same two networks, trained by a plain PyTorch loop; needs only torch and NumPy.

Run by tools/bench.py, in a process of its own, with a file of MNIST-shaped arrays and the
settings as JSON; prints what it measured as JSON.
"""

import json
import resource
import sys
import time

import numpy as np
import torch
from torch import nn

settings = json.loads(sys.argv[2])
with np.load(sys.argv[1]) as file:
    x_train = torch.from_numpy(file["x_train"][: settings["train_images"]].astype("float32") / 255)
    x_test = torch.from_numpy(file["x_test"].astype("float32") / 255)
    y_train = torch.from_numpy(file["y_train"][: settings["train_images"]].astype("int64"))
    y_test = torch.from_numpy(file["y_test"].astype("int64"))

x_train, x_test = x_train.unsqueeze(1), x_test.unsqueeze(1)
held_out = len(x_train) // 5
x_valid, y_valid = x_train[-held_out:], y_train[-held_out:]
x_train, y_train = x_train[:-held_out], y_train[:-held_out]


@torch.no_grad()
def evaluate(model, x, y):
    model.eval()
    right = loss = 0.0
    for batch in torch.arange(len(x)).split(settings["batch_size"]):
        logits = model(x[batch])
        loss += float(nn.functional.cross_entropy(logits, y[batch], reduction="sum"))
        right += int((logits.argmax(dim=1) == y[batch]).sum())
    return loss / len(x), right / len(x)


def train(model, epochs):
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
    return seconds, evaluate(model, x_test, y_test)[1]


dense = nn.Sequential(
    nn.Flatten(),
    nn.Linear(784, 25),
    nn.ReLU(),
    nn.Linear(25, 25),
    nn.ReLU(),
    nn.Linear(25, 10),
)
dense_seconds, dense_accuracy = train(dense, settings["dense_epochs"])

cnn = nn.Sequential(
    nn.Conv2d(1, 12, 3),
    nn.ReLU(),
    nn.Conv2d(12, 20, 3),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(11_520, 25),
    nn.ReLU(),
    nn.Linear(25, 10),
)
cnn_seconds, cnn_accuracy = train(cnn, settings["cnn_epochs"])

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
