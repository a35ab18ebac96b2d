"""What one training leaves behind for the next: memory to give back, a compiled network to use."""

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
    # Not public names: without them there is nothing to free.
    entries = getattr(getattr(ops, "gradient_registry", None), "_registry", {})
    for name in [name for name in entries if name.startswith("CustomGradient-")]:
        del entries[name]
    gc.collect()
    # glibc keeps freed memory for later, some for each of TensorFlow's threads. Elsewhere, on
    # Windows for example, there is no such function.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def restart(network: keras.Model, fresh: keras.Model) -> None:
    """Give a compiled network the weights of a fresh one, and its optimizer nothing to remember.

    After it, `fit` gives what it would give with the fresh network, compiled in the same way,
    only that nothing is compiled again: repeated trainings of small networks on few images spend
    most of their time on that. It holds for every optimizer of Keras; a learning rate that was
    set since stays. Raises ValueError where the two networks have other variables.
    """
    variables = [variable for layer in network.layers for variable in layer.variables]
    others = [variable for layer in fresh.layers for variable in layer.variables]
    if [variable.shape for variable in variables] != [other.shape for other in others]:
        raise ValueError("the fresh network has other layers than the one that is to be restarted")
    for variable, other in zip(variables, others, strict=True):
        variable.assign(other)
    # What an optimizer begins with is not always 0: the accumulators of Adagrad are not, nor are
    # averaged weights. One made anew knows.
    optimizer = network.optimizer
    if not optimizer.built:  # never used: it has nothing to remember
        return
    anew = type(optimizer).from_config(optimizer.get_config())
    anew.build(network.trainable_variables)
    for variable, other in zip(optimizer.variables, anew.variables, strict=True):
        if variable.name != "learning_rate":
            variable.assign(other)
