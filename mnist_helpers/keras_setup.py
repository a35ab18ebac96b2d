"""Keras, set up for this tutorial: quiet at its start, and fast on a processor.

What TensorFlow reads when it starts are environment variables; the package sets them when it
is imported, so that `import keras` in a learner's own cell finds them too. The others are set
here. What each is worth, as medians of three on two cores of an AMD EPYC with AVX-512
(TensorFlow 2.21, Keras 3.15, the networks of notebooks 02 and 03, 60,000 images):

- `KERAS_BACKEND`: Keras 3 can run on several back ends; this tutorial is about TensorFlow. Who
  has set another is told so. What a reader's keras.json says of numbers and their layout does not
  count here.
- `TF_CPP_MIN_LOG_LEVEL`, the log level below, and catching what is written to stderr during
  the import: lines about the processor and missing GPUs, not about the learner's work.
- `TF_ENABLE_ONEDNN_OPTS`: an epoch of the CNN takes 5.5 s with oneDNN and 11.9 s without. On
  processors without AVX-512 TensorFlow does not turn it on by itself.
- no tuning of input pipelines: 5.5 s and not 10.3 s per epoch of the CNN, 0.33 s and not 0.44 s
  per epoch of the dense network, 66 MB less.
- no copies of the arrays that `fit` reads: 120 MB less for the training images.
- `gc.freeze`: `forget_networks` takes 0.05 s and not 0.43 s.
"""

import gc
import logging
import os
import sys
import tempfile
from contextlib import suppress

import numpy as np


def _import_keras():
    """Import Keras while file descriptor 2 goes to a temporary file.

    Some of TensorFlow's start-up lines are written before any log level applies, straight
    to descriptor 2. If the import fails, what was caught is given back: it may say why.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            import keras
        except BaseException:
            os.dup2(kept, 2)
            caught.seek(0)
            os.write(2, caught.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    return keras


def _skip_tuning_of_input_pipelines() -> None:
    """Make "off" the default of tf.data's tuning, which Keras uses to feed arrays to `fit`.

    There is nothing to tune about batches of an array in memory. But the end of an epoch waits
    for the tuner's thread to wake up, which it does after 10 ms, 20 ms, 40 ms … (TensorFlow
    2.21): training stands still for up to as long as the epoch took. Who sets the option
    `autotune.enabled` still gets what was set.
    """
    from tensorflow.data.experimental import AutotuneOptions

    tuning = AutotuneOptions.enabled
    if not isinstance(tuning, property):
        return  # another TensorFlow, which may be slower so
    AutotuneOptions.enabled = property(
        lambda options: bool(tuning.fget(options)), tuning.fset, doc=tuning.__doc__
    )


def _shared(array: np.ndarray) -> object:
    """A tensor that uses the memory of a large uint8 array which begins at a multiple of 64 bytes.

    Any other array is returned as it is, to be copied.
    """
    from tensorflow.experimental import dlpack

    large = array.dtype == np.uint8 and array.nbytes > 1e6
    usable = array.flags.c_contiguous and array.flags.writeable and array.ctypes.data % 64 == 0
    return dlpack.from_dlpack(array.__dlpack__()) if large and usable else array


def _feed_arrays_without_copying() -> None:
    """Let `fit`, `evaluate` and `predict` read images where NumPy keeps them.

    Keras makes a data set of the arrays it is given, for which TensorFlow (2.21) copies them
    twice. One copy lies in memory that its allocator for oneDNN never gives back, and two
    trainings in a row have one each.
    """
    with suppress(ImportError, AttributeError):  # not a public name: without it they are copied
        from keras.src.trainers.data_adapters.array_slicing import NumpySliceable

        NumpySliceable.convert_to_tf_dataset_compatible = staticmethod(_shared)


def _require_tensorflow() -> None:
    """Raise ImportError, in one line, if Keras runs or is set to run on another back end."""
    chosen = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if "keras" in sys.modules:
        chosen = sys.modules["keras"].config.backend()
    if chosen != "tensorflow":
        raise ImportError(
            f"Keras is set to run on {chosen!r}, and this tutorial runs on TensorFlow: set "
            "KERAS_BACKEND to tensorflow or remove it, and restart the kernel"
        )


_require_tensorflow()
keras = _import_keras()
# A reader's own keras.json may say otherwise.
keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")
_skip_tuning_of_input_pipelines()
_feed_arrays_without_copying()
# After the import, which sets a level of its own. What is left out is advice on compiling
# functions anew, which training many small networks triggers.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
# Hundreds of thousands of objects come with TensorFlow and stay: not to be searched for garbage.
gc.freeze()
