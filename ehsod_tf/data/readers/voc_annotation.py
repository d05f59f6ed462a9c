"""One image's annotation in PASCAL VOC's XML form."""

import math
import re
from collections.abc import Callable
from typing import NamedTuple
from xml.etree import ElementTree

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.xml_files import parse_xml, quote, read_number, shorten
from ehsod_tf.errors import DataError

_INTEGER = re.compile(r"[0-9]{1,10}")

# What tools write that do not know the size of an image.
_NO_SIZE = ("", "0", "-1")

# Sizes are kept in 32 bits.
_LIMIT = 2**31


class VocObject(NamedTuple):
    """One object.

    Attributes:
        name: of its class.
        box: (ymin, xmin, ymax, xmax), continuous.
        is_difficult: as the file says.
        is_open: the file leaves open whether it is difficult.
    """

    name: str
    box: tuple[float, float, float, float]
    is_difficult: bool
    is_open: bool


class VocAnnotation(NamedTuple):
    """What is known of one image.

    Attributes:
        size: (height, width); 0 where the file does not say.
        objects: of all classes.
        file_name: of the image, as the file gives it; "" where it does not.
    """

    size: tuple[int, int]
    objects: list[VocObject]
    file_name: str


def read_annotation(
    path: str, check_class: Callable[[str], str | None], findings: Findings
) -> VocAnnotation | None:
    """Reads an XML file; None, and problems in `findings`, if anything is wrong in it.

    Args:
        path: of the file.
        check_class: is given the class name of each object; returns what is wrong.
        findings: takes the problems.
    """
    num_problems = len(findings.problems)
    try:
        root = parse_xml(path)
    except DataError as error:
        findings.add(path, "", "", str(error))
        return None
    if root.tag != "annotation":
        message = f"begins with <{shorten(root.tag)}>, not <annotation>; correct it"
        findings.add(path, "", "", message)
        return None
    size = _read_size(root, path, findings)
    objects = []
    for number, element in enumerate(root.findall("object"), start=1):
        name = element.findtext("name", "").strip()
        fault = check_class(name)
        if fault:
            findings.add(path, f"object {number}", "name", fault)
            continue
        try:
            objects.append(_read_object(name, element))
        except _FieldError as error:
            findings.add(path, f"object {number}", *error.args)
    if len(findings.problems) > num_problems:
        return None
    return VocAnnotation(size, objects, root.findtext("filename", "").strip())


def refuse_blank_class(name: str) -> str | None:
    """Returns what is wrong with a name that no class can have."""
    if name and is_plain_text(name):
        return None
    return f"{quote(name)} is no class; name the object's"


class _FieldError(Exception):
    """A field of an object is wrong; arguments: field, message."""


def _read_size(
    root: ElementTree.Element, path: str, findings: Findings
) -> tuple[int, ...]:
    """Returns (height, width), 0 where it is left open; a wrong one is a problem."""
    size = []
    for field in ("height", "width"):
        text = root.findtext(f"size/{field}", "").strip()
        if text in _NO_SIZE:
            size.append(0)
        elif not _INTEGER.fullmatch(text) or not 1 <= int(text) < _LIMIT:
            message = f"{quote(text)} is not a positive integer of pixels; correct it"
            findings.add(path, "size", field, message)
        else:
            size.append(int(text))
    return tuple(size)


def _read_object(name: str, element: ElementTree.Element) -> VocObject:
    # Programs that turn or outline objects have elements of other names.
    num_boxes = len(element.findall("bndbox"))
    if num_boxes != 1:
        message = f"an object has 1, not {num_boxes}; give it one upright box"
        raise _FieldError("bndbox", message)
    ymin, xmin, ymax, xmax = (
        _read_corner(element, field) for field in ("ymin", "xmin", "ymax", "xmax")
    )
    for axis, first, last in (("y", ymin, ymax), ("x", xmin, xmax)):
        if last < first:
            message = f"{last:g} is less than {axis}min, {first:g}; correct the box"
            raise _FieldError(f"{axis}max", message)
    difficult = element.findtext("difficult", "0").strip()
    is_open = difficult.lower() in ("", "unspecified")
    if difficult not in ("0", "1") and not is_open:
        message = f"{quote(difficult)} is neither 0 nor 1; correct it"
        raise _FieldError("difficult", message)
    # VOC counts pixels from 1 and includes the last one. Rounding takes away what the
    # subtraction of 1 adds to a fraction.
    box = (round(ymin - 1, 6), round(xmin - 1, 6), ymax, xmax)
    return VocObject(name, box, difficult == "1", is_open)


def _read_corner(element: ElementTree.Element, field: str) -> float:
    text = element.findtext(f"bndbox/{field}", "").strip()
    number = read_number(text)
    if math.isnan(number):
        message = f"{quote(text)} is not a finite number; correct it"
        raise _FieldError(field, message)
    return number
