"""Which boxes a teacher gives to which images, and whose weights it has."""

import dataclasses

import hand_made
import numpy as np
import pytest
import small_detector
import tensorflow as tf
from supervision import mark_boxed

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import HybridCriterion, Teacher
from ehsod_tf.structures import (
    ABSENT,
    BOXED_ABSENT,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    Detections,
    Targets,
    combine_states,
)
from ehsod_tf.training import CoupledSGD, ema_weights

NUM_CLASSES = 3


def promote_slowly(teacher, detections, labels):
    """Kept (class, box) of one weak image, or None if it is not promoted."""
    kept, seen = [], set()
    for box, score, index in detections:
        is_best = index not in seen
        seen.add(index)
        if labels[index] == ABSENT:
            continue
        if score >= teacher.other_score or (
            is_best and labels[index] == PRESENT and score >= teacher.best_score
        ):
            kept.append((index, box))
    if any(
        label == PRESENT and index not in {c for c, _ in kept}
        for index, label in enumerate(labels)
    ):
        return None
    if teacher.needs_labels and UNKNOWN in labels:
        return None
    if not teacher.needs_labels and not kept:
        return None
    return kept if len(kept) <= teacher.max_boxes else None


def draw_detections(rng, num_images, num_rows=8):
    """Detections, best first, with 0 to `num_rows` of them an image."""
    counts = rng.integers(0, num_rows + 1, num_images)
    valid = np.arange(num_rows) < counts[:, None]
    scores = -np.sort(-rng.uniform(0.1, 1.0, valid.shape), axis=1)
    low = rng.uniform(0, 40, [*valid.shape, 2])
    boxes = np.concatenate([low, low + rng.uniform(4, 40, low.shape)], axis=-1)
    boxes = np.round(boxes * 8) / 8
    return Detections(
        boxes=tf.constant(np.where(valid[..., None], boxes, 0), tf.float32),
        scores=tf.constant(np.where(valid, scores, 0), tf.float32),
        classes=tf.constant(
            np.where(valid, rng.integers(0, NUM_CLASSES, valid.shape), -1), tf.int32
        ),
        num_detections=tf.constant(counts, tf.int32),
    )


def draw_targets(rng, num_images, labels=(ABSENT, PRESENT, UNKNOWN)):
    strong = rng.random(num_images) < 0.3
    boxes = rng.uniform(0, 50, [num_images, 2, 4]) * strong[:, None, None]
    return Targets(
        boxes=tf.constant(boxes, tf.float32),
        classes=tf.constant(np.where(strong[:, None], [1, -1], -1), tf.int32),
        class_states=tf.constant(
            combine_states(
                rng.choice(labels, [num_images, NUM_CLASSES], p=(0.5, 0.4, 0.1)), strong
            ),
            tf.int32,
        ),
    )


@pytest.mark.parametrize("needs_labels", [True, False])
@pytest.mark.parametrize("max_boxes", [30, 3])
def test_the_rule_is_that_of_its_words(needs_labels, max_boxes):
    teacher = Teacher(
        best_score=0.3, other_score=0.7, needs_labels=needs_labels, max_boxes=max_boxes
    )
    rng = np.random.default_rng(1)
    targets, detections = draw_targets(rng, 300), draw_detections(rng, 300)
    promoted = teacher.promote(detections, targets)
    num_promoted = 0
    for image in range(300):
        row = [part[image].numpy() for part in detections]
        count = row[3]
        wanted = promote_slowly(
            teacher,
            list(zip(*(part[:count] for part in row[:3]), strict=True)),
            targets.image_labels[image].numpy().tolist(),
        )
        classes = promoted.classes[image].numpy()
        if targets.has_boxes[image]:
            np.testing.assert_array_equal(classes[:2], targets.classes[image])
            boxes = promoted.boxes[image].numpy()
            np.testing.assert_array_equal(boxes[:2], targets.boxes[image])
            assert (boxes[2:] == 0).all() and (classes[2:] == -1).all()
            continue
        assert promoted.has_boxes[image] == (wanted is not None)
        wanted = wanted or []
        assert classes.tolist() == [index for index, _ in wanted] + [-1] * (
            len(classes) - len(wanted)
        )
        for box, (_, expected) in zip(promoted.boxes[image], wanted, strict=False):
            np.testing.assert_array_equal(box, expected)
        num_promoted += bool(promoted.has_boxes[image])
    assert 30 < num_promoted < 200


