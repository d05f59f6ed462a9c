"""EHSOD, assembled: one detector from boxes and image-level labels (Fig. 2)."""

import dataclasses
from typing import NamedTuple

import keras
import tensorflow as tf

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling.boxes.sampling import make_seeds
from ehsod_tf.modeling.cam_rpn import CAM_LEVELS, CamRpn
from ehsod_tf.modeling.cascade import Cascade
from ehsod_tf.modeling.criterion import HybridCriterion
from ehsod_tf.modeling.detections import DetectionDecoder
from ehsod_tf.modeling.fpn import FeaturePyramid
from ehsod_tf.modeling.losses import score_image
from ehsod_tf.modeling.proposals import ProposalSelector
from ehsod_tf.modeling.teacher import Teacher
from ehsod_tf.structures import (
    ABSENT,
    Batch,
    Detections,
    LossTerm,
    Proposals,
    Targets,
    TargetWeights,
)
from ehsod_tf.wording import count

# Keeps the choice of anchors independent of that of regions, whose seeds are the
# image's plus the number of the stage.
_ANCHOR_SEED = 100


_LAYERS = {"fpn": FeaturePyramid, "cam_rpn": CamRpn, "cascade": Cascade}
_SETTINGS = {
    "selector": ProposalSelector,
    "criterion": HybridCriterion,
    "decoder": DetectionDecoder,
    "teacher": Teacher,
}


class LabelScores(NamedTuple):
    """Image-level scores, from the two branches that image-level labels teach.

    Attributes:
        cam: [B, K] in [0, 1], of the CAM branch, mean over its levels (`cam_cls`).
        mid: [B, K] in [0, 1], of the proposals, mean over the stages (`mid`).
    """

    cam: tf.Tensor
    mid: tf.Tensor


class Explanation(NamedTuple):
    """Why `detect` looks where it looks.

    Attributes:
        maps: {level: [B, H_l, W_l, K] in [0, 1]}, the sigmoid of the CAM.
        proposals: `Proposals` that `detect` would refine.
        cam_scores: [B, N], the part of their objectness that the CAM added.
    """

    maps: dict[int, tf.Tensor]
    proposals: Proposals
    cam_scores: tf.Tensor


