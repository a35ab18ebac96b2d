"""One line that follows a training live."""

import time

import numpy as np

from .keras_setup import keras
from .shown import LiveText

SECONDS_BETWEEN = 0.5  # two changes of the line


class FitProgress(keras.callbacks.Callback):
    """One line that follows `fit` live and stays behind as its record: loss and all metrics.

    Also adds "seconds" to the history: the time from the start of `fit` to the end of each
    epoch, the first compilation included.

    Raises RuntimeError if the network was trained before, even for a part of an epoch: a
    cell with `fit` that is run again would go on with the old weights, and no figure that
    comes of it would mean what it says.
    """

    def on_train_begin(self, logs=None):
        if getattr(self.model, "training_began", False):
            raise RuntimeError(
                "this network has been trained before, wholly or in part. To train it from the "
                "start, run the cells again from the one that builds it"
            )
        self.model.training_began = True
        self._start = time.perf_counter()
        self._shown = 0.0
        self._epoch = 0
        self._last = {}
        self._line = LiveText("starting")

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self._shown < SECONDS_BETWEEN:
            return
        self._shown = now
        epochs, steps = self.params["epochs"], self.params["steps"] or batch + 1
        # With several steps per call, the last call of an epoch may count beyond its end.
        done = (self._epoch + min(1.0, (batch + 1) / steps)) / epochs
        left = (now - self._start) * (1 - done) / done
        figures = [*_figures(logs), f"about {left:.0f} s left"]
        self._line.update(f"epoch {self._epoch + 1} of {epochs}: {', '.join(figures)}")

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.perf_counter() - self._start
        self._last = dict(logs)

    def on_train_end(self, logs=None):
        seconds = self._last.pop("seconds", 0)
        lines = [f"{self._epoch + 1} epochs in {seconds:.0f} s"]
        of_training, of_validation = {}, {}
        for name, value in self._last.items():
            values = of_validation if name.startswith("val_") else of_training
            values[name.removeprefix("val_")] = value
        for images, values in [("training", of_training), ("validation", of_validation)]:
            if values:
                lines.append(f"{images + ' images:':19} {', '.join(_figures(values))}")
        self._line.finish("\n".join(lines))


def _figures(values: dict | None) -> list[str]:
    """The single numbers among the values that Keras gives a callback; the loss comes first."""
    values = sorted((values or {}).items(), key=lambda item: item[0] != "loss")
    return [f"{name} {value:.4f}" for name, value in values if np.ndim(value) == 0]
