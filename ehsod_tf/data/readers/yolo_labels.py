"""The label files of YOLO: a class and a box, or an outline, a line."""

from array import array
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.supervision import ImageTable
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

# Shares of the image; outlines and boxes may reach a little beyond it.
_LOWEST, _HIGHEST = -1.0, 2.0


class YoloLabels(NamedTuple):
    """The lines of all label files, as columns.

    Attributes:
        images: [T] int64, row of the image.
        classes: [T] int64 class numbers.
        shares: [T, 4] float64 (ymin, xmin, ymax, xmax), of the image's height, width.
        num_outlines: how many are boxes around outlines.
        has_file: [I] bool.
    """

    images: np.ndarray
    classes: np.ndarray
    shares: np.ndarray
    num_outlines: int
    has_file: np.ndarray


class _LineError(Exception):
    """A line is wrong; arguments: field, message."""


def read_labels(
    files: list[str],
    images: ImageTable,
    num_classes: int,
    has_keypoints: bool,
    findings: Findings,
) -> YoloLabels:
    """Reads the label files of all images; the images of faulty ones are not sound.

    Args:
        files: a path for each image; a file that is missing is no problem.
        images: their `sound` is changed in place.
        num_classes: numbers from this on are problems.
        has_keypoints: a line is a box, and what follows belongs to its key points.
        findings: takes the problems.
    """
    # Six numbers a line: image, class, box.
    numbers = array("d")
    has_file = np.zeros(len(files), bool)
    num_outlines = 0
    for row, path in enumerate(files):
        try:
            with open(path, encoding="utf-8-sig") as file:
                text = file.read()
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            findings.add(path, *_describe_unreadable(path))
            images.sound[row] = False
            continue
        has_file[row] = True
        # Python takes "1_0" and Arabic digits for numbers too.
        is_plain = text.isascii() and "_" not in text
        for number, line in enumerate(text.split("\n"), start=1):
            parts = line.split()
            if not parts:
                continue
            try:
                values, is_outline = _read_line(
                    parts, is_plain, num_classes, has_keypoints
                )
            except _LineError as error:
                findings.add(path, f"line {number}", *error.args)
                images.sound[row] = False
                continue
            numbers.append(row)
            numbers.extend(values)
            num_outlines += is_outline
    table = np.array(numbers, np.float64).reshape(-1, 6)
    return YoloLabels(
        table[:, 0].astype(np.int64),
        table[:, 1].astype(np.int64),
        table[:, 2:],
        num_outlines,
        has_file,
    )


def _describe_unreadable(path: str) -> tuple[str, str, str]:
    """Returns record, field and message of the problem with a file."""
    try:
        read_text(path)
    except DataError as error:
        place, _, message = str(error).removeprefix(path).partition(": ")
        return place.removeprefix(", "), "", message
    return "", "", "was changed while it was read; start again"


def _read_line(
    parts: list[str], is_plain: bool, num_classes: int, has_keypoints: bool
) -> tuple[list[float], bool]:
    """Returns class number and (ymin, xmin, ymax, xmax), and whether of an outline."""
    try:
        number, *shares = map(float, parts)
    except ValueError:
        raise _LineError("", _describe_words(parts)) from None
    if has_keypoints:
        shares = shares[:4]
    # Written so that a NaN fails too.
    if not (0 <= number < num_classes and number == int(number)):
        raise _LineError(
            "class",
            f"{parts[0][:20]!r} is not the number of a class, 0 to "
            f"{num_classes - 1}; correct it or add the class to names",
        )
    for share in shares:
        if not (_LOWEST <= share <= _HIGHEST and is_plain):
            raise _LineError(
                "box",
                f"{' '.join(parts[1:5])[:60]!r} are not shares of the image from 0 to "
                "1; divide pixels by its width and height",
            )
    if len(shares) == 4:
        x, y, width, height = shares
        if width < 0 or height < 0:
            raise _LineError(
                "box",
                f"width {width:g} and height {height:g}; neither may be negative",
            )
        box = [y - height / 2, x - width / 2, y + height / 2, x + width / 2]
        return [number, *box], False
    if len(shares) < 6 or len(shares) % 2:
        raise _LineError("", _describe_count(len(parts)))
    xs, ys = shares[::2], shares[1::2]
    return [number, min(ys), min(xs), max(ys), max(xs)], True


def _describe_words(parts: list[str]) -> str:
    return (
        f"{' '.join(parts)[:60]!r} is not a class number with a box, all separated by "
        "blanks; correct it"
    )


def _describe_count(number: int) -> str:
    hint = "; a score at the end means a machine's box" if number == 6 else ""
    return (
        f"{count(number, 'number')}; a box has 5 (class, x and y of the centre, "
        f"width, height), an outline 7 or a larger odd number{hint}; correct it"
    )
