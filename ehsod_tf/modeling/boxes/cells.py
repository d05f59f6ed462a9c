"""The cells of several pyramid levels, numbered through.

Level l has ``2 ** l`` pixels of the network input per cell. Which cells lie in a box is
a matter of their rows and columns alone, of which there are few: it is computed for
these *lines*, and a cell is marked where its row and its column are.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Cells(NamedTuple):
    """The C cells and the Z lines of L levels.

    The cells are in order of the levels, row by row. The lines are the rows of all
    levels, then the columns of all levels.

    Attributes:
        levels: the L levels, in order.
        places: [C] int64, the level of each cell, counted from 0.
        rows, columns: [C] int64, which line is its row, and which its column.
        line_groups: [Z] int64, the level of each line, counted from 0; columns plus L.
        line_numbers: [Z] int64, of each line within its level.
        line_counts: [2 L] int64, how many lines there are of each group.
    """

    levels: tuple[int, ...]
    places: tf.Tensor
    rows: tf.Tensor
    columns: tf.Tensor
    line_groups: tf.Tensor
    line_numbers: tf.Tensor
    line_counts: tf.Tensor

    @property
    def line_axes(self):
        """[Z] int64, 0 of rows and 1 of columns."""
        return self.line_groups // len(self.levels)

    @property
    def line_strides(self):
        """[Z] int64, pixels of a cell."""
        strides = np.array([2**level for level in self.levels] * 2, np.int64)
        return tf.gather(strides, self.line_groups)

    def cross(self, marked):
        """Marks cells of which both lines are marked: [B, Z, ...] to [B, C, ...]."""
        rows, columns = (
            tf.gather(marked, lines, axis=1) for lines in (self.rows, self.columns)
        )
        return rows & columns


def number_cells(shapes: Mapping[int, tf.Tensor]) -> Cells:
    """The cells of maps of the given shapes.

    Args:
        shapes: {level: [2] int32, rows and columns}.
    """
    levels = tuple(sorted(shapes))
    sides = tf.stack([shapes[level] for level in levels], axis=1)
    line_counts = tf.reshape(sides, [-1])
    line_groups, line_numbers = number_through(line_counts)
    places, numbers = number_through(sides[0] * sides[1])
    line_counts, sides = tf.cast(line_counts, tf.int64), tf.cast(sides, tf.int64)
    widths = tf.gather(sides[1], places)
    rows = numbers // widths
    starts = tf.gather(
        tf.reshape(tf.cumsum(line_counts, exclusive=True), [2, -1]), places, axis=1
    )
    return Cells(
        levels,
        places,
        rows + starts[0],
        numbers - rows * widths + starts[1],
        line_groups,
        line_numbers,
        line_counts,
    )


def number_through(counts):
    """Numbers the members of groups, one group after the other.

    Args:
        counts: [G] int32, how many each has.

    Returns:
        ([N] int64 the group of each member, [N] int64 its number within the group).
    """
    # On a GPU, int32 lives in the host's memory, where sizes belong.
    numbers = tf.cast(tf.range(tf.reduce_sum(counts)), tf.int64)
    ends, counts = tf.cast(tf.cumsum(counts), tf.int64), tf.cast(counts, tf.int64)
    groups = tf.reduce_sum(
        tf.cast(numbers[:, tf.newaxis] >= ends[:-1], tf.int64), axis=1
    )
    return groups, numbers - tf.gather(ends - counts, groups)


def join_levels(maps: Mapping[int, tf.Tensor]):
    """{level: [B, H_l, W_l, K]} to [B, C, K], as `number_cells` has the cells."""
    first = maps[min(maps)]
    shape = tf.stack([tf.shape(first)[0], -1, first.shape[-1]])
    return tf.concat([tf.reshape(maps[v], shape) for v in sorted(maps)], axis=1)


def number_cells_of(maps: Mapping[int, tf.Tensor]) -> Cells:
    """The cells of maps {level: [B, H_l, W_l, K]}."""
    return number_cells({level: tf.shape(maps[level])[1:3] for level in maps})
