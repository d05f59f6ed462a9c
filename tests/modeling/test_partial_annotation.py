"""Partly boxed images and ignored regions: what the losses may learn from them."""

import math

import hand_made
import numpy as np
import oracles
import pytest
import tensorflow as tf
from hand_made import BOXES, CLASSES, IMAGE_SIZES, NUM_CLASSES

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import HybridCriterion
from ehsod_tf.modeling.boxes.cells import number_cells
from ehsod_tf.modeling.boxes.matching import leave_out_ignored
from ehsod_tf.modeling.cam import cover_ignored_cells
from ehsod_tf.modeling.cascade import STAGE_STDS
from ehsod_tf.modeling.losses import discount_unboxed
from ehsod_tf.modeling.roi_sampling import draw_priorities, sample_rois
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED,
    BOXED_ABSENT,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    LossTerm,
    Targets,
)

# Of the five images, 2 and 4 are weak; of the boxed classes of 1, none is there.
STATES = [
    [PARTLY_BOXED, BOXED, UNKNOWN],
    [BOXED_ABSENT, UNKNOWN, ABSENT],
    [PRESENT, ABSENT, UNKNOWN],
    [PRESENT, PARTLY_BOXED, PARTLY_BOXED],
    [ABSENT, PRESENT, PRESENT],
]
LABELS = np.array([[1, 1, -1], [0, -1, 0], [1, 0, -1], [1, 1, 1], [0, 1, 1]])
BOXED_IMAGES = [0, 1, 3]


def share_classes(image, share):
    table = {PARTLY_BOXED: share, PRESENT: 0.0, UNKNOWN: 0.0}
    return [table.get(state, 1.0) for state in STATES[image]]


def share_beside(image, share):
    """Where a box overlaps the place."""
    return [float(r > 0) for r in share_classes(image, share)]


def share_image(states, share, is_explained):
    if not {PARTLY_BOXED, BOXED} & set(states):
        return 0.0
    may_be_unboxed = {PRESENT, UNKNOWN} | ({PARTLY_BOXED} if share == 0 else set())
    return 1.0 if is_explained and not may_be_unboxed & set(states) else share


def make_targets(states=STATES, is_partial=(True, True, False, True, False)):
    return hand_made.make_targets()._replace(
        class_states=tf.constant(states), is_partial=tf.constant(is_partial)
    )


@pytest.fixture(scope="module")
def cam_rpn():
    return hand_made.make_cam_rpn()


@pytest.fixture(scope="module")
def stages():
    return [
        hand_made.make_stage(stds, seed) for seed, stds in enumerate(STAGE_STDS[:2])
    ]


def compute(cam_rpn, stages, targets, **settings):
    anchors = hand_made.sample_anchors(cam_rpn, targets)
    terms, _ = HybridCriterion(**settings)(
        cam_rpn, anchors, stages, targets, IMAGE_SIZES
    )
    values = {n: (float(t.total), float(t.count)) for n, t in terms.items()}
    return values, anchors


SHARES = pytest.mark.parametrize("share", [0.0, 0.3, 0.7])


@SHARES
def test_a_region_without_a_box_is_background_or_an_object_without_one(
    cam_rpn, stages, share
):
    terms, _ = compute(cam_rpn, stages, make_targets(), boxed_share=share)
    for index, stage in enumerate(stages, start=1):
        total, count = 0.0, 0
        for b in BOXED_IMAGES:
            for row in np.flatnonzero(stage.rois.valid[b]):
                is_explained = bool(stage.rois.explained[b, row])
                find = share_beside if is_explained else share_classes
                shares = find(b, share)
                p = oracles.softmax(stage.head.class_logits[b, row])
                k = int(stage.rois.classes[b, row])
                if k < NUM_CLASSES:
                    total -= math.log(p[k])
                else:
                    unboxed = [(1 - shares[c]) * p[c] for c in range(NUM_CLASSES)]
                    total -= math.log(p[-1] + sum(unboxed))
                count += 1
        assert terms[f"stage{index}_cls"] == (pytest.approx(total, rel=1e-5), count)


