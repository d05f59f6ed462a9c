"""The graph that leaves TensorFlow: from canvases to detections, in float32."""

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.modeling import Ehsod


def make_function(model: Ehsod, operations, *, batch_size=None, canvas=(None, None)):
    """The detector as a `tf.function` on images that lie on their canvas already.

    Args:
        model: a built model.
        operations: what stands for RoIAlign, NMS and the integrals over boxes: a module
            with the functions of `ehsod_tf.ops.reference`.
        batch_size: B, or None for any.
        canvas: (H, W), each None for any multiple of 32.

    Returns:
        A function of ``images`` [B, H, W, 3] float32 RGB in [0, 255], zero outside the
        image; ``image_sizes`` [B, 2] int32 (height, width) of the image on the canvas;
        ``scales`` [B, 2] float32 (y, x) pixels on the canvas per original pixel. It
        gives the outputs of the SavedModel, see `ehsod_tf.export`.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec([batch_size, *canvas, 3], tf.float32, "images"),
            tf.TensorSpec([batch_size, 2], tf.int32, "image_sizes"),
            tf.TensorSpec([batch_size, 2], tf.float32, "scales"),
        ],
        autograph=False,
    )
    def detect(images, image_sizes, scales):
        with ops.use_replacements(operations):
            detections = model.detect(images, image_sizes)
        scales = tf.concat([scales, scales], axis=-1)[:, tf.newaxis]
        return {
            "detection_boxes": detections.boxes / scales,
            "detection_scores": detections.scores,
            "detection_classes": detections.classes,
            "num_detections": detections.num_detections,
        }

    return detect
