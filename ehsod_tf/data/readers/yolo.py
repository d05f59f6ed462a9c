"""Reader of YOLO data sets, as Ultralytics describes and many tools export them."""

import os
from collections.abc import Sequence

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import BoxColumns
from ehsod_tf.data.image_files import derive_image_id, is_plain_text, read_headers
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import choose_classes, note_flat_boxes
from ehsod_tf.data.readers.missing_sizes import fill_table_sizes
from ehsod_tf.data.readers.supervision import ImageTable, supervise
from ehsod_tf.data.readers.yolo_description import choose_subset, read_description
from ehsod_tf.data.readers.yolo_images import (
    list_images,
    list_label_files,
    list_unused_labels,
)
from ehsod_tf.data.readers.yolo_labels import YoloLabels, read_labels
from ehsod_tf.data.spelling import describe_difference, fold
from ehsod_tf.structures import UNKNOWN, ImageSet
from ehsod_tf.wording import count

# Of a pixel, to which shares of an image are rounded: a box that was written with
# enough digits comes back as it was.
DECIMALS = 6


@collects_or_raises
def read_yolo(
    data_yaml: str | os.PathLike,
    subset: str = "train",
    *,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads a subset; sizes come from the image headers.

    Labels lie in ``labels/`` beside ``images/``, or beside the images. An empty label
    file says that the image shows none of the classes. An outline becomes its box.

    Args:
        data_yaml: the file, with ``train``, ``val`` and so on, each a folder, a text
            file with an image a line, a pattern or a list of these, and ``names``; or a
            folder with a ``classes.txt``, as Label Studio exports it.
        subset: "train", "val", "test".
        class_names: selects and orders the classes; None takes all, by number.
        unannotated: what an image is that has no label file: "leave_out", for nobody
            said what it shows, or "empty", background, as YOLO itself takes it.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, whose ids are made of their names; category ids
        are the class numbers. Boxes without height or width are `ignored`.

    Raises:
        DataError: the description cannot be read, the subset is not there, or a class
            name is unknown; without `findings`, also any problem of a single file.
        ConfigError: `unannotated` is neither of the two.
    """
    label_states.require_reading_choices(unannotated=unannotated)
    description = read_description(os.fspath(data_yaml))
    source = description.path
    known_names = description.class_names
    class_names = choose_classes(known_names, class_names, source, findings)
    entries = choose_subset(description, subset)
    paths = list_images(description, subset, entries, findings)
    files = list_label_files(paths)
    images = _make_table(paths, description.roots, len(class_names))
    _refuse_shared_labels(images, files, findings)
    labels = read_labels(
        files, images, len(known_names), description.has_keypoints, findings
    )
    unused = _refuse_misnamed_labels(images, files, labels, findings)
    _refuse_missing_images(images, paths, labels, findings)
    fill_table_sizes(
        images,
        paths,
        labels.has_file,
        np.bincount(labels.images, minlength=len(paths)) > 0,
        source=source,
        unannotated=unannotated,
        findings=findings,
        noted=False,
    )
    _note_oddities(images, unused, labels, unannotated, source, findings)
    boxes = _make_columns(labels, images.sizes, known_names, class_names)
    note_flat_boxes(boxes.ignored, source, findings)
    image_set = supervise(
        images,
        boxes,
        labels.has_file,
        class_names=class_names,
        category_ids=_number_classes(known_names, class_names),
        source=source,
        unannotated=unannotated,
        findings=findings,
    )
    label_states.require_annotated_images(len(image_set.paths), source, findings)
    path_of_name = dict(zip(images.names, paths, strict=True))
    return image_set._replace(
        paths=[path_of_name[name] for name in image_set.image_names]
    )


def _make_table(
    paths: Sequence[str], roots: Sequence[str], num_classes: int
) -> ImageTable:
    root = next((r for r in roots if all(p.startswith(f"{r}/") for p in paths)), None)
    if paths and root is None:
        root = os.path.commonpath([os.path.dirname(path) for path in paths])
    names = [path[len(os.path.join(root, "")) :] for path in paths]
    num_images = len(paths)
    return ImageTable(
        ids=[derive_image_id(name) for name in names],
        records=[f"image {name}" for name in names],
        names=names,
        sizes=np.zeros((num_images, 2), np.int32),
        supervision=np.full(num_images, "", "U6"),
        listed=np.full((num_images, num_classes), UNKNOWN, np.int8),
        has_list=np.zeros(num_images, bool),
        sound=np.ones(num_images, bool),
    )


def _refuse_shared_labels(
    images: ImageTable, files: Sequence[str], findings: Findings
) -> None:
    """Of a.jpg and a.png, nobody knows which one a.txt is about."""
    first_row: dict[str, int] = {}
    for row, (name, file) in enumerate(zip(images.names, files, strict=True)):
        first = first_row.setdefault(file, row)
        if not is_plain_text(name):
            message = f"{name!r} holds a character that is not text; rename the file"
            findings.add(file, f"image {name!r}", "", message)
            images.sound[row] = False
        elif first != row:
            message = f"{images.names[first]!r} has this label file too; rename one"
            findings.add(file, images.records[row], "", message)
            images.sound[[first, row]] = False


def _refuse_misnamed_labels(
    images: ImageTable, files: Sequence[str], labels: YoloLabels, findings: Findings
) -> list[str]:
    """Returns the label files of no image, but for those that only look like one's."""
    unused = list_unused_labels(files)
    lookalikes = {_fold_path(path): path for path in unused}
    refused = set()
    for row in np.flatnonzero(~labels.has_file) if unused else ():
        path = lookalikes.get(_fold_path(files[row]))
        if path is None:
            continue
        wanted, found = (os.path.basename(each) for each in (files[row], path))
        message = (
            f"no {wanted!r}, but this file, whose name differs in "
            f"{describe_difference(wanted, found)}; rename the file"
        )
        findings.add(path, images.records[row], "", message)
        images.sound[row] = False
        refused.add(path)
    return [path for path in unused if path not in refused]


def _refuse_missing_images(
    images: ImageTable, paths: Sequence[str], labels: YoloLabels, findings: Findings
) -> None:
    """Names what a list has and the folder has not, though no label file asks for it.

    Else a list of wrong paths would look like one of images without annotation.
    """
    rows = np.flatnonzero(images.sound & ~labels.has_file).tolist()
    rows = [row for row in rows if not os.path.exists(paths[row])]
    faults = read_headers([paths[row] for row in rows])
    for row, fault in zip(rows, faults, strict=True):
        findings.add(paths[row], images.records[row], "size", str(fault))
        images.sound[row] = False


def _fold_path(path: str) -> str:
    folder, name = os.path.split(path)
    return f"{folder}/{fold(name)}"


def _make_columns(
    labels: YoloLabels,
    sizes: np.ndarray,
    known_names: Sequence[str],
    class_names: Sequence[str],
) -> BoxColumns:
    index = {name: number for number, name in enumerate(class_names)}
    classes = np.array([index.get(name, -1) for name in known_names], np.int32)
    classes = classes[labels.classes]
    chosen = classes >= 0
    images = labels.images[chosen]
    pixels = labels.shares[chosen] * np.tile(sizes[images], 2)
    boxes = np.round(pixels, DECIMALS)
    heights, widths = (boxes[:, 2:] - boxes[:, :2]).T
    # The size of an image that is left out is unknown, and so are its boxes.
    is_known = (sizes[images] > 0).all(axis=1)
    return BoxColumns(
        images=images,
        boxes=boxes,
        classes=classes[chosen],
        areas=heights * widths,
        ignored=is_known & ((heights == 0) | (widths == 0)),
    )


def _number_classes(
    known_names: Sequence[str], class_names: Sequence[str]
) -> tuple[int, ...]:
    numbers = {name: number for number, name in enumerate(known_names)}
    for name in class_names:
        # A class that the data set lacks needs a number for the results.
        numbers.setdefault(name, len(numbers))
    return tuple(numbers[name] for name in class_names)


def _note_oddities(
    images: ImageTable,
    unused: Sequence[str],
    labels: YoloLabels,
    unannotated: str,
    source: str,
    findings: Findings,
) -> None:
    if unused:
        findings.note(
            f"{source}: {count(len(unused), 'label file')} of no image of the subset, "
            f"passed over ({label_states.name_first(unused)})"
        )
    if labels.num_outlines:
        findings.note(
            f"{source}: {count(labels.num_outlines, 'outline')}, of which the box is "
            "taken"
        )
    missing = np.flatnonzero(images.sound & ~labels.has_file)
    if len(missing) and unannotated == "empty":
        names = [images.names[row] for row in missing]
        findings.note(
            f"{source}: {count(len(missing), 'image')} without label file, taken as "
            f"background ({label_states.name_first(names)})"
        )
