"""Reader of data sets in the layout of the PASCAL VOC devkit."""

import math
import os
from collections.abc import Sequence
from xml.etree import ElementTree

from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.data.validation import (
    Problem,
    check_class_names,
    raise_problems,
    suggest,
)
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


def read_voc(
    devkit_dir: str | os.PathLike,
    image_set: str,
    *,
    class_names: tuple[str, ...] = VOC_CLASSES,
) -> ImageSet:
    """Reads the images of one list; boxes become continuous yxyx in original pixels.

    Args:
        devkit_dir: the year's folder, e.g. ``VOCdevkit/VOC2007``, with ``Annotations``,
            ``ImageSets/Main`` and ``JPEGImages``.
        image_set: name of a list in ``ImageSets/Main``, without ".txt".
        class_names: selects and orders the classes. Objects of other classes are left
            out, if they are VOC's own; any other name is taken for a mistake.

    Returns:
        `ImageSet` in which every image is strong; difficult objects are `ignored`.
        `image_ids` are the digits of the names, or 1, 2, ... where those are not
        unique.

    Raises:
        DataError: a file is missing or malformed, or a class name is unknown.
    """
    devkit_dir = os.fspath(devkit_dir)
    names = _read_list(devkit_dir, image_set)
    problems: list[Problem] = []
    sizes, objects, found_names = [], [], set()
    for row, name in enumerate(names):
        path = os.path.join(devkit_dir, "Annotations", f"{name}.xml")
        root = _parse_xml(path, problems)
        if root is None:
            continue
        sizes.append(_read_size(root, path, problems))
        for number, element in enumerate(root.findall("object"), start=1):
            class_name = (element.findtext("name") or "").strip()
            found_names.add(class_name)
            if class_name in class_names or class_name not in VOC_CLASSES:
                record = f"object {number}"
                box = _read_object(element, row, class_names, path, record, problems)
                objects += [box] if box else []
    raise_problems(problems)
    list_file = _list_path(devkit_dir, image_set)
    own_names = sorted(found_names.difference(VOC_CLASSES))
    check_class_names(class_names, [*VOC_CLASSES, *own_names], list_file)
    return assemble_image_set(
        class_names=tuple(class_names),
        category_ids=tuple(range(1, len(class_names) + 1)),
        image_ids=_number_images(names),
        image_names=names,
        paths=[os.path.join(devkit_dir, "JPEGImages", f"{n}.jpg") for n in names],
        sizes=sizes,
        objects=objects,
    )


def _list_path(devkit_dir: str, image_set: str) -> str:
    return os.path.join(devkit_dir, "ImageSets", "Main", f"{image_set}.txt")


def _read_list(devkit_dir: str, image_set: str) -> list[str]:
    path = _list_path(devkit_dir, image_set)
    if not os.path.isfile(path):
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise DataError(
                f"{folder}: no such folder; the data folder must be the year's folder "
                "of a VOC devkit, e.g. VOCdevkit/VOC2007"
            )
        lists = sorted(f[:-4] for f in os.listdir(folder) if f.endswith(".txt"))
        raise DataError(f"{path}: no such image list; {suggest(image_set, lists)}")
    with open(path, encoding="utf-8") as file:
        # Class-wise lists carry a second column, which says nothing about the boxes.
        names = [line.split()[0] for line in file if line.strip()]
    if not names:
        raise DataError(f"{path}: the image list is empty; name at least one image")
    seen = set()
    for name in names:
        if name in seen:
            raise DataError(f"{path}, {name}: listed twice; remove one of the lines")
        seen.add(name)
    return names


class _PlainTreeBuilder(ElementTree.TreeBuilder):
    """Refuses a document type: it can define entities that expand without bound."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise DataError("the file declares a document type; remove its <!DOCTYPE")


def _parse_xml(path: str, problems: list[Problem]) -> ElementTree.Element | None:
    parser = ElementTree.XMLParser(target=_PlainTreeBuilder())
    try:
        return ElementTree.parse(path, parser).getroot()
    except FileNotFoundError:
        message = "the annotation is missing; add it or take the image off the list"
    except ElementTree.ParseError as error:
        message = f"not valid XML ({error}); write or fetch the file anew"
    except DataError as error:
        message = str(error)
    problems.append(Problem(path, "", "", message))
    return None


def _read_size(
    root: ElementTree.Element, path: str, problems: list[Problem]
) -> tuple[int, int]:
    """Returns (height, width)."""
    size = []
    for field in ("height", "width"):
        text = root.findtext(f"size/{field}", "").strip()
        if not text.isdecimal() or int(text) < 1:
            message = f"{text!r} is not a positive integer; correct it"
            problems.append(Problem(path, "size", field, message))
        else:
            size.append(int(text))
    return tuple(size)


def _read_object(
    element: ElementTree.Element,
    row: int,
    class_names: Sequence[str],
    path: str,
    record: str,
    problems: list[Problem],
) -> BoxRecord | None:
    class_name = (element.findtext("name") or "").strip()
    if class_name not in class_names:
        message = f"unknown class {class_name!r}; {suggest(class_name, class_names)}"
        problems.append(Problem(path, record, "name", message))
        return None
    corners = []
    for field in ("ymin", "xmin", "ymax", "xmax"):
        text = element.findtext(f"bndbox/{field}", "").strip()
        number = _to_float(text)
        if not math.isfinite(number):
            message = f"{text!r} is not a finite number; correct it"
            problems.append(Problem(path, record, field, message))
            return None
        corners.append(number)
    ymin, xmin, ymax, xmax = corners
    # VOC counts pixels from 1 and includes the last one.
    box = (ymin - 1, xmin - 1, ymax, xmax)
    difficult = element.findtext("difficult", "0").strip()
    if difficult not in ("0", "1"):
        message = f"{difficult!r} is neither 0 nor 1; correct it"
        problems.append(Problem(path, record, "difficult", message))
        return None
    area = (box[2] - box[0]) * (box[3] - box[1])
    index = class_names.index(class_name)
    return BoxRecord(row, box, index, area, ignored=difficult == "1")


def _to_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _number_images(names: list[str]) -> list[int]:
    digits = ["".join(c for c in name if c in "0123456789") for name in names]
    # 18 digits always fit into 64 bits.
    if all(0 < len(d) <= 18 for d in digits):
        numbers = [int(d) for d in digits]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(1, len(names) + 1))
