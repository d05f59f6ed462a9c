"""An image set in LVIS's form: COCO's, with what each image was searched for."""

import os
from collections.abc import Iterator

import numpy as np

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.coco_json import LVIS_LISTS
from ehsod_tf.data.writers.coco import find_image_dir, make_content, write_json
from ehsod_tf.data.writers.export_folder import leave_out_inexpressible
from ehsod_tf.structures import ABSENT, ANY_CLASS, PARTLY_BOXED, PRESENT, ImageSet

_KEPT = ("id", "file_name", "height", "width")


def write_lvis(
    image_set: ImageSet,
    path: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set as one JSON that `read_lvis` reads.

    The same states come back, but for this: a class that was looked for and not found
    is absent then, so that an image with boxes of nothing comes back as a weak one.
    File names are relative to the innermost folder that holds all images.

    Args:
        image_set: the images. A class that is present without a box has no place
            there, nor have ignored regions of any class.
        path: the JSON file; it appears, or is replaced, once it is complete.
        findings: takes problems with images that cannot be written, which are left out;
            None raises instead.

    Returns:
        The number of images written.

    Raises:
        DataError: an image cannot be written.
    """
    image_set = leave_out_inexpressible(
        image_set, "lvis", _list_checks(image_set), findings=findings
    )
    content = make_content(image_set, find_image_dir(image_set))
    numbers = np.array(image_set.category_ids, np.int64)
    is_absent = image_set.image_labels == ABSENT
    is_partly = image_set.class_states == PARTLY_BOXED
    content["images"] = [
        {field: record[field] for field in _KEPT}
        | {
            field: numbers[mask[row]].tolist()
            for field, mask in zip(LVIS_LISTS, (is_absent, is_partly), strict=True)
        }
        for row, record in enumerate(content["images"])
    ]
    write_json(path, content)
    return len(image_set.paths)


def _list_checks(image_set: ImageSet) -> Iterator[tuple[np.ndarray, str, str]]:
    """Yields ([I] bool, field, message) of what the form has no place for."""
    states = image_set.class_states
    message = "shows a class without a box, which {} cannot say"
    yield (states == PRESENT).any(axis=1), "labels", message
    images = np.repeat(np.arange(len(states)), np.diff(image_set.row_splits))
    of_any = np.bincount(images, image_set.classes == ANY_CLASS, len(states)) > 0
    message = "has an ignored region of any class, for which {} has no place"
    yield of_any, "objects", message
