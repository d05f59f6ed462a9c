"""Writes a SavedModel that TensorFlow Serving loads as it is.

With stock operations, the default, any server of this TensorFlow or a later one loads
it. With the native ones it is faster, but the server must have been given their
library.

Beside the model lie ``assets/labels.txt``, the class names, one a line;
``assets.extra/tf_serving_warmup_requests``; and, where the exporter has something to
say about the model, ``model_card.md``. The server reads the first two itself.
"""

import os
import tempfile

import tensorflow as tf

from ehsod_tf import ops
from ehsod_tf.data import Resizing
from ehsod_tf.export.folder import Kind, fill_folder, write_labels
from ehsod_tf.export.server import Server
from ehsod_tf.export.warmup import write_warmup_requests
from ehsod_tf.modeling import Ehsod

CARD_FILE = "model_card.md"
SAVED_MODEL = Kind("a SavedModel", "saved_model.pb")


def export_saved_model(
    model: Ehsod,
    path: str,
    *,
    class_names: tuple[str, ...],
    resizing: Resizing,
    backend: str = "stock",
    normalized_boxes: bool = False,
    names_as_output: bool = False,
    card: str | None = None,
) -> None:
    """Writes `model` as a SavedModel; replaces what is at `path` once it is complete.

    Args:
        model: a built model.
        path: folder of the SavedModel.
        class_names: K names, written to ``assets/labels.txt``, one a line.
        resizing: that which the model was trained with.
        backend: "stock" or "native" operations for pooling and suppression.
        normalized_boxes: boxes as shares of the image's height and width.
        names_as_output: gives the class names with the detections, too.
        card: text of ``model_card.md``.

    Raises:
        ConfigError: see `folder.require_replaceable`.
    """
    with (
        tempfile.TemporaryDirectory() as temporary,
        fill_folder(path, SAVED_MODEL) as written,
    ):
        server = Server(
            model,
            resizing=resizing,
            normalized_boxes=normalized_boxes,
            class_names=class_names if names_as_output else None,
            labels=write_labels(temporary, class_names),
        )
        with ops.use_backend(backend):
            tf.saved_model.save(
                server,
                written,
                signatures={
                    "serving_default": server.serve_bytes,
                    "images": server.serve_images,
                },
            )
        write_warmup_requests(written, resizing)
        if card is not None:
            with open(os.path.join(written, CARD_FILE), "w", encoding="utf-8") as file:
                file.write(card)
