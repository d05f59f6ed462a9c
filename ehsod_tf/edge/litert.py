"""LiteRT (formerly TensorFlow Lite) of built-in ops, by TensorFlow's converter."""

import os
import tempfile

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from ehsod_tf.edge import graph
from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import Ehsod
from ehsod_tf.ops import portable

_FILE = "detector.tflite"


def write(
    model: Ehsod, folder: str, canvases: tuple[tuple[int, int], ...], precision: str
) -> None:
    """Writes ``detector.tflite``, with a signature ``detect_HxW`` for each canvas.

    Args:
        model: a built model.
        folder: where to.
        canvases: (height, width) of each.
        precision: see `exporting.export_edge`; "int8" is dynamic-range quantisation.

    Raises:
        ConfigError: the model has an operation that LiteRT has not.
    """
    signatures = {
        f"detect_{height}x{width}": _freeze(
            graph.make_function(model, portable, batch_size=1, canvas=(height, width))
        )
        for height, width in canvases
    }
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(
            tf.Module(),
            scratch,
            signatures=signatures,
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            scratch, signature_keys=list(signatures)
        )
        _set_precision(converter, precision)
        try:
            content = converter.convert()
        except Exception as error:  # The converter has no error class of its own.
            raise ConfigError(f"export: LiteRT's converter refuses: {error}") from error
    with open(os.path.join(folder, _FILE), "wb") as file:
        file.write(content)


def _freeze(function):
    """The same function with constants for weights, which the converter loses else."""
    concrete = function.get_concrete_function()
    frozen = convert_variables_to_constants_v2(concrete)

    @tf.function(input_signature=function.input_signature, autograph=False)
    def detect(*inputs):
        return tf.nest.pack_sequence_as(concrete.structured_outputs, frozen(*inputs))

    return detect


def _set_precision(converter, precision):
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
