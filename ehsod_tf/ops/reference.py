"""The operations in stock TensorFlow ops, with the compiled ops' results.

They serve where there is no compiler, in exported models that a stock TensorFlow
Serving must load, and as the standard that the compiled ops are tested against.
Arguments are checked by the public wrappers beside this module.
"""

import tensorflow as tf

from ehsod_tf.ops.integral_image import integrate_over_boxes as integrate_over_boxes

# A box of this side goes to `CANONICAL_LEVEL` (Lin et al., Feature Pyramid Networks,
# Eq. 1). The constants are repeated in ops/kernels/roi_align_math.h.
CANONICAL_SIZE = 224
CANONICAL_LEVEL = 4

# Beyond 2**24 float32 does not resolve one pixel; coordinates are clipped there, which
# also keeps the stock ops from overflowing to NaN, on which they crash.
MAX_COORDINATE = 2.0**24


def multilevel_roi_align(features, boxes, output_size, sampling_ratio):
    """Returns [B, N, S, S, C]; see `ehsod_tf.ops.multilevel_roi_align`."""
    levels = sorted(features)
    dtype = features[levels[0]].dtype
    channels = features[levels[0]].shape[-1]
    batch, count = tf.unstack(tf.shape(boxes)[:2])
    boxes = _sanitise(tf.reshape(boxes, [-1, 4]))
    level_index = assign_levels(boxes, levels)

    rows, crops = [], []
    for index, level in enumerate(levels):
        rows_here = tf.where(level_index == index)[:, 0]
        rows.append(tf.cast(rows_here, tf.int32))
        crops.append(
            _roi_align(
                features[level],
                tf.gather(boxes, rows_here),
                rows[-1] // tf.maximum(count, 1),
                2.0**level,
                output_size,
                sampling_ratio,
            )
        )
    # A box has one level, so each output row is written exactly once.
    pooled = tf.dynamic_stitch(rows, crops)
    shape = [batch, count, output_size, output_size, tf.shape(pooled)[-1]]
    pooled = tf.reshape(pooled, shape if channels is None else shape[:-1] + [channels])
    return tf.cast(pooled, dtype)


def _sanitise(boxes):
    """Clips coordinates; a box that is not finite moves to where all samples give 0."""
    finite = tf.reduce_all(tf.math.is_finite(boxes), axis=-1, keepdims=True)
    boxes = tf.clip_by_value(boxes, -MAX_COORDINATE, MAX_COORDINATE)
    return tf.where(finite, boxes, -MAX_COORDINATE)


def assign_levels(boxes, levels):
    """Returns [n] indices into `levels`, floor(4 + log2(sqrt(area) / 224)), clipped.

    Compares areas with the exact level borders, so that no rounding of a logarithm
    can send a box on a border to different levels in different backends.
    """
    sides = tf.nn.relu(boxes[:, 2:] - boxes[:, :2])
    area = sides[:, 0] * sides[:, 1]
    borders = [
        CANONICAL_SIZE**2 * 4.0 ** (level - CANONICAL_LEVEL) for level in levels[1:]
    ]
    at_least = area[:, None] >= tf.constant(borders, tf.float32, [1, len(borders)])
    return tf.reduce_sum(tf.cast(at_least, tf.int32), axis=-1)


def _roi_align(feature_map, boxes, batch_index, stride, output_size, sampling_ratio):
    """Returns [n, S, S, C] float32 from one level; `batch_index` is [n].

    TensorFlow's own gradient of `crop_and_resize` is unsound on a CPU: its threads add
    to the same cells and lose sums. Hence a gradient of ours.
    """
    boxes = boxes / stride

    @tf.custom_gradient
    def pool(feature_map):
        def differentiate(upstream):
            shape = tf.shape(feature_map)
            cells, bins, weights = _find_weights(
                boxes, batch_index, shape, output_size, sampling_ratio
            )
            return _spread(upstream, cells, bins, weights, shape)

        return _crop(
            feature_map, boxes, batch_index, output_size, sampling_ratio
        ), differentiate

    return pool(tf.cast(feature_map, tf.float32))


