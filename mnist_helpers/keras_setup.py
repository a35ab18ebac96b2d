"""Keras, set up for this tutorial: quiet at its start, and fast on a processor.

The settings that have to be made before TensorFlow starts are environment variables; the
package makes them when it is imported, so that `import keras` in a learner's own cell finds
them too. The others are made here. Why each is there, measured on two cores:

TO BE MEASURED
"""

import gc
import logging
import os
import sys
import tempfile

from .memory import limit_memory_pools


def _import_keras():
    """Import Keras while file descriptor 2 goes to a temporary file.

    Some of TensorFlow's start-up lines are written before any log level applies, straight
    to descriptor 2. If the import fails, what was caught is given back: it may say why.
    """
    sys.stderr.flush()
    # Keras has wrappers for scikit-learn and would import it for them. None in its place
    # reads as "not installed".
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


limit_memory_pools()
keras = _import_keras()
_skip_tuning_of_input_pipelines()
# After the import, which sets a level of its own. What is left out is advice on compiling
# functions anew, which training many small networks triggers.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
gc.freeze()
