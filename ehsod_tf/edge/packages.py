"""The packages of the formats: optional, and imported when they are used."""

import importlib.util

from ehsod_tf.errors import EhsodError

# What writing a format takes. LiteRT's converter is TensorFlow's.
_PACKAGES = {
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "openvino": ("onnx", "tf2onnx", "onnxruntime", "openvino"),
    "litert": (),
}


class MissingPackageError(EhsodError):
    """A format needs packages that are not installed; names them and the extra."""


def require_packages(to: str) -> None:
    """Raises a `MissingPackageError` unless what the format needs is installed."""
    missing = [name for name in _PACKAGES[to] if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(
            f"export to {to} needs {', '.join(missing)}: pip install 'ehsod_tf[{to}]'"
        )
