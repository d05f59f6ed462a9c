"""Malformed COCO instances files."""

import copy
import json
import math
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
        f"coco: {name}", write, read_with_options, file, says, kept, num_problems
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
    raw("image", b"\x89PNG\r\n\x1a\n" + bytes(9), r"cannot be read"),
    raw("Latin-1", SOUND_BYTES.replace(b"cat", b"caf\xe9"), r"cannot be read.*utf-8"),
    raw("UTF-16", SOUND_BYTES.decode().encode("utf-16"), r"cannot be read"),
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
        "holds none of the 3 images",
        None,
    ),
]

IMAGES = [
    case("no images", lambda content: content["images"].clear(), "image", None),
    *vary(
        "images",
        "id",
        {**WRONG_KINDS, "missing": MISSING, "float": 12.0, "huge": 2**70},
        r"images\[1\], id: .* not an integer",
        num_problems=3,
    ),
    case(
        "repeated id",
        put("images", "id", 11),
        r"image 11, id: another image has this id too",
        ("c.png",),
        3,
    ),
    case(
        "three images of one id",
        lambda content: [image.update(id=11) for image in content["images"]],
        r"image 11, id: another image has this id too",
        None,
    ),
    *vary(
        "images",
        "file_name",
        {
            **{k: v for k, v in WRONG_KINDS.items() if k != "text"},
            "missing": MISSING,
            "empty": "",
            "number": 5,
        },
        r"image 12, file_name: missing or not a text",
    ),
    *(
        case(f"file_name {name}", put("images", "file_name", value), says)
        for name, value, says in (
            ("blank", "  ", r"image 12, file_name: .*no file name"),
            ("absolute", "/etc/passwd", r"image 12, file_name: .*absolute"),
            ("with a drive", "C:/b.png", r"image 12, file_name: .*absolute"),
            ("above the folder", "../b.png", r"image 12, file_name: .*leads out"),
            ("hidden ascent", "x/../../b.png", r"image 12, file_name: .*leads out"),
            ("backslash", "x\\b.png", r"image 12, file_name: .*backslash"),
            ("NUL", "b\0.png", r"image 12, file_name: .*character"),
            ("line break", "b\n.png", r"image 12, file_name: .*character"),
            ("not UTF-8", "b\udcff.png", r"image 12, file_name: .*character"),
        )
    ),
    *(
        case(f"file_name {name}", put("images", "file_name", value), says, file=file)
        for name, value, file, says in (
            ("of no file", "d.png", "d.png", r"image 12: the file is missing"),
            ("of a folder", ".", "images", r"image 12: this is not a file"),
            ("too long", "b" * 300, "bbb", r"image 12: the file cannot be reached"),
        )
    ),
    case(
        "repeated file_name",
        put("images", "file_name", "a.png"),
        r"image 12, file_name: image 11 is 'a.png' too",
        ("c.png",),
    ),
    case(
        "file_name repeated in another spelling",
        put("images", "file_name", "./a.png"),
        r"image 12, file_name: image 11 is '.*a.png' too",
        ("c.png",),
    ),
    *(
        made
        for field in ("width", "height")
        for made in vary(
            "images",
            field,
            {
                **WRONG_KINDS,
                "missing": MISSING,
                "zero": 0,
                "negative": -5,
                "fraction": 20.5,
                "NaN": math.nan,
                "beyond 32 bits": 2**31,
                "beyond 64 bits": 2**70,
            },
            rf"image 12, {field}: .* not a positive integer",
        )
    ),
    case(
        "size unlike the file's",
        put("images", "width", 40),
        r"image 12, size: the file is 30 wide and 20 high, .* 40 and 20",
        file="b.png",
    ),
    case(
        "size too small for the box",
        put("images", "width", 9),
        r"image 12, box: the dog box .* 9 wide .* outside",
        num_problems=2,
        file="b.png",
    ),
    *(
        case(
            f"images[1] {name}",
            lambda content, value=value: content["images"].__setitem__(1, value),
            r"images\[1\]: not an image record",
            num_problems=3,
        )
        for name, value in (("null", None), ("number", 5), ("text", "b.png"))
    ),
]

