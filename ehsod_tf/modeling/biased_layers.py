"""Layers with a bias, whose gradient 16 bits do not slow down."""

import tensorflow as tf
from keras import layers


def add_bias(outputs, bias):
    """Adds a bias to each channel: [..., C] and [C] of one type.

    In 16 bits TensorFlow's kernel of the bias's gradient took 28.7 of the 104 ms of a
    training step on an H200 (docs/speed.md). There the gradient is a product with ones
    instead, which reads what comes down once and is summed in float32. A convolution
    before and a ReLU after are still fused with this.
    """
    if outputs.dtype.size > 2:
        return tf.nn.bias_add(outputs, bias)
    return _add_16_bit_bias(outputs, bias)


@tf.custom_gradient
def _add_16_bit_bias(outputs, bias):
    def differentiate(upstream):
        rows = tf.reshape(upstream, [-1, bias.shape[0]])
        ones = tf.ones([1, tf.shape(rows)[0]], rows.dtype)
        return upstream, tf.matmul(ones, rows)[0]

    return tf.nn.bias_add(outputs, bias), differentiate


class Conv2D(layers.Conv2D):
    """Keras's convolution, channels last, whose bias is added by `add_bias`."""

    def call(self, inputs):
        outputs = self.convolution_op(inputs, self.kernel)
        return _finish(self, outputs)


class Dense(layers.Dense):
    """Keras's fully connected layer, whose bias is added by `add_bias`."""

    def call(self, inputs):
        return _finish(self, tf.matmul(inputs, self.kernel))


def _finish(layer, outputs):
    if layer.use_bias:
        outputs = add_bias(outputs, tf.convert_to_tensor(layer.bias))
    return outputs if layer.activation is None else layer.activation(outputs)
