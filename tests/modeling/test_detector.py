"""The whole detector: who learns from what, and what never matters to an image."""

import dataclasses

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf
from small_detector import NUM_CLASSES, build_small_detector, make_batch

from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import CamRpn, Cascade, Ehsod, FeaturePyramid
from ehsod_tf.modeling.backbones import build_small_backbone
from ehsod_tf.training import CoupledSGD

STRONG, EMPTY, WEAK, UNKNOWN, OTHER_WEAK = range(5)
STEP = 17


@pytest.fixture(scope="module")
def model():
    return build_small_detector()


def _compute_terms(model, batch):
    terms, counters = model.compute_terms(batch, STEP)
    terms = {name: np.array([t.total, t.count]) for name, t in terms.items()}
    return terms, {name: float(counter) for name, counter in counters.items()}


def _compute_gradients(model, batch):
    """{term: [the gradient of its mean, for each variable]}; 0 where there is none."""
    variables = model.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        terms, _ = model.compute_terms(batch, STEP)
        means = {name: t.total / t.count for name, t in terms.items()}
    gradients = {name: tape.gradient(mean, variables) for name, mean in means.items()}
    return {
        name: [
            np.zeros(variable.shape) if gradient is None else np.array(gradient)
            for variable, gradient in zip(variables, row, strict=True)
        ]
        for name, row in gradients.items()
    }


@pytest.fixture(scope="module")
def gradients(model):
    """Of a strong image alone, and with each of two weak ones."""
    return [
        _compute_gradients(model, make_batch(images))
        for images in ([STRONG], [STRONG, WEAK], [STRONG, OTHER_WEAK])
    ]


def _differ(gradients, others):
    """Largest difference as a share of the largest gradient of all variables."""
    scale = max(np.abs(g).max() for g in gradients)
    assert scale > 0
    pairs = zip(gradients, others, strict=True)
    return max(np.abs(a - b).max() for a, b in pairs) / scale


def test_a_weak_image_changes_no_gradient_of_a_term_that_needs_boxes(gradients):
    alone, *with_weak = gradients
    supervised = [
        name
        for name in alone
        if name.startswith("rpn") or name.endswith(("_cls", "_reg", "_proposals"))
    ]
    supervised.remove("cam_cls")
    assert len(supervised) == 2 + 2 * 3
    for name in supervised:
        for other in with_weak:
            assert _differ(alone[name], other[name]) < 1e-4, name


def test_a_weak_image_changes_every_gradient_of_a_term_that_needs_none(gradients):
    alone, with_weak, with_other = gradients
    for name in ("cam_cls", "cam_seg", "stage1_mid", "stage2_mid"):
        assert _differ(alone[name], with_weak[name]) > 0.05, name
        assert _differ(with_weak[name], with_other[name]) > 0.05, name


def _sum_terms(parts):
    return {name: sum(part[name] for part in parts) for name in parts[0]}


@pytest.mark.parametrize(
    "images",
    [[STRONG, EMPTY, WEAK, UNKNOWN], [WEAK, UNKNOWN, STRONG], [OTHER_WEAK, STRONG]],
)
def test_terms_of_a_batch_are_the_sums_of_its_images_terms(model, images):
    terms, counters = _compute_terms(model, make_batch(images, max_boxes=4))
    singles = [_compute_terms(model, make_batch([i], max_boxes=3)) for i in images]
    for name, expected in _sum_terms([single[0] for single in singles]).items():
        np.testing.assert_allclose(terms[name], expected, rtol=1e-4, err_msg=name)
    assert counters == _sum_terms([single[1] for single in singles])
    assert counters["rpn_positives"] > 0 and counters["stage2_positives"] > 0


def test_padding_rows_of_ground_truth_change_no_term(model):
    few, counters = _compute_terms(model, make_batch([STRONG, WEAK], max_boxes=3))
    many, more_counters = _compute_terms(
        model, make_batch([STRONG, WEAK], max_boxes=40)
    )
    for name in few:
        np.testing.assert_allclose(few[name], many[name], rtol=1e-5, err_msg=name)
    assert counters == more_counters


def test_batch_mates_and_order_change_no_detection(model):
    alone = [model(make_batch([image])) for image in range(5)]
    for images in ([0, 1, 2, 3, 4], [4, 2, 0], [3, 3, 1]):
        together = model(make_batch(images))
        for row, image in enumerate(images):
            expected = [field[0].numpy() for field in alone[image]]
            actual = [field[row].numpy() for field in together]
            assert expected[3] == actual[3] > 5
            np.testing.assert_allclose(actual[0], expected[0], atol=0.01)
            np.testing.assert_allclose(actual[1], expected[1], rtol=1e-4)
            np.testing.assert_array_equal(actual[2], expected[2])


