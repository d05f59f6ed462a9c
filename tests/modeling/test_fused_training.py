"""Ten steps as they are made, and as the formulas say: nothing folded or joined."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from small_detector import build_small_detector, make_batch

from ehsod_tf.modeling import FunctionalBackbone, functional_backbone
from ehsod_tf.training.optimizer import CoupledSGD

RATE, MOMENTUM, DECAY, CLIP = 0.01, 0.9, 1e-2, 5.0


def _build_detector():
    inputs = x = keras.Input((None, None, 3))
    keras.utils.set_random_seed(0)
    for level in range(1, 6):
        x = layers.Conv2D(8, 3, 2, padding="same")(x)
        x = layers.BatchNormalization(gamma_initializer=keras.initializers.Constant(2))(
            x
        )
        x = layers.Activation("relu", name=f"c{level}")(x)
    names = [f"c{level}" for level in range(2, 6)]
    backbone = FunctionalBackbone(keras.Model(inputs, x), names, "torch")
    return build_small_detector(backbone)


class _PlainSGD(CoupledSGD):
    """Variable by variable, in TensorFlow's simplest operations."""

    def apply(self, grads, trainable_variables=None):
        norm = tf.linalg.global_norm(grads)
        self.gradient_norm.assign(norm)
        scale = tf.minimum(1.0, CLIP / norm)
        pairs = zip(grads, trainable_variables, self.momentums, strict=True)
        for gradient, variable, velocity in pairs:
            gradient = gradient * scale + DECAY * variable
            velocity.assign(MOMENTUM * velocity - RATE * gradient)
            variable.assign(variable + velocity)
        self.iterations.assign_add(1)


def _train(optimizer_type):
    model = _build_detector()
    optimizer = optimizer_type(RATE, MOMENTUM, DECAY, CLIP)
    model.compile(optimizer=optimizer)
    optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, autograph=False)
    batches = make_batch([0, 1]), make_batch([1, 2])
    detections = model(batches[0])
    terms = [step(batches[index % 2]) for index in range(10)]
    return terms, [variable.numpy() for variable in model.variables], detections


def test_ten_steps_give_the_terms_weights_and_detections_of_the_formulas(monkeypatch):
    terms, weights, detections = _train(CoupledSGD)
    monkeypatch.setattr(
        functional_backbone,
        "run_folded",
        lambda network, images: network(images, training=False),
    )
    plain_terms, plain_weights, plain_detections = _train(_PlainSGD)
    for ours, theirs in zip(terms, plain_terms, strict=True):
        for name, value in theirs.items():
            assert float(ours[name]) == pytest.approx(float(value), rel=1e-5, abs=1e-5)
    for ours, theirs in zip(weights, plain_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert int(plain_detections.num_detections[0]) > 0
    for ours, theirs in zip(detections, plain_detections, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-3)
