"""Slow, obvious versions of the ops, in NumPy float64, written from the definitions.

The self-test and the tests compare the ops with them on small cases.
"""

import math

import numpy as np


def roi_align_oracle(features, boxes, output_size, sampling_ratio):
    """Loops over boxes, bins and samples; shapes as `multilevel_roi_align`."""
    levels = sorted(features)
    batch, count = boxes.shape[:2]
    channels = features[levels[0]].shape[-1]
    pooled = np.zeros([batch, count, output_size, output_size, channels])
    for b, n, i, j in np.ndindex(batch, count, output_size, output_size):
        for level, row, column, weight in sample_weights(
            boxes[b, n], features, output_size, sampling_ratio, i, j
        ):
            pooled[b, n, i, j] += weight * features[level][b, row, column]
    return pooled


def roi_align_gradient_oracle(features, boxes, upstream, output_size, sampling_ratio):
    """Returns the gradients of sum(pooled * upstream) for each level."""
    gradients = {k: np.zeros(v.shape) for k, v in features.items()}
    for b, n, i, j in np.ndindex(upstream.shape[:4]):
        for level, row, column, weight in sample_weights(
            boxes[b, n], features, output_size, sampling_ratio, i, j
        ):
            gradients[level][b, row, column] += weight * upstream[b, n, i, j]
    return gradients


def sample_weights(box, features, output_size, sampling_ratio, i, j):
    """Yields (level, row, column, weight) of all cells that make up bin (i, j)."""
    if not np.all(np.isfinite(box)):
        return
    ymin, xmin, ymax, xmax = np.clip(box.astype(np.float64), -(2.0**24), 2.0**24)
    level = choose_level(ymin, xmin, ymax, xmax, sorted(features))
    height, width = features[level].shape[1:3]
    steps = output_size * sampling_ratio
    for u, v in np.ndindex(sampling_ratio, sampling_ratio):
        y = ymin + (i * sampling_ratio + u + 0.5) * (ymax - ymin) / steps
        x = xmin + (j * sampling_ratio + v + 0.5) * (xmax - xmin) / steps
        for row, row_weight in interpolate(y / 2**level - 0.5, height):
            for column, column_weight in interpolate(x / 2**level - 0.5, width):
                weight = row_weight * column_weight / sampling_ratio**2
                yield level, row, column, weight


def choose_level(ymin, xmin, ymax, xmax, levels):
    """floor(4 + log2(sqrt(area) / 224)), clipped."""
    sides = np.maximum(np.float32([ymax - ymin, xmax - xmin]), np.float32(0))
    area = float(sides[0] * sides[1])
    if area == 0:
        return levels[0]
    level = math.floor(4 + math.log2(math.sqrt(area) / 224))
    return min(max(level, levels[0]), levels[-1])


def interpolate(position, size):
    """Returns [(index, weight)] of linear interpolation on cells 0 .. size - 1."""
    if position < -1 or position > size:
        return []
    position = min(max(position, 0), size - 1)
    low = int(position)
    fraction = position - low
    return [(low, 1 - fraction), (min(low + 1, size - 1), fraction)]


def nms_oracle(boxes, scores, iou_threshold, max_outputs, score_threshold, classes):
    """Greedy NMS of one image, [N, 4] and [N]; returns the list of kept indices."""
    order = [
        n
        for n in np.argsort(-scores, kind="stable")
        if scores[n] > score_threshold and np.all(np.isfinite(boxes[n]))
    ]
    kept = []
    for n in order:
        rivals = [k for k in kept if classes is None or classes[k] == classes[n]]
        if all(iou(boxes[n], boxes[k]) <= iou_threshold for k in rivals):
            kept.append(int(n))
    return kept[:max_outputs]


def iou(a, b):
    """Float32 like the ops, so that ties at the threshold fall the same way."""
    a, b = (np.clip(np.float32(k), -(2.0**24), 2.0**24) for k in (a, b))
    area_a, area_b = (np.prod(np.maximum(k[2:] - k[:2], np.float32(0))) for k in (a, b))
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if area_a == 0 or area_b == 0 or np.any(sides <= 0):
        return np.float32(0)
    overlap = np.prod(sides)
    return overlap / (area_a + area_b - overlap)
