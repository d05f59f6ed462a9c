"""Assignment of ground-truth boxes to anchors and proposals by overlap."""

from typing import NamedTuple

import tensorflow as tf

from ehsod_tf.modeling.boxes.geometry import compute_coverage, compute_iou

# What lies in an ignored region by at least this share of its own area is no negative.
IGNORED_COVERAGE = 0.5
# A negative that overlaps a ground-truth box by this IoU is a bad box of that object,
# and hardly one of another object that has no box.
EXPLAINED_IOU = 0.1


class Matches(NamedTuple):
    """Which ground-truth box each candidate stands for.

    A candidate that is neither positive nor negative is ignored.

    Attributes:
        indices: [B, N] int64, row of the best ground-truth box (0 where there is none).
        positives: [B, N] bool, candidates that stand for an object.
        negatives: [B, N] bool, candidates that stand for background.
        explained: [B, N] bool, candidates that overlap some box by `EXPLAINED_IOU`.
    """

    indices: tf.Tensor
    positives: tf.Tensor
    negatives: tf.Tensor
    explained: tf.Tensor


def match_boxes(
    boxes,
    boxes_valid,
    target_boxes,
    target_valid,
    *,
    positive_iou: float,
    negative_iou: float,
    low_quality_iou: float | None = None,
):
    """Matches each box to the ground-truth box that it overlaps most.

    Args:
        boxes: [B, N, 4] float32 candidates (or [1, N, 4], the same for all images).
        boxes_valid: [B, N] bool; the others are ignored and claim nothing.
        target_boxes: [B, M, 4] float32 ground truth; M >= 1.
        target_valid: [B, M] bool, False for padding.
        positive_iou: at least this overlap makes a positive.
        negative_iou: less than this makes a negative; what lies between is ignored.
        low_quality_iou: if given, every ground-truth box also claims the candidates
            that overlap it most, provided that overlap is at least this (the
            "low-quality matches" of the RPN). Such a candidate is positive and stands
            for the box that claims it.

    Returns:
        `Matches`. Without ground truth every valid box is negative.
    """
    pairs_valid = boxes_valid[:, :, tf.newaxis] & target_valid[:, tf.newaxis, :]
    ious = tf.where(pairs_valid, compute_iou(boxes, target_boxes), -1.0)  # [B, N, M]
    indices = tf.argmax(ious, axis=-1)
    best = tf.reduce_max(ious, axis=-1)
    positives = best >= positive_iou
    if low_quality_iou is not None:
        claimed = _find_low_quality_matches(ious, low_quality_iou)
        any_claim = tf.reduce_any(claimed, axis=-1)
        claimants = tf.argmax(tf.where(claimed, ious, -1.0), axis=-1)
        indices = tf.where(any_claim, claimants, indices)
        positives |= any_claim
    negatives = (best < negative_iou) & ~positives
    return Matches(
        indices,
        positives & boxes_valid,
        negatives & boxes_valid,
        best >= EXPLAINED_IOU,
    )


def leave_out_ignored(negatives, boxes, ignored_boxes):
    """The negatives that do not lie in an ignored region.

    Args:
        negatives: [B, N] bool of `Matches`.
        boxes: [B, N, 4] float32 candidates (or [1, N, 4]).
        ignored_boxes: [B, G, 4] float32, or None where there are none.

    Returns:
        [B, N] bool.
    """
    if ignored_boxes is None:
        return negatives
    coverage = tf.reduce_max(compute_coverage(boxes, ignored_boxes), axis=-1)
    return negatives & (coverage < IGNORED_COVERAGE)


def _find_low_quality_matches(ious, low_quality_iou):
    best_of_target = tf.reduce_max(ious, axis=1, keepdims=True)  # [B, 1, M]
    return (ious == best_of_target) & (best_of_target >= low_quality_iou)
