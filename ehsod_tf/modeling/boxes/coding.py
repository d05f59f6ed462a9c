"""The box coder: a box as its offsets from a reference box.

The deltas are (dy, dx, dh, dw): centre offsets as shares of the reference's sides, and
logarithms of the ratios of the sides, each divided by its standard deviation so that
the network predicts numbers of about unit size (Ren et al. 2015, Eq. 2). The order is
y before x, as everywhere here; the standard deviations that the literature quotes as
(x, y, w, h) are equal within each pair.
"""

import math

import tensorflow as tf

# A single step may scale a side by at most 1000 / 16: what would turn a 16-pixel box
# into one of 1000 pixels. Early in training it keeps exp() from overflowing.
MAX_LOG_SCALE = math.log(1000.0 / 16.0)

# A side below this, in pixels, is as good as empty; it bounds the logarithm and the
# division when a reference box has collapsed.
MIN_SIDE = 1e-3

UNIT_STDS = (1.0, 1.0, 1.0, 1.0)


def encode_boxes(boxes, references, stds=UNIT_STDS):
    """Deltas that turn `references` into `boxes`; the inverse of `decode_boxes`.

    Args:
        boxes: [..., 4] float32.
        references: [..., 4] float32, anchors or proposals.
        stds: four standard deviations (dy, dx, dh, dw).

    Returns:
        [..., 4] float32, finite for any finite boxes.
    """
    centres, sides = _centres_and_sides(boxes)
    reference_centres, reference_sides = _centres_and_sides(references)
    offsets = (centres - reference_centres) / reference_sides
    scales = tf.math.log(sides / reference_sides)
    return tf.concat([offsets, scales], axis=-1) / tf.constant(stds, boxes.dtype)


def decode_boxes(deltas, references, stds=UNIT_STDS):
    """Applies [..., 4] deltas to [..., 4] reference boxes; returns [..., 4] boxes."""
    deltas = deltas * tf.constant(stds, deltas.dtype)
    reference_centres, reference_sides = _centres_and_sides(references)
    centres = reference_centres + deltas[..., :2] * reference_sides
    log_scales = tf.clip_by_value(deltas[..., 2:], -MAX_LOG_SCALE, MAX_LOG_SCALE)
    half_sides = 0.5 * reference_sides * tf.exp(log_scales)
    return tf.concat([centres - half_sides, centres + half_sides], axis=-1)


def _centres_and_sides(boxes):
    low, high = boxes[..., :2], boxes[..., 2:]
    return 0.5 * (low + high), tf.maximum(high - low, MIN_SIDE)
