"""Sources in tables: boxes, image-level labels, and Open Images."""

import csv
import os

from ehsod_tf.data.readers.box_csv import has_boxes
from ehsod_tf.data.readers.csv_tables import list_names, split_header
from ehsod_tf.data.readers.label_rows import has_labels
from ehsod_tf.data.recognition import open_images_sources
from ehsod_tf.data.recognition.image_places import ImageIndex, find_image_dirs
from ehsod_tf.data.recognition.listing import Listing
from ehsod_tf.data.recognition.open_images_sources import Table
from ehsod_tf.data.recognition.source import (
    BOXES,
    LABELS,
    FolderSource,
    choose_folder,
    find_common_folder,
    find_role,
)

_HEAD_BYTES = 1 << 16
_NUM_SAMPLES = 40


def recognize_tables(
    listing: Listing, index: ImageIndex, hierarchies: list[str]
) -> tuple[list[FolderSource], dict[str, list[str]]]:
    """Recognises the CSV files of a folder by their first rows.

    Args:
        listing: the folder.
        index: its images.
        hierarchies: JSON files that say which class of Open Images is a kind of which.

    Returns:
        The sources, and what is passed over, by a word for why.
    """
    sources, others = [], {}
    parts: dict[str, list[Table]] = {}
    for path in listing.documents["csv"]:
        rows = _read_first_rows(os.path.join(listing.root, path))
        if has_boxes(rows):
            sources.append(_describe_box_table(path, list_names(rows), index))
        elif has_labels(rows):
            sources.append(_describe_label_table(path, list_names(rows), index))
        elif kind := open_images_sources.find_kind(path, rows):
            parts.setdefault(kind, []).append(Table(path, rows))
        else:
            others.setdefault("tables of no form that is known", []).append(path)
    if machines := parts.pop(open_images_sources.MACHINE_LABELS, []):
        others["labels of a machine"] = [table.path for table in machines]
    sources += open_images_sources.combine_tables(parts, hierarchies, index)
    return sources, others


def _read_first_rows(path: str) -> list[list[str]]:
    """The first complete rows of a CSV file; [] where it is no such text."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
        lines = head.decode("utf-8-sig", "replace").splitlines()
        if len(head) == _HEAD_BYTES:
            lines.pop()
        delimiter = split_header(lines[0])[1] if lines else ","
        return list(csv.reader(lines[: _NUM_SAMPLES + 1], delimiter=delimiter))
    except (OSError, csv.Error):
        return []


def _describe_box_table(path: str, names: list[str], index: ImageIndex) -> FolderSource:
    role = find_role(path)
    return FolderSource(
        path=path,
        form="table of boxes",
        reader="read_box_csv",
        arguments={"csv_file": path},
        gives=(BOXES,),
        role=role,
        image_dirs=find_image_dirs(index, names, path, role),
        takes=("image_dir", "unannotated"),
    )


def _describe_label_table(
    path: str, names: list[str], index: ImageIndex
) -> FolderSource:
    role = find_role(path)
    return FolderSource(
        path=path,
        form="table of image labels",
        reader="read_label_csv",
        arguments={"csv_file": path},
        gives=(LABELS,),
        role=role,
        image_dirs=choose_folder(index.find_folders(names), path, role),
        below=find_common_folder(names),
        takes=("image_dir", "unannotated", "unlisted"),
    )
