"""Integrals over boxes by integral images: the cost is the same for every box."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf


def integrate_over_boxes(maps, boxes, places):
    """See `ehsod_tf.ops.integrate_over_boxes`."""
    return _integrate_boxes(sum_maps(maps), boxes, places)


class SumTables(NamedTuple):
    """Integral images of the maps of some levels, one after the other.

    float64, for the differences of large sums would lose a small box's digits in
    float32.

    Attributes:
        values: [B, S] float64, the rows of all tables end to end; a table has a row and
            a column more than its map, at the cells' corners.
        starts: [L] int64, where each table begins.
        shapes: [L, 2] int64, its rows and columns.
        strides: [L] float64, pixels a cell.
    """

    values: tf.Tensor
    starts: tf.Tensor
    shapes: tf.Tensor
    strides: tf.Tensor


def sum_maps(maps: Mapping[int, tf.Tensor]) -> SumTables:
    """Makes the integral images of maps {level: [B, H_l, W_l] float32}, in this order.

    Level l has 2 ** l pixels a cell.
    """
    tables, shapes = [], []
    for cell_map in maps.values():
        table = tf.cumsum(tf.cumsum(tf.cast(cell_map, tf.float64), axis=1), axis=2)
        table = tf.pad(table, [[0, 0], [1, 0], [1, 0]])
        shapes.append(tf.shape(table)[1:])
        tables.append(tf.reshape(table, [tf.shape(table)[0], -1]))
    shapes = tf.stack(shapes)
    starts = tf.cumsum(shapes[:, 0] * shapes[:, 1], exclusive=True)
    # On a GPU, int32 would be computed with in the host's memory.
    starts, shapes = tf.cast(starts, tf.int64), tf.cast(shapes, tf.int64)
    strides = np.array([2.0**level for level in maps])
    return SumTables(tf.concat(tables, axis=1), starts, shapes, strides)


def _integrate_boxes(tables, boxes, places):
    """Integral of a map over boxes [B, N, 4], and their areas, in cells: [B, N] each.

    The map is constant on each cell, so its integral from the origin to any point is
    bilinear between the cell corners, and the integral over a box with fractional sides
    is exact.
    """
    starts, shapes, strides = (tf.gather(table, places) for table in tables[1:])
    batch, count = tf.shape(boxes)[0], tf.shape(boxes)[1]
    boxes = tf.cast(boxes, tf.float64) / strides[:, tf.newaxis]
    boxes = tf.reshape(boxes, [batch, count, 2, 2])  # from and to, of both axes
    entries, weights = _weigh_corners(boxes, shapes)
    rows = entries[..., 0] * shapes[:, 1:] + starts[:, tf.newaxis]
    entries = rows[..., tf.newaxis] + entries[:, :, tf.newaxis, :, 1]
    values = tf.gather(tables.values, entries, batch_dims=1)  # [B, N, 4, 4]
    weights = weights[..., tf.newaxis, 0] * weights[:, :, tf.newaxis, :, 1]
    sides = tf.maximum(boxes[:, :, 1] - boxes[:, :, 0], 0.0)
    return tf.reduce_sum(values * weights, axis=[2, 3]), tf.reduce_prod(sides, axis=2)


def _weigh_corners(intervals, shapes):
    """The entries along each axis of a table that an interval's integral is made of.

    Args:
        intervals: [B, N, 2, 2] float64, from and to, rows and columns, in cells.
        shapes: [N, 2] int64, entries along each axis.

    Returns:
        ([B, N, 4, 2] int64 entries, the two beside each end; [B, N, 4, 2] float64
        weights).
    """
    shapes = shapes[:, tf.newaxis]
    intervals = tf.clip_by_value(intervals, 0.0, tf.cast(shapes - 1, tf.float64))
    low = tf.minimum(tf.cast(intervals, tf.int64), shapes - 2)
    signs = tf.constant([[-1.0], [1.0]], tf.float64)
    share = (intervals - tf.cast(low, tf.float64)) * signs
    return tf.concat([low, low + 1], axis=2), tf.concat([signs - share, share], axis=2)
