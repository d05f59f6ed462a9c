"""A whole detector small enough to run eagerly in a second, and batches for it."""

import hand_made
import keras
import numpy as np
import tensorflow as tf

from ehsod_tf.modeling import (
    CamRpn,
    Cascade,
    DetectionDecoder,
    Ehsod,
    FeaturePyramid,
    HybridCriterion,
    ProposalSelector,
    build_small_backbone,
)
from ehsod_tf.structures import Batch

NUM_CLASSES = hand_made.NUM_CLASSES


def build_small_detector(
    backbone=None, num_stages=2, seed=0, border_anchors=False, absent=0.0
) -> Ehsod:
    """The detector with weights that depend on the seed alone.

    The output layers start large, so that scores differ by much more than rounding and
    no two implementations of a convolution can disagree on an order or a threshold; the
    CAM starts undecided, so that its negative cells weigh something.

    Args:
        backbone: a small one if not given.
        num_stages: of the cascade.
        seed: of the weights.
        border_anchors: of `CamRpn`.
        absent: of `HybridCriterion`.
    """
    keras.utils.set_random_seed(seed)
    model = Ehsod(
        backbone or build_small_backbone(8),
        FeaturePyramid(16),
        CamRpn(
            NUM_CLASSES, channels=16, cam_prior=0.5, num_samples=32,
            border_anchors=border_anchors,
        ),
        Cascade(NUM_CLASSES, num_stages=num_stages, units=32, num_rois=24),
        ProposalSelector(
            train_pre_nms_top_k=60, train_max_proposals=80,
            test_pre_nms_top_k=60, test_max_proposals=40,
        ),
        HybridCriterion(absent=absent),
        DetectionDecoder(max_detections=20),
    )  # fmt: skip
    for variable in model.trainable_variables:
        layer = variable.path.split("/")[-2]
        if variable.name == "kernel" and layer in (
            "rpn_conv", "rpn_objectness", "cam_conv", "cam", "class_logits",
            "confidence_logits",
        ):  # fmt: skip
            variable.assign(variable * 10.0)
    return model


def make_batch(images, max_boxes=4, image_seeds=None) -> Batch:
    """The chosen images of `hand_made`, filled with smooth noise, on its canvas.

    Args:
        images: indices into `hand_made`.
        max_boxes: rows of ground truth.
        image_seeds: what the pixels are drawn from; the indices if not given.
    """
    images = list(images)
    pixels = np.zeros([len(images), *hand_made.CANVAS, 3], np.float32)
    for row, (image, seed) in enumerate(
        zip(images, image_seeds or images, strict=True)
    ):
        height, width = hand_made.IMAGE_SIZES[image]
        coarse = np.random.default_rng(seed).uniform(0, 255, [24, 24, 3])
        fine = coarse.repeat(4, axis=0).repeat(4, axis=1)
        pixels[row, :height, :width] = fine[:height, :width]
    return Batch(
        images=tf.constant(pixels),
        image_sizes=tf.constant(hand_made.IMAGE_SIZES[images]),
        scales=tf.ones([len(images), 2]),
        image_ids=tf.constant(images, tf.int64) + 1000,
        targets=hand_made.make_targets(images, max_boxes),
    )
