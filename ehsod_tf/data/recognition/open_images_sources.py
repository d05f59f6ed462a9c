"""Open Images: tables of boxes and labels that belong together, by their headers."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ehsod_tf.data.recognition.image_places import ImageIndex
from ehsod_tf.data.recognition.source import (
    BOXES,
    LABELS,
    FolderSource,
    choose_folder,
    find_role,
)

_BOX_TABLES, _LABEL_TABLES, _CLASS_TABLES = "boxes", "labels", "classes"
MACHINE_LABELS = "machine labels"

_EXTENSIONS = (".jpg", ".png", ".jpeg")
_ID = re.compile("[0-9a-f]{16}")
_CODE = re.compile(r"/[mgt]/\w+")


class Table(NamedTuple):
    """A CSV file and its first rows."""

    path: str
    rows: list[list[str]]


def find_kind(path: str, rows: list[list[str]]) -> str:
    """Which table of Open Images a file is, "" for none, by its first rows."""
    header = {cell.strip() for cell in rows[0]} if rows else set()
    if {"ImageID", "LabelName", "XMin", "YMax"} <= header:
        return _BOX_TABLES
    if {"ImageID", "LabelName", "Confidence"} <= header:
        # Their headers are the same; the published names differ.
        is_machine = "machine" in os.path.basename(path)
        return MACHINE_LABELS if is_machine else _LABEL_TABLES
    has_codes = bool(rows) and all(
        len(row) == 2 and _CODE.fullmatch(row[0]) for row in rows
    )
    is_table = header == {"LabelName", "DisplayName"} or has_codes
    return _CLASS_TABLES if is_table else ""


def combine_tables(
    tables: Mapping[str, Sequence[Table]], hierarchies: list[str], index: ImageIndex
) -> list[FolderSource]:
    """Makes a source of the tables of each part.

    Args:
        tables: by `find_kind`.
        hierarchies: JSON files that say which class is a kind of which.
        index: the images.
    """
    shared = {}
    classes = tables.get(_CLASS_TABLES, ())
    if len(classes) == 1:
        shared["classes_csv"] = classes[0].path
    if len(hierarchies) == 1:
        shared["hierarchy_json"] = hierarchies[0]
    first_ids = {
        table.path: [row[0] for row in table.rows[1:] if row]
        for kind in (_BOX_TABLES, _LABEL_TABLES)
        for table in tables.get(kind, ())
    }
    boxes, labels = (
        [table.path for table in tables.get(kind, ())]
        for kind in (_BOX_TABLES, _LABEL_TABLES)
    )
    return [_describe(*pair, first_ids, shared, index) for pair in _pair(boxes, labels)]


def _pair(boxes: list[str], labels: list[str]) -> list[tuple[str | None, str | None]]:
    """Boxes and labels of one part, each table once where that is possible."""
    pairs = []
    for path in boxes:
        fitting = [p for p in labels if find_role(p) == find_role(path)]
        pairs += [(path, other) for other in fitting] or [(path, None)]
    taken = {other for _, other in pairs}
    return pairs + [(None, path) for path in labels if path not in taken]


def _describe(
    boxes: str | None,
    labels: str | None,
    first_ids: dict[str, list[str]],
    shared: dict[str, str],
    index: ImageIndex,
) -> FolderSource:
    path = boxes or labels
    arguments = {"boxes_csv": boxes, "labels_csv": labels, **shared}
    return FolderSource(
        path=path,
        form="Open Images",
        reader="read_open_images",
        arguments={name: value for name, value in arguments.items() if value},
        gives=(BOXES,) * bool(boxes) + (LABELS,) * bool(labels),
        role=find_role(path),
        image_dirs=_find_folders(path, first_ids[path], index),
        takes=("image_dir",),
        detail=f"labels in {labels}" if boxes and labels else "",
    )


def _find_folders(path: str, ids: list[str], index: ImageIndex) -> tuple[str, ...]:
    names = [f"{image_id}{extension}" for image_id in ids for extension in _EXTENSIONS]
    # Who has a part of the images may have none of the first.
    folders = index.find_folders(names) or tuple(
        folder
        for folder in index.folders
        if all(_ID.match(name) for name in index.list_names(folder)[:20])
    )
    return choose_folder(folders, path, find_role(path)) if folders else ()
