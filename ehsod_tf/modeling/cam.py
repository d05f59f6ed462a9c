"""The class activation map (CAM): what it scores and what it is taught (Sec. 3.1).

A CAM here is the K-channel map ``A_l`` of one pyramid level, or the maps of all levels
with their cells end to end, [B, C, K]; see `Cells`.
"""

from collections.abc import Mapping

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.modeling.boxes.cells import Cells
from ehsod_tf.modeling.boxes.geometry import clip_boxes
from ehsod_tf.structures import ABSENT, ANY_CLASS

CAM_OBJECTNESS = ("softmax_max", "sigmoid_max", "contrast", "sigmoid_contrast", "none")
# Sides of the outer border of a contrast's ring, in sides of the box.
RING_SCALE = 1.5


def mask_cells(cells: Cells, image_sizes):
    """Marks the cells that begin inside the unpadded image.

    Every image has at least one such cell on every level, however small it is.

    Args:
        cells: `Cells`.
        image_sizes: [B, 2] int32 (height, width) in pixels.

    Returns:
        [B, C] bool.
    """
    limits = tf.gather(tf.cast(image_sizes, tf.int64), cells.line_axes, axis=1)
    return cells.cross(cells.line_numbers * cells.line_strides < limits)


def average_cam(cam_logits, cells: Cells, inside):
    """Global average of the CAM of each level over its unpadded cells.

    Args:
        cam_logits: [B, C, K] float32.
        cells: `Cells` of L levels.
        inside: [B, C] bool of `mask_cells`.

    Returns:
        [B, L, K] float32.
    """
    is_own = tf.one_hot(cells.places, len(cells.levels), dtype=cam_logits.dtype)
    weights = is_own * tf.cast(inside, cam_logits.dtype)[..., tf.newaxis]
    sums = tf.matmul(weights, cam_logits, transpose_a=True)
    return sums / tf.reduce_sum(weights, axis=1)[..., tf.newaxis]


def reduce_cam(cam_logits, cam_objectness: str = "softmax_max"):
    """The single-channel map that proposals are scored on.

    The paper leaves open how K channels become one: the maximum over the channels of
    their softmax by default, of their sigmoid as a switch. A single channel, whose
    softmax would be 1 everywhere, becomes its sigmoid.

    Args:
        cam_logits: [B, H, W, K] float32.
        cam_objectness: one of `CAM_OBJECTNESS`; the sigmoid where its name says so.

    Returns:
        [B, H, W] float32 in [0, 1].
    """
    if cam_objectness.startswith("sigmoid") or cam_logits.shape[-1] == 1:
        return tf.reduce_max(tf.sigmoid(cam_logits), axis=-1)
    return tf.reduce_max(tf.nn.softmax(cam_logits), axis=-1)


