"""Reader of VGG Image Annotator's JSON: a project, or its exported annotations."""

import os
from collections import Counter
from collections.abc import Sequence
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data import label_states
from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import (
    AnnotatedImage,
    assemble_annotated_images,
    note_shapes_left_out,
)
from ehsod_tf.data.readers.image_folder import FileIndex, list_image_files
from ehsod_tf.data.readers.json_files import load_json
from ehsod_tf.data.readers.via_regions import (
    RegionError,
    list_attributes,
    list_regions,
    read_regions,
    read_values,
)
from ehsod_tf.data.spelling import suggest
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet

IMAGES_KEY = "_via_img_metadata"


class _Reading(NamedTuple):
    """How the records of a file are understood.

    Attributes:
        path: of the file.
        class_attribute: the attribute of regions that names the class, or None.
        only_class: the class of all regions where there is none.
        label_attribute: the attribute of files that names labels, or None.
    """

    path: str
    class_attribute: str | None
    only_class: str
    label_attribute: str | None


@collects_or_raises
def read_via(
    json_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_attribute: str | None = None,
    label_attribute: str | None = None,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads a project of version 2, or "annotations as JSON" of versions 1 and 2.

    An image with regions is strong, one with labels alone weak. Rectangles, circles,
    ellipses and polygons become boxes; points and lines are counted in a note. Sizes
    come from the image files.

    Args:
        json_file: of VIA.
        image_dir: the folder that holds the images, at any depth.
        class_attribute: the attribute of regions that names their class: a text, a
            choice, or the one box that is ticked. None takes the only one; where
            regions have none at all, they are of the only class in `class_names`.
        label_attribute: the attribute of files that holds image-level labels: boxes
            that are ticked, or a text, where semicolons stand between labels. None
            reads no labels.
        class_names: selects and orders the classes. None takes all: in the order of
            the project's choices, others by name.
        unlisted: state of the classes that an image without regions has no label of,
            "absent" or "unknown".
        unannotated: what an image is that has neither regions nor labels, "leave_out"
            or "empty".
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, whose ids are made of their names.

    Raises:
        DataError: the file cannot be read or is of another form, an attribute must be
            chosen or is not there, or a class name is unknown; without `findings`, also
            any problem of a single image.
        ConfigError: `unlisted` or `unannotated` is not one of its choices.
    """
    label_states.require_reading_choices(unlisted, unannotated)
    path, image_dir = os.fspath(json_file), os.fspath(image_dir)
    content = load_json(path)
    records = _list_records(content, path)
    reading = _choose_attributes(
        records, path, class_attribute, label_attribute, class_names, findings
    )
    index = FileIndex(list_image_files(image_dir, findings))
    others: Counter[str] = Counter()
    images = [
        _read_image(key, record, reading, index, image_dir, others, findings)
        for key, record in records.items()
    ]
    index.note(path, findings)
    note_shapes_left_out(others, path, findings)
    known = {item.class_name for image in images for item in image.objects}
    known |= {name for image in images for name in image.labels}
    declared = _list_choices(content, reading)
    return assemble_annotated_images(
        images,
        [*declared, *sorted(known - {*declared})],
        class_names=class_names,
        source=path,
        unannotated=unannotated,
        unlisted=unlisted,
        findings=findings,
    )


def _list_records(content: object, path: str) -> dict[str, dict]:
    """The images by their keys, of a project or of exported annotations."""
    records = content.get(IMAGES_KEY, content) if isinstance(content, dict) else None
    if not isinstance(records, dict) or not all(
        isinstance(record, dict) and {"filename", "regions"} <= record.keys()
        for record in records.values()
    ):
        raise DataError(
            f"{path}: neither a project of VGG Image Annotator 2 nor its annotations "
            "as JSON; export them, or give the file of another form by its own flag"
        )
    if not records:
        raise DataError(f"{path}: lists no image; export the annotations again")
    return records


def _choose_attributes(
    records: dict[str, dict],
    path: str,
    class_attribute: str | None,
    label_attribute: str | None,
    class_names: Sequence[str] | None,
    findings: Findings,
) -> _Reading:
    regions = [region for record in records.values() for region in _try_list(record)]
    of_regions = list_attributes(regions, "region_attributes")
    of_files = list_attributes(records.values(), "file_attributes")
    for name, known, what in (
        (class_attribute, of_regions, "region"),
        (label_attribute, of_files, "file"),
    ):
        if name is not None and name not in known:
            remedy = suggest(name, known) if known else "leave it out"
            raise DataError(f"{path}: no {what} has an attribute {name!r}; {remedy}")
    if class_attribute is None and len(of_regions) > 1:
        raise DataError(
            f"{path}: regions have several attributes ({', '.join(of_regions)}); say "
            "which one names the class, with --class_attribute, or class_attribute in "
            "a config"
        )
    if class_attribute is None and of_regions:
        class_attribute = of_regions[0]
    only_class = class_names[0] if class_names and len(class_names) == 1 else ""
    if regions and class_attribute is None and not only_class:
        raise DataError(
            f"{path}: no region has an attribute that names its class; if all are of "
            "one class, name it with --classes, or class_names in a config"
        )
    if of_files and label_attribute is None:
        findings.note(
            f"{path}: attributes of files are not read ({', '.join(of_files)}); if one "
            "holds labels, say so with --label_attribute, or label_attribute in a "
            "config"
        )
    return _Reading(path, class_attribute, only_class, label_attribute)


def _try_list(record: dict) -> list:
    try:
        return list_regions(record["regions"])
    except RegionError:
        # It is a problem of its image, when that is read.
        return []


def _read_image(
    key: str,
    record: dict,
    reading: _Reading,
    index: FileIndex,
    image_dir: str,
    others: Counter[str],
    findings: Findings,
) -> AnnotatedImage:
    given = record["filename"]
    is_text = isinstance(given, str)
    name = (index.find_by_name(given) if is_text else None) or str(given)
    place = f"image {shorten(given if is_text else key)}"
    objects, labels, marked = [], [], []
    is_sound = True
    try:
        objects, marked = read_regions(
            list_regions(record["regions"]),
            reading.class_attribute,
            reading.only_class,
            others,
        )
        labels = _read_labels(record, reading.label_attribute)
    except RegionError as error:
        region, field, message = error.args
        where = f"{place}, {region}" if region else place
        findings.add(reading.path, where, field, message)
        is_sound = False
    return AnnotatedImage(
        place,
        name,
        os.path.join(image_dir, name),
        (0, 0),
        objects,
        labels,
        is_boxed=bool(objects),
        is_sound=is_sound,
        marked=[name for name in marked if name],
    )


def _read_labels(record: dict, attribute: str | None) -> list[str]:
    if attribute is None:
        return []
    texts = read_values(record.get("file_attributes"), attribute)
    labels = [label.strip() for text in texts for label in text.split(";")]
    labels = [label for label in labels if label]
    for label in labels:
        if not is_plain_text(label):
            message = f"{shorten(label)} is not plain text; rename the label"
            raise RegionError("", attribute, message)
    return list(dict.fromkeys(labels))


def _list_choices(content: dict, reading: _Reading) -> list[str]:
    """The classes that a project offers, in their order."""
    found: dict[str, None] = {}
    for kind, name in (
        ("region", reading.class_attribute),
        ("file", reading.label_attribute),
    ):
        place: object = content
        for step in ("_via_attributes", kind, name, "options"):
            place = place.get(step) if isinstance(place, dict) else None
        if isinstance(place, dict):
            options = [option.strip() for option in place if is_plain_text(option)]
            found |= dict.fromkeys(option for option in options if option)
    return list(found)
