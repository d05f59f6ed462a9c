"""Times our detector at its full size; make_table.py starts it.

A training step is the loop's own (`ehsod_tf.training.loop.make_step`), half of the
images with boxes, and reads its scalars as the loop does. Random weights, 80 classes,
ResNet-50, three stages.
"""

import argparse
import os
import tempfile
import time

# Its notes would bury the table.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from cases import BOXES_PER_IMAGE, NUM_CLASSES
from graph_costs import make_graphs, measure_graph
from kernel_times import sum_trace
from peer import serve

from ehsod_tf import modeling, ops
from ehsod_tf.structures import Batch, Targets, combine_states
from ehsod_tf.training.loop import make_step
from ehsod_tf.training.optimizer import CoupledSGD
from ehsod_tf.training.strategy import keep_channels_last


class Detector:
    def __init__(self, precision, canvas, width):
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        keras.utils.set_random_seed(0)
        policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
        keras.config.set_dtype_policy(policy)
        start = time.perf_counter()
        self.precision, self.canvas = precision, canvas
        self.gpu = bool(tf.config.list_physical_devices("GPU"))
        self.model = modeling.Ehsod(
            modeling.build_resnet(50, weights=None),
            modeling.FeaturePyramid(width),
            modeling.CamRpn(NUM_CLASSES, channels=width),
            modeling.Cascade(NUM_CLASSES, units=4 * width),
        )
        # As small as leaves random weights finite; the time does not depend on it.
        self.model.compile(optimizer=CoupledSGD(1e-6))
        self.model.optimizer.build(self.model.trainable_variables)
        self.build_seconds = time.perf_counter() - start
        self.first_seconds = {}
        dataset = tf.data.Dataset.from_tensors(make_batch(1, canvas))
        spec = tf.nest.map_structure(_loosen, dataset.element_spec)
        self.spec = spec
        self.take_step = make_step(self.model, tf.distribute.get_strategy(), spec)
        self.detect = tf.function(
            self.model.detect,
            input_signature=[spec.images, spec.image_sizes],
            autograph=False,
        )

    def facts(self):
        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "device": details[0].get("device_name", "GPU") if gpus else "cpu",
            "ops": _name_ops(),
            "build_seconds": self.build_seconds,
        }

    def time(self, kind, batch, precision, warmup, steps):
        """Seconds of each step, the warm-up left out, and the peak of memory."""
        assert precision == self.precision
        run = self._make_run(kind, batch)
        if kind not in self.first_seconds:
            start = time.perf_counter()
            run()
            self.first_seconds[kind] = time.perf_counter() - start
        if self.gpu:
            tf.config.experimental.reset_memory_stats("GPU:0")
        seconds = []
        for _ in range(warmup + steps):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        peak = None
        if self.gpu:
            peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        return {
            "seconds": seconds[warmup:],
            "peak_bytes": peak,
            "first_seconds": self.first_seconds[kind],
        }

    def profile(self, kind, batch, steps):
        """Where the time of a step goes: seconds by kernel, see `sum_trace`."""
        run = self._make_run(kind, batch)
        run()
        with tempfile.TemporaryDirectory() as folder:
            tf.profiler.experimental.start(folder)
            for _ in range(steps):
                run()
            tf.profiler.experimental.stop()
            return sum_trace(folder, steps)

    def graph(self, kind, batch, canvas):
        """Nodes by type and bytes of elementwise operations; see `measure_graph`."""
        graphs = make_graphs(self._make_run(kind, batch))
        data = make_batch(batch, canvas)
        pairs = zip(tf.nest.flatten(self.spec), tf.nest.flatten(data), strict=True)
        sizes = {
            tuple(spec.shape): tuple(tensor.shape)
            for spec, tensor in pairs
            if tensor is not None
        }
        return measure_graph(graphs, sizes, batch)

    def _make_run(self, kind, batch):
        data = make_batch(batch, self.canvas)
        if kind == "training":
            return lambda: [float(value) for value in self.take_step(data).values()]

        def infer():
            found = self.detect(data.images, data.image_sizes)
            return [value.numpy() for value in found]

        return infer


def make_batch(batch, canvas):
    """A `Batch`; every second image, from the first, has boxes."""
    rng = np.random.default_rng(1)
    extent = np.array(canvas * 2, np.float32)
    low = rng.uniform(0, 0.6, [batch, BOXES_PER_IMAGE, 2])
    sides = rng.uniform(0.05, 0.35, low.shape)
    boxes = np.concatenate([low, low + sides], axis=-1) * extent
    classes = rng.integers(0, NUM_CLASSES, [batch, BOXES_PER_IMAGE])
    labels = np.zeros([batch, NUM_CLASSES], np.int32)
    for image, present in enumerate(classes):
        labels[image, present] = 1
    has_boxes = np.arange(batch) % 2 == 0
    boxes[~has_boxes], classes[~has_boxes] = 0, -1
    targets = Targets(
        tf.constant(boxes, tf.float32),
        tf.constant(classes, tf.int32),
        tf.constant(combine_states(labels, has_boxes), tf.int32),
    )
    return Batch(
        images=tf.constant(rng.uniform(0, 255, [batch, *canvas, 3]), tf.float32),
        image_sizes=tf.constant([canvas] * batch, tf.int32),
        scales=tf.ones([batch, 2]),
        image_ids=tf.range(batch, dtype=tf.int64),
        targets=targets,
    )


def _name_ops():
    try:
        ops.load_library()
    except ops.NativeOpsUnavailableError:
        return "stock"
    return "native"


def _loosen(spec):
    """As the pipelines give it: any batch, any canvas, any number of boxes."""
    if not isinstance(spec, tf.TensorSpec):
        return spec  # What a batch may have and this one has not.
    shape = [None] + spec.shape.as_list()[1:]
    if len(shape) == 4:
        shape[1] = shape[2] = None
    elif len(shape) == 3 or (len(shape) == 2 and shape[1] == BOXES_PER_IMAGE):
        shape[1] = None
    return tf.TensorSpec(shape, spec.dtype)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--canvas", type=int, nargs=2, required=True)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--channels_first", action="store_true")
    arguments = parser.parse_args()
    if arguments.threads:
        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    if not arguments.channels_first:
        keep_channels_last()
    detector = Detector(arguments.precision, tuple(arguments.canvas), arguments.width)
    serve(
        {
            "time": detector.time,
            "profile": detector.profile,
            "graph": detector.graph,
        },
        detector.facts(),
    )


if __name__ == "__main__":
    main()
