"""The hybrid-supervised cascade: heads that refine each other's boxes (Sec. 3.2)."""

from typing import NamedTuple

import tensorflow as tf
from keras import layers

from ehsod_tf import ops
from ehsod_tf.errors import require_count, require_share
from ehsod_tf.modeling.boxes.coding import decode_boxes
from ehsod_tf.modeling.boxes.geometry import clip_boxes, compute_areas
from ehsod_tf.modeling.hybrid_head import HeadOutputs, HybridHead
from ehsod_tf.modeling.roi_sampling import Rois, draw_priorities, sample_rois
from ehsod_tf.structures import Proposals, Targets

# By stage. The paper gives the first three thresholds and leaves the deviations open;
# these, and the fourth stage, follow Cascade R-CNN (Cai and Vasconcelos 2018), whose
# deviations shrink as 1 / (10 * stage).
STAGE_IOUS = (0.5, 0.6, 0.7, 0.75)
STAGE_STDS = (
    (0.1, 0.1, 0.2, 0.2),
    (0.05, 0.05, 0.1, 0.1),
    (0.033, 0.033, 0.067, 0.067),
    (0.025, 0.025, 0.05, 0.05),
)


class StageOutputs(NamedTuple):
    """What one stage saw and said.

    Attributes:
        rois: `Rois` that went in.
        head: `HeadOutputs` for them.
        stds: the box coder's standard deviations of this stage.
    """

    rois: Rois
    head: HeadOutputs
    stds: tuple[float, ...]


class Cascade(layers.Layer):
    """A sequence of `HybridHead` stages, each fed with the boxes of the one before.

    Args:
        num_classes: K.
        num_stages: 1 to 4.
        units: width of each head's fully connected layers.
        num_rois: regions an image in training; at test time all proposals are used.
        positive_fraction: largest share of positives among a strong image's regions.
        output_size: side S of the pooled features.
        sampling_ratio: samples per bin and axis of RoIAlign.
    """

    def __init__(
        self,
        num_classes: int,
        num_stages: int = 3,
        units: int = 1024,
        num_rois: int = 512,
        positive_fraction: float = 0.25,
        output_size: int = 7,
        sampling_ratio: int = 2,
        **kwargs,
    ):
        # Boxes stay float32 under a mixed-precision policy.
        super().__init__(autocast=False, **kwargs)
        require_count("cascade: num_stages", num_stages, most=len(STAGE_IOUS))
        require_count("cascade: units", units)
        require_count("cascade: num_rois", num_rois)
        require_share("cascade: positive_fraction", positive_fraction)
        self.num_classes = num_classes
        self.num_stages = num_stages
        self.units = units
        self.num_rois = num_rois
        self.positive_fraction = positive_fraction
        self.output_size = output_size
        self.sampling_ratio = sampling_ratio
        self.heads = [
            HybridHead(
                num_classes, units, name=f"stage{i + 1}", dtype=self.dtype_policy
            )
            for i in range(num_stages)
        ]

    def get_config(self):
        names = (
            "num_classes",
            "num_stages",
            "units",
            "num_rois",
            "positive_fraction",
            "output_size",
            "sampling_ratio",
        )
        return super().get_config() | {name: getattr(self, name) for name in names}

    def build(self, pyramid_shape):
        channels = next(iter(pyramid_shape.values()))[-1]
        for head in self.heads:
            head.build((None, None, self.output_size, self.output_size, channels))
        self.built = True

    def call(
        self,
        pyramid,
        proposals: Proposals,
        image_sizes,
        targets: Targets | None = None,
        seeds=None,
    ) -> list[StageOutputs]:
        """Runs all stages.

        Args:
            pyramid: {2..5: [B, H_l, W_l, C]}.
            proposals: `Proposals` of N boxes.
            image_sizes: [B, 2] int32.
            targets: `Targets` in training: regions are sampled again at every stage.
                None at test time: every stage sees all N boxes.
            seeds: [B] int64, in training.
        """
        boxes, valid = proposals.boxes, proposals.valid
        if targets is not None:
            num_boxes, num_truths = tf.shape(valid)[1], tf.shape(targets.classes)[1]
            priorities = draw_priorities(seeds, self.num_stages, num_boxes, num_truths)
        stages = []
        for index, head in enumerate(self.heads):
            if targets is None:
                rois = _wrap_boxes(boxes, valid)
            else:
                rois = sample_rois(
                    boxes,
                    valid,
                    targets,
                    priorities[index],
                    num_classes=self.num_classes,
                    num_rois=self.num_rois,
                    positive_iou=STAGE_IOUS[index],
                    positive_fraction=self.positive_fraction,
                )
            pooled = ops.multilevel_roi_align(
                pyramid,
                rois.boxes,
                output_size=self.output_size,
                sampling_ratio=self.sampling_ratio,
            )
            stage = StageOutputs(rois, head(pooled), STAGE_STDS[index])
            stages.append(stage)
            boxes = refine_boxes(stage, image_sizes)
            # Refined ground truth would leak into the next stage's candidates.
            valid = rois.valid & ~rois.is_ground_truth & (compute_areas(boxes) > 0)
        return stages


def refine_boxes(stage: StageOutputs, image_sizes):
    """A stage's regions moved by its deltas and clipped: [B, R, 4], no gradient."""
    boxes = decode_boxes(stage.head.deltas, stage.rois.boxes, stage.stds)
    return tf.stop_gradient(clip_boxes(boxes, image_sizes))


def _wrap_boxes(boxes, valid):
    unknown = tf.fill(tf.shape(valid), tf.constant(-1, tf.int64))
    no = tf.zeros_like(valid)
    return Rois(boxes, valid, unknown, tf.zeros_like(boxes), no, no)