def _crop(feature_map, boxes, batch_index, output_size, sampling_ratio):
    """Returns [n, S, S, C]; `boxes` [n, 4] are in cells.

    One replicated cell on every side turns detectron2's border rule (clamp up to one
    cell outside, 0 beyond) into that of crop_and_resize (0 outside of the map).
    """
    padded = tf.pad(feature_map, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    samples = output_size * sampling_ratio
    start, end = boxes[:, :2], boxes[:, 2:]
    half_step = (end - start) / (2 * samples)
    # -0.5: sample positions count from pixel centres. +1: the replicated cell.
    first = start + half_step + 0.5
    last = end - half_step + 0.5
    extent = tf.cast(tf.shape(padded)[1:3] - 1, tf.float32)
    crops = tf.image.crop_and_resize(
        padded,
        tf.concat([first / extent, last / extent], axis=-1),
        batch_index,
        [samples, samples],
    )
    if sampling_ratio == 1:
        return crops
    return tf.nn.avg_pool2d(crops, sampling_ratio, sampling_ratio, "VALID")


def _find_weights(boxes, batch_index, shape, output_size, sampling_ratio):
    """Returns how much each cell of a map counts in each bin.

    Args:
        boxes: [n, 4] in cells.
        batch_index: [n] int32.
        shape: [4] int32 of the map.

    Returns:
        cells: [n * (2 * S * r)**2] int64, numbered through the map.
        bins: as many, int64, numbered through [n, S, S].
        weights: as many, float32; 0 for a sample outside of the map.
    """
    rows, row_weights = _find_taps(
        boxes[:, 0], boxes[:, 2], shape[1], output_size * sampling_ratio
    )
    columns, column_weights = _find_taps(
        boxes[:, 1], boxes[:, 3], shape[2], output_size * sampling_ratio
    )
    height, width = tf.cast(shape[1], tf.int64), tf.cast(shape[2], tf.int64)
    first_row = tf.cast(batch_index, tf.int64)[:, None] * height
    cells = (first_row + rows)[:, :, None] * width + columns[:, None]
    # Two taps a sample, and r samples a bin.
    line = tf.repeat(tf.range(output_size, dtype=tf.int64), 2 * sampling_ratio)
    first_bin = tf.range(tf.shape(boxes)[0])[:, None, None] * output_size**2
    bins = tf.cast(first_bin, tf.int64) + line[:, None] * output_size + line
    weights = row_weights[:, :, None] * column_weights[:, None] / sampling_ratio**2
    return tf.reshape(cells, [-1]), tf.reshape(bins, [-1]), tf.reshape(weights, [-1])


def _find_taps(start, end, extent, samples):
    """Returns the two cells that each sample reads along one axis, and their weights.

    Args:
        start, end: [n], the box in cells.
        extent: how many cells there are.

    Returns:
        [n, 2 * samples] int64 and [n, 2 * samples] float32.
    """
    steps = (tf.range(samples, dtype=tf.float32) + 0.5) / samples
    positions = start[:, None] + (end - start)[:, None] * steps - 0.5
    last = tf.cast(extent - 1, tf.float32)
    inside = tf.cast((positions >= -1) & (positions <= last + 1), tf.float32)
    positions = tf.clip_by_value(positions, 0, last)
    low = tf.floor(positions)
    high = tf.minimum(low + 1, last)
    fraction = positions - low
    cells = tf.stack([low, high], axis=-1)
    weights = tf.stack([inside * (1 - fraction), inside * fraction], axis=-1)
    shape = [tf.shape(start)[0], 2 * samples]
    return tf.cast(tf.reshape(cells, shape), tf.int64), tf.reshape(weights, shape)


def _spread(upstream, cells, bins, weights, shape):
    """Returns the gradient [B, H, W, C] of `upstream` [n, S, S, C].

    One product of a sparse matrix: each row of the result is a sum in a fixed order.
    """
    num_cells = tf.reduce_prod(tf.cast(shape[:3], tf.int64))
    flat = tf.reshape(upstream, [-1, shape[3]])
    matrix = tf.SparseTensor(
        tf.stack([cells, bins], axis=-1),
        weights,
        tf.stack([num_cells, tf.shape(flat, tf.int64)[0]]),
    )
    return tf.reshape(tf.sparse.sparse_dense_matmul(matrix, flat), shape)


def non_max_suppression(
    boxes,
    scores,
    classes,
    iou_threshold,
    max_outputs,
    score_threshold,
    num_classes=None,
):
    """Returns (indices, num_valid); see `ehsod_tf.ops.non_max_suppression`."""
    finite = tf.reduce_all(tf.math.is_finite(boxes), axis=-1)
    scores = tf.where(finite, scores, -float("inf"))
    boxes = tf.where(finite[..., None], boxes, 0.0)
    boxes = tf.clip_by_value(boxes, -MAX_COORDINATE, MAX_COORDINATE)
    # The stock op swaps the corners of an inverted box; here it has no area.
    corners = boxes[..., :2]
    boxes = tf.concat([corners, tf.maximum(corners, boxes[..., 2:])], axis=-1)

    def suppress(boxes, scores):
        # NonMaxSuppressionV3 crashes on huge sizes; no box is kept twice.
        return tf.raw_ops.NonMaxSuppressionV3(
            boxes=boxes,
            scores=scores,
            max_output_size=tf.minimum(max_outputs, tf.shape(scores)[0]),
            iou_threshold=iou_threshold,
            score_threshold=score_threshold,
        )

    def suppress_image(elements):
        if classes is None:
            kept = suppress(*elements)
        else:
            kept = _suppress_by_class(suppress, *elements, max_outputs)
        count = tf.shape(kept)[0]
        padding = [[0, max_outputs - count]]
        return tf.pad(kept, padding, constant_values=-1), count

    return tf.map_fn(
        suppress_image,
        (boxes, scores) if classes is None else (boxes, scores, classes),
        fn_output_signature=(
            tf.TensorSpec([max_outputs], tf.int32),
            tf.TensorSpec([], tf.int32),
        ),
    )


def _suppress_by_class(suppress, boxes, scores, classes, max_outputs):
    """Suppresses within each class present, then takes the best of all classes.

    The usual trick, shifting each class's boxes to a place of their own, rounds the
    coordinates and would make the result differ from the compiled op's.
    """

    def mark_kept(kept, class_index):
        rows = tf.cast(tf.where(classes == class_index)[:, 0], tf.int32)
        best = suppress(tf.gather(boxes, rows), tf.gather(scores, rows))
        hits = tf.gather(rows, best)[:, None]
        marks = tf.ones(tf.shape(hits)[:1], tf.bool)
        return tf.tensor_scatter_nd_update(kept, hits, marks)

    kept = tf.foldl(
        mark_kept, tf.unique(classes).y, tf.zeros(tf.shape(scores), tf.bool)
    )
    rows = tf.cast(tf.where(kept)[:, 0], tf.int32)
    count = tf.minimum(tf.shape(rows)[0], max_outputs)
    # top_k puts the lower position first among equal scores.
    return tf.gather(rows, tf.math.top_k(tf.gather(scores, rows), count).indices)
