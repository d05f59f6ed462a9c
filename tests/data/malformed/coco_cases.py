"""Malformed COCO instances files: as a whole, in categories and in image labels."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_coco, validate
from malformed.case import HEIGHT, OTHERS, WIDTH, Case, list_cuts, write_images

FILE = "instances.json"
SOUND = {
    "images": [
        {"id": 11, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
        {"id": 12, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
        {"id": 13, "file_name": "c.png", "width": WIDTH, "height": HEIGHT},
    ],
    "annotations": [
        {"id": 1, "image_id": 11, "category_id": 1, "bbox": [2, 3, 5, 6]},
        {"id": 2, "image_id": 12, "category_id": 5, "bbox": [4, 3, 9, 6]},
        {"id": 3, "image_id": 13, "category_id": 5, "bbox": [2, 3, 5, 6]},
        {"id": 4, "image_id": 12, "category_id": 1, "bbox": [1, 1, 3, 3]},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 5, "name": "dog"}],
}
# The values that no field of a record can have.
WRONG_KINDS = {
    "null": None,
    "text": "no",
    "bool": True,
    "list": [1],
    "object": {"a": 1},
}
MISSING = object()


def read(folder, findings, **options):
    image_set = read_coco(
        folder / FILE, folder / "images", findings=findings, **options
    )
    return validate(image_set, findings=findings)


def case(
    name: str,
    change: Callable[[dict], object],
    says: str,
    kept=OTHERS,
    num_problems=1,
    file=FILE,
    **options,
) -> Case:
    """Makes a row from what changes the sound content in place."""

    def write(folder: Path) -> None:
        content = copy.deepcopy(SOUND)
        change(content)
        write_images(folder / "images")
        (folder / FILE).write_text(json.dumps(content))

    def read_with_options(folder, findings):
        return read(folder, findings, **options)

    return Case(
        f"coco: {name}",
        write,
        read_with_options,
        file,
        says,
        kept,
        num_problems,
        repr(options),
    )


def raw(name: str, content: bytes, says: str) -> Case:
    """Makes a row from the bytes of a whole file, which is refused."""

    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / FILE).write_bytes(content)

    return Case(f"coco: {name}", write, read, FILE, says, kept=None)


def put(kind: str, field: str, value: object, row: int = 1):
    """Returns what gives a record's field another value, or takes it away."""

    def change(content: dict) -> None:
        record = content[kind][row]
        if value is MISSING:
            del record[field]
        else:
            record[field] = value

    return change


def add(kind: str, **record):
    return lambda content: content[kind].append(record)


def vary(kind, field, values: dict, says, **options) -> list[Case]:
    """Makes a row for each value."""
    return [
        case(f"{kind} {field} {name}", put(kind, field, value), says, **options)
        for name, value in values.items()
    ]


SOUND_BYTES = json.dumps(SOUND).encode()

WHOLE_FILES = [
    raw("empty file", b"", r"empty"),
    raw("blank file", b" \n\t ", r"empty"),
    raw("text", b"images: none", r"line 1, column 1: not valid JSON"),
    raw("XML", b"<annotation/>", r"line 1, column 1: not valid JSON"),
    raw("image", b"\x89PNG\r\n\x1a\n" + bytes(9), r"line 1: not UTF-8"),
    raw("Latin-1", SOUND_BYTES.replace(b"cat", b"caf\xe9"), r"line 1: not UTF-8"),
    raw(
        "UTF-16",
        SOUND_BYTES.decode().encode("utf-16"),
        r"line 1: not UTF-8 but UTF-16 text; save",
    ),
    raw(
        "UTF-16 without its mark",
        SOUND_BYTES.decode().encode("utf-16-le"),
        r"line 1: not UTF-8 but, it seems, UTF-16",
    ),
    raw("two files in one", SOUND_BYTES + SOUND_BYTES, r"line 1, .*not valid JSON"),
    raw("trailing comma", SOUND_BYTES[:-1] + b",}", r"not valid JSON"),
    raw("comment", b"// mine\n" + SOUND_BYTES, r"line 1, column 1: not valid JSON"),
    raw("list at the top", b"[1, 2]", r"images: this list is missing"),
    raw("number", b"7", r"images: this list is missing"),
    raw("null", b"null", r"images: this list is missing"),
    raw("deep brackets", b"[" * 100_000, r"not a file of annotations"),
    raw("endless number", b'{"images": [' + b"9" * 5000 + b"]}", r"annotations"),
    raw(
        "repeated key",
        SOUND_BYTES[:-1] + b', "images": []}',
        r"key 'images' twice",
    ),
    *(
        raw(f"cut to {cut} bytes", SOUND_BYTES[:cut], r"line 1, column \d+: not valid")
        for cut in list_cuts(SOUND_BYTES, 12)
    ),
    *(
        case(f"{key} {name}", change(key), rf"{key}: this list is missing", None)
        for key in SOUND
        for name, change in (
            ("missing", lambda key: lambda content: content.pop(key)),
            ("null", lambda key: lambda content: content.update({key: None})),
            ("object", lambda key: lambda content: content.update({key: {}})),
        )
    ),
]


