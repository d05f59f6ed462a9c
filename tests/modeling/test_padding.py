"""What the network says of padding cells changes neither losses nor proposals.

The same logits inside the images, once on a small and once on a large canvas whose
further cells hold garbage.
"""

import hand_made
import numpy as np
import pytest
import tensorflow as tf
from hand_made import IMAGE_SIZES

from ehsod_tf.modeling import HybridCriterion
from ehsod_tf.modeling.cam import CAM_OBJECTNESS
from ehsod_tf.modeling.proposals import select_proposals

LARGE_CANVAS = (160, 224)


@pytest.fixture(scope="module")
def small():
    return hand_made.make_cam_rpn(seed=1)


@pytest.fixture(scope="module")
def large(small):
    """`small` on a larger canvas, garbage in every cell that begins outside."""
    garbage = hand_made.make_cam_rpn(canvas=LARGE_CANVAS, seed=2, scale=30.0)
    return garbage._replace(
        cam_logits={
            level: _paste(small.cam_logits[level], garbage.cam_logits[level], level)
            for level in small.cam_logits
        },
        objectness_logits=_paste_anchors(small, garbage, "objectness_logits"),
        deltas=_paste_anchors(small, garbage, "deltas"),
    )


def _paste(cells, garbage, level):
    """[5, H, W, C] cells of the images into the larger map."""
    cells, garbage = np.array(cells), np.array(garbage)
    for b, size in enumerate(IMAGE_SIZES):
        rows, columns = -(-size // 2**level)
        garbage[b, :rows, :columns] = cells[b, :rows, :columns]
    return tf.constant(garbage)


def _paste_anchors(small, garbage, field):
    pasted = []
    small_levels = hand_made.split_levels(small, getattr(small, field))
    levels = hand_made.split_levels(garbage, getattr(garbage, field))
    for level, values in levels.items():
        shapes = [
            [5, *(-(-side // 2**level) for side in canvas), -1]
            for canvas in (hand_made.CANVAS, LARGE_CANVAS)
        ]
        cells = tf.reshape(small_levels[level], shapes[0])
        maps = _paste(cells, tf.reshape(values, shapes[1]), level)
        pasted.append(tf.reshape(maps, tf.shape(values)))
    return tf.concat(pasted, axis=1)


@pytest.mark.parametrize("settings", [{}, {"cam_activation": "sigmoid"}])
def test_losses_do_not_depend_on_padding_cells(small, large, settings):
    # Few samples, so that the choice of anchors has to be the same.
    criterion, targets = HybridCriterion(**settings), hand_made.make_targets()
    (terms, counters), (large_terms, large_counters) = (
        criterion(
            outputs,
            hand_made.sample_anchors(outputs, targets, num_samples=32),
            [],
            targets,
            IMAGE_SIZES,
        )
        for outputs in (small, large)
    )
    assert terms["rpn_cls"].count == 3 * 32
    for name, term in terms.items():
        np.testing.assert_allclose(term, large_terms[name], rtol=1e-5, err_msg=name)
    assert counters == large_counters


@pytest.mark.parametrize("cam_objectness", CAM_OBJECTNESS)
def test_proposals_do_not_depend_on_padding_cells(small, large, cam_objectness):
    proposals, large_proposals = (
        select_proposals(
            outputs, IMAGE_SIZES, pre_nms_top_k=50, max_proposals=40,
            cam_objectness=cam_objectness,
        )
        for outputs in (small, large)
    )  # fmt: skip
    assert proposals.valid.numpy().sum() > 100
    np.testing.assert_array_equal(proposals.valid, large_proposals.valid)
    np.testing.assert_allclose(proposals.boxes, large_proposals.boxes, atol=1e-4)
    np.testing.assert_allclose(proposals.scores, large_proposals.scores, rtol=1e-5)
