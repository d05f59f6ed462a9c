"""Any image set as one COCO JSON: a mixture of sources kept as one file."""

import json
import os

import numpy as np

from ehsod_tf.data.columns import leave_out_machine_boxes
from ehsod_tf.data.image_files import find_path_fault
from ehsod_tf.data.problems import Findings
from ehsod_tf.files import open_new
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    ImageSet,
    find_boxed,
)


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
    crowds. The boxes of a detector are left out, as nothing would tell them from
    people's.

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
    image_set = leave_out_machine_boxes(image_set)
    if image_dir is None:
        image_dir = find_image_dir(image_set)
    image_dir = os.path.abspath(image_dir)
    write_json(path, make_content(image_set, image_dir))
    return image_dir


def find_image_dir(image_set: ImageSet) -> str:
    """The innermost folder that holds all the images, at any depth."""
    folders = {os.path.dirname(os.path.abspath(path)) for path in image_set.paths}
    return os.path.commonpath(folders)


def write_json(path: str | os.PathLike, content: object) -> None:
    """Writes a file that appears, or is replaced, once it is complete."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open_new(path) as file:
        json.dump(content, file)


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
    states, labels_of_image = image_set.class_states, image_set.image_labels
    regions = _list_regions(image_set)
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
            "supervision": _name_supervision(states[row], category_ids),
            "image_labels": category_ids[labels == PRESENT].tolist(),
        }
        # Without this list, whatever is not present counts as absent.
        if (labels == UNKNOWN).any():
            record["absent_labels"] = category_ids[labels == ABSENT].tolist()
        if row in regions:
            record["ignored_boxes"] = regions[row]
        records.append(record)
    findings.settle()
    return records


def _name_supervision(states: np.ndarray, category_ids: np.ndarray) -> str | dict:
    is_complete = states > PARTLY_BOXED
    if is_complete.all():
        return "boxes"
    if not find_boxed(states):
        return "labels"
    return {"boxes": category_ids[is_complete].tolist()}


def _list_regions(image_set: ImageSet) -> dict[int, list]:
    """Returns the boxes for every class, as COCO writes them, by row of their image."""
    regions: dict[int, list] = {}
    images = np.repeat(np.arange(len(image_set.paths)), np.diff(image_set.row_splits))
    for place in np.flatnonzero(image_set.classes == ANY_CLASS):
        box = _to_xywh(image_set.boxes[place]).tolist()
        regions.setdefault(int(images[place]), []).append(box)
    return regions


def _to_xywh(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [boxes[..., 1::-1], (boxes[..., 2:] - boxes[..., :2])[..., ::-1]], axis=-1
    )


def _list_annotations(image_set: ImageSet) -> list[dict]:
    chosen = image_set.classes != ANY_CLASS
    image_ids = np.repeat(image_set.image_ids, np.diff(image_set.row_splits))[chosen]
    classes = image_set.classes[chosen]
    category_ids = np.array(image_set.category_ids, np.int64)[classes]
    columns = {
        "id": np.arange(1, len(image_ids) + 1),
        "image_id": image_ids,
        "category_id": category_ids,
        "bbox": _to_xywh(image_set.boxes[chosen]),
        "area": image_set.areas[chosen],
        "iscrowd": image_set.ignored[chosen].astype(int),
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
