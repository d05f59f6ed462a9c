"""Predictions as a COCO results file."""

import json
import os
from collections.abc import Sequence

from ehsod_tf.files import open_new
from ehsod_tf.prediction.detector import Prediction


def write_predictions(path: str | os.PathLike, predictions: Sequence[Prediction]):
    """Writes a COCO results file: a JSON list with one line per detection.

    COCO's ``image_id`` is the image's place in the order of `predictions`, from 1, and
    its ``category_id`` the class index plus 1, as images without a data set have no
    other. ``file_name`` and ``category_name``, which readers of the format pass over,
    say which they are.

    Args:
        path: the file to write.
        predictions: of image files.
    """
    lines = [
        json.dumps(entry)
        for image_id, prediction in enumerate(predictions, start=1)
        for entry in _list_entries(image_id, prediction)
    ]
    with open_new(path) as file:
        file.write("[" + ",\n".join(lines) + "]\n")


def _list_entries(image_id, prediction):
    for box, score, k, name in zip(
        prediction.boxes.astype(float).tolist(),
        prediction.scores.astype(float).tolist(),
        prediction.classes.tolist(),
        prediction.class_names,
        strict=True,
    ):
        ymin, xmin, ymax, xmax = box
        yield {
            "image_id": image_id,
            "file_name": prediction.path,
            "category_id": k + 1,
            "category_name": name,
            "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
            "score": score,
        }
