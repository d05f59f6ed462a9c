"""One record of a TFRecord file, checked and taken apart."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from ehsod_tf.data.image_files import derive_image_id, find_path_fault
from ehsod_tf.data.label_states import mark_labels
from ehsod_tf.structures import ANY_CLASS, UNKNOWN
from ehsod_tf.wording import count

BOX_SIDES = ("ymin", "xmin", "ymax", "xmax")

# Largest relative error of a number stored as float32.
_ROUNDING = 2.0**-24


class RecordError(Exception):
    """A record is not what it should be; the message says what to do about it."""

    def __init__(self, field: str, message: str):
        super().__init__(message)
        self.field = field


class ImageRecord(NamedTuple):
    """What a record says of its image.

    Attributes:
        image_id: the source id, or made of the file name where that is no integer.
        name: file name, relative.
        encoded: bytes of the image file.
        size: (height, width) in pixels.
        boxes: [n, 4] float64 in pixels.
        classes: [n] class index, `ANY_CLASS` of regions; objects of classes that were
            not asked for are left out.
        areas: [n] float64.
        ignored: [n] bool.
        has_boxes: whether the image is boxed; a weak image has none.
        listed: [K] int8 label states that the record gives.
        complete: [K] bool, classes whose boxes are complete if the image is boxed.
    """

    image_id: int
    name: str
    encoded: bytes
    size: tuple[int, int]
    boxes: np.ndarray
    classes: np.ndarray
    areas: np.ndarray
    ignored: np.ndarray
    has_boxes: bool
    listed: np.ndarray
    complete: np.ndarray


def parse_record(
    content: bytes, class_of_label: Mapping[int, int], num_classes: int
) -> ImageRecord:
    """Takes a serialised ``tf.train.Example`` apart.

    Args:
        content: the record.
        class_of_label: class index of every id of the label map, -1 if not asked for.
        num_classes: K.

    Raises:
        RecordError: a key is missing, of another kind, or has a wrong value or length.
    """
    try:
        features = tf.train.Example.FromString(content).features.feature
    except DecodeError:
        raise RecordError("", "not a tf.train.Example; write the file again") from None
    name = _read_name(features)
    source_id = _read_one(features, "image/source_id", "bytes").decode(errors="replace")
    is_number = source_id.isdecimal() and len(source_id) <= 18
    size = tuple(_read_side(features, f"image/{side}") for side in ("height", "width"))
    boxes, classes, areas, ignored = _read_objects(features, size, class_of_label)
    regions, chosen = _read_regions(features, size), classes >= 0
    supervision = _read_supervision(features)
    if supervision == "labels" and len(boxes):
        raise RecordError(
            "image/supervision",
            "'labels', but the record has boxes; say 'boxes' if they are complete, or "
            "remove them",
        )
    return ImageRecord(
        image_id=int(source_id) if is_number else derive_image_id(name),
        name=name,
        encoded=_read_encoded(features),
        size=size,
        boxes=np.concatenate([boxes[chosen], regions]),
        classes=np.append(classes[chosen], np.full(len(regions), ANY_CLASS, np.int32)),
        areas=np.append(areas[chosen], _compute_areas(regions)),
        ignored=np.append(ignored[chosen], np.ones(len(regions), bool)),
        has_boxes=supervision != "labels",
        listed=(
            _read_label_states(features, class_of_label, num_classes)
            if supervision
            else np.full(num_classes, UNKNOWN, np.int8)
        ),
        complete=(
            _read_complete_classes(features, class_of_label, num_classes)
            if supervision == "in part"
            else np.ones(num_classes, bool)
        ),
    )


def _read(features, key: str, kind: str) -> list:
    """Returns the values of a feature; none where it is missing."""
    if key not in features:
        return []
    feature = features[key]
    found = feature.WhichOneof("kind")
    values = getattr(feature, found).value if found else []
    if len(values) and found != f"{kind}_list":
        raise RecordError(key, f"holds a {found}, not a {kind}_list; write it again")
    return values


def _read_one(features, key: str, kind: str):
    values = _read(features, key, kind)
    if len(values) != 1:
        raise RecordError(key, f"holds {len(values)} values, not one; write it again")
    return values[0]


def _read_name(features) -> str:
    key = "image/filename"
    try:
        name = _read_one(features, key, "bytes").decode()
    except UnicodeDecodeError:
        raise RecordError(key, "not UTF-8; rename the file") from None
    if fault := find_path_fault(name):
        raise RecordError(key, fault)
    return name


def _read_encoded(features) -> bytes:
    encoded = _read_one(features, "image/encoded", "bytes")
    key = "image/key/sha256"
    stated = _read(features, key, "bytes")
    if len(stated) and [hashlib.sha256(encoded).hexdigest().encode()] != list(stated):
        raise RecordError(key, "the image does not have this sum; write the file again")
    return encoded


def _read_side(features, key: str) -> int:
    side = _read_one(features, key, "int64")
    if not 0 < side < 2**31:
        raise RecordError(key, f"{side} is not a positive number of pixels; correct it")
    return side


def _read_supervision(features) -> str:
    key = "image/supervision"
    if not _read(features, key, "bytes"):
        return ""
    value = _read_one(features, key, "bytes")
    if value not in (b"boxes", b"in part", b"labels"):
        raise RecordError(
            key, f"{value!r} is none of 'boxes', 'in part', 'labels'; correct it"
        )
    return value.decode()


def _read_objects(
    features, size: tuple[int, int], class_of_label: Mapping[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns boxes, classes, areas and the ignored ones of one image."""
    key = "image/object/class/label"
    classes = _look_up(key, _read(features, key, "int64"), class_of_label)
    number = len(classes)
    shares = [
        _read_column(features, f"bbox/{side}", "float", number) for side in BOX_SIDES
    ]
    boxes = _unnormalise(np.stack(shares, axis=1).astype(np.float64), size)
    if not np.isfinite(boxes).all():
        raise RecordError("image/object/bbox", "not finite; correct the boxes")
    areas = _compute_areas(boxes)
    if _read(features, "image/object/area", "float"):
        areas = _read_column(features, "area", "float", number).astype(np.float64)
    ignored = np.zeros(number, bool)
    for name in ("is_crowd", "difficult"):
        if _read(features, f"image/object/{name}", "int64"):
            ignored |= _read_column(features, name, "int64", number) != 0
    return boxes, classes, areas, ignored