@pytest.mark.parametrize("first", [STATES[0], [PARTLY_BOXED, BOXED, ABSENT]])
@SHARES
def test_an_anchor_without_a_box_is_background_or_an_object_without_one(
    cam_rpn, share, first
):
    states = [first, *STATES[1:]]
    terms, anchors = compute(cam_rpn, [], make_targets(states), boxed_share=share)
    assert (anchors.explained.numpy()[0] & anchors.negatives.numpy()[0]).any()
    logits = cam_rpn.objectness_logits.numpy()
    total, count = 0.0, 0
    for b in BOXED_IMAGES:
        for i in np.flatnonzero(anchors.positives[b]):
            total -= math.log(oracles.sigmoid(logits[b, i]))
        for i in np.flatnonzero(anchors.negatives[b]):
            r = share_image(states[b], share, bool(anchors.explained[b, i]))
            total -= math.log(1 - r * oracles.sigmoid(logits[b, i]))
        count += int(tf.reduce_sum(tf.cast(anchors.positives[b], tf.int32)))
        count += int(tf.reduce_sum(tf.cast(anchors.negatives[b], tf.int32)))
    assert terms["rpn_cls"] == (pytest.approx(total, rel=1e-4), count)


def segment_cam(cam_rpn, b, share, sigma=0.8):
    loss, count, num_cells = [0.0, 0.0], [0, 0], 0
    for level, cams in cam_rpn.cam_logits.items():
        cam = cams[b].numpy()
        target = oracles.draw_cam_target(
            BOXES[b], CLASSES[b], NUM_CLASSES, cam.shape[:2], 2**level, sigma
        )
        target = oracles.cut_padding(target, 2**level, IMAGE_SIZES[b])
        num_cells += target.shape[0] * target.shape[1]
        for *cell, k in np.ndindex(*target.shape):
            kind, q = target[*cell, k], oracles.sigmoid(cam[*cell, k])
            if kind == 1:
                loss[1] += oracles.focal_loss(cam[*cell, k], 1)
                count[1] += 1
            elif kind == 0:
                is_in_box = (target[*cell] != 0).any()
                find = share_beside if is_in_box else share_classes
                boxed = find(b, share)[k] * q
                loss[0] -= 0.25 * boxed**2 * math.log(1 - boxed)
    return loss[1] / max(1, count[1]) + loss[0] / (0.25 * num_cells)


@SHARES
def test_cells_without_a_box_count_by_the_share_of_their_class(cam_rpn, share):
    terms, _ = compute(cam_rpn, [], make_targets(), boxed_share=share)
    expected = sum(segment_cam(cam_rpn, b, share) for b in BOXED_IMAGES)
    for b in (2, 4):
        cams = {level: cam[b].numpy() for level, cam in cam_rpn.cam_logits.items()}
        expected += oracles.cam_seg(cams, IMAGE_SIZES[b], None, None, LABELS[b])
    assert terms["cam_seg"] == (pytest.approx(expected, rel=1e-4), 5)


@SHARES
def test_proposals_without_a_box_compete_by_the_share_of_the_class(
    cam_rpn, stages, share
):
    terms, _ = compute(cam_rpn, stages, make_targets(), boxed_share=share)
    for index, stage in enumerate(stages, start=1):
        total = 0.0
        for b in BOXED_IMAGES:
            rows = np.flatnonzero(stage.rois.valid[b])
            classes = stage.rois.classes[b].numpy()[rows]
            explained = stage.rois.explained[b].numpy()[rows]
            for j in range(NUM_CLASSES):
                beside, elsewhere = (
                    share_beside(b, share)[j],
                    share_classes(b, share)[j],
                )
                of_class = np.where(explained, beside, elsewhere)
                logits = stage.head.confidence_logits[b].numpy()[rows, j]
                powers = np.exp(logits.astype(float))
                powers *= np.where(classes == NUM_CLASSES, of_class, 1.0)
                members = np.flatnonzero(classes == j)
                for i in members:
                    p = powers[i] / powers.sum()
                    total -= math.log(p) / len(members) / len(rows)
        assert terms[f"stage{index}_proposals"] == (pytest.approx(total, rel=1e-5), 3)


def score_image(stage, b):
    """The probabilities of the classes that MID gives an image: [K]."""
    valid = stage.rois.valid[b].numpy()
    if not valid.any():
        return np.zeros(NUM_CLASSES)
    logits = stage.head.class_logits, stage.head.confidence_logits
    return oracles.score_image(*(rows[b].numpy()[valid] for rows in logits))


def test_labels_of_partly_boxed_images_teach_the_image_level_terms(cam_rpn, stages):
    terms, _ = compute(cam_rpn, stages, make_targets())
    cams = [
        oracles.cam_cls(
            {level: cam[b].numpy() for level, cam in cam_rpn.cam_logits.items()},
            IMAGE_SIZES[b],
            LABELS[b],
        )
        for b in range(5)
    ]
    assert terms["cam_cls"] == (pytest.approx(sum(cams), rel=1e-5), 5)
    total = 0.0
    for b in range(5):
        total += oracles.binary_cross_entropy(score_image(stages[0], b), LABELS[b])
    assert terms["stage1_mid"] == (pytest.approx(total, rel=1e-5), 5)


