"""Keras, set up for this tutorial: quiet at its start, and fast on a processor (docs/speed.md)."""

import gc
import logging
import os
import sys
import tempfile
from contextlib import suppress

import numpy as np


def _import_keras():
    """Import Keras without what TensorFlow writes to file descriptor 2, unless the import fails."""
    try:
        sys.stderr.flush()
        stderr = os.dup(2)
    except (AttributeError, ValueError, OSError):  # a program without a standard error
        import keras

        return keras
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            import keras
        except BaseException:
            caught.seek(0)
            os.write(stderr, caught.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    return keras


def without_copying(array: np.ndarray) -> object:
    """A tensor in the memory of a large uint8 array at a multiple of 64 bytes; else the array."""
    from tensorflow.experimental import dlpack

    large = array.dtype == np.uint8 and array.nbytes > 1e6
    usable = array.flags.c_contiguous and array.flags.writeable and array.ctypes.data % 64 == 0
    return dlpack.from_dlpack(array.__dlpack__()) if large and usable else array


chosen = os.environ.get("KERAS_BACKEND") or "tensorflow"
if "keras" in sys.modules:
    chosen = sys.modules["keras"].config.backend()
if chosen != "tensorflow":
    needed = "this tutorial runs on TensorFlow: set KERAS_BACKEND to tensorflow or remove it"
    raise ImportError(f"Keras is set to run on {chosen!r}, and {needed}, and restart the kernel")

keras = _import_keras()
# A reader's own keras.json may say otherwise.
keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
# "Off" becomes the default of tf.data's tuning: the end of an epoch waits for the tuner's thread to
# wake up, after 10 ms, 20 ms, 40 ms … (TensorFlow 2.21). Code that sets it still gets what it sets.
with suppress(ImportError, AttributeError):  # another TensorFlow, which may be slower so
    from tensorflow.data.experimental import AutotuneOptions

    tuning = AutotuneOptions.enabled
    AutotuneOptions.enabled = property(lambda options: bool(tuning.fget(options)), tuning.fset)
# `fit` and `predict` read images where NumPy keeps them. TensorFlow (2.21) copies them twice, once
# into memory that its allocator for oneDNN never gives back.
with suppress(ImportError, AttributeError):  # not a public name: without it they are copied
    from keras.src.trainers.data_adapters.array_slicing import NumpySliceable

    NumpySliceable.convert_to_tf_dataset_compatible = staticmethod(without_copying)
# After the import, which sets a level of its own. What is left out is advice on compiling
# functions anew, which training many small networks triggers.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
# Hundreds of thousands of objects come with TensorFlow and stay: not to be searched for garbage.
gc.freeze()
