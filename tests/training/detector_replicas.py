"""Trains the small detector for ten steps on several numbers of replicas.

Prints the losses and weights as JSON; with ``--teacher``, of a detector with a teacher,
whose promotions begin after three steps; with ``--in_part``, of images that are boxed
in part, by people and by a detector, and that have ignored regions. A program of its
own, of which each way of training is a fork, because a process can divide its CPU, or
become a worker, only before TensorFlow is first used.
"""

import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import small_detector
import tensorflow as tf
from processes import divide_cpu, finish, fork, make_tf_configs

from ehsod_tf.modeling import Teacher
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED,
    BOXED_ABSENT,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    Batch,
)
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

# Images 0 and 3 are boxed in part, 3 by a detector, 1 is boxed in all classes but one
# that is unknown, 2 and 4 are weak. In every second step, both images with an ignored
# region are in the same replica.
PARTLY_BOXED_BATCHES = 3 * ([0, 1, 2, 3], [0, 3, 4, 1])
STATES = [
    [PARTLY_BOXED, BOXED, UNKNOWN],
    [BOXED_ABSENT, UNKNOWN, BOXED_ABSENT],
    [PRESENT, ABSENT, UNKNOWN],
    [PRESENT, PARTLY_BOXED, PARTLY_BOXED],
    [ABSENT, PRESENT, PRESENT],
]
# By image: the box of a region, and what it may hold.
IGNORED = {0: ([40, 0, 96, 40], ANY_CLASS), 3: ([30, 30, 90, 88], 1)}


def make_partly_boxed_batch(images) -> Batch:
    """The images with `STATES` and `IGNORED` in place of what is known of them."""
    batch = small_detector.make_batch(images)
    regions = [IGNORED.get(image, ([0, 0, 0, 0], 0)) for image in images]
    targets = batch.targets._replace(
        class_states=tf.constant([STATES[image] for image in images]),
        is_partial=tf.constant([image in (0, 1, 3) for image in images]),
        ignored_boxes=tf.constant([[box] for box, _ in regions], tf.float32),
        ignored_classes=tf.constant([[kind] for _, kind in regions]),
        machine_boxed=tf.constant([image == 3 for image in images]),
    )
    return batch._replace(targets=targets)


class Task(NamedTuple):
    """What is trained.

    Attributes:
        batches: the images of each step.
        make_batch: makes a `Batch` of images.
        teacher: `Teacher` or None.
        devices: numbers of replicas in one process to compare.
        has_workers: whether two workers are compared too.
    """

    batches: Sequence[list[int]] = BATCHES
    make_batch: Callable[[list[int]], Batch] = small_detector.make_batch
    teacher: Teacher | None = None
    devices: tuple[int, ...] = (1, 2, 4)
    has_workers: bool = True


TASKS = {
    "--plain": Task(),
    # Promotions make a step of four replicas slow to compile.
    "--teacher": Task(TAUGHT_BATCHES, teacher=TEACHER, devices=(1, 2)),
    "--in_part": Task(
        PARTLY_BOXED_BATCHES,
        make_partly_boxed_batch,
        devices=(1, 2),
        has_workers=False,
    ),
}


def make_dataset(task, start_step, host_index, num_hosts):
    """This host's rows of the batches."""
    rows = len(task.batches[0]) // num_hosts
    first = host_index * rows
    examples = [
        task.make_batch(images[first : first + rows])
        for images in task.batches[start_step:]
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


def run(strategy, task):
    with strategy.scope():
        model = small_detector.build_small_detector(**SWITCHES)
        model.teacher = task.teacher
        optimizer = CoupledSGD(0.003, use_ema=task.teacher is not None)
        model.compile(optimizer=optimizer, jit_compile=False)
        # A first step that also created variables would be compiled differently.
        model.optimizer.build(model.trainable_variables)
    dataset = distribute_batches(functools.partial(make_dataset, task), 0, strategy)
    take_step = make_step(model, strategy, dataset.element_spec)
    history = [
        {name: float(value) for name, value in take_step(batch).items()}
        for batch in dataset
    ]
    weights = [np.asarray(v).tolist() for v in model.trainable_variables]
    return {"history": history, "weights": weights}


def work(output, task, tf_config=None, devices=1):
    """One of several workers, or all replicas, in this process."""
    if tf_config is None:
        divide_cpu(devices)
        names = [f"CPU:{index}" for index in range(devices)]
        strategy = tf.distribute.MirroredStrategy(names)
    else:
        os.environ["TF_CONFIG"] = tf_config
        strategy = create_strategy()
    result = run(strategy, task)
    if is_chief(strategy):
        output.write_text(json.dumps(result))


def main():
    results = {}
    task = TASKS[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "result.json")
        for devices in task.devices:
            assert finish(fork(work, output, task, None, devices)) == [0]
            results[f"{devices} devices"] = json.loads(output.read_text())
        if task.has_workers:
            configs = make_tf_configs(2)
            workers = [fork(work, output, task, config) for config in configs]
            assert finish(*workers) == [0, 0]
            results["2 workers"] = json.loads(output.read_text())
    print(json.dumps(results))


if __name__ == "__main__":
    main()
