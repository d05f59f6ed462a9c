"""Reader of Open Images' tables: boxes, group boxes, labels present and absent."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import (
    BoxRecord,
    assemble_columns,
    select_images,
    stack_boxes,
)
from ehsod_tf.data.image_files import (
    IMAGE_EXTENSIONS,
    derive_image_id,
    is_plain_text,
    read_headers,
)
from ehsod_tf.data.problems import Findings, check_class_names, collects_or_raises
from ehsod_tf.data.readers import open_images_tables as tables
from ehsod_tf.data.readers.annotated_images import note_flat_boxes
from ehsod_tf.data.readers.open_images_classes import (
    list_kinds,
    read_class_table,
    read_hierarchy,
)
from ehsod_tf.data.spelling import refuse_lookalikes
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN, ImageSet, combine_states
from ehsod_tf.wording import count

# Of a pixel, to which shares of an image are rounded: a box that was written with
# enough digits comes back as it was.
_DECIMALS = 6


class _Classes(NamedTuple):
    """The chosen classes.

    Attributes:
        names: K names.
        codes: K codes, as the tables have them.
        known: all codes that a table may have, None if there is no list of them.
    """

    names: tuple[str, ...]
    codes: tuple[str, ...]
    known: frozenset[str] | None


@collects_or_raises
def read_open_images(
    image_dir: str | os.PathLike,
    *,
    boxes_csv: str | os.PathLike | None = None,
    labels_csv: str | os.PathLike | None = None,
    classes_csv: str | os.PathLike | None = None,
    hierarchy_json: str | os.PathLike | None = None,
    class_names: tuple[str, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads boxes and verified labels of the images that lie in a folder.

    What is known is a state for each class. A class with boxes is boxed completely, for
    Open Images boxes all objects of such a class; the box of a group is an ignored
    region. A class that is verified present or absent is so, and all others are
    unknown. Of what is absent all kinds are absent too, where the hierarchy is given;
    what is present says nothing of the classes that it is a kind of.

    Args:
        image_dir: the folder of the files, ``<ImageID>.jpg`` at any depth. Rows of
            images that it lacks are passed over, as few have all of them.
        boxes_csv: with ``ImageID``, ``LabelName``, ``XMin``, ``XMax``, ``YMin``,
            ``YMax`` and, if wanted, ``IsGroupOf``.
        labels_csv: with ``ImageID``, ``LabelName``, ``Confidence``: 1 is present, 0 is
            absent; what lies between is a machine's, and left unknown.
        classes_csv: codes and names. Without it the codes are the names.
        hierarchy_json: which class is a kind of which.
        class_names: selects and orders the classes. None takes all that a row of these
            images has, in the order of `classes_csv`, or else by name.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet`; `image_names` are the files' names below the folder, and `image_ids`
        are made of the ImageIDs. Sizes are the files'.

    Raises:
        DataError: a file cannot be read or is of another form, or a class is unknown;
            without `findings`, also any problem of a single row.
        ConfigError: neither boxes nor labels are given.
    """
    if boxes_csv is None and labels_csv is None:
        raise ConfigError("read_open_images needs boxes_csv or labels_csv")
    image_dir = os.fspath(image_dir)
    name_of_id = _list_image_files(image_dir, findings)
    names = read_class_table(classes_csv) if classes_csv else None
    known = frozenset(names) if names else None
    faulty: set[str] = set()
    boxes = _read_table(
        boxes_csv, tables.read_boxes, name_of_id, known, faulty, findings
    )
    labels = _read_table(
        labels_csv, tables.read_labels, name_of_id, known, faulty, findings
    )
    source = os.fspath(boxes_csv or labels_csv)
    classes = _choose_classes(boxes, labels, names, class_names, source, findings)
    below = read_hierarchy(hierarchy_json) if hierarchy_json else {}
    image_ids = sorted({row.image_id for row in (*boxes, *labels)} - faulty)
    num_listed = len(image_ids) + len(faulty & name_of_id.keys())
    findings.count_unannotated(image_dir, len(name_of_id) - num_listed)
    images = _add_sizes(image_ids, name_of_id, image_dir, findings)
    image_set = _assemble(images, boxes, labels, classes, below, source, findings)
    label_states.require_annotated_images(len(image_set.paths), source, findings)
    return image_set


