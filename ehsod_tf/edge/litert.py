"""LiteRT (formerly TensorFlow Lite) of built-in ops, by TensorFlow's converter."""

import os
import re
import tempfile

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from ehsod_tf.edge import graph
from ehsod_tf.edge.loggers import quiet
from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import Ehsod
from ehsod_tf.ops import portable

# The layers that hold nearly all weights and nearly all of the work.
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_FILE = "detector.tflite"


def write(
    model: Ehsod, folder: str, canvases: tuple[tuple[int, int], ...], precision: str
) -> None:
    """Writes ``detector.tflite``, with a signature ``detect_HxW`` for each canvas.

    Args:
        model: a built model.
        folder: where to.
        canvases: (height, width) of each.
        precision: see `exporting.export_edge`; "int8" is dynamic-range quantisation:
            the ranges of the activations are measured at each call.

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
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            content = converter.convert()
        except Exception as error:  # The converter has no error class of its own.
            raise ConfigError(f"export: {_explain(str(error))}") from error
    if precision != "float32":
        content = _quantize(content, precision)
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


def _explain(message):
    """The names in a page of the converter's notes, or its first line."""
    lacking = re.findall("(?:TF Select|Custom) ops: (.+)", message)
    if lacking:
        return (
            f"LiteRT has no {', '.join(lacking)}, which the backbone uses; build it of "
            "other layers, or export to onnx"
        )
    return f"LiteRT's converter refuses: {message.strip().partition(chr(10))[0]}"


def _quantize(content, precision):
    """The same file with the weights of `WEIGHTED` in float16 or int8.

    Not by TensorFlow's converter, which rounds every constant: the anchors, the scores
    and overlaps that decide, and the areas at which a box goes to another level, of
    which those beyond 65,504, float16's largest number, become that.
    """
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    task = quantizer.Quantizer(content)
    for name in WEIGHTED:
        scope = {"regex": ".*", "operation_name": qtyping.TFLOperationName(name)}
        if precision == "int8":
            task.add_dynamic_config(**scope, num_bits=8)
        else:
            half = qtyping.TensorQuantizationConfig(
                num_bits=16, dtype=qtyping.TensorDataType.FLOAT
            )
            task.update_quantization_recipe(
                **scope,
                algorithm_key=AlgorithmName.FLOAT_CASTING,
                op_config=qtyping.OpQuantizationConfig(
                    weight_tensor_config=half, explicit_dequantize=True
                ),
            )
    # It warns of weights that several signatures share: they are rounded once each.
    with quiet(None):
        done = task.quantize(enable_progress_bar=False, enable_progress_report=False)
    return done.quantized_model
