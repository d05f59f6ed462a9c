"""The CAM: its box score, its targets, and what padding may not change."""

import itertools

import numpy as np
import oracles
import pytest

from ehsod_tf.modeling.boxes.cells import join_levels, number_cells, number_cells_of
from ehsod_tf.modeling.cam import (
    average_cam,
    average_over_boxes,
    contrast_over_boxes,
    draw_cam_targets,
    label_weak_cells,
    mask_cells,
    reduce_cam,
)


def _draw_map(*shape):
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


def _average(cell_map, boxes, stride):
    maps = {int(np.log2(stride)): cell_map}
    return average_over_boxes(maps, boxes, np.zeros(boxes.shape[1], np.int32))


def _contrast(cell_map, boxes, stride, sizes):
    maps = {int(np.log2(stride)): cell_map}
    places = np.zeros(boxes.shape[1], np.int32)
    return contrast_over_boxes(maps, boxes, places, sizes)


@pytest.mark.parametrize("stride", [4, 32])
def test_box_score_is_the_area_weighted_mean_over_fractional_boxes(stride):
    rng = np.random.default_rng(stride)
    cell_map = _draw_map(2, 7, 9)
    corners = np.sort(rng.uniform(0, 1, [2, 40, 2, 2]), axis=2)
    boxes = corners.reshape(2, 40, 4) * np.tile([7 * stride, 9 * stride], 2)
    boxes = boxes.astype(np.float32)
    scores = _average(cell_map, boxes, stride).numpy()
    for b, n in np.ndindex(2, 40):
        expected = oracles.average_over_box(cell_map[b], boxes[b, n], stride)
        assert scores[b, n] == pytest.approx(expected, abs=1e-5)


def test_box_score_of_special_boxes():
    cell_map = _draw_map(1, 5, 6)
    boxes = {
        "whole map": [0, 0, 20, 24],
        "one cell": [4, 8, 8, 12],
        "within one cell": [5.25, 9.5, 6.5, 9.75],
        "less than a cell on a corner": [7.5, 11.5, 8.5, 12.5],
        "last cell": [16, 20, 20, 24],
        "reaching out of the map": [12, 16, 28, 40],
    }
    rows = np.array([list(boxes.values())], np.float32)
    scores = _average(cell_map, rows, 4).numpy()[0]
    expected = [oracles.average_over_box(cell_map[0], box, 4) for box in rows[0]]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert scores[0] == pytest.approx(cell_map.mean(), rel=1e-5)
    assert scores[1] == scores[2] == pytest.approx(cell_map[0, 1, 2], rel=1e-5)
    assert scores[3] == pytest.approx(cell_map[0, 1:3, 2:4].mean(), rel=1e-5)


def test_box_score_of_an_empty_or_inverted_box_is_0():
    boxes = np.array([[[4, 4, 4, 9], [4, 4, 9, 4], [9, 9, 4, 4]]], np.float32)
    scores = _average(_draw_map(1, 5, 6), boxes, 4)
    np.testing.assert_array_equal(scores, [[0, 0, 0]])


def test_box_score_keeps_its_digits_on_a_large_map():
    """A float32 integral image would be off by about 1 % here."""
    cell_map = _draw_map(1, 400, 400)
    box = np.array([[[1590, 1590, 1591, 1591]]], np.float32)
    score = _average(cell_map, box, 4).numpy()[0, 0]
    assert score == pytest.approx(cell_map[0, 397, 397], rel=1e-5)


def test_each_box_reads_the_map_of_its_own_level():
    maps = {2: _draw_map(2, 8, 12), 3: _draw_map(2, 4, 6) + 1, 5: _draw_map(2, 1, 2)}
    boxes = np.tile(np.array([[3, 5, 21, 30]], np.float32), [2, 5, 1])
    places = np.array([1, 0, 2, 2, 0])
    scores = average_over_boxes(maps, boxes, places).numpy()
    for b, n in np.ndindex(2, 5):
        level = list(maps)[places[n]]
        place = maps[level][b], boxes[b, n], 2**level
        assert scores[b, n] == pytest.approx(oracles.average_over_box(*place), abs=1e-5)