class _Image(NamedTuple):
    image_id: str
    name: str
    path: str
    size: tuple[int, int]


def _list_image_files(image_dir: str, findings: Findings) -> dict[str, str]:
    """Returns the file of each ImageID, relative to the folder."""
    if not os.path.isdir(image_dir):
        raise DataError(f"{image_dir}: there is no such folder; check the path")
    name_of_id: dict[str, str] = {}
    for folder, folders, names in os.walk(image_dir):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            stem, extension = os.path.splitext(name)
            if extension.lower() not in IMAGE_EXTENSIONS or name.startswith("."):
                continue
            path = os.path.relpath(os.path.join(folder, name), image_dir)
            if not is_plain_text(path):
                message = "the name holds a character that is not text; rename it"
                findings.add(image_dir, f"file {path!r}", "", message)
            elif stem in name_of_id:
                message = f"{name_of_id[stem]!r} has this ImageID too; keep one of them"
                findings.add(os.path.join(image_dir, path), "", "ImageID", message)
            else:
                name_of_id[stem] = path.replace(os.sep, "/")
    return name_of_id


def _read_table(path, read, name_of_id, known, faulty: set[str], findings: Findings):
    """The sound rows of a table; notes the images of the others in `faulty`."""
    rows = []
    for row in read(os.fspath(path), name_of_id, known) if path else ():
        if isinstance(row, tables.Spoiled):
            tables.name_problem(row, os.fspath(path), findings)
            faulty.add(row.image_id)
        else:
            rows.append(row)
    return rows


def _choose_classes(
    boxes: Sequence[tables.BoxRow],
    labels: Sequence[tables.LabelRow],
    names: Mapping[str, str] | None,
    class_names: tuple[str, ...] | None,
    source: str,
    findings: Findings,
) -> _Classes:
    used = {row.class_code for row in (*boxes, *labels)}
    if names is None:
        names = {code: code for code in sorted(used)}
        known = None
    else:
        known = frozenset(names)
    if class_names is None:
        class_names = tuple(name for code, name in names.items() if code in used)
        refuse_lookalikes(class_names, source)
    check_class_names(class_names, names.values(), source, findings)
    code_of_name = {name: code for code, name in names.items()}
    codes = tuple(code_of_name.get(name, name) for name in class_names)
    return _Classes(tuple(class_names), codes, known)


def _add_sizes(
    image_ids: Sequence[str],
    name_of_id: Mapping[str, str],
    image_dir: str,
    findings: Findings,
) -> list[_Image]:
    paths = [os.path.join(image_dir, name_of_id[i]) for i in image_ids]
    images = []
    for image_id, path, header in zip(
        image_ids, paths, read_headers(paths), strict=True
    ):
        if isinstance(header, DataError):
            findings.add(path, f"image {image_id}", "", str(header))
        else:
            size = (header.height, header.width)
            images.append(_Image(image_id, name_of_id[image_id], path, size))
    return images