def test_boxes_that_differ_by_rounding_become_the_same():
    rng = np.random.default_rng(4)
    targets, detections = draw_targets(rng, 40), draw_detections(rng, 40)
    noise = tf.constant(rng.uniform(-0.05, 0.05, detections.boxes.shape), tf.float32)
    moved = detections._replace(boxes=detections.boxes + noise)
    np.testing.assert_array_equal(
        Teacher().promote(moved, targets).boxes,
        Teacher().promote(detections, targets).boxes,
    )


def test_an_image_that_shows_nothing_becomes_background():
    targets = draw_targets(np.random.default_rng(0), 1)._replace(
        class_states=tf.fill([1, NUM_CLASSES], ABSENT),
    )
    detections = draw_detections(np.random.default_rng(2), 1)
    promoted = Teacher().promote(detections, targets)
    assert promoted.has_boxes.numpy() == [True]
    assert (promoted.classes.numpy() == -1).all()


def test_in_part_an_image_is_promoted_for_what_was_found():
    rng = np.random.default_rng(5)
    targets, detections = draw_targets(rng, 60), draw_detections(rng, 60)
    complete = Teacher().promote(detections, targets)
    partly = Teacher(in_part=True).promote(detections, targets)
    assert complete.is_partial is None
    was_complete = (complete.has_boxes & ~targets.has_boxes).numpy()
    promoted = (partly.has_boxes & ~targets.has_boxes).numpy()
    assert promoted[was_complete].all()
    assert promoted[~was_complete].sum() > 3
    np.testing.assert_array_equal(
        partly.boxes[was_complete], complete.boxes[was_complete]
    )
    np.testing.assert_array_equal(partly.image_labels, targets.image_labels)
    states = partly.class_states.numpy()
    np.testing.assert_array_equal(states[~promoted], targets.class_states[~promoted])
    for image in np.flatnonzero(promoted):
        found = set(partly.classes[image].numpy()) - {-1}
        labels = targets.image_labels[image].numpy()
        assert states[image].tolist() == [
            BOXED_ABSENT
            if label == ABSENT
            else (PARTLY_BOXED if index in found else PRESENT)
            for index, label in enumerate(labels)
        ]
        assert bool(partly.is_partial[image]) == (PRESENT in labels)
    assert not partly.is_partial.numpy()[~promoted].any()


def test_images_that_people_boxed_in_part_stay_so():
    targets = draw_targets(np.random.default_rng(0), 4)
    targets = targets._replace(is_partial=tf.constant([True, False, True, False]))
    teacher = Teacher(in_part=True)
    assert teacher.prepare(targets) is targets
    nothing = draw_detections(np.random.default_rng(0), 4, num_rows=1)
    nothing = nothing._replace(classes=tf.fill([4, 1], -1))
    wanted = targets.is_partial.numpy()
    assert (teacher.promote(nothing, targets).is_partial.numpy() >= wanted).all()


def test_batch_mates_change_padding_alone():
    rng = np.random.default_rng(3)
    targets, detections = draw_targets(rng, 40), draw_detections(rng, 40)
    together = Teacher().promote(detections, targets)
    for image in range(40):
        rows = slice(image, image + 1)
        alone = Teacher().promote(
            Detections(*(part[rows] for part in detections)),
            Targets(*(part[rows] for part in targets[:3])),
        )
        width = alone.classes.shape[1]
        np.testing.assert_array_equal(alone.has_boxes, together.has_boxes[rows])
        np.testing.assert_array_equal(alone.classes, together.classes[rows, :width])
        np.testing.assert_array_equal(alone.boxes, together.boxes[rows, :width])
        assert (together.classes[rows, width:].numpy() == -1).all()


def test_weights_of_strong_promoted_and_weak_images():
    targets = mark_boxed(hand_made.make_targets([0, 2, 4]), [True, True, False])
    teacher = Teacher(classification_weight=0.5, regression_weight=0.25)
    promoted = tf.constant([False, True, False])
    weights = teacher.weigh(HybridCriterion().weigh(targets), promoted)
    assert weights.classification.numpy().tolist() == [1.0, 0.5, 0.0]
    assert weights.regression.numpy().tolist() == [1.0, 0.25, 0.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"burn_in_steps": 0},
            "burn_in_steps must be a whole number, at least 1, got 0",
        ),
        ({"best_score": 1.5}, "best_score must be a number from 0 to 1, got 1.5"),
        (
            {"classification_weight": -1.0},
            "classification_weight must be a number from 0 to 1",
        ),
        (
            {"in_part": True, "needs_labels": False},
            "in_part = True needs needs_labels = True",
        ),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        Teacher(**settings)


