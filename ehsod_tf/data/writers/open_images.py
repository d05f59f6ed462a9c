"""An image set as Open Images' tables: boxes, verified labels, names of classes."""

import csv
import os
from collections.abc import Iterator, Sequence

import numpy as np

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.writers.export_folder import (
    copy_images,
    create_folder,
    leave_out_inexpressible,
    name_images,
)
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    PARTLY_BOXED,
    UNKNOWN,
    ImageSet,
)

BOXES_FILE, LABELS_FILE, CLASSES_FILE = "boxes.csv", "labels.csv", "classes.csv"
_BOX_HEADER = ("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax")
_BOX_HEADER += ("YMin", "YMax", "IsOccluded", "IsTruncated", "IsGroupOf")
_LABEL_HEADER = ("ImageID", "Source", "LabelName", "Confidence")
_SOURCE = "ehsod"


def write_open_images(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as tables and ``images/``.

    `read_open_images` gives the same boxes again, to a millionth of a pixel, and the
    same states, but for this: that a class was looked for and not found becomes a label
    that it is absent, so that an image with boxes of nothing comes back as a weak one.
    Ignored objects become groups; areas other than the boxes' own are lost.

    Args:
        image_set: the images. Boxes of a part of a class's objects have no place there,
            nor have ignored regions of any class.
        output_dir: a new or empty folder; it appears with all files or not at all.
        findings: takes problems with images that cannot be written, which are left out;
            None raises instead.

    Returns:
        The number of images written.

    Raises:
        DataError: the folder holds something already, or an image cannot be read.
    """
    image_set = leave_out_inexpressible(
        image_set, "open_images", _list_checks(image_set), findings=findings
    )
    names = [name.replace("/", "_") for name in name_images(image_set)]
    ids = [os.path.splitext(name)[0] for name in names]
    codes = [f"/m/{number:04}" for number in range(1, len(image_set.class_names) + 1)]
    with create_folder(output_dir) as folder:
        copy_images(image_set, names, os.path.join(folder, "images"))
        for file, header, rows in (
            (BOXES_FILE, _BOX_HEADER, _list_boxes(image_set, ids, codes)),
            (LABELS_FILE, _LABEL_HEADER, _list_labels(image_set, ids, codes)),
            (
                CLASSES_FILE,
                ("LabelName", "DisplayName"),
                zip(codes, image_set.class_names, strict=True),
            ),
        ):
            path = os.path.join(folder, file)
            with open(path, "w", newline="", encoding="utf-8") as table:
                csv.writer(table).writerows([header, *rows])
    return len(names)


def _list_checks(image_set: ImageSet) -> Iterator[tuple[np.ndarray, str, str]]:
    """Yields ([I] bool, field, message) of what the tables have no place for."""
    states = image_set.class_states
    partly = (states == PARTLY_BOXED).any(axis=1)
    yield partly, "boxes", "is boxed in part, which {} cannot say"
    images = np.repeat(np.arange(len(states)), np.diff(image_set.row_splits))
    of_any = np.bincount(images, image_set.classes == ANY_CLASS, len(states)) > 0
    message = "has an ignored region of any class, for which {} has no place"
    yield of_any, "objects", message
    stems = [
        os.path.splitext(name.replace("/", "_"))[0] for name in name_images(image_set)
    ]
    _, inverse, counts = np.unique(stems, return_inverse=True, return_counts=True)
    message = "would have another image's ImageID in {}"
    yield counts[inverse] > 1, "name", message


def _list_boxes(
    image_set: ImageSet, ids: Sequence[str], codes: Sequence[str]
) -> Iterator[tuple]:
    owners = np.repeat(np.arange(len(ids)), np.diff(image_set.row_splits))
    heights, widths = image_set.sizes[owners].astype(np.float64).T
    ymin, xmin, ymax, xmax = image_set.boxes.T
    sides = (xmin / widths, xmax / widths, ymin / heights, ymax / heights)
    for row, index, ignored, *shares in zip(
        owners.tolist(),
        image_set.classes.tolist(),
        image_set.ignored.tolist(),
        *(side.tolist() for side in sides),
        strict=True,
    ):
        flags = (-1, -1, int(ignored))
        yield (ids[row], _SOURCE, codes[index], 1, *shares, *flags)


def _list_labels(
    image_set: ImageSet, ids: Sequence[str], codes: Sequence[str]
) -> Iterator[tuple]:
    labels = image_set.image_labels
    for row, index in np.argwhere(labels != UNKNOWN).tolist():
        yield ids[row], _SOURCE, codes[index], int(labels[row, index] != ABSENT)
