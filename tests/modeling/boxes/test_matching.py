"""Assignment of ground truth by overlap."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from ehsod_tf.modeling.boxes.matching import match_boxes

POSITIVE, NEGATIVE, IGNORED = "positive", "negative", "ignored"

TRUTH = [0.0, 0.0, 10.0, 10.0]
# Strips of TRUTH's height: their overlap with it is a tenth of their width.
STRIPS = [[0.0, 0.0, 10.0, width] for width in (10.0, 7.0, 6.0, 5.0, 3.0, 2.0)]


def _match(boxes, truths, boxes_valid=None, truth_valid=None, **thresholds):
    boxes = tf.reshape(tf.constant(boxes, tf.float32), [1, -1, 4])
    truths = tf.reshape(tf.constant(truths, tf.float32), [1, -1, 4])
    if boxes_valid is None:
        boxes_valid = [True] * boxes.shape[1]
    if truth_valid is None:
        truth_valid = [True] * truths.shape[1]
    matches = match_boxes(
        boxes, tf.constant([boxes_valid]), truths,
        tf.constant([truth_valid], shape=[1, truths.shape[1]], dtype=tf.bool),
        **{"positive_iou": 0.7, "negative_iou": 0.3} | thresholds,
    )  # fmt: skip
    return type(matches)(*(field[0].numpy() for field in matches))


def _label(matches):
    assert not (matches.positives & matches.negatives).any()
    labels = np.where(matches.negatives, NEGATIVE, IGNORED)
    return np.where(matches.positives, POSITIVE, labels).tolist()


def test_thresholds_are_inclusive_for_positives_and_exclusive_for_negatives():
    matches = _match(STRIPS, TRUTH, positive_iou=0.5, negative_iou=0.2)
    assert _label(matches) == [POSITIVE] * 4 + [IGNORED] * 2
    equal = _match(STRIPS, TRUTH, positive_iou=0.5, negative_iou=0.5)
    assert _label(equal) == [POSITIVE] * 4 + [NEGATIVE] * 2


def test_each_box_stands_for_the_truth_that_it_overlaps_most():
    rng = np.random.default_rng(1)
    corners = np.sort(rng.uniform(0, 40, [30, 2, 2]), axis=1)
    boxes = corners.reshape(30, 4).astype(np.float32)
    truths = boxes[:4] + rng.uniform(-2, 2, [4, 4]).astype(np.float32)
    matches = _match(boxes, truths)
    ious = np.array([[oracles.compute_iou(a, b) for b in truths] for a in boxes])
    overlapping = ious.max(axis=1) > 0
    np.testing.assert_array_equal(
        matches.indices[overlapping], ious.argmax(axis=1)[overlapping]
    )


def test_a_truth_claims_its_best_candidates_even_below_the_threshold():
    far = [50.0, 50.0, 60.0, 60.0]
    boxes = [STRIPS[3], STRIPS[3], STRIPS[4], far]
    assert _label(_match(boxes, TRUTH)) == [IGNORED] * 3 + [NEGATIVE]
    matches = _match(boxes, TRUTH, low_quality_iou=0.3)
    assert _label(matches) == [POSITIVE, POSITIVE, IGNORED, NEGATIVE]
    strict = _match(boxes, TRUTH, low_quality_iou=0.6)
    assert _label(strict) == [IGNORED] * 3 + [NEGATIVE]


def test_a_claimed_candidate_stands_for_the_truth_that_claims_it():
    truths = [TRUTH, [0.0, 0.0, 10.0, 4.0]]
    candidate = [0.0, 0.0, 10.0, 8.0]
    matches = _match([candidate, TRUTH], truths, low_quality_iou=0.3)
    # The candidate overlaps TRUTH by 0.8, but nothing overlaps the second truth more.
    assert _label(matches) == [POSITIVE, POSITIVE]
    assert matches.indices.tolist() == [1, 0]


def test_invalid_candidates_are_ignored_and_claim_nothing():
    matches = _match(
        [TRUTH, STRIPS[3], [50.0, 50.0, 60.0, 60.0]], TRUTH,
        boxes_valid=[False, True, False], low_quality_iou=0.3,
    )  # fmt: skip
    assert _label(matches) == [IGNORED, POSITIVE, IGNORED]


def test_padded_truths_match_nothing():
    matches = _match(
        [TRUTH, [0.0] * 4], [TRUTH, [0.0] * 4],
        truth_valid=[False, False], low_quality_iou=0.0,
    )  # fmt: skip
    assert _label(matches) == [NEGATIVE, NEGATIVE]


@pytest.mark.parametrize("low_quality_iou", [None, 0.3])
def test_without_truths_every_valid_candidate_is_negative(low_quality_iou):
    matches = _match(
        STRIPS, [0.0] * 4, boxes_valid=[True] * 5 + [False], truth_valid=[False],
        low_quality_iou=low_quality_iou,
    )  # fmt: skip
    assert _label(matches) == [NEGATIVE] * 5 + [IGNORED]
    assert not matches.indices.any()
