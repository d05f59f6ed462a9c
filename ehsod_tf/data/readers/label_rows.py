"""Rows of a table of image-level labels, in either of its two shapes."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data.image_files import find_path_fault, is_plain_text
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.spelling import suggest
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

NAME_COLUMNS = ("file_name", "filename")
LABELS, ABSENT_LABELS = "labels", "absent_labels"
# Spreadsheets write semicolons where a comma is the decimal sign.
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_MARKS = {"1": True, "1.0": True, "0": False, "0.0": False, "": None}


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
    is_wide: bool = False


class _Header(NamedTuple):
    """The first line.

    Attributes:
        columns: its cells without blanks at their ends.
        delimiter: what stands between them.
        name: the column of the file names.
    """

    columns: list[str]
    delimiter: str
    name: str


def split_header(line: str) -> tuple[list[str], str]:
    """Returns the columns of a table's first line, and what stands between them."""
    found = max(_DELIMITERS, key=line.count)
    cells = next(csv.reader([line.rstrip("\r\n")], delimiter=found), [])
    return [cell.strip() for cell in cells], found


def has_labels(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table, by its first rows, is one of image-level labels.

    Args:
        rows: cells; those of the header first.
    """
    columns = [cell.strip() for cell in rows[0]] if rows else []
    if not set(NAME_COLUMNS) & set(columns):
        return False
    return LABELS in columns or _is_wide(columns, rows[1:])


def list_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """The file names in the first rows of a table of labels."""
    columns = [cell.strip() for cell in rows[0]]
    place = columns.index(next(name for name in NAME_COLUMNS if name in columns))
    return [row[place].strip() for row in rows[1:] if len(row) > place]


def read_label_rows(path: str, findings: Findings) -> Iterator[LabelRow]:
    """Yields the sound lines of a table.

    Args:
        path: of the file, UTF-8, its cells separated by commas, semicolons or tabs.
        findings: takes the problems of single lines.

    Raises:
        DataError: the file cannot be read or has other columns.
    """
    text = read_text(path)
    columns, delimiter = split_header(text.partition("\n")[0])
    content = io.StringIO(text, newline="")
    reader = csv.reader(content, delimiter=delimiter, strict=True)
    try:
        next(reader, None)
        # The csv module gives an empty line as no cells.
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not a line of a CSV file ({error}); "
            "check its quotes"
        ) from error
    name = next((name for name in NAME_COLUMNS if name in columns), NAME_COLUMNS[0])
    header = _Header(columns, delimiter, name)
    is_wide = _is_wide(columns, [cells for _, cells in lines])
    _check_header(header, is_wide, path)
    for line, cells in lines:
        texts = _name_cells(cells, header, path, line, findings)
        if texts is None:
            continue
        labels = (
            _read_marks(texts, name, path, line, findings)
            if is_wide
            else _split_labels(texts)
        )
        if labels is not None:
            yield LabelRow(line, texts[name], *labels, is_wide)


def _is_wide(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether each class has a column, of 1 where an image shows it and 0 else."""
    if LABELS in columns:
        return False
    places = [i for i, name in enumerate(columns) if name not in NAME_COLUMNS]
    whole = [row for row in rows if len(row) == len(columns)]
    cells = [row[i].strip() for row in whole for i in places]
    filled = [cell for cell in cells if cell]
    # A few that are wrong are problems of their lines.
    return 2 * sum(cell in _MARKS for cell in filled) > len(filled)


def _check_header(header: _Header, is_wide: bool, path: str) -> None:
    columns = header.columns
    if not all(map(is_plain_text, columns)):
        raise DataError(f"{path}, line 1: not a header; begin with file_name,labels")
    for name in (header.name,) if is_wide else (header.name, LABELS):
        if name not in columns:
            raise DataError(
                f"{path}, line 1: no column {name!r} in "
                f"{shorten(header.delimiter.join(columns))}; begin the file with "
                "file_name,labels, or with file_name and a column of 0 and 1 for each "
                "class"
            )
    for name in columns:
        if not name:
            raise DataError(
                f"{path}, line 1: a column has no name; name it, or take it away"
            )
        if not is_wide and name not in (header.name, LABELS, ABSENT_LABELS):
            remedy = suggest(name, (header.name, LABELS, ABSENT_LABELS))
            raise DataError(f"{path}, line 1: unknown column {name!r}; {remedy}")
        if columns.count(name) > 1:
            raise DataError(f"{path}, line 1: column {name!r} occurs twice; keep one")


def _name_cells(
    cells: list[str], header: _Header, path: str, line: int, findings: Findings
) -> dict[str, str] | None:
    """The cells of a sound line by their columns."""
    if len(cells) != len(header.columns):
        message = (
            f"{count(len(cells), 'cell')}, but "
            f"{count(len(header.columns), 'column')}; quote a cell that holds "
            f"{_DELIMITERS[header.delimiter]}, and separate labels by semicolons"
        )
        findings.add(path, f"line {line}", "", message)
        return None
    texts = dict(zip(header.columns, cells, strict=True))
    if fault := find_path_fault(texts[header.name].strip()):
        findings.add(path, f"line {line}", header.name, fault)
        return None
    return texts


def _split_labels(texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The present and the absent labels of a line with one cell for each."""
    present, absent = (
        [label.strip() for label in texts.get(field, "").split(";") if label.strip()]
        for field in (LABELS, ABSENT_LABELS)
    )
    return present, absent


def _read_marks(
    texts: Mapping[str, str], name: str, path: str, line: int, findings: Findings
) -> tuple[list[str], list[str]] | None:
    """The present and the absent classes of a line with a cell for each class."""
    found: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for column, cell in texts.items():
        if column == name:
            continue
        if cell.strip() not in _MARKS:
            message = (
                f"{shorten(cell)} is no mark; write 1 for a class that is there, 0 for "
                "one that is not, nothing if it is unknown"
            )
            findings.add(path, f"line {line}", column, message)
            return None
        found[_MARKS[cell.strip()]].append(column)
    return found[True], found[False]
