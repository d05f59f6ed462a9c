"""The detector: Keras layers, post-processing and the training objective."""

from ehsod_tf.modeling.backbones import (
    FunctionalBackbone,
    build_resnet,
    build_small_backbone,
    load_backbone,
)
from ehsod_tf.modeling.cam_rpn import CamRpn
from ehsod_tf.modeling.cascade import Cascade
from ehsod_tf.modeling.criterion import HybridCriterion
from ehsod_tf.modeling.detections import DetectionDecoder
from ehsod_tf.modeling.ehsod import Ehsod, ProposalSelector
from ehsod_tf.modeling.fpn import FeaturePyramid

__all__ = [
    "CamRpn",
    "Cascade",
    "DetectionDecoder",
    "Ehsod",
    "FeaturePyramid",
    "FunctionalBackbone",
    "HybridCriterion",
    "ProposalSelector",
    "build_resnet",
    "build_small_backbone",
    "load_backbone",
]
