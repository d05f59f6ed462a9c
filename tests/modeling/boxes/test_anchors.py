"""Anchors: where they lie, how large they are, and in what order."""

import numpy as np
import tensorflow as tf

from ehsod_tf.modeling.boxes.anchors import generate_anchors


def _make_pyramid(height, width):
    return {
        level: tf.zeros([2, height // 2**level, width // 2**level, 1])
        for level in (2, 3, 4)
    }


def _split_levels(anchors):
    counts = [int(count) for count in anchors.counts.values()]
    levels = tf.split(anchors.boxes, counts)
    return {v: boxes.numpy() for v, boxes in zip(anchors.counts, levels, strict=True)}


def test_anchors_run_over_rows_then_columns_then_ratios():
    anchors = generate_anchors({4: tf.zeros([2, 2, 3, 1])}, ratios=(0.5, 1, 2))
    assert anchors.boxes.shape == (2 * 3 * 3, 4)
    boxes = anchors.boxes.numpy().reshape(2, 3, 3, 4)
    for row, column, i in np.ndindex(2, 3, 3):
        ymin, xmin, ymax, xmax = boxes[row, column, i].astype(float)
        centre = [(ymin + ymax) / 2, (xmin + xmax) / 2]
        np.testing.assert_allclose(centre, [(row + 0.5) * 16, (column + 0.5) * 16])
        height, width = ymax - ymin, xmax - xmin
        np.testing.assert_allclose(height / width, (0.5, 1, 2)[i], rtol=1e-5)
        np.testing.assert_allclose(height * width, 128**2, rtol=1e-5)


def test_each_level_has_the_stride_of_its_cells():
    levels = _split_levels(generate_anchors(_make_pyramid(64, 32)))
    assert list(levels) == [2, 3, 4]
    for level, boxes in levels.items():
        assert boxes.shape == (64 * 32 // 4**level * 3, 4)
        square = boxes[1]
        np.testing.assert_allclose(square[:2] + square[2:], 2**level, rtol=1e-5)
        np.testing.assert_allclose(square[2:] - square[:2], 8 * 2**level, rtol=1e-5)


def test_levels_need_not_halve_each_other():
    """The cells of a canvas of odd size are rounded up at every level."""
    shapes = {2: (25, 19), 3: (13, 10), 4: (7, 5), 5: (4, 3)}
    together = _split_levels(
        generate_anchors({level: tf.zeros([1, *s, 1]) for level, s in shapes.items()})
    )
    for level, shape in shapes.items():
        alone = generate_anchors({level: tf.zeros([1, *shape, 1])})
        np.testing.assert_array_equal(together[level], alone.boxes)


def test_anchor_ids_are_unique_and_do_not_change_with_the_canvas():
    anchors = {
        name: generate_anchors(_make_pyramid(*size))
        for name, size in (("small", (32, 48)), ("large", (96, 64)))
    }
    boxes = {}
    for name, each in anchors.items():
        ids = each.ids.numpy().tolist()
        boxes[name] = dict(zip(ids, each.boxes.numpy().tolist(), strict=True))
        assert len(boxes[name]) == len(ids)
    assert boxes["large"].keys() > boxes["small"].keys()
    for anchor_id, box in boxes["small"].items():
        assert boxes["large"][anchor_id] == box
