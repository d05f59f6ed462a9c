"""Random but reproducible choice of a fixed number of positives and negatives.

The random numbers are a hash of (seed, index) rather than draws from a generator, so
that whether a candidate is chosen depends on its own image, step and index only: never
on the padding, the batch-mates, the replica or on how often training was resumed.
"""

import tensorflow as tf


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
    seeds = _mix_bits(tf.cast(seeds, tf.int64))
    indices = _mix_bits(tf.cast(indices, tf.int64))
    bits = _mix_31_bits(seeds[:, tf.newaxis] ^ indices)
    # 24 bits: what a float32 mantissa holds exactly.
    return tf.cast(bits & 0xFFFFFF, tf.float32) / float(1 << 24)


def _mix_bits(values):
    """A 31-bit number of every 64-bit integer."""
    values = values ^ tf.bitwise.right_shift(values, 32)
    return _mix_31_bits(values & 0x7FFFFFFF)


def _mix_31_bits(values):
    """A 31-bit integer finaliser; small factors keep the products within int64."""
    for factor in (0x45D9F3B, 0x45D9F3B):
        values = values ^ tf.bitwise.right_shift(values, 16)
        values = (values * factor) & 0x7FFFFFFF
    return values ^ tf.bitwise.right_shift(values, 16)


def sample_matches(
    positives, negatives, priorities, *, num_samples: int, positive_fraction: float
):
    """Chooses up to `num_samples` candidates an image, at random by `priorities`.

    At most ``positive_fraction * num_samples`` positives are taken; negatives fill up
    the rest, however many that is.

    Args:
        positives, negatives: [B, N] bool of `Matches`; what is neither is never chosen.
        priorities: [B, N] float32 random numbers in [0, 1), the smallest are chosen.
        num_samples: candidates an image.
        positive_fraction: largest share of positives.

    Returns:
        (positives [B, N] bool, negatives [B, N] bool), the chosen ones.
    """
    # On a GPU, int32 lives in the host's memory: counts are float32, places int64.
    available = tf.reduce_sum(tf.cast(positives, tf.float32), axis=-1)
    num_positives = tf.minimum(available, int(num_samples * positive_fraction))
    counts = tf.stack([num_positives, num_samples - num_positives])
    eligible = tf.stack([positives, negatives])
    chosen = _choose_lowest(eligible, priorities, counts, limit=num_samples)
    return tuple(tf.unstack(chosen))


def _choose_lowest(eligible, priorities, counts, limit):
    """The eligible entries of lowest priority in each row, the first of equals.

    A top-k of `limit` costs far less than sorting the quarter of a million anchors of
    a COCO image, and one of all rows little more than one of a row.

    Args:
        eligible: [2, B, N] bool.
        priorities: [B, N] float32 in [0, 1).
        counts: [2, B] float32, how many to take of each row, at most `limit`.
        limit: the size of the top-k.

    Returns:
        [2, B, N] bool.
    """
    shape = tf.shape(eligible)
    limit = tf.minimum(limit, shape[2])
    priorities = tf.where(eligible, priorities, 2.0)
    values, columns = tf.math.top_k(-priorities, k=limit)
    ranks = tf.cast(tf.range(limit), tf.float32)
    chosen = (values > -1.5) & (ranks < counts[..., tf.newaxis])
    # Entries numbered through all rows together.
    starts = tf.cast(tf.range(shape[0] * shape[1]) * shape[2], tf.int64)
    places = tf.cast(columns, tf.int64) + tf.reshape(starts, [2, -1, 1])
    marks = tf.scatter_nd(
        tf.reshape(places, [-1, 1]),
        tf.reshape(tf.cast(chosen, tf.float32), [-1]),
        tf.shape(tf.reshape(eligible, [-1]), tf.int64),
    )
    return tf.reshape(marks > 0, shape)
