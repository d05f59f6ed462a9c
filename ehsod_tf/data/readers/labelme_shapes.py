"""The shapes of LabelMe, and the boxes around them."""

import math
from collections import Counter
from collections.abc import Sequence
from reprlib import repr as shorten

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.readers import outlines
from ehsod_tf.data.readers.annotated_images import Box, NamedBox
from ehsod_tf.data.readers.json_files import to_points

# Numbers of points that a shape may have.
_AREAS = {
    "rectangle": (2, 4),
    "oriented_rectangle": (4,),
    "circle": (2,),
    "mask": (2,),
    "polygon": None,
}
# They enclose no object.
_OTHERS = ("point", "points", "line", "linestrip")

# Flags of a shape, by which people say what VOC calls difficult.
_IGNORING = ("difficult", "iscrowd", "is_crowd", "crowd")


class ShapeError(Exception):
    """A shape is wrong; arguments: record, field, message."""


def read_shapes(shapes: list, others: Counter[str]) -> tuple[list[NamedBox], list[str]]:
    """Returns the objects of an image, and the labels of what encloses none.

    Shapes of one label and one ``group_id`` are parts of one object.

    Args:
        shapes: as the file has them.
        others: counts the shapes that enclose no object, by their type.

    Raises:
        ShapeError: one of them is wrong.
    """
    objects: list[NamedBox] = []
    marked: list[str] = []
    place_of_group: dict[tuple[str, object], int] = {}
    for number, shape in enumerate(shapes, start=1):
        record = f"shape {number}"
        if not isinstance(shape, dict):
            raise ShapeError(record, "", "not a shape; correct or remove it")
        # Before version 3.5 every shape was a polygon, and did not say so.
        kind = shape.get("shape_type") or "polygon"
        if kind in _OTHERS:
            others[kind] += 1
            label = shape.get("label")
            marked.append(label.strip() if isinstance(label, str) else "")
            continue
        if not isinstance(kind, str) or kind not in _AREAS:
            message = f"{shorten(kind)} is no shape that is known; draw a rectangle"
            raise ShapeError(record, "shape_type", message)
        found = NamedBox(
            _read_label(shape, record),
            _read_box(shape, kind, record),
            _read_flags(shape, record),
            is_hull=kind != "rectangle",
        )
        group = shape.get("group_id")
        if group is not None and not isinstance(group, int | str):
            message = f"{shorten(group)} is neither a number nor null; correct it"
            raise ShapeError(record, "group_id", message)
        key = (found.class_name, group)
        if group is None or key not in place_of_group:
            place_of_group[key] = len(objects)
            objects.append(found)
        else:
            first = objects[place_of_group[key]]
            objects[place_of_group[key]] = _join(first, found)
    return objects, marked


def _join(first: NamedBox, second: NamedBox) -> NamedBox:
    tops = map(min, first.box[:2], second.box[:2])
    ends = map(max, first.box[2:], second.box[2:])
    return first._replace(
        box=(*tops, *ends),
        ignored=first.ignored or second.ignored,
        is_hull=first.is_hull or second.is_hull,
    )


def _read_label(shape: dict, record: str) -> str:
    label = shape.get("label")
    if not isinstance(label, str) or not label.strip() or not is_plain_text(label):
        message = f"{shorten(label)} is no label; name one"
        raise ShapeError(record, "label", message)
    return label.strip()


def _read_box(shape: dict, kind: str, record: str) -> Box:
    points = to_points(shape.get("points"))
    if points is None:
        message = (
            f"{shorten(shape.get('points'))} is no list of points x, y; correct it"
        )
        raise ShapeError(record, "points", message)
    counts: Sequence[int] | None = _AREAS[kind]
    if counts and len(points) not in counts:
        wanted = " or ".join(map(str, counts))
        message = f"a {kind} has {wanted} points, not {len(points)}; correct it"
        raise ShapeError(record, "points", message)
    if kind == "circle":
        (x, y), edge = points
        radius = math.dist(*points) if edge else 0.0
        return y - radius, x - radius, y + radius, x + radius
    ymin, xmin, ymax, xmax = outlines.enclose(points)
    # The corners of a mask are its first and its last pixel.
    last = 1.0 if kind == "mask" else 0.0
    return ymin, xmin, ymax + last, xmax + last


def _read_flags(shape: dict, record: str) -> bool:
    flags = shape.get("flags") or {}
    if not isinstance(flags, dict):
        message = f"{shorten(flags)} is not an object of flags; correct it"
        raise ShapeError(record, "flags", message)
    return any(flags.get(name) is True for name in _IGNORING)
