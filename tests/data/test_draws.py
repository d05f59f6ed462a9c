import numpy as np
import pytest

from ehsod_tf.data.input.draws import draw_uniforms


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**40 + 7, -3])
def test_a_position_has_its_own_draws(seed):
    draws = draw_uniforms(seed, 0, 100)
    for first, count in ((0, 1), (0, 37), (5, 1), (37, 63), (99, 1)):
        part = draw_uniforms(seed, first, count)
        np.testing.assert_array_equal(part, draws[first : first + count])


def test_the_draws_of_a_seed_never_change():
    """A run that goes on with another NumPy sees the images that it would have seen."""
    expected = [
        [0.49725443, 0.32480413, 0.6317158, 0.32397652],
        [0.4605837, 0.8796375, 0.3144549, 0.089494705],
    ]
    np.testing.assert_allclose(draw_uniforms(7, 2**40, 2), expected, atol=1e-7)


def test_they_are_uniform_and_independent():
    draws = draw_uniforms(0, 0, 20_000)
    assert draws.shape == (20_000, 4) and draws.dtype == np.float32
    assert 0 <= draws.min() and draws.max() < 1
    # Five standard deviations.
    assert (abs((draws < 0.5).mean(axis=0) - 0.5) < 5 * 0.5 / 20_000**0.5).all()
    other = draw_uniforms(1, 0, 19_999)
    correlations = np.corrcoef(np.concatenate([draws[1:], draws[:-1], other], axis=1).T)
    assert abs(correlations - np.eye(12)).max() < 5 / 20_000**0.5
