"""Post-processing, on logits made by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import DetectionDecoder
from ehsod_tf.modeling.cascade import StageOutputs
from ehsod_tf.modeling.hybrid_head import HeadOutputs
from ehsod_tf.modeling.roi_sampling import Rois

STDS = (0.1, 0.1, 0.2, 0.2)
IMAGE_SIZES = np.array([[100, 100]], np.int32)
LEFT, LEFT_SHIFTED = [10, 10, 30, 30], [11, 10, 31, 30]  # IoU 0.9
RIGHT = [60, 60, 90, 90]


def _make_stage(boxes, scores, deltas=None, confidences=None, valid=None):
    """A stage that gives `scores` [N, 3], background last, as softmax."""
    scores = np.array(scores, np.float32)
    num_boxes = len(boxes)
    if deltas is None:
        deltas = np.zeros([num_boxes, 4])
    if confidences is None:
        confidences = np.zeros([num_boxes, 2])
    if valid is None:
        valid = [True] * num_boxes

    def batch(values, dtype=tf.float32):
        return tf.constant(values, dtype)[tf.newaxis]

    return StageOutputs(
        rois=Rois(
            boxes=batch(boxes),
            valid=batch(valid, tf.bool),
            classes=tf.fill([1, num_boxes], -1),
            matched_boxes=tf.zeros([1, num_boxes, 4]),
            is_ground_truth=tf.zeros([1, num_boxes], tf.bool),
            explained=tf.zeros([1, num_boxes], tf.bool),
        ),
        head=HeadOutputs(batch(np.log(scores)), batch(deltas), batch(confidences)),
        stds=STDS,
    )


def _decode(*stages, **settings):
    """[(class, score, box)] of the one image, after a look at the padding."""
    detections = DetectionDecoder(**settings)(list(stages), IMAGE_SIZES)
    boxes, scores, classes, num_detections = (field[0].numpy() for field in detections)
    assert len(boxes) == len(scores) == len(classes)
    assert (classes[num_detections:] == -1).all()
    assert not boxes[num_detections:].any() and not scores[num_detections:].any()
    return [
        (int(classes[i]), float(scores[i]), boxes[i].tolist())
        for i in range(num_detections)
    ]


def _approx(score):
    return pytest.approx(score, rel=1e-5)


def test_stage_logits_are_averaged_before_the_softmax():
    first = _make_stage([LEFT], [[0.8, 0.1, 0.1]])
    second = _make_stage([LEFT], [[0.2, 0.2, 0.6]])
    found = _decode(first, second)
    means = np.sqrt([0.8 * 0.2, 0.1 * 0.2, 0.1 * 0.6])
    scores = means / means.sum()
    assert found == [(0, _approx(scores[0]), LEFT), (1, _approx(scores[1]), LEFT)]


def test_the_last_stages_boxes_are_refined_by_its_deltas():
    first = _make_stage([RIGHT], [[0.9, 0.01, 0.09]])
    # A tenth of the height (20) down, twice the width about the centre (20).
    deltas = [[1.0, 0.0, 0.0, np.log(2) / 0.2]]
    last = _make_stage([LEFT], [[0.9, 0.01, 0.09]], deltas=deltas)
    [(_, _, box)] = _decode(first, last)
    np.testing.assert_allclose(box, [12, 0, 32, 40], atol=1e-4)


def test_refined_boxes_are_clipped_to_the_image():
    stage = _make_stage([RIGHT], [[0.9, 0.01, 0.09]], deltas=[[10.0, 0, 0, 0]])
    [(_, _, box)] = _decode(stage)
    np.testing.assert_allclose(box, [90, 60, 100, 90], atol=1e-4)


def test_a_box_refined_out_of_the_image_is_no_detection():
    stage = _make_stage([RIGHT], [[0.9, 0.01, 0.09]], deltas=[[20.0, 0, 0, 0]])
    assert _decode(stage) == []


def test_absent_classes_leave_their_score_to_the_others():
    stage = _make_stage([LEFT, RIGHT], [[0.6, 0.3, 0.1], [0.6, 0.1, 0.3]])
    absent = tf.constant([[True, False]])
    detections = DetectionDecoder()([stage], IMAGE_SIZES, absent)
    assert detections.num_detections.numpy() == [2]
    np.testing.assert_array_equal(detections.classes[0, :2], [1, 1])
    np.testing.assert_allclose(detections.scores[0, :2], [0.75, 0.25], rtol=1e-5)
    none = DetectionDecoder()([stage], IMAGE_SIZES, tf.constant([[False, False]]))
    for actual, wanted in zip(
        none, DetectionDecoder()([stage], IMAGE_SIZES), strict=True
    ):
        np.testing.assert_array_equal(actual, wanted)


def test_the_threshold_is_inclusive():
    stage = _make_stage([LEFT, RIGHT], [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]])
    found = _decode(stage, score_threshold=0.25)
    assert [(k, score) for k, score, _ in found] == [
        (0, _approx(0.5)),
        (1, _approx(0.25)),
    ]
    assert len(_decode(stage, score_threshold=0.25 + 1e-4)) == 1
    assert len(_decode(stage, score_threshold=0.0)) == 4


def test_suppression_is_class_by_class():
    stage = _make_stage(
        [LEFT, LEFT_SHIFTED, RIGHT],
        [[0.6, 0.02, 0.38], [0.5, 0.4, 0.1], [0.3, 0.02, 0.68]],
    )
    assert _decode(stage) == [
        (0, _approx(0.6), LEFT),
        (1, _approx(0.4), LEFT_SHIFTED),
        (0, _approx(0.3), RIGHT),
    ]
    assert len(_decode(stage, nms_iou=0.95)) == 4


def test_the_best_detections_of_all_classes_are_kept():
    stage = _make_stage([LEFT, RIGHT], [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    found = _decode(stage, max_detections=3)
    assert [(k, box) for k, _, box in found] == [(0, LEFT), (1, RIGHT), (1, LEFT)]


def test_suppression_looks_at_the_best_candidates_only():
    stage = _make_stage([LEFT, LEFT_SHIFTED, RIGHT], [[0.9, 0.05, 0.05]] * 3)
    assert len(_decode(stage, max_candidates=2)) == 1
    assert len(_decode(stage, max_candidates=3)) == 2


def test_padding_regions_are_no_detections():
    stage = _make_stage([LEFT, RIGHT], [[0.9, 0.05, 0.05]] * 2, valid=[False, True])
    assert {tuple(box) for _, _, box in _decode(stage)} == {tuple(RIGHT)}
    nothing = _make_stage([LEFT], [[0.9, 0.05, 0.05]], valid=[False])
    for score_fusion in ("none", "mid"):
        assert _decode(nothing, score_fusion=score_fusion) == []


def test_mid_fusion_is_the_geometric_mean_with_the_relative_confidence():
    confidences = [
        [[0.0, 1.0], [2.0, 1.0], [100.0, 100.0]],
        [[0.0, 0.0], [-1.0, 0.0], [100.0, 100.0]],
    ]
    stages = [
        _make_stage(
            [LEFT, RIGHT, LEFT], [[0.5, 0.1, 0.4], [0.3, 0.3, 0.4], [0.5, 0.1, 0.4]],
            confidences=confidence, valid=[True, True, False],
        )
        for confidence in confidences
    ]  # fmt: skip
    # Mean confidences of class 0 are 0 and 0.5, those of class 1 are equal; the third
    # region is padding, which is why its confidence is nobody's best.
    found = _decode(*stages, score_fusion="mid")
    assert found == [
        (0, _approx(np.sqrt(0.5 * np.exp(-0.5))), LEFT),
        (0, _approx(np.sqrt(0.3)), RIGHT),
        (1, _approx(np.sqrt(0.3)), RIGHT),
        (1, _approx(np.sqrt(0.1)), LEFT),
    ]
    assert [score for _, score, _ in _decode(*stages)] == [
        _approx(score) for score in (0.5, 0.3, 0.3, 0.1)
    ]


def test_misspelt_score_fusion_is_a_config_error():
    with pytest.raises(ConfigError, match="score_fusion .*'typo'"):
        DetectionDecoder(score_fusion="typo")
