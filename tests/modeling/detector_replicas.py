"""Trains the small detector with one and with two replicas; prints losses and weights.

A program of its own, because a process can divide its CPU only before TensorFlow
first uses it.
"""

import json

import numpy as np
import small_detector
import tensorflow as tf

from ehsod_tf.training import CoupledSGD

# In the second batch all strong images fall to the first replica.
BATCHES = ([0, 1, 2, 3], [0, 2, 1, 3])


def run(devices):
    strategy = tf.distribute.MirroredStrategy(devices)
    with strategy.scope():
        model = small_detector.build_small_detector()
        model.compile(optimizer=CoupledSGD(0.01), jit_compile=False)
        # A first step that also created variables would be compiled differently.
        model.optimizer.build(model.trainable_variables)
    step = tf.function(lambda batch: strategy.run(model.train_step, args=(batch,)))
    history = []
    for images in BATCHES:
        batch = small_detector.make_batch(images)
        dataset = tf.data.Dataset.from_tensor_slices(batch).batch(
            4, drop_remainder=True
        )
        for shared in strategy.experimental_distribute_dataset(dataset):
            logs = step(shared)
        first = {
            name: strategy.experimental_local_results(value)[0]
            for name, value in logs.items()
        }
        history.append({name: float(value) for name, value in first.items()})
    weights = [np.asarray(v).tolist() for v in model.trainable_variables]
    return {"history": history, "weights": weights}


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    print(json.dumps({"one": run(["CPU:0"]), "two": run(["CPU:0", "CPU:1"])}))
