"""COCO's instances JSON in memory: only what is read of it, and tightly packed.

A file the size of COCO's own holds hundreds of megabytes of polygons that nobody here
asks for. They are cut out of the text before it is parsed, and each object is trimmed
the moment that it is: an image keeps the fields that are read, an annotation becomes 75
bytes.
"""

import codecs
import json
import re
import struct
from reprlib import repr as shorten
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.readers.json_files import name_json_faults, require_own_keys
from ehsod_tf.data.text_files import require_utf8
from ehsod_tf.errors import DataError

IMAGE_FIELDS = (
    "id",
    "file_name",
    "height",
    "width",
    "image_labels",
    "absent_labels",
    "supervision",
    "ignored_boxes",
)

# What LVIS has besides.
LVIS_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")
_KEPT_FIELDS = (*IMAGE_FIELDS, *LVIS_LISTS)

# The packed form of an annotation, for `struct` and for NumPy.
_LAYOUT = struct.Struct("<4q5d3?")
ANNOTATION_DTYPE = np.dtype(
    [
        ("id", "<i8"),
        ("image_id", "<i8"),
        ("category_id", "<i8"),
        ("iscrowd", "<i8"),
        ("bbox", "<f8", 4),
        ("area", "<f8"),
        ("has_id", "?"),
        ("has_area", "?"),
        ("has_null", "?"),
    ]
)

_CHUNK_BYTES = 1 << 24

# Polygons and keypoints: lists of numbers, or of such lists.
_OUTLINES = re.compile(
    r"""("(?:segmentation|keypoints)"\s*:\s*)
    \[ [-+.0-9eE,\s]*+ (?: \[ [-+.0-9eE,\s]*+ \] [-+.0-9eE,\s]*+ )*+ \]""",
    re.VERBOSE,
)
_NUMBERS = {int, float}


class MalformedAnnotation(NamedTuple):
    """An annotation with a field that is missing or of the wrong kind.

    Attributes:
        annotation_id: its id, None without one.
        image_id: as given, of whatever kind.
        field: the first field at fault.
        message: what is wrong with it.
    """

    annotation_id: int | None
    image_id: object
    field: str
    message: str


def load_coco_json(path: str) -> dict[str, list]:
    """Reads a file in COCO's instances form.

    Returns:
        ``images`` and ``categories``: what the lists hold, usually dicts.
        ``annotations``: bytes in `ANNOTATION_DTYPE` or a `MalformedAnnotation` each.
            An empty list where the file has none but image-level labels.

    Raises:
        DataError: the file cannot be read, is not JSON or lacks a list.
    """
    text = _read_text(path, cut_outlines=True)
    if not text.strip():
        raise DataError(f"{path}: the file is empty; write or fetch it again")
    with name_json_faults(path):
        try:
            content = json.loads(text, object_pairs_hook=_trim)
        except json.JSONDecodeError as error:
            require_utf8(path)
            raise DataError(
                f"{path}{_locate_fault(path)}: not valid JSON ({error.msg}); write or "
                "fetch the file again"
            ) from error
    _require_lists(content, path)
    content["annotations"] = list(map(_to_packed, content["annotations"]))
    return content


def _read_text(path: str, cut_outlines: bool) -> str:
    """Reads a whole file, without a second copy of it as bytes."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    text, rest = "", ""
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                rest += decoder.decode(chunk)
                # No outline holds a brace, so none reaches beyond this place.
                end = rest.rfind("}") + 1
                whole, rest = rest[:end], rest[end:]
                # CPython extends a local string in place.
                text += _OUTLINES.sub(r"\g<1>0", whole) if cut_outlines else whole
        text += rest
        text += decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        require_utf8(path)
        raise
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the annotation file cannot be read ({error}); check the path"
        ) from error
    return text


def _locate_fault(path: str) -> str:
    """Returns where the JSON breaks in the file with all that was cut out of it."""
    try:
        json.loads(_read_text(path, cut_outlines=False))
    except json.JSONDecodeError as error:
        return f", line {error.lineno}, column {error.colno}"
    # An outline that was cut out can be at fault before that.
    except (ValueError, RecursionError):
        pass
    return ""


def _trim(pairs: list[tuple[str, object]]) -> object:
    record = require_own_keys(pairs)
    if "category_id" in record or "bbox" in record:
        return pack_annotation(record)
    if "file_name" in record:
        return {field: record[field] for field in _KEPT_FIELDS if field in record}
    return record


def pack_annotation(record: dict) -> bytes | MalformedAnnotation:
    """Packs an annotation whose fields have the right kinds; values may be wrong."""
    annotation_id = record.get("id", 0)
    image_id = record.get("image_id")
    category_id = record.get("category_id")
    crowd = record.get("iscrowd", 0)
    box = record.get("bbox")
    area = record.get("area", 0.0)
    has_null = crowd is None or area is None
    if has_null:
        crowd, area = crowd or 0, area or 0.0
    # type() and not isinstance(): in Python True is an int.
    if (
        type(annotation_id) is type(image_id) is type(category_id) is type(crowd) is int
        and type(box) is list
        and len(box) == 4
        and _NUMBERS.issuperset(map(type, box))
        and type(area) in _NUMBERS
    ):
        try:
            return _LAYOUT.pack(
                annotation_id,
                image_id,
                category_id,
                crowd,
                *box,
                area,
                "id" in record,
                record.get("area") is not None,
                has_null,
            )
        # An integer beyond 64 bits, or beyond float64.
        except (struct.error, OverflowError):
            pass
    known_id = annotation_id if "id" in record and _is_int64(annotation_id) else None
    return MalformedAnnotation(known_id, image_id, *_find_fault(record))


def _find_fault(record: dict) -> tuple[str, str]:
    for field, default in (
        ("image_id", None),
        ("category_id", None),
        ("id", 0),
        ("iscrowd", 0),
    ):
        value = record.get(field, default)
        if not _is_int64(value) and not (field == "iscrowd" and value is None):
            return field, f"{shorten(value)} is not an integer of 64 bits; correct it"
    box = record.get("bbox")
    if type(box) is not list or len(box) != 4 or not all(map(_is_float64, box)):
        return "bbox", describe_bad_box(box)
    return "area", f"{shorten(record.get('area'))} is not a finite number; correct it"


def describe_bad_box(box: object) -> str:
    """Says that a box is not what it should be."""
    return (
        f"{shorten(box)} is not four finite numbers of pixels x, y, width, height; "
        "correct or remove it"
    )


def _is_int64(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_float64(value: object) -> bool:
    if type(value) not in _NUMBERS:
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _require_lists(content: object, path: str) -> None:
    if isinstance(content, dict) and "annotations" not in content:
        images = content.get("images")
        if isinstance(images, list) and any(map(_has_labels, images)):
            content["annotations"] = []
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(
                f"{path}, {key}: this list is missing; the file must be in COCO's "
                "instances form, with images, annotations and categories"
            )


def _has_labels(image: object) -> bool:
    return isinstance(image, dict) and not image.keys().isdisjoint(IMAGE_FIELDS[4:])


def _to_packed(record: object) -> bytes | MalformedAnnotation:
    if isinstance(record, bytes | MalformedAnnotation):
        return record
    if isinstance(record, dict):
        return pack_annotation(record)
    return MalformedAnnotation(None, None, "", "not a JSON object; correct the record")
