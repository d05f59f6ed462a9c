"""Reader of tables with a line for each box."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ehsod_tf.data import label_states
from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import (
    AnnotatedImage,
    Box,
    NamedBox,
    assemble_annotated_images,
    list_bare_images,
)
from ehsod_tf.data.readers.csv_tables import (
    CsvTable,
    find_name_column,
    iterate_lines,
    read_csv_table,
    require_columns,
)
from ehsod_tf.data.readers.image_folder import FileIndex, list_image_files
from ehsod_tf.data.readers.xml_files import quote, read_number
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count

_CORNERS = ("ymin", "xmin", "ymax", "xmax")
_EXTENTS = ("bbox_y", "bbox_x", "bbox_height", "bbox_width")
_CLASSES = ("class", "label", "label_name")
_SIZES = (("height", "width"), ("image_height", "image_width"))
_LIMIT = 2.0**31
_REMEDY = "begin the file with filename,width,height,class,xmin,ymin,xmax,ymax"


class _Columns(NamedTuple):
    """What the columns of a table are called.

    Attributes:
        label: the class.
        box: those of `_CORNERS` or `_EXTENTS`.
        size: height and width of the image.
    """

    label: str
    box: tuple[str, ...]
    size: tuple[str, ...]


class _LineError(Exception):
    """A line is wrong; arguments: field, message."""


class _Line(NamedTuple):
    """One line.

    Attributes:
        record: what problems call it.
        size: (height, width), 0 where the table does not say.
        found: its object; None of an image that shows none.
    """

    record: str
    size: tuple[int, int]
    found: NamedBox | None


def has_boxes(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table, by its header, has a line for each box."""
    given = [cell.strip() for cell in rows[0]] if rows else []
    columns = _name_columns(given)
    has_names = find_name_column(given) is not None
    return has_names and {columns.label, *columns.box} <= {*given}


def _name_columns(given: Sequence[str]) -> _Columns:
    label = next((name for name in _CLASSES if name in given), _CLASSES[0])
    box = _EXTENTS if {*_EXTENTS} <= {*given} else _CORNERS
    return _Columns(label, box, _SIZES[1] if _SIZES[1][0] in given else _SIZES[0])


