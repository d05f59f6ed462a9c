"""The feature pyramid."""

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.modeling import FeaturePyramid
from ehsod_tf.modeling import fpn as fpn_module


@pytest.fixture(scope="module")
def fpn():
    layer = FeaturePyramid(4)
    layer.build({level: (None, None, None, level) for level in range(2, 6)})
    return layer


def _draw_features(height, width):
    rng = np.random.default_rng(0)
    return {
        level: tf.constant(
            rng.standard_normal([2, height // 2**level, width // 2**level, level]),
            tf.float32,
        )
        for level in range(2, 6)
    }


def test_every_level_has_equal_channels_and_its_own_stride(fpn):
    pyramid = fpn(_draw_features(96, 160))
    assert {level: tuple(maps.shape) for level, maps in pyramid.items()} == {
        2: (2, 24, 40, 4),
        3: (2, 12, 20, 4),
        4: (2, 6, 10, 4),
        5: (2, 3, 5, 4),
        6: (2, 2, 3, 4),
    }


def test_p6_is_every_second_cell_of_p5(fpn):
    pyramid = fpn(_draw_features(96, 160))
    expected = tf.nn.max_pool2d(pyramid[5], ksize=1, strides=2, padding="VALID")
    np.testing.assert_array_equal(pyramid[6], expected)
    np.testing.assert_array_equal(pyramid[6], pyramid[5][:, ::2, ::2])


def test_coarse_levels_reach_fine_ones_and_not_the_other_way_round(fpn):
    features = _draw_features(64, 64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(features)
        pyramid = fpn(features)
    for target, source in np.ndindex(4, 4):
        target, source = target + 2, source + 2
        gradient = tape.gradient(pyramid[target], features[source])
        assert (gradient is not None) == (source >= target)


def test_each_coarse_cell_is_added_to_its_four_fine_cells(fpn):
    features = {level: tf.zeros_like(maps) for level, maps in
                _draw_features(64, 64).items()}  # fmt: skip
    cells = np.zeros([2, 2, 2, 5], np.float32)
    cells[:, 0, 1] = 1
    features[5] = tf.constant(cells)
    merged = tf.repeat(tf.repeat(fpn.laterals["5"](features[5]), 2, axis=1), 2, axis=2)
    expected = fpn.outputs["4"](merged)
    np.testing.assert_allclose(fpn(features)[4], expected, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 96), (72, 40)])
def test_gradient_of_the_repetition_is_that_of_repeating_and_cutting(size):
    """Also where the finer level is one cell short of twice the coarser one."""
    rng = np.random.default_rng(1)
    maps = tf.constant(
        rng.standard_normal([2, -(-size[0] // 16), -(-size[1] // 16), 3])
    )
    fine = -(-size[0] // 8), -(-size[1] // 8)
    weights = rng.standard_normal([2, *fine, 3])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(maps)
        ours = fpn_module._upsample(maps, tf.constant(fine))
        repeated = tf.repeat(tf.repeat(maps, 2, axis=1), 2, axis=2)
        expected = repeated[:, : fine[0], : fine[1]]
        totals = [tf.reduce_sum(k * weights) for k in (ours, expected)]
    np.testing.assert_array_equal(ours, expected)
    gradients = [tape.gradient(total, maps) for total in totals]
    np.testing.assert_allclose(*gradients, rtol=1e-6)
