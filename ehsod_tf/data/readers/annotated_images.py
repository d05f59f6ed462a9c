"""From the images of a labelling tool's export, one by one, to an `ImageSet`."""

import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import BoxRecord, stack_boxes
from ehsod_tf.data.image_files import derive_image_id, find_path_fault
from ehsod_tf.data.problems import Findings, check_class_names
from ehsod_tf.data.readers.missing_sizes import fill_table_sizes
from ehsod_tf.data.readers.supervision import ImageTable, supervise
from ehsod_tf.data.spelling import refuse_lookalikes
from ehsod_tf.structures import PRESENT, UNKNOWN, ImageSet
from ehsod_tf.wording import count

Box = tuple[float, float, float, float]


class NamedBox(NamedTuple):
    """One object.

    Attributes:
        class_name: of any class, chosen or not.
        box: (ymin, xmin, ymax, xmax) in pixels.
        ignored: a crowd, or too difficult to count.
        is_hull: the box encloses a rotated box or an outline, and may thus reach
            beyond the image; it is clipped, unless nothing of it is in the image.
    """

    class_name: str
    box: Box
    ignored: bool = False
    is_hull: bool = False


class AnnotatedImage(NamedTuple):
    """What an export says of one image.

    Attributes:
        record: what problems call it, e.g. "image 'a.jpg'".
        name: of the file, relative to a folder.
        path: of the file.
        size: (height, width), 0 where the export does not say.
        objects: in any order.
        labels: names of classes that the whole image is labelled with.
        is_boxed: its boxes are complete, even if there are none.
        is_sound: False where something in the record is wrong; the image is left out.
        marked: labels of shapes that enclose no object, as points and lines do.
    """

    record: str
    name: str
    path: str
    size: tuple[int, int]
    objects: list[NamedBox]
    labels: list[str]
    is_boxed: bool
    is_sound: bool = True
    marked: Sequence[str] = ()


def list_bare_images(
    folder: str, names: Iterable[str], images: Iterable[AnnotatedImage]
) -> list[AnnotatedImage]:
    """The images of a folder of which an export says nothing.

    Args:
        folder: path of the folder.
        names: of the files in it.
        images: those of which the export says something.
    """
    taken = {image.name for image in images}
    return [
        AnnotatedImage(
            f"image {name}", name, os.path.join(folder, name), (0, 0), [], [], False
        )
        for name in names
        if name not in taken
    ]


def choose_classes(
    known_names: Iterable[str],
    class_names: Sequence[str] | None,
    source: str,
    findings: Findings,
) -> tuple[str, ...]:
    """Returns the classes asked for, or all; see `check_class_names` for errors."""
    known_names = list(dict.fromkeys(known_names))
    if class_names is None:
        refuse_lookalikes(known_names, source)
        class_names = known_names
    check_class_names(class_names, known_names, source, findings)
    return tuple(class_names)


def assemble_annotated_images(
    images: Sequence[AnnotatedImage],
    known_names: Iterable[str],
    *,
    class_names: Sequence[str] | None,
    source: str,
    unannotated: str,
    unlisted: str = "absent",
    findings: Findings,
) -> ImageSet:
    """Builds the image set of an export.

    Args:
        images: its images.
        known_names: all its classes, in their order.
        class_names: selects and orders the classes; None takes all.
        source: path of the export, for messages.
        unannotated: see `supervise`.
        unlisted: "absent" or "unknown", what classes are that a labelled image without
            boxes is not labelled with.
        findings: takes problems and notes.

    Returns:
        `ImageSet` of the sound images; ids are made of their names.

    Raises:
        DataError: a class is unknown, or no image is annotated.
    """
    class_names = choose_classes(known_names, class_names, source, findings)
    table = _make_table(images, class_names, unlisted)
    _leave_out_bad_names(images, table, source, findings)
    is_boxed = np.array([image.is_boxed for image in images], bool)
    fill_table_sizes(
        table,
        [image.path for image in images],
        is_boxed,
        np.array([bool(image.objects) for image in images], bool),
        source=source,
        unannotated=unannotated,
        findings=findings,
    )
    objects = _gather_objects(images, table.sizes, class_names)
    note_flat_boxes([o.ignored and _is_flat(o.box) for o in objects], source, findings)
    image_set = supervise(
        table,
        stack_boxes(objects),
        is_boxed,
        class_names=class_names,
        category_ids=tuple(range(1, len(class_names) + 1)),
        source=source,
        unannotated=unannotated,
        findings=findings,
    )
    label_states.require_annotated_images(len(image_set.paths), source, findings)
    path_of_name = {image.name: image.path for image in images}
    return image_set._replace(
        paths=[path_of_name[name] for name in image_set.image_names]
    )


