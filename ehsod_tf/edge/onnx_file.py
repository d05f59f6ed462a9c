"""ONNX: traced by TensorFlow, converted by tf2onnx, with ONNX's RoIAlign and NMS."""

import os
from collections.abc import Iterable, Iterator

import numpy as np
import onnx

from ehsod_tf.edge import graph, onnx_operations
from ehsod_tf.edge.loggers import quiet
from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import Ehsod

# The newest that tf2onnx writes; RoiAlign has had half-pixel coordinates since 16.
OPSET = 18
# The layers that hold nearly all weights and nearly all of the work.
WEIGHTED = ("Conv", "MatMul", "Gemm")
_FILE = "detector.onnx"
Canvas = tuple[int | None, int | None]


def write(
    model: Ehsod,
    folder: str,
    precision: str,
    feeds: Iterable[dict],
    batch_size: int | None = None,
    canvas: Canvas = (None, None),
) -> str:
    """Writes ``detector.onnx`` and returns its path.

    Args:
        model: a built model.
        folder: where to.
        precision: see `exporting.export_edge`.
        feeds: inputs as arrays, for "int8".
        batch_size, canvas: see `graph.make_function`.
    """
    path = os.path.join(folder, _FILE)
    proto = convert(model, batch_size, canvas)
    if precision == "float16":
        halve_weights(proto)
    onnx.save(proto, path)
    if precision == "int8":
        _quantize(path, feeds)
    return path


def convert(
    model: Ehsod, batch_size: int | None = None, canvas: Canvas = (None, None)
) -> onnx.ModelProto:
    """The detector as an ONNX model of the shapes of `graph.make_function`.

    Raises:
        ConfigError: it has an operation, in a backbone of one's own, that tf2onnx does
            not know.
    """
    import tf2onnx

    function = graph.make_function(
        model, onnx_operations, batch_size=batch_size, canvas=canvas
    )
    with quiet("tf2onnx"):
        proto, _ = tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=OPSET,
            custom_op_handlers=onnx_operations.HANDLERS,
        )
    # tf2onnx leaves what it does not know as it is.
    unknown = {
        node.op_type
        for node in proto.graph.node
        if not onnx.defs.has(node.op_type, node.domain)
    }
    if unknown:
        raise ConfigError(
            f"export: tf2onnx has no ONNX form of {', '.join(sorted(unknown))}, which "
            "the backbone uses; build it of other layers, or export to litert"
        )
    onnx.checker.check_model(proto)
    return proto


def halve_weights(proto: onnx.ModelProto) -> None:
    """Stores the weights of convolutions and matrix products in float16, in place.

    Each is cast back before it is used: every runtime can compute in float32, and
    those that do better in float16 are free to.
    """
    read = {
        name
        for node in proto.graph.node
        if node.op_type in WEIGHTED
        for name in node.input[1:2]
    }
    for weight in proto.graph.initializer:
        if weight.name not in read or weight.data_type != onnx.TensorProto.FLOAT:
            continue
        name = f"{weight.name}_half"
        halves = onnx.numpy_helper.to_array(weight).astype(np.float16)
        cast = onnx.helper.make_node(
            "Cast", [name], [weight.name], to=onnx.TensorProto.FLOAT
        )
        weight.CopyFrom(onnx.numpy_helper.from_array(halves, name))
        proto.graph.node.insert(0, cast)


def _quantize(path, feeds):
    """Replaces a file by one with int8 weights and uint8 activations."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._feeds: Iterator[dict] = iter(feeds)

        def get_next(self):
            return next(self._feeds, None)

    with quiet(None):
        quantization.quantize_static(
            path,
            path,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(WEIGHTED),
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # One scale for all channels would cost the small ones their digits.
            per_channel=True,
            nodes_to_exclude=_find_joined_outputs(onnx.load(path).graph),
        )


def _find_joined_outputs(graph):
    """Names of the layers whose results are split: class logits and deltas of boxes.

    One scale for both would cost the deltas, which are small, their digits.
    """
    makers = {name: node for node in graph.node for name in node.output}
    found = set()
    names = [node.input[0] for node in graph.node if node.op_type == "Split"]
    while names:
        node = makers.get(names.pop())
        if node is None:
            continue
        if node.op_type in WEIGHTED:
            found.add(node.name)
        elif node.op_type in ("Add", "Concat", "Reshape", "Transpose"):
            names.extend(node.input)
    return sorted(found)
