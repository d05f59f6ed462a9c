"""The detector from its parts."""

import os
from collections.abc import Callable

import keras

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling.backbones import (
    build_resnet,
    build_small_backbone,
    load_backbone,
)
from ehsod_tf.modeling.cam_rpn import CamRpn
from ehsod_tf.modeling.cascade import Cascade
from ehsod_tf.modeling.criterion import HybridCriterion
from ehsod_tf.modeling.detections import DetectionDecoder
from ehsod_tf.modeling.ehsod import Ehsod
from ehsod_tf.modeling.fpn import FeaturePyramid
from ehsod_tf.modeling.proposals import ProposalSelector

_BACKBONES = {
    "resnet50": lambda: build_resnet(50),
    "resnet101": lambda: build_resnet(101),
    "small": build_small_backbone,
}


def build_detector(
    num_classes: int,
    backbone: str | os.PathLike | keras.layers.Layer = "resnet50",
    *,
    fpn: FeaturePyramid | None = None,
    cam_rpn: CamRpn | None = None,
    cascade: Cascade | None = None,
    selector: ProposalSelector | None = None,
    criterion: HybridCriterion | None = None,
    decoder: DetectionDecoder | None = None,
    name: str = "ehsod",
) -> Ehsod:
    """Builds the detector with the paper's settings; `compile` and `fit` it.

    ``fit`` takes a data set of `Batch`, as `ehsod_tf.data.build_training_dataset` makes
    it.

    Args:
        num_classes: K.
        backbone: "resnet50" or "resnet101" with ImageNet's weights, which Keras
            downloads once; "small", with random weights; the path of a functional Keras
            model file, see `load_backbone`; or a layer, see `FunctionalBackbone`.
        fpn, cam_rpn, cascade: parts of other settings than the defaults, for as many
            classes.
        selector, criterion, decoder: likewise.
        name: of the Keras model.

    Raises:
        ConfigError: the backbone cannot be had, or a part does not fit the others.
    """
    if isinstance(backbone, str | os.PathLike):
        backbone = _find_backbone(os.fspath(backbone))
    return Ehsod(
        backbone=backbone,
        fpn=fpn or FeaturePyramid(),
        cam_rpn=cam_rpn or CamRpn(num_classes),
        cascade=cascade or Cascade(num_classes),
        selector=selector,
        criterion=criterion,
        decoder=decoder,
        name=name,
    )


def build_model(
    num_classes: int,
    backbone: Callable,
    fpn: Callable,
    cam_rpn: Callable,
    cascade: Callable,
    selector: Callable,
    criterion: Callable,
    decoder: Callable,
    teacher: Callable | None = None,
) -> Ehsod:
    """Assembles the detector from factories of its parts.

    Args:
        num_classes: K.
        backbone: makes the feature extractor, such as ``@build_resnet``.
        fpn: makes the `FeaturePyramid`.
        cam_rpn: takes the number of classes, makes the `CamRpn`.
        cascade: takes the number of classes, makes the `Cascade`.
        selector: makes the `ProposalSelector`.
        criterion: makes the `HybridCriterion`.
        decoder: makes the `DetectionDecoder`.
        teacher: makes the `Teacher`, or None for a detector without one.
    """
    return Ehsod(
        backbone=backbone(),
        fpn=fpn(),
        cam_rpn=cam_rpn(num_classes),
        cascade=cascade(num_classes),
        selector=selector(),
        criterion=criterion(),
        decoder=decoder(),
        teacher=teacher() if teacher else None,
    )


def _find_backbone(name: str) -> keras.layers.Layer:
    if name in _BACKBONES:
        return _BACKBONES[name]()
    if not os.path.isfile(name):
        raise ConfigError(
            f"backbone: {name!r} is neither one of {', '.join(_BACKBONES)} nor a file"
        )
    return load_backbone(name)
