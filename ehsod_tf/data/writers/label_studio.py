"""An image set as tasks of Label Studio: tasks.json and images/."""

import json
import os
from urllib.parse import quote

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


def write_label_studio(
    image_set: ImageSet,
    output_dir: str | os.PathLike,
    *,
    findings: Findings | None = None,
) -> int:
    """Writes an image set, with copies of its images, as Label Studio's JSON.

    Labels of weak images are choices. `read_label_studio` gives the same again, to a
    millionth of a pixel. Areas other than the boxes' own are lost, and so are classes
    that nothing shows, and their order.

    Args:
        image_set: images without crowds, whose labels are all present or absent.
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
        "label_studio",
        labels="present",
        holds_ignored=False,
        findings=findings,
    )
    names = name_images(image_set)
    tasks = [_make_task(image_set, row, name) for row, name in enumerate(names)]
    with create_folder(output_dir) as folder:
        copy_images(image_set, names, os.path.join(folder, "images"))
        with open(os.path.join(folder, "tasks.json"), "w", encoding="utf-8") as file:
            json.dump(tasks, file, ensure_ascii=False)
    return len(names)


def _make_task(image_set: ImageSet, row: int, name: str) -> dict:
    height, width = image_set.sizes[row].tolist()
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    place = {"to_name": "image"} | size
    results = []
    for number, (class_name, box, _) in enumerate(list_objects(image_set, row)):
        ymin, xmin, ymax, xmax = box
        value = {
            "x": xmin / width * 100,
            "y": ymin / height * 100,
            "width": (xmax - xmin) / width * 100,
            "height": (ymax - ymin) / height * 100,
            "rotation": 0,
            "rectanglelabels": [class_name],
        }
        kind = {"id": f"{row}_{number}", "type": "rectanglelabels"}
        results.append(kind | {"from_name": "label", "value": value} | place)
    if labels := list_labels(image_set, row):
        kind = {"id": f"{row}_choices", "type": "choices", "from_name": "choice"}
        results.append(kind | {"value": {"choices": labels}} | place)
    address = f"/data/local-files/?d={quote(f'images/{name}')}"
    return {
        "id": row + 1,
        "data": {"image": address},
        "annotations": [{"id": row + 1, "result": results, "was_cancelled": False}],
        "predictions": [],
    }
