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
        classes: [B, R] int64: a class, K for background, or -1 where nothing is known
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


class RoiPriorities(NamedTuple):
    """Random numbers of a stage's candidates, in [0, 1); the smallest are chosen.

    Attributes:
        boxes: [B, N] float32.
        truths: [B, M] float32, of the ground-truth boxes.
    """

    boxes: tf.Tensor
    truths: tf.Tensor


def draw_priorities(
    seeds, num_stages: int, num_boxes, num_truths
) -> list[RoiPriorities]:
    """`RoiPriorities` of all stages; each depends on its seed, stage and row alone.

    Args:
        seeds: [B] int64, see `ehsod_tf.modeling.boxes.sampling.make_seeds`.
        num_stages: of the cascade.
        num_boxes: N, proposals of the first stage; later stages have fewer.
        num_truths: M.
    """
    stages = tf.range(num_stages, dtype=tf.int64)[:, tf.newaxis]
    ids = [tf.range(num_boxes), tf.range(num_truths) + _GROUND_TRUTH_IDS]
    drawn = hash_priorities(tf.reshape(seeds + stages, [-1]), tf.concat(ids, axis=0))
    drawn = tf.reshape(drawn, [num_stages, -1, num_boxes + num_truths])
    parts = tf.split(drawn, [num_boxes, num_truths], axis=2)
    return [
        RoiPriorities(*stage) for stage in zip(*map(tf.unstack, parts), strict=True)
    ]


def sample_rois(
    boxes,
    valid,
    targets: Targets,
    priorities: RoiPriorities,
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
        priorities: `RoiPriorities` of at least N candidates.
        num_classes: K.
        num_rois: R.
        positive_iou: overlap from which a candidate is positive; below is background.
        positive_fraction: largest share of positives.
    """
    truth_valid = (targets.classes >= 0) & targets.has_boxes[:, tf.newaxis]
    candidates = tf.concat([boxes, targets.boxes], axis=1)
    candidates_valid = tf.concat([valid, truth_valid], axis=1)
    matches = match_boxes(
        candidates,
        candidates_valid,
        targets.boxes,
        truth_valid,
        positive_iou=positive_iou,
        negative_iou=positive_iou,
    )
    num_boxes = tf.shape(boxes)[1]
    positives, negatives = sample_matches(
        matches.positives,
        leave_out_ignored(matches.negatives, candidates, targets.ignored_boxes),
        tf.concat([priorities.boxes[:, :num_boxes], priorities.truths], axis=1),
        num_samples=num_rois,
        positive_fraction=positive_fraction,
    )
    is_strong = targets.has_boxes[:, tf.newaxis]
    chosen = tf.where(is_strong, positives | negatives, candidates_valid)
    # In their order: the best candidates of a weak image come first.
    rows, found = _find_first(chosen, num_rois)

    def pick(values):
        return tf.gather(values, rows, batch_dims=1)

    matched = pick(matches.indices)
    classes = tf.cast(targets.classes, tf.int64)
    classes = tf.gather(classes, matched, batch_dims=1)
    classes = tf.where(pick(positives), classes, num_classes)
    is_ground_truth = tf.concat([tf.zeros_like(valid), truth_valid], axis=1)
    return Rois(
        boxes=pick(candidates),
        valid=found,
        classes=tf.where(is_strong & found, classes, -1),
        matched_boxes=tf.gather(targets.boxes, matched, batch_dims=1),
        is_ground_truth=pick(is_ground_truth) & found,
        explained=pick(matches.explained),
    )


def _find_first(chosen, count):
    """The first `count` chosen entries of each row, found without a sort.

    Args:
        chosen: [B, N] bool.
        count: R.

    Returns:
        ([B, R] int64 columns, 0 where there are fewer; [B, R] bool, where there are).
    """
    numbers = tf.cumsum(tf.cast(chosen, tf.float32), axis=1)
    wanted = tf.ones_like(numbers[:, :1]) * tf.range(1.0, count + 1.0)
    found = wanted <= numbers[:, -1:]
    columns = tf.raw_ops.LowerBound(
        sorted_inputs=numbers, values=wanted, out_type=tf.int64
    )
    return tf.where(found, columns, 0), found
