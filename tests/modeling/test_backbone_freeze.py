"""A batch-norm freeze that freezes, whatever a backbone does with its training mode."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from moved_variables import (
    assert_only_unfrozen_variables_move,
    train_and_list_moved_variables,
)

from ehsod_tf.modeling import FunctionalBackbone, build_resnet

NAMES = ("c2", "c3", "c4", "c5")


def test_resnet_50():
    backbone = build_resnet(50, weights=None, frozen_level=2)
    assert_only_unfrozen_variables_move(backbone, frozen=("conv1_", "conv2_"))


class _PassesTrainingOn(layers.Layer):
    """A block of its own that hands its training mode to an inner batch norm."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolve = layers.Conv2D(8, 3, 2, padding="same", name="conv")
        self.norm = layers.BatchNormalization(name="norm")

    def build(self, input_shape):
        self.convolve.build(input_shape)
        self.norm.build((*input_shape[:3], 8))

    def call(self, x, training=None):
        return tf.nn.relu(self.norm(self.convolve(x), training=training))


class _HasNoTrainingArgument(_PassesTrainingOn):
    """As above, but its batch norm has to learn the training mode from the context."""

    def call(self, x):
        return tf.nn.relu(self.norm(self.convolve(x)))


def _build_nested_model(name):
    inputs = keras.Input((None, None, 8))
    x = layers.Conv2D(8, 3, 2, padding="same", name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    inner = keras.Model(inputs, x, name="inner")
    return keras.Sequential([inner, layers.Activation("relu")], name=name)


def _build_stubborn_network():
    """Every way in which a batch norm may come to hear that this is training."""
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", name="stem_conv")(inputs)
    x = layers.BatchNormalization(name="stem_norm")(x, training=True)
    x = _build_nested_model("c2")(x)
    x = _HasNoTrainingArgument(name="c3")(x)
    x = _PassesTrainingOn(name="c4")(x, training=True)
    x = _build_nested_model("c5")(x, training=True)
    return keras.Model(inputs, x, name="stubborn")


@pytest.mark.parametrize("frozen_level", [0, 3])
def test_nested_and_stubborn_layers(frozen_level):
    network = _build_stubborn_network()
    backbone = FunctionalBackbone(network, NAMES, "torch", frozen_level)
    frozen = ("stem_", "c2/", "c3/", "c4/")[:frozen_level]
    assert_only_unfrozen_variables_move(backbone, frozen)


def test_a_frozen_network_does_not_move():
    backbone = FunctionalBackbone(_build_stubborn_network(), NAMES, "torch", 5)
    assert train_and_list_moved_variables(backbone) == set()


def test_batch_norm_does_not_look_at_the_batch_in_training():
    """A batch-mate would change the features otherwise."""
    backbone = FunctionalBackbone(_build_stubborn_network(), NAMES, "torch")
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(0, 255, [2, 64, 64, 3]), tf.float32)
    together = backbone(images, training=True)
    alone = backbone(images[:1], training=True)
    for level, maps in alone.items():
        np.testing.assert_allclose(together[level][:1], maps, rtol=1e-4, atol=1e-4)
