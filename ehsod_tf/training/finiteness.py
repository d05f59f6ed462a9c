"""Stopping where a loss is NaN or infinite, with what is needed to find out why."""

import math
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from ehsod_tf.errors import NonFiniteLossError
from ehsod_tf.structures import Batch
from ehsod_tf.training.batch_dump import DUMPED_FIELDS, write_batch_dump
from ehsod_tf.training.strategy import count_machines


def require_finite(
    logs: Mapping[str, float],
    step: int,
    strategy: tf.distribute.Strategy,
    batch: Batch,
    dump_dir: str | None,
) -> None:
    """Checks the scalars of a step, which are the same on all machines.

    Args:
        logs: the scalars, ``learning_rate`` among them.
        step: number of the step, from 1.
        strategy: over whose replicas the batch is distributed.
        batch: the distributed `Batch`.
        dump_dir: folder for ``nonfinite_step_<step>.npz``, or None. Several machines
            write ``nonfinite_step_<step>_worker_<index>.npz``, each its own rows.

    Raises:
        NonFiniteLossError: one is NaN or infinite, or the loss scale is below 1.
    """
    broken = {name: value for name, value in logs.items() if not math.isfinite(value)}
    if logs.get("loss_scale", 1.0) < 1.0:
        # Scales that low come only from gradients that are not finite at any scale.
        broken["loss_scale"] = logs["loss_scale"]
    if not broken:
        return
    image_ids = strategy.gather(batch.image_ids, axis=0).numpy().tolist()
    dump = ""
    if dump_dir is not None:
        path = os.path.join(dump_dir, _name_dump(step, strategy))
        write_batch_dump(path, _join_rows(strategy, batch), logs, step)
        dump = f"; the batch is in {path}"
    terms = ", ".join(f"{name} = {value}" for name, value in broken.items())
    raise NonFiniteLossError(
        f"step {step}: {terms} at learning rate {logs['learning_rate']:g}; images "
        f"{image_ids}; look at these images' boxes, or lower the learning rate{dump}. "
        "The last checkpoint is from before this step"
    )


def _name_dump(step, strategy):
    if count_machines(strategy) == 1:
        return f"nonfinite_step_{step}.npz"
    return f"nonfinite_step_{step}_worker_{strategy.cluster_resolver.task_id}.npz"


def _join_rows(strategy, batch: Batch):
    """Puts this machine's rows of a distributed batch together again, as arrays."""

    def concatenate(values):
        parts = strategy.experimental_local_results(values)
        if parts[0] is None:  # What no image of the set has.
            return None
        return np.concatenate([part.numpy() for part in parts])

    targets = type(batch.targets)(*map(concatenate, batch.targets))
    fields = {name: concatenate(getattr(batch, name)) for name in DUMPED_FIELDS}
    return Batch(**fields, targets=targets)
