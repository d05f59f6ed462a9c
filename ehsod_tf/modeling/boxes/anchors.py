"""Anchors: the reference boxes of the region proposal network (Sec. 3.1)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.modeling.boxes.cells import number_through


class Anchors(NamedTuple):
    """The anchors of a pyramid, finest level first, row by row, ratio by ratio.

    Attributes:
        boxes: [A, 4] float32.
        ids: [A] int64, a number for each, made of level, row, column and ratio, that
            does not change when the canvas is padded.
        counts: {level: how many of the A are its own, scalar int32}.
    """

    boxes: tf.Tensor
    ids: tf.Tensor
    counts: dict[int, tf.Tensor]


def generate_anchors(
    features: Mapping[int, tf.Tensor],
    *,
    scale: float = 8.0,
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
) -> Anchors:
    """Anchors of every level of a pyramid.

    Every cell gets one anchor a ratio, centred on the cell's centre, of area
    ``(scale * stride) ** 2``. All levels are computed at once: the cells are numbered
    through, and what differs by level is looked up.

    Args:
        features: {level: [B, H_l, W_l, C]}; level l has stride 2 ** l.
        scale: side of the square anchor in strides.
        ratios: heights divided by widths.
    """
    levels = sorted(features)
    shapes = tf.stack([tf.shape(features[v])[1:3] for v in levels])
    cells = shapes[:, 0] * shapes[:, 1]
    which, numbers = number_through(cells)
    widths = tf.gather(tf.cast(shapes[:, 1], tf.int64), which)
    rows = numbers // widths
    places = tf.stack([rows, numbers - rows * widths], axis=1)  # [cells, 2]
    strides = np.array([2**level for level in levels], np.float32)
    boxes = _make_boxes(places, tf.gather(strides, which), scale, ratios)
    ids = _number_anchors(places, tf.gather(np.array(levels, np.int64), which), ratios)
    counts = tf.unstack(cells * len(ratios), num=len(levels))
    return Anchors(boxes, ids, dict(zip(levels, counts, strict=True)))


def _make_boxes(places, strides, scale, ratios):
    """[C, 2] rows and columns, [C] strides -> [C * len(ratios), 4]."""
    roots = np.sqrt(np.array(ratios, np.float64))
    halves = 0.5 * scale * np.stack([roots, 1.0 / roots], axis=1)
    centres = (tf.cast(places, tf.float32) + 0.5)[:, tf.newaxis]
    corners = [centres - halves.astype(np.float32), centres + halves.astype(np.float32)]
    boxes = tf.concat(corners, axis=2) * strides[:, tf.newaxis, tf.newaxis]
    return tf.reshape(boxes, [-1, 4])


def _number_anchors(places, levels, ratios):
    # 12 bits hold the 4,096 columns of a 16,384-pixel side at stride 4.
    cells = (levels * 4096 + places[:, 0]) * 4096 + places[:, 1]
    numbers = tf.range(len(ratios), dtype=tf.int64)
    return tf.reshape(cells[:, tf.newaxis] * 8 + numbers, [-1])
