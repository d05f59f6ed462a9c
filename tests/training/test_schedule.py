import pytest
import tensorflow as tf

from ehsod_tf.errors import ConfigError
from ehsod_tf.training import WarmupStepDecay, scale_learning_rate


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.03 / 3),
        (50, 0.03 * (1 / 3 + 2 / 3 / 2)),
        (99, 0.03 * (1 / 3 + 2 / 3 * 0.99)),
        (100, 0.03),
        (799, 0.03),
        (800, 0.003),
        (1099, 0.003),
        (1100, 0.0003),
        (10**9, 0.0003),
    ],
)
def test_rate_at_the_corners(step, rate):
    schedule = WarmupStepDecay(0.03, [800, 1100], warmup_steps=100)
    assert float(schedule(step)) == pytest.approx(rate, rel=1e-6)
    compiled = tf.function(schedule)(tf.constant(step, tf.int64))
    assert float(compiled) == pytest.approx(rate, rel=1e-6)


def test_without_warmup_and_boundaries_the_rate_is_constant():
    schedule = WarmupStepDecay(0.03, warmup_steps=0)
    assert float(schedule(0)) == float(schedule(10**6)) == pytest.approx(0.03)


def test_a_boundary_within_the_warmup_applies():
    schedule = WarmupStepDecay(0.03, [50], warmup_steps=100, warmup_factor=0.5)
    assert float(schedule(50)) == pytest.approx(0.003 * 0.75)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"base_learning_rate": "abc"}, "base_learning_rate"),
        ({"base_learning_rate": -0.1}, "base_learning_rate"),
        ({"base_learning_rate": float("nan")}, "base_learning_rate"),
        ({"base_learning_rate": True}, "base_learning_rate"),
        ({"boundaries": [20, 10]}, "boundaries"),
        ({"boundaries": [10.5]}, "boundaries"),
        ({"boundaries": [0]}, "boundaries"),
        ({"boundaries": 10}, "boundaries"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"warmup_steps": 1.5}, "warmup_steps"),
        ({"warmup_factor": 0}, "warmup_factor"),
        ({"warmup_factor": 2.0}, "warmup_factor"),
    ],
)
def test_refuses_wrong_values_by_name(arguments, name):
    with pytest.raises(ConfigError, match=f"^{name} must"):
        WarmupStepDecay(**{"base_learning_rate": 0.1, **arguments})


def test_rate_scales_linearly_with_the_batch():
    assert scale_learning_rate(0.01, 4, 16) == pytest.approx(0.0025)
    with pytest.raises(ConfigError, match="^batch_size must"):
        scale_learning_rate(0.01, 0, 16)
