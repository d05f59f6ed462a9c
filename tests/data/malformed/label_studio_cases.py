"""Malformed exports of Label Studio."""

import copy
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_label_studio, validate
from malformed import coco_cases
from malformed.case import HEIGHT, NAMES, OTHERS, WIDTH, Case, write_images

FILE = "tasks.json"


def make_region(x=10, y=15, width=40, height=45, label="cat", **fields) -> dict:
    """A rectangle in percent of the image."""
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
    return {
        "id": "r1",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value | {"rectanglelabels": [label]},
    } | fields


def make_task(number: int, results: list, **fields) -> dict:
    annotation = {"id": number, "completed_by": 1, "result": results}
    return {
        "id": number,
        "data": {"image": f"/data/upload/1/0123abcd-{NAMES[number]}"},
        "annotations": [annotation | {"was_cancelled": False, "ground_truth": False}],
        "predictions": [],
    } | fields


SOUND = [make_task(number, [make_region()]) for number in range(3)]
CHOICE = {"id": "c1", "type": "choices", "value": {"choices": ["dog"]}}


def read(folder, findings, **options):
    image_set = read_label_studio(
        folder / FILE, folder / "images", findings=findings, **options
    )
    return validate(image_set, findings=findings)


def raw(name: str, content: bytes | str, says: str) -> Case:
    """Makes a row from the bytes of a whole file, which is refused."""

    def write(folder: Path) -> None:
        write_images(folder / "images")
        text = content if isinstance(content, bytes) else content.encode()
        (folder / FILE).write_bytes(text)

    return Case(f"label_studio: {name}", write, read, FILE, says, None)


def case(name: str, change: Callable, says: str, file=FILE, **options) -> Case:
    """Makes a row from what changes the second task in place."""
    kept = options.pop("kept", OTHERS)

    def write(folder: Path) -> None:
        content = copy.deepcopy(SOUND)
        change(content[1])
        write_images(folder / "images")
        (folder / FILE).write_text(json.dumps(content))

    read_with_options = functools.partial(read, **options)
    return Case(
        f"label_studio: {name}",
        write,
        read_with_options,
        file,
        says,
        kept,
        options=repr(options),
    )


def put(**fields) -> Callable:
    return lambda task: task.update(fields)


def result(name: str, says: str, remove=(), **fields) -> Case:
    """Makes a row from a changed region of the second task."""

    def change(task: dict) -> None:
        region = make_region(**fields)
        for field in remove:
            (region if field in region else region["value"]).pop(field)
        task["annotations"][0]["result"] = [region]

    return case(f"result {name}", change, rf"task 1, result 1{says}")


def value(name: str, says: str, new: dict) -> Case:
    return result(name, says, value=new)


CASES = [
    Case("label_studio: no file", write_images, read, "", "no such folder", None),
    raw("empty", b"", "line 1, column 1: not valid JSON"),
    raw("cut short", json.dumps(SOUND)[:200], r"line 1, column \d+: not valid JSON"),
    raw("not UTF-8", b'[{"data": "\xff"}]', "line 1: not UTF-8"),
    raw("COCO", coco_cases.SOUND_BYTES, "not a list of tasks; export the project as"),
    raw("JSON-MIN", '[{"image": "a.png", "label": []}]', "not as 'JSON-MIN'"),
    raw("key twice", '[{"data": {}, "data": {}}]', "the key 'data' twice"),
    raw("endless number", b"[" + b"9" * 5000 + b"]", "not a file of annotations"),
    raw("deep brackets", b"[" * 100_000, "not a file of annotations"),
    raw("no task", "[]", "class list is empty"),
    case(
        "unknown class asked for",
        put(),
        "no class is called",
        class_names=("cow",),
        kept=None,
    ),
    case("no data", put(data=None), "task 1, data: is missing"),
    case(
        "data without an image", put(data={"text": "b"}), "task 1, data: holds 0 images"
    ),
    case(
        "two images",
        put(data={"one": "b.png", "two": "a.png"}),
        "task 1, data: holds 2",
    ),
    case(
        "image of control characters",
        put(data={"image": "b\x07.png"}),
        "task 1, data: .*not text",
    ),
    case(
        "image nowhere",
        put(data={"image": "s3://mine/d.png"}),
        "the file is missing",
        file="d.png",
    ),
    case(
        "image of another task",
        put(data={"image": "c.png"}),
        "is 'c.png' too",
        kept=("a.png",),
    ),
    case(
        "annotations a number", put(annotations=1), "task 1, annotations: is not a list"
    ),
    case(
        "annotation a text",
        put(annotations=["b"]),
        "task 1, annotations: is not a list",
    ),
    case("no results", put(annotations=[{}]), "task 1, result: None is not a list"),
    case(
        "result a number", put(annotations=[{"result": [1]}]), "task 1, result 1, value"
    ),
    case(
        "choice without a region",
        lambda task: task["annotations"][0]["result"].append(CHOICE),
        "image_labels: 'dog' is labelled as present but has no box",
    ),
    value("value a list", ", value: not a result with a value", []),
    value("choices a text", ", choices: 'dog' is not a list", {"choices": "dog"}),
    value("choice a number", ", choices: 1 is no label", {"choices": [1]}),
    result(
        "without a label",
        ", value: a region without a label",
        remove=["rectanglelabels"],
    ),
    result("of an empty label", ", rectanglelabels: ' ' is no label", label=" "),
    result("of a label a list", r", rectanglelabels: \['a'\] is no label", label=["a"]),
    result("x a text", ", x: '10' is not a finite number", x="10"),
    result("y null", ", y: None is not a finite number", y=None),
    result("width NaN", ", width: nan is not a finite", width=math.nan),
    result("height infinite", ", height: inf is not a finite number", height=math.inf),
    result("height beyond floats", ", height: 1000.* is not a finite", height=10**400),
    result("negative", ", width: is negative", width=-3),
    result(
        "without a size", ", original_width: is missing, but", remove=["original_width"]
    ),
    result("of a size a text", ", original_width: is not a whole", original_width="w"),
    result(
        "of a turned image", ", image_rotation: the image was turned", image_rotation=90
    ),
    value(
        "outline a text",
        ", points: is not a list of points",
        {"points": "a", "polygonlabels": ["cat"]},
    ),
    value(
        "outline empty",
        ", points: is not a list of points",
        {"points": [], "polygonlabels": ["cat"]},
    ),
    case(
        "result outside the image",
        lambda task: task["annotations"][0].update(result=[make_region(x=90)]),
        "the cat box .* lies outside the image",
        file="b.png",
    ),
    case(
        "result of another size",
        lambda task: task["annotations"][0].update(
            result=[make_region(original_width=60)]
        ),
        "size: the file is 30 wide",
        file="b.png",
    ),
]
