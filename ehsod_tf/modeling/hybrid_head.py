"""One hybrid-supervised head: class, box and confidence branches (Sec. 3.2)."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import layers

from ehsod_tf.modeling.biased_layers import Dense, add_bias


class HeadOutputs(NamedTuple):
    """Raw outputs for each region of interest, float32 under any precision policy.

    Attributes:
        class_logits: [B, R, K + 1], background last.
        deltas: [B, R, 4], class-agnostic.
        confidence_logits: [B, R, K], to be normalised over the R regions, not over the
            classes: how well each region stands for a class.
    """

    class_logits: tf.Tensor
    deltas: tf.Tensor
    confidence_logits: tf.Tensor


class HybridHead(layers.Layer):
    """Two fully connected layers and three sibling outputs.

    Args:
        num_classes: K.
        units: width of the two fully connected layers.
    """

    def __init__(self, num_classes: int, units: int = 1024, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.units = units
        self.hidden = [
            Dense(units, activation="relu", name=f"fc{i}", dtype=self.dtype_policy)
            for i in (1, 2)
        ]
        self.classifier = self._output(num_classes + 1, 0.01, "class_logits")
        self.regressor = self._output(4, 0.001, "deltas")
        self.confidence = self._output(num_classes, 0.01, "confidence_logits")

    def _output(self, units, stddev, name):
        return Dense(
            units,
            kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
            name=name,
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        size = input_shape[2] * input_shape[3] * input_shape[4]
        for layer, width in zip(self.hidden, (size, self.units), strict=True):
            layer.build((None, width))
        for layer in (self.classifier, self.regressor, self.confidence):
            layer.build((None, self.units))
        self.built = True

    def call(self, pooled) -> HeadOutputs:
        """[B, R, S, S, C] pooled features -> `HeadOutputs`."""
        size = pooled.shape[2] * pooled.shape[3] * pooled.shape[4]
        hidden = tf.reshape(pooled, [-1, size])
        for layer in self.hidden:
            hidden = layer(hidden)
        # The three outputs by one product.
        outputs = self.classifier, self.regressor, self.confidence
        kernel = tf.concat([layer.kernel for layer in outputs], axis=1)
        bias = tf.concat([layer.bias for layer in outputs], axis=0)
        values = tf.cast(add_bias(tf.matmul(hidden, kernel), bias), tf.float32)
        shape = tf.concat([tf.shape(pooled)[:2], [values.shape[-1]]], axis=0)
        sizes = [layer.units for layer in outputs]
        return HeadOutputs(*tf.split(tf.reshape(values, shape), sizes, axis=2))
