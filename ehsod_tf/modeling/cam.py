"""The class activation map (CAM): what it scores and what it is taught (Sec. 3.1).

A CAM here is the K-channel map ``A_l`` of one pyramid level; level l has ``2 ** l``
pixels of the network input per cell.
"""

from collections.abc import Mapping

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.modeling.boxes.geometry import clip_boxes
from ehsod_tf.structures import ABSENT, ANY_CLASS

CAM_OBJECTNESS = ("softmax_max", "sigmoid_max", "contrast", "sigmoid_contrast", "none")
# Sides of the outer border of a contrast's ring, in sides of the box.
RING_SCALE = 1.5


def mask_cells(shape, stride: int, image_sizes):
    """Marks the cells of a level that begin inside the unpadded image.

    Every image has at least one such cell, however small it is.

    Args:
        shape: (height, width) of the level in cells.
        stride: pixels per cell.
        image_sizes: [B, 2] int32 (height, width) in pixels.

    Returns:
        [B, height, width] bool.
    """
    rows = tf.range(shape[0]) * stride < image_sizes[:, :1]
    columns = tf.range(shape[1]) * stride < image_sizes[:, 1:]
    return rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]


def average_cam(cam_logits, cells):
    """Global average of a CAM over its unpadded cells.

    Args:
        cam_logits: [B, H, W, K] float32.
        cells: [B, H, W] bool of `mask_cells`.

    Returns:
        [B, K] float32.
    """
    weights = tf.cast(cells, cam_logits.dtype)
    sums = tf.einsum("bhwk,bhw->bk", cam_logits, weights)
    return sums / tf.reduce_sum(weights, axis=[1, 2])[:, tf.newaxis]


def reduce_cam(cam_logits, cam_objectness: str = "softmax_max"):
    """The single-channel map that proposals are scored on.

    The paper leaves open how K channels become one: the maximum over the channels of
    their softmax by default, of their sigmoid as a switch.

    Args:
        cam_logits: [B, H, W, K] float32.
        cam_objectness: one of `CAM_OBJECTNESS`; the sigmoid where its name says so.

    Returns:
        [B, H, W] float32 in [0, 1].
    """
    if cam_objectness.startswith("sigmoid"):
        return tf.reduce_max(tf.sigmoid(cam_logits), axis=-1)
    return tf.reduce_max(tf.nn.softmax(cam_logits), axis=-1)


def average_over_boxes(maps: Mapping[int, tf.Tensor], boxes, places):
    """Mean of a map over each box, at a cost that does not depend on the box's size.

    Args:
        maps: {level: [B, H_l, W_l] float32}.
        boxes: [B, N, 4] float32 pixels; what lies outside the map counts as 0.
        places: [N] int32, which of the maps a column of boxes reads.

    Returns:
        [B, N] float32; 0 for an empty box.
    """
    integrals, areas = ops.integrate_over_boxes(maps, boxes, places)
    return tf.cast(tf.math.divide_no_nan(integrals, areas), tf.float32)


def contrast_over_boxes(maps: Mapping[int, tf.Tensor], boxes, places, image_sizes):
    """Mean of a map over each box minus its mean over a ring around the box.

    The ring reaches from the box to one `RING_SCALE` times as high and wide about the
    same centre, clipped to the image. The mean alone prefers the inside of an object to
    the whole of it, for it knows nothing of what the box leaves out.

    Args:
        maps: {level: [B, H_l, W_l] float32 in [0, 1]}.
        boxes: [B, N, 4] float32 pixels, within their images.
        places: [N] int32, which of the maps a column of boxes reads.
        image_sizes: [B, 2] int32.

    Returns:
        [B, N] float32 in [-1, 1]; 0 for an empty box, and for one without a ring, which
        fills its image.
    """
    outer = clip_boxes(_scale_boxes(boxes, RING_SCALE), image_sizes)
    both = tf.concat([boxes, outer], axis=1)
    integrals, areas = ops.integrate_over_boxes(maps, both, tf.tile(places, [2]))
    inside, outside = tf.split(integrals, 2, axis=1)
    inside_areas, outside_areas = tf.split(areas, 2, axis=1)
    ring_areas = outside_areas - inside_areas
    contrasts = tf.math.divide_no_nan(inside, inside_areas) - tf.math.divide_no_nan(
        outside - inside, ring_areas
    )
    has_both = (inside_areas > 0) & (ring_areas > 0)
    return tf.cast(tf.where(has_both, contrasts, 0.0), tf.float32)


