"""The detector: Keras layers, post-processing and the training objective."""

from ehsod_tf.modeling.assembly import build_detector, build_model
from ehsod_tf.modeling.backbones import (
    build_resnet,
    build_small_backbone,
    load_backbone,
)
from ehsod_tf.modeling.cam_rpn import CamRpn
from ehsod_tf.modeling.cascade import Cascade
from ehsod_tf.modeling.criterion import HybridCriterion
from ehsod_tf.modeling.detections import DetectionDecoder
from ehsod_tf.modeling.efficientnet_lite import build_efficientnet_lite
from ehsod_tf.modeling.ehsod import Ehsod
from ehsod_tf.modeling.fpn import FeaturePyramid
from ehsod_tf.modeling.functional_backbone import FunctionalBackbone
from ehsod_tf.modeling.preset_backbones import (
    build_hub_backbone,
    build_keras_cv_backbone,
)
from ehsod_tf.modeling.proposals import ProposalSelector
from ehsod_tf.modeling.teacher import Teacher

__all__ = [
    "CamRpn",
    "Cascade",
    "DetectionDecoder",
    "Ehsod",
    "FeaturePyramid",
    "FunctionalBackbone",
    "HybridCriterion",
    "ProposalSelector",
    "Teacher",
    "build_detector",
    "build_efficientnet_lite",
    "build_hub_backbone",
    "build_keras_cv_backbone",
    "build_model",
    "build_resnet",
    "build_small_backbone",
    "load_backbone",
]
