"""An image set in the layout of Roboflow's COCO exports."""

import json
import os

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.roboflow import ANNOTATION_FILE
from ehsod_tf.data.writers.coco import make_content
from ehsod_tf.data.writers.export_folder import (
    copy_images,
    create_folder,
    name_images,
    select_expressible,
)
from ehsod_tf.structures import ImageSet

# The first that is no class.
_ROOTS = ("objects", "all", "root", "group of all classes")


def write_roboflow(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as the ``train`` subset.

    The JSON has the fields of `write_coco`, labels included, and the root category that
    Roboflow writes first. Category ids count from 1.

    Args:
        image_set: the images.
        output_dir: a new or empty folder; it appears with all files or not at all.
        findings: takes problems with images that cannot be written; None raises them.

    Returns:
        The number of images written.

    Raises:
        DataError: the folder holds something already, or an image cannot be read.
    """
    image_set = select_expressible(image_set, "roboflow", findings=findings)
    names = name_images(image_set)
    with create_folder(output_dir) as folder:
        folder = os.path.join(folder, "train")
        copy_images(image_set, names, folder)
        numbers = tuple(range(1, len(image_set.class_names) + 1))
        copies = image_set._replace(
            paths=[os.path.join(folder, name) for name in names], category_ids=numbers
        )
        content = make_content(copies, folder)
        root = next(n for n in _ROOTS if n not in image_set.class_names)
        for category in content["categories"]:
            category["supercategory"] = root
        content["categories"].insert(
            0, {"id": 0, "name": root, "supercategory": "none"}
        )
        path = os.path.join(folder, ANNOTATION_FILE)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file)
    return len(names)