def draw_cam_targets(boxes, classes, num_classes: int, shape, stride: int, sigma=0.8):
    """Pixel targets of strong images: the shrunken boxes of each class are positive.

    A box marks its centred part, `sigma` of it along each axis, as positive and the
    rest of itself as ignored; positive beats ignored, and cells outside every box of a
    class are negative. A cell belongs to a box if its centre does. If no centre falls
    into the shrunken box, the cell that holds the box's centre is positive.

    Args:
        boxes: [B, M, 4] float32 pixels.
        classes: [B, M] int32, -1 for padding.
        num_classes: K.
        shape: (height, width) of the level in cells.
        stride: pixels per cell.
        sigma: linear size of the positive part (Sec. 3.1).

    Returns:
        (positive, ignored): two [B, H, W, K] bool maps; the rest is negative.
    """
    outer = _cover_cells(boxes, shape, stride)
    inner = _cover_cells(_scale_boxes(boxes, sigma), shape, stride)
    centre = _centre_cells(boxes, shape, stride)
    is_empty = ~tf.reduce_any(inner, axis=[1, 2], keepdims=True)
    inner = inner | (is_empty & centre)
    one_hot = tf.one_hot(classes, num_classes)  # [B, M, K]; rows of -1 are all 0
    positive = _merge_boxes(inner, one_hot)
    ignored = _merge_boxes(outer, one_hot) & ~positive
    return positive, ignored


def cover_ignored_cells(boxes, classes, num_classes: int, shape, stride: int):
    """The cells that are negative for no loss: those in ignored regions.

    Args:
        boxes: [B, G, 4] float32 pixels; rows of padding are 0.
        classes: [B, G] int32; `ANY_CLASS` for every channel.
        num_classes: K.
        shape: (height, width) of the level in cells.
        stride: pixels per cell.

    Returns:
        [B, H, W, K] bool.
    """
    is_any = (classes == ANY_CLASS)[..., tf.newaxis]
    channels = tf.where(is_any, 1.0, tf.one_hot(classes, num_classes))
    return _merge_boxes(_cover_cells(boxes, shape, stride), channels)


def label_weak_cells(image_labels, weak_cam_target: str = "absent_negatives"):
    """Targets of weak images, the same for all cells: absent classes are negative.

    Args:
        image_labels: [B, K] int32.
        weak_cam_target: "absent_negatives", or "none" to leave weak images out.

    Returns:
        [B, K] bool, the channels that are negative everywhere; the others are ignored.
    """
    if weak_cam_target == "none":
        return tf.zeros_like(image_labels, tf.bool)
    return image_labels == ABSENT


def _merge_boxes(cells, one_hot):
    """[B, H, W, M] bool cells of boxes to [B, H, W, K] bool cells of classes."""
    return tf.einsum("bhwm,bmk->bhwk", tf.cast(cells, tf.float32), one_hot) > 0


def _cover_cells(boxes, shape, stride):
    """[B, M, 4] boxes to [B, H, W, M]: which cell centres lie in which box."""
    y = ((tf.cast(tf.range(shape[0]), tf.float32) + 0.5) * stride)[:, tf.newaxis]
    x = ((tf.cast(tf.range(shape[1]), tf.float32) + 0.5) * stride)[:, tf.newaxis]
    ymin, xmin, ymax, xmax = tf.unstack(boxes[:, tf.newaxis], axis=-1)  # [B, 1, M]
    rows = (y >= ymin) & (y < ymax)  # [B, H, M]
    columns = (x >= xmin) & (x < xmax)
    return rows[:, :, tf.newaxis] & columns[:, tf.newaxis]


def _centre_cells(boxes, shape, stride):
    """[B, M, 4] boxes to [B, H, W, M]: the cell that holds each box's centre."""
    centres = tf.cast((boxes[..., :2] + boxes[..., 2:]) * 0.5 / stride, tf.int32)
    centres = tf.clip_by_value(centres, 0, tf.stack(shape) - 1)  # [B, M, 2]
    rows = tf.range(shape[0])[:, tf.newaxis] == centres[:, tf.newaxis, :, 0]
    columns = tf.range(shape[1])[:, tf.newaxis] == centres[:, tf.newaxis, :, 1]
    return rows[:, :, tf.newaxis] & columns[:, tf.newaxis]


def _scale_boxes(boxes, scale):
    """Boxes of `scale` times the sides about the same centres."""
    centres = 0.5 * (boxes[..., :2] + boxes[..., 2:])
    halves = 0.5 * scale * (boxes[..., 2:] - boxes[..., :2])
    return tf.concat([centres - halves, centres + halves], axis=-1)