def _without_file(folder):
    write_images(folder / "images")


def _folder_in_place(folder):
    (folder / FILE).mkdir()


def _without_images(folder):
    (folder / FILE).write_bytes(SOUND_BYTES)


FOLDERS = [
    Case("coco: missing file", _without_file, read, FILE, "cannot be read", None),
    Case("coco: folder", _folder_in_place, read, FILE, "cannot be read", None),
    Case(
        "coco: no image folder",
        _without_images,
        read,
        "images",
        "holds none of 3 images",
        None,
    ),
]

CATEGORIES = [
    *vary(
        "categories",
        "id",
        {**WRONG_KINDS, "missing": MISSING, "float": 5.0, "huge": 2**70},
        r"categories\[1\], id: .* is not",
        kept=None,
    ),
    case(
        "repeated category id",
        put("categories", "id", 1),
        r"categories\[1\], id: 1 ",
        None,
    ),
    *vary(
        "categories",
        "name",
        {k: v for k, v in WRONG_KINDS.items() if k != "text"}
        | {"missing": MISSING, "repeated": "cat"},
        r"categories\[1\], name: .* is not",
        kept=None,
    ),
    *(
        case(
            f"categories that differ in {what}",
            put("categories", "name", name),
            rf"categories: the classes .* differ in {says} only.*list all classes",
            None,
        )
        for what, name, says in (
            ("case", "Cat", "upper and lower case"),
            ("inner spaces", "c at", "spaces or invisible characters"),
            ("an invisible character", "ca\u200bt", "spaces or invisible characters"),
            ("case and space", "CA T", "upper and lower case and spaces .*"),
            ("width", "\uff43at", "the Unicode form of characters"),
        )
    ),
    case(
        "categories that differ in a blank at the end",
        put("categories", "name", "cat "),
        r"categories\[1\], name: 'cat' is not a text that occurs once",
        None,
    ),
    case("no category", lambda content: content["categories"].clear(), "class", None),
    case(
        "categories[1] a text",
        lambda content: content["categories"].__setitem__(1, "dog"),
        r"categories\[1\]",
        None,
    ),
    case(
        "unknown class asked for",
        lambda content: None,
        r"no class is called 'dgo'; did you mean 'dog'",
        None,
        class_names=("cat", "dgo"),
    ),
    case(
        "class asked for twice",
        lambda content: None,
        r"class 'cat' is listed twice",
        None,
        class_names=("cat", "cat"),
    ),
    case(
        "no class asked for",
        lambda content: None,
        r"the class list is empty",
        None,
        class_names=(),
    ),
]


def labelled(**fields):
    """Returns what makes the second image weak."""

    def change(content: dict) -> None:
        content["images"][1].update(fields)
        del content["annotations"][3], content["annotations"][1]

    return change


LABELS = [
    *(
        case(
            f"{field} {name}",
            labelled(**{field: value}),
            rf"image 12, {field}: {says}",
        )
        for field in ("image_labels", "absent_labels")
        for name, value, says in (
            ("null", None, "None is not a list"),
            ("text", "cat", "'cat' is not a list"),
            ("number", 1, "1 is not a list"),
            ("object", {"cat": 1}, ".* is not a list"),
            ("of an unknown name", ["cat", "cog"], "no category is called 'cog'; did"),
            ("of an unknown id", [3], "no category has id 3"),
            ("with null", [None], "no category has id None"),
            ("with a list", [["cat"]], r"no category has id \['cat'\]"),
            ("with a float", [1.0], "no category has id 1.0"),
            ("with a bool", [True], "no category has id True"),
        )
    ),
    case(
        "present and absent",
        labelled(image_labels=["cat"], absent_labels=[1]),
        r"image 12, absent_labels: category 1 is also in image_labels",
    ),
    *(
        case(
            f"supervision {name}",
            put("images", "supervision", value),
            r"image 12, supervision: .* is (not one of boxes, in part, labels, none|"
            "neither 'boxes' nor 'in part')",
        )
        for name, value in (("unknown", "box"), *WRONG_KINDS.items())
    ),
]

CASES = [*WHOLE_FILES, *FOLDERS, *CATEGORIES, *LABELS]
