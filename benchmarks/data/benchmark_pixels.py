"""Times changed colours and erasing, as the training step does them.

    python benchmarks/data/benchmark_pixels.py [--batch_size 16]

Random images on a canvas; the table, in Markdown, has the median over the rounds, to be
compared with the time of a training step of the same batch on the same machine.
Processor time is what a busy machine changes least.
"""

import argparse
import statistics
import time

import tensorflow as tf

from ehsod_tf.data import NUM_DRAWS, Augmentation, augment_batch
from ehsod_tf.structures import Batch

CANVASES = ((320, 320), (416, 640), (608, 800))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    device = tf.config.list_logical_devices()[-1].name
    print(f"batches of {arguments.batch_size} on {device}\n")
    print("| canvas | ms a batch | processor ms |")
    print("|---|---:|---:|")
    for canvas in CANVASES:
        seconds = measure(canvas, arguments.batch_size, arguments.rounds)
        print(f"| {canvas} | {1e3 * seconds[0]:.2f} | {1e3 * seconds[1]:.2f} |")


def measure(canvas, batch_size, rounds):
    """Returns the median seconds of a batch, and those of all cores together."""
    images = tf.random.uniform([batch_size, *canvas, 3], 0, 255)
    sizes = tf.tile([canvas], [batch_size, 1])
    uniforms = tf.random.uniform([batch_size, NUM_DRAWS])

    @tf.function
    def run():
        batch = Batch(images, sizes, None, None, None)
        # One number, so that waiting for it copies nothing.
        return tf.reduce_max(augment_batch(batch, uniforms, Augmentation()).images)

    float(run())
    times = []
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        float(run())
        end = time.perf_counter(), time.process_time()
        times.append([b - a for a, b in zip(start, end, strict=True)])
    return [statistics.median(column) for column in zip(*times, strict=True)]


if __name__ == "__main__":
    main()
