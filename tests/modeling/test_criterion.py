"""Every loss term of `HybridCriterion` against the oracles, on hand-made outputs."""

import hand_made
import numpy as np
import oracles
import pytest
import tensorflow as tf
from hand_made import BOXES, CLASSES, HAS_BOXES, IMAGE_LABELS, IMAGE_SIZES, NUM_CLASSES
from supervision import mark_boxed

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import HybridCriterion
from ehsod_tf.modeling.cascade import STAGE_STDS
from ehsod_tf.structures import UNKNOWN, Targets, TargetWeights, combine_states

STRONG = np.flatnonzero(HAS_BOXES)


@pytest.fixture(scope="module")
def cam_rpn():
    return hand_made.make_cam_rpn()


@pytest.fixture(scope="module")
def stages():
    return [
        hand_made.make_stage(stds, seed) for seed, stds in enumerate(STAGE_STDS[:2])
    ]


def _compute(cam_rpn, stages, targets=None, sampling=None, **settings):
    """{name: (total, count)} and {name: counter} of the five images."""
    targets = targets or hand_made.make_targets()
    anchors = hand_made.sample_anchors(cam_rpn, targets, **(sampling or {}))
    terms, counters = HybridCriterion(**settings)(
        cam_rpn, anchors, stages, targets, IMAGE_SIZES
    )
    assert all(t.total.dtype == t.count.dtype == tf.float32 for t in terms.values())
    return (
        {name: (float(t.total), float(t.count)) for name, t in terms.items()},
        {name: float(counter) for name, counter in counters.items()},
    )


def _take_cams(cam_rpn, image):
    return {level: cam[image].numpy() for level, cam in cam_rpn.cam_logits.items()}


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_cam_cls_is_the_mean_over_all_images_and_known_labels(cam_rpn, activation):
    terms, _ = _compute(cam_rpn, [], cam_activation=activation)
    expected = [
        oracles.cam_cls(
            _take_cams(cam_rpn, b), IMAGE_SIZES[b], IMAGE_LABELS[b], activation
        )
        for b in range(5)
    ]
    assert terms["cam_cls"] == (pytest.approx(sum(expected), rel=1e-5), 5)


def test_cam_cls_of_one_class_is_that_of_the_sigmoid(cam_rpn):
    maps = {level: cam[..., :1] for level, cam in cam_rpn.cam_logits.items()}
    softmax, sigmoid = (
        HybridCriterion(cam_activation=activation).score_cam(maps, IMAGE_SIZES).numpy()
        for activation in ("softmax", "sigmoid")
    )
    np.testing.assert_array_equal(softmax, sigmoid)
    assert ((0 < softmax) & (softmax < 1)).all()


def _expect_cam_seg(cam_rpn, images, sigma):
    return sum(
        oracles.cam_seg(
            _take_cams(cam_rpn, b), IMAGE_SIZES[b], BOXES[b] if HAS_BOXES[b] else None,
            CLASSES[b], IMAGE_LABELS[b], sigma,
        )
        for b in images
    )  # fmt: skip


@pytest.mark.parametrize("sigma", [0.8, 0.4])
def test_cam_seg_is_the_mean_over_strong_and_weak_images(cam_rpn, sigma):
    terms, _ = _compute(cam_rpn, [], cam_sigma=sigma)
    expected = _expect_cam_seg(cam_rpn, range(5), sigma)
    assert terms["cam_seg"] == (pytest.approx(expected, rel=1e-4), 5)


def test_cam_seg_without_weak_targets_is_the_mean_over_strong_images(cam_rpn):
    terms, _ = _compute(cam_rpn, [], weak_cam_target="none")
    expected = _expect_cam_seg(cam_rpn, STRONG, 0.8)
    assert terms["cam_seg"] == (pytest.approx(expected, rel=1e-4), 3)


