"""Calls the compiled ops with malformed and odd arguments and counts what comes back.

    python ops/tests/fuzz_calls.py --calls 1000000

Ranks, sizes, types and attributes are random, boxes and scores hold NaN, infinities
and huge numbers. Every call must end with InvalidArgument or with a result of the shape
that the arguments ask for, finite for finite features. Call n depends on n alone, so
`--first n --calls 1` repeats it. Each ten thousand calls have a process of their own:
TensorFlow keeps a kernel for every set of attributes that it has met.
"""

import argparse
import collections
import concurrent.futures
import multiprocessing

import numpy as np
import tensorflow as tf

from ehsod_tf.ops import load_library

SPECIAL = np.float32(
    [0, -0.0, 1, -1, 1e38, -1e38, 3.4e38, 1e10, -1e10, 1e-45, 2**24, 2**31]
    + [np.nan, np.inf, -np.inf]
)
ODD_INTS = [0, -1, 1, 2, 16, 17, 64, 65, 2**20, 2**20 + 1, 2**31 - 1, 2**31, 2**62]
ODD_INTS += [-(2**31), -(2**62)]
ODD_SIZES = [0, -1, 1, 2, 17, 2**25, 2**31 - 1, -(2**31)]
DTYPES = [np.float32] * 12 + [np.float64, np.int32, np.float16, bool]
FEATURE_DTYPES = [tf.float32] * 4 + [tf.bfloat16] * 3 + [tf.float16] * 3 + [tf.int32]


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


def odd(rng, usual, odds=12):
    """The usual integer, or sometimes an odd one."""
    return pick(rng, ODD_INTS) if rng.integers(odds) == 0 else int(usual)


def make_shape(rng, shape):
    """The shape, or sometimes one of another rank or with other sizes."""
    shape = [int(k) for k in shape]
    if rng.integers(10) > 0:
        return shape
    change = rng.integers(4)
    if change == 0:
        return shape[: rng.integers(len(shape) + 1)]
    if change == 1:
        return [*shape, int(rng.integers(3))]
    axis = rng.integers(len(shape))
    if change == 2:
        shape[axis] = int(rng.integers(9))
        return shape
    # An empty tensor may have any other size: its products overflow 32 bits.
    shape[axis] = pick(rng, [2**16, 2**31 - 1, 2**31, 2**40])
    shape[(axis + 1) % len(shape)] = 0
    return shape


def make_floats(rng, shape, low, high):
    values = rng.uniform(low, high, size=shape).astype(np.float32)
    if values.size and rng.integers(2):
        hits = rng.uniform(size=values.shape) < 0.2
        values[hits] = rng.choice(SPECIAL, size=np.count_nonzero(hits))
    with np.errstate(all="ignore"):
        return values.astype(pick(rng, DTYPES))


def make_pyramid(rng):
    batch, levels = rng.integers(0, 4), rng.integers(1, 6)
    channels = pick(rng, [0, 1, 3, 8, 17, 33])
    shapes = [
        [batch, rng.integers(1, 12), rng.integers(1, 12), channels]
        for _ in range(levels)
    ]
    return batch, channels, [make_shape(rng, shape) for shape in shapes]


def make_attributes(rng):
    return {
        "min_level": odd(rng, rng.integers(0, 5)),
        "output_size": odd(rng, rng.integers(1, 8)),
        "sampling_ratio": odd(rng, rng.integers(1, 4)),
    }


def cast(values, dtype):
    return tf.cast(tf.constant(values), dtype)


def call_roi_align(rng, library):
    batch, _, shapes = make_pyramid(rng)
    dtype = pick(rng, FEATURE_DTYPES)
    features = [cast(rng.uniform(-1, 1, size=shape), dtype) for shape in shapes]
    boxes = make_floats(rng, make_shape(rng, [batch, rng.integers(0, 6), 4]), -20, 200)
    attributes = make_attributes(rng)
    pooled = library.ehsod_multilevel_roi_align(
        features=features, boxes=boxes, **attributes
    )
    size = attributes["output_size"]
    expected = [*boxes.shape[:2], size, size, shapes[0][3]]
    return pooled.shape == expected and is_finite(pooled)


