"""Any image set as one COCO JSON: a mixture of sources kept as one file."""

import json
import os
import tempfile

import numpy as np

from ehsod_tf.data.image_files import find_path_fault
from ehsod_tf.data.problems import Findings
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN, ImageSet


def write_coco(
    image_set: ImageSet,
    path: str | os.PathLike,
    image_dir: str | os.PathLike | None = None,
) -> str:
    """Writes an image set in the form that `read_coco` reads, labels included.

    Read with this `image_dir` and the same class names, the file gives the same
    columns, except these: `image_names` become file names relative to `image_dir`; a
    corner of a box may differ in its last bit, since COCO stores widths; images of
    which nothing at all is known are left out by the reader. Difficult objects become
    crowds.

    Args:
        image_set: the images.
        path: the JSON file; it appears, or is replaced, once it is complete.
        image_dir: a folder that holds all the images, at any depth. None takes the
            innermost one that does.

    Returns:
        The `image_dir` to read the file with.

    Raises:
        DataError: an image lies outside of `image_dir`.
    """
    if image_dir is None:
        folders = {os.path.dirname(os.path.abspath(path)) for path in image_set.paths}
        image_dir = os.path.commonpath(folders)
    image_dir = os.path.abspath(image_dir)
    content = make_content(image_set, image_dir)
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        part = os.path.join(temporary, "instances.json")
        with open(part, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(part, path)
    return image_dir


def make_content(image_set: ImageSet, image_dir: str) -> dict[str, list]:
    """Returns what `write_coco` writes: images, annotations and categories."""
    return {
        "images": _list_images(image_set, image_dir),
        "annotations": _list_annotations(image_set),
        "categories": [
            {"id": category_id, "name": name}
            for category_id, name in zip(
                image_set.category_ids, image_set.class_names, strict=True
            )
        ],
    }


def _list_images(image_set: ImageSet, image_dir: str) -> list[dict]:
    findings, records = Findings(), []
    category_ids = np.array(image_set.category_ids)
    labels_of_image, has_boxes = image_set.image_labels, image_set.has_boxes
    for row, path in enumerate(image_set.paths):
        name = os.path.relpath(os.path.abspath(path), image_dir).replace(os.sep, "/")
        if fault := find_path_fault(name):
            findings.add(path, f"image {image_set.image_ids[row]}", "", fault)
        height, width = image_set.sizes[row].tolist()
        labels = labels_of_image[row]
        record = {
            "id": int(image_set.image_ids[row]),
            "file_name": name,
            "height": height,
            "width": width,
            "supervision": "boxes" if has_boxes[row] else "labels",
            "image_labels": category_ids[labels == PRESENT].tolist(),
        }
        # Without this list, whatever is not present counts as absent.
        if (labels == UNKNOWN).any():
            record["absent_labels"] = category_ids[labels == ABSENT].tolist()
        records.append(record)
    findings.settle()
    return records


def _list_annotations(image_set: ImageSet) -> list[dict]:
    ymin, xmin, ymax, xmax = image_set.boxes.T
    image_ids = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))
    category_ids = np.array(image_set.category_ids, np.int64)[image_set.classes]
    columns = {
        "id": np.arange(1, len(image_ids) + 1),
        "image_id": image_ids,
        "category_id": category_ids,
        "bbox": np.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=1),
        "area": image_set.areas,
        "iscrowd": image_set.ignored.astype(int),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