def _make_table(
    images: Sequence[AnnotatedImage], class_names: Sequence[str], unlisted: str
) -> ImageTable:
    index = {name: number for number, name in enumerate(class_names)}
    listed = np.full((len(images), len(class_names)), UNKNOWN, np.int8)
    complete = np.ones(listed.shape, bool)
    for row, image in enumerate(images):
        if image.labels:
            present = [index[name] for name in image.labels if name in index]
            # Labels beside boxes need not repeat what is boxed.
            rest = UNKNOWN if image.is_boxed else label_states.UNLISTED_STATES[unlisted]
            listed[row] = label_states.mark_labels(present, [], len(index), rest)
        # A point of a class that has a box may belong to that object. One of another
        # class is an object without a box.
        boxed = {item.class_name for item in image.objects}
        seen = [index[name] for name in {*image.marked} - boxed if name in index]
        listed[row, seen], complete[row, seen] = PRESENT, False
    return ImageTable(
        ids=[derive_image_id(image.name) for image in images],
        records=[image.record for image in images],
        names=[image.name for image in images],
        sizes=np.array([image.size for image in images], np.int32).reshape(-1, 2),
        supervision=np.full(len(images), "", "U6"),
        listed=listed,
        has_list=np.array([bool(image.labels) for image in images], bool),
        sound=np.array([image.is_sound for image in images], bool),
        complete=complete,
    )


def _leave_out_bad_names(
    images: Sequence[AnnotatedImage],
    table: ImageTable,
    source: str,
    findings: Findings,
) -> None:
    first_row: dict[str, int] = {}
    for row, image in enumerate(images):
        if fault := find_path_fault(image.name):
            findings.add(source, image.record, "name", fault)
            table.sound[row] = False
            continue
        first = first_row.setdefault(posixpath.normpath(image.name), row)
        if first != row:
            message = f"{images[first].record} is {image.name!r} too; keep one of them"
            findings.add(source, image.record, "name", message)
            table.sound[[first, row]] = False


def _gather_objects(
    images: Sequence[AnnotatedImage], sizes: np.ndarray, class_names: Sequence[str]
) -> list[BoxRecord]:
    index = {name: number for number, name in enumerate(class_names)}
    records = []
    for row, image in enumerate(images):
        for item in image.objects:
            if item.class_name not in index:
                continue
            box = item.box
            clipped = clip_box(box, *sizes[row].tolist())
            if item.is_hull and not _is_flat(clipped):
                box = clipped
            ymin, xmin, ymax, xmax = box
            area = (ymax - ymin) * (xmax - xmin)
            ignored = item.ignored or _is_flat(box)
            records.append(BoxRecord(row, box, index[item.class_name], area, ignored))
    return records


def clip_box(box: Box, height: int, width: int) -> Box:
    """Returns the part of a box that lies in the image, flat if there is none."""
    ymin, xmin, ymax, xmax = box
    return (
        min(max(ymin, 0.0), height),
        min(max(xmin, 0.0), width),
        min(max(ymax, 0.0), height),
        min(max(xmax, 0.0), width),
    )


def _is_flat(box: Box) -> bool:
    return box[0] == box[2] or box[1] == box[3]


def note_shapes_left_out(
    numbers: Mapping[str, int], source: str, findings: Findings
) -> None:
    """Notes how many shapes, by what they are, enclose no object and are left out."""
    counted = [f"{n} of type {kind!r}" for kind, n in sorted(numbers.items()) if n]
    if counted:
        findings.note(
            f"{source}: what encloses no object is left out: {', '.join(counted)}"
        )


def note_flat_boxes(is_flat: Sequence[bool], source: str, findings: Findings) -> None:
    """Notes how many boxes are not used as they have no height or no width."""
    if number := int(np.sum(is_flat)):
        findings.note(
            f"{source}: {count(number, 'box', 'boxes')} without height or width, "
            "treated like crowds, as neither target nor miss"
        )
