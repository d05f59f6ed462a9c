"""Export to a SavedModel that TF Serving loads as it is.

With stock operations, the default, any TF Serving loads it. With the native ones it is
faster, but the server must have been given their library.

Two signatures, same outputs, all per image and padded to D rows:

``serving_default``: ``image_bytes`` [B] string, encoded JPEG or PNG of any sizes. The
    images are decoded, resized and run one by one, so the answer to an image does not
    depend on its batch-mates.
``images``: ``images`` [B, H, W, 3] float32 RGB in [0, 255] of one common size, for a
    client that decodes by itself; these run as one batch.

Outputs: ``detection_boxes`` [B, D, 4] float32 (ymin, xmin, ymax, xmax in pixels of the
image as sent), ``detection_scores`` [B, D] float32, ``detection_classes`` [B, D] int32
(lines of ``assets/labels.txt`` from 0; -1 for padding), ``num_detections`` [B] int32.

NaN or an infinity in ``images`` is an error of the request; encoded images hold none.
"""

import os
import shutil
import tempfile

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.data import Resizing
from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling import Ehsod

_LABELS_FILE = "labels.txt"
_MODEL_FILE = "saved_model.pb"


class Server(tf.Module):
    """The model and its signatures; tf.Module so that variables are tracked.

    Args:
        model: a built model.
        resizing: that which the model was trained with.
        labels: path of a file of class names, to travel with the SavedModel.
    """

    def __init__(
        self,
        model: Ehsod,
        *,
        resizing: Resizing,
        labels: str | None = None,
    ):
        super().__init__()
        self._model = model
        self._variables = model.variables
        self._resizing = resizing
        self.labels = labels and tf.saved_model.Asset(labels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve_bytes(self, image_bytes):
        spec = {
            "detection_boxes": tf.TensorSpec([None, 4], tf.float32),
            "detection_scores": tf.TensorSpec([None], tf.float32),
            "detection_classes": tf.TensorSpec([None], tf.int32),
            "num_detections": tf.TensorSpec([], tf.int32),
        }
        return tf.map_fn(
            self._serve_one,
            image_bytes,
            fn_output_signature=spec,
            parallel_iterations=1,
        )

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, "images")]
    )
    def serve_images(self, images):
        # The network turns NaN into detections like any others.
        images = tf.debugging.check_numerics(
            images, "images: pixel values must be numbers from 0 to 255"
        )
        placed = self._resizing.place(images)
        image_sizes = tf.tile(placed.image_size[tf.newaxis], [tf.shape(images)[0], 1])
        return self._detect(placed.pixels, image_sizes, placed.scale)

    def _serve_one(self, encoded):
        placed = self._resizing.preprocess(encoded)
        outputs = self._detect(
            placed.pixels[tf.newaxis], placed.image_size[tf.newaxis], placed.scale
        )
        return {name: value[0] for name, value in outputs.items()}

    def _detect(self, images, image_sizes, scale):
        detections = self._model.detect(images, image_sizes)
        return {
            "detection_boxes": detections.boxes / tf.tile(scale, [2]),
            "detection_scores": detections.scores,
            "detection_classes": detections.classes,
            "num_detections": detections.num_detections,
        }


def export_saved_model(
    model: Ehsod,
    path: str,
    *,
    class_names: tuple[str, ...],
    resizing: Resizing,
    backend: str = "stock",
) -> None:
    """Writes `model` as a SavedModel; replaces what is at `path` once it is complete.

    Args:
        model: a built model.
        path: folder of the SavedModel.
        class_names: K names, written to ``assets/labels.txt``, one a line.
        resizing: that which the model was trained with.
        backend: "stock" or "native" operations for pooling and suppression.

    Raises:
        ConfigError: see `require_replaceable`.
    """
    require_replaceable(path)
    path = os.path.abspath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as folder:
        labels = os.path.join(folder, _LABELS_FILE)
        with open(labels, "w", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in class_names)
        server = Server(model, resizing=resizing, labels=labels)
        written = os.path.join(folder, "saved_model")
        with ops.use_backend(backend):
            tf.saved_model.save(
                server,
                written,
                signatures={
                    "serving_default": server.serve_bytes,
                    "images": server.serve_images,
                },
            )
        shutil.rmtree(path, ignore_errors=True)
        shutil.move(written, path)


def require_replaceable(path: str) -> None:
    """Raises a `ConfigError` unless nothing but a SavedModel is at `path`."""
    if not os.path.lexists(path):
        return
    is_folder = os.path.isdir(path)
    if is_folder and (
        not os.listdir(path) or os.path.exists(os.path.join(path, _MODEL_FILE))
    ):
        return
    what = "a folder with something else in it" if is_folder else "a file"
    raise ConfigError(
        f"{path} is {what}, not a SavedModel that could be replaced; name a new folder"
    )