def average_over_boxes(maps: Mapping[int, tf.Tensor], boxes, places):
    """Mean of a map over each box, at a cost that does not depend on the box's size.

    Args:
        maps: {level: [B, H_l, W_l] float32}.
        boxes: [B, N, 4] float32 pixels; what lies outside the map counts as 0.
        places: [N] int64, which of the maps a column of boxes reads.

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
        places: [N] int64, which of the maps a column of boxes reads.
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


def draw_cam_targets(boxes, classes, num_classes: int, cells: Cells, sigma=0.8):
    """Pixel targets of strong images: the shrunken boxes of each class are positive.

    A box marks its centred part, `sigma` of it along each axis, as positive and the
    rest of itself as ignored; positive beats ignored, and cells outside every box of a
    class are negative. A cell belongs to a box if its centre does. If no centre of a
    level falls into the shrunken box, the cell that holds the box's centre is positive.

    Args:
        boxes: [B, M, 4] float32 pixels.
        classes: [B, M] int32, -1 for padding.
        num_classes: K.
        cells: `Cells`.
        sigma: linear size of the positive part (Sec. 3.1).

    Returns:
        (positive, covered): two [B, C, K] bool maps. What is covered and not positive
        is ignored; the rest is negative.
    """
    outer = _cover_lines(boxes, cells)
    inner = _cover_lines(_scale_boxes(boxes, sigma), cells)
    is_held = tf.gather(_hold_centres(inner, cells), cells.line_groups, axis=1)
    inner = tf.where(is_held, inner, _find_centre_lines(boxes, cells))
    marked = cells.cross(tf.stack([inner, outer], axis=2))
    positive, in_outer = _merge_boxes(marked, tf.one_hot(classes, num_classes))
    return positive, positive | in_outer


def cover_ignored_cells(boxes, classes, num_classes: int, cells: Cells):
    """The cells that are negative for no loss: those in ignored regions.

    Args:
        boxes: [B, G, 4] float32 pixels; rows of padding are 0.
        classes: [B, G] int32; `ANY_CLASS` for every channel.
        num_classes: K.
        cells: `Cells`.

    Returns:
        [B, C, K] bool.
    """
    is_any = (classes == ANY_CLASS)[..., tf.newaxis]
    channels = tf.where(is_any, 1.0, tf.one_hot(classes, num_classes))
    marked = cells.cross(_cover_lines(boxes, cells))
    (merged,) = _merge_boxes(marked[:, :, tf.newaxis], channels)
    return merged


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


def _merge_boxes(marked, channels):
    """From cells of boxes to cells of channels.

    Args:
        marked: [B, C, S, M] bool, S ways to mark the cells of a box.
        channels: [B, M, K] float32, above 0 where a box stands for a channel.

    Returns:
        S maps of [B, C, K] bool.
    """
    merged = tf.einsum("bcsm,bmk->bcsk", tf.cast(marked, tf.float32), channels) > 0
    return tf.unstack(merged, axis=2)


def _cover_lines(boxes, cells):
    """[B, M, 4] boxes to [B, Z, M]: which lines' centres lie in which box."""
    centres = (tf.cast(cells.line_numbers, tf.float32) + 0.5) * tf.cast(
        cells.line_strides, tf.float32
    )
    centres = centres[:, tf.newaxis]
    low, high = (
        _take_by_axis(boxes[..., :2], cells),
        _take_by_axis(boxes[..., 2:], cells),
    )
    return (centres >= low) & (centres < high)


def _hold_centres(marked, cells):
    """Which boxes have marked cells: [B, Z, M] lines to [B, 2 L, M], by line group."""
    num_levels = len(cells.levels)
    is_own = tf.one_hot(cells.line_groups, 2 * num_levels)
    has_lines = tf.einsum("bzm,zg->bgm", tf.cast(marked, tf.float32), is_own) > 0
    has_cells = has_lines[:, :num_levels] & has_lines[:, num_levels:]
    return tf.concat([has_cells, has_cells], axis=1)


def _find_centre_lines(boxes, cells):
    """[B, M, 4] boxes to [B, Z, M]: the lines of the cell that holds a box's centre."""
    centres = _take_by_axis((boxes[..., :2] + boxes[..., 2:]) * 0.5, cells)
    strides = tf.cast(cells.line_strides, tf.float32)[:, tf.newaxis]
    last = tf.gather(cells.line_counts, cells.line_groups)[:, tf.newaxis] - 1
    numbers = tf.clip_by_value(tf.cast(centres / strides, tf.int64), 0, last)
    return cells.line_numbers[:, tf.newaxis] == numbers


def _take_by_axis(values, cells):
    """[B, M, 2] of (y, x) to [B, Z, M]: what is of a line's own axis."""
    return tf.gather(tf.linalg.matrix_transpose(values), cells.line_axes, axis=1)


def _scale_boxes(boxes, scale):
    """Boxes of `scale` times the sides about the same centres."""
    centres = 0.5 * (boxes[..., :2] + boxes[..., 2:])
    halves = 0.5 * scale * (boxes[..., 2:] - boxes[..., :2])
    return tf.concat([centres - halves, centres + halves], axis=-1)
