"""The forms that a detector is exported in, each as a function from a file to boxes.

To add one, write a function that opens it and put it into `OPENERS`.
"""

import pathlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import runtimes
import tensorflow as tf

from ehsod_tf.data import transforms

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples"))
from canvas import put_on_canvas  # noqa: E402


class Found(NamedTuple):
    """What a detector finds on one image, best first.

    Attributes:
        boxes: [n, 4] ymin, xmin, ymax, xmax in pixels of the image.
        scores: [n].
        classes: [n], from 0.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


Detect = Callable[[str], Found]


def open_saved_model(path: str) -> Detect:
    """A SavedModel by its signature for files."""
    saved = tf.saved_model.load(path)
    serve = saved.signatures["serving_default"]

    def detect(image_path):
        encoded = tf.io.read_file(image_path)
        outputs = serve(image_bytes=encoded[tf.newaxis])
        count = int(outputs["num_detections"][0])
        return Found(
            *(
                outputs[f"detection_{name}"][0, :count].numpy()
                for name in ("boxes", "scores", "classes")
            )
        )

    # The signature does not keep alive what it belongs to.
    detect.saved = saved
    return detect


def open_edge(path: str) -> Detect:
    """A folder of `ehsod export --to onnx`, `openvino` or `litert`.

    TensorFlow decodes: decoders of JPEG differ by more than the runtimes do. The rest
    is what a client does.
    """
    detect_canvas, settings = runtimes.load(path)

    def detect(image_path):
        pixels = transforms.decode_image(tf.io.read_file(image_path)).numpy()
        outputs = detect_canvas(**put_on_canvas(pixels, settings))
        count = outputs["num_detections"][0]
        return Found(
            *(
                outputs[f"detection_{name}"][0, :count]
                for name in ("boxes", "scores", "classes")
            )
        )

    return detect


OPENERS: dict[str, Callable[[str], Detect]] = {
    "saved_model": open_saved_model,
    "onnx": open_edge,
    "openvino": open_edge,
    "litert": open_edge,
}