@pytest.mark.parametrize("num_classes", [20, 80])
def test_cam_seg_pulls_alike_at_every_kind_of_image(num_classes):
    """Images whose false cells are alike: a thousandth of the cells of all classes."""
    rng = np.random.default_rng(num_classes)
    cams = {}
    for level in range(2, 6):
        side = 128 // 2**level
        is_false = rng.uniform(size=[1, side, side, num_classes]) < 0.001
        cam = np.repeat(np.where(is_false, 6.0, -6.0), 5, axis=0)
        cams[level] = tf.constant(cam, tf.float32)
    outputs = hand_made.make_cam_rpn(canvas=(128, 128))._replace(cam_logits=cams)
    # Strong with a large, a small and no object; weak with two classes and with none.
    labels = np.zeros([5, num_classes], np.int32)
    labels[[0, 1], 0], labels[3, :2] = 1, 1
    targets = Targets(
        tf.constant([[[8, 8, 120, 120]], [[60, 60, 66, 66]]] + 3 * [[[0, 0, 0, 0]]],
                    tf.float32),
        tf.constant([[0], [0], [-1], [-1], [-1]]),
        tf.constant(combine_states(labels, [True] * 3 + [False] * 2), tf.int32),
    )  # fmt: skip
    sizes = tf.fill([5, 2], 128)
    anchors = hand_made.sample_anchors(outputs, targets)
    with tf.GradientTape() as tape:
        tape.watch(cams)
        terms, _ = HybridCriterion()(outputs, anchors, [], targets, sizes)
    gradients = tape.gradient(terms["cam_seg"].total, cams).values()
    pushed = sum(tf.reduce_sum(tf.maximum(g, 0.0), axis=[1, 2, 3]) for g in gradients)
    pulled = sum(tf.reduce_sum(tf.maximum(-g, 0.0), axis=[1, 2, 3]) for g in gradients)
    # 0.25 a confident false cell, over a quarter of the cells.
    np.testing.assert_allclose(pushed, 5 * [0.001 * num_classes], rtol=0.25)
    # The mean over what is positive, however small.
    np.testing.assert_allclose(pulled, [0.25, 0.25, 0, 0, 0], rtol=0.05, atol=1e-6)


@pytest.fixture(scope="module", params=[False, True])
def border_anchors(request):
    return request.param


@pytest.fixture(scope="module")
def assignments(cam_rpn, border_anchors):
    """Each strong image's anchor assignment by the oracle."""
    anchors = cam_rpn.anchors.boxes.numpy().astype(np.float64)
    assigned = {
        b: oracles.assign_anchors(anchors, BOXES[b], IMAGE_SIZES[b], border_anchors)
        for b in STRONG
    }
    return anchors, assigned


def _expect_rpn(cam_rpn, assignments, sampled):
    anchors, assigned = assignments
    logits, deltas = cam_rpn.objectness_logits.numpy(), cam_rpn.deltas.numpy()
    cls = reg = 0.0
    for b, chosen in sampled.items():
        cls += oracles.rpn_cls(logits[b], assigned[b], chosen)
        reg += oracles.rpn_reg(deltas[b], anchors, BOXES[b], assigned[b], chosen)
    count = sum(len(chosen) for chosen in sampled.values())
    return {
        "rpn_cls": (pytest.approx(cls, rel=1e-4), count),
        "rpn_reg": (pytest.approx(reg, rel=1e-4), count),
    }


def test_rpn_terms_of_all_anchors_equal_the_formula(
    cam_rpn, assignments, border_anchors
):
    sampled = {b: np.flatnonzero(a > -2) for b, a in assignments[1].items()}
    sampling = {"num_samples": 5000, "border_anchors": border_anchors}
    terms, counters = _compute(cam_rpn, [], sampling=sampling)
    expected = _expect_rpn(cam_rpn, assignments, sampled)
    assert {name: terms[name] for name in expected} == expected
    num_positives = sum((a >= 0).sum() for a in assignments[1].values())
    assert counters["rpn_positives"] == num_positives > 10


