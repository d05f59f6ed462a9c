"""Greedy non-maximum suppression over a batch."""

import math
from numbers import Real

import tensorflow as tf

from ehsod_tf.errors import ConfigError, require_count, require_share
from ehsod_tf.ops import _library

# Bounds the padded output; far above what a detector keeps of an image.
MAX_OUTPUTS = 2**20


def non_max_suppression(
    boxes,
    scores,
    *,
    iou_threshold,
    max_outputs,
    score_threshold=-math.inf,
    classes=None,
    num_classes=None,
    backend="auto",
):
    """Keeps the best boxes that do not overlap a better one too much.

    Boxes whose score exceeds `score_threshold` are visited by falling score, equal
    scores by rising index. A box is kept unless its intersection over union with a
    box kept before it, of the same class where classes are given, exceeds
    `iou_threshold`; the visit ends at `max_outputs` boxes.

    Coordinates are clipped to +-2**24. A box that is inverted or empty overlaps
    nothing. A box with a coordinate that is not finite, or with a NaN score, is never
    kept. Nothing here carries a gradient.

    Args:
        boxes: [B, N, 4] float32.
        scores: [B, N] float32.
        iou_threshold: from 0 to 1.
        max_outputs: D, from 1 to 2**20.
        score_threshold: a number; -inf drops only scores of -inf, which thus serve to
            mask padding.
        classes: [B, N] int32, any values, or None: all boxes are of one class.
        num_classes: K, where the classes of all boxes that may be kept lie in
            0 .. K - 1. Graphs for other runtimes need it; the rest looks at `classes`.
        backend: "auto", "native" or "stock"; see `ehsod_tf.ops`.

    Returns:
        indices: [B, D] int32 into N, best first, padded with -1.
        num_valid: [B] int32, how many indices are not padding.

    Raises:
        ConfigError: a setting is not as above.
        ValueError: a tensor's shape or type is not as above.
        NativeOpsUnavailableError: `backend` is "native" and there are no native ops.
    """
    _check_settings(iou_threshold, max_outputs, score_threshold)
    boxes = tf.stop_gradient(tf.convert_to_tensor(boxes))
    scores = tf.stop_gradient(tf.convert_to_tensor(scores))
    _check_tensor("boxes", boxes, tf.float32, [None, None, 4])
    _check_tensor("scores", scores, tf.float32, boxes.shape[:2])
    if classes is not None:
        classes = tf.convert_to_tensor(classes)
        _check_tensor("classes", classes, tf.int32, boxes.shape[:2])
    library = _library.choose_library(backend)
    if library is None:
        return _library.choose_stock_ops(backend).non_max_suppression(
            boxes,
            scores,
            classes,
            iou_threshold,
            max_outputs,
            score_threshold,
            num_classes,
        )
    outputs = library.ehsod_non_max_suppression(
        boxes=boxes,
        scores=scores,
        classes=[] if classes is None else [classes],
        iou_threshold=iou_threshold,
        score_threshold=score_threshold,
        max_outputs=max_outputs,
    )
    return outputs.indices, outputs.num_valid


def _check_settings(iou_threshold, max_outputs, score_threshold):
    require_share("iou_threshold", iou_threshold)
    require_count("max_outputs", max_outputs, most=MAX_OUTPUTS)
    is_number = isinstance(score_threshold, Real) and score_threshold is not True
    if not is_number or math.isnan(score_threshold):
        raise ConfigError(f"score_threshold must be a number, got {score_threshold!r}")


def _check_tensor(name, tensor, dtype, shape):
    if tensor.dtype != dtype:
        raise ValueError(f"{name}: of type {tensor.dtype.name}, must be {dtype.name}.")
    if not tensor.shape.is_compatible_with(shape):
        raise ValueError(
            f"{name}: shape {tensor.shape}, must be {tf.TensorShape(shape)}."
        )


tf.no_gradient("EhsodNonMaxSuppression")
