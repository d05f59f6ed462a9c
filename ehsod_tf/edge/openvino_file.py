"""OpenVINO's intermediate representation, converted from ONNX by OpenVINO."""

import os
import tempfile
from collections.abc import Iterable

import numpy as np

from ehsod_tf.edge import onnx_file
from ehsod_tf.modeling import Ehsod


def write(
    model: Ehsod,
    folder: str,
    canvases: tuple[tuple[int, int], ...],
    precision: str,
    feeds: Iterable[dict],
) -> None:
    """Writes ``detector_HxW.xml`` and ``.bin`` for each canvas, for any batch.

    OpenVINO derives bounds for every shape, and refuses our graph of any canvas for one
    that it finds below zero.

    Args:
        model: a built model.
        folder: where to.
        canvases: (height, width) of each.
        precision, feeds: see `onnx_file.write`.
    """
    import openvino

    feeds = list(feeds)
    for canvas in canvases:
        height, width = canvas
        fitted = (_fit(feed, canvas) for feed in feeds)
        with tempfile.TemporaryDirectory() as scratch:
            path = onnx_file.write(model, scratch, precision, fitted, canvas=canvas)
            # Not `convert_model`, which makes float32 of weights in half precision, nor
            # `compress_to_fp16`, which rounds the coordinates of the anchors too.
            network = openvino.Core().read_model(path)
            target = os.path.join(folder, f"detector_{height}x{width}.xml")
            openvino.serialize(network, target)


def _fit(feed, canvas):
    """The inputs with the image cut or padded to another canvas: ranges stay alike."""
    images = np.zeros([1, *canvas, 3], np.float32)
    height, width = np.minimum(canvas, feed["images"].shape[1:3])
    images[:, :height, :width] = feed["images"][:, :height, :width]
    sizes = np.minimum(feed["image_sizes"], np.int32(canvas))
    return feed | {"images": images, "image_sizes": sizes}
