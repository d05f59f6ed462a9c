"""Reader of data sets in the layout of the PASCAL VOC devkit."""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from ehsod_tf.data.columns import BoxRecord, assemble_image_set, select_images
from ehsod_tf.data.image_files import find_path_fault
from ehsod_tf.data.problems import Findings, check_class_names, suggest
from ehsod_tf.data.readers.voc_annotation import VocAnnotation, read_annotation
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

# Tried in this order; VOC's own images are all ".jpg".
_EXTENSIONS = (".jpg", ".png", ".jpeg")


def read_voc(
    devkit_dir: str | os.PathLike,
    image_set: str,
    *,
    class_names: tuple[str, ...] = VOC_CLASSES,
    findings: Findings | None = None,
) -> ImageSet:
    """Reads the images of one list; boxes become continuous yxyx in original pixels.

    Args:
        devkit_dir: the year's folder, e.g. ``VOCdevkit/VOC2007``, with ``Annotations``,
            ``ImageSets/Main`` and ``JPEGImages``, whose files may be .jpg, .png or
            .jpeg.
        image_set: name of a list in ``ImageSets/Main``, without ".txt".
        class_names: selects and orders the classes. Objects of other classes are left
            out, if they are VOC's own; any other name is taken for a mistake.
        findings: takes the problems; None raises instead.

    Returns:
        `ImageSet` of the sound images, all strong; difficult objects are `ignored`.
        `image_ids` are the digits of the names, or 1, 2, ... where those are not
        unique in the list.

    Raises:
        DataError: the list cannot be read or a class name is unknown; without
            `findings`, also any problem of a single image.
    """
    found = Findings() if findings is None else findings
    devkit_dir = os.fspath(devkit_dir)
    list_file = os.path.join(devkit_dir, "ImageSets", "Main", f"{image_set}.txt")
    lines = _read_list(list_file, image_set)
    image_ids, names = _check_names(lines, list_file, found)
    used_names: set[str] = set()
    annotations = [
        read_annotation(
            os.path.join(devkit_dir, "Annotations", f"{name}.xml"),
            class_names,
            VOC_CLASSES,
            used_names,
            found,
        )
        for name in names
    ]
    is_sound = np.array([a is not None for a in annotations], bool)
    # Files none of which can be read say nothing about the class list.
    if is_sound.any():
        own_names = sorted(used_names.difference(VOC_CLASSES))
        check_class_names(class_names, [*VOC_CLASSES, *own_names], list_file, found)
    if findings is None:
        found.settle()
    whole = assemble_image_set(
        class_names=tuple(class_names),
        category_ids=tuple(range(1, len(class_names) + 1)),
        image_ids=image_ids,
        image_names=names,
        paths=_list_paths(devkit_dir, names),
        sizes=[a.size if a else (0, 0) for a in annotations],
        objects=_gather_objects(annotations),
    )
    return select_images(whole, is_sound)


def _read_list(path: str, image_set: str) -> dict[int, str]:
    """Returns the first word of each line by its number."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            # Class-wise lists carry a second column, which says nothing about boxes.
            lines = enumerate(file, start=1)
            names = {n: line.split()[0] for n, line in lines if line.strip()}
    except FileNotFoundError as error:
        raise DataError(_describe_missing_list(path, image_set)) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: the image list cannot be read ({error}); write it as UTF-8 text"
        ) from error
    if not names:
        raise DataError(f"{path}: the image list is empty; name at least one image")
    return names


def _describe_missing_list(path: str, image_set: str) -> str:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return (
            f"{folder}: no such folder; the data folder must be the year's folder of a "
            "VOC devkit, e.g. VOCdevkit/VOC2007"
        )
    lists = sorted(f[:-4] for f in _list_folder(folder) if f.endswith(".txt"))
    return f"{path}: no such image list; {suggest(image_set, lists)}"


def _check_names(
    lines: Mapping[int, str], path: str, findings: Findings
) -> tuple[list[int], list[str]]:
    """Returns ids and names of the images whose names are sound, each once."""
    names = list(dict.fromkeys(lines.values()))
    id_of_name = dict(zip(names, _number_images(names), strict=True))
    sound = {}
    for line, name in lines.items():
        fault = find_path_fault(name)
        if not fault and "/" in name:
            fault = f"{name!r} holds a folder; give the name of the image alone"
        # A second line says nothing new: it alone is left out.
        if not fault and name in sound:
            fault = f"{name!r} is listed twice; remove one of the lines"
        if fault:
            findings.add(path, f"line {line}", "", fault)
        else:
            sound[name] = id_of_name[name]
    return list(sound.values()), list(sound)


def _gather_objects(annotations: Sequence[VocAnnotation | None]) -> list[BoxRecord]:
    return [
        box._replace(image=row)
        for row, annotation in enumerate(annotations)
        if annotation
        for box in annotation.objects
    ]


def _list_paths(devkit_dir: str, names: Sequence[str]) -> list[str]:
    folder = os.path.join(devkit_dir, "JPEGImages")
    there = _list_folder(folder)
    paths = []
    for name in names:
        candidates = [f"{name}{extension}" for extension in _EXTENSIONS]
        # A missing image is named by the one that VOC itself would have.
        file = next((c for c in candidates if c in there), candidates[0])
        paths.append(os.path.join(folder, file))
    return paths


def _list_folder(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    # What is missing is missed, and told, by name.
    except OSError:
        return set()


def _number_images(names: list[str]) -> list[int]:
    digits = ["".join(c for c in name if c in "0123456789") for name in names]
    # 18 digits always fit into 64 bits.
    if all(0 < len(d) <= 18 for d in digits):
        numbers = [int(d) for d in digits]
        if len(set(numbers)) == len(numbers):
            return numbers
    return list(range(1, len(names) + 1))