@collects_or_raises
def read_box_csv(
    csv_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads ``filename,width,height,class,xmin,ymin,xmax,ymax``, a line for each box.

    So write Roboflow ("TensorFlow Object Detection CSV"), the scripts that make a table
    of VOC's XML files, and VoTT. Make Sense has corner, width and height of a box
    instead: ``bbox_x,bbox_y,bbox_width,bbox_height``. All is in pixels, from the edge
    of the image. A line with nothing but a name is an image without any object.

    Args:
        csv_file: UTF-8, columns in any order, separated by commas, semicolons or tabs;
            ``width`` and ``height`` may be missing. Also ``file_name``, ``image`` and
            ``image_name``; ``label`` and ``label_name``; ``image_width`` and
            ``image_height``. Other columns are passed over.
        image_dir: the folder that holds the images, at any depth.
        class_names: selects and orders the classes. None takes all, by name.
        unannotated: what an image of the folder is that the table does not name:
            "leave_out" or "empty".
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, whose ids are made of their names.

    Raises:
        DataError: the file cannot be read, has other columns or no pixels, or a class
            name is unknown; without `findings`, also any problem of a single line.
        ConfigError: `unannotated` is neither of the two.
    """
    label_states.require_reading_choices(unannotated=unannotated)
    path, image_dir = os.fspath(csv_file), os.fspath(image_dir)
    table = read_csv_table(path)
    columns = _name_columns(table.columns)
    require_columns(table, (table.name, columns.label, *columns.box), _REMEDY)
    _note_others(table, columns, findings)
    names = list_image_files(image_dir, findings)
    index = FileIndex(names)
    images = _read_images(table, columns, index, image_dir, findings)
    index.note(path, findings)
    _refuse_shares(images, path)
    images += list_bare_images(image_dir, names, images)
    return assemble_annotated_images(
        images,
        sorted({item.class_name for image in images for item in image.objects}),
        class_names=class_names,
        source=path,
        unannotated=unannotated,
        findings=findings,
    )


def _note_others(table: CsvTable, columns: _Columns, findings: Findings) -> None:
    known = (table.name, columns.label, *columns.box, *columns.size)
    others = [name for name in table.columns if name not in known]
    if others:
        findings.note(
            f"{table.path}: {count(len(others), 'other column')} passed over "
            f"({name_first(others)})"
        )


def _read_images(
    table: CsvTable,
    columns: _Columns,
    index: FileIndex,
    image_dir: str,
    findings: Findings,
) -> list[AnnotatedImage]:
    def find(given: str) -> str:
        # The check of the image files says that one is missing.
        return index.find_by_name(given.strip()) or given.strip()

    # A line that is too short to be read may be a box of its image.
    place = table.columns.index(table.name)
    width = len(table.columns)
    odd = [cells for _, cells in table.lines if place < len(cells) != width]
    bad_names = {find(cells[place]) for cells in odd}
    lines_of_name: dict[str, list[_Line]] = {name: [] for name in sorted(bad_names)}
    for line, texts in iterate_lines(table, findings):
        name = find(texts[table.name])
        lines = lines_of_name.setdefault(name, [])
        try:
            lines.append(_read_line(f"line {line}", texts, columns))
            _require_one_size(lines, columns)
        except _LineError as error:
            findings.add(table.path, f"line {line}", *error.args)
            bad_names.add(name)
    return [
        AnnotatedImage(
            lines[0].record if lines else f"image {name}",
            name,
            os.path.join(image_dir, name),
            lines[0].size if lines else (0, 0),
            [line.found for line in lines if line.found is not None],
            [],
            is_boxed=True,
            is_sound=name not in bad_names,
        )
        for name, lines in lines_of_name.items()
    ]


def _read_line(record: str, texts: Mapping[str, str], columns: _Columns) -> _Line:
    height, width = (_read_side(texts.get(field, ""), field) for field in columns.size)
    label = texts[columns.label].strip()
    if not label and not any(texts[field].strip() for field in columns.box):
        return _Line(record, (height, width), None)
    if not label or not is_plain_text(label):
        raise _LineError(columns.label, f"{quote(label)} is no class; name one")
    box = _read_box(texts, columns.box)
    return _Line(record, (height, width), NamedBox(label, box))


def _read_box(texts: Mapping[str, str], fields: Sequence[str]) -> Box:
    numbers = []
    for field in fields:
        number = read_number(texts[field])
        # Written so that a NaN fails too.
        if not abs(number) < _LIMIT:
            message = f"{quote(texts[field])} is not a number of pixels; correct it"
            raise _LineError(field, message)
        numbers.append(number)
    first_y, first_x, *others = numbers
    if fields == _EXTENTS:
        others = [first_y + others[0], first_x + others[1]]
    for first, last, field in zip((first_y, first_x), others, fields[2:], strict=True):
        if last < first:
            message = f"the box ends at {last:g}, before it begins at {first:g}"
            raise _LineError(field, f"{message}; correct it")
    return first_y, first_x, *others


def _read_side(text: str, field: str) -> int:
    """A height or width, 0 if there is none."""
    number = read_number(text) if text.strip() else 0.0
    if math.isnan(number) or not 0 <= number < _LIMIT or number != int(number):
        message = f"{quote(text)} is not a whole number of pixels; correct it"
        raise _LineError(field, message)
    return int(number)


def _require_one_size(lines: Sequence[_Line], columns: _Columns) -> None:
    first, last = lines[0], lines[-1]
    for axis, field in enumerate(columns.size):
        if first.size[axis] != last.size[axis]:
            raise _LineError(
                field,
                f"{last.size[axis]}, but {first.size[axis]} in {first.record} of the "
                "same image; correct one of them",
            )


def _refuse_shares(images: Sequence[AnnotatedImage], path: str) -> None:
    boxes = [item.box for image in images for item in image.objects]
    if boxes and max(map(max, boxes)) <= 1:
        raise DataError(
            f"{path}: no corner is above 1, so that they seem to be shares of the "
            "image's sides; write pixels"
        )
