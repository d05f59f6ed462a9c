"""A trained detector as a SavedModel for TensorFlow Serving; see docs/serving.md."""

from ehsod_tf.export.folder import require_replaceable
from ehsod_tf.export.image_limit import TOO_LARGE
from ehsod_tf.export.saved_model import SAVED_MODEL, export_saved_model
from ehsod_tf.export.server import Server

__all__ = [
    "SAVED_MODEL",
    "TOO_LARGE",
    "Server",
    "export_saved_model",
    "require_replaceable",
]
