"""CSV files with a line for each image, label or box."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

# What the column of the image's file is called; the first is our own word.
NAME_COLUMNS = ("file_name", "filename", "image_name", "image")
# Spreadsheets write semicolons where a comma is the decimal sign.
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


class CsvTable(NamedTuple):
    """A file, taken apart.

    Attributes:
        path: of the file.
        columns: cells of its first line, without blanks at their ends.
        delimiter: what stands between cells.
        name: the column of file names; the first of `NAME_COLUMNS` if there is none.
        lines: number of the line in the file, from 1, and cells.
    """

    path: str
    columns: list[str]
    delimiter: str
    name: str
    lines: list[tuple[int, list[str]]]


def split_header(line: str) -> tuple[list[str], str]:
    """Returns the columns of a table's first line, and what stands between them."""
    delimiter = max(_DELIMITERS, key=line.count)
    cells = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    return [cell.strip() for cell in cells], delimiter


def find_name_column(columns: Sequence[str]) -> str | None:
    """The column of file names, None if there is none."""
    return next((name for name in NAME_COLUMNS if name in columns), None)


def list_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """The file names in the first rows of a table that has them, header first."""
    columns = [cell.strip() for cell in rows[0]]
    place = columns.index(find_name_column(columns))
    return [row[place].strip() for row in rows[1:] if len(row) > place]


def read_csv_table(path: str) -> CsvTable:
    """Reads a table in UTF-8, its cells separated by commas, semicolons or tabs.

    Raises:
        DataError: the file cannot be read or is no CSV.
    """
    text = read_text(path)
    columns, delimiter = split_header(text.partition("\n")[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        next(reader, None)
        # The csv module gives an empty line as no cells.
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not a line of a CSV file ({error}); "
            "check its quotes"
        ) from error
    name = find_name_column(columns) or NAME_COLUMNS[0]
    return CsvTable(path, columns, delimiter, name, lines)


def require_columns(table: CsvTable, needed: Sequence[str], remedy: str) -> None:
    """Checks the first line.

    Raises:
        DataError: it is no text, lacks a column, or has one twice or without a name.
    """
    place = f"{table.path}, line 1"
    if not all(map(is_plain_text, table.columns)):
        raise DataError(f"{place}: not a header; {remedy}")
    for name in needed:
        if name not in table.columns:
            written = table.delimiter.join(table.columns)
            written = written if len(written) <= 80 else f"{written[:77]}..."
            raise DataError(f"{place}: no column {name!r} in {written!r}; {remedy}")
    for name in table.columns:
        if not name:
            raise DataError(f"{place}: a column has no name; name it, or take it away")
        if table.columns.count(name) > 1:
            raise DataError(f"{place}: column {name!r} occurs twice; keep one")


def iterate_lines(
    table: CsvTable, findings: Findings, advice: str = ""
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the number of each line that has all its cells, and these by column.

    Args:
        table: with the columns that are needed.
        findings: takes the problems of lines.
        advice: what is said besides of a line with too many or too few cells.
    """
    for line, cells in table.lines:
        if len(cells) != len(table.columns):
            message = (
                f"{count(len(cells), 'cell')}, but "
                f"{count(len(table.columns), 'column')}; quote a cell that holds "
                f"{_DELIMITERS[table.delimiter]}{advice}"
            )
            findings.add(table.path, f"line {line}", "", message)
            continue
        yield line, dict(zip(table.columns, cells, strict=True))