def _read_regions(features, size: tuple[int, int]) -> np.ndarray:
    """Returns the [n, 4] boxes that are ignored for every class."""
    sides = [
        _read(features, f"image/ignored/bbox/{side}", "float") for side in BOX_SIDES
    ]
    if len({len(side) for side in sides}) > 1:
        raise RecordError(
            "image/ignored/bbox", "the sides are of different lengths; write it anew"
        )
    regions = _unnormalise(np.array(sides, np.float64).T.reshape(-1, 4), size)
    if not np.isfinite(regions).all():
        raise RecordError("image/ignored/bbox", "not finite; correct the boxes")
    return regions


def _compute_areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def _read_complete_classes(
    features, class_of_label: Mapping[int, int], num_classes: int
) -> np.ndarray:
    key = "image/class/boxed_label"
    classes = _look_up(key, _read(features, key, "int64"), class_of_label)
    complete = np.zeros(num_classes, bool)
    complete[classes[classes >= 0]] = True
    return complete


def _read_column(features, name: str, kind: str, number: int) -> np.ndarray:
    key = f"image/object/{name}"
    values = np.array(_read(features, key, kind))
    if len(values) != number:
        objects = count(number, "object")
        raise RecordError(
            key, f"{count(len(values), 'value')} for {objects}; write the file again"
        )
    return values


def _unnormalise(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns boxes in pixels, without the rounding error where it can be seen."""
    sides = np.tile(size, 2)
    boxes = shares * sides
    hundredths = np.round(boxes, 2)
    is_rounding = np.abs(boxes - hundredths) <= np.abs(boxes) * _ROUNDING
    return np.where(is_rounding, hundredths, boxes)


def _look_up(key: str, labels, class_of_label: Mapping[int, int]) -> np.ndarray:
    for label in labels:
        if label not in class_of_label:
            raise RecordError(
                key, f"{label} is not in the label map; add or correct it"
            )
    return np.array([class_of_label[label] for label in labels], np.int32)


def _read_label_states(
    features, class_of_label: Mapping[int, int], num_classes: int
) -> np.ndarray:
    """Returns [K] int8 states; what neither list names is unknown."""
    lists = []
    for prefix in ("", "absent_"):
        key = f"image/class/{prefix}label"
        classes = _look_up(key, _read(features, key, "int64"), class_of_label)
        lists.append(classes[classes >= 0])
    both = np.intersect1d(*lists)
    if len(both):
        raise RecordError(
            "image/class/absent_label",
            "a label is also in image/class/label; remove one of them",
        )
    return mark_labels(*lists, num_classes, UNKNOWN)
