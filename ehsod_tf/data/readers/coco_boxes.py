"""The annotation records of a COCO JSON, checked and turned into columns at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.columns import BoxColumns
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.coco_images import Categories
from ehsod_tf.data.readers.coco_json import (
    ANNOTATION_DTYPE,
    MalformedAnnotation,
    describe_bad_box,
)
from ehsod_tf.data.readers.supervision import ImageTable
from ehsod_tf.wording import count

# More pixels than any image has; below it, sums and products stay finite.
_LIMIT = 2.0**31


class _Fault(NamedTuple):
    """A fault of one annotation.

    Attributes:
        position: place of the annotation in the file's list.
        name: what it is called in a problem.
        field: the field at fault.
        message: what is wrong and what to do about it.
    """

    position: int
    name: str
    field: str
    message: str


def read_boxes(
    records: Sequence[bytes | MalformedAnnotation],
    path: str,
    images: ImageTable,
    categories: Categories,
    findings: Findings,
) -> tuple[BoxColumns, np.ndarray]:
    """Checks the annotations and makes columns of those of the chosen classes.

    The images of faulty annotations are marked in ``images.sound``.

    Returns:
        boxes: rows of images; those of images that are not sound are among them.
        annotated: [I] bool, an annotation of any category belongs to the image.
    """
    positions = [i for i, record in enumerate(records) if isinstance(record, bytes)]
    packed = b"".join([records[position] for position in positions])
    annotations = np.frombuffer(packed, ANNOTATION_DTYPE)
    positions = np.array(positions, np.int64)
    row_of_id = {image_id: row for row, image_id in enumerate(images.ids)}
    rows = _look_up(annotations["image_id"], row_of_id)
    classes = _look_up(annotations["category_id"], categories.class_of_id, missing=-2)
    faults = _take_malformed(records, row_of_id, images.sound)
    is_sound = np.ones(len(annotations), bool)
    for field, mask, describe in _list_checks(annotations, rows, classes):
        # Of each annotation, the first fault.
        for index in np.flatnonzero(mask & is_sound):
            position = int(positions[index])
            name = _name_annotation(annotations[index], position)
            faults.append(_Fault(position, name, field, describe(annotations[index])))
        is_sound &= ~mask
    images.sound[rows[~is_sound & (rows >= 0)]] = False
    for fault in sorted(faults):
        findings.add(path, *fault[1:])
    annotated = np.bincount(rows[is_sound], minlength=len(images.names)) > 0
    chosen = is_sound & (classes >= 0)
    boxes = _make_columns(annotations[chosen], rows[chosen], classes[chosen])
    _note_oddities(annotations, path, findings)
    _note_flat_boxes(annotations[chosen], path, findings)
    return boxes, annotated


def _look_up(ids: np.ndarray, value_of_id: dict[int, int], missing=-1) -> np.ndarray:
    """Returns the value of each id, `missing` where there is none."""
    keys = np.array(list(value_of_id), np.int64)
    values = np.array(list(value_of_id.values()), np.int64)
    if not len(keys):
        return np.full(len(ids), missing)
    order = np.argsort(keys)
    places = np.minimum(np.searchsorted(keys, ids, sorter=order), len(keys) - 1)
    found = order[places]
    return np.where(keys[found] == ids, values[found], missing)


def _take_malformed(
    records: Sequence[bytes | MalformedAnnotation],
    row_of_id: dict[int, int],
    is_sound: np.ndarray,
) -> list[_Fault]:
    faults = []
    for position, record in enumerate(records):
        if isinstance(record, bytes):
            continue
        name = f"annotation {record.annotation_id}"
        if record.annotation_id is None:
            name = f"annotations[{position}]"
        faults.append(_Fault(position, name, record.field, record.message))
        if type(record.image_id) is int and record.image_id in row_of_id:
            is_sound[row_of_id[record.image_id]] = False
    return faults


def _name_annotation(annotation: np.void, position: int) -> str:
    if annotation["has_id"]:
        return f"annotation {annotation['id']}"
    return f"annotations[{position}]"


def _list_checks(annotations: np.ndarray, rows: np.ndarray, classes: np.ndarray):
    """Yields (field, mask of the faulty, function that gives the message of one)."""
    boxes, areas = annotations["bbox"], annotations["area"]
    yield (
        "image_id",
        rows < 0,
        lambda a: f"no image has id {a['image_id']}; correct or remove the record",
    )
    yield (
        "category_id",
        classes == -2,
        lambda a: (
            f"no category has id {a['category_id']}; correct it or add the category"
        ),
    )
    yield (
        "id",
        _find_repeated(annotations),
        lambda a: "another annotation has this id too; give every one its own",
    )
    yield (
        "bbox",
        # Written so that a NaN fails too.
        ~(np.abs(boxes) < _LIMIT).all(axis=1),
        lambda a: describe_bad_box(a["bbox"].tolist()),
    )
    yield (
        "bbox",
        (boxes[:, 2:] < 0).any(axis=1),
        lambda a: (
            f"{a['bbox'].tolist()} has a negative width or height; correct or remove it"
        ),
    )
    yield (
        "area",
        ~(np.isfinite(areas) & (areas >= 0)),
        lambda a: f"{a['area']} is not a finite number from 0 upwards; correct it",
    )
    yield (
        "iscrowd",
        ~np.isin(annotations["iscrowd"], (0, 1)),
        lambda a: f"{a['iscrowd']} is neither 0 nor 1; correct it",
    )


def _find_repeated(annotations: np.ndarray) -> np.ndarray:
    """Returns [T] bool, True for every annotation whose id another one has too."""
    numbered = np.flatnonzero(annotations["has_id"])
    _, inverse, counts = np.unique(
        annotations["id"][numbered], return_inverse=True, return_counts=True
    )
    repeated = np.zeros(len(annotations), bool)
    repeated[numbered] = counts[inverse] > 1
    return repeated


def _make_columns(
    annotations: np.ndarray, rows: np.ndarray, classes: np.ndarray
) -> BoxColumns:
    x, y, width, height = annotations["bbox"].T
    flat = (width == 0) | (height == 0)
    return BoxColumns(
        images=rows,
        boxes=np.stack([y, x, y + height, x + width], axis=1),
        classes=classes.astype(np.int32),
        areas=np.where(annotations["has_area"], annotations["area"], height * width),
        ignored=(annotations["iscrowd"] == 1) | flat,
    )


def _note_oddities(annotations: np.ndarray, path: str, findings: Findings) -> None:
    if (annotations["has_id"] & (annotations["id"] == 0)).any():
        # A detection matched with object 0 counts as matched with none there.
        findings.note(
            f"{path}: annotation ids begin at 0, which COCO's own tools miscount; here "
            "objects are numbered again"
        )
    num_nulls = int(annotations["has_null"].sum())
    if num_nulls:
        findings.note(
            f"{path}: {count(num_nulls, 'annotation has', 'annotations have')} null "
            "for iscrowd or area, which is taken as if it were not there"
        )


def _note_flat_boxes(annotations: np.ndarray, path: str, findings: Findings) -> None:
    flat = annotations[(annotations["bbox"][:, 2:] == 0).any(axis=1)]
    if len(flat):
        names = ", ".join(f"annotation {annotation['id']}" for annotation in flat[:5])
        findings.note(
            f"{path}: {count(len(flat), 'box', 'boxes')} without height or width, "
            f"treated like crowds, as neither target nor miss: {names}"
        )
