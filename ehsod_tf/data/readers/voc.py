"""Reader of data sets in the layout of the PASCAL VOC devkit."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from ehsod_tf.data.columns import BoxRecord, assemble_image_set, select_images
from ehsod_tf.data.image_files import IMAGE_EXTENSIONS, is_plain_text
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, check_class_names, collects_or_raises
from ehsod_tf.data.readers.missing_sizes import fill_missing_sizes
from ehsod_tf.data.readers.voc_annotation import (
    VocAnnotation,
    VocObject,
    read_annotation,
)
from ehsod_tf.data.readers.voc_list import read_image_list
from ehsod_tf.data.readers.xml_files import quote
from ehsod_tf.data.spelling import find_similar, suggest
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


@collects_or_raises
def read_voc(
    devkit_dir: str | os.PathLike,
    image_set: str,
    *,
    class_names: tuple[str, ...] = VOC_CLASSES,
    findings: Findings,
) -> ImageSet:
    """Reads the images of one list; boxes become continuous yxyx in original pixels.

    Args:
        devkit_dir: the year's folder, e.g. ``VOCdevkit/VOC2007``, with ``Annotations``,
            ``ImageSets/Main`` and ``JPEGImages``, whose files may end like any image
            that is read, in capitals or not.
        image_set: name of a list in ``ImageSets/Main``, without ".txt".
        class_names: selects and orders the classes. Objects of other classes are left
            out, if they are VOC's own; any other name is taken for a mistake.
        findings: takes the problems; None raises instead.

    Returns:
        `ImageSet` of the sound images, all strong; difficult objects are `ignored`.
        `image_ids` are the digits of the names, or 1, 2, ... where those are not
        unique in the list. A size that an annotation does not give is the file's.

    Raises:
        DataError: the list cannot be read, a class name is unknown, or the annotations
            show none of the classes but others, which are named; without `findings`,
            also any problem of a single image.
    """
    devkit_dir = os.fspath(devkit_dir)
    list_file, image_ids, names = read_image_list(devkit_dir, image_set, findings)
    folder = os.path.join(devkit_dir, "Annotations")
    num_objects: Counter[str] = Counter()

    def check_class(name: str) -> str | None:
        num_objects.update([name] if is_plain_text(name) else [])
        return _find_class_fault(name, class_names)

    annotations = [
        read_annotation(os.path.join(folder, f"{name}.xml"), check_class, findings)
        for name in names
    ]
    is_sound = np.array([a is not None for a in annotations], bool)
    own_names = sorted(set(num_objects).difference(VOC_CLASSES))
    # If no file can be read, nothing is known about the class list.
    if is_sound.any():
        check_class_names(class_names, [*VOC_CLASSES, *own_names], list_file, findings)
    is_misspelt = all(find_similar(name, class_names) for name in own_names)
    if own_names and not is_misspelt and not num_objects.keys() & set(class_names):
        raise DataError(_describe_own_classes(folder, class_names, num_objects))
    note_unspecified(_list_chosen(annotations, class_names), folder, findings)
    paths = _list_paths(devkit_dir, names, findings)
    sizes = np.array([a.size if a else (1, 1) for a in annotations]).reshape(-1, 2)
    records = [f"image {name}" for name in names]
    has_boxes = np.array([bool(a and a.objects) for a in annotations], bool)
    is_sound &= fill_missing_sizes(sizes, paths, records, has_boxes, folder, findings)
    whole = assemble_image_set(
        class_names=tuple(class_names),
        category_ids=tuple(range(1, len(class_names) + 1)),
        image_ids=image_ids,
        image_names=names,
        paths=paths,
        sizes=sizes,
        objects=_gather_objects(annotations, class_names),
    )
    return select_images(whole, is_sound)


def _describe_own_classes(
    folder: str, class_names: Sequence[str], num_objects: Counter[str]
) -> str:
    asked = "VOC's own classes" if class_names == VOC_CLASSES else "those asked for"
    counts = ", ".join(
        f"{name} ({count(number, 'object')})"
        for name, number in num_objects.most_common(20)
    )
    names = sorted(name for name in num_objects if name)
    return (
        f"{folder}: the objects are of other classes than {asked}: {counts}; to take "
        f"them, set read_voc.class_names = {tuple(names)} in the config, or give "
        f"--classes '{','.join(names)}'"
    )


def _find_class_fault(name: str, class_names: Sequence[str]) -> str | None:
    if name in class_names or name in VOC_CLASSES:
        return None
    if find_similar(name, class_names):
        remedy = suggest(name, class_names)
    else:
        remedy = "list it in class_names if it is one of yours, or correct it"
    return f"unknown class {quote(name)}; {remedy}"


def _list_chosen(
    annotations: Sequence[VocAnnotation | None], class_names: Sequence[str]
) -> list[VocObject]:
    return [
        item
        for annotation in annotations
        if annotation
        for item in annotation.objects
        if item.name in class_names
    ]


def note_unspecified(
    objects: Iterable[VocObject], folder: str, findings: Findings
) -> None:
    """Notes how many objects leave open whether they are difficult."""
    number = sum(item.is_open for item in objects)
    if number:
        findings.note(
            f"{folder}: {count(number, 'object')} with a <difficult> that is empty or "
            "says Unspecified, taken as not difficult"
        )


def _gather_objects(
    annotations: Sequence[VocAnnotation | None], class_names: Sequence[str]
) -> list[BoxRecord]:
    index = {name: number for number, name in enumerate(class_names)}
    records = []
    for row, annotation in enumerate(annotations):
        for item in annotation.objects if annotation else ():
            if item.name in index:
                ymin, xmin, ymax, xmax = item.box
                area = (ymax - ymin) * (xmax - xmin)
                number = index[item.name]
                record = BoxRecord(row, item.box, number, area, item.is_difficult)
                records.append(record)
    return records


def _list_paths(devkit_dir: str, names: Sequence[str], findings: Findings) -> list[str]:
    """Returns the image file of each name, whatever image's extension it has."""
    folder = os.path.join(devkit_dir, "JPEGImages")
    files: dict[str, list[str]] = {}
    for subfolder in {os.path.dirname(name) for name in names}:
        for file in _list_folder(os.path.join(folder, subfolder)):
            stem, extension = os.path.splitext(file)
            if extension.lower() in IMAGE_EXTENSIONS:
                files.setdefault(os.path.join(subfolder, stem), []).append(extension)
    paths, several = [], []
    for name in names:
        # A missing image is named by the file that VOC itself would have.
        extensions = sorted(files.get(name, [".jpg"]), key=_rank_extension)
        paths.append(os.path.join(folder, name + extensions[0]))
        if len(extensions) > 1:
            several.append(name + " and ".join(extensions[:2]))
    if several:
        findings.note(
            f"{folder}: {count(len(several), 'name fits', 'names fit')} several image "
            f"files, of which the first is taken ({name_first(several)})"
        )
    return paths


def _rank_extension(extension: str) -> tuple[int, str]:
    # VOC's own images are all ".jpg"; small letters come before capitals.
    return IMAGE_EXTENSIONS.index(extension.lower()), extension.swapcase()


def _list_folder(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    # What is missing is reported by name.
    except (OSError, ValueError):
        return []
