"""Functions of TensorFlow, run eagerly and in the graph of a data set."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image


def assert_same_inside_tf_data(function, *arguments):
    """Runs a function eagerly and inside tf.data; returns the eager result."""
    arguments = [tf.convert_to_tensor(argument) for argument in arguments]
    eager = function(*arguments)
    dataset = tf.data.Dataset.from_tensors(tuple(arguments)).map(function)
    inside = next(iter(dataset))
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_array_equal(a.numpy(), b.numpy()), eager, inside
    )
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), eager)


def encode(image, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind)
    return buffer.getvalue()
