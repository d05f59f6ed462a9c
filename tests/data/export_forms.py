"""One small COCO data set, and the same in the forms of labelling tools."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from ehsod_tf.data import Resizing, build_training_dataset, read_coco
from ehsod_tf.structures import ImageSet

CLASS_NAMES = ("cat", "dog", "cow")
SIZES = {
    "a.jpg": (24, 32),
    "b.JPG": (37, 53),
    "more/c d.png": (41, 30),
    "e.png": (20, 20),
}
# Image, class, box as x, y, width, height in pixels.
OBJECTS = (
    ("a.jpg", "dog", (2, 3, 20, 11)),
    ("a.jpg", "cat", (0, 0, 32, 24)),
    ("b.JPG", "cow", (10.25, 5.5, 30.1, 22.33)),
    ("more/c d.png", "cat", (1, 2, 28, 38)),
    ("more/c d.png", "dog", (3.7, 7.3, 11.11, 9)),
    ("e.png", "cow", (5, 5, 10, 10)),
)


class Original(NamedTuple):
    """The COCO data set.

    Attributes:
        folder: with ``images`` and ``instances.json``.
        image_set: as `read_coco` reads it.
    """

    folder: Path
    image_set: ImageSet


def write_images(folder: Path) -> None:
    for number, (name, (height, width)) in enumerate(SIZES.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, height), (40 * number, 100, 50)).save(path)


def write_original(folder: Path) -> Original:
    write_images(folder / "images")
    names = sorted(SIZES)
    content = {
        "images": [
            {"id": 5 + row, "file_name": name, "height": SIZES[name][0]}
            | {"width": SIZES[name][1]}
            for row, name in enumerate(names)
        ],
        "annotations": [
            {"id": 1 + row, "image_id": 5 + names.index(name), "bbox": list(box)}
            | {"category_id": 1 + CLASS_NAMES.index(class_name)}
            for row, (name, class_name, box) in enumerate(OBJECTS)
        ],
        "categories": [{"id": 1 + k, "name": n} for k, n in enumerate(CLASS_NAMES)],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return Original(folder, read_coco(path, folder / "images"))


def assert_same_tensors(image_set: ImageSet, original: ImageSet) -> None:
    """Both give the same batches; ids of images and order of paths apart."""
    assert image_set.class_names == original.class_names
    ids = {
        os.path.basename(p): i
        for p, i in zip(original.paths, original.image_ids, strict=True)
    }
    image_ids = [ids[os.path.basename(path)] for path in image_set.paths]
    order = np.argsort(image_ids)
    batches = [
        list(
            build_training_dataset(
                each, resizing=Resizing(64, 64), batch_size=2, seed=0, epochs=2
            )
        )
        for each in (_reorder(image_set, order, np.array(image_ids)), original)
    ]
    assert len(batches[0]) == 4
    for first, second in zip(*batches, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, first, second)


def _reorder(image_set: ImageSet, order: np.ndarray, image_ids: np.ndarray) -> ImageSet:
    splits = image_set.row_splits
    rows = np.concatenate([np.arange(splits[i], splits[i + 1]) for i in order])
    counts = np.diff(splits)[order]
    return image_set._replace(
        image_ids=image_ids[order],
        image_names=[image_set.image_names[i] for i in order],
        paths=[image_set.paths[i] for i in order],
        sizes=image_set.sizes[order],
        row_splits=np.concatenate([[0], np.cumsum(counts)]),
        boxes=image_set.boxes[rows],
        classes=image_set.classes[rows],
        areas=image_set.areas[rows],
        ignored=image_set.ignored[rows],
        class_states=image_set.class_states[order],
    )


def list_objects(name: str):
    """Yields class number, class name and x, y, width, height of an image's objects."""
    for image, class_name, box in OBJECTS:
        if image == name:
            yield CLASS_NAMES.index(class_name), class_name, box


def write_yolo(folder: Path) -> None:
    """As Ultralytics describes it, with the newlines of Windows."""
    write_images(folder / "images" / "train")
    for name, (height, width) in SIZES.items():
        path = (folder / "labels" / "train" / name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f"{number} {(x + w / 2) / width:.15g} {(y + h / 2) / height:.15g} "
            f"{w / width:.15g} {h / height:.15g}\r\n"
            for number, _, (x, y, w, h) in list_objects(name)
        ]
        path.write_bytes("".join(lines).encode())
    text = "path: ../datasets/mine  # elsewhere\r\ntrain: images/train\r\nnames:\r\n"
    text += "".join(
        f"  {number}: {name}\r\n" for number, name in enumerate(CLASS_NAMES)
    )
    (folder / "data.yaml").write_bytes(text.encode())


def write_roboflow(folder: Path) -> None:
    write_images(folder / "train")
    names = list(SIZES)
    content = {
        "images": [
            {"id": row, "license": 1, "file_name": name, "height": SIZES[name][0]}
            | {"width": SIZES[name][1], "extra": {"name": name}}
            for row, name in enumerate(names)
        ],
        "annotations": [
            {"id": row, "image_id": names.index(name), "bbox": list(box), "iscrowd": 0}
            | {"category_id": 1 + CLASS_NAMES.index(class_name), "segmentation": []}
            for row, (name, class_name, box) in enumerate(OBJECTS)
        ],
        "categories": [
            {"id": 0, "name": "cow", "supercategory": "none"},
            *(
                {"id": 1 + number, "name": name, "supercategory": "cow"}
                for number, name in enumerate(CLASS_NAMES)
            ),
        ],
    }
    (folder / "train" / "_annotations.coco.json").write_text(json.dumps(content))


