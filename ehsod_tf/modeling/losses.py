"""The loss terms of EHSOD, per element, and the one masked mean that they all share.

Every function here is float32, whatever the precision policy, and none of them knows
which images are strong: they return values per image or per element, and
`sum_masked` alone applies the per-sample mask and forms a `LossTerm`.
"""

import math
from typing import NamedTuple

import tensorflow as tf

from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN, LossTerm

# Stands for a probability that is 0 whatever the network says, and so has no gradient:
# of any class in an image without proposals.
EPSILON = 1e-6
# Takes an element out of a log-sum-exp. Its gradient is 0, where that of -inf is NaN.
_LOG_OF_0 = -1e9


class LogScores(NamedTuple):
    """Image-level scores of classes, as logarithms.

    A probability rounds to 0 or 1, and its gradient vanishes, where a logit is 17 off;
    its logarithm, and that of its complement, do not.

    Attributes:
        present: [..., K] float32, log of the probability that the class is there.
        absent: [..., K] float32, log of the probability that it is not.
    """

    present: tf.Tensor
    absent: tf.Tensor


def sum_masked(values, counts, sample_mask) -> LossTerm:
    """Sums what the masked-in images contribute, each with its weight.

    A masked-out image is multiplied by 0 rather than skipped, so that every variable
    has a gradient in every step and on every replica.

    Args:
        values: [..., B] float32, each image's loss, summed over its elements.
        counts: [..., B] float32, each image's number of elements, the loss's
            denominator.
        sample_mask: [B] bool, images that this loss is defined for; or [B] float32,
            their weights, which count in the denominator too.

    Returns:
        `LossTerm` of [...] each.
    """
    mask = tf.cast(sample_mask, tf.float32)
    return LossTerm(_sum_axis(values * mask, -1), _sum_axis(counts * mask, -1))


def score_sigmoid(logits) -> LogScores:
    """Logarithms of the sigmoid and of its complement: two [..., K] float32."""
    return LogScores(tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits))


def score_softmax(logits) -> LogScores:
    """Logarithms of the softmax over the last axis and of its complement.

    Args:
        logits: [..., K] float32 of two logits or more: a softmax over one says nothing.
    """
    log_p = tf.nn.log_softmax(logits)
    # 1 - p loses its digits only for the largest p: there it is the sum of the others.
    is_top = tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[-1], True, False)
    rest = tf.where(is_top, _LOG_OF_0, log_p)
    others, absent = _log_sum_exp(rest, -1), tf.math.log1p(-tf.exp(rest))
    return LogScores(log_p, tf.where(is_top, others, absent))


def binary_cross_entropy(scores: LogScores, image_labels):
    """BCE of image-level scores against image-level labels (L_CAM-cls, L_MID).

    Args:
        scores: `LogScores` of [..., K].
        image_labels: [..., K] int32, `PRESENT`, `ABSENT` or `UNKNOWN`.

    Returns:
        [..., K] float32; 0 where the label is unknown.
    """
    loss = -tf.where(image_labels == PRESENT, scores.present, scores.absent)
    return tf.where(image_labels == UNKNOWN, 0.0, loss)


def discount_unboxed(logits, boxed_shares):
    """The logit of "there is an object, and it has a box".

    With q the probability of an object and r the share of such objects that have boxes,
    it is the logit of r * q: of r = 1 the logit itself, of r = 0 next to minus infinity
    whatever the network says, and so without a gradient. It is what a place without a
    box is to be compared with: that there is no box says no more than this.

    Args:
        logits: [...] float32.
        boxed_shares: float32 in [0, 1] that broadcast to them.

    Returns:
        [...] float32.
    """
    unboxed = tf.math.softplus(logits + _safe_log(1.0 - boxed_shares))
    return logits + _safe_log(boxed_shares) - unboxed


def _safe_log(values):
    """Logarithm; of 0, what takes an element out of a log-sum-exp."""
    return tf.where(values > 0.0, tf.math.log(tf.maximum(values, EPSILON)), _LOG_OF_0)