def call_roi_align_grad(rng, library):
    batch, channels, shapes = make_pyramid(rng)
    attributes = make_attributes(rng)
    count, size = rng.integers(0, 6), min(max(attributes["output_size"], 0), 70)
    boxes = make_floats(rng, make_shape(rng, [batch, count, 4]), -20, 200)
    upstream = rng.uniform(
        -1, 1, size=make_shape(rng, [batch, count, size, size, channels])
    )
    # Sizes that are negative, or huge, or whose product overflows. None that
    # could be computed, but slowly.
    shapes = [
        [pick(rng, ODD_SIZES) if rng.integers(40) == 0 else size for size in shape]
        for shape in shapes
    ]
    gradients = library.ehsod_multilevel_roi_align_grad(
        feature_shapes=[np.int64(shape).astype(np.int32) for shape in shapes],
        boxes=boxes,
        pooled_gradient=cast(upstream, pick(rng, FEATURE_DTYPES)),
        **attributes,
    )
    return all(
        gradient.shape == np.int64(shape).astype(np.int32) and is_finite(gradient)
        for gradient, shape in zip(gradients, shapes, strict=True)
    )


def call_nms(rng, library):
    batch, count = rng.integers(0, 4), rng.integers(0, 40)
    boxes = make_floats(rng, make_shape(rng, [batch, count, 4]), 0, 60)
    scores = make_floats(rng, make_shape(rng, [batch, count]), -1, 1)
    classes = rng.integers(-(2**31), 2**31, size=make_shape(rng, [batch, count]))
    max_outputs = odd(rng, rng.integers(1, 50))
    indices, num_valid = library.ehsod_non_max_suppression(
        boxes=boxes,
        scores=scores,
        classes=[classes.astype(np.int32)] * pick(rng, [0, 1, 1, 2]),
        iou_threshold=float(pick(rng, [0.5, 0.5, 0.3, *SPECIAL])),
        score_threshold=float(pick(rng, [0.0, -np.inf, *SPECIAL])),
        max_outputs=max_outputs,
    )
    indices, num_valid = indices.numpy(), num_valid.numpy()
    valid = np.arange(max_outputs) < num_valid[:, None]
    in_range = (indices >= 0) & (indices < boxes.shape[1])
    return indices.shape == (len(boxes), max_outputs) and np.all(
        np.where(valid, in_range, indices == -1)
    )


def is_finite(tensor):
    return np.all(np.isfinite(tensor.numpy().astype(np.float32)))


CALLS_PER_PROCESS = 10_000
CALLS = (call_roi_align, call_roi_align_grad, call_nms)


def run_call(number, library):
    """Returns "result" or "InvalidArgument"; anything else is an error."""
    rng = np.random.default_rng(number)
    call = CALLS[number % len(CALLS)]
    try:
        is_right = call(rng, library)
    except tf.errors.InvalidArgumentError:
        return "InvalidArgument"
    if not is_right:
        raise AssertionError(f"call {number}: {call.__name__} gave a wrong result")
    return "result"


def run_calls(numbers):
    """Returns how many calls ended in which way."""
    library = load_library()
    return collections.Counter(run_call(number, library) for number in numbers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--first", type=int, default=0)
    flags = parser.parse_args()
    outcomes = collections.Counter()
    last = flags.first + flags.calls
    for first in range(flags.first, last, CALLS_PER_PROCESS):
        numbers = range(first, min(first + CALLS_PER_PROCESS, last))
        with concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn")
        ) as pool:
            try:
                outcomes += pool.submit(run_calls, numbers).result()
            except concurrent.futures.process.BrokenProcessPool:
                raise SystemExit(f"crash within {numbers}") from None
        print(f"{numbers}: {dict(outcomes)}", flush=True)


if __name__ == "__main__":
    main()
