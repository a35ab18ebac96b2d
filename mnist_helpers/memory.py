"""Give back the memory of networks that are no longer used."""

import ctypes
import gc
from contextlib import suppress

from .keras_setup import keras


def forget_networks() -> None:
    """Free what Keras and TensorFlow keep of networks that no variable holds any more.

    `keras.backend.clear_session()` alone leaves some 20 MB behind for every `fit` of a new
    network. Keras adds up gradients over all devices, even over one, by an operation with a
    gradient of its own, and TensorFlow registers such gradients, with all they refer to, for
    good. They are needed while a training step is being traced, not after it.
    """
    from tensorflow.python.framework import ops

    keras.backend.clear_session()
    # Not a public name: without it there is nothing to free.
    entries = getattr(ops.gradient_registry, "_registry", {})
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]
    gc.collect()
    # glibc keeps freed memory for later, some for each of TensorFlow's threads. Elsewhere, on
    # Windows for example, there is no such function.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