@pytest.mark.parametrize("stride", [4, 32])
def test_contrast_is_the_mean_inside_minus_the_mean_of_the_ring(stride):
    rng = np.random.default_rng(stride)
    cell_map = _draw_map(2, 7, 9)
    sizes = np.array([[7 * stride, 9 * stride], [5 * stride, 6 * stride - 1]], np.int32)
    corners = np.sort(rng.uniform(0, 1, [2, 40, 2, 2]), axis=2)
    boxes = (corners.reshape(2, 40, 4) * np.tile(sizes, 2)[:, None]).astype(np.float32)
    scores = _contrast(cell_map, boxes, stride, sizes).numpy()
    for b, n in np.ndindex(2, 40):
        expected = oracles.contrast_over_box(cell_map[b], boxes[b, n], stride, sizes[b])
        assert scores[b, n] == pytest.approx(expected, abs=1e-5)


def test_contrast_of_special_boxes():
    """A bright object in the last four rows of a 20 x 24 image, padding below it."""
    cell_map = np.zeros([1, 8, 6], np.float32)
    cell_map[0, 1:5] = 1.0
    cell_map[0, 5:] = 7.0
    boxes = {
        "the object": [4, 0, 20, 24],
        "its inside": [10, 6, 14, 18],
        "twice as much": [0, 8, 20, 16],
        "the whole image": [0, 0, 20, 24],
        "empty": [8, 8, 8, 12],
        "a corner": [16, 20, 20, 24],
    }
    rows = np.array([list(boxes.values())], np.float32)
    scores = _contrast(cell_map, rows, 4, np.array([[20, 24]])).numpy()[0]
    expected = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    # The ring of the third box is as bright as the box itself.
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_cells_that_begin_inside_the_image_are_averaged():
    cams = {2: _draw_map(3, 4, 5, 2), 3: 1 + _draw_map(3, 2, 3, 2)}
    sizes = np.array([[16, 20], [9, 4], [1, 1]], np.int32)
    cells = number_cells_of(cams)
    inside = mask_cells(cells, sizes)
    assert inside.numpy().sum(axis=1).tolist() == [20 + 6, 3 + 2, 1 + 1]
    averages = average_cam(join_levels(cams), cells, inside)
    for (b, size), (i, level) in itertools.product(enumerate(sizes), enumerate(cams)):
        own = oracles.cut_padding(cams[level][b], 2**level, size)
        np.testing.assert_allclose(averages[b, i], own.mean(axis=(0, 1)), rtol=1e-5)


def test_reduced_cam_is_the_largest_channel_of_softmax_or_sigmoid():
    logits = 4 * _draw_map(1, 2, 3, 5) - 2
    softmax = [
        [oracles.softmax(logits[0, i, j]).max() for j in range(3)] for i in (0, 1)
    ]
    np.testing.assert_allclose(reduce_cam(logits)[0], softmax, rtol=1e-5)
    sigmoid = 1 / (1 + np.exp(-logits[0].max(axis=-1)))
    reduced = reduce_cam(logits, "sigmoid_max")[0]
    np.testing.assert_allclose(reduced, sigmoid, rtol=1e-5)


def test_a_single_channel_is_reduced_to_its_sigmoid():
    logits = _draw_map(1, 2, 3, 1)
    sigmoid = 1 / (1 + np.exp(-logits[0, ..., 0]))
    for objectness in ("softmax_max", "contrast"):
        np.testing.assert_allclose(
            reduce_cam(logits, objectness)[0], sigmoid, rtol=1e-5
        )


def _draw_targets(boxes, classes, sigma=0.8, shape=(10, 10), level=2):
    """[H, W, 3] of 1 (positive), -1 (ignored) and 0 (negative) of one image.

    The levels above and below, of other shapes, change nothing.
    """
    others = {level - 1: (3, 17), level + 1: (5, 4)}
    positive, covered = draw_cam_targets(
        np.array([boxes], np.float32), np.array([classes], np.int32), 3,
        number_cells(others | {level: shape}), sigma,
    )  # fmt: skip
    assert not (positive & ~covered).numpy().any()
    states = 2 * positive[0].numpy().astype(int) - covered[0].numpy().astype(int)
    own = states[3 * 17 : 3 * 17 + shape[0] * shape[1]]
    return own.reshape(*shape, 3)


