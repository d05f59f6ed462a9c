"""Reader of tables with a line for each box, as TensorFlow's tutorials have them."""

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
    NamedBox,
    assemble_annotated_images,
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

_SIDES = ("ymin", "xmin", "ymax", "xmax")
_SIZE = ("height", "width")
_CLASS_COLUMNS = ("class", "label")
_LIMIT = 2.0**31
_REMEDY = "begin the file with filename,width,height,class,xmin,ymin,xmax,ymax"


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
    columns = [cell.strip() for cell in rows[0]] if rows else []
    has_class = any(name in columns for name in _CLASS_COLUMNS)
    return bool(find_name_column(columns)) and has_class and {*_SIDES} <= {*columns}


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

    So write Roboflow ("TensorFlow Object Detection CSV") and the scripts that make a
    table of VOC's XML files. Corners are in pixels, from the edge of the image. A line
    of blanks behind the name is an image without any object.

    Args:
        csv_file: UTF-8, columns in any order, separated by commas, semicolons or tabs;
            ``width`` and ``height`` may be missing, ``file_name`` and ``label`` may
            stand for ``filename`` and ``class``. Other columns are passed over.
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
    label = next((c for c in _CLASS_COLUMNS if c in table.columns), _CLASS_COLUMNS[0])
    require_columns(table, (table.name, label, *_SIDES), _REMEDY)
    _note_others(table, label, findings)
    names = list_image_files(image_dir, findings)
    index = FileIndex(names)
    images = _read_images(table, label, index, image_dir, findings)
    index.note(path, findings)
    _refuse_shares(images, path)
    taken = {image.name for image in images}
    images += [
        AnnotatedImage(
            f"image {name}", name, os.path.join(image_dir, name), (0, 0), [], [], False
        )
        for name in names
        if name not in taken
    ]
    return assemble_annotated_images(
        images,
        sorted({item.class_name for image in images for item in image.objects}),
        class_names=class_names,
        source=path,
        unannotated=unannotated,
        findings=findings,
    )


def _note_others(table: CsvTable, label: str, findings: Findings) -> None:
    known = (table.name, label, *_SIDES, *_SIZE)
    others = [name for name in table.columns if name not in known]
    if others:
        findings.note(
            f"{table.path}: {count(len(others), 'other column')} passed over "
            f"({name_first(others)})"
        )


def _read_images(
    table: CsvTable, label: str, index: FileIndex, image_dir: str, findings: Findings
) -> list[AnnotatedImage]:
    lines_of_name: dict[str, list[_Line]] = {}
    bad_names: set[str] = set()
    for line, texts in iterate_lines(table, findings):
        given = texts[table.name].strip()
        # The check of the image files says that it is missing.
        name = index.find_by_name(given) or given
        lines = lines_of_name.setdefault(name, [])
        try:
            lines.append(_read_line(f"line {line}", texts, label))
            _require_one_size(lines)
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


def _read_line(record: str, texts: Mapping[str, str], label: str) -> _Line:
    size = tuple(_read_side(texts.get(field, ""), field) for field in _SIZE)
    cells = {field: texts[field].strip() for field in (label, *_SIDES)}
    if not any(cells.values()):
        return _Line(record, size, None)
    class_name = cells[label]
    if not class_name or not is_plain_text(class_name):
        raise _LineError(label, f"{quote(class_name)} is no class; name one")
    box = []
    for field in _SIDES:
        number = read_number(cells[field])
        # Written so that a NaN fails too.
        if not abs(number) < _LIMIT:
            message = f"{quote(cells[field])} is not a number of pixels; correct it"
            raise _LineError(field, message)
        box.append(number)
    for first, last in ((0, 2), (1, 3)):
        if box[last] < box[first]:
            message = f"{box[last]:g} is less than {_SIDES[first]}, {box[first]:g}"
            raise _LineError(_SIDES[last], f"{message}; correct the box")
    return _Line(record, size, NamedBox(class_name, tuple(box)))


def _read_side(text: str, field: str) -> int:
    """A height or width, 0 if there is none."""
    number = read_number(text) if text.strip() else 0.0
    if math.isnan(number) or not 0 <= number < _LIMIT or number != int(number):
        message = f"{quote(text)} is not a whole number of pixels; correct it"
        raise _LineError(field, message)
    return int(number)


def _require_one_size(lines: Sequence[_Line]) -> None:
    first, last = lines[0], lines[-1]
    for axis, field in enumerate(_SIZE):
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