def test_rpn_terms_of_sampled_anchors_equal_the_formula(
    cam_rpn, assignments, border_anchors
):
    """The gradient shows which anchors were sampled."""
    sampling = {"num_samples": 16, "positive_fraction": 0.25}
    sampling["border_anchors"] = border_anchors
    targets = hand_made.make_targets()
    anchors = hand_made.sample_anchors(cam_rpn, targets, **sampling)
    with tf.GradientTape() as tape:
        tape.watch(cam_rpn.objectness_logits)
        terms, _ = HybridCriterion()(cam_rpn, anchors, [], targets, IMAGE_SIZES)
    gradients = tape.gradient(terms["rpn_cls"].total, cam_rpn.objectness_logits)
    gradients = gradients.numpy()
    assert not gradients[~HAS_BOXES].any()
    sampled = {b: np.flatnonzero(gradients[b]) for b in STRONG}
    for b, chosen in sampled.items():
        assigned = assignments[1][b][chosen]
        assert len(chosen) == 16 and (assigned > -2).all()
        assert (assigned >= 0).sum() == min(4, (assignments[1][b] >= 0).sum())
    terms, _ = _compute(cam_rpn, [], sampling=sampling)
    expected = _expect_rpn(cam_rpn, assignments, sampled)
    assert {name: terms[name] for name in expected} == expected


def _take_valid(stage, image):
    """The valid rows of an image: head outputs, boxes, matched boxes and classes."""
    valid = stage.rois.valid[image].numpy()
    fields = [*stage.head, stage.rois.boxes, stage.rois.matched_boxes]
    return [f[image].numpy()[valid] for f in [*fields, stage.rois.classes]]


@pytest.mark.parametrize(
    ("reduction", "boxed_mid"), [("sum", 1.0), ("mean", 1.0), ("sum", 0.25)]
)
def test_mid_is_the_mean_over_all_images_and_known_labels(
    cam_rpn, stages, reduction, boxed_mid
):
    terms, _ = _compute(cam_rpn, stages, mid_reduction=reduction, boxed_mid=boxed_mid)
    for index, stage in enumerate(stages, start=1):
        total = 0.0
        for b in range(5):
            class_logits, _, confidence_logits, *_ = _take_valid(stage, b)
            g = np.zeros(NUM_CLASSES)
            if len(class_logits):
                g = oracles.score_image(class_logits, confidence_logits)
            loss = oracles.binary_cross_entropy(g, IMAGE_LABELS[b])
            total += loss * (boxed_mid if HAS_BOXES[b] else 1.0)
        total /= NUM_CLASSES if reduction == "mean" else 1
        assert terms[f"stage{index}_mid"] == (pytest.approx(total, rel=1e-5), 5)


@pytest.mark.parametrize("normalizer", ["rois", "classes"])
def test_proposals_term_is_the_mean_over_strong_images(cam_rpn, stages, normalizer):
    terms, _ = _compute(cam_rpn, stages, proposals_normalizer=normalizer)
    for index, stage in enumerate(stages, start=1):
        total = 0.0
        for b in STRONG:
            _, _, confidence_logits, *_, classes = _take_valid(stage, b)
            total += oracles.head_proposals(confidence_logits, classes, normalizer)
        assert terms[f"stage{index}_proposals"] == (pytest.approx(total, rel=1e-5), 3)


def test_absent_term_is_the_mean_over_weak_images(cam_rpn, stages):
    terms, _ = _compute(cam_rpn, stages, absent=0.5)
    for index, stage in enumerate(stages, start=1):
        total = 0.0
        for b in np.flatnonzero(~HAS_BOXES):
            class_logits = _take_valid(stage, b)[0]
            total += oracles.head_absent(class_logits, IMAGE_LABELS[b])
        assert terms[f"stage{index}_absent"] == (pytest.approx(total, rel=1e-5), 2)
    without, _ = _compute(cam_rpn, stages)
    assert {name: terms[name] for name in without} == without