def test_sigma_is_the_linear_share_of_the_box_that_is_positive():
    target = _draw_targets([[0, 0, 40, 40]], [1])[..., 1]
    # Cell centres at 2, 6, ... 38; the positive part is 4 to 36.
    expected = np.full([10, 10], -1)
    expected[1:9, 1:9] = 1
    np.testing.assert_array_equal(target, expected)
    smaller = _draw_targets([[0, 0, 40, 40]], [1], sigma=0.6)[..., 1]
    expected[:] = -1
    expected[2:8, 2:8] = 1  # 8 to 32
    np.testing.assert_array_equal(smaller, expected)


def test_each_class_has_its_own_channel_where_boxes_overlap():
    boxes = [[0, 0, 24, 24], [8, 8, 40, 40]]
    together = _draw_targets(boxes, [0, 2])
    for k, box in ((0, boxes[0]), (2, boxes[1])):
        alone = _draw_targets([box], [k])
        np.testing.assert_array_equal(together[..., k], alone[..., k])
    assert not together[..., 1].any()
    assert together[3, 3].tolist() == [1, 0, 1]


def test_positive_beats_ignored_beats_negative_within_a_class():
    large, small = [0, 0, 32, 32], [28, 28, 40, 40]
    of_large = _draw_targets([large], [1])[..., 1]
    of_small = _draw_targets([small], [1])[..., 1]
    both = _draw_targets([large, small], [1, 1])[..., 1]
    # The two share one cell: at the rim of the large box, in the core of the small.
    assert of_large[7, 7] == -1 and of_small[7, 7] == 1 and both[7, 7] == 1
    # Outside the small box the large one's rim stays ignored.
    assert of_large[0, 0] == -1 and of_small[0, 0] == 0 and both[0, 0] == -1


@pytest.mark.parametrize(
    "box, cell",
    [
        ([9, 9, 10, 10], (2, 2)),  # between cell centres
        ([8, 20.5, 9, 23], (2, 5)),
        ([39, 39, 40, 40], (9, 9)),
        ([4, 4, 12, 5], (2, 1)),  # long enough along one axis only
    ],
)
def test_a_box_without_a_cell_centre_marks_the_cell_of_its_own_centre(box, cell):
    target = _draw_targets([box], [0])[..., 0]
    assert target[cell] == 1 and (target == 1).sum() == 1


def test_a_box_whose_shrunken_part_alone_misses_all_centres_marks_its_centre_cell():
    # Holds the centres (6, 6) and (6, 10); nine tenths of it hold none.
    target = _draw_targets([[5.95, 5.95, 10.05, 10.05]], [0], sigma=0.9)[..., 0]
    assert target[2, 2] == 1 and (target == 1).sum() == 1
    assert (target == -1).sum() == 3


def test_padding_rows_mark_nothing():
    assert not _draw_targets([[0, 0, 40, 40]], [-1]).any()


@pytest.mark.parametrize("level", [2, 3, 4, 5])
def test_targets_equal_the_oracle_on_every_level(level):
    stride = 2**level
    rng = np.random.default_rng(stride)
    low = rng.uniform(0, 90, [6, 2])
    high = np.minimum(low + np.exp(rng.uniform(0, 4.5, [6, 2])), 95)
    boxes = np.concatenate([low, high], axis=1).astype(np.float32)
    classes = rng.integers(0, 3, 6)
    shape = (96 // stride, 96 // stride)
    target = _draw_targets(boxes, classes, shape=shape, level=level)
    expected = oracles.draw_cam_target(
        boxes.astype(np.float64), classes, 3, shape, stride
    )
    np.testing.assert_array_equal(target, expected)


def test_only_absent_classes_of_a_weak_image_are_negative():
    labels = np.array([[1, 0, -1]], np.int32)
    negative = label_weak_cells(labels)
    np.testing.assert_array_equal(negative, [[False, True, False]])
    assert not label_weak_cells(labels, "none").numpy().any()
