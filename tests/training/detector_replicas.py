"""Trains the small detector for ten steps on several numbers of replicas.

Prints the losses and weights as JSON; with ``--teacher``, of a detector with a teacher,
whose promotions begin after three steps. A program of its own, of which each way of
training is a fork, because a process can divide its CPU, or become a worker, only
before TensorFlow is first used.
"""

import functools
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import small_detector
import tensorflow as tf
from processes import divide_cpu, finish, fork, make_tf_configs

from ehsod_tf.modeling import Teacher
from ehsod_tf.training import CoupledSGD
from ehsod_tf.training.loop import make_step
from ehsod_tf.training.strategy import (
    create_strategy,
    distribute_batches,
    is_chief,
)

# Those that bring a term of their own or change the count of one.
SWITCHES = {"border_anchors": True, "absent": 0.3}
# Images 0 and 2 are strong. With two replicas both fall to the first in every second
# step; with four, two replicas never have one.
BATCHES = 5 * ([0, 1, 2, 3], [0, 2, 1, 3])


# Image 4 is weak, its labels are known; 2 has an unknown one. In every second step both
# of two replicas have an image to promote, in the others one.
TAUGHT_BATCHES = 3 * ([4, 1, 4, 3], [0, 4, 2, 3])
TEACHER = Teacher(burn_in_steps=3, best_score=0.0, regression_weight=0.5)


def make_dataset(batches, start_step, host_index, num_hosts):
    """This host's rows of the batches."""
    rows = len(batches[0]) // num_hosts
    first = host_index * rows
    examples = [
        small_detector.make_batch(images[first : first + rows])
        for images in batches[start_step:]
    ]
    # Of the tensors alone; what is None, such as `teacher_images`, is put back.
    values = [tf.nest.flatten(batch) for batch in examples]
    columns = tuple(
        tf.stack(parts) for parts in zip(*values, strict=True) if parts[0] is not None
    )

    def pack(*tensors):
        left = iter(tensors)
        filled = [None if value is None else next(left) for value in values[0]]
        return tf.nest.pack_sequence_as(examples[0], filled)

    dataset = tf.data.Dataset.from_tensor_slices(columns).unbatch()
    return dataset.batch(rows, drop_remainder=True).map(pack)


def run(strategy, teacher=None):
    with strategy.scope():
        model = small_detector.build_small_detector(**SWITCHES)
        model.teacher = teacher
        optimizer = CoupledSGD(0.003, use_ema=teacher is not None)
        model.compile(optimizer=optimizer, jit_compile=False)
        # A first step that also created variables would be compiled differently.
        model.optimizer.build(model.trainable_variables)
    batches = TAUGHT_BATCHES if teacher else BATCHES
    dataset = distribute_batches(functools.partial(make_dataset, batches), 0, strategy)
    take_step = make_step(model, strategy, dataset.element_spec)
    history = [
        {name: float(value) for name, value in take_step(batch).items()}
        for batch in dataset
    ]
    weights = [np.asarray(v).tolist() for v in model.trainable_variables]
    return {"history": history, "weights": weights}


def work(output, teacher, tf_config=None, devices=1):
    """One of several workers, or all replicas, in this process."""
    if tf_config is None:
        divide_cpu(devices)
        names = [f"CPU:{index}" for index in range(devices)]
        strategy = tf.distribute.MirroredStrategy(names)
    else:
        os.environ["TF_CONFIG"] = tf_config
        strategy = create_strategy()
    result = run(strategy, teacher)
    if is_chief(strategy):
        output.write_text(json.dumps(result))


def main():
    results = {}
    teacher = TEACHER if "--teacher" in sys.argv else None
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        # Promotions make a step of four replicas slow to compile.
        for devices in (1, 2) if teacher else (1, 2, 4):
            assert finish(fork(work, output, teacher, None, devices)) == [0]
            results[f"{devices} devices"] = json.loads(output.read_text())
        workers = [fork(work, output, teacher, config) for config in make_tf_configs(2)]
        assert finish(*workers) == [0, 0]
        results["2 workers"] = json.loads(output.read_text())
    print(json.dumps(results))


if __name__ == "__main__":
    main()
