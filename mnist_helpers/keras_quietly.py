"""Keras itself, set up for this tutorial: no log lines at its start, and fast on a processor."""

import ctypes
import gc
import logging
import os
import platform
import sys
import tempfile

# Keras 3 can run on several back ends; this tutorial is about TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# oneDNN computes convolutions about twice as fast as TensorFlow's own code. TensorFlow turns it
# on by itself only where the processor has instructions made for neural networks.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Information about the processor and missing GPUs, not about the learner's work.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


M_ARENA_MAX = -8  # of glibc's malloc.h


def _limit_memory_pools() -> None:
    """One pool of memory for each core, where glibc allows its threads eight.

    Each pool keeps what was freed in it, and TensorFlow starts many threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_ARENA_MAX, os.cpu_count() or 1)


def _import_keras():
    """Import Keras while file descriptor 2 goes to a temporary file.

    Some of TensorFlow's start-up lines are written before any log level applies, straight
    to descriptor 2. If the import fails, what was caught is given back: it may say why.
    """
    sys.stderr.flush()
    # Keras has wrappers for scikit-learn and would import it for them: a second and 60 MB for
    # what the tutorial does not use. None in its place reads as "not installed".
    unasked = "sklearn" not in sys.modules
    if unasked:
        sys.modules["sklearn"] = None
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
            if unasked:
                del sys.modules["sklearn"]
    return keras


_limit_memory_pools()
keras = _import_keras()
# After the import, which sets a level of its own. What is left out is advice on compiling
# functions anew, which training many small networks triggers.
logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _skip_tuning_of_input_pipelines() -> None:
    """Make "off" the default of tf.data's tuning, which Keras uses to feed arrays to `fit`.

    There is nothing to tune about batches of an array in memory. But the end of an epoch waits
    for the tuner's thread to wake up, which it does after 10 ms, 20 ms, 40 ms … (TensorFlow
    2.21): training stands still for up to as long as the epoch took. Who sets the option
    `autotune.enabled` still gets what was set.
    """
    from tensorflow.data.experimental import AutotuneOptions

    tuning = AutotuneOptions.enabled
    AutotuneOptions.enabled = property(
        lambda options: bool(tuning.fget(options)), tuning.fset, doc=tuning.__doc__
    )


_skip_tuning_of_input_pipelines()
# Hundreds of thousands of objects come with TensorFlow and stay. Out of the garbage collector's
# sight, they no longer cost a second whenever a network is compiled or forgotten.
gc.freeze()
