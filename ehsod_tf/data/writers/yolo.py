"""An image set as a YOLO data set: data.yaml, images/, labels/."""

import os

import yaml

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.writers.export_folder import (
    copy_images,
    create_folder,
    format_number,
    list_objects,
    name_images,
    select_expressible,
)
from ehsod_tf.structures import ImageSet


def write_yolo(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as the ``train`` subset.

    `read_yolo` gives the same boxes again, to a millionth of a pixel. Areas other than
    the boxes' own are lost, and ids are made of names.

    Args:
        image_set: strong images without crowds; an empty one gets an empty label file.
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
        "yolo",
        labels="none",
        holds_ignored=False,
        needs_own_stems=True,
        findings=findings,
    )
    names = name_images(image_set)
    with create_folder(output_dir) as folder:
        copy_images(image_set, names, os.path.join(folder, "images", "train"))
        for row, name in enumerate(names):
            path = os.path.join(folder, _name_labels(f"images/train/{name}"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(_list_lines(image_set, row))
        description = {
            "train": "images/train",
            "names": dict(enumerate(image_set.class_names)),
        }
        with open(os.path.join(folder, "data.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(description, file, sort_keys=False, allow_unicode=True)
    return len(names)


def _name_labels(image_name: str) -> str:
    """Returns where readers look: in a path, the last ``images`` becomes ``labels``."""
    head, _, tail = f"/{os.path.splitext(image_name)[0]}.txt".rpartition("/images/")
    return f"{head}/labels/{tail}".lstrip("/")


def _list_lines(image_set: ImageSet, row: int):
    height, width = image_set.sizes[row].tolist()
    for name, (ymin, xmin, ymax, xmax), _ in list_objects(image_set, row):
        shares = (
            (xmin + xmax) / 2 / width,
            (ymin + ymax) / 2 / height,
            (xmax - xmin) / width,
            (ymax - ymin) / height,
        )
        number = image_set.class_names.index(name)
        yield f"{number} {' '.join(map(format_number, shares))}\n"
