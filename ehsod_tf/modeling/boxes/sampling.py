"""Random but reproducible choice of a fixed number of positives and negatives.

The random numbers are a hash of (seed, index) rather than draws from a generator, so
that whether a candidate is chosen depends on its own image, step and index only: never
on the padding, the batch-mates, the replica or on how often training was resumed.
"""

import tensorflow as tf

from ehsod_tf.modeling.boxes.matching import NEGATIVE, POSITIVE


def make_seeds(image_ids, step):
    """One seed an image: [B] int64 from ids [B] and the training step."""
    step = tf.cast(step, tf.int64)
    return _mix_bits(_mix_bits(tf.cast(image_ids, tf.int64)) + step)


def hash_priorities(seeds, indices):
    """Pseudo-random numbers of (seed, index).

    Args:
        seeds: [B] int64, one a row.
        indices: [N] integers.

    Returns:
        [B, N] float32, uniform in [0, 1).
    """
    indices = tf.cast(indices, tf.int64)
    mixed = _mix_bits(tf.cast(seeds, tf.int64))[:, tf.newaxis]
    bits = _mix_bits(mixed ^ _mix_bits(indices))
    # 24 bits: what a float32 mantissa holds exactly.
    return tf.cast(bits & 0xFFFFFF, tf.float32) / float(1 << 24)


def _mix_bits(values):
    """A 31-bit integer finaliser; small factors keep the products within int64."""
    values = values ^ tf.bitwise.right_shift(values, 32)
    values = values & 0x7FFFFFFF
    for factor in (0x45D9F3B, 0x45D9F3B):
        values = values ^ tf.bitwise.right_shift(values, 16)
        values = (values * factor) & 0x7FFFFFFF
    return values ^ tf.bitwise.right_shift(values, 16)


def sample_matches(labels, priorities, *, num_samples: int, positive_fraction: float):
    """Chooses up to `num_samples` candidates an image, at random by `priorities`.

    At most ``positive_fraction * num_samples`` positives are taken; negatives fill up
    the rest, however many that is.

    Args:
        labels: [B, N] int32 of `Matches`; ignored candidates are never chosen.
        priorities: [B, N] float32 random numbers in [0, 1), the smallest are chosen.
        num_samples: candidates an image.
        positive_fraction: largest share of positives.

    Returns:
        (positives [B, N] bool, negatives [B, N] bool), the chosen ones.
    """
    max_positives = int(num_samples * positive_fraction)
    positives = _choose_lowest(
        labels == POSITIVE, priorities, max_positives, limit=num_samples
    )
    num_positives = tf.reduce_sum(tf.cast(positives, tf.int32), axis=-1, keepdims=True)
    negatives = _choose_lowest(
        labels == NEGATIVE, priorities, num_samples - num_positives, limit=num_samples
    )
    return positives, negatives


def _choose_lowest(eligible, priorities, count, limit):
    """Mask of the `count` <= `limit` eligible entries of lowest priority in each row.

    A top-k of `limit` costs far less than sorting the quarter of a million anchors of
    a COCO image.
    """
    shape = tf.shape(eligible)
    priorities = tf.where(eligible, priorities, 2.0)
    values, columns = tf.math.top_k(-priorities, k=tf.minimum(limit, shape[1]))
    chosen = (values > -1.5) & (tf.range(tf.shape(values)[1]) < count)
    rows = tf.broadcast_to(tf.range(shape[0])[:, tf.newaxis], tf.shape(columns))
    places = tf.stack([rows, columns], axis=-1)
    return tf.scatter_nd(places, tf.cast(chosen, tf.int32), shape) > 0
