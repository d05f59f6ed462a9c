"""Times the compiled ops beside stock TensorFlow's and torchvision's on the CPU.

    python benchmarks/ops_on_cpu/benchmark_ops.py --torch_python PATH

PATH is the Python of an environment that has torch and torchvision. In each of 25
rounds everything runs once, in turn, so that a busy machine slows all alike; the table
gives medians. RoIAlign: the pyramid of an 800 x 1216 image, 256 channels, 512 boxes,
7 x 7 bins of 2 x 2 samples, float32. NMS: one image, IoU 0.7, at most 2,000 kept.
"""

import argparse
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
from torchvision_client import Torchvision

from ehsod_tf.ops import multilevel_roi_align, non_max_suppression

ROUNDS = 25
WARM_UP = 3
HEIGHT, WIDTH, CHANNELS, ROIS = 800, 1216, 256, 512
MAX_OUTPUTS, IOU_THRESHOLD = 2000, 0.7


def make_roi_inputs(rng):
    """Sides from 16 to 600 pixels, uniform in their logarithm."""
    centres = rng.uniform(size=[ROIS, 2]) * [HEIGHT, WIDTH]
    half = 8 * 37.5 ** rng.uniform(size=[ROIS, 2])
    boxes = np.concatenate([centres - half, centres + half], axis=-1)
    boxes = np.clip(boxes, 0, [HEIGHT, WIDTH, HEIGHT, WIDTH])[None]
    inputs = {
        f"features{k}": rng.normal(size=[1, HEIGHT >> k, WIDTH >> k, CHANNELS])
        for k in range(2, 6)
    }
    inputs |= {"boxes": boxes, "upstream": rng.normal(size=[1, ROIS, 7, 7, CHANNELS])}
    inputs = {k: v.astype(np.float32) for k, v in inputs.items()}
    return inputs | {"output_size": 7, "sampling_ratio": 2}


def make_nms_inputs(rng, count):
    corners = rng.uniform(size=[count, 2]) * [HEIGHT, WIDTH]
    boxes = np.concatenate([corners, corners + rng.uniform(20, 200, [count, 2])], -1)
    return {
        "boxes": boxes.astype(np.float32),
        "scores": rng.uniform(size=count).astype(np.float32),
        "iou_threshold": np.float32(IOU_THRESHOLD),
        "max_outputs": MAX_OUTPUTS,
    }


def make_roi_runs(inputs, backend):
    features = {k: tf.constant(inputs[f"features{k}"]) for k in range(2, 6)}
    boxes, upstream = tf.constant(inputs["boxes"]), tf.constant(inputs["upstream"])

    @tf.function
    def forward():
        return multilevel_roi_align(features, boxes, backend=backend)

    @tf.function
    def forward_and_backward():
        with tf.GradientTape() as tape:
            tape.watch(features)
            pooled = multilevel_roi_align(features, boxes, backend=backend)
        return pooled, tape.gradient(pooled, features, output_gradients=upstream)

    return forward, forward_and_backward


def make_crop_runs(inputs):
    """The bare stock op on the finest level, without RoIAlign's border and levels."""
    feature_map = tf.constant(inputs["features2"])
    upstream = tf.constant(inputs["upstream"][0])
    corners = inputs["boxes"][0] / 4 - 0.5
    extent = np.float32([HEIGHT, WIDTH, HEIGHT, WIDTH]) / 4 - 1
    boxes, images = tf.constant(corners / extent), tf.zeros([ROIS], tf.int32)

    @tf.function
    def forward():
        crops = tf.image.crop_and_resize(feature_map, boxes, images, [14, 14])
        return tf.nn.avg_pool2d(crops, 2, 2, "VALID")

    @tf.function
    def forward_and_backward():
        with tf.GradientTape() as tape:
            tape.watch(feature_map)
            pooled = forward()
        return pooled, tape.gradient(pooled, feature_map, output_gradients=upstream)

    return forward, forward_and_backward


def make_nms_run(inputs, backend):
    boxes, scores = tf.constant(inputs["boxes"]), tf.constant(inputs["scores"])

    @tf.function
    def suppress():
        return non_max_suppression(
            boxes[None],
            scores[None],
            iou_threshold=IOU_THRESHOLD,
            max_outputs=MAX_OUTPUTS,
            backend=backend,
        )

    return suppress


def time_call(run):
    start = time.perf_counter()
    tf.nest.map_structure(lambda tensor: tensor.device, run())
    return 1000 * (time.perf_counter() - start)


def measure(runs):
    """Returns the median milliseconds of each entry of {name: function -> ms}."""
    times = {name: [] for name in runs}
    for _ in range(WARM_UP + ROUNDS):
        for name, run in runs.items():
            times[name].append(run())
    return {k: statistics.median(v[WARM_UP:]) for k, v in times.items()}


def print_row(label, medians):
    native = medians["native"]
    cells = [f"{native:.2f}"]
    cells += [
        f"{medians[k]:.1f} ({native / medians[k]:.3f})"
        for k in ("stock", "crop_and_resize", "torchvision", "torchvision finest")
        if k in medians
    ]
    print(f"| {label} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch_python", required=True)
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        torchvision = Torchvision(flags.torch_python, folder)
        print(
            f"TensorFlow {tf.__version__}, torchvision {torchvision.version}; "
            "milliseconds (native / other)\n\n"
            "| RoIAlign | native | stock backend | bare crop_and_resize, finest | "
            "torchvision | torchvision, finest |\n|---|---|---|---|---|---|"
        )
        inputs = make_roi_inputs(rng)
        path = torchvision.store("roi_align", inputs)
        runs = {k: make_roi_runs(inputs, k) for k in ("native", "stock")}
        runs["crop_and_resize"] = make_crop_runs(inputs)
        for row, label in enumerate(("forward", "forward + backward")):
            mode = "+gradient" if row else ""
            medians = measure(
                {k: lambda k=k, row=row: time_call(runs[k][row]) for k in runs}
                | {
                    "torchvision": lambda mode=mode: torchvision.time(
                        f"roi_align{mode}", path
                    ),
                    "torchvision finest": lambda mode=mode: torchvision.time(
                        f"roi_align_finest{mode}", path
                    ),
                }
            )
            print_row(label, medians)
        print("\n| NMS | native | stock TF | torchvision |\n|---|---|---|---|")
        for count in (2000, 6000, 12000):
            inputs = make_nms_inputs(rng, count)
            path = torchvision.store(f"nms{count}", inputs)
            native, stock = (make_nms_run(inputs, k) for k in ("native", "stock"))
            medians = measure(
                {
                    "native": lambda run=native: time_call(run),
                    "stock": lambda run=stock: time_call(run),
                    "torchvision": lambda path=path: torchvision.time("nms", path),
                }
            )
            print_row(f"{count:,} boxes", medians)
        torchvision.close()


if __name__ == "__main__":
    main()
