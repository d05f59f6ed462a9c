import numpy as np
import tensorflow as tf

from ehsod_tf.data.input.draws import draw_uniforms


def test_they_are_the_draws_of_tensorflow(rng):
    positions = np.concatenate([np.arange(50), rng.integers(0, 2**40, 50)])
    for seed in (0, 1, 12345, 2**40 + 7, -3):
        expected = [
            tf.random.stateless_uniform([4], seed=tf.constant([seed, p], tf.int64))
            for p in positions
        ]
        np.testing.assert_array_equal(draw_uniforms(seed, positions), expected)


def test_they_are_uniform_and_independent():
    draws = draw_uniforms(0, np.arange(20_000).reshape(100, 200))
    assert draws.shape == (100, 200, 4) and draws.dtype == np.float32
    draws = draws.reshape(-1, 4)
    # Five standard deviations.
    assert (abs((draws < 0.5).mean(axis=0) - 0.5) < 5 * 0.5 / 20_000**0.5).all()
    correlations = np.corrcoef(np.concatenate([draws[1:], draws[:-1]], axis=1).T)
    assert abs(correlations - np.eye(8)).max() < 5 / 20_000**0.5
