"""What other tools write and what is read, with a note of how it was understood."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ehsod_tf.data.problems import Findings
from ehsod_tf.structures import ImageSet
from malformed import coco_cases, csv_cases, voc_cases
from malformed.case import NAMES, write_images
from malformed.coco_cases import MISSING, put


class Accepted(NamedTuple):
    """A source that is odd but certain.

    Attributes:
        name: unique in the table.
        write: writes the source into an empty folder.
        read: reads it from there and checks it.
        notes: regular expression that the notes must match; None for no note.
        names: of the images.
        num_boxes: of all images.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path, Findings | None], ImageSet]
    notes: str | None
    names: tuple[str, ...] = NAMES
    num_boxes: int = 4


def coco(name, change, notes, **options) -> Accepted:
    def write(folder: Path) -> None:
        content = copy.deepcopy(coco_cases.SOUND)
        change(content)
        write_images(folder / "images")
        (folder / coco_cases.FILE).write_text(json.dumps(content))

    def read(folder, findings):
        return coco_cases.read(folder, findings, **options)

    return Accepted(f"coco: {name}", write, read, notes)


def number_from_zero(content: dict) -> None:
    """Numbers everything from 0, as Roboflow's exports do."""
    images = {image["id"]: row for row, image in enumerate(content["images"])}
    classes = {c["id"]: row for row, c in enumerate(content["categories"])}
    for row, annotation in enumerate(content["annotations"]):
        annotation["id"] = row
        annotation["image_id"] = images[annotation["image_id"]]
        annotation["category_id"] = classes[annotation["category_id"]]
    for kind, numbers in (("images", images), ("categories", classes)):
        for record in content[kind]:
            record["id"] = numbers[record["id"]]


def add_group(content: dict) -> None:
    for category in content["categories"]:
        category["supercategory"] = "pets"
    group = {"id": 0, "name": "pets", "supercategory": "none"}
    content["categories"].insert(0, group)


def rename_category(content: dict) -> None:
    content["categories"][1]["name"] = " dog "


COCO = [
    coco("all ids from 0", number_from_zero, "annotation ids begin at 0"),
    *(
        coco(
            f"images {field} {name}",
            put("images", field, value),
            r"1 image without a size in the annotation, .*first: .*b.png",
        )
        for field in ("width", "height")
        for name, value in (
            ("missing", MISSING),
            ("null", None),
            ("zero", 0),
            ("minus one", -1),
        )
    ),
    *(
        coco(
            f"annotations {field} null",
            put("annotations", field, None),
            "1 annotation has null for iscrowd or area",
        )
        for field in ("iscrowd", "area")
    ),
    coco(
        "a category that only groups the others",
        add_group,
        r"category 'pets' is the supercategory of others, and nothing shows it; to "
        r"leave it out, set class_names = \('cat', 'dog'\)",
    ),
    coco("a category with blanks around it", rename_category, None),
    coco(
        "a supercategory that is a list",
        lambda content: content["categories"][0].update(supercategory=["pets"]),
        None,
    ),
    coco(
        "a class that the file lacks",
        lambda content: None,
        "has no class called ring",
        class_names=("cat", "dog", "ring"),
    ),
    coco(
        "two classes in two cases, both listed",
        lambda content: content["categories"].append({"id": 9, "name": "Cat"}),
        None,
        class_names=("cat", "dog", "Cat"),
    ),
    coco(
        "a lookalike of a listed class",
        lambda content: content["categories"].append({"id": 9, "name": "Cat"}),
        "'Cat' is none of the classes and is left out, though it differs .* case only",
        class_names=("cat", "dog"),
    ),
]


def voc(name, annotation, notes, lines="a\nb\nc\n", change=None) -> Accepted:
    def write(folder: Path) -> None:
        voc_cases.write_devkit(folder, annotation.encode(), lines.encode())
        if change:
            change(folder)

    return Accepted(f"voc: {name}", write, voc_cases.read, notes, ("a", "b", "c"), 3)


def rename_image(ending: str) -> Callable[[Path], None]:
    def rename(folder: Path) -> None:
        images = folder / "JPEGImages"
        if ending.lower() in (".jpg", ".jpeg"):
            (images / "b.jpg").rename(images / f"b{ending}")
        else:
            Image.open(images / "b.jpg").save(images / f"b{ending}")
            (images / "b.jpg").unlink()

    return rename


VOC = [
    *(
        voc(
            f"{tag} {name}",
            voc_cases.replace(tag, text),
            r"1 image without a size in the annotation, .*first: .*b.jpg",
        )
        for tag in ("width", "height", "size")
        for name, text in (("missing", None), ("empty", ""), ("zero", "0"))
    ),
    *(
        voc(
            f"difficult {text}",
            voc_cases.replace("difficult", text),
            "1 object with a <difficult> that is empty or says Unspecified",
        )
        for text in ("", "Unspecified", "unspecified")
    ),
    *(
        voc(f"image {ending}", voc_cases.SOUND, None, change=rename_image(ending))
        for ending in (".JPG", ".jpeg", ".JPEG", ".png", ".PNG", ".bmp", ".webp")
    ),
    voc(
        "names with extensions",
        voc_cases.SOUND,
        "3 names with an image's extension, which is passed over",
        lines="a.jpg\nb.jpg\nc.jpg\n",
    ),
]


def write_lines(folder: Path) -> None:
    write_images(folder / "images")
    lines = "file_name,labels\na.png,cat\nb.png,cat\nb.png,dog\nc.png,dog\n"
    (folder / csv_cases.FILE).write_text(lines)


CSV = [
    Accepted(
        "csv: a line for each label",
        write_lines,
        csv_cases.read,
        "1 image with several lines, whose labels are joined",
        num_boxes=0,
    )
]

CASES = [*COCO, *VOC, *CSV]
