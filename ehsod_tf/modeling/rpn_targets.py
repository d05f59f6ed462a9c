"""The anchors that the region proposal network is trained on (Sec. 3.1)."""

from typing import NamedTuple

import tensorflow as tf

from ehsod_tf.modeling.boxes.anchors import Anchors
from ehsod_tf.modeling.boxes.matching import leave_out_ignored, match_boxes
from ehsod_tf.modeling.boxes.sampling import hash_priorities, sample_matches
from ehsod_tf.structures import Targets


class SampledAnchors(NamedTuple):
    """Which anchors the RPN learns from, and what it is to make of them.

    Attributes:
        positives: [B, A] bool, the sampled anchors that stand for an object.
        negatives: [B, A] bool, the sampled anchors that stand for background.
        matched_boxes: [B, A, 4] float32, the ground-truth box of a positive anchor.
        explained: [B, A] bool, see `Matches`.
    """

    positives: tf.Tensor
    negatives: tf.Tensor
    matched_boxes: tf.Tensor
    explained: tf.Tensor


def sample_anchors(
    anchors: Anchors,
    targets: Targets,
    image_sizes,
    seeds,
    *,
    num_samples: int,
    positive_fraction: float,
    positive_iou: float,
    negative_iou: float,
    low_quality_iou: float,
    border_anchors: bool = False,
) -> SampledAnchors:
    """Chooses the anchors that the RPN trains on; the twin of `sample_rois`.

    A weak image has no boxes, so its anchors are all negative; the criterion does not
    look at them.

    Args:
        anchors: of all levels.
        targets: `Targets` of the images.
        image_sizes: [B, 2] int32.
        seeds: [B] int64, see `ehsod_tf.modeling.boxes.sampling.make_seeds`.
        num_samples: anchors an image.
        positive_fraction: largest share of positives.
        positive_iou, negative_iou, low_quality_iou: see `match_boxes`.
        border_anchors: whether anchors that cross the border of their image take part.
            Those centred outside never do.
    """
    matches = match_boxes(
        anchors.boxes[tf.newaxis],
        _find_trained(anchors.boxes, image_sizes, border_anchors),
        targets.boxes,
        targets.classes >= 0,
        positive_iou=positive_iou,
        negative_iou=negative_iou,
        low_quality_iou=low_quality_iou,
    )
    negatives = leave_out_ignored(
        matches.negatives, anchors.boxes[tf.newaxis], targets.ignored_boxes
    )
    positives, negatives = sample_matches(
        matches.positives,
        negatives,
        hash_priorities(seeds, anchors.ids),
        num_samples=num_samples,
        positive_fraction=positive_fraction,
    )
    matched = tf.gather(targets.boxes, matches.indices, batch_dims=1)
    return SampledAnchors(positives, negatives, matched, matches.explained)


def _find_trained(anchors, image_sizes, border_anchors):
    """[B, A]: anchors within the image; with `border_anchors`, those centred in it."""
    limits = tf.cast(image_sizes[:, tf.newaxis, :], tf.float32)
    if border_anchors:
        centres = 0.5 * (anchors[:, :2] + anchors[:, 2:])
        return tf.reduce_all(centres < limits, axis=-1)
    low = tf.reduce_all(anchors[:, :2] >= 0, axis=-1)
    return low & tf.reduce_all(anchors[:, 2:] <= limits, axis=-1)
