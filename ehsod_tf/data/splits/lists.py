"""A split from a list of images that somebody wrote by hand or with another tool."""

import json
import os
import re
from typing import NamedTuple

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.spelling import find_similar, fold, suggest
from ehsod_tf.data.splits.split import Split, read_split
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet, find_boxed

# A number as it is printed: "00012" is a name. No more digits than int64 holds.
_ID = re.compile("0|[1-9][0-9]{0,18}", re.ASCII)


class _Entry(NamedTuple):
    place: str  # "line 3", "entry 3"
    value: int | str


def split_from_ids(image_set: ImageSet, path: str | os.PathLike) -> Split:
    """The split whose strong images a file names.

    The file holds one image a line, blank lines and lines that begin with ``#`` apart;
    or a JSON list of images; or it is a ``split.json``. An image is named by its id, or
    by its name with or without the extension. A number in a JSON list is always an id.

    Args:
        image_set: the images before any split.
        path: the file.

    Returns:
        A `Split` whose seed is None and whose percentage is the share that the list is
        of the images with boxes; of a ``split.json``, what it says of itself.

    Raises:
        DataError: the file cannot be read or names no image; or it names an image that
            the set lacks, that has no boxes, that was named before, or that could be
            either of two. All entries that are wrong are named together.
    """
    path = os.fspath(path)
    text = read_text(path)
    if text.lstrip().startswith("{"):
        split = read_split(path)
        entries = _enumerate_entries(split.strong_image_ids)
    elif text.lstrip().startswith("["):
        split = None
        entries = _enumerate_entries(_parse_list(path, text))
    else:
        split = None
        entries = _list_lines(text)
    if not entries:
        raise DataError(f"{path}: the list names no image; name at least one")
    rows = _find_rows(image_set, entries, path)
    ids = tuple(sorted(image_set.image_ids[rows].tolist()))
    if split:
        return split._replace(strong_image_ids=ids)
    percent = 100 * len(ids) / int(image_set.has_boxes.sum())
    return Split(seed=None, percent=percent, strong_image_ids=ids)


def _parse_list(path, text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: begins like a JSON list and is none ({error}); correct it"
        ) from error


def _enumerate_entries(values):
    return [_Entry(f"entry {number}", value) for number, value in enumerate(values, 1)]


def _list_lines(text):
    lines = [line.strip() for line in text.splitlines()]
    return [
        _Entry(f"line {number}", line)
        for number, line in enumerate(lines, 1)
        if line and not line.startswith("#")
    ]


def _find_rows(image_set, entries, path):
    """The rows that the entries name, each of them once."""
    found = Findings()
    places = {}
    index = _ImageIndex(image_set)
    for place, value in entries:
        rows = index.find(value)
        fault = _find_fault(image_set, value, rows)
        if not fault and rows[0] in places:
            fault = (
                f"the image {value!r} is named by {places[rows[0]]} already; remove "
                "one of the two"
            )
        if fault:
            found.add(path, place, "", fault)
        else:
            places[rows[0]] = place
    found.settle()
    return list(places)


def _find_fault(image_set, value, rows):
    """What is wrong with an entry that stands for these rows; None if nothing is."""
    if type(value) not in (int, str):
        return f"{value!r} is neither an image id nor an image name; correct it"
    if not rows:
        similar = find_similar(str(value), image_set.image_names)
        if similar and fold(similar[0]) == fold(str(value)):
            remedy = suggest(str(value), similar)
        else:
            remedy = "correct it, or give the data set that the list was made for"
        return f"no image has the id or the name {value!r}; {remedy}"
    if len(rows) > 1:
        meant = " or ".join(
            f"{image_set.image_names[row]!r} (id {image_set.image_ids[row]})"
            for row in rows
        )
        return f"{value!r} may be the image {meant}; give the name with its extension"
    if not find_boxed(image_set.class_states[rows[0]]):
        return f"the image {value!r} has no boxes; annotate it or take it off the list"
    return None


class _ImageIndex:
    """Rows of an image set by everything that an image may be called."""

    def __init__(self, image_set):
        self._by_id = {}
        self._by_name = {}
        columns = (image_set.image_ids.tolist(), image_set.image_names, image_set.paths)
        for row, (image_id, name, path) in enumerate(zip(*columns, strict=True)):
            self._by_id[image_id] = row
            # VOC's names come without the extension that the files have.
            extension = os.path.splitext(path)[1]
            stem = name.removesuffix(extension)
            for form in {name, stem, stem + extension}:
                self._by_name.setdefault(form, []).append(row)

    def find(self, value):
        """Rows that an id or a name may stand for, ascending."""
        if type(value) is int:
            return [self._by_id[value]] if value in self._by_id else []
        if type(value) is not str:
            return []
        rows = set(self._by_name.get(value, []))
        if _ID.fullmatch(value):
            rows.update(self.find(int(value)))
        return sorted(rows)
