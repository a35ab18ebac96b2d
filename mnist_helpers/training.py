"""Plumbing around `fit`: live progress, and trained networks kept between notebooks."""

import hashlib
import json
import os
import time
from pathlib import Path

from IPython.display import DisplayHandle, display

from .files import write_atomically
from .keras_quietly import keras
from .statistics import accuracy_interval

# What the test runner reads from an executed notebook.
RESULT_TYPE = "application/vnd.mnist-tutorial.result+json"


class FitProgress(keras.callbacks.Callback):
    """One line that follows `fit` live and stays behind as its record.

    Also adds "seconds" to the history: the time from the start of `fit` to the end of each
    epoch, the first compilation included.
    """

    def on_train_begin(self, logs=None):
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


def artifacts_folder() -> Path:
    """Where trained networks are kept: `artifacts/` of the checkout, or MNIST_ARTIFACTS."""
    named = os.environ.get("MNIST_ARTIFACTS")
    return Path(named) if named else Path(__file__).resolve().parent.parent / "artifacts"


def save_run(name: str, model: keras.Model, history: dict, settings: dict) -> None:
    """Keep a trained network, its history and the settings it was trained with.

    The network goes to a file named after its content, then one small JSON file is replaced
    atomically to point at it: a reader sees the old run or the new one, never a mixture.
    Where nothing can be written, says so and carries on.
    """
    folder = artifacts_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".{name}-{os.getpid()}.keras"
        try:
            model.save(new)
            digest = _sha256(new)
            kept = folder / f"{name}-{digest[:16]}.keras"
            os.replace(new, kept)
        finally:
            new.unlink(missing_ok=True)
        record = {"settings": settings, "history": history, "file": kept.name, "sha256": digest}
        text = json.dumps(record, indent=1)
        write_atomically(folder / f"{name}.json", lambda path: Path(path).write_text(text))
        for old in folder.glob(f"{name}-*.keras"):
            if old != kept:
                old.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or error
        print(f"The network could not be kept ({reason}): the later notebooks train it anew.")
        return
    print(f"Kept for the later notebooks: artifacts/{name}.json and its .keras file.")


def load_run(name: str, settings: dict) -> tuple[keras.Model, dict] | None:
    """The network and history kept by `save_run` with these settings, or None.

    Prints one line that says which it is and, where a kept run cannot be used, why. Keras's
    safe mode stays on: a file that would run code when loaded is refused.
    """
    path = artifacts_folder() / f"{name}.json"
    if not path.exists():
        print(f"No kept {name} network.")
        return None
    try:
        record = json.loads(path.read_text())
        kept, history = path.parent / Path(record["file"]).name, record["history"]
        if record["settings"] != settings:
            raise ValueError("it was trained with other settings")
        if _sha256(kept) != record["sha256"]:
            raise ValueError("its file is damaged")
        model = keras.saving.load_model(kept, safe_mode=True)
        if model.input_shape != (None, 28, 28) or model.output_shape != (None, 10):
            raise ValueError("it is another kind of network")
    except Exception as error:  # whatever is wrong with the file, the answer is the same
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        print(f"The kept {name} network is not used: {reason[:120]}.")
        return None
    print(f"Using the {name} network that was trained before and kept in artifacts/.")
    return model, history


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def report_result(
    name: str, model: keras.Model, history: dict, test_loss: float, correct: int, total: int
) -> None:
    """Show a network's test result in one line, and leave it for programs to read."""
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
