"""The operations for other runtimes give what the reference gives within an image."""

import numpy as np
import pytest
import tensorflow as tf
from random_inputs import make_candidates, make_pyramid

from ehsod_tf import ops
from ehsod_tf.ops import portable, reference

EXTENT = 256


def make_inner_boxes(rng, *, batch=2, count=12):
    """Within the image, as a detector's are; of a pixel and of the whole image too."""
    limits = np.array([EXTENT, EXTENT * 3 // 2], np.float32)
    corners = np.sort(rng.uniform(0, 1, [batch, 2, count, 2]), axis=1) * limits
    boxes = np.concatenate([corners[:, 0], corners[:, 1]], axis=-1)
    boxes[:, 0] = [0, 0, *limits]
    boxes[:, 1] = [*(limits - 1), *limits]
    boxes[:, 2, 2:] = boxes[:, 2, :2]
    return tf.constant(boxes, tf.float32)


@pytest.mark.parametrize(("output_size", "sampling_ratio"), [(7, 2), (3, 1)])
def test_roi_align(output_size, sampling_ratio):
    rng = np.random.default_rng(0)
    features = {k: tf.constant(v) for k, v in make_pyramid(rng, extent=EXTENT).items()}
    boxes = make_inner_boxes(rng)
    settings = features, boxes, output_size, sampling_ratio
    np.testing.assert_allclose(
        portable.multilevel_roi_align(*settings),
        reference.multilevel_roi_align(*settings),
        atol=1e-5,
    )


@pytest.mark.parametrize("max_outputs", [5, 200])
@pytest.mark.parametrize("by_class", [True, False])
def test_non_max_suppression(max_outputs, by_class):
    boxes, scores, classes = map(tf.constant, make_candidates(np.random.default_rng(1)))
    # A score for each row: the order of equal ones is not promised across classes.
    scores += tf.range(scores.shape[1], dtype=tf.float32) * -1e-4
    scores = tf.where(classes >= 0, scores, -float("inf"))
    settings = boxes, scores, classes if by_class else None, 0.5, max_outputs, 0.2
    rows, counts = portable.non_max_suppression(*settings, num_classes=4)
    expected_rows, expected_counts = reference.non_max_suppression(*settings)
    np.testing.assert_array_equal(counts, expected_counts)
    np.testing.assert_array_equal(rows, expected_rows)
    assert 0 < counts.numpy().min() <= max_outputs


def test_integrals_over_boxes():
    """Within float32's rounding of the box itself, also for small boxes far out."""
    rng = np.random.default_rng(2)
    maps = {
        level: tf.constant(
            rng.uniform(size=[2, EXTENT >> level, 384 >> level]), tf.float32
        )
        for level in (2, 3)
    }
    settings = maps, make_inner_boxes(rng), tf.constant([0, 1] * 6)
    for value, expected in zip(
        portable.integrate_over_boxes(*settings),
        reference.integrate_over_boxes(*settings),
        strict=True,
    ):
        assert value.dtype == tf.float32
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_replacements_hold_within_the_block_and_for_auto_only():
    rng = np.random.default_rng(3)
    boxes = tf.constant(rng.uniform(size=[1, 3, 4]), tf.float32)
    settings = {0: tf.ones([1, 8, 8])}, boxes, tf.zeros([3], tf.int32)
    with ops.use_replacements(portable):
        assert ops.integrate_over_boxes(*settings)[0].dtype == tf.float32
    assert ops.integrate_over_boxes(*settings)[0].dtype == tf.float64
    boxes, scores, _ = map(tf.constant, make_candidates(rng))
    with ops.use_replacements(portable), pytest.raises(TypeError):
        # A batch of unknown size is what portable operations cannot do.
        _trace(boxes, scores, "auto")
    with ops.use_replacements(portable):
        _trace(boxes, scores, "stock")


def _trace(boxes, scores, backend):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, *tensor.shape[1:]]) for tensor in (boxes, scores)
        ],
        autograph=False,
    )
    def suppress(boxes, scores):
        return ops.non_max_suppression(
            boxes, scores, iou_threshold=0.5, max_outputs=5, backend=backend
        )

    return suppress(boxes, scores)
