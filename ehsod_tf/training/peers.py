"""What the machines of a run agree on, and what happens when one of them is lost.

All functions here that take a strategy must be called on every machine at the same
point, and cost nothing where there is one machine only.
"""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from ehsod_tf.errors import ConfigError, WorkerLostError
from ehsod_tf.training.strategy import count_machines

# Unavailable: a machine or its network is down. Aborted, and by TensorFlow's own
# health check also the others: it is down and was started again.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.FailedPreconditionError,
    tf.errors.DeadlineExceededError,
)


def agree(strategy: tf.distribute.Strategy, wish: bool) -> bool:
    """Returns whether any machine wishes it."""
    if count_machines(strategy) == 1:
        return wish
    return float(strategy.reduce("SUM", tf.constant(float(wish)), axis=None)) > 0


def require_same_step(strategy: tf.distribute.Strategy, step: int) -> None:
    """Raises a `ConfigError` on all machines unless all go on from the same step."""
    machines = count_machines(strategy)
    if machines == 1:
        return
    own = tf.one_hot(strategy.cluster_resolver.task_id, machines, step, 0, 0, tf.int64)
    steps = strategy.reduce("SUM", own, axis=None).numpy().tolist()
    if len(set(steps)) > 1:
        raise ConfigError(
            "the machines would go on from different checkpoints, of steps "
            f"{', '.join(map(str, steps))} in the order of TF_CONFIG: give all of them "
            "the same model_dir, and initial_weights where there are any, on a file "
            "system that they share"
        )


@contextlib.contextmanager
def naming_lost_machines(strategy: tf.distribute.Strategy, step: int) -> Iterator[None]:
    """Raises a `WorkerLostError` where TensorFlow finds that a machine is gone."""
    try:
        yield
    except _LOST as error:
        if count_machines(strategy) == 1:
            raise
        reason = str(error).partition("Collective ops is aborted by: ")
        reason = (reason[2] or reason[0]).strip().partition("\n")[0].rstrip(":")
        raise WorkerLostError(
            f"step {step}: another machine of the run is gone ({reason}); look at its "
            "log, and start all machines again to go on from the last checkpoint"
        ) from error
