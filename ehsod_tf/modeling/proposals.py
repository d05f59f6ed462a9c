"""From CAM-RPN outputs to the proposals that the cascade looks at (Sec. 3.1)."""

import dataclasses

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.errors import require_choice, require_count, require_share
from ehsod_tf.modeling.boxes.cells import number_through
from ehsod_tf.modeling.boxes.coding import decode_boxes
from ehsod_tf.modeling.boxes.geometry import clip_boxes, compute_areas
from ehsod_tf.modeling.cam import (
    CAM_OBJECTNESS,
    average_over_boxes,
    contrast_over_boxes,
    reduce_cam,
)
from ehsod_tf.modeling.cam_rpn import CAM_LEVELS, CamRpnOutputs
from ehsod_tf.structures import Proposals

# Below any objectness, which is at least -1; marks candidates that are no candidates.
_INVALID_SCORE = -10.0


@dataclasses.dataclass(frozen=True)
class ProposalSelector:
    """How many proposals are made, and from what score; see `select_proposals`.

    Attributes:
        train_pre_nms_top_k, test_pre_nms_top_k: candidates a pyramid level.
        train_max_proposals, test_max_proposals: proposals an image.
        nms_iou: overlap above which the lower-scored box goes.
        cam_objectness: what the class map adds to the RPN's score of a box. As in the
            paper: "softmax_max", its mean over the box. Not of the paper:
            "sigmoid_max", likewise; "contrast", "sigmoid_contrast", see
            `contrast_over_boxes`; "none".
        max_cam_level: the coarsest level whose class map is read; boxes of coarser
            levels read it too. Beyond the paper if it is not P5.
    """

    train_pre_nms_top_k: int = 2000
    train_max_proposals: int = 2000
    test_pre_nms_top_k: int = 1000
    test_max_proposals: int = 1000
    nms_iou: float = 0.7
    cam_objectness: str = "softmax_max"
    max_cam_level: int = max(CAM_LEVELS)

    def __post_init__(self):
        for name in (
            "train_pre_nms_top_k",
            "train_max_proposals",
            "test_pre_nms_top_k",
            "test_max_proposals",
        ):
            require_count(f"proposals: {name}", getattr(self, name))
        require_share("proposals: nms_iou", self.nms_iou)
        require_choice("proposals: cam_objectness", self.cam_objectness, CAM_OBJECTNESS)
        require_choice("proposals: max_cam_level", self.max_cam_level, CAM_LEVELS)

    def __call__(self, outputs, image_sizes, training: bool) -> Proposals:
        return self.explain(outputs, image_sizes, training)[0]

    def explain(self, outputs, image_sizes, training: bool):
        """The proposals, and what the class map adds to each: see `score_proposals`."""
        return score_proposals(
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
            max_cam_level=self.max_cam_level,
        )


def select_proposals(outputs: CamRpnOutputs, image_sizes, **settings) -> Proposals:
    """The proposals of `score_proposals` alone."""
    return score_proposals(outputs, image_sizes, **settings)[0]


