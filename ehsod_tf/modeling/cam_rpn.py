"""CAM-RPN: a region proposal network with a class activation branch (Sec. 3.1)."""

import math
from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers

from ehsod_tf.errors import require_count, require_share
from ehsod_tf.modeling.biased_layers import Conv2D, add_bias
from ehsod_tf.modeling.boxes.anchors import Anchors, generate_anchors
from ehsod_tf.modeling.rpn_targets import SampledAnchors, sample_anchors
from ehsod_tf.structures import Targets

# The CAM reads P2 - P5, "the output of each stage of the backbone"; P6 serves only the
# RPN's largest anchors.
CAM_LEVELS = (2, 3, 4, 5)


class CamRpnOutputs(NamedTuple):
    """Raw outputs of `CamRpn`; what belongs to anchors is of all levels together.

    Attributes:
        cam_logits: {2..5: [B, H_l, W_l, K] float32}, the map A_l of each level.
        objectness_logits: [B, A] float32.
        deltas: [B, A, 4] float32.
        anchors: `Anchors` of P2 - P6.
    """

    cam_logits: dict[int, tf.Tensor]
    objectness_logits: tf.Tensor
    deltas: tf.Tensor
    anchors: Anchors


class CamRpn(layers.Layer):
    """Two branches of 3x3 and 1x1 convolutions, shared over the pyramid's levels.

    Args:
        num_classes: K.
        channels: channels of each branch's 3x3 convolution.
        anchor_scale: side of the square anchor in strides.
        anchor_ratios: heights divided by widths.
        cam_prior: probability that the CAM's sigmoid starts from, so that the many
            negative cells do not drown the first steps (Lin et al. 2017, "focal loss").
        num_samples: anchors an image that the RPN is trained on.
        positive_fraction: largest share of positives among them.
        positive_iou, negative_iou, low_quality_iou: see `match_boxes`.
        border_anchors: whether anchors that cross the border of the image are trained
            on. Beyond the paper: in a small image the large anchors all cross it, and
            large objects are without a positive one.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 256,
        anchor_scale: float = 8.0,
        anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0),
        cam_prior: float = 0.01,
        num_samples: int = 256,
        positive_fraction: float = 0.5,
        positive_iou: float = 0.7,
        negative_iou: float = 0.3,
        low_quality_iou: float = 0.3,
        border_anchors: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_count("cam_rpn: channels", channels)
        require_count("cam_rpn: num_samples", num_samples)
        require_share("cam_rpn: positive_fraction", positive_fraction)
        self.num_classes = num_classes
        self.channels = channels
        self.anchor_scale = anchor_scale
        self.anchor_ratios = tuple(anchor_ratios)
        self.cam_prior = cam_prior
        self.num_samples = num_samples
        self.positive_fraction = positive_fraction
        self.positive_iou = positive_iou
        self.negative_iou = negative_iou
        self.low_quality_iou = low_quality_iou
        self.border_anchors = border_anchors
        num_anchors = len(self.anchor_ratios)
        self.rpn_conv = self._conv(channels, 3, "rpn_conv", activation="relu")
        self.rpn_objectness = self._conv(num_anchors, 1, "rpn_objectness")
        self.rpn_deltas = self._conv(4 * num_anchors, 1, "rpn_deltas")
        self.cam_conv = self._conv(channels, 3, "cam_conv", activation="relu")
        self.cam = self._conv(
            num_classes, 1, "cam", bias=math.log(cam_prior / (1.0 - cam_prior))
        )

    def _conv(self, filters, kernel_size, name, activation=None, bias=0.0):
        return Conv2D(
            filters,
            kernel_size,
            padding="same",
            activation=activation,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(bias),
            name=name,
            dtype=self.dtype_policy,
        )

    def get_config(self):
        names = (
            "num_classes",
            "channels",
            "anchor_scale",
            "anchor_ratios",
            "cam_prior",
            "num_samples",
            "positive_fraction",
            "positive_iou",
            "negative_iou",
            "low_quality_iou",
            "border_anchors",
        )
        return super().get_config() | {name: getattr(self, name) for name in names}

    def build(self, input_shape):
        shape = next(iter(input_shape.values()))
        for conv in (self.rpn_conv, self.cam_conv):
            conv.build(shape)
        for conv in (self.rpn_objectness, self.rpn_deltas, self.cam):
            conv.build((*shape[:3], self.channels))
        self.built = True

    def call(self, pyramid) -> CamRpnOutputs:
        """{2..6: [B, H_l, W_l, C]} -> `CamRpnOutputs`."""
        cam_logits, flat = {}, []
        num_images, size = (
            tf.shape(pyramid[min(pyramid)])[0],
            5 * len(self.anchor_ratios),
        )
        for level in sorted(pyramid):
            features = pyramid[level]
            if level in CAM_LEVELS:
                logits = self.cam(self.cam_conv(features))
                cam_logits[level] = tf.cast(logits, tf.float32)
            outputs = self._predict_anchors(self.rpn_conv(features))
            flat.append(tf.reshape(outputs, [num_images, -1, size]))
        anchors = generate_anchors(
            pyramid, scale=self.anchor_scale, ratios=self.anchor_ratios
        )
        objectness, deltas = tf.split(
            tf.cast(tf.concat(flat, axis=1), tf.float32), [size // 5, -1], axis=2
        )
        return CamRpnOutputs(
            cam_logits,
            tf.reshape(objectness, [num_images, -1]),
            tf.reshape(deltas, [num_images, -1, 4]),
            anchors,
        )

    def _predict_anchors(self, hidden):
        """Both 1x1 convolutions as one: [B, H, W, 5 * ratios], objectness first."""
        outputs = self.rpn_objectness, self.rpn_deltas
        kernel = tf.concat([layer.kernel for layer in outputs], axis=3)
        bias = tf.concat([layer.bias for layer in outputs], axis=0)
        return add_bias(tf.nn.conv2d(hidden, kernel, 1, "SAME"), bias)

    def sample_anchors(
        self, outputs: CamRpnOutputs, targets: Targets, image_sizes, seeds
    ) -> SampledAnchors:
        """The anchors that a training step looks at.

        Args:
            outputs: of a call of this layer.
            targets: `Targets` of the images.
            image_sizes: [B, 2] int32.
            seeds: [B] int64.
        """
        return sample_anchors(
            outputs.anchors,
            targets,
            image_sizes,
            seeds,
            num_samples=self.num_samples,
            positive_fraction=self.positive_fraction,
            positive_iou=self.positive_iou,
            negative_iou=self.negative_iou,
            low_quality_iou=self.low_quality_iou,
            border_anchors=self.border_anchors,
        )
