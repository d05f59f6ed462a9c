"""Runs each compiled op on each device and says what to do where one fails."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.ops import _library
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
    checks = []
    for device in tf.config.list_logical_devices():
        if device.device_type in ("CPU", "GPU"):
            checks += [_check(device, op, run) for op, run in OPS.items()]
    return checks


def _check(device, op, run):
    name = f"{device.device_type}:{device.name.rsplit(':', 1)[1]}"
    try:
        info = _library.read_build_info()
        _library.load_library()
    except _library.NativeOpsUnavailableError as error:
        return OpCheck(name, op, False, str(error), _library.REMEDY)
    if device.device_type == "GPU" and info["cuda"] is None:
        return OpCheck(name, op, False, "built without CUDA", NO_CUDA_REMEDY)
    try:
        error = _compare(device.name, run)
    except tf.errors.OpError as failure:
        reason = failure.message.splitlines()[0]
        return OpCheck(name, op, False, reason, _explain_failure(info))
    if not error <= TOLERANCE:
        result = f"wrong: differs by {error:.1e} from stock TensorFlow"
        return OpCheck(name, op, False, result, WRONG_RESULT_REMEDY)
    return OpCheck(name, op, True, f"passed, within {error:.0e} of stock TF", "")


def _compare(device, run):
    with tf.device(device):
        native = run("native")
    with tf.device("CPU:0"):
        # TensorFlow's own gradient of crop_and_resize loses a sum now and then where
        # the threads of a CPU meet; a median of five does not.
        runs = [run("stock") for _ in range(5)]
    stock = [np.median(results, axis=0) for results in zip(*runs, strict=True)]
    differences = [
        np.max(np.abs(np.subtract(a, b, dtype=np.float64)))
        for a, b in zip(native, stock, strict=True)
    ]
    return max(differences)


def _explain_failure(info):
    return (
        f"the ops were built with CUDA {info['cuda']} for architectures "
        f"{info['cuda_architectures']}: check that the driver serves both, "
        "or pass backend='stock'"
    )


def _run_roi_align(backend):
    rng = np.random.default_rng(0)
    features = {
        level: tf.constant(
            rng.uniform(size=[2, 256 >> level, 256 >> level, 20]), "float32"
        )
        for level in range(2, 6)
    }
    corners = rng.uniform(0, 200, size=[2, 12, 2])
    sides = rng.uniform(5, 250, size=[2, 12, 2])
    boxes = tf.constant(np.concatenate([corners, corners + sides], -1), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = multilevel_roi_align(features, boxes, backend=backend)
    return [pooled, *tape.gradient(pooled, features).values()]


def _run_non_max_suppression(backend):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, size=[2, 300, 2])
    sides = rng.uniform(5, 40, size=[2, 300, 2])
    return non_max_suppression(
        tf.constant(np.concatenate([corners, corners + sides], -1), tf.float32),
        tf.constant(rng.uniform(size=[2, 300]), tf.float32),
        iou_threshold=0.5,
        max_outputs=100,
        classes=tf.constant(rng.integers(0, 3, size=[2, 300]), tf.int32),
        backend=backend,
    )


OPS = {
    "multilevel_roi_align": _run_roi_align,
    "non_max_suppression": _run_non_max_suppression,
}
