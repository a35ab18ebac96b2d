"""Keep TensorFlow's memory small: few pools, and none kept for networks that are gone."""

import ctypes
import gc
import os
from collections.abc import Callable

M_ARENA_MAX = -8  # of glibc's malloc.h


def limit_memory_pools() -> None:
    """Let malloc have one pool of memory for each core, where glibc's threads get eight.

    Each pool keeps what was freed in it, and TensorFlow starts many threads.
    """
    _libc_function("mallopt")(M_ARENA_MAX, os.cpu_count() or 1)


def forget_networks() -> None:
    """Free what Keras and TensorFlow keep of networks that no variable holds any more.

    `keras.backend.clear_session()` alone leaves some 20 MB behind for every `fit` of a new
    network. Keras adds up gradients over all devices, even over one, by an operation with a
    gradient of its own, and TensorFlow registers such gradients, with all they refer to, for
    good. They are needed while a training step is being traced, not after it.
    """
    from tensorflow.python.framework import ops

    from .keras_setup import keras

    keras.backend.clear_session()
    # Not a public name: without it there is nothing to free.
    entries = getattr(ops.gradient_registry, "_registry", {})
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]
    gc.collect()
    # glibc keeps freed memory for later, some for each of TensorFlow's threads.
    _libc_function("malloc_trim")(0)


def _libc_function(name: str) -> Callable[..., object]:
    """A function of the C library, or one that does nothing where there is none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # not glibc; Windows
        return lambda *arguments: None
