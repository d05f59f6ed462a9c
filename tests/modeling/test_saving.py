"""The detector as a Keras model: compile, fit, save, load."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_detector import NUM_CLASSES, build_small_detector, make_batch

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import (
    CamRpn,
    Cascade,
    DetectionDecoder,
    Ehsod,
    FeaturePyramid,
    FunctionalBackbone,
    HybridCriterion,
    ProposalSelector,
    Teacher,
    build_detector,
    build_small_backbone,
)


@pytest.fixture(scope="module")
def fitted():
    """Two steps of `fit` with one of Keras's own optimizers."""
    model = build_small_detector()
    model.compile(optimizer=keras.optimizers.SGD(1e-3, momentum=0.9))
    history = model.fit(
        tf.data.Dataset.from_tensors(make_batch(range(2))).repeat(2), verbose=0
    )
    assert np.isfinite(history.history["total_loss"]).all()
    assert int(model.optimizer.iterations) == 2
    return model


def test_a_keras_file_gives_back_the_same_detector(fitted, tmp_path):
    path = tmp_path / "detector.keras"
    fitted.save(path)
    loaded = keras.models.load_model(path)
    assert isinstance(loaded, Ehsod)
    assert loaded.criterion == fitted.criterion
    assert loaded.selector == fitted.selector
    batch = make_batch(range(3))
    expected, actual = fitted(batch), loaded(batch)
    assert expected.num_detections.numpy().sum() > 0
    for name, one, other in zip(expected._fields, expected, actual, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)
    assert int(loaded.optimizer.iterations) == 2


def test_what_was_frozen_stays_frozen():
    network = build_small_backbone(8).network
    backbone = FunctionalBackbone(network, network.outputs, "torch", frozen_level=3)
    copy = FunctionalBackbone.from_config(backbone.get_config())
    assert copy.preprocessing == "torch" and copy.frozen_level == 3
    assert 0 < len(copy.trainable_variables) == len(backbone.trainable_variables)
    assert len(copy.variables) == len(backbone.variables)


# Every setting of every part, none of them the default.
SETTINGS = {
    "fpn": (FeaturePyramid, {"channels": 12}),
    "cam_rpn": (
        CamRpn,
        {
            "num_classes": 2,
            "channels": 4,
            "anchor_scale": 4.0,
            "anchor_ratios": (0.4, 2.5),
            "cam_prior": 0.1,
            "num_samples": 16,
            "positive_fraction": 0.4,
            "positive_iou": 0.6,
            "negative_iou": 0.2,
            "low_quality_iou": 0.1,
            "border_anchors": True,
        },
    ),
    "cascade": (
        Cascade,
        {
            "num_classes": 2,
            "num_stages": 4,
            "units": 8,
            "num_rois": 24,
            "positive_fraction": 0.5,
            "output_size": 5,
            "sampling_ratio": 1,
        },
    ),
    "selector": (
        ProposalSelector,
        {
            "train_pre_nms_top_k": 41,
            "train_max_proposals": 42,
            "test_pre_nms_top_k": 43,
            "test_max_proposals": 44,
            "nms_iou": 0.6,
            "cam_objectness": "contrast",
            "max_cam_level": 4,
        },
    ),
    "criterion": (
        HybridCriterion,
        {
            "cam_cls": 0.01,
            "cam_seg": 0.02,
            "rpn_cls": 0.03,
            "rpn_reg": 0.04,
            "mid": 0.05,
            "proposals": 0.06,
            "head_cls": 0.07,
            "head_reg": 0.08,
            "stages": (0.4, 0.3, 0.2, 0.1),
            "cam_activation": "sigmoid",
            "weak_cam_target": "none",
            "cam_sigma": 0.7,
            "mid_reduction": "mean",
            "boxed_mid": 0.11,
            "proposals_normalizer": "classes",
            "machine_classification": 0.12,
            "machine_regression": 0.13,
            "absent": 0.14,
            "boxed_share": 0.15,
        },
    ),
    "decoder": (
        DetectionDecoder,
        {
            "score_threshold": 0.2,
            "nms_iou": 0.4,
            "max_detections": 7,
            "max_candidates": 70,
            "score_fusion": "mid",
        },
    ),
    "teacher": (
        Teacher,
        {
            "momentum": 0.99,
            "burn_in_steps": 5,
            "best_score": 0.6,
            "other_score": 0.8,
            "needs_labels": True,
            "classification_weight": 0.4,
            "regression_weight": 0.1,
            "in_part": True,
            "max_boxes": 3,
            "max_proposals": 9,
        },
    ),
}
# In part needs labels.
NEEDED_DEFAULTS = {"needs_labels"}


@pytest.fixture(scope="module")
def far_from_default():
    """A detector of `SETTINGS`, and itself made anew from its config in a file."""
    parts = {name: make(**given) for name, (make, given) in SETTINGS.items()}
    model = Ehsod(build_small_backbone(8), **parts)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    return model, keras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("part", SETTINGS)
def test_every_setting_of_a_part_comes_back(part, far_from_default):
    make, given = SETTINGS[part]
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(make).parameters.items()
        if name != "kwargs"
    }
    assert set(given) == set(defaults)
    same = {name for name in given if given[name] == defaults[name]}
    assert same <= NEEDED_DEFAULTS
    for model in far_from_default:
        owner = getattr(model, part)
        assert {name: getattr(owner, name) for name in given} == given


def test_no_part_is_left_out_of_the_detectors_config(far_from_default):
    parts = set(inspect.signature(Ehsod).parameters) - {"kwargs"}
    assert parts == {"backbone", *SETTINGS}
    model, copy = far_from_default
    assert len(copy.cascade.heads) == 4
    assert [v.path for v in copy.variables] == [v.path for v in model.variables]
    assert [v.shape for v in copy.variables] == [v.shape for v in model.variables]


def test_a_detector_is_built_from_a_name():
    model = build_detector(
        NUM_CLASSES, "small", cascade=Cascade(NUM_CLASSES, units=16, num_rois=8)
    )
    assert model.num_classes == NUM_CLASSES
    assert model.selector.train_max_proposals == 2000


def test_an_unknown_backbone_is_named():
    with pytest.raises(ConfigError, match="'resnet5' is neither one of resnet50, "):
        build_detector(3, "resnet5")
