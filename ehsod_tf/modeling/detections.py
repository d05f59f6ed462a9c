"""Post-processing: from the cascade's outputs to detections (Sec. 4)."""

import dataclasses

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.errors import require_choice, require_count, require_share
from ehsod_tf.modeling.boxes.geometry import compute_areas
from ehsod_tf.modeling.cascade import StageOutputs, refine_boxes
from ehsod_tf.structures import Detections


@dataclasses.dataclass(frozen=True)
class DetectionDecoder:
    """Averages the stages' class logits, thresholds, and suppresses class by class.

    Attributes:
        score_threshold: lower scores are no detections.
        nms_iou: overlap above which a lower-scored box of the same class goes.
        max_detections: D, kept an image.
        max_candidates: best (box, class) pairs an image that suppression looks at. The
            scores of a box sum to one, so with a threshold of 0.05 a box contributes
            20 pairs at the very most and one or two as a rule.
        score_fusion: "none" uses the class scores alone. "mid" takes the geometric
            mean with the proposal confidence, scaled so that the best proposal of each
            class has confidence 1 (the paper leaves its use at test time open).
    """

    score_threshold: float = 0.05
    nms_iou: float = 0.5
    max_detections: int = 100
    max_candidates: int = 5000
    score_fusion: str = "none"

    def __post_init__(self):
        require_share("detections: nms_iou", self.nms_iou)
        require_count("detections: max_detections", self.max_detections)
        require_count("detections: max_candidates", self.max_candidates)
        choices = ("none", "mid")
        require_choice("detections: score_fusion", self.score_fusion, choices)

    def __call__(
        self, stages: list[StageOutputs], image_sizes, absent=None
    ) -> Detections:
        """Reads the detections from the stages' outputs for all proposals.

        Args:
            stages: outputs of `Cascade`, called without targets.
            image_sizes: [B, 2] int32.
            absent: [B, K] bool, classes that the images are known not to show: the
                others and background share their scores.
        """
        boxes = refine_boxes(stages[-1], image_sizes)
        # A box that left the image is clipped to nothing.
        valid = stages[-1].rois.valid & (compute_areas(boxes) > 0)
        scores = self._score_classes(stages, absent)  # [B, N, K]
        is_candidate = valid[..., tf.newaxis] & (scores >= self.score_threshold)
        scores = tf.where(is_candidate, scores, 0.0)
        boxes, scores, classes = _take_best_pairs(boxes, scores, self.max_candidates)
        indices, num_detections = ops.non_max_suppression(
            boxes,
            scores,
            iou_threshold=self.nms_iou,
            max_outputs=self.max_detections,
            # Zeroed pairs go; a threshold of 0 in the settings still keeps scores > 0.
            score_threshold=0.0,
            classes=classes,
            num_classes=stages[0].head.confidence_logits.shape[-1],
        )
        indices = tf.cast(indices, tf.int64)
        kept, rows = indices >= 0, tf.maximum(indices, 0)
        boxes, scores, classes = (
            tf.gather(values, rows, batch_dims=1) for values in (boxes, scores, classes)
        )
        return Detections(
            boxes=tf.where(kept[..., tf.newaxis], boxes, 0.0),
            scores=tf.where(kept, scores, 0.0),
            classes=tf.where(kept, classes, -1),
            num_detections=num_detections,
        )

    def _score_classes(self, stages, absent):
        logits = tf.add_n([stage.head.class_logits for stage in stages]) / len(stages)
        if absent is not None:
            left_out = tf.pad(absent, [[0, 0], [0, 1]])[:, tf.newaxis]
            logits = tf.where(left_out, logits.dtype.min, logits)
        scores = tf.nn.softmax(logits)[..., :-1]
        if self.score_fusion == "none":
            return scores
        confidences = [stage.head.confidence_logits for stage in stages]
        confidence = tf.add_n(confidences) / len(stages)  # [B, N, K]
        valid = stages[-1].rois.valid[..., tf.newaxis]
        confidence = tf.where(valid, confidence, confidence.dtype.min)
        best = tf.reduce_max(confidence, axis=1, keepdims=True)
        return tf.sqrt(scores * tf.exp(confidence - best))


def _take_best_pairs(boxes, scores, max_candidates):
    """Best (box, class) pairs: boxes [B, P, 4], scores [B, P], classes [B, P]."""
    shape = tf.shape(scores)
    num_classes = shape[2]
    flat = tf.reshape(scores, [shape[0], shape[1] * num_classes])
    k = tf.minimum(max_candidates, shape[1] * num_classes)
    scores, pairs = tf.math.top_k(flat, k=k)
    # Looked up: on a GPU, int32 is computed with in the host's memory, and LiteRT does
    # not divide int64.
    sides = (tf.cast(tf.range(side), tf.int64) for side in (shape[1], num_classes))
    rows, classes = (
        tf.gather(tf.reshape(grid, [-1]), pairs)
        for grid in tf.meshgrid(*sides, indexing="ij")
    )
    return tf.gather(boxes, rows, batch_dims=1), scores, tf.cast(classes, tf.int32)
