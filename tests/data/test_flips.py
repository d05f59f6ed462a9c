import numpy as np
import tensorflow as tf

from ehsod_tf.data.input.flips import draw_flips


def test_flips_are_the_draws_of_tensorflow(rng):
    positions = np.concatenate([np.arange(50), rng.integers(0, 2**40, 50)])
    for seed in (0, 1, 12345, 2**40 + 7, -3):
        expected = [
            tf.random.stateless_uniform([], seed=tf.constant([seed, p], tf.int64)) < 0.5
            for p in positions
        ]
        np.testing.assert_array_equal(draw_flips(seed, positions), expected)


def test_half_of_the_images_are_flipped():
    flips = draw_flips(0, np.arange(20_000).reshape(100, 200))
    assert flips.shape == (100, 200) and flips.dtype == bool
    # Five standard deviations.
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / 20_000**0.5
