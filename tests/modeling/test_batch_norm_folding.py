"""Folding changes no result: each network is compared with its own Keras call."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ehsod_tf.modeling.batch_norm_folding import find_foldable, run_folded


def randomize(network, seed=0):
    """Weights as after a training: statistics and gains far from 0 and 1."""
    rng = np.random.default_rng(seed)
    for layer in network._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            for variable in layer.weights:
                variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return network


def make_images(size=32):
    rng = np.random.default_rng(1)
    return tf.constant(rng.normal(size=[2, size, size, 3]), tf.float32)


def build_plain(use_bias=True, **norm):
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=use_bias)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization(**norm)(x))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=use_bias)(x)
    return keras.Model(inputs, layers.BatchNormalization(**norm)(x))


def build_nested():
    inner = build_plain()
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, layers.Conv2D(4, 1)(inner(inputs)))


def build_resnet():
    return keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )


NETWORKS = {
    "bias": build_plain,
    "no bias": lambda: build_plain(use_bias=False),
    "no gain": lambda: build_plain(scale=False),
    "no shift": lambda: build_plain(center=False),
    "nested": build_nested,
    "resnet": build_resnet,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_the_unfolded_network(name):
    network = randomize(NETWORKS[name]())
    images = make_images()

    def differentiate(run):
        with tf.GradientTape() as tape:
            outputs = run(images)
            loss = tf.reduce_sum(tf.sin(outputs))
        return outputs, tape.gradient(loss, network.trainable_variables)

    expected = differentiate(lambda x: network(x, training=False))
    actual = differentiate(lambda x: run_folded(network, x))
    for ours, theirs in zip(*map(tf.nest.flatten, (actual, expected)), strict=True):
        scale = max(1.0, float(tf.reduce_max(tf.abs(theirs))))
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-5)


def test_all_normalisations_of_a_resnet_are_folded():
    assert len(find_foldable(build_resnet())) == 53


def test_what_someone_else_reads_is_not_folded():
    """The convolution's own result, with an activation, or read by two."""
    inputs = keras.Input((None, None, 3))
    read_twice = layers.Conv2D(4, 1)(inputs)
    norm = layers.BatchNormalization()(read_twice)
    activated = layers.Conv2D(4, 1, activation="relu")(inputs)
    shared = layers.Conv2D(4, 1)
    outputs = [
        layers.Add()([norm, read_twice]),
        layers.BatchNormalization()(activated),
        layers.BatchNormalization()(shared(inputs)),
        layers.BatchNormalization()(shared(layers.ReLU()(inputs))),
    ]
    result = layers.Conv2D(4, 1)(inputs)
    outputs += [result, layers.BatchNormalization()(result)]
    network = randomize(keras.Model(inputs, outputs))
    assert find_foldable(network) == []
    images = make_images()
    for ours, theirs in zip(
        run_folded(network, images), network(images, training=False), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_no_gradient_is_sought_through_layers_that_are_not_trained():
    network = build_plain()
    for layer in network.layers[:3]:
        layer.trainable = False

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def differentiate(images):
        with tf.GradientTape() as tape:
            outputs = run_folded(network, images)
        return tape.gradient(outputs, network.trainable_variables)

    graph = differentiate.get_concrete_function().graph
    types = {operation.type for operation in _find_ancestors(graph.outputs)}
    assert "DepthwiseConv2dNativeBackpropFilter" in types
    assert "Conv2DBackpropFilter" not in types


def test_no_layer_is_in_training_mode():
    """Neither what the caller says nor what the network was built with counts."""
    inputs = keras.Input((None, None, 3))
    x = layers.Dropout(0.5)(inputs, training=True)
    network = keras.Model(inputs, layers.BatchNormalization()(x, training=True))
    images = make_images()
    before = [variable.numpy() for variable in network.weights]
    np.testing.assert_allclose(
        run_folded(network, images), images / np.sqrt(1.001), rtol=1e-5
    )
    for variable, value in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_the_graph_has_no_pass_over_an_activation_but_convolution_bias_and_relu():
    network = build_plain(use_bias=False)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def run(images):
        return run_folded(network, images)

    graph = run.get_concrete_function().graph
    maps = {o.type for o in graph.get_operations() if _is_map(o)}
    assert maps <= {
        "Conv2D", "DepthwiseConv2dNative", "BiasAdd", "Relu", "Identity", "Placeholder"
    }  # fmt: skip


def _find_ancestors(tensors):
    found, waiting = set(), [tensor.op for tensor in tensors]
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return found


def _is_map(operation):
    shapes = [tensor.shape for tensor in operation.outputs]
    return any(shape.rank == 4 and shape[0] is None for shape in shapes)


def test_a_teachers_averages_reach_what_is_folded():
    """`StatelessScope` gives the network other weights than it has."""
    network = randomize(build_plain())
    images = make_images()
    others = [0.5 * variable + 0.1 for variable in network.trainable_variables]
    pairs = list(zip(network.trainable_variables, others, strict=True))
    with keras.StatelessScope(state_mapping=pairs):
        found = run_folded(network, images)
    for variable, value in pairs:
        variable.assign(value)
    np.testing.assert_allclose(
        found, network(images, training=False), rtol=1e-4, atol=1e-4
    )
