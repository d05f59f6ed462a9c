"""The packages of the formats: optional, and imported when they are used."""

import importlib.util

from ehsod_tf.errors import EhsodError

# What writing a format takes. LiteRT's converter is TensorFlow's.
_PACKAGES = {
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "openvino": ("onnx", "tf2onnx", "onnxruntime", "openvino"),
    "litert": (),
}
# What other weights than float32 take beyond that.
_QUANTIZERS = {"litert": ("ai_edge_quantizer",)}


class MissingPackageError(EhsodError):
    """A format needs packages that are not installed; names them and the extra."""


def require_packages(to: str, precision: str = "float32") -> None:
    """Raises a `MissingPackageError` unless what the format needs is installed."""
    needed = _PACKAGES[to]
    if precision != "float32":
        needed += _QUANTIZERS.get(to, ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"export to {to} in {precision} needs {', '.join(missing)}: "
            f"pip install 'ehsod_tf[{to}]'"
        )
