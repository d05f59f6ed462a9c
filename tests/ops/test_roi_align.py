import numpy as np
import pytest
import tensorflow as tf
from random_inputs import make_boxes, make_odd_boxes, make_pyramid

from ehsod_tf.errors import ConfigError
from ehsod_tf.ops import multilevel_roi_align
from ehsod_tf.ops.oracles import roi_align_gradient_oracle, roi_align_oracle

# One rounding of a value up to 1 in the type, plus that of float32 arithmetic.
TOLERANCE = {"float32": 1e-5, "bfloat16": 2**-9 + 1e-5, "float16": 2**-12 + 1e-5}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def in_dtype(features, dtype):
    """Returns the pyramid in the type, and in float32 after the type's rounding."""
    cast = {k: tf.cast(v, dtype) for k, v in features.items()}
    return cast, {k: tf.cast(v, tf.float32).numpy() for k, v in cast.items()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("sampling_ratio", [1, 2, 3])
@pytest.mark.parametrize("output_size", [1, 7])
def test_equals_the_oracle(rng, backend, dtype, sampling_ratio, output_size):
    features, rounded = in_dtype(make_pyramid(rng), dtype)
    boxes = make_boxes(rng)
    pooled = multilevel_roi_align(
        features,
        boxes,
        output_size=output_size,
        sampling_ratio=sampling_ratio,
        backend=backend,
    )
    assert pooled.dtype == dtype
    expected = roi_align_oracle(rounded, boxes, output_size, sampling_ratio)
    actual = tf.cast(pooled, tf.float32)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("channels", [0, 1, 3, 4, 15, 16, 17, 64, 129, 257])
def test_any_number_of_channels(rng, backend, channels):
    features = make_pyramid(rng, batch=1, channels=channels, extent=64)
    boxes = make_boxes(rng, batch=1, count=6, extent=64)
    pooled = multilevel_roi_align(features, boxes, backend=backend)
    expected = roi_align_oracle(features, boxes, 7, 2)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "levels", [(2,), (5,), (0, 1), (2, 3, 4), (2, 3, 4, 5, 6), (3, 4)]
)
def test_any_consecutive_levels(rng, backend, levels):
    features = make_pyramid(rng, levels=levels, extent=128)
    boxes = make_boxes(rng, extent=128)
    pooled = multilevel_roi_align(features, boxes, output_size=3, backend=backend)
    expected = roi_align_oracle(features, boxes, 3, 2)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=1e-5)


def test_one_pixel_maps(rng, backend):
    features = make_pyramid(rng, batch=1, extent=1)
    boxes = np.float32([[[0, 0, 4, 4], [-3, -3, 20, 20], [-60, -60, 90, 90]]])
    pooled = multilevel_roi_align(features, boxes, backend=backend)
    expected = roi_align_oracle(features, boxes, 7, 2)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=1e-5)


def test_odd_boxes(rng, backend):
    features = make_pyramid(rng, batch=1, extent=128)
    boxes = make_odd_boxes()
    pooled = multilevel_roi_align(features, boxes, backend=backend)
    expected = roi_align_oracle(features, boxes, 7, 2)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=1e-5)


def test_pixel_model(backend):
    """On a map that holds its own coordinates, a bin gives its centre's coordinates.

    A cell's centre lies at half a stride: cell (0, 0) of P2 is the point (2, 2).
    """
    rows, columns = np.meshgrid(np.arange(32.0), np.arange(32.0), indexing="ij")
    centres = 4 * np.stack([rows, columns], axis=-1)[None] + 2
    boxes = np.float32([[[8, 20, 36, 76]]])
    pooled = multilevel_roi_align({2: np.float32(centres)}, boxes, backend=backend)
    bin_rows, bin_columns = np.meshgrid(
        8 + (np.arange(7) + 0.5) * 4, 20 + (np.arange(7) + 0.5) * 8, indexing="ij"
    )
    expected = np.stack([bin_rows, bin_columns], axis=-1)[None, None]
    np.testing.assert_allclose(pooled, expected, rtol=1e-6)


def test_border_rule(backend):
    """Samples up to one cell outside take the border's value, those beyond give 0."""
    features = {0: np.ones([1, 10, 10, 1], np.float32)}
    # One bin of one sample, at the box's centre: pixels -0.4, -0.6, 10.4 and 10.6.
    # Cell 0 has its centre at 0.5, so that one cell outside is -0.5; likewise 10.5.
    centres = np.float32([-0.4, -0.6, 10.4, 10.6])
    boxes = np.stack([centres - 1, 0 * centres + 4, centres + 1, 0 * centres + 6], -1)
    pooled = multilevel_roi_align(
        features, boxes[None], output_size=1, sampling_ratio=1, backend=backend
    )
    np.testing.assert_allclose(tf.reshape(pooled, [-1]), [1, 0, 1, 0], atol=1e-6)


