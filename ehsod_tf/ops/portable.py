"""The operations for runtimes other than TensorFlow, of batches of a known size.

float32 and int32 throughout, no loop over the batch, no string, no shape that depends
on values: what LiteRT's built-in operations can do. The boxes of a detector are finite
and lie within their images, so nothing here looks for others. Results are those of
`reference`, up to the rounding of sums.
"""

import itertools

import tensorflow as tf

from ehsod_tf.ops.reference import assign_levels


def integrate_over_boxes(maps, boxes, places):
    """See `ehsod_tf.ops.integrate_over_boxes`.

    Two products with the share of every row and column that a box covers, for all maps;
    each box takes its own. Nothing is subtracted, unlike with an integral image, so
    float32 keeps the digits of small boxes.
    """
    integrals, areas = 0.0, 0.0
    for place, (level, cell_map) in enumerate(maps.items()):
        scaled = boxes / 2.0**level
        is_own = tf.cast(places == place, tf.float32)
        rows = _cover(scaled[..., 0], scaled[..., 2], tf.shape(cell_map)[1])
        columns = _cover(scaled[..., 1], scaled[..., 3], tf.shape(cell_map)[2])
        # Before the sum: OpenVINO 2026.4 multiplies a sum over the last axis by a
        # constant for each row wrongly, if there are several images.
        columns *= is_own[:, tf.newaxis]
        integrals += tf.reduce_sum(tf.matmul(rows, cell_map) * columns, axis=-1)
        sides = tf.maximum(scaled[..., 2:] - scaled[..., :2], 0.0)
        areas += is_own * sides[..., 0] * sides[..., 1]
    return integrals, areas


def _cover(start, end, length):
    """[B, N] intervals in cells to [B, N, length]: how much of each cell they cover."""
    cells = tf.cast(tf.range(length), tf.float32)
    low = tf.maximum(start[..., tf.newaxis], cells)
    high = tf.minimum(end[..., tf.newaxis], cells + 1.0)
    return tf.maximum(high - low, 0.0)


def multilevel_roi_align(features, boxes, output_size, sampling_ratio):
    """See `ehsod_tf.ops.multilevel_roi_align`; a sum of gathered cells.

    The cells of all levels lie in one table, of which each bin reads four times
    `sampling_ratio` squared rows.
    """
    levels = sorted(features)
    batch, count = boxes.shape[:2]
    table, first_rows, extents = _lay_out(features)
    index = assign_levels(tf.reshape(boxes, [-1, 4]), levels)
    strides = tf.gather(tf.constant([2.0**level for level in levels]), index)
    first = tf.gather(tf.constant(first_rows), index)
    heights, widths = tf.unstack(tf.gather(tf.constant(extents), index), axis=-1)
    images = tf.constant([b for b in range(batch) for _ in range(count)])
    boxes = tf.reshape(boxes, [-1, 4]) / strides[:, tf.newaxis]
    samples = output_size * sampling_ratio
    rows, row_weights = _find_taps(boxes[:, 0], boxes[:, 2], heights, samples)
    columns, column_weights = _find_taps(boxes[:, 1], boxes[:, 3], widths, samples)
    rows = (first + images * heights * widths)[:, tf.newaxis] + (
        rows * widths[:, tf.newaxis]
    )
    pooled = 0.0
    # Taps of a bin: its samples' lower and upper neighbours, along both axes.
    for i, j in itertools.product(range(2 * sampling_ratio), repeat=2):
        row, column = (slice(k, None, 2 * sampling_ratio) for k in (i, j))
        cells = rows[:, row, tf.newaxis] + columns[:, tf.newaxis, column]
        weights = (
            row_weights[:, row, tf.newaxis] * column_weights[:, tf.newaxis, column]
        )
        pooled += tf.gather(table, cells) * weights[..., tf.newaxis]
    shape = [batch, count, output_size, output_size, table.shape[-1]]
    return tf.reshape(pooled / sampling_ratio**2, shape)


def _lay_out(features):
    """The table [cells, C] of all levels, and each level's first row and (H, W)."""
    parts, first_rows, extents, end = [], [], [], 0
    for level in sorted(features):
        batch, height, width, channels = features[level].shape
        parts.append(tf.reshape(features[level], [-1, channels]))
        first_rows.append(end)
        extents.append([height, width])
        end += batch * height * width
    return tf.concat(parts, axis=0), first_rows, extents


def _find_taps(start, end, extents, samples):
    """The two cells that each sample reads along one axis, and their weights.

    Args:
        start, end: [n], the box in cells.
        extents: [n] int32, how many cells the box's level has.

    Returns:
        [n, 2 * samples] int32 and [n, 2 * samples] float32.
    """
    steps = (tf.range(samples, dtype=tf.float32) + 0.5) / samples
    positions = start[:, tf.newaxis] + (end - start)[:, tf.newaxis] * steps - 0.5
    # Boxes lie within the image: no sample is more than one cell outside of the map.
    last = tf.cast(extents - 1, tf.float32)[:, tf.newaxis]
    positions = tf.minimum(tf.maximum(positions, 0.0), last)
    low = tf.floor(positions)
    high = tf.minimum(low + 1.0, last)
    share = positions - low
    shape = [-1, 2 * samples]
    cells = tf.reshape(tf.stack([low, high], axis=-1), shape)
    weights = tf.reshape(tf.stack([1.0 - share, share], axis=-1), shape)
    return tf.cast(cells, tf.int32), weights


def non_max_suppression(
    boxes,
    scores,
    classes,
    iou_threshold,
    max_outputs,
    score_threshold,
    num_classes=None,
):
    """See `ehsod_tf.ops.non_max_suppression`; one suppression per image and class."""
    batch, count = scores.shape
    images = [
        _suppress_image(
            boxes[b],
            [scores[b]]
            if classes is None
            else _part_by_class(scores[b], classes[b], num_classes),
            iou_threshold,
            min(max_outputs, count),
            score_threshold,
        )
        for b in range(batch)
    ]
    indices, num_valid = (tf.stack(parts) for parts in zip(*images, strict=True))
    missing = max_outputs - indices.shape[1]
    return tf.pad(indices, [[0, 0], [0, missing]], constant_values=-1), num_valid


def _part_by_class(scores, classes, num_classes):
    """The scores [N] once for each class, -inf for boxes of others."""
    return [tf.where(classes == k, scores, -float("inf")) for k in range(num_classes)]


def _suppress_image(boxes, scores_by_class, iou_threshold, max_outputs, threshold):
    """Returns the best rows [max_outputs] int32, -1 for padding, and their number."""
    kept, kept_scores = [], []
    for scores in scores_by_class:
        rows, num_valid = tf.raw_ops.NonMaxSuppressionV4(
            boxes=boxes,
            scores=scores,
            max_output_size=max_outputs,
            iou_threshold=iou_threshold,
            score_threshold=threshold,
            pad_to_max_output_size=True,
        )
        rows = tf.ensure_shape(rows, [max_outputs])
        is_valid = tf.range(max_outputs) < num_valid
        kept.append(rows)
        kept_scores.append(tf.where(is_valid, tf.gather(scores, rows), -float("inf")))
    best, places = tf.math.top_k(tf.concat(kept_scores, axis=0), max_outputs)
    is_valid = best > -float("inf")
    rows = tf.gather(tf.concat(kept, axis=0), places)
    num_valid = tf.reduce_sum(tf.cast(is_valid, tf.int32))
    return tf.where(is_valid, rows, -1), num_valid