def test_mid_weighs_the_labels_of_boxed_classes(cam_rpn, stages):
    terms, _ = compute(cam_rpn, stages, make_targets(), boxed_mid=0.25)
    for index, stage in enumerate(stages, start=1):
        total = 0.0
        for b, states in enumerate(STATES):
            g = score_image(stage, b)
            for k, state in enumerate(states):
                loss = oracles.binary_cross_entropy(g[k : k + 1], LABELS[b, k : k + 1])
                total += loss * (0.25 if state >= PARTLY_BOXED else 1.0)
        assert terms[f"stage{index}_mid"] == (pytest.approx(total, rel=1e-5), 5)


def test_strong_and_weak_images_are_the_ends_of_the_scale(cam_rpn, stages):
    """Beside partly boxed ones in the data set, they teach what they did without."""
    pure = hand_made.make_targets()
    beside = pure._replace(is_partial=tf.zeros([5], tf.bool))
    expected, _ = compute(cam_rpn, stages, pure)
    terms, _ = compute(cam_rpn, stages, beside, boxed_share=0.3)
    assert set(terms) == set(expected)
    for name, term in terms.items():
        assert term == pytest.approx(expected[name], rel=1e-6, abs=1e-6), name


def test_replicas_add_up(cam_rpn, stages):
    """The terms of some images and of the others are those of all, sum and count."""
    targets = make_targets()._replace(
        ignored_boxes=tf.constant([[[0, 0, 50, 50]]] * 5, tf.float32),
        ignored_classes=tf.constant([[ANY_CLASS], [1], [0], [2], [ANY_CLASS]]),
        machine_boxed=tf.constant([True, False, False, True, False]),
    )
    anchors = hand_made.sample_anchors(cam_rpn, targets)

    def take(rows):
        def pick(part):
            return tf.nest.map_structure(lambda x: tf.gather(x, rows), part)

        outputs = cam_rpn._replace(
            **{
                name: pick(getattr(cam_rpn, name))
                for name in ("cam_logits", "objectness_logits", "deltas")
            }
        )
        heads = [s._replace(rois=pick(s.rois), head=pick(s.head)) for s in stages]
        terms, _ = HybridCriterion()(
            outputs, pick(anchors), heads, pick(targets), IMAGE_SIZES[rows]
        )
        return terms

    whole, parts = take([0, 1, 2, 3, 4]), [take([1, 2]), take([0, 3, 4])]
    for name, term in whole.items():
        together = LossTerm(
            sum(part[name].total for part in parts),
            sum(part[name].count for part in parts),
        )
        np.testing.assert_allclose(term, together, rtol=1e-5, err_msg=name)


def test_what_may_be_an_unboxed_object_gets_no_push_from_the_strict_rule(
    cam_rpn, stages
):
    """With a share of 0, logits of classes that may be there are never pushed down."""
    stage = stages[0]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(stage.head.class_logits)
        tape.watch(cam_rpn.objectness_logits)
        targets = make_targets()
        anchors = hand_made.sample_anchors(cam_rpn, targets)
        terms, _ = HybridCriterion(boxed_share=0.0)(
            cam_rpn, anchors, [stage], targets, IMAGE_SIZES
        )
    gradient = tape.gradient(terms["stage1_cls"].total, stage.head.class_logits)
    is_background = stage.rois.classes.numpy() == NUM_CLASSES
    for b in BOXED_IMAGES:
        is_open = np.array(share_classes(b, 0.0)) == 0
        pushed = gradient[b].numpy()[is_background[b]][:, :-1]
        assert (pushed[:, is_open] <= 1e-6).all()
        assert (pushed[:, ~is_open] > 0).all()
    of_rpn = tape.gradient(terms["rpn_cls"].total, cam_rpn.objectness_logits)
    of_rpn = of_rpn.numpy()
    assert not of_rpn[anchors.negatives.numpy()].any()
    assert of_rpn[anchors.positives.numpy()].all()


def test_the_discounted_logit_is_that_of_the_product():
    logits = np.linspace(-30, 30, 61, dtype=np.float32)
    for share in (1e-3, 0.5, 0.999):
        wanted = share / (1 + np.exp(-logits.astype(float)))
        found = tf.sigmoid(discount_unboxed(tf.constant(logits), tf.constant(share)))
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
    np.testing.assert_array_equal(
        discount_unboxed(tf.constant(logits), tf.ones([61])), logits
    )


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_a_share_beyond_its_range_is_a_config_error(share):
    with pytest.raises(ConfigError, match="boxed_share is from 0 to less than 1"):
        HybridCriterion(boxed_share=share)


