"""RoIAlign and NMS, compiled where possible, and integrals of a map over boxes.

The first two take ``backend``: "native" for the compiled kernels of the folder `ops`,
with an error where they are missing; "stock" for the same result in stock TensorFlow
ops; "auto" (the default) for the first where it is available and the second, with one
warning, where it is not.
"""

from ehsod_tf.ops._library import (
    NativeOpsUnavailableError,
    load_library,
    use_backend,
    use_replacements,
)
from ehsod_tf.ops.box_integrals import integrate_over_boxes
from ehsod_tf.ops.non_max_suppression import non_max_suppression
from ehsod_tf.ops.roi_align import multilevel_roi_align

__all__ = [
    "NativeOpsUnavailableError",
    "integrate_over_boxes",
    "load_library",
    "multilevel_roi_align",
    "non_max_suppression",
    "use_backend",
    "use_replacements",
]
