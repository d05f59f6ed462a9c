"""The regions of VGG Image Annotator: their boxes, and what their attributes say."""

import math
from collections import Counter
from collections.abc import Iterable
from reprlib import repr as shorten

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.readers import outlines
from ehsod_tf.data.readers.annotated_images import Box, NamedBox
from ehsod_tf.data.readers.json_files import to_number

# They enclose no object.
_OTHERS = ("point", "polyline")


class RegionError(Exception):
    """A region is wrong; arguments: record, field, message."""


def list_regions(given: object) -> list:
    """The regions of an image, which version 1 kept in an object by their numbers.

    Raises:
        RegionError: they are neither a list nor an object.
    """
    regions = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(regions, list):
        message = f"{shorten(given)} is no list of regions; correct it"
        raise RegionError("", "regions", message)
    return regions


def read_values(attributes: object, name: str) -> list[str]:
    """The values of an attribute: one text, or the boxes that are ticked.

    Args:
        attributes: of a region or a file; what is no object has none.
        name: of the attribute.
    """
    value = attributes.get(name) if isinstance(attributes, dict) else None
    if isinstance(value, dict):
        value = [key for key, is_ticked in value.items() if is_ticked is True]
    values = value if isinstance(value, list) else [value]
    texts = [text.strip() for text in values if isinstance(text, str)]
    return [text for text in texts if text]


def list_attributes(holders: Iterable[object], field: str) -> list[str]:
    """The names of the attributes that say anything, as they first appear.

    Args:
        holders: regions or images.
        field: "region_attributes" or "file_attributes".
    """
    found: dict[str, None] = {}
    for holder in holders:
        attributes = holder.get(field) if isinstance(holder, dict) else None
        if isinstance(attributes, dict):
            found |= {
                name: None for name in attributes if read_values(attributes, name)
            }
    return list(found)


def read_regions(
    regions: list, class_attribute: str | None, only_class: str, others: Counter[str]
) -> tuple[list[NamedBox], list[str]]:
    """Returns the objects of an image, and the classes of what encloses none.

    Args:
        regions: see `list_regions`.
        class_attribute: the attribute that names the class; None takes `only_class`.
        only_class: the class of all regions, where they do not say.
        others: counts the regions that enclose no object, by their shape.

    Raises:
        RegionError: one of them is wrong.
    """
    objects: list[NamedBox] = []
    marked: list[str] = []
    for number, region in enumerate(regions, start=1):
        record = f"region {number}"
        shape = region.get("shape_attributes") if isinstance(region, dict) else None
        if not isinstance(shape, dict):
            raise RegionError(record, "", "not a region; correct or remove it")
        kind = shape.get("name")
        if not isinstance(kind, str) or kind not in (*_READERS, *_OTHERS):
            message = f"{shorten(kind)} is no shape that is known; draw a rectangle"
            raise RegionError(record, "shape_attributes.name", message)
        name = only_class
        if class_attribute is not None:
            name = _read_class(region, class_attribute, record, kind in _OTHERS)
        if kind in _OTHERS:
            others[kind] += 1
            marked.append(name)
            continue
        box = _READERS[kind](shape, record)
        objects.append(NamedBox(name, box, is_hull=kind != "rect"))
    return objects, marked


def _read_class(region: dict, attribute: str, record: str, may_lack: bool) -> str:
    names = read_values(region.get("region_attributes"), attribute)
    if len(names) == 1 and is_plain_text(names[0]):
        return names[0]
    if may_lack and not names:
        return ""
    what = f"{shorten(names)} are several classes; choose one"
    if not names:
        what = "names no class; choose one, or remove the region"
    elif len(names) == 1:
        what = f"{shorten(names[0])} is not plain text; rename the class"
    raise RegionError(record, attribute, what)


def _read_rectangle(shape: dict, record: str) -> Box:
    x, y, width, height = _read_numbers(shape, ("x", "y", "width", "height"), record)
    if width < 0 or height < 0:
        message = "a width or height below 0; correct it"
        raise RegionError(record, "shape_attributes", message)
    return y, x, y + height, x + width


def _read_circle(shape: dict, record: str) -> Box:
    x, y, radius = _read_numbers(shape, ("cx", "cy", "r"), record)
    return outlines.enclose_ellipse((x, y), (radius, radius), 0.0)


def _read_ellipse(shape: dict, record: str) -> Box:
    x, y, *radii = _read_numbers(shape, ("cx", "cy", "rx", "ry"), record)
    # Early versions could not turn it.
    angle = _read_numbers({"theta": 0.0} | shape, ("theta",), record)[0]
    return outlines.enclose_ellipse((x, y), tuple(radii), math.degrees(angle))


def _read_polygon(shape: dict, record: str) -> Box:
    axes = []
    for field in ("all_points_x", "all_points_y"):
        given = shape.get(field)
        numbers = list(map(to_number, given)) if isinstance(given, list) else []
        if not numbers or any(map(math.isnan, numbers)):
            message = f"{shorten(given)} is no list of pixels; correct it"
            raise RegionError(record, field, message)
        axes.append(numbers)
    if len(axes[0]) != len(axes[1]):
        message = f"{len(axes[1])} numbers, but {len(axes[0])} of x; correct them"
        raise RegionError(record, "all_points_y", message)
    return outlines.enclose(list(zip(*axes, strict=True)))


_READERS = {
    "rect": _read_rectangle,
    "circle": _read_circle,
    "ellipse": _read_ellipse,
    "polygon": _read_polygon,
}


def _read_numbers(shape: dict, fields: tuple[str, ...], record: str) -> list[float]:
    numbers = []
    for field in fields:
        number = to_number(shape.get(field))
        if math.isnan(number):
            message = f"{shorten(shape.get(field))} is no number of pixels; correct it"
            raise RegionError(record, field, message)
        numbers.append(number)
    return numbers
