"""One annotation of Label Studio: its regions and its choices."""

import math
from collections import Counter
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.readers import outlines
from ehsod_tf.data.readers.annotated_images import Box, NamedBox
from ehsod_tf.data.readers.json_files import to_number, to_points, to_size

# Percent are rounded to a millionth of a pixel: what was written with enough digits
# comes back as it was.
_DECIMALS = 6

# Fields of a value that say where a region is, also one that encloses nothing.
_PLACES = ("x", "points", "rle", "vertices")

# Fields of a value that hold the classes of a region.
_LABEL_FIELDS = (
    "rectanglelabels",
    "labels",
    "polygonlabels",
    "ellipselabels",
    "brushlabels",
    "keypointlabels",
)


class ResultError(Exception):
    """A result is wrong; arguments: record, field, message."""


class Results(NamedTuple):
    """What an annotation says of an image.

    Attributes:
        size: (height, width), 0 where it does not say.
        objects: the regions.
        choices: of the whole image.
        others: numbers of results that enclose no object, by type.
        marked: labels of those that mark something, as a brush or a key point does;
            "" for one without a label.
    """

    size: tuple[int, int]
    objects: list[NamedBox]
    choices: list[str]
    others: Counter[str]
    marked: list[str]


def read_results(results: list, size: tuple[int, int] | None = None) -> Results:
    """Reads the results of an annotation.

    Args:
        results: as the file has them.
        size: (height, width) of the image, for results that do not say.

    Raises:
        ResultError: one of them is wrong.
    """
    labels_of_region: dict[object, list[str]] = {}
    for number, result in enumerate(results, start=1):
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            if isinstance(result, dict) and "value" not in result:
                continue
            message = "not a result with a value; correct or remove it"
            raise ResultError(f"result {number}", "value", message)
        key = _name_region(result, number)
        labels_of_region.setdefault(key, [])
        labels_of_region[key] += _read_labels(result["value"], number)
    found = Results(size or (0, 0), [], [], Counter(), [])
    seen = set()
    for number, result in enumerate(results, start=1):
        # A relation between regions has no value.
        if "value" not in result:
            found.others["relation"] += 1
            continue
        value = result["value"]
        own_size = to_size(result, "original_height", "original_width")
        if own_size is None:
            message = "is not a whole number of pixels; correct it"
            raise ResultError(f"result {number}", "original_width", message)
        if all(own_size):
            found = found._replace(size=own_size)
        if to_number(result.get("image_rotation") or 0) % 360:
            message = "the image was turned in the tool, and so were its boxes; turn "
            message += "it back there, or store it as it is to be seen"
            raise ResultError(f"result {number}", "image_rotation", message)
        if "choices" in value and not _has_place(value):
            found.choices.extend(_read_names(value["choices"], number, "choices"))
            continue
        box = _read_region(value, found.size, number)
        key = _name_region(result, number)
        if box is None or key in seen:
            found.others[str(result.get("type", "unknown"))[:40]] += box is None
            if box is None and (_has_place(value) or labels_of_region[key]):
                found.marked.extend(labels_of_region[key] or [""])
            continue
        seen.add(key)
        if not labels_of_region[key]:
            message = "a region without a label; give it one or remove it"
            raise ResultError(f"result {number}", "value", message)
        is_hull = _is_hull(value)
        found.objects.extend(
            NamedBox(name, box, is_hull=is_hull) for name in labels_of_region[key]
        )
    return found


def _name_region(result: dict, number: int) -> object:
    """Its id: older files keep the box and its label in two results of one id."""
    key = result.get("id")
    return key if isinstance(key, str | int) else ("without id", number)


def _has_place(value: dict) -> bool:
    return any(name in value for name in _PLACES)


def _is_hull(value: dict) -> bool:
    return "points" in value or "radiusX" in value or bool(value.get("rotation"))


def _read_labels(value: dict, number: int) -> list[str]:
    names = []
    for field in _LABEL_FIELDS:
        if field in value:
            names += _read_names(value[field], number, field)
    return names


def _read_names(names: object, number: int, field: str) -> list[str]:
    if not isinstance(names, list):
        message = f"{shorten(names)} is not a list of names; correct it"
        raise ResultError(f"result {number}", field, message)
    for name in names:
        if not isinstance(name, str) or not name.strip() or not is_plain_text(name):
            message = f"{shorten(name)} is no label; name one"
            raise ResultError(f"result {number}", field, message)
    return [name.strip() for name in names]


def _read_region(value: dict, size: tuple[int, int], number: int) -> Box | None:
    """Returns the box of a region in pixels; None if it encloses nothing."""
    if "points" in value:
        points = to_points(value["points"])
        if points is None:
            message = "is not a list of points x, y; correct it"
            raise ResultError(f"result {number}", "points", message)
        _require_size(size, number)
        return outlines.enclose([_to_pixels(x, size[1], y, size[0]) for x, y in points])
    names = ["x", "y", "radiusX", "radiusY"]
    if "radiusX" not in value:
        names = ["x", "y", "width", "height"]
    # A key point has a width but no height.
    if not all(name in value for name in names):
        return None
    x, y, across, down = (_read_field(value, name, number) for name in names)
    degrees = _read_field(value, "rotation", number) if value.get("rotation") else 0.0
    if across < 0 or down < 0:
        raise ResultError(
            f"result {number}", names[2], "is negative, or the one after it; correct it"
        )
    _require_size(size, number)
    (x, y), (across, down) = (
        _to_pixels(x, size[1], y, size[0]),
        _to_pixels(across, size[1], down, size[0]),
    )
    if "radiusX" in value:
        return outlines.enclose_ellipse((x, y), (across, down), degrees)
    box = (y, x, round(y + down, _DECIMALS), round(x + across, _DECIMALS))
    # Label Studio turns a box about its upper left corner.
    return outlines.enclose_rotated(box, degrees, (x, y)) if degrees % 360 else box


def _to_pixels(x: float, width: int, y: float, height: int) -> tuple[float, float]:
    return round(x / 100 * width, _DECIMALS), round(y / 100 * height, _DECIMALS)


def _read_field(value: dict, field: str, number: int) -> float:
    found = to_number(value[field])
    if math.isnan(found):
        message = f"{shorten(value[field])} is not a finite number; correct it"
        raise ResultError(f"result {number}", field, message)
    return found


def _require_size(size: tuple[int, int], number: int) -> None:
    if not all(size):
        message = "is missing, but the box is in percent of it; export the file again"
        raise ResultError(f"result {number}", "original_width", message)
