"""The loss terms of EHSOD, per element, and the one masked mean that they all share.

Every function here is float32, whatever the precision policy, and none of them knows
which images are strong: they return values per image or per element, and
`sum_masked` alone applies the per-sample mask and forms a `LossTerm`.
"""

import tensorflow as tf

from ehsod_tf.structures import PRESENT, UNKNOWN, LossTerm

# Probabilities are clamped this far from 0 and 1 before a logarithm; TensorFlow's own
# binary cross-entropy on probabilities gives infinities there.
EPSILON = 1e-6


def sum_masked(values, counts, sample_mask) -> LossTerm:
    """Sums what the masked-in images contribute.

    A masked-out image is multiplied by 0 rather than skipped, so that every variable
    has a gradient in every step and on every replica.

    Args:
        values: [B] float32, each image's loss, summed over its elements.
        counts: [B] float32, each image's number of elements, the loss's denominator.
        sample_mask: [B] bool, images that this loss is defined for.
    """
    mask = tf.cast(sample_mask, tf.float32)
    return LossTerm(tf.reduce_sum(values * mask), tf.reduce_sum(counts * mask))


def binary_cross_entropy(probabilities, image_labels):
    """BCE of image-level probabilities against image-level labels (L_CAM-cls, L_MID).

    Args:
        probabilities: [..., K] float32.
        image_labels: [..., K] int32, `PRESENT`, `ABSENT` or `UNKNOWN`.

    Returns:
        [..., K] float32; 0 where the label is unknown.
    """
    p = tf.clip_by_value(probabilities, EPSILON, 1.0 - EPSILON)
    loss = -tf.where(image_labels == PRESENT, tf.math.log(p), tf.math.log(1.0 - p))
    return tf.where(image_labels == UNKNOWN, 0.0, loss)


def focal_loss(logits, positive, alpha=0.25, gamma=2.0):
    """Sigmoid focal loss (L_CAM-seg).

    The paper's formula weights positives and negatives alike by `alpha`, where Lin et
    al. 2017 weight negatives by ``1 - alpha``; we follow the formula.

    Args:
        logits: [...] float32.
        positive: [...] bool.

    Returns:
        [...] float32.
    """
    # With z = +logit for positives and -logit for negatives, both terms of the formula
    # are -alpha * (1 - sigmoid(z)) ** gamma * log(sigmoid(z)).
    z = tf.where(positive, logits, -logits)
    return -alpha * tf.sigmoid(-z) ** gamma * tf.math.log_sigmoid(z)


def smooth_l1(predictions, targets, beta: float):
    """Quadratic below `beta`, linear above; Huber loss divided by `beta`."""
    distance = tf.abs(predictions - targets)
    quadratic = 0.5 * distance**2 / beta
    return tf.where(distance < beta, quadratic, distance - 0.5 * beta)


def score_image(class_logits, confidence_logits, valid):
    """The image's probability g of each class from its proposals (Sec. 3.2).

    ``g_c = sum_i p_ic * s_ic``, where s is the softmax over the foreground classes (no
    background) and p the softmax over the image's valid proposals.

    Args:
        class_logits: [B, R, K + 1] float32, background last.
        confidence_logits: [B, R, K] float32.
        valid: [B, R] bool.

    Returns:
        [B, K] float32 in [0, 1].
    """
    s = tf.nn.softmax(class_logits[..., :-1])
    p = tf.exp(log_softmax_over_proposals(confidence_logits, valid))
    return tf.reduce_sum(s * tf.where(valid[..., tf.newaxis], p, 0.0), axis=1)


def log_softmax_over_proposals(confidence_logits, valid):
    """Logarithm of p: [B, R, K], normalised over the valid proposals of each image."""
    masked = tf.where(valid[..., tf.newaxis], confidence_logits, -1e9)
    return tf.nn.log_softmax(masked, axis=1)


def confidence_cross_entropy(
    confidence_logits, valid, classes, normalizer: str = "rois"
):
    """Cross-entropy of the proposal confidence against the assignment (L_proposals).

    The target of class j is uniform over the N_j proposals assigned to it; a class
    without proposals contributes 0.

    Args:
        confidence_logits: [B, R, K] float32.
        valid: [B, R] bool.
        classes: [B, R] int32 of `Rois`; anything outside 0 .. K-1 is no class.
        normalizer: "rois" divides by the image's valid proposals, as the formula has
            it; "classes" by the classes that have proposals.

    Returns:
        [B] float32.
    """
    assigned = tf.one_hot(classes, tf.shape(confidence_logits)[-1])  # [B, R, K]
    per_class = tf.reduce_sum(assigned, axis=1)  # N_j: [B, K]
    log_p = log_softmax_over_proposals(confidence_logits, valid)
    sums = tf.reduce_sum(assigned * log_p, axis=1)
    cross_entropy = -tf.math.divide_no_nan(sums, per_class)  # [B, K]
    if normalizer == "classes":
        divisor = tf.reduce_sum(tf.cast(per_class > 0, tf.float32), axis=-1)
    else:
        divisor = tf.reduce_sum(tf.cast(valid, tf.float32), axis=-1)
    return tf.math.divide_no_nan(tf.reduce_sum(cross_entropy, axis=-1), divisor)