def test_level_borders(backend):
    """Boxes of exactly 112, 224 and 448 pixels belong to the level above the border."""
    features = {k: np.full([1, 128, 128, 1], k, np.float32) for k in range(2, 6)}
    below = np.nextafter(np.float32([112, 224, 448]), np.float32(0))
    sides = np.float32([112, below[0], 224, below[1], 448, below[2], 1e-3, 2000])
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=-1)
    pooled = multilevel_roi_align(
        features, boxes[None], output_size=1, sampling_ratio=1, backend=backend
    )
    expected = [3, 2, 4, 3, 5, 4, 2, 5]
    np.testing.assert_allclose(tf.reshape(pooled, [-1]), expected, atol=1e-6)


@pytest.mark.parametrize("batch, count", [(2, 0), (0, 3), (0, 0)])
def test_no_boxes(rng, backend, batch, count):
    features = {k: tf.constant(v) for k, v in make_pyramid(rng, batch=batch).items()}
    boxes = tf.zeros([batch, count, 4])
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = multilevel_roi_align(features, boxes, backend=backend)
    assert pooled.shape == [batch, count, 7, 7, 4]
    for level, gradient in tape.gradient(pooled, features).items():
        np.testing.assert_array_equal(gradient, np.zeros(features[level].shape))


def take_gradient(features, boxes, upstream=None, **settings):
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = multilevel_roi_align(features, boxes, **settings)
    gradients = tape.gradient(pooled, features, output_gradients=upstream)
    return {level: gradient.numpy() for level, gradient in gradients.items()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("channels", [1, 5, 16, 130])
def test_gradient_equals_the_oracle(rng, backend, dtype, channels):
    features, rounded = in_dtype(make_pyramid(rng, channels=channels, extent=64), dtype)
    boxes = make_boxes(rng, count=5, extent=64)
    upstream = rng.uniform(size=[2, 5, 3, 3, channels]).astype(np.float32)
    upstream = tf.cast(upstream, dtype)
    settings = {"output_size": 3, "sampling_ratio": 2, "backend": backend}
    actual = take_gradient(features, boxes, upstream, **settings)
    expected = roi_align_gradient_oracle(
        rounded, boxes, tf.cast(upstream, tf.float32).numpy(), 3, 2
    )
    for level, gradient in actual.items():
        assert gradient.dtype == features[level].dtype.as_numpy_dtype
        np.testing.assert_allclose(
            gradient.astype(np.float32),
            expected[level],
            rtol=2 * TOLERANCE[dtype],
            atol=2 * TOLERANCE[dtype],
        )


def test_oracle_gradient_by_finite_differences(rng):
    """The standard for the gradients, itself checked in float64."""
    features = make_pyramid(rng, batch=1, channels=1, levels=(2, 3), extent=24)
    features = {k: v.astype(np.float64) for k, v in features.items()}
    boxes = np.float32([[[3, 2, 17, 22], [-9, 1, 30, 40], [0, 0, 150, 150]]])
    upstream = rng.uniform(size=[1, 3, 2, 2, 1])
    expected = roi_align_gradient_oracle(features, boxes, upstream, 2, 2)
    step = 1e-4
    for level in features:
        for cell in np.ndindex(features[level].shape):
            values = []
            for sign in (1, -1):
                features[level][cell] += sign * step
                pooled = roi_align_oracle(features, boxes, 2, 2)
                values.append(np.sum(pooled * upstream))
                features[level][cell] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            assert expected[level][cell] == pytest.approx(slope, abs=1e-8)


def test_odd_boxes_give_finite_gradients(rng, backend):
    features = make_pyramid(rng, batch=1, extent=128)
    features = {k: tf.constant(v) for k, v in features.items()}
    with tf.GradientTape() as tape:
        tape.watch(features)
        pooled = multilevel_roi_align(features, make_odd_boxes(), backend=backend)
    for gradient in tape.gradient(pooled, features).values():
        assert np.all(np.isfinite(gradient))


def test_boxes_carry_no_gradient(rng, backend):
    boxes = tf.constant(make_boxes(rng))
    with tf.GradientTape() as tape:
        tape.watch(boxes)
        pooled = multilevel_roi_align(make_pyramid(rng), boxes, backend=backend)
    assert tape.gradient(pooled, boxes) is None


def test_native_equals_stock(rng, library):
    features = {k: tf.constant(v) for k, v in make_pyramid(rng, channels=48).items()}
    boxes = make_boxes(rng, count=50)
    results = {}
    for backend in ("native", "stock"):
        pooled = multilevel_roi_align(features, boxes, backend=backend)
        gradients = take_gradient(features, boxes, backend=backend)
        results[backend] = [pooled, *gradients.values()]
    for native, stock in zip(results["native"], results["stock"], strict=True):
        # Of the largest value: a gradient is a sum over many boxes.
        tolerance = 1e-5 * np.max(np.abs(stock))
        np.testing.assert_allclose(native, stock, rtol=0, atol=tolerance)


def test_repeated_runs_have_the_same_bits(rng, backend):
    """The threads' timing leaves no trace: nothing races."""
    features = make_pyramid(rng, channels=64, extent=512)
    features = {k: tf.constant(v) for k, v in features.items()}
    boxes = make_boxes(rng, count=200, extent=512)

    def run():
        with tf.GradientTape() as tape:
            tape.watch(features)
            pooled = multilevel_roi_align(features, boxes, backend=backend)
        return [pooled, *tape.gradient(pooled, features).values()]

    first = run()
    for _ in range(5):
        for expected, actual in zip(first, run(), strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_unknown_sizes_in_a_function_and_a_saved_model(rng, backend, tmp_path):
    features, boxes = make_pyramid(rng), make_boxes(rng)
    feature_spec = tf.TensorSpec([None, None, None, 4])

    @tf.function(
        input_signature=[
            {str(k): feature_spec for k in features},
            tf.TensorSpec([None, None, 4]),
        ]
    )
    def pool(named_features, boxes):
        pyramid = {int(k): v for k, v in named_features.items()}
        pooled = multilevel_roi_align(pyramid, boxes, backend=backend)
        assert pooled.shape.as_list() == [None, None, 7, 7, 4]
        return pooled

    module = tf.Module()
    module.pool = pool
    tf.saved_model.save(module, str(tmp_path))
    restored = tf.saved_model.load(str(tmp_path))
    arguments = {str(k): tf.constant(v) for k, v in features.items()}, boxes
    expected = multilevel_roi_align(features, boxes, backend=backend)
    np.testing.assert_allclose(pool(*arguments), expected, atol=1e-5)
    np.testing.assert_allclose(restored.pool(*arguments), expected, atol=1e-5)


def test_runs_in_every_replica(rng, backend):
    features = {k: tf.constant(v) for k, v in make_pyramid(rng).items()}
    boxes = tf.constant(make_boxes(rng))
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])

    @tf.function
    def step():
        return strategy.run(
            lambda: multilevel_roi_align(features, boxes, backend=backend)
        )

    expected = multilevel_roi_align(features, boxes, backend=backend)
    np.testing.assert_allclose(step(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"features": {}}, "consecutive"),
        ({"features": {2: np.zeros([1, 4, 4, 1]), 4: np.zeros([1, 1, 1, 1])}}, "cons"),
        ({"features": {-1: np.zeros([1, 4, 4, 1], np.float32)}}, "0..16"),
        ({"features": {2: np.zeros([1, 4, 4, 1])}}, "float64"),
        ({"features": {2: np.zeros([4, 4, 1], np.float32)}}, r"\[B, H, W, C\]"),
        ({"boxes": np.zeros([1, 3, 5], np.float32)}, r"\[B, N, 4\]"),
        ({"boxes": np.zeros([1, 3, 4], np.int32)}, "float32"),
        ({"output_size": 0}, "from 1 to 64"),
        ({"output_size": 65}, "from 1 to 64"),
        ({"output_size": 7.0}, "whole number"),
        ({"sampling_ratio": -1}, "from 1 to 16"),
        ({"sampling_ratio": True}, "whole number"),
        ({"backend": "fast"}, "backend"),
    ],
)
def test_names_the_bad_argument(change, message):
    arguments = {
        "features": {2: np.zeros([1, 4, 4, 1], np.float32)},
        "boxes": np.zeros([1, 3, 4], np.float32),
    }
    with pytest.raises((ConfigError, ValueError), match=message):
        multilevel_roi_align(**(arguments | change))
