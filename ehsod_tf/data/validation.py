"""Checks of a data set before any training starts, reported all at once."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from ehsod_tf.errors import DataError
from ehsod_tf.structures import PRESENT, ImageSet

# What tf.io.decode_image reads.
IMAGE_FORMATS = ("BMP", "GIF", "JPEG", "PNG")

# Annotators' tools round outwards, so that a box may end up to a pixel beyond the edge.
EDGE_TOLERANCE = 1.0

_NAMED_PROBLEMS = 10


class Problem(NamedTuple):
    """One thing that is wrong, and where.

    Attributes:
        file: path of the file or folder.
        record: the record in it, e.g. "annotation 17"; "" for the file as a whole.
        field: the field of the record, e.g. "bbox"; "" for the record as a whole.
        message: what is wrong and what to do about it.
    """

    file: str
    record: str
    field: str
    message: str

    def __str__(self) -> str:
        place = ", ".join(part for part in self[:3] if part)
        return f"{place}: {self.message}"


def raise_problems(problems: list[Problem]) -> None:
    """Raises one DataError that names the problems; does nothing if there are none.

    A single problem makes a message of one line. Of several, the first ten follow a
    heading, one on each line.
    """
    if not problems:
        return
    if len(problems) == 1:
        raise DataError(str(problems[0]))
    lines = [f"{len(problems)} problems in the data:"]
    lines += [f"  {problem}" for problem in problems[:_NAMED_PROBLEMS]]
    if len(problems) > _NAMED_PROBLEMS:
        lines.append(f"  and {len(problems) - _NAMED_PROBLEMS} more")
    raise DataError("\n".join(lines))


def check_class_names(
    class_names: Iterable[str], known_names: Iterable[str], source: str
) -> None:
    """Raises DataError for an unknown, repeated or missing class name."""
    class_names, known_names = list(class_names), list(known_names)
    if not class_names:
        raise DataError(f"{source}: the class list is empty; name at least one class")
    for position, name in enumerate(class_names):
        if name not in known_names:
            raise DataError(
                f"{source}: no class is called {name!r}; {suggest(name, known_names)}"
            )
        if name in class_names[:position]:
            raise DataError(f"{source}: class {name!r} is listed twice; keep one")


def suggest(name: str, known_names: Iterable[str]) -> str:
    """Says which of the known names were probably meant, or what there is."""
    known_names = list(known_names)
    close = get_close_matches(name, known_names, n=3)
    if close:
        return "did you mean " + " or ".join(map(repr, close)) + "?"
    shown = ", ".join(known_names[:20]) + (", ..." if len(known_names) > 20 else "")
    return f"known are: {shown}"


def validate(image_set: ImageSet, *, check_files: bool = True) -> None:
    """Raises one DataError if the set is not fit for training or evaluation.

    Args:
        image_set: what a reader gave.
        check_files: also look for every image file and read its header, to compare
            its format and size with the annotation.
    """
    if not image_set.image_names:
        raise DataError(
            "the data set holds no image; check the annotation file or list"
        )
    problems = [
        *_find_repeated_ids(image_set),
        *_find_bad_boxes(image_set),
        *_find_missing_annotation(image_set),
    ]
    if check_files:
        problems += _find_bad_files(image_set)
    raise_problems(problems)


def _find_repeated_ids(image_set: ImageSet) -> list[Problem]:
    ids, counts = np.unique(image_set.image_ids, return_counts=True)
    problems = []
    for image_id in ids[counts > 1]:
        rows = np.flatnonzero(image_set.image_ids == image_id)
        names = " and ".join(image_set.image_names[row] for row in rows[:3])
        problems.append(
            Problem(
                image_set.paths[rows[0]],
                f"image {image_id}",
                "id",
                f"{names} share this id; give every image its own",
            )
        )
    return problems


def _find_bad_boxes(image_set: ImageSet) -> list[Problem]:
    image_of_box = np.repeat(
        np.arange(len(image_set.image_names)), np.diff(image_set.row_splits)
    )
    boxes = image_set.boxes
    sizes = image_set.sizes[image_of_box].astype(np.float64)
    is_target = ~image_set.ignored
    infinite = ~np.isfinite(boxes).all(axis=1)
    extents = boxes[:, 2:] - boxes[:, :2]
    # A crowd or difficult object is no target, so a flat box does no harm there.
    empty = (extents < 0).any(axis=1) | ((extents == 0).any(axis=1) & is_target)
    beyond = (boxes[:, :2] < -EDGE_TOLERANCE).any(axis=1)
    beyond |= (boxes[:, 2:] > sizes + EDGE_TOLERANCE).any(axis=1)
    unseen = (boxes[:, 2:] <= 0).any(axis=1) | (boxes[:, :2] >= sizes).any(axis=1)
    outside = beyond | (unseen & is_target)
    faults = (
        (
            infinite,
            "has a coordinate that is not a finite number; correct or remove it",
        ),
        (empty & ~infinite, "has no height or no width; correct or remove it"),
        (
            outside & ~empty & ~infinite,
            "lies outside the image; correct the box or the image size",
        ),
    )
    problems = []
    for mask, message in faults:
        for row in np.flatnonzero(mask):
            image = image_of_box[row]
            message_of_box = f"{_describe_box(image_set, row, image)} {message}"
            problems.append(_image_problem(image_set, image, "box", message_of_box))
    return problems


def _describe_box(image_set: ImageSet, row: int, image: int) -> str:
    ymin, xmin, ymax, xmax = image_set.boxes[row]
    height, width = image_set.sizes[image]
    return (
        f"the {image_set.class_names[image_set.classes[row]]} box "
        f"y {ymin:g}..{ymax:g}, x {xmin:g}..{xmax:g} "
        f"of an image {width} wide and {height} high"
    )


def _find_missing_annotation(image_set: ImageSet) -> list[Problem]:
    if len(image_set.boxes) or (image_set.image_labels == PRESENT).any():
        return []
    names = ", ".join(image_set.class_names)
    return [
        Problem(
            os.path.dirname(image_set.paths[0]),
            f"{len(image_set.image_names)} images",
            "",
            f"no image is annotated with any class of: {names}; check the annotation "
            "file and the class list",
        )
    ]


def _find_bad_files(image_set: ImageSet) -> list[Problem]:
    missing = [i for i, path in enumerate(image_set.paths) if not os.path.isfile(path)]
    if len(missing) == len(image_set.paths):
        return [
            Problem(
                os.path.dirname(image_set.paths[0]),
                "",
                "",
                f"this folder holds none of the {len(missing)} images (the first is "
                f"{os.path.basename(image_set.paths[0])}); check the image folder",
            )
        ]
    problems = [
        _image_problem(
            image_set, row, "", "the file is missing; add it or remove its record"
        )
        for row in missing
    ]
    for row in sorted(set(range(len(image_set.paths))) - set(missing)):
        fault = _find_header_fault(image_set.paths[row], image_set.sizes[row])
        if fault:
            problems.append(_image_problem(image_set, row, *fault))
    return problems


def _find_header_fault(path: str, size: np.ndarray) -> tuple[str, str] | None:
    """Returns (field, message) if the header disagrees with the annotation."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            kind = image.format
    except (UnidentifiedImageError, OSError):
        return "", "the file is not an image that can be read; replace it"
    if kind not in IMAGE_FORMATS:
        return "format", f"{kind} is not read; convert it to one of {IMAGE_FORMATS}"
    if (height, width) != tuple(size):
        return (
            "size",
            f"the file is {width} wide and {height} high, the annotation says "
            f"{size[1]} and {size[0]}; correct the annotation or the file",
        )
    return None


def _image_problem(image_set: ImageSet, row: int, field: str, message: str) -> Problem:
    record = f"image {image_set.image_ids[row]}"
    return Problem(image_set.paths[row], record, field, message)
