"""The bias of a layer, and its gradient in 16 bits."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.modeling.biased_layers import Conv2D, Dense, add_bias


@pytest.mark.parametrize("shape", [[2, 5, 7, 3], [70, 3]])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_gradient_of_a_bias_is_the_sum_of_what_comes_down(dtype, shape):
    rng = np.random.default_rng(0)
    outputs = tf.constant(rng.standard_normal(shape), dtype)
    bias = tf.constant([1.0, -2.0, 0.5], dtype)
    upstream = tf.constant(rng.uniform(0, 1, shape), dtype)
    with tf.GradientTape() as tape:
        tape.watch([outputs, bias])
        total = add_bias(outputs, bias)
    np.testing.assert_array_equal(total, tf.nn.bias_add(outputs, bias))
    of_outputs, of_bias = tape.gradient(total, [outputs, bias], upstream)
    np.testing.assert_array_equal(of_outputs, upstream)
    assert of_bias.dtype == dtype
    expected = tf.cast(upstream, tf.float64).numpy().reshape(-1, 3).sum(axis=0)
    rounding = {"float32": 1e-6, "float16": 1e-3, "bfloat16": 8e-3}[dtype]
    np.testing.assert_allclose(tf.cast(of_bias, tf.float64), expected, rtol=rounding)


def test_16_bit_sum_does_not_stall():
    """Added one by one in bfloat16, 4,096 ones are 256."""
    bias = tf.zeros([1], tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(bias)
        total = add_bias(tf.zeros([1, 64, 64, 1], tf.bfloat16), bias)
    gradient = tape.gradient(total, bias, tf.ones_like(total))
    assert float(gradient[0]) == 4096


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_convolution_is_that_of_keras(activation, use_bias):
    settings = {"activation": activation, "use_bias": use_bias, "padding": "same"}
    ours, theirs = (kind(4, 3, **settings) for kind in (Conv2D, keras.layers.Conv2D))
    compare_layers(ours, theirs, [2, 6, 5, 3])


@pytest.mark.parametrize("activation", [None, "relu"])
def test_fully_connected_layer_is_that_of_keras(activation):
    ours, theirs = (kind(4, activation) for kind in (Dense, keras.layers.Dense))
    compare_layers(ours, theirs, [6, 3])


def compare_layers(ours, theirs, shape):
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal(shape).astype(np.float32)
    for layer in (ours, theirs):
        layer.build(shape)
    weights = [rng.standard_normal(w.shape) for w in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    np.testing.assert_allclose(ours(inputs), theirs(inputs), atol=1e-6)
