"""Reader of image-level labels in a table."""

import os
import posixpath
from reprlib import repr as shorten

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import assemble_labelled_images
from ehsod_tf.data.image_files import is_plain_text, read_headers
from ehsod_tf.data.problems import Findings, check_class_names, collects_or_raises
from ehsod_tf.data.readers.label_rows import LabelRow, read_label_rows
from ehsod_tf.data.spelling import find_joined_names, refuse_lookalikes, suggest
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ABSENT, UNKNOWN, ImageSet
from ehsod_tf.wording import count


@collects_or_raises
def read_label_csv(
    csv_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads the image-level labels of a CSV file; sizes come from the image headers.

    Args:
        csv_file: UTF-8, with the header ``file_name,labels`` and, if wanted,
            ``absent_labels``; a semicolon separates the labels of a cell. Where
            absent labels are given, all classes in neither cell are unknown. Or with a
            column for each class, of 1 where an image shows it, 0 where not, and
            nothing where that is unknown; classes without column are unknown too. The
            file names may also be called ``filename``, ``image`` or ``image_name``, the
            labels ``label``, and cells may be separated by semicolons or tabs. Several
            lines of one image are one line with all their labels.
        image_dir: the folder that the file names are relative to.
        class_names: orders the classes; another label is a problem, the column of
            another class is left out with a note. None takes all labels of the file,
            sorted.
        unlisted: state of the classes that a line without absent labels does not list,
            "absent" or "unknown".
        unannotated: what becomes of a line without any label: "leave_out", or "empty",
            all classes are absent.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of weak images. `image_ids` are made of the file names.

    Raises:
        DataError: the file cannot be read or has other columns; without `findings`,
            also any problem of a single line.
        ConfigError: `unlisted` or `unannotated` is not one of its choices.
    """
    label_states.require_reading_choices(unlisted, unannotated)
    path = os.fspath(csv_file)
    rows = [
        row._replace(file_name=_trim_name(row.file_name, image_dir))
        for row in read_label_rows(path, findings)
    ]
    rows = _join_lines(rows, path, findings)
    names = {name for row in rows for name in row.labels + row.absent_labels}
    if class_names is None:
        names = {name for name in names if is_plain_text(name)}
        class_names = sorted(n for n in names if not find_joined_names(n, names))
        refuse_lookalikes(class_names, path)
    class_names = tuple(class_names)
    check_class_names(class_names, class_names, path, findings)
    rows = _leave_columns_out(rows, class_names, path, findings)
    rows = [row for row in rows if _check_labels(row, class_names, path, findings)]
    rows = _supervise(rows, path, unannotated, findings)
    paths = [os.path.join(image_dir, row.file_name) for row in rows]
    images = []
    for row, image_path, header in zip(rows, paths, read_headers(paths), strict=True):
        if isinstance(header, DataError):
            findings.add(image_path, f"line {row.line} of {path}", "", str(header))
        else:
            labels = _mark_row(row, class_names, unlisted)
            size = (header.height, header.width)
            images.append((row.file_name, image_path, size, labels))
    label_states.require_annotated_images(len(images), path, findings)
    columns = list(zip(*images, strict=True)) or [(), (), (), ()]
    return assemble_labelled_images(class_names, *map(list, columns))


def _trim_name(name: str, image_dir: str | os.PathLike) -> str:
    """Drops blanks at the ends of a name, unless the file has them too."""
    trimmed = name.strip()
    if trimmed != name and os.path.exists(os.path.join(image_dir, name)):
        return name
    return trimmed


def _join_lines(rows: list[LabelRow], path: str, findings: Findings) -> list[LabelRow]:
    """Makes one line of all those of an image: some tables have a line per label."""
    rows_of_name: dict[str, list[LabelRow]] = {}
    for row in rows:
        rows_of_name.setdefault(posixpath.normpath(row.file_name), []).append(row)
    joined = [
        same[0]._replace(
            labels=list(dict.fromkeys(label for row in same for label in row.labels)),
            absent_labels=list(
                dict.fromkeys(label for row in same for label in row.absent_labels)
            ),
        )
        for same in rows_of_name.values()
    ]
    several = [same[0].file_name for same in rows_of_name.values() if len(same) > 1]
    if several:
        findings.note(
            f"{path}: {count(len(several), 'image')} with several lines, whose labels "
            f"are joined ({label_states.name_first(several)})"
        )
    return joined


def _leave_columns_out(
    rows: list[LabelRow], class_names: tuple[str, ...], path: str, findings: Findings
) -> list[LabelRow]:
    """Of a table with a column for each class, takes the columns of the classes."""
    wide = [row for row in rows if row.is_wide]
    if not wide:
        return rows
    columns = {name for row in wide for name in row.labels + row.absent_labels}
    for name in sorted(columns - set(class_names)):
        remedy = suggest(name, class_names)
        findings.note(f"{path}: column {name!r} is no class and is left out; {remedy}")
    return [
        row._replace(
            labels=[name for name in row.labels if name in class_names],
            absent_labels=[name for name in row.absent_labels if name in class_names],
        )
        for row in rows
    ]


def _check_labels(
    row: LabelRow, class_names: tuple[str, ...], path: str, findings: Findings
) -> bool:
    """Returns whether the labels are known and do not contradict each other."""
    record = f"line {row.line}"
    for field, labels in (("labels", row.labels), ("absent_labels", row.absent_labels)):
        for label in labels:
            if label not in class_names:
                message = find_joined_names(label, class_names) or (
                    f"unknown label {shorten(label)}; {suggest(label, class_names)}"
                )
                findings.add(path, record, field, message)
                return False
    both = sorted(set(row.labels) & set(row.absent_labels))
    if both:
        message = f"{shorten(both[0])} is also among the labels; remove one of them"
        findings.add(path, record, "absent_labels", message)
    return not both


def _supervise(
    rows: list[LabelRow], path: str, unannotated: str, findings: Findings
) -> list[LabelRow]:
    """Leaves out the lines without any label, unless they stand for empty images."""
    if unannotated == "empty":
        return rows
    labelled = [row for row in rows if row.labels or row.absent_labels]
    bare = [row.file_name for row in rows if not (row.labels or row.absent_labels)]
    if bare:
        left_out = {label_states.NO_ANNOTATION: bare}
        findings.note(label_states.describe_kinds(path, 0, len(labelled), left_out))
        findings.count_unannotated(path, len(bare))
    return labelled


def _mark_row(row: LabelRow, class_names: tuple[str, ...], unlisted: str):
    if not row.labels and not row.absent_labels:
        rest = ABSENT
    elif row.absent_labels or row.is_wide:
        rest = UNKNOWN
    else:
        rest = label_states.UNLISTED_STATES[unlisted]
    present, absent = (
        [class_names.index(label) for label in labels]
        for labels in (row.labels, row.absent_labels)
    )
    return label_states.mark_labels(present, absent, len(class_names), rest)
