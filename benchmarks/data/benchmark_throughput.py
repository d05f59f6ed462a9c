"""Times the training pipeline beside a bare decode-and-resize loop on the same files.

    python benchmarks/data/benchmark_throughput.py [--data_dir FOLDER_OF_JPEGS]

Without a folder, JPEGs of 500 x 375 pixels are made up: smooth noise with grain, as
large on disk as photographs. Ways through the same images, to the same sizes, at
320 / 320 and at 600 / 1000 pixels:

* bare: a tf.data map of ``tf.io.read_file``, ``tf.io.decode_jpeg`` and
  ``tf.image.resize``, nothing else, with as many parallel calls as the pipeline.
* pipeline: `build_training_dataset`: read, decode, resize, flip, pad, batch, prefetch.
* augmented: the pipeline with scale jitter, as `Augmentation` has it. Pixels are
  changed within the training step, whose cost `benchmark_pixels.py` measures.
* cached: with ``--cache_dir``; the pipeline reading the decoded images from there.

In each round all run once, in turn, so that a busy machine slows all alike, through
three epochs. The table, in Markdown, gives medians over the rounds; the ratio is the
median of the rounds' ratios, its range their quartiles. Processor time, in ms an image
over all cores, is what a busy machine changes least.
"""

import argparse
import functools
import glob
import os
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from ehsod_tf.data import Augmentation, build_training_dataset
from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.data.resizing import Resizing

SIDES = ((320, 320), (600, 1000))
BATCH_SIZE = 8
EPOCHS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data_dir", help="folder of JPEGs")
    parser.add_argument("--cache_dir", help="also time a decoded-image cache there")
    parser.add_argument("--num_images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = arguments.data_dir or folder
        if arguments.data_dir is None:
            write_photographs(folder, arguments.num_images)
        image_set = list_images(data_dir, arguments.num_images)
        print(describe_files(image_set))
        print("| sides | way | images/s | x bare | quartiles | ms an image |")
        print("|---|---|---:|---:|---|---:|")
        for sides in SIDES:
            report(sides, time_ways(image_set, sides, arguments))


def write_photographs(folder, count):
    """Noise whose amplitude falls with its frequency, as in photographs, and grain."""
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = np.zeros([375, 500, 3])
        for cells in (4, 16, 64):
            coarse = rng.uniform(0, 255, [cells, cells, 3]).astype(np.uint8)
            layer = Image.fromarray(coarse).resize((500, 375), Image.BICUBIC)
            pixels += np.asarray(layer, np.float64) / cells**0.5
        pixels += rng.normal(0, 8, pixels.shape)
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
        path = os.path.join(folder, f"{number:04}.jpg")
        Image.fromarray(pixels).save(path, quality=90)


def list_images(folder, count):
    """Returns an `ImageSet` of the JPEGs, with two boxes an image."""
    paths = sorted(glob.glob(os.path.join(folder, "*.jp*g")))[:count]
    sizes = []
    for path in paths:
        with Image.open(path) as image:
            sizes.append(image.size[::-1])
    boxes = [
        BoxRecord(row, (0.0, 0.0, height * share, width * share), 0, 1.0, False)
        for row, (height, width) in enumerate(sizes)
        for share in (0.5, 1.0)
    ]
    return assemble_image_set(
        class_names=("object",),
        category_ids=(1,),
        image_ids=range(len(paths)),
        image_names=[os.path.basename(path) for path in paths],
        paths=paths,
        sizes=sizes,
        objects=boxes,
    )


def describe_files(image_set):
    encoded = statistics.mean(map(os.path.getsize, image_set.paths))
    decoded = image_set.sizes.prod(axis=1).mean() * 3
    return (
        f"{len(image_set.paths)} images of {encoded / 1e3:.0f} kB, decoded "
        f"{decoded / 1e3:.0f} kB, in batches of {BATCH_SIZE}\n"
    )


def build_pipeline(image_set, sides, cache_dir=None, augmentation=None):
    dataset = build_training_dataset(
        image_set,
        batch_size=BATCH_SIZE,
        resizing=Resizing(*sides),
        seed=0,
        epochs=EPOCHS,
        cache_dir=cache_dir,
        augmentation=augmentation,
    )
    return dataset.map(lambda batch: batch.images)


def build_bare_loop(image_set, sides):
    sizes = Resizing(*sides).compute_sizes(image_set.sizes)

    def load(path, size):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, size)[None]

    dataset = tf.data.Dataset.from_tensor_slices((image_set.paths, sizes))
    return dataset.map(load, tf.data.AUTOTUNE).repeat(EPOCHS)


def count_images(dataset):
    """Runs through a data set within tf.data, so that Python takes no part in it."""
    count = dataset.reduce(0, lambda total, images: total + tf.shape(images)[0])
    return int(count)


def measure(run):
    """Returns images/s and ms of processor time an image."""
    start, processor_start = time.perf_counter(), time.process_time()
    count = run()
    processor_time = time.process_time() - processor_start
    return count / (time.perf_counter() - start), 1e3 * processor_time / count


def time_ways(image_set, sides, arguments):
    """Returns (images/s, processor ms an image) by way, a list over the rounds."""
    datasets = {
        "bare": build_bare_loop(image_set, sides),
        "pipeline": build_pipeline(image_set, sides),
        "augmented": build_pipeline(image_set, sides, augmentation=Augmentation()),
    }
    if arguments.cache_dir:
        datasets["cached"] = build_pipeline(image_set, sides, arguments.cache_dir)
    ways = {
        name: functools.partial(count_images, data) for name, data in datasets.items()
    }
    for run in ways.values():
        run()
    times = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, run in ways.items():
            times[name].append(measure(run))
    return times


def report(sides, times):
    bare_rates = [rate for rate, _ in times["bare"]]
    for name, values in times.items():
        rates, processor_times = zip(*values, strict=True)
        ratios = [a / b for a, b in zip(rates, bare_rates, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"| {sides[0]} / {sides[1]} | {name} | {statistics.median(rates):.0f} "
            f"| {middle:.2f} | {low:.2f} to {high:.2f} "
            f"| {statistics.median(processor_times):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