def write_voc_xml(folder: Path) -> None:
    """As labelImg does: side by side, with the paths of another machine."""
    write_images(folder)
    for name, (height, width) in SIZES.items():
        objects = "".join(
            f"<object><name>{class_name}</name><pose>Unspecified</pose><truncated>0"
            f"</truncated><difficult>0</difficult><bndbox><xmin>{x + 1}</xmin>"
            f"<ymin>{y + 1}</ymin><xmax>{x + w:.12g}</xmax><ymax>{y + h:.12g}</ymax>"
            "</bndbox></object>"
            for _, class_name, (x, y, w, h) in list_objects(name)
        )
        file_name = name.split("/")[-1]
        (folder / name).with_suffix(".xml").write_text(
            f"<annotation><folder>mine</folder><filename>{file_name}</filename>"
            f"<path>C:\\mine\\{file_name}</path><source><database>Unknown</database>"
            f"</source><size><width>{width}</width><height>{height}</height>"
            f"<depth>3</depth></size><segmented>0</segmented>{objects}</annotation>"
        )


def write_cvat(folder: Path) -> None:
    """As CVAT does, with corners to a hundredth and the images in a subset's folder."""
    write_images(folder / "images" / "train")
    lines = ["<?xml version='1.0' encoding='utf-8'?>", "<annotations><meta><task>"]
    lines += ["<labels>"]
    for name in CLASS_NAMES:
        lines.append(f"<label><name>{name}</name><type>any</type></label>")
    lines.append("</labels></task></meta>")
    for number, (name, (height, width)) in enumerate(SIZES.items()):
        size = f'width="{width}" height="{height}"'
        lines.append(f'<image id="{number}" name="{name}" subset="train" {size}>')
        for _, class_name, (x, y, w, h) in list_objects(name):
            lines.append(
                f'<box label="{class_name}" source="manual" occluded="0" xtl="{x:.2f}" '
                f'ytl="{y:.2f}" xbr="{x + w:.2f}" ybr="{y + h:.2f}" z_order="0"></box>'
            )
        lines.append("</image>")
    (folder / "annotations.xml").write_text("\n".join([*lines, "</annotations>"]))


def write_label_studio(folder: Path) -> None:
    """As Label Studio does, of uploads that lie under their own names."""
    write_images(folder / "images")
    tasks = []
    for number, (name, (height, width)) in enumerate(SIZES.items()):
        results = [
            {
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {
                    "x": 100 * x / width,
                    "y": 100 * y / height,
                    "width": 100 * w / width,
                    "height": 100 * h / height,
                    "rotation": 0,
                    "rectanglelabels": [class_name],
                },
                "id": f"{number}-{place}",
                "from_name": "label",
                "to_name": "image",
                "type": "rectanglelabels",
                "origin": "manual",
            }
            for place, (_, class_name, (x, y, w, h)) in enumerate(list_objects(name))
        ]
        uploaded = name.split("/")[-1].replace(" ", "%20")
        task = {"data": {"image": f"/data/upload/3/0123abc{number}-{uploaded}"}}
        annotation = {"id": number, "result": results, "was_cancelled": False}
        tasks.append({"id": 40 + number, "annotations": [annotation]} | task)
    (folder / "tasks.json").write_text(json.dumps(tasks))


def write_labelme(folder: Path) -> None:
    """As LabelMe does on Windows, in a folder beside the images."""
    write_images(folder / "images")
    for name, (height, width) in SIZES.items():
        shapes = [
            {
                "label": class_name,
                # From one corner to another, whichever was drawn first.
                "points": [[x + w, y], [x, y + h]],
                "group_id": None,
                "shape_type": "rectangle",
                "flags": {},
            }
            for _, class_name, (x, y, w, h) in list_objects(name)
        ]
        path = (folder / "json" / name.split("/")[-1]).with_suffix(".json")
        path.parent.mkdir(exist_ok=True)
        content = {
            "version": "5.2.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": "..\\images\\" + name.replace("/", "\\"),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        path.write_text(json.dumps(content, indent=2))


def write_box_csv(folder: Path) -> None:
    """As a script makes it of VOC's XML files on Windows, with paths of its machine."""
    write_images(folder / "images")
    lines = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for name, (height, width) in SIZES.items():
        path = "C:\\photos\\images\\" + name.replace("/", "\\")
        for _, class_name, (x, y, w, h) in list_objects(name):
            corners = f"{x},{y},{x + w},{y + h}"
            lines.append(f"{path},{width},{height},{class_name},{corners}")
    (folder / "boxes.csv").write_bytes("\r\n".join(lines).encode())


def write_via(folder: Path) -> None:
    """As a project of version 2 is saved, with a choice of classes in this order."""
    write_images(folder / "images")
    records = {}
    for number, name in enumerate(SIZES):
        regions = [
            {
                "shape_attributes": {"name": "rect", "x": x, "y": y}
                | {"width": width, "height": height},
                "region_attributes": {"kind": class_name},
            }
            for _, class_name, (x, y, width, height) in list_objects(name)
        ]
        record = {"filename": name, "size": 900 + number, "regions": regions}
        records[f"{name}{900 + number}"] = record | {"file_attributes": {}}
    kind = {"type": "dropdown", "options": dict.fromkeys(CLASS_NAMES, "")}
    content = {
        "_via_settings": {"project": {"name": "animals"}},
        "_via_img_metadata": records,
        "_via_attributes": {"region": {"kind": kind}, "file": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": list(records),
    }
    (folder / "project.json").write_text(json.dumps(content))
