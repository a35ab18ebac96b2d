"""One line that follows a training live."""

import time

from IPython.display import DisplayHandle

from .keras_setup import keras


class FitProgress(keras.callbacks.Callback):
    """One line that follows `fit` live and stays behind as its record.

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
        self._line = DisplayHandle()
        self._line.display(_text("starting"), raw=True)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self._shown < 0.5:
            return
        self._shown = now
        epochs, steps = self.params["epochs"], self.params["steps"] or batch + 1
        done = min(1.0, (self._epoch + (batch + 1) / steps) / epochs)
        left = (now - self._start) * (1 - done) / done
        self._line.update(
            _text(
                f"epoch {self._epoch + 1} of {epochs}: loss {logs['loss']:.4f}, "
                f"accuracy {logs['accuracy']:.4f}, about {left:.0f} s left"
            ),
            raw=True,
        )

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.perf_counter() - self._start
        self._last = dict(logs)

    def on_train_end(self, logs=None):
        last = self._last
        lines = [f"{self._epoch + 1} epochs in {last['seconds']:.0f} s"]
        for images, prefix in [("training", ""), ("validation", "val_")]:
            if prefix + "loss" in last:
                loss, accuracy = last[prefix + "loss"], last[prefix + "accuracy"]
                lines.append(f"{images + ' images:':19} loss {loss:.4f}, accuracy {accuracy:.4f}")
        self._line.update(_text("\n".join(lines)), raw=True)


def _text(line: str) -> dict:
    return {"text/plain": line}
