"""The regions of interest that a cascade stage is trained on (Sec. 3.2)."""

from typing import NamedTuple

import tensorflow as tf

from ehsod_tf.modeling.boxes.matching import leave_out_ignored, match_boxes
from ehsod_tf.modeling.boxes.sampling import hash_priorities, sample_matches
from ehsod_tf.structures import Targets

# Ground-truth rows draw their random numbers far from those of the proposals, so that
# no two candidates share one, and the number of proposals cannot shift them.
_GROUND_TRUTH_IDS = 1 << 20


class Rois(NamedTuple):
    """Regions of interest, and what the class and box heads are to make of them.

    Attributes:
        boxes: [B, R, 4] float32.
        valid: [B, R] bool, False for padding.
        classes: [B, R] int32: a class, K for background, or -1 where nothing is known
            (weak images, padding).
        matched_boxes: [B, R, 4] float32, the ground-truth box of a positive row.
        is_ground_truth: [B, R] bool, rows that were appended from the ground truth.
        explained: [B, R] bool, see `Matches`.
    """

    boxes: tf.Tensor
    valid: tf.Tensor
    classes: tf.Tensor
    matched_boxes: tf.Tensor
    is_ground_truth: tf.Tensor
    explained: tf.Tensor


def sample_rois(
    boxes,
    valid,
    targets: Targets,
    seeds,
    *,
    num_classes: int,
    num_rois: int,
    positive_iou: float,
    positive_fraction: float,
) -> Rois:
    """Chooses the rows that one stage trains on.

    Images with boxes: the ground-truth boxes join the candidates, candidates are
    matched at this stage's IoU, and `num_rois` are drawn at random, none of them a
    negative in an ignored region. Weak images: the first `num_rois` valid candidates,
    which come best first.

    The paper leaves open whether ground truth is appended again at every stage; it is:
    otherwise the later stages see almost no positives early on, predict background
    everywhere, and the averaged logits find nothing.

    Args:
        boxes: [B, N, 4] float32 candidates, best first; N >= num_rois.
        valid: [B, N] bool.
        targets: `Targets` of the images.
        seeds: [B] int64, see `ehsod_tf.modeling.boxes.sampling.make_seeds`.
        num_classes: K.
        num_rois: R.
        positive_iou: overlap from which a candidate is positive; below is background.
        positive_fraction: largest share of positives.
    """
    truth_valid = (targets.classes >= 0) & targets.has_boxes[:, tf.newaxis]
    num_truths, num_boxes = tf.shape(truth_valid)[1], tf.shape(valid)[1]
    candidates = tf.concat([boxes, targets.boxes], axis=1)
    candidates_valid = tf.concat([valid, truth_valid], axis=1)
    candidate_ids = tf.concat(
        [tf.range(num_boxes), tf.range(num_truths) + _GROUND_TRUTH_IDS], axis=0
    )
    matches = match_boxes(
        candidates,
        candidates_valid,
        targets.boxes,
        truth_valid,
        positive_iou=positive_iou,
        negative_iou=positive_iou,
    )
    positives, negatives = sample_matches(
        leave_out_ignored(matches.labels, candidates, targets.ignored_boxes),
        hash_priorities(seeds, candidate_ids),
        num_samples=num_rois,
        positive_fraction=positive_fraction,
    )
    is_strong = targets.has_boxes[:, tf.newaxis]
    chosen = tf.where(is_strong, positives | negatives, candidates_valid)
    # top_k keeps the order of equals: the best candidates of a weak image come first.
    picked, rows = tf.math.top_k(tf.cast(chosen, tf.int32), k=num_rois)

    def pick(values):
        return tf.gather(values, rows, batch_dims=1)

    positives = pick(positives) & is_strong
    matched = pick(matches.indices)
    classes = tf.gather(targets.classes, matched, batch_dims=1)
    classes = tf.where(positives, classes, num_classes)
    known = is_strong & (picked > 0)
    return Rois(
        boxes=pick(candidates),
        valid=picked > 0,
        classes=tf.where(known, classes, -1),
        matched_boxes=tf.gather(targets.boxes, matched, batch_dims=1),
        is_ground_truth=rows >= num_boxes,
        explained=pick(matches.explained),
    )