def test_head_terms_are_divided_by_all_sampled_regions_of_strong_images(
    cam_rpn, stages
):
    terms, counters = _compute(cam_rpn, stages)
    for index, stage in enumerate(stages, start=1):
        cls = reg = 0.0
        for b in STRONG:
            class_logits, deltas, _, boxes, matched, classes = _take_valid(stage, b)
            cls += oracles.head_cls(class_logits, classes)
            reg += oracles.head_reg(
                deltas, boxes, matched, classes, NUM_CLASSES, stage.stds
            )
        assert terms[f"stage{index}_cls"] == (pytest.approx(cls, rel=1e-5), 17)
        assert terms[f"stage{index}_reg"] == (pytest.approx(reg, rel=1e-4), 17)
        assert counters[f"stage{index}_positives"] == 7


def test_more_padding_rows_change_no_term(cam_rpn, stages):
    few = _compute(cam_rpn, stages, hand_made.make_targets(max_boxes=3))
    many = _compute(cam_rpn, stages, hand_made.make_targets(max_boxes=30))
    assert few == many


def test_a_batch_of_nothing_but_padding_rows_has_finite_terms(cam_rpn):
    nothing = hand_made.make_targets()._replace(
        boxes=tf.zeros([5, 1, 4]), classes=tf.fill([5, 1], -1)
    )
    terms, counters = _compute(cam_rpn, [], nothing)
    assert np.isfinite(list(terms.values())).all()
    assert terms["rpn_reg"] == (0.0, 3 * 256) and counters["rpn_positives"] == 0


def test_a_batch_of_weak_images_has_supervised_terms_of_0_over_0(cam_rpn, stages):
    targets = mark_boxed(hand_made.make_targets(), [False] * 5)
    terms, _ = _compute(cam_rpn, stages, targets)
    for name, term in terms.items():
        if name.startswith("cam") or name.endswith("mid"):
            assert term[0] > 0 and term[1] == 5
        else:
            assert term == (0.0, 0.0)


def test_boxes_left_in_the_rows_of_a_weak_image_change_no_term(cam_rpn, stages):
    leaky = hand_made.leak_boxes(hand_made.make_targets())
    assert _compute(cam_rpn, stages, leaky) == _compute(cam_rpn, stages)


def test_unknown_labels_everywhere_leave_image_level_terms_at_0(cam_rpn, stages):
    targets = hand_made.make_targets()._replace(
        class_states=tf.fill([5, NUM_CLASSES], UNKNOWN)
    )
    terms, _ = _compute(cam_rpn, stages, targets)
    assert {total for total, _ in terms.values()} == {0.0}


def test_default_weights_are_those_of_the_paper():
    weights = HybridCriterion().weights(3)
    assert list(weights.items())[:4] == [
        ("cam_cls", 0.1), ("cam_seg", 0.2), ("rpn_cls", 1.0), ("rpn_reg", 1.0),
    ]  # fmt: skip
    for stage, scale in ((1, 1.0), (2, 0.5), (3, 0.25)):
        for name in ("mid", "proposals", "cls", "reg"):
            assert weights[f"stage{stage}_{name}"] == scale
    assert len(weights) == 16


def test_each_term_has_its_own_weight():
    criterion = HybridCriterion(
        cam_cls=2.0, cam_seg=3.0, rpn_cls=5.0, rpn_reg=7.0,
        mid=11.0, proposals=13.0, head_cls=17.0, head_reg=19.0, absent=23.0,
        stages=(1.0, 0.5),
    )  # fmt: skip
    assert criterion.weights(2) == {
        "cam_cls": 2.0, "cam_seg": 3.0, "rpn_cls": 5.0, "rpn_reg": 7.0,
        "stage1_mid": 11.0, "stage1_proposals": 13.0,
        "stage1_cls": 17.0, "stage1_reg": 19.0, "stage1_absent": 23.0,
        "stage2_mid": 5.5, "stage2_proposals": 6.5,
        "stage2_cls": 8.5, "stage2_reg": 9.5, "stage2_absent": 11.5,
    }  # fmt: skip


