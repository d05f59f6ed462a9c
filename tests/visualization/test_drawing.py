"""Boxes drawn on images of all sizes."""

import numpy as np
import pytest

from ehsod_tf.structures import ANY_CLASS
from ehsod_tf.visualization.drawing import choose_color, draw_boxes

NAMES = [f"class{k}" for k in range(25)]


def _make_gray(height, width):
    return np.full([height, width, 3], 128, np.uint8)


@pytest.mark.parametrize("height, width", [(100, 100), (240, 320), (800, 1300)])
def test_border_has_the_class_color_and_inside_stays(height, width):
    image = _make_gray(height, width)
    top, left, bottom, right = height // 2, width // 4, height - 10, width // 2
    drawn = draw_boxes(image, np.array([[top, left, bottom, right]]), [3], NAMES)
    color = choose_color(3)
    # Continuous coordinates: the last row of pixels is bottom - 1.
    for row in (top, bottom - 1):
        assert (drawn[row, left:right] == color).all()
    for column in (left, right - 1):
        assert (drawn[top:bottom, column] == color).all()
    middle = (slice((top + bottom) // 2 - 5, (top + bottom) // 2 + 5), width * 3 // 8)
    assert (drawn[middle] == 128).all()


@pytest.mark.parametrize("height, width", [(100, 100), (800, 1300)])
def test_only_the_surroundings_of_the_box_change(height, width):
    image = _make_gray(height, width)
    drawn = draw_boxes(image, [[60, 20, 80, 50]], [0], NAMES, [0.5])
    assert (image == 128).all()
    changed = np.argwhere((drawn != image).any(axis=-1))
    # The label, of at most 28 pixel letters, stands above and to the right.
    assert changed.min(axis=0)[0] >= 60 - 45 and changed.max(axis=0)[0] <= 80
    assert changed.min(axis=0)[1] >= 15 and changed.max(axis=0)[1] <= 20 + 200


def test_label_tells_class_and_score():
    image = _make_gray(200, 200)
    variants = [
        draw_boxes(image, [[80, 50, 150, 180]], [0], ["cat"]),
        draw_boxes(image, [[80, 50, 150, 180]], [0], ["dog"]),
        draw_boxes(image, [[80, 50, 150, 180]], [0], ["cat"], [0.25]),
        draw_boxes(image, [[80, 50, 150, 180]], [0], ["cat"], [0.75]),
    ]
    for i, first in enumerate(variants):
        for second in variants[:i]:
            assert (first != second).any()


def test_better_score_is_on_top():
    boxes, scores = [[50, 50, 150, 150]] * 2, [0.9, 0.1]
    drawn = draw_boxes(_make_gray(200, 200), boxes, [1, 2], NAMES, scores)
    assert tuple(drawn[149, 100]) == choose_color(1)


@pytest.mark.parametrize(
    "box",
    [[0, 0, 100, 100], [-20, -20, 130, 140], [99, 99, 100, 100], [40.2, 9.9, 40.3, 10]],
)
def test_boxes_at_and_beyond_the_edge(box):
    drawn = draw_boxes(_make_gray(100, 100), [box], [0], ["a rather long name"])
    assert drawn.shape == (100, 100, 3) and drawn.dtype == np.uint8
    assert (drawn != 128).any()


def test_no_boxes_leave_the_image():
    drawn = draw_boxes(_make_gray(50, 60), np.zeros([0, 4]), [], NAMES, [])
    np.testing.assert_array_equal(drawn, _make_gray(50, 60))


def test_first_21_classes_have_colors_of_their_own():
    colors = [choose_color(k) for k in range(25)]
    assert len(set(colors[:21])) == 21
    assert colors[21:] == colors[:4]


@pytest.mark.parametrize("ignored", [True, False])
def test_ignored_box_is_dashed(ignored):
    image = _make_gray(200, 200)
    boxes = [[80, 50, 150, 180]]
    drawn = draw_boxes(image, boxes, [3], NAMES, ignored=[ignored])
    painted = (drawn == choose_color(3)).all(axis=-1)
    sides = [painted[149, 50:180], painted[80:150, 50], painted[80:150, 179]]
    for side in sides:
        assert 0.3 < side.mean() < 0.7 if ignored else side.all()
    outside = painted.copy()
    outside[60:150, 50:180] = False
    assert not outside.any()


def test_an_ignored_region_is_hatched_and_may_hold_any_class():
    image = np.zeros([200, 200, 3], np.uint8)
    box = [[80, 50, 150, 180]]
    drawn = draw_boxes(image, box, [ANY_CLASS], NAMES, ignored=[True])
    inside = (drawn[90:140, 60:170] == 255).all(axis=-1)
    assert 0.02 < inside.mean() < 0.2
    # What is under the hatching is grey, what is beside the region is not.
    assert (drawn[90:140, 60:170] == 51).all(axis=-1).mean() > 0.5
    assert not drawn[151:].any() and not drawn[:, 181:].any()
    assert not draw_boxes(image, box, [0], NAMES)[90:140, 60:170].any()


def test_same_labels_do_not_lie_on_each_other():
    boxes = [[80, 50, 150, 180], [84, 54, 150, 180]]
    same = draw_boxes(_make_gray(200, 200), boxes, [0, 0], ["cat"])
    alone = draw_boxes(_make_gray(200, 200), boxes[:1], [0], ["cat"])
    label = (slice(60, 80), slice(50, 90))
    np.testing.assert_array_equal(same[label], alone[label])
    other = draw_boxes(_make_gray(200, 200), boxes, [0, 1], ["cat", "dog"])
    assert (other[label] != alone[label]).any()
