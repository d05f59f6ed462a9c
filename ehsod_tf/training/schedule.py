"""The learning rate over the steps of a run."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral, Real

import keras
import tensorflow as tf

from ehsod_tf.errors import ConfigError, require_count


@keras.saving.register_keras_serializable(package="ehsod_tf")
class WarmupStepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up, then a constant rate, divided by ten at given steps.

    The rate of step s, counted from 0, is::

        base_learning_rate / 10 ** (number of boundaries <= s)
            * (warmup_factor + (1 - warmup_factor) * min(1, s / warmup_steps))

    The paper leaves open the length and start of the warm-up; the defaults are those
    of the framework that it builds on.

    Args:
        base_learning_rate: the rate after the warm-up, for the batch in use; see
            `scale_learning_rate`.
        boundaries: the first step of each lower rate, ascending.
        warmup_steps: length of the warm-up, 0 for none.
        warmup_factor: the first step's share of the rate, in (0, 1].

    Raises:
        ConfigError: a value has the wrong type or lies outside its range.
    """

    def __init__(
        self,
        base_learning_rate: float,
        boundaries: Sequence[int] = (),
        warmup_steps: int = 500,
        warmup_factor: float = 1 / 3,
    ):
        _require_positive("base_learning_rate", base_learning_rate)
        _require_positive("warmup_factor", warmup_factor)
        if warmup_factor > 1:
            raise ConfigError(f"warmup_factor must be at most 1, not {warmup_factor}")
        require_count("warmup_steps", warmup_steps, least=0)
        _require_ascending_steps(boundaries)
        self.base_learning_rate = float(base_learning_rate)
        self.boundaries = [int(boundary) for boundary in boundaries]
        self.warmup_steps = int(warmup_steps)
        self.warmup_factor = float(warmup_factor)

    def __call__(self, step):
        step = tf.cast(step, tf.int64)
        rates = [
            self.base_learning_rate / 10**i for i in range(len(self.boundaries) + 1)
        ]
        passed = tf.reduce_sum(
            tf.cast(step >= tf.constant(self.boundaries, tf.int64), tf.int64)
        )
        rate = tf.gather(tf.constant(rates, tf.float32), passed)
        if self.warmup_steps == 0:
            return rate
        progress = tf.minimum(1.0, tf.cast(step, tf.float32) / self.warmup_steps)
        return rate * (self.warmup_factor + (1.0 - self.warmup_factor) * progress)

    def get_config(self):
        return {
            "base_learning_rate": self.base_learning_rate,
            "boundaries": self.boundaries,
            "warmup_steps": self.warmup_steps,
            "warmup_factor": self.warmup_factor,
        }


def scale_learning_rate(
    learning_rate: float, batch_size: int, reference_batch_size: int
) -> float:
    """Scales a learning rate linearly with the global batch.

    Args:
        learning_rate: the rate that suits `reference_batch_size`.
        batch_size: images a step over all replicas.
        reference_batch_size: images a step for which `learning_rate` was chosen.

    Returns:
        learning_rate * batch_size / reference_batch_size.

    Raises:
        ConfigError: a value has the wrong type or is not positive.
    """
    _require_positive("learning_rate", learning_rate)
    require_count("batch_size", batch_size)
    require_count("reference_batch_size", reference_batch_size)
    return float(learning_rate) * batch_size / reference_batch_size


def _is_integer(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def _require_positive(name, value):
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 < value < float("inf"):
        raise ConfigError(f"{name} must be a number above 0, not {value!r}")


def _require_ascending_steps(boundaries):
    is_list = isinstance(boundaries, Sequence) and not isinstance(boundaries, str)
    if not is_list or not all(_is_integer(b) and b > 0 for b in boundaries):
        raise ConfigError(
            f"boundaries must be a list of step numbers above 0, not {boundaries!r}"
        )
    if any(a >= b for a, b in pairwise(boundaries)):
        raise ConfigError(f"boundaries must ascend, not {list(boundaries)}")
