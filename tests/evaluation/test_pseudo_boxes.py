"""Precision and recall of a teacher's boxes."""

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.evaluation import measure_pseudo_boxes
from ehsod_tf.evaluation.pseudo_boxes import count_hits
from ehsod_tf.structures import Batch, Targets, combine_states

LARGE, SHIFTED, FAR = [0, 0, 40, 40], [0, 8, 40, 48], [50, 50, 60, 90]


@pytest.mark.parametrize(
    ("boxes", "classes", "hits"),
    [
        ([], [], 0),
        ([LARGE], [0], 1),
        ([SHIFTED], [0], 1),  # IoU 2/3
        ([LARGE], [1], 0),  # another class
        ([LARGE, SHIFTED], [0, 0], 1),  # one object
        ([FAR, LARGE], [1, 0], 2),
        ([[0, 0, 40, 79]], [0], 1),  # IoU just above a half
        ([[0, 0, 40, 81]], [0], 0),  # and just below
    ],
)
def test_a_box_is_right_if_it_has_an_object_of_its_own(boxes, classes, hits):
    truth = np.array([LARGE, FAR], float), np.array([0, 1])
    boxes = np.array(boxes, float).reshape(-1, 4)
    assert count_hits(boxes, np.array(classes, int), *truth) == hits


def make_targets(rows, has_boxes):
    width = 3
    boxes = np.zeros([len(rows), width, 4], np.float32)
    classes = np.full([len(rows), width], -1, np.int32)
    for image, row in enumerate(rows):
        for place, (box, index) in enumerate(row):
            boxes[image, place], classes[image, place] = box, index
    return Targets(
        tf.constant(boxes),
        tf.constant(classes),
        tf.constant(combine_states(np.zeros([len(rows), 2]), has_boxes), tf.int32),
    )


def test_figures_are_of_the_images_that_got_boxes():
    truths = make_targets(
        [[(LARGE, 0), (FAR, 1)], [(LARGE, 0)], [], [(LARGE, 0)]], [True] * 4
    )
    found = make_targets(
        [[(LARGE, 0), (FAR, 0)], [], [], [(LARGE, 0)]], [True, False, True, True]
    )
    batch = Batch(
        images=tf.zeros([4, 8, 8, 3]),
        image_sizes=tf.fill([4, 2], 8),
        scales=tf.ones([4, 2]),
        image_ids=tf.constant([5, 6, 7, -1], tf.int64),
        targets=truths,
    )

    def promote(shown):
        assert not shown.targets.has_boxes.numpy().any()
        assert (shown.targets.classes.numpy() == -1).all()
        assert not shown.targets.boxes.numpy().any()
        return found

    figures = measure_pseudo_boxes(promote, [batch])
    # The last image is a filler, the second got no boxes, the third shows nothing.
    assert figures == {
        "pseudo_images": 2 / 3,
        "pseudo_precision": 1 / 2,
        "pseudo_recall": 1 / 2,
    }
    nothing = make_targets([[]] * 4, [False] * 4)
    assert measure_pseudo_boxes(lambda _: nothing, [batch]) == {
        "pseudo_images": 0.0,
        "pseudo_precision": None,
        "pseudo_recall": None,
    }
