"""From CAM-RPN outputs to the proposals that the cascade looks at (Sec. 3.1)."""

import dataclasses

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.errors import require_choice
from ehsod_tf.modeling.boxes.coding import decode_boxes
from ehsod_tf.modeling.boxes.geometry import clip_boxes, compute_areas
from ehsod_tf.modeling.cam import CAM_OBJECTNESS, average_over_boxes, reduce_cam
from ehsod_tf.modeling.cam_rpn import CamRpnOutputs
from ehsod_tf.structures import Proposals

# Below any score, which is at least 0; marks candidates that are no candidates.
_INVALID_SCORE = -1.0


@dataclasses.dataclass(frozen=True)
class ProposalSelector:
    """How many proposals are made, and from what score; see `select_proposals`.

    Attributes:
        train_pre_nms_top_k, test_pre_nms_top_k: candidates a pyramid level.
        train_max_proposals, test_max_proposals: proposals an image.
        nms_iou: overlap above which the lower-scored box goes.
        cam_objectness: "softmax_max", "sigmoid_max" or "none".
    """

    train_pre_nms_top_k: int = 2000
    train_max_proposals: int = 2000
    test_pre_nms_top_k: int = 1000
    test_max_proposals: int = 1000
    nms_iou: float = 0.7
    cam_objectness: str = "softmax_max"

    def __post_init__(self):
        require_choice("proposals: cam_objectness", self.cam_objectness, CAM_OBJECTNESS)

    def __call__(self, outputs, image_sizes, training: bool) -> Proposals:
        return select_proposals(
            outputs,
            image_sizes,
            pre_nms_top_k=(
                self.train_pre_nms_top_k if training else self.test_pre_nms_top_k
            ),
            max_proposals=(
                self.train_max_proposals if training else self.test_max_proposals
            ),
            nms_iou=self.nms_iou,
            cam_objectness=self.cam_objectness,
        )


def select_proposals(
    outputs: CamRpnOutputs,
    image_sizes,
    *,
    pre_nms_top_k: int,
    max_proposals: int,
    nms_iou: float = 0.7,
    cam_objectness: str = "softmax_max",
) -> Proposals:
    """Best boxes of all levels by RPN score plus CAM score.

    Per level the best `pre_nms_top_k` anchors by RPN score are decoded and clipped;
    their objectness is the sigmoid of the RPN score plus the mean over the box of the
    level's reduced CAM (P6 reads P5's). Non-maximum suppression runs within each level,
    and the best `max_proposals` of all levels are kept. Anchors centred outside the
    image do not take part, so padding changes nothing. No gradient flows through.

    Args:
        outputs: of `CamRpn`.
        image_sizes: [B, 2] int32.
        pre_nms_top_k: candidates a level.
        max_proposals: N.
        nms_iou: overlap above which the lower-scored box goes.
        cam_objectness: "softmax_max", "sigmoid_max" or "none" (RPN score alone).

    Returns:
        `Proposals` of N rows, best first.
    """
    outputs = tf.nest.map_structure(tf.stop_gradient, outputs)
    boxes, scores, levels = [], [], []
    for level in sorted(outputs.anchors):
        level_boxes, level_scores = _select_level(
            outputs, level, image_sizes, pre_nms_top_k
        )
        if cam_objectness != "none":
            cam_level = min(level, max(outputs.cam_logits))
            cam = reduce_cam(outputs.cam_logits[cam_level], cam_objectness)
            level_scores += average_over_boxes(cam, level_boxes, 2**cam_level)
        is_candidate = (compute_areas(level_boxes) > 0) & (level_scores >= 0)
        boxes.append(level_boxes)
        scores.append(tf.where(is_candidate, level_scores, _INVALID_SCORE))
        levels.append(tf.fill(tf.shape(level_scores), level))
    boxes, scores, levels = (
        tf.concat(parts, axis=1) for parts in (boxes, scores, levels)
    )
    indices, num_valid = ops.non_max_suppression(
        boxes,
        scores,
        iou_threshold=nms_iou,
        max_outputs=max_proposals,
        score_threshold=_INVALID_SCORE / 2,
        classes=levels,
    )
    valid = tf.range(max_proposals) < num_valid[:, tf.newaxis]
    rows = tf.maximum(indices, 0)
    boxes = tf.gather(boxes, rows, batch_dims=1)
    scores = tf.gather(scores, rows, batch_dims=1)
    return Proposals(
        tf.where(valid[..., tf.newaxis], boxes, 0.0),
        tf.where(valid, scores, 0.0),
        valid,
    )


def _select_level(outputs, level, image_sizes, pre_nms_top_k):
    """One level's best boxes [B, k, 4] and RPN scores [B, k] (-2 where invalid)."""
    anchors = outputs.anchors[level]
    centres = 0.5 * (anchors[:, :2] + anchors[:, 2:])
    limits = tf.cast(image_sizes[:, tf.newaxis, :], tf.float32)
    inside = tf.reduce_all(centres < limits, axis=-1)  # [B, A_l]
    # Sigmoids before the top-k would tie where they saturate; logits do not.
    logits = tf.where(inside, outputs.objectness_logits[level], -float("inf"))
    k = tf.minimum(pre_nms_top_k, tf.shape(anchors)[0])
    logits, rows = tf.math.top_k(logits, k=k)
    deltas = tf.gather(outputs.deltas[level], rows, batch_dims=1)
    boxes = clip_boxes(decode_boxes(deltas, tf.gather(anchors, rows)), image_sizes)
    scores = tf.where(tf.math.is_finite(logits), tf.sigmoid(logits), 2 * _INVALID_SCORE)
    return boxes, scores
