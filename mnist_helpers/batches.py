"""Training images in batches that are drawn anew in each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .keras_setup import _shared

if TYPE_CHECKING:
    import tensorflow as tf


def shuffled_batches(images: np.ndarray, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Batches for `fit`: every image once an epoch, in an order of its own for each epoch.

    `fit` shuffles arrays as well, but after `keras.utils.set_random_seed` it gives every epoch
    the same order, and so the same batches (Keras 3.15). Here the seed repeats the orders of all
    epochs, and these differ. Pass `shuffle=False` to `fit` along with it: there is nothing left
    to shuffle, and Keras says so unless it is told.

    `images` has shape (n, …), `labels` (n,) or (n, classes); a batch is a pair of their parts,
    the last one shorter where `batch_size` does not divide n. Raises ValueError where the two
    are not equally long, or no batch can be made of them.
    """
    import tensorflow as tf

    count = len(images)
    if count != len(labels) or not count or batch_size < 1:
        raise ValueError(
            f"{count} images, {len(labels)} labels, batches of {batch_size}: there must be a label "
            "for each image, and at least one in a batch"
        )
    whole = count - count % batch_size
    images, labels = (tf.convert_to_tensor(_shared(array)) for array in (images, labels))

    def draw_order(seed):
        return tf.random.experimental.stateless_shuffle(tf.range(count), seed=[seed, seed])

    def cut(order):
        batches = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:whole], (-1, batch_size)))
        rest = tf.data.Dataset.from_tensors(order[whole:])
        return batches.concatenate(rest) if count > whole else batches

    def gather(chosen):
        return tf.gather(images, chosen), tf.gather(labels, chosen)

    # A number that is another one in each epoch, from the seed of TensorFlow.
    seeds = tf.data.Dataset.random(rerandomize_each_iteration=True).take(1)
    batches = seeds.map(draw_order).flat_map(cut).map(gather, num_parallel_calls=2)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they take longer
    steps = -(-count // batch_size)
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps)).with_options(options)
    return batches.prefetch(tf.data.AUTOTUNE)
