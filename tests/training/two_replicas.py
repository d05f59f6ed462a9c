"""Trains the toy with one and with two replicas and prints what came out as JSON.

A program of its own, because a process can divide its CPU only before TensorFlow
first uses it.
"""

import json
import tempfile
from pathlib import Path

import tensorflow as tf
from toy_detector import get_weights, make_checkpoints, make_dataset, make_model

from ehsod_tf.errors import NonFiniteLossError
from ehsod_tf.training import train

EPOCHS = 2


def run(devices, stops=(EPOCHS,), **arguments):
    """Trains to each epoch of `stops` with a new model that resumes from the last."""
    strategy = tf.distribute.MirroredStrategy(devices)
    with tempfile.TemporaryDirectory() as folder:
        for seed, epochs in enumerate(stops):
            with strategy.scope():
                # A clip that the gradients of the toy exceed on every step.
                model = make_model(clip_norm=0.05, weight_decay=0.01, seed=seed)
            history = train(
                model,
                make_dataset(batch_size=4, **arguments),
                strategy=strategy,
                epochs=epochs,
                steps_per_epoch=3,
                checkpoints=make_checkpoints(model, Path(folder)),
            )
    return {
        "history": history,
        "weights": [weights.tolist() for weights in get_weights(model)],
    }


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    both = ["CPU:0", "CPU:1"]
    results = {
        "one": run(["CPU:0"]),
        "two": run(both),
        "two_resumed": run(both, stops=(1, EPOCHS)),
    }
    try:
        run(both, broken_id=107)
    except NonFiniteLossError as error:
        results["error"] = str(error)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
