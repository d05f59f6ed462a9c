"""Malformed split files and lists of strong images; all are refused."""

import json
from pathlib import Path

from ehsod_tf.data import apply_split, read_coco, read_split
from ehsod_tf.data.splits.lists import split_from_ids
from malformed.case import Case, list_cuts, write_images
from malformed.coco_cases import SOUND

SPLIT = {"seed": 0, "percent": 50.0, "strong_image_ids": [11, 12]}
SPLIT_BYTES = json.dumps(SPLIT).encode()
MISSING = object()


def _read_images(folder):
    return read_coco(folder / "instances.json", folder / "images")


def read(folder, findings):
    return apply_split(_read_images(folder), read_split(folder / "split.json"))


def read_list(folder, findings):
    image_set = _read_images(folder)
    return apply_split(image_set, split_from_ids(image_set, folder / "strong.txt"))


def _case(name, file, content, says, read) -> Case:
    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / "instances.json").write_text(json.dumps(SOUND))
        if content is not None:
            (folder / file).write_bytes(content)

    return Case(f"split: {name}", write, read, file, says, kept=None, options=file)


def case(name: str, content: bytes | None, says: str) -> Case:
    return _case(name, "split.json", content, says, read)


def listed(name: str, content: bytes | None, says: str) -> Case:
    return _case(f"list {name}", "strong.txt", content, says, read_list)


def put(field: str, value: object) -> bytes:
    changed = {**SPLIT, field: value}
    return json.dumps({k: v for k, v in changed.items() if v is not MISSING}).encode()


FILES = [
    case("missing file", None, "cannot be read"),
    case("empty", b"", "cannot be read"),
    case("text", b"11\n12\n", "cannot be read|missing or malformed"),
    case("list", b"[11, 12]", "seed: missing or malformed"),
    case("null", b"null", "seed: missing or malformed"),
    case("not UTF-8", b'{"seed": "\xff"}', "cannot be read"),
    case("deep brackets", b"[" * 100_000, "cannot be read"),
    *(
        case(f"cut to {cut} bytes", SPLIT_BYTES[:cut], "cannot be read")
        for cut in list_cuts(SPLIT_BYTES, 5)
    ),
]

FIELDS = [
    *(
        case(f"{field} {name}", put(field, value), f"{field}.*: .*")
        for field, values in {
            "seed": ("missing", "text", "list", "float", "bool"),
            "percent": ("missing", "null", "text", "list", "bool", "nan", "negative"),
            "strong_image_ids": ("missing", "null", "text", "number", "object"),
        }.items()
        for name, value in (
            ("missing", MISSING),
            ("null", None),
            ("text", "a"),
            ("number", 3),
            ("float", 0.5),
            ("bool", True),
            ("list", [1]),
            ("object", {"a": 1}),
            ("nan", float("nan")),
            ("negative", -3.0),
        )
        if name in values
    ),
    *(
        case(
            f"strong_image_ids with {name}",
            put("strong_image_ids", [11, value]),
            r"strong_image_ids\[1\]: .* is not an image id",
        )
        for name, value in (
            ("a name", "b.png"),
            ("a float", 12.0),
            ("null", None),
            ("a bool", True),
            ("a list", [12]),
        )
    ),
    case(
        "beyond 64 bits",
        put("strong_image_ids", [11, 2**70]),
        r"strong_image_ids\[1\]: .* is not an image id",
    ),
    case("repeated id", put("strong_image_ids", [11, 11]), "listed twice"),
]

LISTS = [
    listed("missing", None, "cannot be read"),
    listed("empty", b"", "names no image"),
    listed("of comments", b"# none\n", "names no image"),
    listed("not UTF-8", b"a.png\n\xff.png\n", "line 2: not UTF-8"),
    listed("UTF-16", "a.png\n".encode("utf-16"), "line 1: not UTF-8 but UTF-16"),
    listed("in capitals", b"A.png\n", "'A.png'; did you mean 'a.png'. It differs in"),
    listed("with an unknown name", b"a.png\nd.png\n", "line 2: no image has .*'d.png'"),
    listed("with an unknown id", b"11\n\n99\n", "line 3: no image has .*'99'"),
    listed("with one image twice", b"a.png\n12\n11\n", "line 3: .* named by line 1"),
    listed("JSON broken", b'["a.png", ', "JSON list"),
    listed("JSON with null", b"[11, null]", "entry 2: None is neither"),
    listed("JSON with a list", b"[11, [12]]", r"entry 2: \[12\] is neither"),
    listed("JSON with a bool", b"[11, true]", "entry 2: True is neither"),
    listed("JSON empty", b"[]", "names no image"),
    listed("deep brackets", b"[" * 100_000, "JSON list"),
    listed("a broken split", b'{"seed": 0}', "percent: missing or malformed"),
    listed("a split of other data", put("strong_image_ids", [99]), "entry 1: no image"),
]

CASES = [*FILES, *FIELDS, *LISTS]
