"""Runs each compiled op on each device and says what to do where one fails.

The standard is the definition in NumPy float64 on a small case, not the stock backend:
that runs on the same device and may be wrong itself.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.ops import _library, oracles
from ehsod_tf.ops.non_max_suppression import non_max_suppression
from ehsod_tf.ops.roi_align import multilevel_roi_align

TOLERANCE = 1e-4

NO_CUDA_REMEDY = (
    "install the CUDA toolkit, so that nvcc is found, and run `python ops/build.py`; "
    "until then these ops run on the CPU"
)
WRONG_RESULT_REMEDY = (
    "pass backend='stock', and report it with the output of this command"
)


class OpCheck(NamedTuple):
    """One op on one device: `result` in words, `remedy` empty where it passed."""

    device: str
    op: str
    passed: bool
    result: str
    remedy: str


class Case(NamedTuple):
    """An op, a function that runs it, and the arrays that it must return."""

    op: str
    run: Callable
    expected: list


def describe_build():
    """Returns one line on the compiled ops here, or why there are none."""
    try:
        info = _library.read_build_info()
    except _library.NativeOpsUnavailableError as error:
        return str(error)
    cuda = "without CUDA"
    if info["cuda"] is not None:
        targets = ", ".join(f"sm_{k}" for k in info["cuda_architectures"])
        cuda = f"with CUDA {info['cuda']} for {targets}"
    return (
        f"built against TensorFlow {info['tensorflow']} by {info['compiler']}, {cuda}"
    )


def run_self_tests():
    """Returns an `OpCheck` for each op on each CPU and GPU that TensorFlow sees."""
    cases = [make_case() for make_case in CASES]
    return [
        _check(device, case)
        for device in tf.config.list_logical_devices()
        if device.device_type in ("CPU", "GPU")
        for case in cases
    ]


def _check(device, case):
    name = f"{device.device_type}:{device.name.rsplit(':', 1)[1]}"
    try:
        info = _library.read_build_info()
        _library.load_library()
    except _library.NativeOpsUnavailableError as error:
        return OpCheck(name, case.op, False, str(error), _library.REMEDY)
    if device.device_type == "GPU" and info["cuda"] is None:
        return OpCheck(name, case.op, False, "built without CUDA", NO_CUDA_REMEDY)
    try:
        with tf.device(device.name):
            error = _measure_error(case.run(), case.expected)
    except tf.errors.OpError as failure:
        reason = failure.message.splitlines()[0]
        return OpCheck(name, case.op, False, reason, _explain_failure(info))
    if not error <= TOLERANCE:
        result = f"wrong: differs by {error:.1e} from its definition"
        return OpCheck(name, case.op, False, result, WRONG_RESULT_REMEDY)
    result = f"passed, within {error:.0e} of its definition"
    return OpCheck(name, case.op, True, result, "")


def _measure_error(results, expected):
    """Returns the largest difference, relative where values exceed 1."""
    errors = [
        np.max(np.abs(np.float64(a) - b)) / max(np.max(np.abs(b)), 1)
        for a, b in zip(results, expected, strict=True)
    ]
    # Of a NaN, max() may return the other argument.
    return np.max(errors)


def _explain_failure(info):
    return (
        f"the ops were built with CUDA {info['cuda']} for architectures "
        f"{info['cuda_architectures']}: check that the driver serves both, "
        "or pass backend='stock'"
    )


def _make_roi_align_case():
    rng = np.random.default_rng(0)
    shape = [2, 12, 2]
    features = {k: rng.uniform(size=[2, 256 >> k, 256 >> k, 20]) for k in range(2, 6)}
    features = {k: v.astype(np.float32) for k, v in features.items()}
    corners, sides = rng.uniform(0, 200, size=shape), rng.uniform(5, 250, size=shape)
    boxes = np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)
    upstream = rng.uniform(size=[2, 12, 7, 7, 20]).astype(np.float32)

    def run():
        maps = {k: tf.constant(v) for k, v in features.items()}
        with tf.GradientTape() as tape:
            tape.watch(maps)
            pooled = multilevel_roi_align(maps, boxes, backend="native")
        gradients = tape.gradient(pooled, maps, tf.constant(upstream))
        return [pooled, *gradients.values()]

    gradients = oracles.roi_align_gradient_oracle(features, boxes, upstream, 7, 2)
    pooled = oracles.roi_align_oracle(features, boxes, 7, 2)
    return Case("multilevel_roi_align", run, [pooled, *gradients.values()])


def _make_non_max_suppression_case():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, size=[2, 200, 2])
    sides = rng.uniform(5, 40, size=[2, 200, 2])
    boxes = np.concatenate([corners, corners + sides], axis=-1).astype(np.float32)
    scores = rng.uniform(size=[2, 200]).astype(np.float32)
    classes = rng.integers(0, 2, size=[2, 200]).astype(np.int32)

    def run():
        return non_max_suppression(
            tf.constant(boxes),
            tf.constant(scores),
            iou_threshold=0.5,
            max_outputs=60,
            classes=tf.constant(classes),
            backend="native",
        )

    kept = [
        oracles.nms_oracle(*image, np.float32(0.5), 60, -np.inf, labels)
        for *image, labels in zip(boxes, scores, classes, strict=True)
    ]
    indices = np.full([2, 60], -1)
    for row, best in zip(indices, kept, strict=True):
        row[: len(best)] = best
    return Case("non_max_suppression", run, [indices, np.int64([*map(len, kept)])])


CASES = (_make_roi_align_case, _make_non_max_suppression_case)
