"""Biases of convolutions, with a gradient that 16 bits do not slow down."""

import tensorflow as tf
from keras import layers


def add_bias(outputs, bias):
    """Adds a bias to each channel: [B, H, W, C] and [C] of one type.

    In 16 bits TensorFlow's kernel of the bias's gradient took 28.7 of the 104 ms of a
    training step on an H200 (docs/speed.md). There the sum is formed in float32
    instead, by the kernel of ordinary sums. A convolution before and a ReLU after are
    still fused with this.
    """
    if outputs.dtype.size > 2:
        return tf.nn.bias_add(outputs, bias)
    return _add_16_bit_bias(outputs, bias)


@tf.custom_gradient
def _add_16_bit_bias(outputs, bias):
    def differentiate(upstream):
        total = tf.reduce_sum(tf.cast(upstream, tf.float32), axis=[0, 1, 2])
        return upstream, tf.cast(total, bias.dtype)

    return tf.nn.bias_add(outputs, bias), differentiate


class Conv2D(layers.Conv2D):
    """Keras's convolution, channels last, whose bias is added by `add_bias`."""

    def call(self, inputs):
        outputs = self.convolution_op(inputs, self.kernel)
        if self.use_bias:
            outputs = add_bias(outputs, tf.convert_to_tensor(self.bias))
        return outputs if self.activation is None else self.activation(outputs)
