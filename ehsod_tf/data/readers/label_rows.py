"""Rows of a table of image-level labels, in either of its two shapes."""

from collections.abc import Iterator, Mapping, Sequence
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data.image_files import find_path_fault
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.csv_tables import (
    NAME_COLUMNS,
    CsvTable,
    find_name_column,
    iterate_lines,
    read_csv_table,
    require_columns,
)
from ehsod_tf.data.spelling import suggest
from ehsod_tf.errors import DataError

_LABELS, _LABEL, _ABSENT_LABELS = "labels", "label", "absent_labels"
_MARKS = {
    **dict.fromkeys(("1", "1.0", "true"), True),
    **dict.fromkeys(("0", "0.0", "false"), False),
    "": None,
}
_REMEDY = (
    "begin the file with file_name,labels, or with file_name and a column of 0 and 1 "
    "for each class"
)


class LabelRow(NamedTuple):
    """One line of the table.

    Attributes:
        line: its number in the file, from 1.
        file_name: of the image.
        labels: names of the classes that it shows.
        absent_labels: names of classes that it does not show.
        is_wide: the table has a column for each class that it knows.
    """

    line: int
    file_name: str
    labels: list[str]
    absent_labels: list[str]
    is_wide: bool


def has_labels(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table, by its first rows, is one of image-level labels.

    Args:
        rows: cells; those of the header first.
    """
    columns = [cell.strip() for cell in rows[0]] if rows else []
    if find_name_column(columns) is None:
        return False
    return _find_labels(columns) in columns or _is_wide(columns, rows[1:])


def read_label_rows(path: str, findings: Findings) -> Iterator[LabelRow]:
    """Yields the sound lines of a table.

    Args:
        path: of the file.
        findings: takes the problems of single lines.

    Raises:
        DataError: the file cannot be read or has other columns.
    """
    table = read_csv_table(path)
    is_wide = _is_wide(table.columns, [cells for _, cells in table.lines])
    field = _find_labels(table.columns)
    require_columns(table, (table.name,) if is_wide else (table.name, field), _REMEDY)
    if not is_wide:
        _refuse_strangers(table, field)
    advice = "" if is_wide else ", and separate labels by semicolons"
    for line, texts in iterate_lines(table, findings, advice):
        name = texts.pop(table.name)
        if fault := find_path_fault(name.strip()):
            findings.add(path, f"line {line}", table.name, fault)
            continue
        if is_wide:
            labels = _read_marks(texts, path, line, findings)
        else:
            labels = (_split(texts[field]), _split(texts.get(_ABSENT_LABELS, "")))
        if labels is not None:
            yield LabelRow(line, name, *labels, is_wide)


def _find_labels(columns: Sequence[str]) -> str:
    """The column of labels; of a table of something else, one that it lacks."""
    is_ours = {*columns} <= {*NAME_COLUMNS, _LABEL, _ABSENT_LABELS}
    return _LABEL if is_ours and _LABEL in columns else _LABELS


def _is_wide(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether each class has a column, of 1 where an image shows it and 0 else."""
    if _find_labels(columns) in columns:
        return False
    places = [i for i, name in enumerate(columns) if name not in NAME_COLUMNS]
    whole = [row for row in rows if len(row) == len(columns)]
    cells = [row[i].strip() for row in whole for i in places]
    filled = [cell for cell in cells if cell]
    # A few that are wrong are problems of their lines.
    return 2 * sum(cell.lower() in _MARKS for cell in filled) > len(filled)


def _refuse_strangers(table: CsvTable, field: str) -> None:
    known = (table.name, field, _ABSENT_LABELS)
    for name in table.columns:
        if name not in known:
            raise DataError(
                f"{table.path}, line 1: unknown column {name!r}; {suggest(name, known)}"
            )


def _split(cell: str) -> list[str]:
    return [label.strip() for label in cell.split(";") if label.strip()]


def _read_marks(
    texts: Mapping[str, str], path: str, line: int, findings: Findings
) -> tuple[list[str], list[str]] | None:
    """The present and the absent classes of a line with a cell for each class."""
    found: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for name, cell in texts.items():
        mark = cell.strip().lower()
        if mark not in _MARKS:
            message = (
                f"{shorten(cell)} is no mark; write 1 for a class that is there, 0 for "
                "one that is not, nothing if it is unknown"
            )
            findings.add(path, f"line {line}", name, message)
            return None
        found[_MARKS[mark]].append(name)
    return found[True], found[False]