@keras.saving.register_keras_serializable("ehsod_tf")
class Ehsod(keras.Model):
    """The whole detector.

    Calling it on a `Batch` gives `Detections` on the batch's canvas. `train_step` takes
    one `Batch` whole; `fit` and the project's own loop both drive it, alone or inside a
    `tf.distribute` replica.

    Args:
        backbone: a layer from `ehsod_tf.modeling.backbones`.
        fpn: `FeaturePyramid`.
        cam_rpn: `CamRpn`.
        cascade: `Cascade`.
        selector: `ProposalSelector`.
        criterion: `HybridCriterion`.
        decoder: `DetectionDecoder`.
        teacher: `Teacher`, or None for the paper's method. It needs an optimizer of
            this package that keeps moving averages (``use_ema``).
    """

    def __init__(
        self,
        backbone: keras.layers.Layer,
        fpn: FeaturePyramid,
        cam_rpn: CamRpn,
        cascade: Cascade,
        selector: ProposalSelector | None = None,
        criterion: HybridCriterion | None = None,
        decoder: DetectionDecoder | None = None,
        teacher: Teacher | None = None,
        **kwargs,
    ):
        # Boxes stay float32 under a mixed-precision policy.
        super().__init__(autocast=False, **kwargs)
        self.backbone = backbone
        self.fpn = fpn
        self.cam_rpn = cam_rpn
        self.cascade = cascade
        self.selector = selector or ProposalSelector()
        self.criterion = criterion or HybridCriterion()
        self.decoder = decoder or DetectionDecoder()
        self.teacher = teacher
        if cascade.num_classes != cam_rpn.num_classes:
            raise ConfigError(
                "model: the CAM-RPN has "
                f"{count(cam_rpn.num_classes, 'class', 'classes')}, the cascade "
                f"{cascade.num_classes}"
            )
        if cascade.num_rois > self.selector.train_max_proposals:
            raise ConfigError(
                f"model: cascade num_rois ({cascade.num_rois}) exceeds "
                f"train_max_proposals ({self.selector.train_max_proposals})"
            )
        self._loss_weights = self.criterion.weights(len(cascade.heads))
        self._build_layers()

    def get_config(self):
        """Everything but the weights; with these it is a `.keras` file."""
        layers = {name: getattr(self, name).get_config() for name in _LAYERS}
        settings = {
            name: dataclasses.asdict(part)
            for name in _SETTINGS
            if (part := getattr(self, name)) is not None
        }
        backbone = keras.saving.serialize_keras_object(self.backbone)
        return super().get_config() | {"backbone": backbone} | layers | settings

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            "backbone": keras.saving.deserialize_keras_object(
                config["backbone"], custom_objects=custom_objects
            )
        }
        for name, layer in _LAYERS.items():
            parts[name] = layer.from_config(config[name])
        for name, settings in _SETTINGS.items():
            if name in config:
                parts[name] = settings(**_restore_tuples(config[name]))
        base = {name: config[name] for name in config if name not in parts}
        return cls(**parts, **base)

    def _build_layers(self):
        """Creates every variable now, so that checkpoints can be restored at once."""
        features = self.backbone.compute_output_shape((None, 64, 64, 3))
        pyramid = {level: (None, None, None, self.fpn.channels) for level in features}
        self.fpn.build(features)
        self.cam_rpn.build(pyramid)
        self.cascade.build(pyramid)
        self.built = True

    @property
    def num_classes(self) -> int:
        return self.cam_rpn.num_classes

    @property
    def class_variables(self) -> list[keras.Variable]:
        """Those whose shape and meaning come from the list of classes."""
        layers = [self.cam_rpn.cam]
        for head in self.cascade.heads:
            layers += [head.classifier, head.confidence]
        return [variable for layer in layers for variable in layer.variables]

    def call(self, batch: Batch, training: bool = False) -> Detections:
        """Detects the objects of a batch; `batch.targets` is not looked at."""
        return self.detect(batch.images, batch.image_sizes)

    def detect(self, images, image_sizes) -> Detections:
        """As `call`: images [B, H, W, 3] float32 RGB, image_sizes [B, 2] int32."""
        stages = self._refine(images, image_sizes, self.selector)
        return self.decoder(stages, image_sizes)

    def promote(self, images, image_sizes, targets: Targets) -> Targets:
        """Gives boxes to weak images by the weights as they are; see `Teacher`."""
        detections = self._detect_as_teacher(images, image_sizes, targets.image_labels)
        return self.teacher.promote(detections, targets)

    def propose(
        self, images, image_sizes, selector: ProposalSelector | None = None
    ) -> Proposals:
        """The proposals that `detect` would refine, or those of another selector."""
        _, cam_rpn = self._propose(images)
        return (selector or self.selector)(cam_rpn, image_sizes, training=False)

    def explain(self, images, image_sizes) -> Explanation:
        """What the class maps see, and what they do to the proposals."""
        _, cam_rpn = self._propose(images)
        proposals, cam_scores = self.selector.explain(
            cam_rpn, image_sizes, training=False
        )
        maps = {level: tf.sigmoid(cam) for level, cam in cam_rpn.cam_logits.items()}
        return Explanation(maps, proposals, cam_scores)

    def score_labels(self, images, image_sizes) -> LabelScores:
        """Which classes the images show, without boxes; see `LabelScores`."""
        pyramid, cam_rpn = self._propose(images)
        proposals = self.selector(cam_rpn, image_sizes, training=False)
        stages = self.cascade(_pooled_levels(pyramid), proposals, image_sizes)
        cam = self.criterion.score_cam(cam_rpn.cam_logits, image_sizes)
        mid = []
        for stage in stages:
            scores = score_image(
                stage.head.class_logits, stage.head.confidence_logits, stage.rois.valid
            )
            mid.append(tf.exp(scores.present))
        return LabelScores(tf.reduce_mean(cam, axis=1), tf.add_n(mid) / len(mid))

    def compute_terms(
        self, batch: Batch, step, weights: TargetWeights | None = None
    ) -> tuple[dict[str, LossTerm], dict[str, tf.Tensor]]:
        """Every loss term of this replica's images, unweighted, and counters to log.

        Args:
            batch: `Batch`.
            step: scalar integer that, with the image ids, seeds all sampling.
            weights: see `HybridCriterion`.
        """
        seeds = make_seeds(batch.image_ids, step)
        targets = batch.targets
        pyramid, cam_rpn = self._propose(batch.images)
        proposals = self.selector(cam_rpn, batch.image_sizes, training=True)
        stages = self.cascade(
            _pooled_levels(pyramid), proposals, batch.image_sizes, targets, seeds
        )
        anchors = self.cam_rpn.sample_anchors(
            cam_rpn, targets, batch.image_sizes, seeds + _ANCHOR_SEED
        )
        return self.criterion(
            cam_rpn, anchors, stages, targets, batch.image_sizes, weights
        )

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One step of optimisation; returns global figures, equal on all replicas.

        Each term is this replica's sum over the *global* count, so that summing the
        replicas' gradients, as the optimizer does, gives the gradient of the mean over
        the global batch, however the strong images are spread.
        """
        taught, weights, teacher_counters = self._teach(batch)
        with tf.GradientTape() as tape:
            terms, counters = self.compute_terms(
                taught, self.optimizer.iterations, weights
            )
            totals = tf.stack([term.total for term in terms.values()])
            counts = tf.stack([term.count for term in terms.values()])
            shares = tf.math.divide_no_nan(totals, _sum_replicas(counts))
            weights = tf.constant([self._loss_weights[name] for name in terms])
            loss = tf.reduce_sum(weights * shares)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        shares = dict(zip(terms, tf.unstack(shares), strict=True))
        return _sum_replicas(
            {"total_loss": loss, **shares, **counters, **teacher_counters}
        )

    def _teach(self, batch: Batch):
        """Promotes weak images by the averages of the weights, after the burn-in.

        Returns:
            (the batch, its `TargetWeights`, counters of what was promoted).
        """
        targets = batch.targets
        if self.teacher is None:
            return batch, None, {}
        targets = self.teacher.prepare(targets)
        candidates = self.teacher.find_candidates(targets)
        is_due = self.optimizer.iterations >= self.teacher.burn_in_steps
        # Steps of the burn-in cost nothing, nor do replicas without a candidate.
        taught = tf.cond(
            is_due & tf.reduce_any(candidates),
            lambda: self._promote_candidates(batch, targets, candidates),
            lambda: targets,
        )
        promoted = taught.has_boxes & ~targets.has_boxes
        is_box = (taught.classes >= 0) & promoted[:, tf.newaxis]
        counters = {
            "teacher_images": tf.reduce_sum(tf.cast(promoted, tf.float32)),
            "teacher_boxes": tf.reduce_sum(tf.cast(is_box, tf.float32)),
        }
        return (
            batch._replace(targets=taught),
            self.teacher.weigh(self.criterion.weigh(taught), promoted),
            counters,
        )

    def _promote_candidates(self, batch, targets, candidates):
        """Looks at the candidates alone, which are half of a batch as a rule."""
        rows = tf.where(candidates)[:, 0]
        views = batch.images if batch.teacher_images is None else batch.teacher_images
        images, image_sizes, image_labels = (
            tf.gather(values, rows)
            for values in (views, batch.image_sizes, targets.image_labels)
        )
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        averages = zip(self.trainable_variables, optimizer.averages, strict=True)
        with keras.StatelessScope(state_mapping=averages):
            detections = self._detect_as_teacher(images, image_sizes, image_labels)
        # Other images get those of a neighbour, and `Teacher.promote` no look at them.
        places = tf.maximum(tf.cumsum(tf.cast(candidates, tf.int32)) - 1, 0)
        detections = Detections(*(tf.gather(part, places) for part in detections))
        return self.teacher.promote(detections, targets)

    def _detect_as_teacher(self, images, image_sizes, image_labels):
        selector = self.teacher.restrict_selector(self.selector)
        decoder = self.teacher.restrict_decoder(self.decoder)
        stages = self._refine(images, image_sizes, selector)
        return decoder(stages, image_sizes, image_labels == ABSENT)

    def _refine(self, images, image_sizes, selector):
        """The stages' outputs for all proposals, as at test time."""
        pyramid, cam_rpn = self._propose(images)
        proposals = selector(cam_rpn, image_sizes, training=False)
        return self.cascade(_pooled_levels(pyramid), proposals, image_sizes)

    def _propose(self, images):
        pyramid = self.fpn(self.backbone(images))
        return pyramid, self.cam_rpn(pyramid)


def _restore_tuples(config):
    """Settings as they were before JSON made lists of their tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}


def _pooled_levels(pyramid):
    """P2 - P5: regions are never pooled from P6."""
    return {level: pyramid[level] for level in CAM_LEVELS}


def _sum_replicas(values):
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)
