"""Plumbing around `fit`: live progress, and trained networks kept between notebooks."""

import json
import os
import time
import zipfile
from pathlib import Path

from IPython.display import DisplayHandle, display

from .files import artifacts_folder, write_atomically
from .keras_quietly import keras
from .statistics import accuracy_interval

# What the test runner reads from an executed notebook.
RESULT_TYPE = "application/vnd.mnist-tutorial.result+json"
# What a kept .keras file holds besides the network: history and settings, as JSON.
RUN_MEMBER = "mnist_tutorial_run.json"


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
        done = (self._epoch + (batch + 1) / steps) / epochs
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


def save_run(name: str, model: keras.Model, history: dict, settings: dict) -> None:
    """Keep a trained network, its history and the settings it was trained with, in one file.

    The file is an ordinary .keras archive with one more member, RUN_MEMBER, and is replaced
    atomically: a reader sees the old run or the new one, never a mixture. Where nothing can be
    written, says so and carries on. Raises ValueError if the history is of another training.
    """
    _check_history(model, history)
    run = json.dumps({"settings": settings, "history": history})

    def write(part: Path) -> None:
        model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(RUN_MEMBER, run)

    try:
        write_atomically(_kept_file(name), write)
    except OSError as error:
        reason = error.strerror or error
        print(f"The network could not be kept ({reason}): the later notebooks train it anew.")
        return
    print(f"Kept for the later notebooks: artifacts/{name}.keras")


def load_run(name: str, settings: dict) -> tuple[keras.Model, dict] | None:
    """The network, uncompiled, and the history kept by `save_run` with these settings, or None.

    Prints one line that says which it is and, where a kept run cannot be used, why. Keras's
    safe mode stays on: a file that would run code when loaded is refused.
    """
    path = _kept_file(name)
    if not path.exists():
        print(f"No {name} network was kept.")
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():
                raise ValueError("its file is damaged")
            run = json.loads(archive.read(RUN_MEMBER))
        if run["settings"] != settings:
            raise ValueError("it was trained with other settings")
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        if model.input_shape != (None, 28, 28) or model.output_shape != (None, 10):
            raise ValueError("it is another kind of network")
        history = run["history"]
    except Exception as error:  # whatever is wrong with the file, the answer is the same
        reason = "its file is damaged" if isinstance(error, zipfile.BadZipFile) else str(error)
        first_line = (reason.strip() or type(error).__name__).splitlines()[0]
        print(f"The kept {name} network is not used: {first_line[:120]}.")
        return None
    print(f"Using the {name} network that was trained before and kept in artifacts/.")
    return model, history


def _kept_file(name: str) -> Path:
    return artifacts_folder() / f"{name}.keras"


def _check_history(model: keras.Model, history: dict) -> None:
    """Raise ValueError if Keras knows that the model's last training had another history.

    That is so where cells were run in another order, or the last training was interrupted:
    the network is then not the one that the history tells of.
    """
    last = getattr(model, "history", None)
    if last is not None and last.history is not history:
        raise ValueError(
            "this history is of another training than the network: run the cells again from "
            "the one that builds the network"
        )


def report_result(
    name: str, model: keras.Model, history: dict, test_loss: float, correct: int, total: int
) -> None:
    """Show a network's test result in one line, and leave it for programs to read.

    Raises ValueError if the history is of another training than the network.
    """
    _check_history(model, history)
    low, high = accuracy_interval(correct, total)
    result = {
        "model": name,
        "parameters": model.count_params(),
        "epochs": len(history["loss"]),
        "fit_seconds": round(history["seconds"][-1], 3),
        "test_accuracy": correct / total,
        "test_loss": float(test_loss),
    }
    line = (
        f"{name}: {correct / total:.2%} of {total:,} test images right "
        f"(95 % interval {low:.2%} to {high:.2%}), test loss {test_loss:.4f}"
    )
    display({"text/plain": line, RESULT_TYPE: result}, raw=True)
