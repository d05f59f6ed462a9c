"""Areas, overlaps and clipping of ``[ymin, xmin, ymax, xmax]`` boxes."""

import tensorflow as tf


def compute_areas(boxes):
    """Areas of [..., 4] boxes in square pixels; an inverted box has area 0."""
    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]


def compute_iou(boxes, others):
    """Intersection over union of every box with every other one.

    Args:
        boxes: [..., N, 4] float32.
        others: [..., M, 4] float32, same leading axes.

    Returns:
        [..., N, M] float32 in [0, 1]. A pair of two empty boxes has 0, not NaN.
    """
    boxes = boxes[..., :, tf.newaxis, :]
    others = others[..., tf.newaxis, :, :]
    intersection = _intersect(boxes, others)
    union = compute_areas(boxes) + compute_areas(others) - intersection
    return tf.math.divide_no_nan(intersection, union)


def compute_coverage(boxes, others):
    """Share of every box's own area that lies in every other one.

    Args:
        boxes: [..., N, 4] float32.
        others: [..., G, 4] float32, same leading axes.

    Returns:
        [..., N, G] float32 in [0, 1]; 0 for an empty box.
    """
    boxes = boxes[..., :, tf.newaxis, :]
    intersection = _intersect(boxes, others[..., tf.newaxis, :, :])
    return tf.math.divide_no_nan(intersection, compute_areas(boxes))


def _intersect(boxes, others):
    corners_low = tf.maximum(boxes[..., :2], others[..., :2])
    corners_high = tf.minimum(boxes[..., 2:], others[..., 2:])
    overlap = tf.maximum(corners_high - corners_low, 0.0)
    return overlap[..., 0] * overlap[..., 1]


def clip_boxes(boxes, image_sizes):
    """Clips [B, N, 4] boxes to images of [B, 2] (height, width) pixels."""
    limits = tf.cast(tf.concat([image_sizes, image_sizes], axis=-1), boxes.dtype)
    return tf.clip_by_value(boxes, 0.0, limits[:, tf.newaxis, :])
