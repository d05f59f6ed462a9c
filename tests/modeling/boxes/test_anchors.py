"""Anchors: where they lie, how large they are, and in what order."""

import numpy as np
import tensorflow as tf

from ehsod_tf.modeling.boxes.anchors import (
    generate_anchor_ids,
    generate_anchors,
    generate_level_anchors,
)


def _make_pyramid(height, width):
    return {
        level: tf.zeros([2, height // 2**level, width // 2**level, 1])
        for level in (2, 3, 4)
    }


def test_anchors_run_over_rows_then_columns_then_ratios():
    anchors = generate_level_anchors(2, 3, 16, scale=8.0, ratios=(0.5, 1, 2)).numpy()
    assert anchors.shape == (2 * 3 * 3, 4)
    anchors = anchors.reshape(2, 3, 3, 4)
    for row, column, i in np.ndindex(2, 3, 3):
        ymin, xmin, ymax, xmax = anchors[row, column, i].astype(float)
        centre = [(ymin + ymax) / 2, (xmin + xmax) / 2]
        np.testing.assert_allclose(centre, [(row + 0.5) * 16, (column + 0.5) * 16])
        height, width = ymax - ymin, xmax - xmin
        np.testing.assert_allclose(height / width, (0.5, 1, 2)[i], rtol=1e-5)
        np.testing.assert_allclose(height * width, 128**2, rtol=1e-5)


def test_each_level_has_the_stride_of_its_cells():
    anchors = generate_anchors(_make_pyramid(64, 32))
    assert list(anchors) == [2, 3, 4]
    for level, boxes in anchors.items():
        assert boxes.shape == (64 * 32 // 4**level * 3, 4)
        square = boxes[1].numpy()
        np.testing.assert_allclose(square[:2] + square[2:], 2**level, rtol=1e-5)
        np.testing.assert_allclose(square[2:] - square[:2], 8 * 2**level, rtol=1e-5)


def test_anchor_ids_are_unique_and_do_not_change_with_the_canvas():
    anchors, ids = {}, {}
    for name, size in (("small", (32, 48)), ("large", (96, 64))):
        pyramid = _make_pyramid(*size)
        anchors[name] = np.concatenate(list(generate_anchors(pyramid).values()))
        ids[name] = generate_anchor_ids(pyramid).numpy()
        assert len(set(ids[name].tolist())) == len(anchors[name])
    large = dict(zip(ids["large"].tolist(), anchors["large"].tolist(), strict=True))
    for anchor_id, anchor in zip(ids["small"], anchors["small"], strict=True):
        assert large[anchor_id] == anchor.tolist()