def score_proposals(
    outputs: CamRpnOutputs,
    image_sizes,
    *,
    pre_nms_top_k: int,
    max_proposals: int,
    nms_iou: float = 0.7,
    cam_objectness: str = "softmax_max",
    max_cam_level: int = max(CAM_LEVELS),
) -> tuple[Proposals, tf.Tensor]:
    """Best boxes of all levels by RPN score plus CAM score.

    Per level the best `pre_nms_top_k` anchors by RPN score are decoded and clipped;
    their objectness is the sigmoid of the RPN score plus what the level's reduced CAM
    (P6 reads P5's) says of the box: its mean or its contrast. Non-maximum suppression
    runs within each level, and the best `max_proposals` of all levels are kept. Anchors
    centred outside the image do not take part, so padding changes nothing. No gradient
    flows through.

    Args:
        outputs: of `CamRpn`.
        image_sizes: [B, 2] int32.
        pre_nms_top_k: candidates a level.
        max_proposals: N.
        nms_iou: overlap above which the lower-scored box goes.
        cam_objectness: one of `CAM_OBJECTNESS`; "none" is the RPN score alone.
        max_cam_level: the coarsest level whose CAM is read.

    Returns:
        `Proposals` of N rows, best first; and [B, N] float32, the part of their
        objectness that the CAM added.
    """
    outputs = tf.nest.map_structure(tf.stop_gradient, outputs)
    logits, rows, places = _choose_candidates(outputs, image_sizes, pre_nms_top_k)
    deltas = tf.gather(outputs.deltas, rows, batch_dims=1)
    boxes = decode_boxes(deltas, tf.gather(outputs.anchors.boxes, rows))
    boxes = clip_boxes(boxes, image_sizes)
    scores, cam_scores = tf.sigmoid(logits), tf.zeros_like(logits)
    if cam_objectness != "none":
        cam_scores = _score_on_cam(
            outputs.cam_logits, max_cam_level, boxes, places, image_sizes,
            cam_objectness,
        )  # fmt: skip
        scores += cam_scores
    is_candidate = (tf.abs(logits) < float("inf")) & (compute_areas(boxes) > 0)
    scores = tf.where(is_candidate, scores, _INVALID_SCORE)
    indices, _ = ops.non_max_suppression(
        boxes,
        scores,
        iou_threshold=nms_iou,
        max_outputs=max_proposals,
        score_threshold=_INVALID_SCORE / 2,
        classes=tf.cast(tf.where(is_candidate, places, -1), tf.int32),
        num_classes=len(outputs.anchors.counts),
    )
    # On a GPU, int32 is computed with in the host's memory.
    indices = tf.cast(indices, tf.int64)
    valid, rows = indices >= 0, tf.maximum(indices, 0)
    boxes = tf.gather(boxes, rows, batch_dims=1)
    scores = tf.gather(scores, rows, batch_dims=1)
    cam_scores = tf.gather(cam_scores, rows, batch_dims=1)
    proposals = Proposals(
        tf.where(valid[..., tf.newaxis], boxes, 0.0),
        tf.where(valid, scores, 0.0),
        valid,
    )
    return proposals, tf.where(valid, cam_scores, 0.0)


def _choose_candidates(outputs, image_sizes, pre_nms_top_k):
    """The best anchors of each level: logits [B, N], rows [B, N] and levels [N] int64.

    A level is counted from the finest. Anchors that do not take part have -inf.
    """
    anchors = outputs.anchors
    centres = 0.5 * (anchors.boxes[:, :2] + anchors.boxes[:, 2:])
    limits = tf.cast(image_sizes[:, tf.newaxis, :], tf.float32)
    inside = tf.reduce_all(centres < limits, axis=-1)  # [B, A]
    # Sigmoids before the top-k would tie where they saturate; logits do not.
    logits = tf.where(inside, outputs.objectness_logits, -float("inf"))
    counts = tf.stack(list(anchors.counts.values()))
    sizes = tf.minimum(pre_nms_top_k, counts)
    best, rows = zip(
        *(
            tf.math.top_k(level_logits, k=size)
            for level_logits, size in zip(
                tf.split(logits, counts, axis=1, num=len(anchors.counts)),
                tf.unstack(sizes),
                strict=True,
            )
        ),
        strict=True,
    )
    rows = tf.concat([tf.cast(k, tf.int64) for k in rows], axis=1)
    places, _ = number_through(sizes)
    starts = tf.cast(tf.cumsum(counts, exclusive=True), tf.int64)
    return tf.concat(best, axis=1), rows + tf.gather(starts, places), places


def _score_on_cam(
    cam_logits, max_cam_level, boxes, places, image_sizes, cam_objectness
):
    """What the CAM adds to the objectness of boxes [B, N, 4] of levels [N]: [B, N]."""
    maps = {
        level: reduce_cam(cam_logits[level], cam_objectness)
        for level in sorted(cam_logits)
        if level <= max_cam_level
    }
    places = tf.minimum(places, max_cam_level - min(cam_logits))
    if cam_objectness.endswith("contrast"):
        return contrast_over_boxes(maps, boxes, places, image_sizes)
    return average_over_boxes(maps, boxes, places)