def focal_loss(logits, positive, boxed_shares=None, alpha=0.25, gamma=2.0):
    """Sigmoid focal loss (L_CAM-seg).

    The paper's formula weights positives and negatives alike by `alpha`, where Lin et
    al. 2017 weight negatives by ``1 - alpha``; we follow the formula.

    Args:
        logits: [...] float32.
        positive: [...] bool.
        boxed_shares: of the negatives, see `discount_unboxed`; None is 1.

    Returns:
        [...] float32.
    """
    # With z = +logit for positives and -logit for negatives, both terms of the formula
    # are -alpha * (1 - sigmoid(z)) ** gamma * log(sigmoid(z)). The sign is a factor,
    # not a choice by tf.where: that would bring scalars beside maps into the gradient,
    # which TensorFlow's layout optimiser takes for an error.
    is_positive = tf.cast(positive, logits.dtype)
    if boxed_shares is None:
        minus_z = logits * (1.0 - 2.0 * is_positive)
    else:
        negatives = discount_unboxed(logits, boxed_shares)
        minus_z = negatives * (1.0 - is_positive) - logits * is_positive
    return alpha * _modulated_entropy(minus_z, gamma)


def _modulated_entropy(minus_z, gamma):
    """``-sigmoid(-z) ** gamma * log(sigmoid(z))``.

    Its gradient is written out: half the passes over the maps that TensorFlow's takes.
    """

    @tf.custom_gradient
    def compute(minus_z):
        missing = tf.sigmoid(minus_z)
        entropy = tf.math.softplus(minus_z)
        modulation = missing**gamma

        def differentiate(upstream):
            slope = gamma * (1.0 - missing) * entropy + missing
            return upstream * modulation * slope

        return modulation * entropy, differentiate

    return compute(minus_z)


def smooth_l1(predictions, targets, beta: float):
    """Quadratic below `beta`, linear above; Huber loss divided by `beta`."""
    distance = tf.abs(predictions - targets)
    quadratic = 0.5 * distance**2 / beta
    return tf.where(distance < beta, quadratic, distance - 0.5 * beta)


def score_image(class_logits, confidence_logits, valid) -> LogScores:
    """The image's probability g of each class from its proposals (Sec. 3.2).

    ``g_c = sum_i p_ic * s_ic``, where s is the softmax over the foreground classes (no
    background) and p the softmax over the image's valid proposals; so
    ``1 - g_c = sum_i p_ic * (1 - s_ic)``. Where there is one class, s is the softmax
    over this class and background, for else it would be 1 whatever the head says.

    Args:
        class_logits: [B, R, K + 1] float32, background last.
        confidence_logits: [B, R, K] float32.
        valid: [B, R] bool.

    Returns:
        `LogScores` of [B, K].
    """
    if class_logits.shape[-1] == 2:
        s = LogScores(*(log_s[..., :1] for log_s in score_softmax(class_logits)))
    else:
        s = score_softmax(class_logits[..., :-1])
    log_p = log_softmax_over_proposals(confidence_logits, valid)
    has_proposals = tf.reduce_any(valid, axis=1)[:, tf.newaxis]

    def mix(log_s, without_proposals):
        mixed = tf.squeeze(_log_sum_exp(log_p + log_s, 1), axis=1)
        # A sum of probabilities may round to a little more than 1.
        return tf.where(has_proposals, tf.minimum(mixed, 0.0), without_proposals)

    return LogScores(
        mix(s.present, math.log(EPSILON)), mix(s.absent, math.log1p(-EPSILON))
    )


def log_softmax_over_proposals(confidence_logits, valid):
    """Logarithm of p: [B, R, K], normalised over the valid proposals of each image."""
    masked = tf.where(valid[..., tf.newaxis], confidence_logits, _LOG_OF_0)

    # TensorFlow's own would turn this axis into the last one and back.
    @tf.custom_gradient
    def compute(masked):
        shifted = masked - tf.reduce_max(masked, axis=1, keepdims=True)
        total = tf.reduce_sum(tf.exp(shifted), axis=1, keepdims=True)
        log_p = shifted - tf.math.log(total)

        def differentiate(upstream):
            total = tf.reduce_sum(upstream, axis=1, keepdims=True)
            return upstream - tf.exp(log_p) * total

        return log_p, differentiate

    return compute(masked)


