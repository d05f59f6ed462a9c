"""The image records of a COCO JSON: ids, names, sizes, image-level labels."""

import posixpath
from collections.abc import Mapping, Sequence
from reprlib import repr as shorten
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.columns import BoxColumns, BoxRecord, stack_boxes
from ehsod_tf.data.image_files import find_path_fault
from ehsod_tf.data.label_states import mark_labels
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.supervision import ImageTable
from ehsod_tf.data.spelling import suggest
from ehsod_tf.structures import ABSENT, ANY_CLASS, UNKNOWN

# What tools write that do not know the size of an image.
_NO_SIZE = (None, 0, -1)

SUPERVISION_KINDS = ("boxes", "in part", "labels", "none")


class Categories(NamedTuple):
    """The chosen classes, and all categories of the file.

    Attributes:
        names: the K chosen class names.
        ids: their category ids.
        class_of_id: class index of every category id of the file, -1 if not chosen.
        id_of_name: every category of the file.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]
    class_of_id: Mapping[int, int]
    id_of_name: Mapping[str, int]


def read_images(
    records: Sequence[object], path: str, categories: Categories, findings: Findings
) -> ImageTable:
    """Checks the image records and makes columns of them."""
    by_id = _index_by_id(records, path, findings)
    num_images = len(by_id)
    table = ImageTable(
        ids=list(by_id),
        records=[f"image {image_id}" for image_id in by_id],
        names=[""] * num_images,
        sizes=np.zeros((num_images, 2), np.int32),
        supervision=np.full(num_images, "", "U6"),
        listed=np.full((num_images, len(categories.names)), UNKNOWN, np.int8),
        has_list=np.zeros(num_images, bool),
        sound=np.ones(num_images, bool),
        complete=np.ones((num_images, len(categories.names)), bool),
    )
    for row, (image_id, record) in enumerate(by_id.items()):
        if record is None:
            table.sound[row] = False
            continue
        faults = _read_record(record, row, table, categories)
        for field, message in faults:
            findings.add(path, f"image {image_id}", field, message)
            table.sound[row] = False
    _find_repeated_names(table, path, findings)
    return table


def read_ignored_boxes(
    records: Sequence[object], path: str, images: ImageTable, findings: Findings
) -> BoxColumns:
    """Reads the regions of `ignored_boxes`, which may hold objects of any class.

    The images of faulty regions are marked in ``images.sound``.
    """
    regions = []
    row_of_id = {image_id: row for row, image_id in enumerate(images.ids)}
    for record in records:
        if not isinstance(record, dict) or "ignored_boxes" not in record:
            continue
        image_id = record.get("id")
        # True would find image 1, and so would 1.0.
        row = row_of_id.get(image_id) if type(image_id) is int else None
        if row is None or not images.sound[row]:
            continue
        boxes = record["ignored_boxes"]
        if not isinstance(boxes, list) or not all(map(_is_box, boxes)):
            message = (
                f"{shorten(boxes)} is not a list of boxes [x, y, width, height] of "
                "finite numbers, width and height above 0; correct it"
            )
            findings.add(path, images.records[row], "ignored_boxes", message)
            images.sound[row] = False
            continue
        regions += [
            BoxRecord(row, (y, x, y + h, x + w), ANY_CLASS, w * h, True)
            for x, y, w, h in boxes
        ]
    return stack_boxes(regions)


def _is_box(box: object) -> bool:
    if not isinstance(box, list) or len(box) != 4:
        return False
    if not all(type(side) in (int, float) and abs(side) < 2.0**31 for side in box):
        return False
    return box[2] > 0 and box[3] > 0


def _index_by_id(
    records: Sequence[object], path: str, findings: Findings
) -> dict[int, dict | None]:
    """Returns the records by id, None where several share it."""
    by_id: dict[int, dict | None] = {}
    for position, record in enumerate(records):
        name = f"images[{position}]"
        if not isinstance(record, dict):
            findings.add(path, name, "", "not an image record; correct or remove it")
            continue
        image_id = record.get("id")
        if type(image_id) is not int or not -(2**63) <= image_id < 2**63:
            message = f"{shorten(image_id)} is not an integer of 64 bits; correct it"
            findings.add(path, name, "id", message)
        elif image_id not in by_id:
            by_id[image_id] = record
        else:
            if by_id[image_id] is not None:
                message = "another image has this id too; give every image its own"
                findings.add(path, f"image {image_id}", "id", message)
            by_id[image_id] = None
    return by_id


def _read_record(
    record: dict, row: int, table: ImageTable, categories: Categories
) -> list[tuple[str, str]]:
    """Fills a row of the table; returns (field, message) of every fault."""
    faults = []
    name = record.get("file_name")
    if not isinstance(name, str) or not name:
        faults.append(("file_name", "missing or not a text; add the image's file name"))
    elif fault := find_path_fault(name):
        faults.append(("file_name", fault))
    else:
        table.names[row] = name
    for column, field in enumerate(("height", "width")):
        value = record.get(field)
        if value in _NO_SIZE and not isinstance(value, bool):
            continue
        if type(value) is int and 1 <= value < 2**31:
            table.sizes[row, column] = value
        else:
            message = f"{shorten(value)} is not a positive integer of pixels"
            faults.append((field, f"{message}; correct it"))
    if "supervision" in record:
        faults += _read_supervision(record["supervision"], row, table, categories)
    if "image_labels" in record or "absent_labels" in record:
        faults += _read_labels(record, row, table, categories)
    return faults


def _read_supervision(
    supervision: object, row: int, table: ImageTable, categories: Categories
) -> list[tuple[str, str]]:
    if isinstance(supervision, dict):
        return _read_boxed_classes(supervision, row, table, categories)
    if supervision not in SUPERVISION_KINDS:
        message = f"{shorten(supervision)} is not one of {', '.join(SUPERVISION_KINDS)}"
        return [("supervision", f"{message}; correct or remove it")]
    if supervision == "in part":
        table.complete[row] = False
        supervision = "boxes"
    table.supervision[row] = supervision
    return []


def _read_boxed_classes(
    kinds: dict, row: int, table: ImageTable, categories: Categories
) -> list[tuple[str, str]]:
    """Reads which classes are boxed completely: ``{"boxes": [...], "in part": [...]}``.

    A class in neither list is boxed in part if it has a box.
    """
    if strangers := [kind for kind in kinds if kind not in ("boxes", "in part")]:
        message = f"{shorten(strangers[0])} is neither 'boxes' nor 'in part'"
        return [("supervision", f"{message}; correct or remove it")]
    try:
        complete, in_part = (
            _look_up_labels(kinds.get(kind, []), categories)
            for kind in ("boxes", "in part")
        )
    except _LabelError as error:
        return [("supervision", str(error))]
    if both := sorted(complete & in_part):
        message = f"category {both[0]} is in both lists; remove it from one of them"
        return [("supervision", message)]
    table.supervision[row] = "boxes"
    table.complete[row] = False
    table.complete[row, _choose_classes(complete, categories)] = True
    return []


def _read_labels(
    record: dict, row: int, table: ImageTable, categories: Categories
) -> list[tuple[str, str]]:
    category_ids, faults = {}, []
    for field in ("image_labels", "absent_labels"):
        try:
            labels = record.get(field, [])
            category_ids[field] = _look_up_labels(labels, categories)
        except _LabelError as error:
            faults.append((field, str(error)))
    if faults:
        return faults
    present, absent = category_ids["image_labels"], category_ids["absent_labels"]
    for category_id in sorted(present & absent):
        message = f"category {category_id} is also in image_labels; remove one of them"
        return [("absent_labels", message)]
    rest = UNKNOWN if "absent_labels" in record else ABSENT
    table.has_list[row] = True
    table.listed[row] = mark_labels(
        _choose_classes(present, categories),
        _choose_classes(absent, categories),
        len(categories.names),
        rest,
    )
    return []


class _LabelError(Exception):
    """An entry of a list of labels stands for no category."""


def _look_up_labels(labels: object, categories: Categories) -> set[int]:
    """Returns the category ids of a list of ids and names."""
    if not isinstance(labels, list):
        raise _LabelError(f"{shorten(labels)} is not a list of category ids or names")
    found = set()
    for label in labels:
        if isinstance(label, str) and label.strip() in categories.id_of_name:
            found.add(categories.id_of_name[label.strip()])
        elif type(label) is int and label in categories.class_of_id:
            found.add(label)
        elif isinstance(label, str):
            remedy = suggest(label, categories.id_of_name)
            raise _LabelError(f"no category is called {shorten(label)}; {remedy}")
        else:
            raise _LabelError(
                f"no category has id {shorten(label)}; correct it or add the category"
            )
    return found


def _choose_classes(category_ids: set[int], categories: Categories) -> list[int]:
    classes = (categories.class_of_id[category_id] for category_id in category_ids)
    return [index for index in classes if index >= 0]


def _find_repeated_names(table: ImageTable, path: str, findings: Findings) -> None:
    """Leaves out all images of a file that several records name."""
    first_row_of_name: dict[str, int] = {}
    for row, name in enumerate(table.names):
        if not name:
            continue
        first_row = first_row_of_name.setdefault(posixpath.normpath(name), row)
        if first_row != row:
            message = f"{table.records[first_row]} is {name!r} too"
            message += "; keep one of the records"
            findings.add(path, table.records[row], "file_name", message)
            table.sound[[first_row, row]] = False