@pytest.mark.parametrize("absent", [0.0, 0.3])
def test_every_term_has_a_weight_and_every_weight_a_term(cam_rpn, stages, absent):
    terms, _ = _compute(cam_rpn, stages, absent=absent)
    weights = HybridCriterion(absent=absent).weights(len(stages))
    assert set(terms) == set(weights)
    assert weights.get("stage2_absent", 0.0) == 0.5 * absent


@pytest.mark.parametrize(
    "switch",
    ["cam_activation", "weak_cam_target", "mid_reduction", "proposals_normalizer"],
)
def test_misspelt_switch_is_a_config_error(switch):
    with pytest.raises(ConfigError, match=f"{switch} is one of .*'typo'"):
        HybridCriterion(**{switch: "typo"})


def test_too_few_stage_weights_are_a_config_error():
    with pytest.raises(ConfigError, match="3 cascade stages"):
        HybridCriterion(stages=(1.0, 0.5)).weights(3)


def test_negative_weight_of_absent_classes_is_a_config_error():
    with pytest.raises(ConfigError, match="absent is at least 0, got -0.1"):
        HybridCriterion(absent=-0.1)


def test_weights_count_in_the_sum_and_in_the_count(cam_rpn, stages):
    """Of an image with weight w, w times as much; terms of labels know no weights."""
    targets = mark_boxed(hand_made.make_targets(), [True] * 5)
    anchors = hand_made.sample_anchors(cam_rpn, targets)

    def compute(classification, regression):
        weights = TargetWeights(
            tf.constant(classification, tf.float32), tf.constant(regression, tf.float32)
        )
        terms, _ = HybridCriterion()(
            cam_rpn, anchors, stages, targets, IMAGE_SIZES, weights
        )
        return {name: np.array([t.total, t.count]) for name, t in terms.items()}

    parts = [compute(*[np.arange(5) == image] * 2) for image in range(5)]
    classification, regression = [1, 0.5, 0.25, 0, 1], [0.5, 1, 1, 0.5, 0]
    for name, actual in compute(classification, regression).items():
        if name.endswith(("mid", "cam_cls")):
            wanted = parts[0][name]
        else:
            weights = regression if name.endswith("reg") else classification
            wanted = sum(w * p[name] for w, p in zip(weights, parts, strict=True))
        np.testing.assert_allclose(actual, wanted, rtol=1e-5)
        assert wanted[1] > 0


def test_an_image_with_a_detectors_boxes_counts_less(cam_rpn, stages):
    """As much as its weights say, in sums and divisors; only where it has boxes."""
    machine = tf.constant([True, False, True, False, False])
    targets = hand_made.make_targets()._replace(machine_boxed=machine)
    criterion = HybridCriterion(machine_classification=0.5, machine_regression=0.25)
    weights = criterion.weigh(targets)
    assert weights.classification.numpy().tolist() == [0.5, 1.0, 0.0, 1.0, 0.0]
    assert weights.regression.numpy().tolist() == [0.25, 1.0, 0.0, 1.0, 0.0]
    anchors = hand_made.sample_anchors(cam_rpn, targets)
    given = (cam_rpn, anchors, stages, targets, IMAGE_SIZES)
    by_default, _ = criterion(*given)
    given_weights, _ = criterion(*given, weights=weights)
    full, _ = criterion(
        *given, weights=HybridCriterion().weigh(hand_made.make_targets())
    )
    for name, term in by_default.items():
        assert float(term.total) == float(given_weights[name].total)
        differs = float(term.count) != float(full[name].count)
        assert differs != (name == "cam_cls" or name.endswith("_mid"))


@pytest.mark.parametrize("share", ["boxed_mid", "machine_regression"])
def test_a_weight_of_images_above_1_is_a_config_error(share):
    with pytest.raises(ConfigError, match=f"{share} is from 0 to 1, got 2"):
        HybridCriterion(**{share: 2})
