"""One image's annotation in PASCAL VOC's XML form."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from ehsod_tf.data.columns import BoxRecord
from ehsod_tf.data.image_files import describe_missing_file, is_plain_text
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.spelling import find_similar, suggest
from ehsod_tf.errors import DataError

# Python's own conversions take "1_000", Arabic digits and "nan" for numbers too.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_INTEGER = re.compile(r"[0-9]{1,10}")

# What tools write that do not know the size of an image.
_NO_SIZE = ("", "0", "-1")

# Sizes are kept in 32 bits.
_LIMIT = 2**31


class VocAnnotation(NamedTuple):
    """What is known of one image.

    Attributes:
        size: (height, width); 0 where the file does not say.
        objects: those of the chosen classes; their `image` is 0.
        num_unspecified: how many of them leave open whether they are difficult.
    """

    size: tuple[int, int]
    objects: list[BoxRecord]
    num_unspecified: int


def read_annotation(
    path: str,
    class_names: Sequence[str],
    other_names: Sequence[str],
    num_objects: Counter[str],
    findings: Findings,
) -> VocAnnotation | None:
    """Reads an XML file; None, and problems in `findings`, if anything is wrong in it.

    Args:
        path: of the file.
        class_names: the chosen classes.
        other_names: classes whose objects may be left out.
        num_objects: counts the objects of all classes.
        findings: takes the problems.
    """
    num_problems = len(findings.problems)
    try:
        root = _parse(path)
    except DataError as error:
        findings.add(path, "", "", str(error))
        return None
    if root.tag != "annotation":
        message = f"begins with <{_shorten(root.tag)}>, not <annotation>; write it anew"
        findings.add(path, "", "", message)
        return None
    size = _read_size(root, path, findings)
    objects, num_unspecified = [], 0
    for number, element in enumerate(root.findall("object"), start=1):
        try:
            name = element.findtext("name", "").strip()
            num_objects.update([name] if is_plain_text(name) else [])
            _check_class(name, class_names, other_names)
            if name in class_names:
                objects.append(_read_object(element, class_names.index(name)))
                num_unspecified += _leaves_difficult_open(element)
        except _FieldError as error:
            findings.add(path, f"object {number}", *error.args)
    if len(findings.problems) > num_problems:
        return None
    return VocAnnotation(size, objects, num_unspecified)


class _FieldError(Exception):
    """A field of an object is wrong; arguments: field, message."""


class _PlainTreeBuilder(ElementTree.TreeBuilder):
    """Refuses a document type: it can define entities that expand without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DataError("the file declares a document type; remove its <!DOCTYPE")


def _parse(path: str) -> ElementTree.Element:
    parser = ElementTree.XMLParser(target=_PlainTreeBuilder())
    try:
        return ElementTree.parse(path, parser).getroot()
    except FileNotFoundError as error:
        remedy = "add it or take the image off the list"
        raise DataError(
            describe_missing_file(path, "the annotation is missing", remedy)
        ) from error
    except OSError as error:
        raise DataError(
            f"the annotation cannot be read ({error.strerror}); check the file"
        ) from error
    # LookupError and ValueError: an encoding that is unknown or not supported.
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:
        raise DataError(
            f"not valid XML ({_shorten(str(error))}); write or fetch the file anew"
        ) from error


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
            message = f"{_quote(text)} is not a positive integer of pixels; correct it"
            findings.add(path, "size", field, message)
        else:
            size.append(int(text))
    return tuple(size)


def _check_class(
    name: str, class_names: Sequence[str], other_names: Sequence[str]
) -> None:
    if name not in class_names and name not in other_names:
        if find_similar(name, class_names):
            remedy = suggest(name, class_names)
        else:
            remedy = "list it in class_names if it is one of yours, or correct it"
        raise _FieldError("name", f"unknown class {_quote(name)}; {remedy}")


def _read_object(element: ElementTree.Element, class_index: int) -> BoxRecord:
    ymin, xmin, ymax, xmax = (
        _read_corner(element, field) for field in ("ymin", "xmin", "ymax", "xmax")
    )
    for axis, first, last in (("y", ymin, ymax), ("x", xmin, xmax)):
        if last < first:
            message = f"{last:g} is less than {axis}min, {first:g}; correct the box"
            raise _FieldError(f"{axis}max", message)
    difficult = element.findtext("difficult", "0").strip()
    if difficult not in ("0", "1") and not _leaves_difficult_open(element):
        message = f"{_quote(difficult)} is neither 0 nor 1; correct it"
        raise _FieldError("difficult", message)
    # VOC counts pixels from 1 and includes the last one.
    box = (ymin - 1, xmin - 1, ymax, xmax)
    area = (box[2] - box[0]) * (box[3] - box[1])
    return BoxRecord(0, box, class_index, area, ignored=difficult == "1")


def _leaves_difficult_open(element: ElementTree.Element) -> bool:
    text = element.findtext("difficult", "0").strip().lower()
    return text in ("", "unspecified")


def _read_corner(element: ElementTree.Element, field: str) -> float:
    text = element.findtext(f"bndbox/{field}", "").strip()
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        message = f"{_quote(text)} is not a finite number; correct it"
        raise _FieldError(field, message)
    return number


def _quote(text: str) -> str:
    return repr(_shorten(text))


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
