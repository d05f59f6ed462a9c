"""Areas, overlaps and clipping."""

import numpy as np
import oracles
import pytest

from ehsod_tf.modeling.boxes.geometry import clip_boxes, compute_areas, compute_iou


def _draw_boxes(rng, *shape):
    corners = rng.uniform(-20, 80, size=[*shape, 2, 2])
    return np.sort(corners, axis=-2).reshape(*shape, 4).astype(np.float32)


def test_iou_equals_the_oracle_for_every_pair():
    rng = np.random.default_rng(0)
    boxes, others = _draw_boxes(rng, 2, 7), _draw_boxes(rng, 2, 5)
    others[:, 0] = boxes[:, 3]
    ious = compute_iou(boxes, others).numpy()
    assert ious.shape == (2, 7, 5)
    for b, n, m in np.ndindex(2, 7, 5):
        expected = oracles.compute_iou(boxes[b, n], others[b, m])
        assert ious[b, n, m] == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(ious[:, 3, 0], 1.0, rtol=1e-6)


def test_iou_with_an_empty_or_inverted_box_is_0():
    boxes = np.array([[5, 5, 5, 5], [9, 9, 2, 2], [0, 0, 10, 10]], np.float32)
    ious = compute_iou(boxes, boxes)
    np.testing.assert_array_equal(ious, np.diag([0.0, 0.0, 1.0]))


def test_area_of_an_inverted_box_is_0():
    boxes = np.array([[0, 0, 2, 3], [2, 0, 0, 3], [2, 3, 0, 0]], np.float32)
    np.testing.assert_array_equal(compute_areas(boxes), [6, 0, 0])


def test_clipping_keeps_each_box_inside_its_own_image():
    boxes = np.tile(np.array([[-5, -6, 70, 80], [10, 20, 30, 40]], np.float32), [2, 1])
    clipped = clip_boxes(boxes.reshape(2, 2, 4), np.array([[64, 32], [25, 90]]))
    np.testing.assert_array_equal(clipped[0], [[0, 0, 64, 32], [10, 20, 30, 32]])
    np.testing.assert_array_equal(clipped[1], [[0, 0, 25, 80], [10, 20, 25, 40]])