def class_cross_entropy(class_logits, classes, boxed_shares=None):
    """Cross-entropy of the classes of regions (L_cls).

    Where objects may be without a box, a region without one is background or such an
    object: ``-log(p_K + sum_c (1 - r_c) p_c)``, with r_c the share of the objects of
    class c that have boxes.

    Args:
        class_logits: [B, R, K + 1] float32, background last.
        classes: [B, R] int64, 0 .. K.
        boxed_shares: [B, R, K] float32 in [0, 1]; None is 1.

    Returns:
        [B, R] float32.
    """
    if boxed_shares is None:
        # The raw operation, for the public one compares shapes in every step.
        loss = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
            features=tf.reshape(class_logits, [-1, class_logits.shape[-1]]),
            labels=tf.reshape(classes, [-1]),
        ).loss
        return tf.reshape(loss, tf.shape(classes))
    num_classes = class_logits.shape[-1] - 1
    is_own = tf.one_hot(classes, num_classes + 1, on_value=True, off_value=False)
    unboxed = tf.pad(
        _safe_log(1.0 - boxed_shares), [[0, 0], [0, 0], [0, 1]], constant_values=0.0
    )
    is_background = (classes == num_classes)[..., tf.newaxis]
    others = tf.where(is_background, unboxed, _LOG_OF_0)
    seen = tf.reduce_logsumexp(class_logits + tf.where(is_own, 0.0, others), axis=-1)
    return tf.reduce_logsumexp(class_logits, axis=-1) - seen


def confidence_cross_entropy(
    confidence_logits, valid, classes, normalizer: str = "rois", boxed_shares=None
):
    """Cross-entropy of the proposal confidence against the assignment (L_proposals).

    The target of class j is uniform over the N_j proposals assigned to it; a class
    without proposals contributes 0.

    Args:
        confidence_logits: [B, R, K] float32.
        valid: [B, R] bool.
        classes: [B, R] int64 of `Rois`; anything outside 0 .. K-1 is no class.
        normalizer: "rois" divides by the image's valid proposals, as the formula has
            it; "classes" by the classes that have proposals.
        boxed_shares: [B, R, K] float32, see `class_cross_entropy`: by this share do
            proposals without a box compete with those of a class. None is 1.

    Returns:
        [B] float32.
    """
    if boxed_shares is not None:
        is_background = classes == confidence_logits.shape[-1]
        shift = tf.where(is_background[..., tf.newaxis], _safe_log(boxed_shares), 0.0)
        confidence_logits += shift
    assigned = tf.one_hot(classes, tf.shape(confidence_logits)[-1])  # [B, R, K]
    per_class = tf.reduce_sum(assigned, axis=1)  # N_j: [B, K]
    log_p = log_softmax_over_proposals(confidence_logits, valid)
    sums = _sum_axis(assigned * log_p, 1)
    cross_entropy = -tf.math.divide_no_nan(sums, per_class)  # [B, K]
    if normalizer == "classes":
        divisor = tf.reduce_sum(tf.cast(per_class > 0, tf.float32), axis=-1)
    else:
        divisor = tf.reduce_sum(tf.cast(valid, tf.float32), axis=-1)
    return tf.math.divide_no_nan(_sum_axis(cross_entropy, -1), divisor)


def absent_class_loss(class_logits, valid, image_labels):
    """How much of its regions an image gives to classes that its labels call absent.

    ``-log(1 - m_i)``, averaged over the image's valid regions i, where m_i is the share
    of the absent classes in the softmax over classes and background. Not in the paper.

    Args:
        class_logits: [B, R, K + 1] float32, background last.
        valid: [B, R] bool.
        image_labels: [B, K] int32, `PRESENT`, `ABSENT` or `UNKNOWN`.

    Returns:
        [B] float32; 0 for an image without valid regions.
    """
    kept = tf.pad(image_labels != ABSENT, [[0, 0], [0, 1]], constant_values=True)
    kept_logits = tf.where(kept[:, tf.newaxis], class_logits, _LOG_OF_0)
    losses = tf.reduce_logsumexp(class_logits, axis=-1) - tf.reduce_logsumexp(
        kept_logits, axis=-1
    )
    weights = tf.cast(valid, tf.float32)
    return tf.math.divide_no_nan(
        tf.reduce_sum(losses * weights, axis=1), tf.reduce_sum(weights, axis=1)
    )


def _sum_axis(values, axis: int):
    """Sum over one axis. Else a gradient goes through the host of a GPU."""
    return tf.squeeze(tf.reduce_sum(values, axis=axis, keepdims=True), axis=axis)


def _log_sum_exp(values, axis: int):
    """Logarithm of the sum of exponentials over an axis, which stays, with length 1.

    Its gradient is written out, in three operations in place of a dozen.
    """

    @tf.custom_gradient
    def compute(values):
        result = tf.reduce_logsumexp(values, axis=axis, keepdims=True)
        return result, lambda upstream: upstream * tf.exp(values - result)

    return compute(values)
