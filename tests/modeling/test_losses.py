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


@pytest.mark.parametrize("gamma", [0.0, 1.5, 2.0])
def test_gradient_of_the_focal_loss_is_that_of_its_formula(gamma):
    logits = tf.constant(np.linspace(-8, 8, 40), tf.float32)
    positive = tf.constant(np.arange(40) % 3 == 0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        z = tf.where(positive, logits, -logits)
        formula = -0.25 * tf.sigmoid(-z) ** gamma * tf.math.log_sigmoid(z)
        loss = losses.focal_loss(logits, positive, gamma=gamma)
    np.testing.assert_allclose(loss, formula, rtol=1e-5)
    expected = tape.gradient(formula, logits)
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-6)


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


@pytest.mark.parametrize("label", [0, 1])
def test_the_only_class_is_scored_against_background(label):
    class_logits, confidence_logits = _draw(1, 5, 2), _draw(1, 5, 1)
    valid = np.array([[True, True, True, True, False]])

    def compute(class_logits, confidence_logits):
        scores = losses.score_image(class_logits, confidence_logits, valid)
        return losses.binary_cross_entropy(scores, tf.constant([[label]]))

    loss, gradients = _differentiate(compute, class_logits, confidence_logits)
    s = [oracles.softmax(row)[0] for row in class_logits[0, :4].astype(np.float64)]
    p = oracles.softmax(confidence_logits[0, :4, 0])
    expected = oracles.binary_cross_entropy([np.dot(p, s)], [label])
    np.testing.assert_allclose(loss, [[expected]], rtol=1e-5)
    of_class, of_background = gradients[0][0, :4].T
    assert (of_class * (-1) ** label > 0).all()
    np.testing.assert_allclose(of_background, -of_class, rtol=1e-4, atol=1e-7)
    assert gradients[1][0, :4].any() and not gradients[1][0, 4].any()


def test_image_without_proposals_scores_0_with_a_finite_gradient():
    valid = np.zeros([1, 5], bool)
    loss, gradients = _differentiate(
        lambda *logits: losses.binary_cross_entropy(
            losses.score_image(*logits, valid), tf.constant([[1, 0, 1]])
        ),
        _draw(1, 5, 4),
        _draw(1, 5, 3),
    )
    wanted = [[-np.log(1e-6), 1e-6, -np.log(1e-6)]]
    np.testing.assert_allclose(loss, wanted, rtol=1e-5)
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def _differentiate_mid(class_logits, confidence_logits, labels):
    """Gradients of L_MID of one image in float64, by the chain rule.

    1 - s and 1 - g are sums of what is left, which keep their digits where s is near 1.
    """
    num_classes = len(labels)
    s = np.array([oracles.softmax(row[:-1]) for row in class_logits])
    p = np.array([oracles.softmax(column) for column in confidence_logits.T]).T
    rest = np.array(
        [[row[np.arange(num_classes) != k].sum() for k in range(num_classes)]
         for row in s]
    )  # fmt: skip
    g, not_g = (p * s).sum(axis=0), (p * rest).sum(axis=0)
    d_g = np.where(labels == 1, -1 / g, 1 / not_g)
    d_s = p * d_g
    d_class = s * (d_s - (d_s * s).sum(axis=1, keepdims=True))
    d_p = s * d_g
    d_confidence = p * (d_p - (d_p * p).sum(axis=0))
    return np.pad(d_class, [(0, 0), (0, 1)]), d_confidence


@pytest.mark.parametrize("behind", [0, 5, 10, 13, 20])
@pytest.mark.parametrize("labels", [[1, 0, 0], [1, 1, 0], [0, 1, -1]])
def test_mid_teaches_a_class_however_far_behind_it_is(behind, labels):
    """Class 0 is `behind` the others, and class 2 ahead, in every region."""
    labels = np.array(labels, np.int32)
    class_logits = _draw(1, 6, 4, scale=0.5) - np.float32([behind, 0, -behind / 2, 0])
    confidence_logits = _draw(1, 6, 3, scale=0.5)
    valid = np.ones([1, 6], bool)
    _, gradients = _differentiate(
        lambda *logits: losses.binary_cross_entropy(
            losses.score_image(*logits, valid), labels[np.newaxis]
        ),
        class_logits,
        confidence_logits,
    )
    known = np.where(labels == -1, 0, 1)
    expected = _differentiate_mid(
        class_logits[0].astype(np.float64), confidence_logits[0].astype(np.float64),
        labels,
    )  # fmt: skip
    if -1 not in labels:
        np.testing.assert_allclose(gradients[0][0], expected[0], rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(
        gradients[1][0], expected[1] * known, rtol=2e-3, atol=1e-6
    )
    if labels[0] == 1:
        # All of -1 reaches a class that is far behind, less where it leads already.
        assert gradients[0][0, :, 0].sum() < -0.5


@pytest.mark.parametrize("reach", [1.0, 10.0])
def test_mid_summed_over_classes_pulls_alike_whatever_their_number(reach):
    """Why "sum" stays the default of `mid_reduction`: "mean" is a K-th of it."""
    pulls = {}
    for num_classes in (6, 20, 80):
        labels = np.zeros([4, num_classes], np.int32)
        labels[:, :2] = 1
        class_logits = _draw(4, 32, num_classes + 1, scale=reach / 10)
        confidence_logits = _draw(4, 32, num_classes, scale=reach / 10)
        _, (gradient, _) = _differentiate(
            lambda *logits, labels=labels: losses.binary_cross_entropy(
                losses.score_image(*logits, np.ones([4, 32], bool)), labels
            ),
            class_logits,
            confidence_logits,
        )
        pulls[num_classes] = np.abs(gradient).sum() / 4
    assert max(pulls.values()) < 1.5 * min(pulls.values())


def test_absent_class_loss_equals_the_formula():
    class_logits = _draw(4, 5, 4)
    valid = np.ones([4, 5], bool)
    valid[1, 3:] = False
    valid[3] = False
    labels = np.array([[1, 0, 0], [0, -1, 0], [0, 0, 0], [1, 0, 0]], np.int32)
    loss = losses.absent_class_loss(tf.constant(class_logits), valid, labels)
    expected = [
        oracles.head_absent(class_logits[b][valid[b]], labels[b]) for b in range(4)
    ]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert loss[3] == 0
    nothing_absent = np.array([[1, -1, 1]], np.int32)
    loss = losses.absent_class_loss(
        tf.constant(class_logits[:1]), valid[:1], nothing_absent
    )
    np.testing.assert_allclose(loss, [0], atol=1e-6)


@pytest.mark.parametrize("ahead", [0.0, 13.0, 40.0])
def test_absent_class_loss_teaches_background_however_far_an_absent_class_leads(ahead):
    """A region's gradient is softmax minus softmax over the kept classes."""
    class_logits = _draw(1, 4, 4, scale=0.5) + np.float32([ahead, 0, 0, 0])
    labels = np.array([[0, 0, -1]], np.int32)
    _, (gradient,) = _differentiate(
        lambda logits: losses.absent_class_loss(logits, np.ones([1, 4], bool), labels),
        class_logits,
    )
    for logits, row in zip(
        class_logits[0].astype(np.float64), gradient[0], strict=True
    ):
        wanted = oracles.softmax(logits)
        wanted[2:] -= oracles.softmax(logits[2:])
        np.testing.assert_allclose(row, wanted / 4, rtol=1e-4, atol=1e-6)
    assert (gradient[0, :, 3] < 0).all() and (gradient[0, :, 0] > 0).all()


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
