"""What the notebooks train with: batches, progress, and what comes between two trainings."""

import ctypes
import gc
import time
from contextlib import suppress

import numpy as np

from .display import LiveText
from .keras_setup import keras, without_copying

SECONDS_BETWEEN = 0.5  # two changes of the line of progress


def shuffled_batches(images: np.ndarray, labels: np.ndarray, batch_size: int):
    """A tf.data.Dataset for `fit`: each image once an epoch, in an order of its own each time.

    `fit` shuffles arrays as well, but after `keras.utils.set_random_seed` it gives every epoch
    the same order, and so the same batches (Keras 3.15). Here the seed repeats the orders of all
    epochs, and these differ. Pass `shuffle=False` to `fit` along with it, or Keras warns.

    `images` has shape (n, …), `labels` (n,) or (n, classes); the last batch is shorter where
    `batch_size` does not divide n. Raises ValueError where no batches can be made of them.
    """
    import tensorflow as tf

    count = len(images)
    if count != len(labels) or not count or batch_size < 1:
        sizes = f"{count} images, {len(labels)} labels, batches of {batch_size}"
        raise ValueError(f"{sizes}: expected a label for each image, and one or more in a batch")
    whole = count - count % batch_size
    images, labels = (tf.convert_to_tensor(without_copying(array)) for array in (images, labels))

    def draw_order(seed):
        return tf.random.experimental.stateless_shuffle(tf.range(count), seed=[seed, seed])

    def cut(order):
        batches = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:whole], (-1, batch_size)))
        rest = tf.data.Dataset.from_tensors(order[whole:])
        return batches.concatenate(rest) if count > whole else batches

    def gather(chosen):
        return tf.gather(images, chosen), tf.gather(labels, chosen)

    # One number for each epoch, always another, from the seed of TensorFlow.
    seeds = tf.data.Dataset.random(rerandomize_each_iteration=True).take(1)
    batches = seeds.map(draw_order).flat_map(cut).map(gather, num_parallel_calls=2)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they take longer
    known = tf.data.experimental.assert_cardinality(-(-count // batch_size))
    return batches.apply(known).with_options(options).prefetch(tf.data.AUTOTUNE)


class FitProgress(keras.callbacks.Callback):
    """One line that follows `fit` live and stays behind as its record: loss and all metrics.

    Adds "seconds" to the history: the time from the start of `fit` to the end of each epoch, the
    first compilation included. Raises RuntimeError if the network was trained before, even for a
    part of an epoch: a cell with `fit` that is run again would go on with the old weights.
    """

    def on_train_begin(self, logs=None):
        if getattr(self.model, "training_began", False):
            again = "To train it from the start, run the cells again from the one that builds it"
            raise RuntimeError(f"this network has been trained before, wholly or in part. {again}")
        self.model.training_began = True
        self._start, self._shown, self._epoch, self._last = time.perf_counter(), 0.0, 0, {}
        self._line = LiveText("starting")

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        if now - self._shown < SECONDS_BETWEEN:
            return
        self._shown, epochs, steps = now, self.params["epochs"], self.params["steps"] or batch + 1
        # With several steps per call, the last call of an epoch may count beyond its end.
        done = (self._epoch + min(1.0, (batch + 1) / steps)) / epochs
        left = (now - self._start) * (1 - done) / done
        figures = [*_figures(logs), f"about {left:.0f} s left"]
        self._line.update(f"epoch {self._epoch + 1} of {epochs}: {', '.join(figures)}")

    def on_epoch_end(self, epoch, logs=None):
        logs["seconds"] = time.perf_counter() - self._start
        self._epoch, self._last = epoch + 1, dict(logs)

    def on_train_end(self, logs=None):
        lines = [f"{self._epoch} epochs in {self._last.pop('seconds', 0):.0f} s"]
        values = _figures(self._last)
        for images, held_out in [("training images:", False), ("validation images:", True)]:
            texts = [t.removeprefix("val_") for t in values if t.startswith("val_") == held_out]
            if texts:
                lines.append(f"{images:19} {', '.join(texts)}")
        self._line.update("\n".join(lines), last=True)


def _figures(values: dict | None) -> list[str]:
    """The single numbers among the values that Keras gives a callback; losses come first."""
    values = sorted((values or {}).items(), key=lambda item: not item[0].endswith("loss"))
    return [f"{name} {value:.4f}" for name, value in values if np.ndim(value) == 0]


def forget_networks() -> None:
    """Free what Keras and TensorFlow keep of networks that no variable holds any more.

    `keras.backend.clear_session()` alone leaves 20 MB for every `fit` of a new network.
    """
    from tensorflow.python.framework import ops

    keras.backend.clear_session()
    entries = getattr(getattr(ops, "gradient_registry", None), "_registry", {})  # if there is one
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]
    gc.collect()
    # glibc keeps freed memory for later, some for each thread; Windows has no such function.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
