"""Malformed files of VGG Image Annotator."""

import copy
import functools
import json
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_via, validate
from malformed.case import NAMES, OTHERS, Case, list_cuts, write_images

FILE = "via.json"
RECT = {"name": "rect", "x": 2, "y": 3, "width": 7.5, "height": 9}
SOUND = {
    f"{name}321": {
        "filename": name,
        "size": 321,
        "regions": [
            {"shape_attributes": RECT, "region_attributes": {"kind": "cat"}},
            {
                "shape_attributes": {
                    "name": "polygon",
                    "all_points_x": [1, 5, 3],
                    "all_points_y": [1, 2, 8],
                },
                "region_attributes": {"kind": "dog"},
            },
        ],
        "file_attributes": {},
    }
    for name in NAMES
}
SOUND_BYTES = json.dumps(SOUND).encode()


def read(folder, findings, **options):
    image_set = read_via(folder / FILE, folder / "images", findings=findings, **options)
    return validate(image_set, findings=findings)


def raw(name: str, content: bytes, says: str, kept=None, file=FILE, **options) -> Case:
    """Makes a row from the bytes of the file."""

    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / FILE).write_bytes(content)

    reading = functools.partial(read, **options)
    words = repr(options)
    return Case(f"via: {name}", write, reading, file, says, kept, options=words)


def case(name: str, change: Callable[[dict], object], says: str, **fields) -> Case:
    """Makes a row from what changes the second image in place."""
    content = copy.deepcopy(SOUND)
    change(content["b.png321"])
    fields = {"kept": OTHERS} | fields
    return raw(name, json.dumps(content).encode(), says, **fields)


def region(name: str, says: str, **fields) -> Case:
    """Makes a row from a changed first region."""
    return case(name, lambda record: record["regions"][0].update(fields), says)


def shape(what: str, says: str, **fields) -> Case:
    """Makes a row from a changed first shape."""
    return region(what, says, shape_attributes=RECT | fields)


def outline(name: str, says: str, **fields) -> Case:
    """Makes a row from a changed polygon."""

    def change(record: dict) -> None:
        record["regions"][1]["shape_attributes"].update(fields)

    return case(name, change, says)


def put(**fields) -> Callable:
    return lambda record: record.update(fields)


def add_attribute(record: dict) -> None:
    record["regions"][0]["region_attributes"]["quality"] = "good"


def drop_attributes(content: dict) -> bytes:
    content = copy.deepcopy(content)
    for record in content.values():
        for item in record["regions"]:
            item["region_attributes"] = {}
    return json.dumps(content).encode()


CASES = [
    Case(
        "via: missing file",
        lambda folder: write_images(folder / "images"),
        read,
        FILE,
        "cannot be read",
        kept=None,
    ),
    raw("a list", b"[]", "neither a project of VGG Image Annotator 2 nor"),
    raw("no image", b"{}", "lists no image"),
    raw("a project without image", b'{"_via_img_metadata": {}}', "lists no image"),
    raw("version 3", b'{"project": {}, "file": {}}', "neither a project of VGG"),
    raw("key twice", b'{"a": {}, "a": {}}', "has the key 'a' twice"),
    *(
        raw(f"cut to {cut} bytes", SOUND_BYTES[:cut], "not valid JSON")
        for cut in list_cuts(SOUND_BYTES, 3)
    ),
    raw("no such image folder", SOUND_BYTES, "neither", class_attribute="x")._replace(
        read=lambda folder, findings: read_via(
            folder / FILE, folder / "none", findings=findings
        ),
        file="none",
        says="there is no such folder",
    ),
    raw(
        "an attribute that is not there",
        SOUND_BYTES,
        "no region has an attribute 'kinds'; did you mean 'kind'",
        class_attribute="kinds",
    ),
    raw(
        "an attribute of files that is not there",
        SOUND_BYTES,
        "no file has an attribute 'tags'; leave it out",
        label_attribute="tags",
    ),
    raw(
        "no attribute",
        drop_attributes(SOUND),
        "no region has an attribute that names its class; if all are of one class",
    ),
    raw("unknown class", SOUND_BYTES, "no class is called 'cow'", class_names=("cow",)),
    case(
        "two attributes",
        add_attribute,
        r"regions have several attributes \(kind, quality\); say which one names the",
        kept=None,
    ),
    case(
        "no regions",
        lambda record: record.pop("regions"),
        "neither a project of VGG",
        kept=None,
    ),
    case("regions in words", put(regions="x"), "image 'b.png', regions: 'x' is no li"),
    case("no name", put(filename=""), "name: '' is no file name"),
    case("name of a number", put(filename=7), "", file="7"),
    case("name above", put(filename="../d.png"), "'../d.png', name: .*leads out"),
    case("no such image", put(filename="d.png"), "missing", file="d.png"),
    case("a region of text", put(regions=["x"]), "b.png', region 1: not a region"),
    region("no shape", "region 1: not a region", shape_attributes=None),
    region("no class", "region 1, kind: names no class", region_attributes={}),
    region(
        "two classes",
        r"region 1, kind: \['cat', 'dog'\] are several classes; choose one",
        region_attributes={"kind": {"cat": True, "dog": True, "cow": False}},
    ),
    region(
        "control in a class",
        "region 1, kind: 'c.x07at' is not plain text",
        region_attributes={"kind": "c\x07at"},
    ),
    shape("unknown shape", "shape_attributes.name: 'star' is no shape", name="star"),
    shape("no number", "region 1, x: 'x' is no number of pixels; correct it", x="x"),
    shape("a number too large", "region 1, x: .* is no number of pixels", x=10**12),
    shape("no width", "region 1, width: None is no number", width=None),
    shape("a width below 0", "region 1, shape_attributes: a width or he", width=-1),
    shape("outside", "image 'b.png'|lies outside the image", x=29)._replace(
        file="b.png"
    ),
    outline("no numbers", "all_points_x: None is no list of", all_points_x=None),
    outline("numbers in words", "all_points_y: .* is no list of", all_points_y=["x"]),
    outline(
        "points without y",
        "region 2, all_points_y: 2 numbers, but 3 of x; correct them",
        all_points_y=[1, 2],
    ),
    case(
        "control in a label",
        put(file_attributes={"tags": "c\x07at"}),
        "image 'b.png', tags: 'c.x07at' is not plain text; rename the label",
        label_attribute="tags",
    ),
]
