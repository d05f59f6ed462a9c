"""The detector beyond TensorFlow: ONNX Runtime, OpenVINO and LiteRT.

One graph for all of them, `graph`: it takes images that lie on their canvas already,
and is float32 throughout, without a loop over the batch. `ehsod_tf.ops` lends it other
forms of RoIAlign and NMS: ONNX's own (`onnx_operations`), which OpenVINO reads too, or
plain gathers (`ehsod_tf.ops.portable`) for LiteRT.
"""

from ehsod_tf.edge.exporting import (
    EDGE_DETECTOR,
    EdgeFormat,
    Precision,
    check_settings,
    export_edge,
)
from ehsod_tf.edge.packages import MissingPackageError, require_packages

__all__ = [
    "EDGE_DETECTOR",
    "EdgeFormat",
    "MissingPackageError",
    "Precision",
    "check_settings",
    "export_edge",
    "require_packages",
]
