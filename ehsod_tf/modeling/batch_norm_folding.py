"""Batch normalisation of fixed statistics, folded into the convolution before it.

With fixed mean m and variance v, the normalisation of ``conv(x) + b`` is a convolution
by ``kernel * gain`` plus ``beta + (b - m) * gain``, where gain is
``gamma / sqrt(v + eps)``. The factor goes to the kernel, which is small, and no pass
over the activation is left; TensorFlow fuses convolution, bias and ReLU into one. The
product is made in every step of the variables that the network has anyway: they are
trained and stored as if nothing were folded.
"""

import collections
import functools

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.backend import AutocastScope
from keras.src.models.functional import Functional

from ehsod_tf.modeling.biased_layers import add_bias


def find_foldable(network: keras.Model) -> list[tuple]:
    """Which convolutions of a functional network take up a batch normalisation.

    One does if the normalisation alone reads its result, and each of the two is called
    once.

    Returns:
        [(convolution, the `BatchNormalization` after it)].
    """
    readers, calls = collections.defaultdict(list), collections.Counter()
    for node in _walk(network):
        calls[id(node.operation)] += 1
        for tensor in node.input_tensors:
            readers[id(tensor)].append(node.operation)
    for tensor in network.outputs:
        readers[id(tensor)].append(network)
    pairs = []
    for node in _walk(network):
        conv = node.operation
        if not _is_plain_convolution(conv) or calls[id(conv)] > 1:
            continue
        norm, *others = readers[id(node.output_tensors[0])]
        if not others and _is_channel_norm(norm) and calls[id(norm)] == 1:
            pairs.append((conv, norm))
    return pairs


def run_folded(network: keras.Model, inputs):
    """Calls a functional network in inference mode, with what can be folded folded.

    Nested functional networks are treated alike.

    Returns:
        What ``network(inputs, training=False)`` returns, up to rounding.
    """
    pairs = find_foldable(network)
    convolutions = {}
    # Apart, or the gradient would be sought through layers that are not trained.
    for is_trained in (False, True):
        group = [pair for pair in pairs if _has_trained_vectors(*pair) == is_trained]
        for (conv, _), gain, bias in zip(group, *fold_vectors(group), strict=True):
            convolutions[id(conv)] = functools.partial(
                _convolve_folded, conv, gain, bias
            )
    norms = {id(norm) for _, norm in pairs}

    # A walk over the graph also passes masks, which none of these have.
    def choose(operation):
        if id(operation) in convolutions:
            return lambda x, **_: convolutions[id(operation)](x)
        if id(operation) in norms:
            return lambda x, **_: x
        if _is_functional(operation):
            return lambda x, **_: run_folded(operation, x)
        if type(operation) is layers.Add:
            return lambda x, **_: _add(operation, x)
        return _in_inference_mode(operation)

    # Keras's own walk, with other calls; private, as is all of it that knows the graph.
    return network._run_through_graph(inputs, operation_fn=choose)


def fold_vectors(pairs) -> tuple[list, list]:
    """The gain and the bias that each convolution takes up: two lists of [C'] float32.

    The arithmetic is done once on the vectors of all pairs, end to end: they are small,
    and a ResNet has 53 of each.
    """
    if not pairs:
        return [], []
    sizes = [norm.moving_mean.shape[0] for _, norm in pairs]
    epsilons = np.repeat([norm.epsilon for _, norm in pairs], sizes)

    def join(values, missing):
        vectors = [
            np.full(size, missing, np.float32) if value is None else value
            for value, size in zip(values, sizes, strict=True)
        ]
        return tf.concat([_read(vector) for vector in vectors], axis=0)

    variance = join([norm.moving_variance for _, norm in pairs], 1.0)
    mean = join([norm.moving_mean for _, norm in pairs], 0.0)
    gamma = join([norm.gamma if norm.scale else None for _, norm in pairs], 1.0)
    beta = join([norm.beta if norm.center else None for _, norm in pairs], 0.0)
    offset = join([conv.bias if conv.use_bias else None for conv, _ in pairs], 0.0)
    gain = gamma * tf.math.rsqrt(variance + epsilons.astype(np.float32))
    bias = beta + (offset - mean) * gain
    return tf.split(gain, sizes), tf.split(bias, sizes)


def _has_trained_vectors(conv, norm):
    trained = [*conv.trainable_variables, *norm.trainable_variables]
    return any(variable is not conv.kernel for variable in trained)


def _convolve_folded(conv, gain, bias, inputs):
    """[B, H, W, C] -> [B, H', W', C'], of the convolution's compute type."""
    # The product is formed in the variables' own type.
    kernel, dtype = _read(conv.kernel), conv.compute_dtype
    if isinstance(conv, layers.DepthwiseConv2D):
        gain = tf.reshape(gain, kernel.shape[2:])  # [channels, multiplier]
    kernel = tf.cast(kernel * gain, dtype)
    outputs = _CONVOLVE[type(conv)](conv, tf.cast(inputs, dtype), kernel)
    return add_bias(outputs, tf.cast(bias, dtype))


def _add(operation, inputs):
    """A sum of equal shapes, which TensorFlow fuses with the convolution before it.

    Its gradient needs no shapes either, where that of a sum that may broadcast does.
    """
    if len({tuple(x.shape) for x in inputs}) > 1:
        return operation(inputs)
    return tf.add_n(inputs)


def _read(variable):
    """In its own type; Keras gives that of the layer that is being called."""
    with AutocastScope(None):
        return tf.convert_to_tensor(variable)


def _convolve(conv, inputs, kernel):
    return conv.convolution_op(inputs, kernel)


def _convolve_depthwise(conv, inputs, kernel):
    return keras.ops.depthwise_conv(
        inputs,
        kernel,
        strides=conv.strides,
        padding=conv.padding,
        dilation_rate=conv.dilation_rate,
        data_format=conv.data_format,
    )


_CONVOLVE = {layers.Conv2D: _convolve, layers.DepthwiseConv2D: _convolve_depthwise}


def _is_plain_convolution(operation):
    """Exactly these types: a subclass may compute something else."""
    return (
        type(operation) in _CONVOLVE
        and operation.activation is keras.activations.linear
        and operation.data_format == "channels_last"
    )


def _is_channel_norm(operation):
    return type(operation) is layers.BatchNormalization and operation.axis in (-1, 3)


def _is_functional(operation):
    """A subclass with a call of its own is left to that."""
    return isinstance(operation, Functional) and (
        type(operation).call is Functional.call
    )


def _in_inference_mode(operation):
    if "training" in getattr(operation, "_call_context_args", {}):
        return lambda *args, **kwargs: operation(
            *args, **(kwargs | {"training": False})
        )
    return operation


def _walk(network):
    """The calls that a functional network consists of."""
    for nodes in network._nodes_by_depth.values():
        yield from (node for node in nodes if not node.is_input)
