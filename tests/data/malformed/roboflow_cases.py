"""Malformed exports of Roboflow's; what COCO files may hold is in `coco_cases`."""

import copy
import functools
import json
from pathlib import Path

from ehsod_tf.data import read_roboflow, validate
from malformed import coco_cases
from malformed.case import OTHERS, Case, write_images

FILE = "_annotations.coco.json"
SOUND = copy.deepcopy(coco_cases.SOUND)
for category in SOUND["categories"]:
    category["supercategory"] = "pets"
SOUND["categories"].insert(0, {"id": 0, "name": "pets", "supercategory": "none"})


def read(folder, findings, **options):
    image_set = read_roboflow(folder, findings=findings, **options)
    return validate(image_set, findings=findings)


def write(folder: Path, content: dict = SOUND, subset: str = "train") -> None:
    write_images(folder / subset)
    (folder / subset / FILE).write_text(json.dumps(content))


def case(name, change, says, kept=None, file=FILE, **options) -> Case:
    """Makes a row from what changes the sound content in place."""

    def write_changed(folder: Path) -> None:
        content = copy.deepcopy(SOUND)
        change(content)
        write(folder, content)

    return Case(
        f"roboflow: {name}",
        write_changed,
        functools.partial(read, **options),
        file,
        says,
        kept,
        options=repr(options),
    )


def keep(content: dict) -> None:
    """Changes nothing."""


def lay_flat(folder: Path) -> None:
    write(folder, subset=".")


def put(kind: str, row: int, **fields):
    return lambda content: content[kind][row].update(fields)


CASES = [
    Case("roboflow: empty folder", lambda f: None, read, "", "has no subset", None),
    Case(
        "roboflow: one subset", lay_flat, read, "", "is one subset of an export", None
    ),
    case(
        "no such subset",
        keep,
        "no subset 'tset'.*known are: train",
        file="",
        subset="tset",
    ),
    case("no valid", keep, "no subset 'valid'", file="", subset="valid"),
    case(
        "root asked for",
        keep,
        "annotated with any class of: pets",
        file="train",
        class_names=("pets",),
    ),
    case("root of a wrong id", put("categories", 0, id=[0]), r"categories\[0\], id: "),
    case(
        "class of the root's name in use",
        lambda c: (
            put("categories", 1, name="pets")(c),
            put("annotations", 0, category_id=0)(c),
        ),
        r"categories\[1\], name: 'pets' is not a text that occurs once",
    ),
    case("category a text", lambda c: c["categories"].append("b"), r"categories\[3\]"),
    case(
        "box of the root's group",
        put("annotations", 1, category_id=7),
        "annotation 2, category_id: no category has id 7",
        OTHERS,
    ),
    case(
        "image above the folder",
        put("images", 1, file_name="../b.png"),
        "image 12, file_name: .*leads out",
        OTHERS,
    ),
]