def test_targets_are_not_looked_at_when_detecting(model):
    batch = make_batch([STRONG, WEAK])
    without = batch._replace(targets=make_batch([EMPTY, EMPTY]).targets)
    for field, other in zip(model(batch), model(without), strict=True):
        np.testing.assert_array_equal(field, other)


def test_label_scores_are_those_that_the_terms_are_made_of(model):
    batch = make_batch([0])
    scores = model.score_labels(batch.images, batch.image_sizes)
    _, cam_rpn = model._propose(batch.images)
    by_level = model.criterion.score_cam(cam_rpn.cam_logits, batch.image_sizes)
    np.testing.assert_allclose(scores.cam, np.mean(by_level, axis=1), rtol=1e-6)
    labels = batch.targets.image_labels
    wanted = np.mean(
        [
            oracles.binary_cross_entropy(y.numpy(), labels[0].numpy())
            for y in by_level[0]
        ]
    )
    terms, _ = model.compute_terms(batch, step=0)
    np.testing.assert_allclose(terms["cam_cls"].total, wanted, rtol=1e-5)
    assert scores.mid.shape == labels.shape
    assert np.all((scores.mid >= 0) & (scores.mid <= 1))
    np.testing.assert_allclose(tf.reduce_sum(scores.cam, axis=1), 1.0, rtol=1e-5)


def test_another_selector_proposes_otherwise(model):
    batch = make_batch([0, 1])
    few = dataclasses.replace(model.selector, test_max_proposals=7)
    proposals = model.propose(batch.images, batch.image_sizes, few)
    usual = model.propose(batch.images, batch.image_sizes)
    assert proposals.boxes.shape[1] == 7
    np.testing.assert_array_equal(proposals.boxes, usual.boxes[:, :7])
    without = dataclasses.replace(few, cam_objectness="none")
    without = model.propose(batch.images, batch.image_sizes, without)
    assert np.all(without.scores <= 1.0) and not np.all(usual.scores <= 1.0)


def test_terms_of_a_step_are_reproducible_and_other_steps_sample_otherwise(model):
    batch = make_batch([STRONG])
    first, _ = _compute_terms(model, batch)
    again, _ = _compute_terms(model, batch)
    for name in first:
        np.testing.assert_allclose(first[name], again[name], rtol=1e-5)
    other, _ = model.compute_terms(batch, STEP + 1)
    assert float(other["rpn_cls"].total) != pytest.approx(first["rpn_cls"][0])


class _Recorder(CoupledSGD):
    """Keeps the gradients of the last step."""

    def apply(self, grads, trainable_variables=None):
        self.gradients = list(grads)
        super().apply(grads, trainable_variables)


@pytest.mark.parametrize("num_stages", [1, 2, 3, 4])
def test_every_variable_gets_a_finite_gradient_from_any_batch(num_stages):
    model = build_small_detector(num_stages=num_stages)
    model.compile(_Recorder(0.01), jit_compile=False)
    assert len(model.cascade.heads) == num_stages
    for images in ([WEAK, OTHER_WEAK], [STRONG, UNKNOWN], [EMPTY, EMPTY]):
        logs = model.train_step(make_batch(images))
        assert np.isfinite(list(logs.values())).all()
        assert set(logs) > {f"stage{num_stages}_{n}" for n in ("mid", "cls", "reg")}
        assert f"stage{num_stages + 1}_mid" not in logs
        for gradient in model.optimizer.gradients:
            assert gradient is not None and np.isfinite(gradient).all()


def test_one_strong_and_one_weak_image_teach_every_variable_something():
    model = build_small_detector()
    model.compile(_Recorder(0.01), jit_compile=False)
    model.train_step(make_batch([STRONG, WEAK]))
    pairs = zip(model.trainable_variables, model.optimizer.gradients, strict=True)
    assert not [variable.path for variable, g in pairs if not np.any(g)]


def test_the_loss_is_the_weighted_sum_of_the_means(model):
    model.compile(CoupledSGD(0.0), jit_compile=False)
    step = int(model.optimizer.iterations)
    batch = make_batch([STRONG, WEAK])
    terms, _ = model.compute_terms(batch, step)
    means = {name: float(t.total / t.count) for name, t in terms.items()}
    logs = model.train_step(batch)
    weights = model.criterion.weights(2)
    expected = sum(weights[name] * mean for name, mean in means.items())
    assert float(logs["total_loss"]) == pytest.approx(expected, rel=1e-4)
    for name, mean in means.items():
        assert float(logs[name]) == pytest.approx(mean, rel=1e-3), name


