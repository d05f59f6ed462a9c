"""The tables of Open Images: boxes and labels as rows, checked one by one."""

import csv
import math
from collections.abc import Collection, Iterator, Mapping
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.spelling import suggest
from ehsod_tf.data.text_files import require_utf8
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

BOX_COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")


class BoxRow(NamedTuple):
    """One box.

    Attributes:
        line: its number in the file, from 1.
        image_id: as the table has it.
        class_code: likewise, such as "/m/01yrx".
        shares: (ymin, xmin, ymax, xmax) in shares of the image.
        is_group: it encloses several objects that are not boxed one by one.
    """

    line: int
    image_id: str
    class_code: str
    shares: tuple[float, float, float, float]
    is_group: bool


class LabelRow(NamedTuple):
    """One label of an image.

    Attributes:
        line, image_id, class_code: as of `BoxRow`.
        is_present: verified present or verified absent; None for a machine's label.
    """

    line: int
    image_id: str
    class_code: str
    is_present: bool | None


class Spoiled(NamedTuple):
    """What is wrong with a row; the image is left out.

    Attributes:
        line: its number in the file.
        image_id: of the row, "" where it has none.
        field: the column at fault.
        message: what is wrong, and what to do.
    """

    line: int
    image_id: str
    field: str
    message: str


def read_boxes(
    path: str, image_ids: Collection[str], codes: Collection[str] | None
) -> Iterator[BoxRow | Spoiled]:
    """Reads the rows of a table of boxes that are of these images.

    Args:
        path: of the table.
        image_ids: the images; rows of others are passed over.
        codes: the known classes; None takes all.

    Raises:
        DataError: the file cannot be read, is no such table, or breaks off.
    """
    for line, row in _read_rows(path, BOX_COLUMNS, image_ids):
        yield row if isinstance(row, Spoiled) else _read_box(line, row, codes)


def read_labels(
    path: str, image_ids: Collection[str], codes: Collection[str] | None
) -> Iterator[LabelRow | Spoiled]:
    """Reads the rows of a table of labels; see `read_boxes`."""
    for line, row in _read_rows(path, LABEL_COLUMNS, image_ids):
        yield row if isinstance(row, Spoiled) else _read_label(line, row, codes)


def _read_rows(
    path: str, required: Collection[str], image_ids: Collection[str]
) -> Iterator[tuple[int, Mapping[str, str] | Spoiled]]:
    """Yields the lines and rows of these images, and of those that name none."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(path, header, required)
            place = header.index("ImageID")
            for cells in reader:
                line = reader.line_num
                image_id = cells[place] if place < len(cells) else ""
                # A row that names no image may be of one of these.
                if not cells or (image_id and image_id not in image_ids):
                    continue
                if len(cells) != len(header):
                    message = f"{count(len(cells), 'cell')}, but {len(header)} columns"
                    yield line, Spoiled(line, image_id, "", f"{message}; correct it")
                elif not image_id:
                    message = "is empty; name an image, or remove the row"
                    yield line, Spoiled(line, "", "ImageID", message)
                else:
                    yield line, dict(zip(header, cells, strict=True))
    except UnicodeDecodeError:
        require_utf8(path)
        raise
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: not a line of a CSV file ({error}); "
            "check its quotes"
        ) from error
    # ValueError: a path that holds a NUL.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); check the path") from error


def _check_header(path: str, header: list[str], required: Collection[str]) -> None:
    for name in required:
        if name not in header:
            shown = shorten(",".join(header))
            raise DataError(
                f"{path}, line 1: no column {name!r} in {shown}; the table needs "
                f"{','.join(required)}"
            )
    for name in header:
        if header.count(name) > 1:
            raise DataError(
                f"{path}, line 1: column {shorten(name)} occurs twice; keep one"
            )


def _read_box(
    line: int, row: Mapping[str, str], codes: Collection[str] | None
) -> BoxRow | Spoiled:
    def spoil(field: str, message: str) -> Spoiled:
        return Spoiled(line, row["ImageID"], field, message)

    code = row["LabelName"]
    if fault := _find_code_fault(code, codes):
        return spoil("LabelName", fault)
    shares = []
    for field in ("YMin", "XMin", "YMax", "XMax"):
        share = _read_number(row[field])
        # Written so that NaN fails too.
        if not -0.01 <= share <= 1.01:
            return spoil(
                field, f"{shorten(row[field])} is no share of the image, 0 to 1"
            )
        shares.append(share)
    for axis, low, high in (("Y", 0, 2), ("X", 1, 3)):
        if shares[high] < shares[low]:
            message = f"{shares[high]:g} is less than {axis}Min, {shares[low]:g}"
            return spoil(f"{axis}Max", f"{message}; correct the box")
    if _read_number(row.get("Confidence", "1")) != 1:
        return spoil(
            "Confidence",
            f"{shorten(row['Confidence'])} is not 1: a machine's boxes are a source of "
            "their own, see read_machine_boxes",
        )
    is_group = row.get("IsGroupOf", "0").strip()
    # -1: nobody has looked.
    if is_group not in ("0", "1", "-1"):
        return spoil("IsGroupOf", f"{shorten(is_group)} is not 0, 1 or -1; correct it")
    return BoxRow(line, row["ImageID"], code, tuple(shares), is_group == "1")


def _read_label(
    line: int, row: Mapping[str, str], codes: Collection[str] | None
) -> LabelRow | Spoiled:
    if fault := _find_code_fault(row["LabelName"], codes):
        return Spoiled(line, row["ImageID"], "LabelName", fault)
    confidence = _read_number(row["Confidence"])
    if not 0 <= confidence <= 1:
        message = f"{shorten(row['Confidence'])} is not from 0 to 1; correct it"
        return Spoiled(line, row["ImageID"], "Confidence", message)
    is_present = {1.0: True, 0.0: False}.get(confidence)
    return LabelRow(line, row["ImageID"], row["LabelName"], is_present)


def _find_code_fault(code: str, codes: Collection[str] | None) -> str | None:
    if not code.strip() or not code.isprintable():
        return f"{shorten(code)} is no class; correct it"
    if codes is not None and code not in codes:
        return f"no class is called {shorten(code)}; {suggest(code, codes)}"
    return None


def _read_number(text: str) -> float:
    try:
        # Python takes "1_000" for a number too.
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def name_problem(spoiled: Spoiled, path: str, findings: Findings) -> None:
    """Adds the problem of a row."""
    findings.add(path, f"line {spoiled.line}", spoiled.field, spoiled.message)
