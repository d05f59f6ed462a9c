"""The training objective: every loss term of EHSOD by name (Sec. 3).

Each function of this module turns raw outputs and targets into named `LossTerm` values;
`HybridCriterion` gathers them and holds their weights. Which images a term sees is
stated once, in its call of `sum_masked`: all of them, or those with boxes, and with
them those that a teacher has given boxes to, by their weights.

In a partly boxed image, a place without a box says no more than `BoxedShares` has it.
"""

import dataclasses

import tensorflow as tf

from ehsod_tf.errors import ConfigError, require_choice
from ehsod_tf.modeling import losses
from ehsod_tf.modeling.boxed_shares import share_boxed
from ehsod_tf.modeling.boxes.cells import join_levels, number_cells_of
from ehsod_tf.modeling.boxes.coding import encode_boxes
from ehsod_tf.modeling.cam import (
    average_cam,
    cover_ignored_cells,
    draw_cam_targets,
    label_weak_cells,
    mask_cells,
)
from ehsod_tf.modeling.cam_rpn import CamRpnOutputs
from ehsod_tf.modeling.cascade import StageOutputs
from ehsod_tf.modeling.losses import sum_masked
from ehsod_tf.modeling.rpn_targets import SampledAnchors
from ehsod_tf.structures import PARTLY_BOXED, LossTerm, Targets, TargetWeights

RPN_BETA = 1.0 / 9.0
HEAD_BETA = 1.0
# Negative cells are weighed as in an image of which this share is positive. It is
# about the median of VOC07 and COCO, 0.28 each.
POSITIVE_SHARE = 0.25

_SWITCHES = {
    "cam_activation": ("softmax", "sigmoid"),
    "weak_cam_target": ("absent_negatives", "none"),
    "mid_reduction": ("sum", "mean"),
    "proposals_normalizer": ("rois", "classes"),
}


