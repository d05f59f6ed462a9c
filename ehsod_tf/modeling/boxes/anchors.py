"""Anchors: the reference boxes of the region proposal network (Sec. 3.1)."""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf


def generate_level_anchors(
    height, width, stride, *, scale: float = 8.0, ratios: Sequence[float] = (0.5, 1, 2)
):
    """Anchors of one pyramid level, row by row.

    Every cell gets one anchor a ratio, centred on the cell's centre, of area
    ``(scale * stride) ** 2``.

    Args:
        height, width: cells of the level (ints or int tensors).
        stride: pixels of the network input per cell.
        scale: side of the square anchor in strides.
        ratios: heights divided by widths.

    Returns:
        [height * width * len(ratios), 4] float32.
    """
    size = scale * stride
    half_heights = tf.constant([0.5 * size * math.sqrt(r) for r in ratios], tf.float32)
    half_widths = tf.constant([0.5 * size / math.sqrt(r) for r in ratios], tf.float32)
    centres_y = (tf.cast(tf.range(height), tf.float32) + 0.5) * stride
    centres_x = (tf.cast(tf.range(width), tf.float32) + 0.5) * stride
    y, x = tf.meshgrid(centres_y, centres_x, indexing="ij")
    y, x = y[..., tf.newaxis], x[..., tf.newaxis]
    anchors = tf.stack(
        [y - half_heights, x - half_widths, y + half_heights, x + half_widths], axis=-1
    )
    return tf.reshape(anchors, [-1, 4])


def generate_anchors(features: Mapping[int, tf.Tensor], **kwargs):
    """Anchors of every level of a pyramid, finest level first.

    Args:
        features: {level: [B, H_l, W_l, C]}; level l has stride 2 ** l.
        **kwargs: `scale` and `ratios` of `generate_level_anchors`.

    Returns:
        {level: [A_l, 4] float32}.
    """
    anchors = {}
    for level in sorted(features):
        shape = tf.shape(features[level])
        anchors[level] = generate_level_anchors(shape[1], shape[2], 2**level, **kwargs)
    return anchors


def generate_anchor_ids(features: Mapping[int, tf.Tensor], num_ratios: int = 3):
    """A number for every anchor that does not change when the canvas is padded.

    Args:
        features: {level: [B, H_l, W_l, C]}.
        num_ratios: anchors a cell.

    Returns:
        [A] int64 in the order of `generate_anchors`, made of level, row, column, ratio.
    """
    ids = []
    for level in sorted(features):
        shape = tf.shape(features[level], out_type=tf.int64)
        rows = tf.range(shape[1])[:, tf.newaxis, tf.newaxis]
        columns = tf.range(shape[2])[tf.newaxis, :, tf.newaxis]
        ratios = tf.range(num_ratios, dtype=tf.int64)
        # 12 bits hold the 4,096 columns of a 16,384-pixel side at stride 4.
        cells = (level * 4096 + rows) * 4096 + columns
        ids.append(tf.reshape(cells * 8 + ratios, [-1]))
    return tf.concat(ids, axis=0)