# Of the images 0 to 4, 4 is weak with known labels: classes 1 and 2 are present.
BURN_IN = 2
EAGER_TO_PROMOTE = Teacher(burn_in_steps=BURN_IN, best_score=0.0, other_score=0.9)


def _train(teacher, steps):
    model = small_detector.build_small_detector(num_stages=1)
    model.teacher = teacher
    model.compile(
        optimizer=CoupledSGD(0.003, use_ema=True, ema_momentum=0.999),
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    batch = small_detector.make_batch(range(5))
    take_step = tf.function(model.train_step)
    logs = [
        {name: float(value) for name, value in take_step(batch).items()}
        for _ in range(steps)
    ]
    return model, logs


@pytest.fixture(scope="module")
def taught():
    """A model after its burn-in, and the figures of its steps."""
    return _train(EAGER_TO_PROMOTE, BURN_IN + 1)


@pytest.fixture
def model(taught):
    return taught[0]


def test_the_teacher_is_the_average_of_the_weights(model):
    batch = small_detector.make_batch(range(5))
    with ema_weights(model):
        averages = model.promote(batch.images, batch.image_sizes, batch.targets)
    present = model.promote(batch.images, batch.image_sizes, batch.targets)
    taught, weights, counters = model._teach(batch)
    np.testing.assert_array_equal(taught.targets.classes, averages.classes)
    np.testing.assert_allclose(taught.targets.boxes, averages.boxes, atol=1e-3)
    assert np.abs(present.boxes - averages.boxes).max() > 0.02
    assert float(counters["teacher_images"]) == 1
    assert weights.classification.numpy().tolist() == [1.0, 1.0, 0.0, 1.0, 0.5]
    # Strong images and those with an unknown label are as they were.
    np.testing.assert_array_equal(taught.targets.boxes[:4, :4], batch.targets.boxes[:4])


def test_a_batch_is_the_sum_of_its_shares(model):
    """What replicas compute: term by term, with promoted images and their weights."""

    def compute(images):
        batch, weights, _ = model._teach(small_detector.make_batch(images))
        terms, _ = model.compute_terms(batch, model.optimizer.iterations, weights)
        return {name: np.array([t.total, t.count]) for name, t in terms.items()}

    whole, first, second = map(compute, ([0, 4, 2, 3], [0, 4], [2, 3]))
    for name, values in whole.items():
        np.testing.assert_allclose(first[name] + second[name], values, rtol=1e-4)
    # A half for image 4.
    assert whole["stage1_proposals"][1] == 2.5


def test_boxes_in_part_reach_the_losses():
    """From the first step on, whose graph must have room for them."""
    teacher = dataclasses.replace(EAGER_TO_PROMOTE, in_part=True)
    _, complete = _train(EAGER_TO_PROMOTE, BURN_IN + 1)
    _, partly = _train(teacher, BURN_IN + 1)
    for row, other, is_same in zip(partly, complete, [True, True, False], strict=True):
        same = [
            row[n] == pytest.approx(other[n], 1e-5) for n in ("stage1_cls", "rpn_cls")
        ]
        assert all(same) == is_same


def test_until_the_burn_in_is_over_the_method_is_the_papers(taught):
    _, logs = taught
    _, wanted = _train(None, BURN_IN + 1)
    for row, expected in zip(logs, wanted, strict=True):
        same = {name: row[name] for name in expected} == pytest.approx(expected, 1e-5)
        assert same == (row["teacher_images"] == 0)
    assert [row["teacher_images"] for row in logs] == [0, 0, 1]
    assert logs[-1]["teacher_boxes"] >= 2
    assert "teacher_images" not in wanted[0]


def test_each_image_gets_its_own_boxes(model):
    """However weak and strong images lie in the batch."""
    for order in ([4, 0, 1], [0, 4, 4], [2, 4, 0]):
        batch = small_detector.make_batch(order)
        taught, _, _ = model._teach(batch)
        with ema_weights(model):
            wanted = model.promote(batch.images, batch.image_sizes, batch.targets)
        np.testing.assert_array_equal(taught.targets.has_boxes, wanted.has_boxes)
        np.testing.assert_array_equal(taught.targets.classes, wanted.classes)
        np.testing.assert_allclose(taught.targets.boxes, wanted.boxes, atol=1e-3)