@dataclasses.dataclass(frozen=True)
class HybridCriterion:
    """Loss terms and their weights; the defaults are the paper's.

    Attributes:
        cam_cls, cam_seg, rpn_cls, rpn_reg: the weights alpha_1 .. alpha_4.
        mid, proposals, head_cls, head_reg: the weights beta_1 .. beta_4.
        stages: the weights lambda_i, one a stage; they multiply the whole stage.
        cam_activation: "softmax" or "sigmoid" over the averaged CAM. The paper states
            softmax, for labels that are not exclusive; of one class it would be 1
            whatever the maps say, so there it is always the sigmoid.
        weak_cam_target: "absent_negatives" or "none", see `label_weak_cells`. The paper
            computes L_CAM-seg from both kinds of data and leaves open how.
        cam_sigma: linear share of a box that is positive in the CAM's target.
        mid_reduction: "sum" or "mean" of L_MID over the classes.
        boxed_mid: weight in `mid` of the classes that are boxed in an image, completely
            or in part, by people, a detector or a teacher; beyond the paper below 1.
            Their labels say nothing that the boxes do not, and to `mid` a part of the
            object is as good as all of it.
        proposals_normalizer: "rois" or "classes", see `confidence_cross_entropy`.
        machine_classification: how much an image counts whose boxes are a detector's,
            in the terms that say what there is; see `TargetWeights`.
        machine_regression: likewise in those that say how boxes fit.
        absent: weight of `absent_class_loss` in the regions of weak images, within
            the stage; beyond the paper. 0 leaves the term out.
        boxed_share: of the objects of a partly boxed class, the share that is taken to
            have boxes, see docs/method.md; 0 learns nothing from places without a box
            where such an object may be.
    """

    cam_cls: float = 0.1
    cam_seg: float = 0.2
    rpn_cls: float = 1.0
    rpn_reg: float = 1.0
    mid: float = 1.0
    proposals: float = 1.0
    head_cls: float = 1.0
    head_reg: float = 1.0
    stages: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    cam_activation: str = "softmax"
    weak_cam_target: str = "absent_negatives"
    cam_sigma: float = 0.8
    mid_reduction: str = "sum"
    boxed_mid: float = 1.0
    proposals_normalizer: str = "rois"
    machine_classification: float = 1.0
    machine_regression: float = 1.0
    absent: float = 0.0
    boxed_share: float = 0.7

    def __post_init__(self):
        for name, choices in _SWITCHES.items():
            require_choice(f"criterion: {name}", getattr(self, name), choices)
        for name in ("boxed_mid", "machine_classification", "machine_regression"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"criterion: {name} is from 0 to 1, got {getattr(self, name)!r}"
                )
        if not self.absent >= 0:
            raise ConfigError(f"criterion: absent is at least 0, got {self.absent!r}")
        if not 0 <= self.boxed_share < 1:
            raise ConfigError(
                "criterion: boxed_share is from 0 to less than 1, got "
                f"{self.boxed_share!r}"
            )

    def weights(self, num_stages: int) -> dict[str, float]:
        """Weight of every term, by name, in the order in which they are shown."""
        if len(self.stages) < num_stages:
            raise ConfigError(
                f"criterion: {num_stages} cascade stages need as many stage weights, "
                f"got {len(self.stages)}"
            )
        weights = {
            "cam_cls": self.cam_cls,
            "cam_seg": self.cam_seg,
            "rpn_cls": self.rpn_cls,
            "rpn_reg": self.rpn_reg,
        }
        for stage in range(1, num_stages + 1):
            scale = self.stages[stage - 1]
            weights[f"stage{stage}_mid"] = scale * self.mid
            weights[f"stage{stage}_proposals"] = scale * self.proposals
            weights[f"stage{stage}_cls"] = scale * self.head_cls
            weights[f"stage{stage}_reg"] = scale * self.head_reg
            if self.absent:
                weights[f"stage{stage}_absent"] = scale * self.absent
        return weights

    def weigh(self, targets: Targets) -> TargetWeights:
        """Weights of the images: fully with people's boxes, less with a detector's."""
        boxed = tf.cast(targets.has_boxes, tf.float32)
        if targets.machine_boxed is None:
            return TargetWeights(boxed, boxed)
        machine = targets.machine_boxed & targets.has_boxes
        return TargetWeights(
            tf.where(machine, self.machine_classification, boxed),
            tf.where(machine, self.machine_regression, boxed),
        )

    def __call__(
        self,
        cam_rpn: CamRpnOutputs,
        anchors: SampledAnchors,
        stages: list[StageOutputs],
        targets: Targets,
        image_sizes,
        weights: TargetWeights | None = None,
    ) -> tuple[dict[str, LossTerm], dict[str, tf.Tensor]]:
        """Computes every term on this replica's images.

        Args:
            cam_rpn: outputs of `CamRpn`.
            anchors: of `CamRpn.sample_anchors`, with the same targets.
            stages: outputs of `Cascade`, called with the same targets.
            targets: `Targets`.
            image_sizes: [B, 2] int32.
            weights: `TargetWeights`; by default those of `weigh`.

        Returns:
            (terms by name, unweighted; counts of positives by name, to be logged).
        """
        if weights is None:
            weights = self.weigh(targets)
        shares = share_boxed(targets, self.boxed_share)
        terms = self._cam_terms(cam_rpn, targets, weights, image_sizes, shares)
        rpn_terms, positives = _compute_rpn_terms(
            cam_rpn, anchors, targets, weights, shares
        )
        terms |= rpn_terms
        counters = {"rpn_positives": positives}
        if stages:
            stage_terms, positives = self._stage_terms(stages, targets, weights, shares)
            terms |= _split_stages(stage_terms)
            for index, count in enumerate(tf.unstack(positives), start=1):
                counters[f"stage{index}_positives"] = count
        return terms, counters

    def _cam_terms(self, outputs, targets, weights, image_sizes, shares):
        cells, logits, inside = _list_cells(outputs.cam_logits, image_sizes)
        scores = self._score_cam(logits, cells, inside)
        labels = targets.image_labels[:, tf.newaxis]
        bce = losses.binary_cross_entropy(scores, labels)
        cls = _sum_images(bce) / len(cells.levels)
        seg = self._segment_cam(logits, cells, inside, targets, shares)
        one = tf.ones_like(cls)
        of_weak = 0.0 if self.weak_cam_target == "none" else 1.0
        seg_weights = tf.where(targets.has_boxes, weights.classification, of_weak)
        return {
            "cam_cls": sum_masked(cls, one, one),
            "cam_seg": sum_masked(seg, one, seg_weights),
        }

    def score_cam(self, cam_logits, image_sizes):
        """The image's probability of each class from each level of the CAM.

        Args:
            cam_logits: {level: [B, H_l, W_l, K] float32} of L levels.
            image_sizes: [B, 2] int32.

        Returns:
            [B, L, K] float32 in [0, 1].
        """
        cells, logits, inside = _list_cells(cam_logits, image_sizes)
        return tf.exp(self._score_cam(logits, cells, inside).present)

    def _score_cam(self, logits, cells, inside) -> losses.LogScores:
        averages = average_cam(logits, cells, inside)
        if self.cam_activation == "softmax" and logits.shape[-1] > 1:
            return losses.score_softmax(averages)
        return losses.score_sigmoid(averages)

    def _segment_cam(self, logits, cells, inside, targets, shares):
        """L_CAM-seg of each image: [B].

        The loss of the positive pairs of cell and class over their number, plus that of
        the negative pairs over `POSITIVE_SHARE` of the cells inside the image.
        """
        num_classes = logits.shape[-1]
        positive, covered = draw_cam_targets(
            targets.boxes, targets.classes, num_classes, cells, self.cam_sigma
        )
        absent = label_weak_cells(targets.image_labels, self.weak_cam_target)
        is_strong = targets.has_boxes[:, tf.newaxis, tf.newaxis]
        negative = tf.where(is_strong, ~covered, absent[:, tf.newaxis])
        if targets.ignored_boxes is not None:
            negative &= ~cover_ignored_cells(
                targets.ignored_boxes, targets.ignored_classes, num_classes, cells
            )
        inside = inside[..., tf.newaxis]
        positive &= is_strong & inside
        boxed_shares = None
        if shares.of_class is not None:
            in_box = tf.reduce_any(covered, axis=-1, keepdims=True)
            boxed_shares = shares.at_cells(in_box)
        loss = losses.focal_loss(logits, positive, boxed_shares)
        is_positive = tf.cast(positive, tf.float32)
        num_positive = tf.reduce_sum(is_positive, axis=[1, 2], keepdims=True)
        num_cells = _sum_images(tf.cast(inside, tf.float32))[:, tf.newaxis, tf.newaxis]
        cell_weights = is_positive / tf.maximum(num_positive, 1.0) + tf.cast(
            negative & inside, tf.float32
        ) / (POSITIVE_SHARE * num_cells)
        return _sum_images(loss * cell_weights)

    def _stage_terms(self, stages, targets, weights, shares):
        """The terms of all stages at once: each stage's images are rows of one batch.

        Returns:
            ({name: `LossTerm` of [S] each}, numbers of positives [S]).
        """
        rois, head = _join_rows([k.rois for k in stages], [k.head for k in stages])
        num_stages, num_classes = len(stages), head.confidence_logits.shape[-1]
        labels = tf.concat([targets.image_labels] * num_stages, axis=0)
        boxed_shares = shares.at_regions(rois.explained)

        def sum_images(values):
            return tf.reshape(_sum_images(values), [num_stages, -1])

        scores = losses.score_image(
            head.class_logits, head.confidence_logits, rois.valid
        )
        mid = losses.binary_cross_entropy(scores, labels)
        if self.boxed_mid != 1.0:
            is_boxed = targets.class_states >= PARTLY_BOXED
            mid *= tf.tile(tf.where(is_boxed, self.boxed_mid, 1.0), [num_stages, 1])
        mid = sum_images(mid)
        if self.mid_reduction == "mean":
            mid /= num_classes
        confidence = losses.confidence_cross_entropy(
            head.confidence_logits,
            rois.valid,
            rois.classes,
            self.proposals_normalizer,
            boxed_shares,
        )
        supervised = tf.cast(rois.classes >= 0, tf.float32)
        cross_entropy = losses.class_cross_entropy(
            head.class_logits, tf.maximum(rois.classes, 0), boxed_shares
        )
        foreground = (rois.classes >= 0) & (rois.classes < num_classes)
        stds = tf.constant([stage.stds for stage in stages])
        stds = tf.repeat(stds, tf.shape(targets.classes)[0], axis=0)[:, tf.newaxis]
        deltas = encode_boxes(rois.matched_boxes, rois.boxes) / stds
        distances = losses.smooth_l1(head.deltas, deltas, HEAD_BETA)
        is_foreground = tf.cast(foreground, tf.float32)
        regression = distances * is_foreground[..., tf.newaxis]
        count = sum_images(supervised)
        one, strong = tf.ones_like(mid), targets.has_boxes
        everything = tf.ones_like(strong)
        num_positives = sum_masked(sum_images(is_foreground), count, strong).total
        cross_entropy = sum_images(cross_entropy * supervised)
        confidence = tf.reshape(confidence, [num_stages, -1])
        terms = {
            "mid": sum_masked(mid, one, everything),
            "proposals": sum_masked(confidence, one, weights.classification),
            "cls": sum_masked(cross_entropy, count, weights.classification),
            "reg": sum_masked(sum_images(regression), count, weights.regression),
        }
        if self.absent:
            pushed = losses.absent_class_loss(head.class_logits, rois.valid, labels)
            pushed = tf.reshape(pushed, [num_stages, -1])
            terms["absent"] = sum_masked(pushed, one, ~strong)
        return terms, num_positives


