"""Feeds the training pipeline to 1, 2 and 4 replicas and hosts; prints JSON.

A program of its own, because a process can divide its CPU only before TensorFlow
first uses it. For each order of the images and each way of running it prints the
digests of the steps: of a global batch, as all replicas or hosts together see it. The
replicas are fed as in training.
"""

import functools
import hashlib
import json
import os
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image

from ehsod_tf.data import (
    Augmentation,
    Split,
    apply_split,
    build_training_dataset,
)
from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.structures import Batch
from ehsod_tf.training.strategy import distribute_batches

BATCH_SIZE = 4
EPOCHS = 2
COUNTS = (1, 2, 4)
MOST_BOXES = 3
ORDERS = {
    "shuffled": {},
    "class_aware": {"class_aware": True},
    "fixed_fraction": {"class_aware": True, "strong_fraction": 0.5},
    "augmented": {"augmentation": Augmentation()},
}


def make_image_set(folder):
    """Twelve noisy images of two canvases with one to three boxes; half are weak."""
    rng = np.random.default_rng(0)
    paths = [os.path.join(folder, f"{row}.png") for row in range(12)]
    sizes = [(24, 32) if row % 3 else (32, 24) for row in range(12)]
    for path, size in zip(paths, sizes, strict=True):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
    objects = [
        BoxRecord(row, (2.0, 3.0, 9.0 + row, 8.0 + slot), slot, 1.0, False)
        for row in range(12)
        for slot in range(row % MOST_BOXES + 1)
    ]
    image_set = assemble_image_set(
        class_names=("a", "b", "c"),
        category_ids=(1, 2, 3),
        image_ids=range(12),
        image_names=[os.path.basename(path) for path in paths],
        paths=paths,
        sizes=sizes,
        objects=objects,
    )
    return apply_split(image_set, Split(0, 50.0, (0, 1, 4, 5, 9, 10)))


def digest(parts):
    """Digests one global batch, given as `Batch` parts of it in their order."""
    whole = hashlib.sha256()
    for part in parts:
        targets = part.targets
        # Each part is padded to its own largest number of boxes.
        missing = MOST_BOXES - targets.boxes.shape[1]
        boxes = tf.pad(targets.boxes, [[0, 0], [0, missing], [0, 0]])
        classes = tf.pad(targets.classes, [[0, 0], [0, missing]], constant_values=-1)
        part = part._replace(targets=targets._replace(boxes=boxes, classes=classes))
        # All but `teacher_images`, which the training step makes.
        columns = [
            np.ascontiguousarray(column)
            for column in tf.nest.flatten(part[:-1])
            if column is not None
        ]
        for row in range(len(columns[0])):
            for column in columns:
                whole.update(repr((column.dtype, column[row].shape)).encode())
                whole.update(column[row].tobytes())
    return whole.hexdigest()


def digest_replicas(dataset, strategy):
    digests = []
    for batch in dataset:
        columns = [
            strategy.experimental_local_results(value)
            for value in tf.nest.flatten(batch[:-1])
        ]
        parts = [
            Batch(*tf.nest.pack_sequence_as(batch[:-1], column))
            for column in zip(*columns, strict=True)
        ]
        assert len(parts) == strategy.num_replicas_in_sync
        digests.append(digest(parts))
    return digests


def run(image_set, order, cache_dir):
    def make(start_step, host_index, num_hosts, seed=0, cache_dir=None):
        return build_training_dataset(
            image_set,
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
            resizing=Resizing(40, 40),
            seed=seed,
            start_step=start_step,
            host_index=host_index,
            num_hosts=num_hosts,
            cache_dir=cache_dir,
            **order,
        )

    def run_replicas(count, start_step=0, make=make):
        strategy = tf.distribute.MirroredStrategy([f"CPU:{k}" for k in range(count)])
        return digest_replicas(distribute_batches(make, start_step, strategy), strategy)

    def run_hosts(count, start_step=0, make=make):
        hosts = [make(start_step, index, count) for index in range(count)]
        return [digest(parts) for parts in zip(*hosts, strict=True)]

    make_cached = functools.partial(make, cache_dir=cache_dir)
    results = {}
    for count in COUNTS:
        results[f"{count} replicas"] = run_replicas(count)
        results[f"{count} hosts"] = run_hosts(count)
        results[f"{count} replicas, cached"] = run_replicas(count, make=make_cached)
    steps = range(1, len(results["1 hosts"]))
    results["resumed"] = {
        "replicas": [run_replicas(4, step) for step in steps],
        "replicas, cached": [run_replicas(2, step, make_cached) for step in steps],
        "hosts": [run_hosts(2, step) for step in steps],
    }
    results["other seed"] = run_hosts(1, make=functools.partial(make, seed=1))
    return results


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * max(COUNTS),
    )
    with tempfile.TemporaryDirectory() as folder:
        image_set = make_image_set(folder)
        cache_dir = os.path.join(folder, "cache")
        results = {
            name: run(image_set, order, cache_dir) for name, order in ORDERS.items()
        }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