def _assemble(
    images: Sequence[_Image],
    boxes: Sequence[tables.BoxRow],
    labels: Sequence[tables.LabelRow],
    classes: _Classes,
    below: Mapping[str, set[str]],
    source: str,
    findings: Findings,
) -> ImageSet:
    row_of_id = {image.image_id: row for row, image in enumerate(images)}
    class_of_code = {code: index for index, code in enumerate(classes.codes)}
    listed, is_sound = _list_states(
        labels, row_of_id, class_of_code, images, source, findings
    )
    is_boxed = np.zeros(listed.shape, bool)
    is_shown = listed == PRESENT
    objects = []
    for box in boxes:
        row, index = row_of_id.get(box.image_id), class_of_code.get(box.class_code)
        if row is not None and index is not None:
            record = _make_record(box, row, index, images[row].size)
            objects.append(record)
            is_boxed[row, index] = True
            is_shown[row, index] |= not record.ignored
    note_flat_boxes([record.area == 0 for record in objects], source, findings)
    kinds = list_kinds(below, classes.codes)
    is_sound &= _spread_absence(
        listed, is_boxed | is_shown, kinds, classes.names, images, findings
    )
    states = np.where(is_shown, PRESENT, listed)
    image_set = assemble_columns(
        class_names=classes.names,
        category_ids=tuple(range(1, len(classes.names) + 1)),
        image_ids=[derive_image_id(image.image_id) for image in images],
        image_names=[image.name for image in images],
        paths=[image.path for image in images],
        sizes=[image.size for image in images],
        boxes=stack_boxes(objects),
        class_states=combine_states(states, is_boxed),
    )
    is_known = is_boxed.any(axis=1) | (states != UNKNOWN).any(axis=1)
    unknown = [images[row].name for row in np.flatnonzero(is_sound & ~is_known)]
    if unknown:
        findings.note(
            f"{source}: {count(len(unknown), 'image')} {label_states.NO_KNOWN_LABEL}, "
            f"left out ({label_states.name_first(unknown)})"
        )
    return select_images(image_set, is_sound & is_known)


def _list_states(
    labels: Sequence[tables.LabelRow],
    row_of_id: Mapping[str, int],
    class_of_code: Mapping[str, int],
    images: Sequence[_Image],
    source: str,
    findings: Findings,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the [I, K] states that are listed, and [I] bool, not contradicted."""
    listed = np.full((len(images), len(class_of_code)), UNKNOWN, np.int8)
    is_sound = np.ones(len(images), bool)
    num_unverified = 0
    for label in labels:
        row, index = row_of_id.get(label.image_id), class_of_code.get(label.class_code)
        if row is None or index is None:
            continue
        if label.is_present is None:
            num_unverified += 1
            continue
        state = PRESENT if label.is_present else ABSENT
        if listed[row, index] not in (UNKNOWN, state) and is_sound[row]:
            message = "another row says the opposite of this class; remove one of them"
            findings.add(images[row].path, f"image {label.image_id}", "labels", message)
            is_sound[row] = False
        listed[row, index] = state
    if num_unverified:
        findings.note(
            f"{source}: {count(num_unverified, 'label has', 'labels have')} a "
            "confidence between 0 and 1, which is a machine's; left unknown"
        )
    return listed, is_sound


def _make_record(box, row: int, index: int, size: tuple[int, int]) -> BoxRecord:
    height, width = size
    ymin, xmin, ymax, xmax = (
        round(share * side, _DECIMALS)
        for share, side in zip(box.shares, (height, width) * 2, strict=True)
    )
    area = (ymax - ymin) * (xmax - xmin)
    return BoxRecord(
        row, (ymin, xmin, ymax, xmax), index, area, box.is_group or not area
    )


def _spread_absence(
    listed: np.ndarray,
    is_there: np.ndarray,
    kinds: Sequence[Sequence[int]],
    class_names: Sequence[str],
    images: Sequence[_Image],
    findings: Findings,
) -> np.ndarray:
    """Makes the kinds of what is absent absent too.

    Args:
        listed: [I, K] states, changed in place.
        is_there: [I, K] bool, what has a box or is listed as present.
        kinds: by class, the classes that are kinds of it.

    Returns:
        [I] bool, False where a class is absent that, or a kind of which, is there.
    """
    is_absent = listed == ABSENT
    wrong = is_absent & is_there
    for index, below in enumerate(kinds):
        rows = is_absent[:, index]
        wrong[:, index] |= rows & is_there[:, below].any(axis=1)
        for kind in below:
            listed[rows & ~is_there[:, kind], kind] = ABSENT
    for row in np.flatnonzero(wrong.any(axis=1)):
        name = class_names[int(np.argmax(wrong[row]))]
        message = (
            f"{name!r} is verified absent, but it or a kind of it has a box or a "
            "label; correct one of them"
        )
        record = f"image {images[row].image_id}"
        findings.add(images[row].path, record, "labels", message)
    return ~wrong.any(axis=1)