def test_a_negative_is_left_out_from_half_of_its_own_area_on():
    # Halves and a little less of the candidates lie in the regions.
    boxes = [[0, 0, 10, 10], [0, 0.1, 10, 10.1], [0, 20, 4, 24], [0, 0, 40, 40]]
    regions = [[0, 0, 10, 5], [0, 18, 40, 30], [0, 0, 0, 0]]
    negatives = leave_out_ignored(
        tf.constant([[True] * 4, [False] * 4]),
        tf.constant([boxes] * 2, tf.float32),
        tf.constant([regions] * 2, tf.float32),
    )
    assert negatives.numpy().tolist() == [[False, True, False, True], [False] * 4]


def cover(box, region):
    height = min(box[2], region[2]) - max(box[0], region[0])
    width = min(box[3], region[3]) - max(box[1], region[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return max(height, 0) * max(width, 0) / area


def test_no_anchor_and_no_region_in_an_ignored_region_is_a_negative(cam_rpn):
    region = [10.0, 10.0, 90.0, 70.0]
    ignoring = hand_made.make_targets()._replace(
        ignored_boxes=tf.constant([[region, [0] * 4]] * 5, tf.float32),
        ignored_classes=tf.fill([5, 2], ANY_CLASS),
    )
    anchors = cam_rpn.anchors.boxes.numpy()
    covered = np.array([cover(anchor, region) >= 0.5 for anchor in anchors])
    wide = {"num_samples": 5000}
    plain = hand_made.sample_anchors(cam_rpn, hand_made.make_targets(), **wide)
    found = hand_made.sample_anchors(cam_rpn, ignoring, **wide)
    np.testing.assert_array_equal(found.positives, plain.positives)
    np.testing.assert_array_equal(found.negatives, plain.negatives & ~covered)

    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 96, [5, 60, 2, 2]), axis=2)
    rois = sample_rois(
        tf.constant(corners.reshape(5, 60, 4), tf.float32),
        tf.ones([5, 60], tf.bool),
        ignoring,
        draw_priorities(tf.range(5, dtype=tf.int64), 1, 60, ignoring.boxes.shape[1])[0],
        num_classes=NUM_CLASSES,
        num_rois=60,
        positive_iou=0.5,
        positive_fraction=0.25,
    )
    for b in (0, 1, 3):
        negatives = rois.boxes[b].numpy()[rois.classes[b].numpy() == NUM_CLASSES]
        assert 10 < len(negatives) < 60
        assert max(cover(box, region) for box in negatives) < 0.5
    assert rois.valid.numpy()[[2, 4]].all()


def test_cells_of_an_ignored_region_are_negative_for_no_loss(cam_rpn):
    boxes = tf.constant([[[0, 0, 24, 40], [40, 40, 60, 60], [0, 0, 0, 0]]], tf.float32)
    classes = tf.constant([[1, ANY_CLASS, ANY_CLASS]])
    marks = cover_ignored_cells(boxes, classes, 3, number_cells({3: (8, 8)}))
    expected = np.zeros([8, 8, 3], bool)
    expected[:3, :5, 1] = True
    # Centres at 44 and 52.
    expected[5:7, 5:7] = True
    np.testing.assert_array_equal(marks[0].numpy().reshape(8, 8, 3), expected)
    with tf.GradientTape() as tape:
        tape.watch(cam_rpn.cam_logits)
        targets = hand_made.make_targets()._replace(
            ignored_boxes=tf.constant([[[0, 0, 96, 96]]] * 5, tf.float32),
            ignored_classes=tf.constant([[ANY_CLASS]] * 5),
        )
        anchors = hand_made.sample_anchors(cam_rpn, targets)
        terms, _ = HybridCriterion()(cam_rpn, anchors, [], targets, IMAGE_SIZES)
    gradients = tape.gradient(terms["cam_seg"].total, cam_rpn.cam_logits)
    # What is left are the positive cells, whose logits are pulled up.
    assert all((gradient.numpy() <= 0).all() for gradient in gradients.values())
    assert any((gradient.numpy() < 0).any() for gradient in gradients.values())


def test_targets_know_their_labels():
    targets = Targets(None, None, tf.constant(STATES))
    np.testing.assert_array_equal(targets.image_labels, LABELS)
    assert targets.has_boxes.numpy().tolist() == [True, True, False, True, False]
