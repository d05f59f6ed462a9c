"""Compares the compiled ops with torchvision's on random cases.

    python benchmarks/ops_on_cpu/torchvision_agreement.py --torch_python PATH

PATH is the Python of an environment that has torch and torchvision. RoIAlign is
compared forward and backward with `roi_align(aligned=True)` on each box's level, NMS
by its list of indices with `nms`. Ends with status 1 at a disagreement.
"""

import argparse
import sys
import tempfile

import numpy as np
import tensorflow as tf
from torchvision_client import Torchvision

from ehsod_tf.ops import multilevel_roi_align, non_max_suppression

# Of the largest value, for sums in float32 of positions that were rounded otherwise.
TOLERANCE = 3e-5


def make_roi_case(rng):
    batch, channels = rng.integers(1, 4), rng.integers(1, 20)
    extent = rng.integers(16, 400, size=2)
    levels = range(2, rng.integers(3, 7))
    count = rng.integers(1, 20)
    size, ratio = rng.integers(1, 9), rng.integers(1, 4)
    centres = rng.uniform(-0.1, 1.1, size=[batch, count, 2]) * extent
    half = np.exp(rng.uniform(0, np.log(250), size=[batch, count, 2]))
    case = {
        f"features{k}": rng.normal(size=[batch, *np.maximum(extent >> k, 1), channels])
        for k in levels
    }
    case["boxes"] = np.concatenate([centres - half, centres + half], axis=-1)
    case["upstream"] = rng.normal(size=[batch, count, size, size, channels])
    case = {k: v.astype(np.float32) for k, v in case.items()}
    return case | {"output_size": size, "sampling_ratio": ratio}


def run_roi_align(case):
    features = {
        int(k.removeprefix("features")): tf.constant(v)
        for k, v in case.items()
        if k.startswith("features")
    }
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = multilevel_roi_align(
            features,
            case["boxes"],
            output_size=int(case["output_size"]),
            sampling_ratio=int(case["sampling_ratio"]),
            backend="native",
        )
    gradients = tape.gradient(pooled, features, output_gradients=case["upstream"])
    results = {f"gradient{k}": v.numpy() for k, v in gradients.items()}
    return results | {"pooled": pooled.numpy().reshape(-1, *pooled.shape[2:])}


def compare_roi_align(torchvision, case):
    """Returns the largest difference as a share of the largest value."""
    native = run_roi_align(case)
    other = torchvision.run("roi_align+gradient", torchvision.store("case", case))
    worst = 0.0
    for name, expected in native.items():
        difference = np.max(np.abs(other[name] - expected), initial=0)
        worst = max(worst, difference / max(np.max(np.abs(expected)), 1e-3))
    return worst


def make_nms_case(rng):
    count = rng.integers(1, 600)
    corners = rng.uniform(0, 100, size=[count, 2])
    boxes = np.concatenate([corners, corners + rng.uniform(1, 60, [count, 2])], axis=-1)
    if rng.uniform() < 0.5:
        # On a grid IoUs are often equal to the threshold.
        boxes = 5 * np.round(boxes / 5)
    # Without equal scores, whose order torchvision leaves open.
    scores = rng.permutation(count) / count
    return {
        "boxes": boxes.astype(np.float32),
        "scores": scores.astype(np.float32),
        "iou_threshold": np.float32(rng.choice([0.3, 0.5, 0.6, 0.7, 0.75])),
        "max_outputs": rng.integers(1, 700),
    }


def compare_nms(torchvision, case):
    """Returns whether the lists of indices are equal."""
    indices, num_valid = non_max_suppression(
        case["boxes"][None],
        case["scores"][None],
        iou_threshold=float(case["iou_threshold"]),
        max_outputs=int(case["max_outputs"]),
        backend="native",
    )
    other = torchvision.run("nms", torchvision.store("case", case))
    return np.array_equal(indices[0, : num_valid[0]], other["indices"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch_python", required=True)
    parser.add_argument("--cases", type=int, default=1000)
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        torchvision = Torchvision(flags.torch_python, folder)
        differences = [
            compare_roi_align(torchvision, make_roi_case(rng))
            for _ in range(flags.cases)
        ]
        unequal = sum(
            not compare_nms(torchvision, make_nms_case(rng)) for _ in range(flags.cases)
        )
        torchvision.close()
    print(
        f"torchvision {torchvision.version}, {flags.cases} random cases each:\n"
        f"  roi_align  largest difference {max(differences):.1e} of the largest value\n"
        f"  nms        {unequal} lists of indices differ"
    )
    sys.exit(max(differences) > TOLERANCE or unequal > 0)


if __name__ == "__main__":
    main()
