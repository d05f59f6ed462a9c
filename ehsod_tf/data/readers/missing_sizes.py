"""Sizes that an annotation does not give, taken from the image files."""

from collections.abc import Sequence

import numpy as np

from ehsod_tf.data.image_files import TURNED, read_headers
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.supervision import ImageTable, tell_kinds
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count


def fill_table_sizes(
    images: ImageTable,
    paths: Sequence[str],
    annotated: np.ndarray,
    has_boxes: np.ndarray,
    *,
    source: str,
    unannotated: str,
    findings: Findings,
    noted: bool = True,
) -> None:
    """As `fill_missing_sizes`, for the sound images of a table, changed in place.

    Those that `supervise` will leave out, for which see `annotated` and `unannotated`
    there, are not looked at: their files may be of any kind.
    """
    strong, weak = tell_kinds(images, annotated, unannotated)
    rows = np.flatnonzero(images.sound & (strong | weak))
    sizes = images.sizes[rows]
    images.sound[rows] = fill_missing_sizes(
        sizes,
        [paths[row] for row in rows],
        [images.records[row] for row in rows],
        (has_boxes & strong)[rows],
        source,
        findings,
        noted=noted,
    )
    images.sizes[rows] = sizes


def fill_missing_sizes(
    sizes: np.ndarray,
    paths: Sequence[str],
    records: Sequence[str],
    has_boxes: np.ndarray,
    source: str,
    findings: Findings,
    *,
    noted: bool = True,
) -> np.ndarray:
    """Fills in heights and widths that are 0, from the headers of the files.

    Args:
        sizes: [I, 2] integers (height, width), changed in place.
        paths: I files; only those of missing sizes are looked at.
        records: I names of the records in problems, e.g. "image 17".
        has_boxes: [I] bool. Labels mean the same of an image that is turned.
        source: path of the annotation.
        findings: takes a note, and problems with files that cannot tell.
        noted: False for a form that never gives a size.

    Returns:
        [I] bool, False for images whose size remains unknown.
    """
    is_known = np.ones(len(sizes), bool)
    rows = np.flatnonzero((sizes == 0).any(axis=1)).tolist()
    filled = []
    of_files = np.zeros_like(sizes)
    for row, header in zip(
        rows, read_headers([paths[row] for row in rows]), strict=True
    ):
        if isinstance(header, DataError):
            fault = str(header)
            if noted:
                fault = f"the annotation gives no size, and so must the image: {fault}"
        elif has_boxes[row] and header.orientation in TURNED:
            what = "the annotation gives no size, and " if noted else ""
            remedy = "add the size to the annotation" if noted else "store it upright"
            fault = (
                f"{what}the EXIF orientation {header.orientation} turns the image, so "
                f"that nobody can tell which way its boxes refer to; {remedy}"
            )
        else:
            of_files[row] = header.height, header.width
            filled.append(paths[row])
            continue
        findings.add(paths[row], records[row], "size", fault)
        is_known[row] = False
    sizes[...] = np.where(sizes == 0, of_files, sizes)
    if filled and noted:
        findings.note(
            f"{source}: {count(len(filled), 'image')} without a size in the "
            f"annotation, which is read from the image file ({name_first(filled)})"
        )
    return is_known
