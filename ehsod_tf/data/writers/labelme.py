"""An image set as LabelMe's JSON files, each beside its image."""

import json
import os

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.writers.export_folder import (
    copy_images,
    create_folder,
    list_labels,
    list_objects,
    name_images,
    select_expressible,
)
from ehsod_tf.structures import ImageSet


def write_labelme(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as LabelMe's JSON files.

    Labels of weak images are flags that are set, ignored objects have the flag
    ``difficult``. `read_labelme` gives the same again. Areas other than the boxes' own
    are lost, and so are classes that nothing shows, and their order.

    Args:
        image_set: images whose labels are all present or absent.
        output_dir: a new or empty folder; it appears with all files or not at all.
        findings: takes problems with images that cannot be written, which are left
            out; None raises instead.

    Returns:
        The number of images written.

    Raises:
        DataError: the folder holds something already, or an image cannot be read.
    """
    image_set = select_expressible(
        image_set,
        "labelme",
        labels="present",
        needs_own_stems=True,
        findings=findings,
    )
    names = name_images(image_set)
    with create_folder(output_dir) as folder:
        copy_images(image_set, names, folder)
        for row, name in enumerate(names):
            path = os.path.join(folder, f"{os.path.splitext(name)[0]}.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(_make_file(image_set, row, name), file, ensure_ascii=False)
    return len(names)


def _make_file(image_set: ImageSet, row: int, name: str) -> dict:
    height, width = image_set.sizes[row].tolist()
    labels = list_labels(image_set, row)
    shapes = [
        {
            "label": class_name,
            "points": [[box[1], box[0]], [box[3], box[2]]],
            "group_id": None,
            "shape_type": "rectangle",
            "flags": {"difficult": True} if ignored else {},
        }
        for class_name, box, ignored in list_objects(image_set, row)
    ]
    return {
        "version": "5.5.0",
        "flags": dict.fromkeys(labels, True),
        "shapes": shapes,
        "imagePath": os.path.basename(name),
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