def test_refined_boxes_carry_no_gradient(model):
    pyramid, cam_rpn = model._propose(make_batch([STRONG]).images)
    pooled = {level: pyramid[level] for level in range(2, 6)}
    batch = make_batch([STRONG])
    with tf.GradientTape() as tape:
        proposals = model.selector(cam_rpn, batch.image_sizes, training=False)
        stages = model.cascade(pooled, proposals, batch.image_sizes)
        later = tf.reduce_sum(stages[1].rois.boxes)
        later += tf.reduce_sum(stages[1].head.deltas)
    first_head = model.cascade.heads[0].trainable_variables
    assert set(tape.gradient(later, first_head)) == {None}
    assert (stages[0].rois.boxes.numpy() != stages[1].rois.boxes.numpy()).any()


def test_ground_truth_rows_join_every_stage_and_never_move_on(model):
    batch = make_batch([STRONG])
    pyramid, cam_rpn = model._propose(batch.images)
    proposals = model.selector(cam_rpn, batch.image_sizes, training=True)
    stages = model.cascade(
        {level: pyramid[level] for level in range(2, 6)}, proposals,
        batch.image_sizes, batch.targets, tf.constant([5], tf.int64),
    )  # fmt: skip
    truths = {tuple(box) for box in batch.targets.boxes[0].numpy()[:3].tolist()}
    for stage in stages:
        marked = (stage.rois.is_ground_truth & stage.rois.valid)[0].numpy()
        assert marked.any()
        boxes = stage.rois.boxes[0].numpy()
        assert {tuple(box) for box in boxes[marked].tolist()} <= truths
        # Ground truth that had moved on would show up, hardly changed, unmarked.
        unmarked = {tuple(box) for box in np.round(boxes[~marked], 1).tolist()}
        assert not unmarked & {tuple(np.round(box, 1)) for box in truths}


@pytest.fixture
def mixed_bfloat16():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(policy)


def test_mixed_precision_keeps_losses_boxes_and_variables_in_float32(mixed_bfloat16):
    model = build_small_detector()
    batch = make_batch([STRONG, WEAK])
    pyramid, cam_rpn = model._propose(batch.images)
    assert {maps.dtype for maps in pyramid.values()} == {tf.bfloat16}
    outputs = tf.nest.flatten(cam_rpn[:3])
    assert {values.dtype for values in outputs} == {tf.float32}
    terms, _ = model.compute_terms(batch, STEP)
    assert {x.dtype for term in terms.values() for x in term} == {tf.float32}
    detections = model(batch)
    assert detections.boxes.dtype == detections.scores.dtype == tf.float32
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    model.compile(CoupledSGD(0.01), jit_compile=False)
    before = model.cascade.heads[1].classifier.kernel.numpy()
    logs = model.train_step(batch)
    assert {log.dtype for log in logs.values()} == {tf.float32}
    assert np.isfinite(list(logs.values())).all()
    assert (model.cascade.heads[1].classifier.kernel.numpy() != before).any()


def test_mixed_precision_gives_nearly_the_same_losses(mixed_bfloat16, model):
    mixed = build_small_detector()
    mixed.set_weights(model.get_weights())
    # Few terms do not hang on the choice of regions, which rounding may change.
    batch = make_batch([STRONG, WEAK])
    terms, mixed_terms = (m.compute_terms(batch, STEP)[0] for m in (model, mixed))
    for name in ("cam_cls", "cam_seg", "rpn_cls", "rpn_reg"):
        np.testing.assert_allclose(terms[name], mixed_terms[name], rtol=0.1)


@pytest.mark.parametrize("num_stages", [0, 5])
def test_impossible_number_of_stages_is_a_config_error(num_stages):
    with pytest.raises(
        ConfigError, match=f"num_stages .*from 1 to 4, got {num_stages}"
    ):
        Cascade(NUM_CLASSES, num_stages=num_stages)


def test_parts_that_do_not_fit_are_config_errors():
    parts = build_small_backbone(8), FeaturePyramid(8)
    with pytest.raises(ConfigError, match="3 classes.* 4"):
        Ehsod(*parts, CamRpn(3, channels=8), Cascade(4, units=8))
    with pytest.raises(ConfigError, match="num_rois .2001."):
        Ehsod(*parts, CamRpn(3, channels=8), Cascade(3, units=8, num_rois=2001))