ANNOTATIONS = [
    *vary(
        "annotations",
        "image_id",
        {**WRONG_KINDS, "missing": MISSING, "float": 12.0, "huge": 2**70},
        r"annotation 2, image_id: .*not an integer",
        kept=("a.png", "b.png", "c.png"),
    ),
    case(
        "annotation of an unknown image",
        put("annotations", "image_id", 99),
        r"annotation 2, image_id: no image has id 99",
        ("a.png", "b.png", "c.png"),
    ),
    *vary(
        "annotations",
        "category_id",
        {**WRONG_KINDS, "missing": MISSING, "float": 5.0, "huge": -(2**70)},
        r"annotation 2, category_id: .*not an integer",
    ),
    *vary(
        "annotations",
        "category_id",
        {"unknown": 9, "in a gap of the ids": 3, "zero": 0, "negative": -1},
        r"annotation 2, category_id: no category has id",
    ),
    *vary(
        "annotations",
        "id",
        {**WRONG_KINDS, "float": 2.0, "huge": 2**70},
        r"id: .*not an integer",
    ),
    *vary(
        "annotations",
        "id",
        {"zero": 0},
        r"annotation 0, id: 0 is no id",
    ),
    case(
        "repeated annotation id",
        put("annotations", "id", 1),
        r"annotation 1, id: another annotation has this id too",
        ("c.png",),
        2,
    ),
    *vary(
        "annotations",
        "bbox",
        {
            **{k: v for k, v in WRONG_KINDS.items()},
            "missing": MISSING,
            "empty": [],
            "three numbers": [1, 2, 3],
            "five numbers": [1, 2, 3, 4, 5],
            "texts": ["1", "2", "3", "4"],
            "nested": [[1, 2], [3, 4]],
            "with null": [1, 2, None, 4],
            "with bool": [1, 2, True, 4],
            "NaN": [math.nan, 3, 9, 6],
            "NaN width": [4, 3, math.nan, 6],
            "Infinity": [4, 3, math.inf, 6],
            "-Infinity": [-math.inf, 3, 9, 6],
            "beyond float64": [4, 3, 10**400, 6],
            "far away": [1e300, 3, 5, 6],
            "endless": [1e308, 3, 1.7e308, 6],
        },
        r"annotation 2, bbox: .* is not four finite numbers",
    ),
    *vary(
        "annotations",
        "bbox",
        {"negative width": [9, 3, -5, 6], "negative height": [4, 9, 5, -6]},
        r"annotation 2, bbox: .* has a negative width or height",
    ),
    *vary(
        "annotations",
        "bbox",
        {
            "right of the image": [31, 3, 5, 6],
            "below the image": [4, 22, 5, 6],
            "left of the image": [-9, 3, 5, 6],
            "above the image": [4, -9, 5, 6],
            "over the edge": [4, 3, 30, 6],
            "a million pixels away": [1e6, 3, 5, 6],
        },
        r"image 12, box: the dog box .* lies outside the image",
        file="b.png",
    ),
    *vary(
        "annotations",
        "area",
        {**WRONG_KINDS, "NaN": math.nan, "Infinity": math.inf},
        r"annotation 2, area: .* is not",
    ),
    *vary("annotations", "area", {"negative": -4}, r"annotation 2, area: -4.0 is"),
    *vary(
        "annotations",
        "iscrowd",
        {**WRONG_KINDS, "2": 2, "-1": -1, "float": 0.5},
        r"annotation 2, iscrowd: ",
    ),
    *(
        case(
            f"annotations[1] {name}",
            lambda content, value=value: content["annotations"].__setitem__(1, value),
            r"annotations\[1\]: not a JSON object",
            ("a.png", "b.png", "c.png"),
        )
        for name, value in (("null", None), ("list", [1]), ("text", "b.png"))
    ),
    case(
        "no annotation at all",
        lambda content: content["annotations"].clear(),
        r"no image is annotated|annotat",
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
            r"image 12, supervision: .* is not one of boxes, labels, none",
        )
        for name, value in (("unknown", "box"), *WRONG_KINDS.items())
    ),
]

CASES = [*WHOLE_FILES, *FOLDERS, *IMAGES, *ANNOTATIONS, *CATEGORIES, *LABELS]