def _compute_rpn_terms(outputs, sampled_anchors, targets, weights, shares):
    positives, negatives, matched, explained = sampled_anchors
    sampled = tf.cast(positives | negatives, tf.float32)
    logits = outputs.objectness_logits
    if shares.of_image is not None:
        boxed_shares = tf.where(positives, 1.0, shares.at_anchors(explained))
        logits = losses.discount_unboxed(logits, boxed_shares)
    bce = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.cast(positives, tf.float32), logits=logits
    )
    deltas = encode_boxes(matched, outputs.anchors.boxes)
    distances = losses.smooth_l1(outputs.deltas, deltas, RPN_BETA)
    is_positive = tf.cast(positives, tf.float32)
    regression = distances * is_positive[..., tf.newaxis]
    num_sampled = _sum_images(sampled)
    strong = targets.has_boxes
    num_positives = sum_masked(_sum_images(is_positive), num_sampled, strong).total
    return {
        "rpn_cls": sum_masked(
            _sum_images(bce * sampled), num_sampled, weights.classification
        ),
        "rpn_reg": sum_masked(_sum_images(regression), num_sampled, weights.regression),
    }, num_positives


def _list_cells(cam_logits, image_sizes):
    """`Cells` of the CAM, its logits [B, C, K], and which cells are inside [B, C]."""
    cells = number_cells_of(cam_logits)
    return cells, join_levels(cam_logits), mask_cells(cells, image_sizes)


def _split_stages(terms):
    """{name: `LossTerm` of [S] each} to {"stage1_<name>": scalars, ...}, by stage."""
    terms = {name: LossTerm(*map(tf.unstack, term)) for name, term in terms.items()}
    num_stages = len(next(iter(terms.values())).total)
    return {
        f"stage{index + 1}_{name}": LossTerm(term.total[index], term.count[index])
        for index in range(num_stages)
        for name, term in terms.items()
    }


def _join_rows(*structures):
    """Lists of equal tuples, each made one tuple by joining the tensors' rows."""
    return [
        tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *tuples)
        for tuples in structures
    ]


def _sum_images(values):
    """Sums all axes but the first: [B, ...] to [B]."""
    axes = list(range(1, values.shape.rank))
    # With `keepdims`, for else a gradient goes through the host of a GPU.
    return tf.reshape(tf.reduce_sum(values, axis=axes, keepdims=True), [-1])
