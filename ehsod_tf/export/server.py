"""The signatures of a SavedModel: from encoded images, or pixels, to detections.

Two signatures, same outputs, all per image and padded to D rows:

``serving_default``: ``image_bytes`` [B] string, encoded JPEG, PNG, BMP, GIF or WebP of
    any sizes. The images are decoded, resized and run one by one, so the answer to an
    image does not depend on its batch-mates.
``images``: ``images`` [B, H, W, 3] float32 RGB in [0, 255] of one common size, for a
    client that decodes by itself; these run as one batch.

Outputs: ``detection_boxes`` [B, D, 4] float32 (ymin, xmin, ymax, xmax in pixels of the
image as sent, or in shares of its height and width), ``detection_scores`` [B, D]
float32, ``detection_classes`` [B, D] int32 (lines of ``assets/labels.txt`` from 0; -1
for padding), ``num_detections`` [B] int32, and where asked for
``detection_class_names`` [B, D] string ("" for padding).

Whatever comes, the answer is finite or an error of the request. NaN and infinities in
``images`` are errors; other values outside [0, 255], which sharpening and bicubic
resizing leave behind, are clipped. Encoded images hold neither.
"""

import tensorflow as tf

from ehsod_tf.data import Resizing
from ehsod_tf.export.image_limit import require_moderate_size
from ehsod_tf.modeling import Ehsod

_SPECS = {
    "detection_boxes": tf.TensorSpec([None, 4], tf.float32),
    "detection_scores": tf.TensorSpec([None], tf.float32),
    "detection_classes": tf.TensorSpec([None], tf.int32),
    "num_detections": tf.TensorSpec([], tf.int32),
    "detection_class_names": tf.TensorSpec([None], tf.string),
}


class Server(tf.Module):
    """The model and its signatures; tf.Module so that variables are tracked.

    Args:
        model: a built model.
        resizing: that which the model was trained with.
        normalized_boxes: boxes as shares of the image's height and width.
        class_names: K names, to be given with each detection; None gives none.
        labels: path of a file of class names, to travel with the SavedModel.
    """

    def __init__(
        self,
        model: Ehsod,
        *,
        resizing: Resizing,
        normalized_boxes: bool = False,
        class_names: tuple[str, ...] | None = None,
        labels: str | None = None,
    ):
        super().__init__()
        # TensorFlow's own variables, and not the model, which would be tracked: of a
        # Keras variable a SavedModel restores a copy that no operation reads. Python
        # does not mind, but the C++ loader, TensorFlow Serving's, is without weights.
        self._detect_boxes = model.detect
        self._variables = [variable.value for variable in model.variables]
        self._resizing = resizing
        self._normalized_boxes = normalized_boxes
        # The last one is that of padding.
        self._names = class_names and [*class_names, ""]
        self.labels = labels and tf.saved_model.Asset(labels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve_bytes(self, image_bytes):
        names = set(_SPECS) - (set() if self._names else {"detection_class_names"})
        return tf.map_fn(
            self._serve_one,
            image_bytes,
            fn_output_signature={name: _SPECS[name] for name in names},
            parallel_iterations=1,
        )

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, "images")]
    )
    def serve_images(self, images):
        # A session feeds tensors of any shape, whatever the signature says.
        images = tf.ensure_shape(images, [None, None, None, 3])
        # The network turns NaN into detections like any others.
        images = tf.debugging.check_numerics(
            images, "images: pixel values must be numbers from 0 to 255"
        )
        images = tf.clip_by_value(images, 0.0, 255.0)
        placed = self._resizing.place(images)
        # Not all kernels take an empty batch: it becomes one black image.
        count = tf.shape(images)[0]
        missing = tf.cast(tf.equal(count, 0), tf.int32)
        pixels = tf.pad(placed.pixels, [[0, missing], [0, 0], [0, 0], [0, 0]])
        image_sizes = tf.tile(placed.image_size[tf.newaxis], [count + missing, 1])
        outputs = self._detect(pixels, image_sizes, placed.scale)
        return {name: value[:count] for name, value in outputs.items()}

    @tf.function(input_signature=[])
    def gives_normalized_boxes(self):
        """For whoever loads the SavedModel and does not know how it was exported."""
        return tf.constant(self._normalized_boxes)

    @tf.function(input_signature=[])
    def reads_png_bits(self):
        """As how many bits PNGs of 16 bits are read, likewise."""
        return tf.constant(self._resizing.png_bits)

    def _serve_one(self, encoded):
        encoded = require_moderate_size(encoded)
        placed = self._resizing.preprocess(encoded)
        outputs = self._detect(
            placed.pixels[tf.newaxis], placed.image_size[tf.newaxis], placed.scale
        )
        return {name: value[0] for name, value in outputs.items()}

    def _detect(self, images, image_sizes, scale):
        """The outputs for images [B, H, W, 3] of one size [B, 2] and one scale [2]."""
        detections = self._detect_boxes(images, image_sizes)
        unit = tf.tile(scale, [2])
        if self._normalized_boxes:
            unit = tf.cast(tf.tile(image_sizes, [1, 2])[:, tf.newaxis], tf.float32)
        outputs = {
            "detection_boxes": detections.boxes / unit,
            "detection_scores": detections.scores,
            "detection_classes": detections.classes,
            "num_detections": detections.num_detections,
        }
        if self._names:
            # A remainder takes the padding's -1 to the last name.
            rows = detections.classes % len(self._names)
            outputs["detection_class_names"] = tf.gather(self._names, rows)
        return outputs
