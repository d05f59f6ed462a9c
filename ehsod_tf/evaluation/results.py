"""Detections on the host, in original pixels, and their COCO results file.

`Results` is what the metrics work on, whether it comes straight from the model
(`unscale`) or from a file (`read_detections`).
"""

import json
import os
import sys
from typing import NamedTuple

import numpy as np

from ehsod_tf.errors import DataError
from ehsod_tf.files import open_new
from ehsod_tf.structures import Batch, Detections, ImageSet


class Results(NamedTuple):
    """The detections of a whole data set as columns, one row per detection.

    Attributes:
        image_ids: [n] int64.
        boxes: [n, 4] float64 ``[ymin, xmin, ymax, xmax]`` in original pixels.
        scores: [n] float64.
        classes: [n] int32.
    """

    image_ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


def unscale(detections: Detections, batch: Batch) -> Results:
    """Takes the detections of a batch from its canvas to original pixels.

    Boxes are clipped to the image, so none reaches into the padding of the canvas.
    Padding rows, and images with id -1, are left out.

    Args:
        detections: `Detections` [B, D, ...] on the canvas of `batch`.
        batch: the `Batch` that they were made from.

    Returns:
        `Results`, the images in the order of the batch, each best first.
    """
    real = np.asarray(batch.image_ids) != -1
    scales = np.asarray(batch.scales, np.float64)[real]  # [b,2]
    sizes = np.asarray(batch.image_sizes, np.float64)[real]  # [b,2]
    boxes = np.asarray(detections.boxes, np.float64)[real]  # [b,D,4]
    num_detections = np.asarray(detections.num_detections)[real]  # [b]

    boxes = np.clip(boxes, 0, np.tile(sizes, 2)[:, None]) / np.tile(scales, 2)[:, None]
    # The network's coordinates have 24 significant bits. Keeping no more of them makes
    # the differences in write_detections, and the sums in read_detections, exact.
    boxes = boxes.astype(np.float32).astype(np.float64)
    rows = np.arange(boxes.shape[1]) < num_detections[:, None]  # [b,D]
    image_ids = np.asarray(batch.image_ids, np.int64)[real]
    return Results(
        image_ids=np.repeat(image_ids, rows.sum(axis=1)),
        boxes=boxes[rows],
        scores=np.asarray(detections.scores, np.float64)[real][rows],
        classes=np.asarray(detections.classes, np.int32)[real][rows],
    )


