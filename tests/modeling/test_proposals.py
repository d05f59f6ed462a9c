"""Proposals: the order of top-k, decoding, scoring, suppression and the final cut."""

import hand_made
import numpy as np
import oracles
import pytest
import tensorflow as tf
from hand_made import IMAGE_SIZES

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import ProposalSelector
from ehsod_tf.modeling.cam import CAM_OBJECTNESS
from ehsod_tf.modeling.proposals import select_proposals


@pytest.fixture(scope="module")
def outputs():
    return hand_made.make_cam_rpn(seed=3)


def _select(outputs, **settings):
    settings = {"pre_nms_top_k": 20, "max_proposals": 30} | settings
    return select_proposals(outputs, IMAGE_SIZES, **settings)


def _expect_level(
    outputs, level, b, pre_nms_top_k, cam_objectness, max_cam_level, nms_iou
):
    """One level's [(score, box)] after suppression, best first."""
    anchors, logits, deltas = (
        hand_made.split_levels(outputs, values, axis=0)[level].numpy()
        for values in (
            outputs.anchors.boxes,
            outputs.objectness_logits[b],
            outputs.deltas[b],
        )
    )
    anchors = anchors.astype(np.float64)
    height, width = IMAGE_SIZES[b]
    cam_level = min(level, max_cam_level)
    cam = outputs.cam_logits[cam_level][b].numpy().astype(np.float64)
    if cam_objectness in ("softmax_max", "contrast"):
        cam = np.exp(cam) / np.exp(cam).sum(axis=-1, keepdims=True)
    else:
        cam = 1 / (1 + np.exp(-cam))
    candidates = []
    for i in np.argsort(-logits, kind="stable"):
        dy, dx, dh, dw = deltas[i].astype(np.float64)
        ymin, xmin, ymax, xmax = anchors[i]
        y, x, h, w = (ymin + ymax) / 2, (xmin + xmax) / 2, ymax - ymin, xmax - xmin
        # A centre on the border is outside; rounded corners put it beside that.
        if np.float32(y) >= height or np.float32(x) >= width:
            continue
        if len(candidates) == pre_nms_top_k:
            break
        y, x, h, w = y + dy * h, x + dx * w, h * np.exp(dh), w * np.exp(dw)
        box = np.array([y - h / 2, x - w / 2, y + h / 2, x + w / 2])
        box = np.clip(box, 0, [height, width, height, width])
        score = oracles.sigmoid(logits[i])
        place = cam.max(axis=-1), box, 2**cam_level
        if cam_objectness.endswith("contrast"):
            score += oracles.contrast_over_box(*place, IMAGE_SIZES[b])
        elif cam_objectness != "none":
            score += oracles.average_over_box(*place)
        candidates.append((score, box))
    candidates = [c for c in candidates if oracles.compute_iou(c[1], c[1]) > 0]
    return _suppress(candidates, nms_iou)


def _suppress(candidates, iou):
    kept = []
    for score, box in sorted(candidates, key=lambda pair: -pair[0]):
        if all(oracles.compute_iou(box, other) <= iou for _, other in kept):
            kept.append((score, box))
    return kept


@pytest.mark.parametrize(
    ("cam_objectness", "max_cam_level", "nms_iou"),
    [
        *((name, 5, 0.7) for name in CAM_OBJECTNESS),
        ("softmax_max", 4, 0.7),
        ("contrast", 3, 0.7),
        ("softmax_max", 5, 0.2),
    ],
)
def test_proposals_equal_the_oracle(outputs, cam_objectness, max_cam_level, nms_iou):
    switches = {
        "cam_objectness": cam_objectness,
        "max_cam_level": max_cam_level,
        "nms_iou": nms_iou,
    }
    proposals = _select(outputs, **switches)
    for b in range(5):
        pairs = []
        for level in range(2, 7):
            pairs += _expect_level(outputs, level, b, 20, **switches)
        pairs = sorted(pairs, key=lambda pair: -pair[0])[:30]
        valid = proposals.valid[b].numpy()
        assert valid.tolist() == [True] * len(pairs) + [False] * (30 - len(pairs))
        scores, boxes = (np.array(column) for column in zip(*pairs, strict=True))
        np.testing.assert_allclose(proposals.scores[b][valid], scores, rtol=1e-5)
        np.testing.assert_allclose(proposals.boxes[b][valid], boxes, atol=1e-3)


def test_rows_without_a_proposal_are_zero(outputs):
    proposals = _select(outputs, max_proposals=400)
    padding = ~proposals.valid.numpy()
    assert padding.any(axis=1).all()
    assert not proposals.scores.numpy()[padding].any()
    assert not proposals.boxes.numpy()[padding].any()


def test_no_gradient_flows_through_proposals(outputs):
    watched = outputs.cam_logits, outputs.objectness_logits, outputs.deltas
    with tf.GradientTape() as tape:
        tape.watch(watched)
        proposals = _select(outputs)
        total = tf.reduce_sum(proposals.scores) + tf.reduce_sum(proposals.boxes)
    assert set(tf.nest.flatten(tape.gradient(total, watched))) == {None}


def test_selector_has_its_own_numbers_for_training_and_test(outputs):
    selector = ProposalSelector(
        train_pre_nms_top_k=40, train_max_proposals=60,
        test_pre_nms_top_k=20, test_max_proposals=30,
    )  # fmt: skip
    for training, settings in (
        (True, {"pre_nms_top_k": 40, "max_proposals": 60}),
        (False, {}),
    ):
        selected = selector(outputs, IMAGE_SIZES, training=training)
        tf.nest.map_structure(
            np.testing.assert_array_equal, selected, _select(outputs, **settings)
        )


def test_misspelt_cam_objectness_is_a_config_error():
    with pytest.raises(ConfigError, match="cam_objectness is one of .*'typo'"):
        ProposalSelector(cam_objectness="typo")


def test_a_level_without_a_class_map_is_a_config_error():
    with pytest.raises(ConfigError, match="max_cam_level is one of 2, 3, 4, 5, got 6"):
        ProposalSelector(max_cam_level=6)


def test_objectness_below_0_is_no_reason_to_drop_a_box(outputs):
    """The contrast of a box around nothing but the rim of an object is negative."""
    settings = {"cam_objectness": "contrast", "max_proposals": 2000}
    settings |= {"pre_nms_top_k": 2000}
    proposals = _select(outputs, **settings)
    scores = proposals.scores.numpy()[proposals.valid.numpy()]
    assert -1 <= scores.min() < -0.05


def test_selector_hands_its_switches_on(outputs):
    switches = {"cam_objectness": "contrast", "max_cam_level": 4, "nms_iou": 0.2}
    selector = ProposalSelector(
        test_pre_nms_top_k=20, test_max_proposals=30, **switches
    )
    selected = selector(outputs, IMAGE_SIZES, training=False)
    np.testing.assert_array_equal(selected.scores, _select(outputs, **switches).scores)
    del switches["nms_iou"]
    assert (selected.scores != _select(outputs, **switches).scores).numpy().any()
