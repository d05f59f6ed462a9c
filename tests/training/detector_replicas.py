"""Trains the small detector for ten steps; writes the losses and weights to a file.

Usage: detector_replicas.py OUTPUT [NUM_DEVICES]. A program of its own, because a
process can divide its CPU only before TensorFlow first uses it, and because each of
several workers, which ``TF_CONFIG`` lists, is a process.
"""

import json
import sys

import numpy as np
import small_detector
import tensorflow as tf

from ehsod_tf.training import CoupledSGD
from ehsod_tf.training.loop import make_step
from ehsod_tf.training.strategy import (
    create_strategy,
    distribute_batches,
    is_chief,
)

# Images 0 and 2 are strong. With two replicas both fall to the first in every second
# step; with four, two replicas never have one.
BATCHES = 5 * ([0, 1, 2, 3], [0, 2, 1, 3])


def make_dataset(start_step, host_index, num_hosts):
    """This host's rows of the batches."""
    rows = len(BATCHES[0]) // num_hosts
    first = host_index * rows
    batches = [
        small_detector.make_batch(images[first : first + rows])
        for images in BATCHES[start_step:]
    ]
    columns = tf.nest.map_structure(lambda *parts: tf.stack(parts), *batches)
    dataset = tf.data.Dataset.from_tensor_slices(columns)
    return dataset.unbatch().batch(rows, drop_remainder=True)


def run(strategy):
    with strategy.scope():
        model = small_detector.build_small_detector()
        model.compile(optimizer=CoupledSGD(0.003), jit_compile=False)
        # A first step that also created variables would be compiled differently.
        model.optimizer.build(model.trainable_variables)
    dataset = distribute_batches(make_dataset, 0, strategy)
    take_step = make_step(model, strategy, dataset.element_spec)
    history = [
        {name: float(value) for name, value in take_step(batch).items()}
        for batch in dataset
    ]
    weights = [np.asarray(v).tolist() for v in model.trainable_variables]
    return {"history": history, "weights": weights}


def main():
    output, num_devices = sys.argv[1], int(sys.argv[2])
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * num_devices,
    )
    if num_devices > 1:
        names = [f"CPU:{index}" for index in range(num_devices)]
        strategy = tf.distribute.MirroredStrategy(names)
    else:
        strategy = create_strategy()
    result = run(strategy)
    if is_chief(strategy):
        with open(output, "w") as file:
            json.dump(result, file)


if __name__ == "__main__":
    main()
