"""Time of a request in each runtime, at batch 1 and 8, as a ratio to TensorFlow's.

python benchmarks/serving/latency.py --model_dir runs/quickstart --output latency

Exports the run to every format, then takes turns between them, so that what else the
machine does falls on all alike. The time is that of the network and all before and
after it, without decoding: images of noise, as large as the largest canvas. Prints the
median of the rounds.
"""

import argparse
import os
import statistics
import time

# Before TensorFlow, which reads them when it starts.
CORES = 2
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(CORES)
os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np  # noqa: E402
import runtimes  # noqa: E402
import tensorflow as tf  # noqa: E402

from ehsod_tf import cli, ops  # noqa: E402

FORMATS = ("onnx", "openvino", "litert")
BATCHES = (1, 8)


def main(model_dir, output, rounds, formats):
    detectors = {}
    for name in formats:
        folder = os.path.join(output, name)
        _export(model_dir, folder, "--to", name)
        detectors[name], settings = runtimes.load(folder)
    for backend in ("stock", "native"):
        folder = os.path.join(output, backend)
        _export(model_dir, folder, "--ops", backend)
        detectors[f"tensorflow {backend}"] = _load_saved_model(folder, backend)
    print(f"load {os.getloadavg()[0]:.1f}, {CORES} threads, {settings}")
    for batch in BATCHES:
        inputs = _draw_inputs(batch, settings)
        seconds = {name: [] for name in detectors}
        for _ in range(rounds + 1):
            for name, detect in detectors.items():
                start = time.perf_counter()
                detect(**inputs)
                seconds[name].append(time.perf_counter() - start)
        medians = {
            name: statistics.median(times[1:]) for name, times in seconds.items()
        }
        base = medians["tensorflow stock"]
        for name, median in medians.items():
            print(
                f"batch {batch}  {name:18} {1000 * median:8.1f} ms  "
                f"{median / base:5.2f} of stock TensorFlow"
            )


def _export(model_dir, folder, *flags):
    if not os.path.exists(folder):
        cli.main(["export", "--model_dir", model_dir, "--output", folder, *flags])


def _load_saved_model(folder, backend):
    if backend == "native":
        ops.load_library()
    loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["images"]

    def detect(images, image_sizes, scales):
        del image_sizes, scales
        return {name: value.numpy() for name, value in signature(images=images).items()}

    detect.owner = loaded  # It owns the variables.
    return detect


def _draw_inputs(batch, settings):
    canvas = settings["canvases"][-1]
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, [batch, *(side // 16 for side in canvas), 3])
    images = tf.image.resize(coarse, canvas).numpy()
    return {
        "images": images,
        "image_sizes": np.tile(np.int32(canvas), [batch, 1]),
        "scales": np.ones([batch, 2], np.float32),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model_dir", required=True)
    parser.add_argument("--output", required=True, help="exports, kept for next time")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    main(**vars(parser.parse_args()))
