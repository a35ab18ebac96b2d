"""Keras itself, imported without the log lines that TensorFlow writes at its start."""

import logging
import os
import sys
import tempfile

# Keras 3 can run on several back ends; this tutorial is about TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Information about the processor and missing GPUs, not about the learner's work.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


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


keras = _import_keras()
# After the import, which sets a level of its own. What is left out is advice on compiling
# functions anew, which training many small networks triggers.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
