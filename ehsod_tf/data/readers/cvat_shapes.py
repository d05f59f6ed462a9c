"""The shapes of CVAT's XML: boxes, outlines, tags."""

import bisect
import math
from collections.abc import Iterable
from xml.etree import ElementTree

from ehsod_tf.data.readers import outlines
from ehsod_tf.data.readers.annotated_images import Box, NamedBox
from ehsod_tf.data.readers.xml_files import quote, read_number

# Shapes that enclose an object.
AREAS = ("box", "polygon", "ellipse", "mask", "cuboid")
# Those that do not: lines, points and skeletons of points.
OTHERS = ("polyline", "points", "skeleton")

# Attributes of a label, by which people say what VOC calls difficult.
_IGNORING = ("difficult", "iscrowd", "is_crowd", "crowd")

_LIMIT = 2.0**31


class ShapeError(Exception):
    """A shape is wrong; arguments: field, message."""


def read_shape(
    element: ElementTree.Element, label: str, ignores_occluded: bool
) -> NamedBox:
    """Returns the box of a shape of `AREAS`.

    Args:
        element: the shape.
        label: its class.
        ignores_occluded: objects that are partly hidden become ignored ones.

    Raises:
        ShapeError: a field is missing or wrong.
    """
    box, is_hull = _READERS[element.tag](element)
    if not all(abs(side) < _LIMIT for side in box):
        raise ShapeError("", "lies beyond any image; correct or remove it")
    occluded = element.get("occluded", "0").strip()
    if occluded not in ("0", "1"):
        raise ShapeError("occluded", f"{quote(occluded)} is neither 0 nor 1")
    ignored = (occluded == "1" and ignores_occluded) or any(
        attribute.get("name", "").strip().lower() in _IGNORING
        and (attribute.text or "").strip().lower() in ("true", "1")
        for attribute in element.iterfind("attribute")
    )
    return NamedBox(label, box, ignored, is_hull)


def _read_box(element: ElementTree.Element) -> tuple[Box, bool]:
    sides = ("ytl", "xtl", "ybr", "xbr")
    ymin, xmin, ymax, xmax = (_read_field(element, side) for side in sides)
    for axis, first, last in (("y", ymin, ymax), ("x", xmin, xmax)):
        if last < first:
            message = f"{last:g} is less than {axis}tl, {first:g}; correct the box"
            raise ShapeError(f"{axis}br", message)
    degrees = _read_field(element, "rotation", "0")
    if not degrees % 360:
        return (ymin, xmin, ymax, xmax), False
    pivot = ((xmin + xmax) / 2, (ymin + ymax) / 2)
    return outlines.enclose_rotated((ymin, xmin, ymax, xmax), degrees, pivot), True


def _read_polygon(element: ElementTree.Element) -> tuple[Box, bool]:
    points = []
    for pair in element.get("points", "").split(";"):
        numbers = [read_number(text) for text in pair.split(",")]
        if len(numbers) != 2 or any(map(math.isnan, numbers)):
            message = f"{quote(pair)} is not a point x,y; correct it"
            raise ShapeError("points", message)
        points.append((numbers[0], numbers[1]))
    return outlines.enclose(points), True


def _read_ellipse(element: ElementTree.Element) -> tuple[Box, bool]:
    x, y, across, down = (_read_field(element, f) for f in ("cx", "cy", "rx", "ry"))
    degrees = _read_field(element, "rotation", "0")
    return outlines.enclose_ellipse((x, y), (across, down), degrees), True


def _read_mask(element: ElementTree.Element) -> tuple[Box, bool]:
    fields = ("top", "left", "height", "width")
    top, left, height, width = (_read_field(element, field) for field in fields)
    if height < 0 or width < 0:
        raise ShapeError("width", "a mask has a negative size; correct it")
    return (top, left, top + height, left + width), True


def _read_cuboid(element: ElementTree.Element) -> tuple[Box, bool]:
    corners = ("tl1", "bl1", "tr1", "br1", "tl2", "bl2", "tr2", "br2")
    points = [
        (_read_field(element, f"x{corner}"), _read_field(element, f"y{corner}"))
        for corner in corners
    ]
    return outlines.enclose(points), True


_READERS = {
    "box": _read_box,
    "polygon": _read_polygon,
    "ellipse": _read_ellipse,
    "mask": _read_mask,
    "cuboid": _read_cuboid,
}


def _read_field(element: ElementTree.Element, field: str, default: str = "") -> float:
    text = element.get(field, default)
    number = read_number(text)
    if math.isnan(number):
        raise ShapeError(field, f"{quote(text)} is not a finite number; correct it")
    return number


def follow_track(
    track: ElementTree.Element, frames: Iterable[int], ignores_occluded: bool
) -> dict[int, NamedBox]:
    """Returns the box of a track on each frame that it is seen on.

    Between two frames that the track gives, its box moves evenly, as CVAT shows it;
    after the last, the last form stays until the track is ``outside``.

    Args:
        track: with a shape for some frames.
        frames: ascending numbers of those that are wanted.
        ignores_occluded: see `read_shape`.

    Raises:
        ShapeError: a shape is wrong.
    """
    label = track.get("label", "").strip()
    given: dict[int, NamedBox | None] = {}
    for element in track:
        if element.tag not in AREAS:
            continue
        shape = read_shape(element, label, ignores_occluded)
        given[_read_frame(element)] = None if _is_outside(element) else shape
    numbers = sorted(given)
    found = {}
    for frame in frames:
        place = bisect.bisect_right(numbers, frame)
        shape = given[numbers[place - 1]] if place else None
        if shape is None:
            continue
        following = given[numbers[place]] if place < len(numbers) else None
        if following is not None:
            first, last = numbers[place - 1 : place + 1]
            share = (frame - first) / (last - first)
            sides = zip(shape.box, following.box, strict=True)
            moved = tuple(a + (b - a) * share for a, b in sides)
            shape = shape._replace(box=moved)
        found[frame] = shape
    return found


def follow_marks(track: ElementTree.Element, frames: Iterable[int]) -> list[int]:
    """Returns those of `frames` on which a track of `OTHERS` is seen.

    Raises:
        ShapeError: a frame is not a number.
    """
    is_seen = {
        _read_frame(element): not _is_outside(element)
        for element in track
        if element.tag in OTHERS
    }
    numbers = sorted(is_seen)
    places = ((frame, bisect.bisect_right(numbers, frame)) for frame in frames)
    return [frame for frame, place in places if place and is_seen[numbers[place - 1]]]


def _read_frame(element: ElementTree.Element) -> int:
    text = element.get("frame", "")
    frame = read_number(text)
    if math.isnan(frame) or frame != int(frame):
        raise ShapeError("frame", f"{quote(text)} is not the number of an image")
    return int(frame)


def _is_outside(element: ElementTree.Element) -> bool:
    return element.get("outside", "0").strip() == "1"
