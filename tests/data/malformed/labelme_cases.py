"""Malformed files of LabelMe."""

import base64
import copy
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_labelme, validate
from malformed.case import HEIGHT, NAMES, OTHERS, WIDTH, Case, write_images

SOUND = {
    "version": "5.5.0",
    "flags": {},
    "shapes": [
        {
            "label": "cat",
            "points": [[2, 3], [9.5, 12]],
            "group_id": None,
            "shape_type": "rectangle",
            "flags": {},
        }
    ],
    "imagePath": "b.png",
    "imageData": None,
    "imageHeight": HEIGHT,
    "imageWidth": WIDTH,
}
SOUND_BYTES = json.dumps(SOUND).encode()


def read(folder, findings, **options):
    image_set = read_labelme(folder, findings=findings, **options)
    return validate(image_set, findings=findings)


def write(folder: Path, content: bytes = SOUND_BYTES) -> None:
    """Writes three images and their files; this is the second's."""
    write_images(folder)
    for name in NAMES:
        own = json.dumps(SOUND | {"imagePath": name}).encode()
        path = (folder / name).with_suffix(".json")
        path.write_bytes(content if name == "b.png" else own)


def raw(name: str, content: bytes, says: str, **fields) -> Case:
    """Makes a row from the bytes of the second file."""
    fields = {"file": "b.json", "kept": OTHERS} | fields
    return Case(
        f"labelme: {name}",
        lambda folder: write(folder, content),
        fields.pop("read", read),
        says=says,
        **fields,
    )


def case(name: str, change: Callable[[dict], object], says: str, **fields) -> Case:
    """Makes a row from what changes the second file in place."""
    content = copy.deepcopy(SOUND)
    change(content)
    return raw(name, json.dumps(content).encode(), says, **fields)


def put(**fields) -> Callable:
    return lambda content: content.update(fields)


def shape(name: str, says: str, **fields) -> Case:
    """Makes a row from a changed shape."""

    def change(content: dict) -> None:
        content["shapes"][0].update(fields)

    return case(f"shape {name}", change, f"b.json, shape 1{says}")


def embedded(name: str, data: object, says: str, **options) -> Case:
    """Makes a row from an image that is in the file alone."""

    def write_embedded(folder: Path) -> None:
        write(folder, json.dumps(SOUND | {"imageData": data}).encode())
        (folder / "b.png").unlink()

    def read_embedded(folder, findings):
        unpack_dir = folder / "unpacked" if options else None
        return read(folder, findings, unpack_dir=unpack_dir)

    return Case(
        f"labelme: embedded {name}",
        write_embedded,
        read_embedded,
        "b.json",
        says,
        OTHERS,
        options=repr(options),
    )


def write_no_image(folder: Path) -> None:
    write(folder)
    (folder / "b.png").unlink()


def write_two_of_one(folder: Path) -> None:
    write(folder)
    (folder / "d.json").write_bytes(SOUND_BYTES)


TEXT = base64.b64encode(b"no image").decode()


def read_none(folder, findings):
    return read(folder / "none", findings)


CASES = [
    Case(
        "labelme: no folder",
        write,
        read_none,
        "none",
        "no such folder",
        None,
        options="none",
    ),
    Case("labelme: no file", write_images, read, "", "holds no JSON file of La", None),
    raw("empty", b"", "b.json, line 1, column 1: not valid JSON"),
    raw("cut short", SOUND_BYTES[:90], r"b.json, line 1, column \d+: not valid JSON"),
    raw("not UTF-8", SOUND_BYTES.replace(b"cat", b"c\xe9t"), "b.json, line 1: not UTF"),
    raw("key twice", SOUND_BYTES[:-1] + b', "shapes": []}', "the key 'shapes' twice"),
    raw("deep brackets", b"[" * 100_000, "not a file of annotations"),
    raw(
        "unknown class asked for",
        SOUND_BYTES,
        "no class is called",
        file="",
        kept=None,
        read=functools.partial(read, class_names=("cow",)),
        options="cow",
    ),
    case("no shapes", lambda content: content.pop("shapes"), "shapes: None is not"),
    case("shapes a text", put(shapes="cat"), "b.json, shapes: 'cat' is not a list"),
    case("a shape a number", put(shapes=[1]), "b.json, shape 1: not a shape"),
    case("no path", put(imagePath=None), "b.json, imagePath: None is no path"),
    case("path empty", put(imagePath="/"), "b.json, imagePath: '/' is no path"),
    case("path of control characters", put(imagePath="b\x07"), "imagePath: .*no path"),
    case("height a text", put(imageHeight="h"), "imageHeight: .* are not whole"),
    case("width negative", put(imageWidth=-3), "imageHeight: .* are not whole"),
    case("of another size", put(imageWidth=31), "the file is 30 wide", file="b.png"),
    case("flags a list", put(flags=["cat"]), r"b.json, flags: \['cat'\] is not an obj"),
    case("flag of no name", put(flags={" ": True}), "b.json, flags: ' ' is no name"),
    case(
        "flag without a shape",
        put(flags={"dog": True}),
        "image b.png, image_labels: 'dog' is labelled as present but has no box",
        file="",
    ),
    case(
        "lookalikes",
        lambda content: content["shapes"][0].update(label="Cat"),
        "differ in upper and lower case",
        file="",
        kept=None,
    ),
    shape("of no label", ", label: None is no label", label=None),
    shape("of a blank label", ", label: ' ' is no label", label=" "),
    shape("of an unknown type", ", shape_type: 'star' is no shape", shape_type="star"),
    shape("of a type a list", r", shape_type: \[1\] is no shape", shape_type=[1]),
    shape("of no point", r", points: \[\] is no list of points", points=[]),
    shape("of a point", ", points: a rectangle has 2 or 4 .*, not 1", points=[[1, 2]]),
    shape("of three points", ", points: .* not 3", points=[[1, 2], [3, 4], [5, 6]]),
    shape("of numbers", ", points: .* is no list of points", points=[1, 2, 3, 4]),
    shape(
        "of texts", ", points: .* is no list of points", points=[["1", "2"], ["3", "4"]]
    ),
    shape(
        "of NaN", ", points: .* is no list of points", points=[[1, 2], [3, math.nan]]
    ),
    shape("far away", ", points: .* is no list of points", points=[[1, 2], [3, 1e300]]),
    shape("of a group a list", r", group_id: \[1\] is neither", group_id=[1]),
    shape("of flags a text", ", flags: 'hard' is not an object", flags="hard"),
    case(
        "shape outside the image",
        lambda content: content["shapes"][0].update(points=[[1, 2], [40, 5]]),
        "the cat box .* lies outside the image",
        file="b.png",
    ),
    case(
        "outline outside the image",
        lambda content: content["shapes"][0].update(
            shape_type="polygon", points=[[-9, 2], [-5, 5], [-7, 8]]
        ),
        "the cat box y 2..8, x -9..-5 .* lies outside the image",
        file="b.png",
    ),
    embedded("without a folder", TEXT, "imageData: the image has no file but is"),
    embedded("text", TEXT, "imageData: is not an image in base 64", unpacked=True),
    embedded("no base 64", "b.png", "imageData: is not an image", unpacked=True),
    embedded("number", 1, "imageData: is not an image in base 64", unpacked=True),
    Case(
        "labelme: no image",
        write_no_image,
        read,
        "b.png",
        "the file is missing",
        OTHERS,
    ),
    Case(
        "labelme: two files of one image",
        write_two_of_one,
        read,
        "",
        "is 'b.png' too",
        OTHERS,
    ),
]
