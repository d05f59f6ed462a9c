"""The loss terms per element, against the oracles and at the edges."""

import keras
import numpy as np
import oracles
import pytest
import tensorflow as tf

from ehsod_tf.modeling import losses


def _draw(*shape, scale=3.0):
    return (scale * np.random.default_rng(sum(shape)).standard_normal(shape)).astype(
        np.float32
    )


def _differentiate(function, *values):
    """Value and gradients of a function of tensors, as NumPy arrays."""
    values = [tf.constant(value, tf.float32) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = function(*values)
    return result.numpy(), [g.numpy() for g in tape.gradient(result, values)]


def test_binary_cross_entropy_leaves_out_unknown_labels():
    logits = _draw(2, 3)
    labels = np.array([[1, 0, -1], [-1, -1, -1]], np.int32)
    for score in (losses.score_softmax, losses.score_sigmoid):
        scores = score(tf.constant(logits))
        loss = losses.binary_cross_entropy(scores, labels).numpy()
        y = np.exp(scores.present)
        np.testing.assert_allclose(
            loss[0, :2], [-np.log(y[0, 0]), -np.log(1 - y[0, 1])], rtol=1e-5
        )
        assert not loss[0, 2] and not loss[1].any()
        expected = [
            oracles.binary_cross_entropy(*row)
            for row in zip(y.astype(np.float64), labels, strict=True)
        ]
        np.testing.assert_allclose(loss.sum(axis=1), expected, rtol=1e-5)


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("scale", [0.1, 3.0, 12.0])
def test_softmax_scores_equal_float64(num_classes, scale):
    logits = _draw(40, num_classes, scale=scale)
    scores = losses.score_softmax(tf.constant(logits))
    p = np.array([oracles.softmax(row) for row in logits.astype(np.float64)])
    np.testing.assert_allclose(scores.present, np.log(p), rtol=1e-5, atol=1e-6)
    others = p.sum(axis=-1, keepdims=True) - p
    rest = [
        [row[np.arange(num_classes) != k].sum() for k in range(num_classes)]
        for row in p
    ]
    np.testing.assert_allclose(others, rest, atol=1e-12)
    np.testing.assert_allclose(scores.absent, np.log(rest), rtol=1e-5, atol=1e-6)


def test_the_only_class_of_a_softmax_is_certain_and_teaches_nothing():
    def compute(logits):
        scores = losses.score_softmax(logits)
        return losses.binary_cross_entropy(scores, tf.constant([[1], [0]]))

    loss, (gradient,) = _differentiate(compute, [[3.0], [-3.0]])
    np.testing.assert_allclose(loss, [[0.0], [-np.log(1e-6)]], rtol=1e-6)
    np.testing.assert_array_equal(gradient, [[0.0], [0.0]])


@pytest.mark.parametrize("positive", [True, False])
def test_focal_loss_has_the_same_alpha_on_both_terms(positive):
    logits = np.linspace(-6, 6, 25, dtype=np.float32)
    loss = losses.focal_loss(logits, np.full(25, positive))
    expected = [oracles.focal_loss(logit, int(positive)) for logit in logits]
    np.testing.assert_allclose(loss, expected, rtol=2e-5)


def test_focal_loss_and_its_gradient_are_finite_for_huge_logits():
    logits = tf.constant([-200.0, 200.0, -200.0, 200.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.focal_loss(logits, tf.constant([True, True, False, False]))
    np.testing.assert_allclose(loss, [50, 0, 0, 50])
    np.testing.assert_allclose(tape.gradient(loss, logits), [-0.25, 0, 0, 0.25])


@pytest.mark.parametrize("beta", [1 / 9, 1.0])
def test_smooth_l1_is_huber_over_beta(beta):
    predictions, targets = _draw(50, scale=1.0), _draw(50, 1, scale=1.0)[:, 0]
    loss = losses.smooth_l1(predictions, targets, beta).numpy()
    pairs = zip(predictions, targets, strict=True)
    expected = [oracles.smooth_l1([a], [b], beta) for a, b in pairs]
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-7)
    huber = keras.losses.huber(targets[:, None], predictions[:, None], delta=beta)
    np.testing.assert_allclose(loss, huber / beta, rtol=1e-4, atol=1e-7)


def test_image_score_is_summed_over_valid_proposals_without_background():
    class_logits, confidence_logits = _draw(2, 5, 4), _draw(2, 5, 3)
    valid = np.array([[True] * 5, [True, False, True, False, False]])
    scores = losses.score_image(class_logits, confidence_logits, valid)
    for b in range(2):
        expected = oracles.score_image(
            class_logits[b][valid[b]], confidence_logits[b][valid[b]]
        )
        np.testing.assert_allclose(scores.present[b], np.log(expected), rtol=1e-5)
        np.testing.assert_allclose(scores.absent[b], np.log1p(-expected), rtol=1e-5)


def test_image_score_ignores_the_background_logit():
    class_logits, confidence_logits = _draw(1, 5, 4), _draw(1, 5, 3)
    valid = np.ones([1, 5], bool)
    before = losses.score_image(class_logits, confidence_logits, valid)
    class_logits[..., -1] += 7
    after = losses.score_image(class_logits, confidence_logits, valid)
    np.testing.assert_array_equal(before, after)


def test_image_without_proposals_scores_0_with_a_finite_gradient():
    logits = tf.constant(_draw(1, 5, 3))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        g = losses.score_image(_draw(1, 5, 4), logits, np.zeros([1, 5], bool))
        loss = losses.binary_cross_entropy(g, tf.ones([1, 3], tf.int32))
    np.testing.assert_array_equal(g, np.zeros([1, 3]))
    np.testing.assert_allclose(loss, np.full([1, 3], -np.log(1e-6)), rtol=1e-5)
    assert np.isfinite(tape.gradient(loss, logits)).all()


@pytest.mark.parametrize("normalizer", ["rois", "classes"])
def test_confidence_cross_entropy_equals_the_formula(normalizer):
    confidence_logits = _draw(4, 6, 3)
    valid = np.ones([4, 6], bool)
    valid[1, 4:] = False
    classes = np.array(
        [
            [0, 0, 2, 3, 3, 3],  # class 1 has no proposal
            [1, 0, 1, 1, -1, -1],  # no background; two rows of padding
            [3, 3, 3, 3, 3, 3],  # background alone
            [-1] * 6,  # a weak image
        ],
        np.int32,
    )
    loss = losses.confidence_cross_entropy(
        confidence_logits, valid, classes, normalizer
    )
    expected = [
        oracles.head_proposals(
            confidence_logits[b][valid[b]], classes[b][valid[b]], normalizer
        )
        for b in range(4)
    ]
    assert expected[2] == expected[3] == 0
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_confidence_cross_entropy_is_least_at_the_uniform_target():
    """p = p* gives the entropy of the target, the least that a cross-entropy can be."""
    classes = np.array([[0, 0, 1, 1]], np.int32)
    logits = np.where(np.eye(2)[classes[0]], 0.0, -50.0)[None].astype(np.float32)
    loss = losses.confidence_cross_entropy(
        logits, np.ones([1, 4], bool), classes, "classes"
    )
    np.testing.assert_allclose(loss, [np.log(2)], rtol=1e-6)


def test_masked_out_images_add_nothing_to_sum_and_count():
    term = losses.sum_masked(
        tf.constant([1.0, 2.0, 4.0]),
        tf.constant([10.0, 20.0, 40.0]),
        tf.constant([True, False, True]),
    )
    assert (float(term.total), float(term.count)) == (5.0, 50.0)
    nothing = losses.sum_masked(
        tf.constant([1.0]), tf.constant([1.0]), tf.constant([False])
    )
    assert (float(nothing.total), float(nothing.count)) == (0.0, 0.0)
