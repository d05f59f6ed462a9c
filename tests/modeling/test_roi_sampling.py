"""The regions that a cascade stage is trained on."""

import hand_made
import numpy as np
import oracles
import pytest
import tensorflow as tf
from hand_made import BOXES, CLASSES, HAS_BOXES, NUM_CLASSES

from ehsod_tf.modeling.roi_sampling import draw_priorities, sample_rois

NUM_ROIS = 16
STRONG = np.flatnonzero(HAS_BOXES)
WEAK = np.flatnonzero(~HAS_BOXES)


def _make_candidates(num_boxes=60):
    """Ten shifted copies of each ground-truth box, and boxes anywhere."""
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 96, [5, num_boxes, 2, 2]), axis=2)
    boxes = corners.reshape(5, num_boxes, 4)
    for b, truths in enumerate(BOXES):
        near = np.repeat(np.reshape(truths, [-1, 4]), 10, axis=0)
        boxes[b, : len(near)] = near + rng.uniform(-2, 2, near.shape)
    valid = rng.uniform(size=[5, num_boxes]) < 0.9
    return boxes.astype(np.float32), valid


def _sample(boxes, valid, targets=None, seeds=range(5), positive_iou=0.5):
    targets = targets or hand_made.make_targets()
    seeds = tf.constant(list(seeds), tf.int64)
    (priorities,) = draw_priorities(seeds, 1, len(boxes[0]), targets.boxes.shape[1])
    return sample_rois(
        tf.constant(boxes), tf.constant(valid), targets, priorities,
        num_classes=NUM_CLASSES,
        num_rois=NUM_ROIS, positive_iou=positive_iou, positive_fraction=0.25,
    )  # fmt: skip


@pytest.mark.parametrize("positive_iou", [0.5, 0.6, 0.7])
def test_classes_and_matched_boxes_follow_the_overlap_at_the_stages_iou(positive_iou):
    rois = _sample(*_make_candidates(), positive_iou=positive_iou)
    seen = set()
    for b in STRONG:
        for i in np.flatnonzero(rois.valid[b]):
            box = rois.boxes[b, i].numpy().astype(np.float64)
            ious = [oracles.compute_iou(box, truth) for truth in BOXES[b]]
            if max(ious, default=0.0) < positive_iou:
                assert rois.classes[b, i] == NUM_CLASSES
                continue
            best = int(np.argmax(ious))
            assert rois.classes[b, i] == CLASSES[b][best]
            np.testing.assert_array_equal(
                rois.matched_boxes[b, i], np.float32(BOXES[b][best])
            )
            seen.add(int(rois.classes[b, i]))
    assert seen


def test_strong_images_get_exactly_num_rois_with_a_quarter_positive_at_most():
    rois = _sample(*_make_candidates())
    classes = rois.classes.numpy()
    is_positive = (classes >= 0) & (classes < NUM_CLASSES)
    assert rois.valid.numpy()[STRONG].all()
    assert is_positive.sum(axis=1).tolist() == [4, 0, 0, 4, 0]
    assert (classes[STRONG] >= 0).all()


def test_ground_truth_joins_the_candidates_and_is_marked():
    boxes, valid = _make_candidates()
    far_away = np.tile(np.float32([90, 90, 95, 95]), [5, 60, 1])
    rois = _sample(far_away, valid)
    for b in STRONG:
        marked = rois.is_ground_truth[b].numpy() & rois.valid[b].numpy()
        expected = np.float32(BOXES[b]).reshape(-1, 4)
        np.testing.assert_array_equal(rois.boxes[b][marked], expected)
        assert rois.classes[b].numpy()[marked].tolist() == CLASSES[b]
        others = rois.valid[b].numpy() & ~marked
        assert (rois.classes[b].numpy()[others] == NUM_CLASSES).all()


def test_weak_images_get_the_first_valid_candidates_in_order():
    boxes, valid = _make_candidates()
    rois = _sample(boxes, valid)
    for b in WEAK:
        assert rois.valid[b].numpy().all()
        expected = boxes[b][valid[b]][:NUM_ROIS]
        np.testing.assert_array_equal(rois.boxes[b], expected)
        assert (rois.classes[b].numpy() == -1).all()
        assert not rois.is_ground_truth[b].numpy().any()


def test_boxes_left_in_the_rows_of_a_weak_image_are_never_looked_at():
    boxes, valid = _make_candidates()
    # So few that ground truth would find a place, if it were a candidate.
    valid[:, 10:] = False
    rois = _sample(boxes, valid)
    leaky = _sample(boxes, valid, hand_made.leak_boxes(hand_made.make_targets()))
    for field in ("boxes", "valid", "classes"):
        np.testing.assert_array_equal(getattr(rois, field), getattr(leaky, field))


def test_missing_candidates_leave_padding_without_class():
    boxes, valid = _make_candidates()
    valid[:] = False
    valid[:, [3, 5]] = True
    rois = _sample(boxes, valid)
    num_truths = np.array([len(b) for b in BOXES])
    # A quarter of 16 allows 4 positives, which are the ground truth and near copies.
    assert rois.valid.numpy().sum(axis=1).tolist()[1:3] == [2, 2]
    assert (rois.valid.numpy().sum(axis=1) <= 2 + num_truths).all()
    assert (rois.classes.numpy()[~rois.valid.numpy()] == -1).all()


@pytest.mark.parametrize("max_boxes", [3, 25])
def test_padding_rows_of_ground_truth_change_nothing(max_boxes):
    boxes, valid = _make_candidates()
    rois = _sample(boxes, valid)
    other = _sample(boxes, valid, hand_made.make_targets(max_boxes=max_boxes))
    tf.nest.map_structure(np.testing.assert_array_equal, rois, other)


def test_a_batch_of_nothing_but_padding_rows_is_all_background():
    boxes, valid = _make_candidates()
    targets = hand_made.make_targets()._replace(
        boxes=tf.zeros([5, 1, 4]), classes=tf.fill([5, 1], -1)
    )
    rois = _sample(boxes, valid, targets)
    assert (rois.classes.numpy()[STRONG] == NUM_CLASSES).all()
    assert not rois.is_ground_truth.numpy().any()


def test_an_images_regions_depend_on_its_own_seed_only():
    boxes, valid = _make_candidates()
    rois = _sample(boxes, valid)
    order = [3, 0, 4]
    subset = _sample(boxes[order], valid[order], hand_made.make_targets(order), order)
    for field, other in zip(rois, subset, strict=True):
        np.testing.assert_array_equal(field.numpy()[order], other)
    reseeded = _sample(boxes, valid, seeds=range(5, 10))
    assert (rois.boxes.numpy() != reseeded.boxes.numpy())[STRONG].any()
    np.testing.assert_array_equal(
        rois.boxes.numpy()[WEAK], reseeded.boxes.numpy()[WEAK]
    )