def merge_results(parts: list[Results], image_set: ImageSet) -> Results:
    """Joins the results of several batches, in the order of the image set.

    The order decides between equal scores, so it must not hang on the order in which
    the images were run. Boxes are clipped to the images' sizes, which a float32 scale
    can exceed in the last digit.

    Args:
        parts: `Results` whose image ids all are in `image_set`.
        image_set: the `ImageSet` that was run.
    """
    if not parts:
        return Results(
            image_ids=np.zeros([0], np.int64),
            boxes=np.zeros([0, 4]),
            scores=np.zeros([0]),
            classes=np.zeros([0], np.int32),
        )
    joined = Results(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    images = find_images(image_set, joined.image_ids)
    order = np.argsort(images, kind="stable")
    sizes = np.asarray(image_set.sizes, np.float64)[images[order]]
    return Results(
        image_ids=joined.image_ids[order],
        boxes=np.clip(joined.boxes[order], 0, np.tile(sizes, 2)),
        scores=joined.scores[order],
        classes=joined.classes[order],
    )


def find_images(image_set: ImageSet, image_ids: np.ndarray) -> np.ndarray:
    """Finds the row of each image id in the image set: [n] ids -> [n] int64 rows.

    Raises:
        DataError: an id is not in the image set.
    """
    image_ids = np.asarray(image_ids, np.int64)
    known_ids = np.asarray(image_set.image_ids, np.int64)
    unknown = ~np.isin(image_ids, known_ids)
    if unknown.any():
        raise DataError(
            f"image id {image_ids[unknown][0]} is not in the evaluated image set; "
            "evaluate detections on the image set that they were made for"
        )
    order = np.argsort(known_ids)
    return order[np.searchsorted(known_ids, image_ids, sorter=order)]


def write_detections(path: str, results: Results, image_set: ImageSet) -> None:
    """Writes results as a COCO results file, a JSON list with one line per detection.

    Coordinates keep their full precision: `read_detections` gives back the same
    numbers, and therefore the same figures, to the last digit.
    """
    top_left, bottom_right = results.boxes[:, :2], results.boxes[:, 2:]
    xywh = np.concatenate([top_left, bottom_right - top_left], axis=1)[:, [1, 0, 3, 2]]
    category_ids = np.asarray(image_set.category_ids, np.int64)[results.classes]
    columns = (results.image_ids, category_ids, xywh, results.scores)
    lines = [
        json.dumps(
            {"image_id": image, "category_id": category, "bbox": box, "score": score},
            allow_nan=False,
        )
        for image, category, box, score in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    with open_new(path) as file:
        file.write("[" + ",\n".join(lines) + "]\n")


def read_detections(path: str, image_set: ImageSet) -> Results:
    """Reads a COCO results file of bounding boxes.

    Args:
        path: the file, a JSON list of objects with the fields `image_id`,
            `category_id`, `bbox` ``[x, y, width, height]`` and `score`.
        image_set: the `ImageSet` that the ids of the file refer to.

    Returns:
        `Results` in the order of the file.

    Raises:
        DataError: the file is missing or no JSON list, or an entry lacks a field, has
            a value of the wrong kind, or names an unknown image or category.
    """
    records = _load_records(path)
    class_of = {category: i for i, category in enumerate(image_set.category_ids)}
    known_images = set(np.asarray(image_set.image_ids).tolist())
    boxes = np.zeros([len(records), 4])
    for i, record in enumerate(records):
        where = f"{path}: entry {i}"
        boxes[i] = _check_record(record, where, known_images, class_of)
    boxes = boxes[:, [1, 0, 3, 2]]
    boxes[:, 2:] += boxes[:, :2]
    return Results(
        image_ids=np.asarray([r["image_id"] for r in records], np.int64),
        boxes=boxes,
        scores=np.asarray([r["score"] for r in records], np.float64),
        classes=np.asarray([class_of[r["category_id"]] for r in records], np.int32),
    )


def _load_records(path):
    if not os.path.isfile(path):
        raise DataError(f"{path}: no such file; give a COCO results file")
    try:
        with open(path, encoding="utf-8") as file:
            records = json.load(file)
    # Brackets nested thousands deep.
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(records, list):
        raise DataError(
            f"{path}: a JSON {type(records).__name__} where a COCO results file has a "
            "list of detections"
        )
    return records


def _check_record(record, where, known_images, class_of):
    """Checks one entry of a results file and returns its xywh box."""
    if not isinstance(record, dict):
        raise DataError(f"{where}: {record!r} is not an object with fields")
    for field in ("image_id", "category_id", "bbox", "score"):
        if field not in record:
            raise DataError(f"{where}: field '{field}' is missing")
    for field, known in (("image_id", known_images), ("category_id", class_of)):
        value = record[field]
        if type(value) is not int or value not in known:
            raise DataError(
                f"{where}: {field} {value!r} is not in the evaluated image set; "
                "evaluate the file on the image set that it was made for"
            )
    if not _is_finite(record["score"]):
        raise DataError(f"{where}: score {record['score']!r} is not a finite number")
    box = record["bbox"]
    if not (
        isinstance(box, list)
        and len(box) == 4
        and all(map(_is_finite, box))
        and min(box[2:]) >= 0
    ):
        raise DataError(
            f"{where}: bbox {box!r} is not [x, y, width, height] in finite numbers "
            "with width and height of at least 0"
        )
    return box


def _is_finite(value):
    # Written so that a NaN fails too; 10**400 is finite, but no float.
    return type(value) in (int, float) and abs(value) <= sys.float_info.max
