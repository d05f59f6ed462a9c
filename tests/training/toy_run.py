"""A run of 20 steps with the toy, in lives that a campaign can end."""

import functools
import hashlib
import json
import os
from pathlib import Path

import keras
import tensorflow as tf
from toy_detector import get_weights, make_dataset, make_model

from ehsod_tf.training import (
    Checkpoints,
    HistoryCsv,
    WarmupStepDecay,
    create_strategy,
    ema_weights,
    is_chief,
    train,
)

EPOCHS = 4
STEPS_PER_EPOCH = 5
NUM_STEPS = EPOCHS * STEPS_PER_EPOCH
IDENTITY = {"seed": 3, "batch_size": 4}


class StepLog(keras.callbacks.Callback):
    """Appends a line of the step's number and scalars, to the last bit, to a file."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def on_epoch_begin(self, epoch, logs=None):
        self._steps_before = epoch * self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        step = self._steps_before + batch + 1
        with open(self._path, "a") as file:
            file.write(json.dumps([step, logs]) + "\n")


@functools.cache
def make_strategy(replicas):
    """One a process: the collective operations of two would meet under one key."""
    if "TF_CONFIG" in os.environ:
        return create_strategy()
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])


def make_run_model():
    schedule = WarmupStepDecay(0.1, [15], warmup_steps=6)
    return make_model(learning_rate=schedule, clip_norm=0.5, use_ema=True)


def go_on(folder, replicas, callbacks=(), save_every=3):
    """Trains in `folder` from where the run is to its end, and notes the outcome."""
    folder = Path(folder)
    os.makedirs(folder, exist_ok=True)
    strategy = make_strategy(replicas)
    with strategy.scope():
        model = make_run_model()
    checkpoints = Checkpoints(
        model,
        folder / "checkpoints",
        keep=2,
        identity=IDENTITY,
        best_metric="score",
        is_writer=is_chief(strategy),
    )
    outputs = [StepLog(folder / "steps.txt"), HistoryCsv(folder / "history.csv")]
    if not is_chief(strategy):
        outputs = []

    def evaluate():
        # Rises and falls, so that the best epoch is not the last.
        with ema_weights(model):
            averages = get_weights(model)[2]
        return {
            "score": float(abs(get_weights(model)[2].sum())),
            "ema": float(averages.sum()),
        }

    history = train(
        model,
        make_dataset(batch_size=4),
        strategy=strategy,
        epochs=EPOCHS,
        steps_per_epoch=STEPS_PER_EPOCH,
        checkpoints=checkpoints,
        save_every=save_every,
        callbacks=[*outputs, *callbacks],
        evaluate=evaluate if is_chief(strategy) else None,
    )
    if not is_chief(strategy):
        return model
    outcome = {
        "model": hash_variables(model.variables),
        "optimizer": hash_variables(model.optimizer.variables),
        "history": history,
        "best": checkpoints.best,
        "steps": read_steps(folder / "steps.txt"),
        "history.csv": (folder / "history.csv").read_text(),
    }
    (folder / "outcome.json").write_text(json.dumps(outcome))
    return model


def read_steps(path):
    """The scalars of each step, from 1; a step that a kill made repeat must repeat."""
    scalars = {}
    for line in Path(path).read_text().splitlines():
        step, logs = json.loads(line)
        assert scalars.setdefault(step, logs) == logs, f"step {step} came out otherwise"
    assert list(scalars) == list(range(1, NUM_STEPS + 1))
    return list(scalars.values())


def hash_variables(variables):
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
