"""Reader of TFRecord files, ours and others of the TF Object Detection API."""

import glob
import itertools
import os
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import (
    BoxColumns,
    assemble_columns,
    derive_image_labels,
    select_images,
)
from ehsod_tf.data.problems import Findings, check_class_names, collects_or_raises
from ehsod_tf.data.spelling import refuse_lookalikes
from ehsod_tf.data.tfrecord.label_map import LABEL_MAP_FILE, read_label_map
from ehsod_tf.data.tfrecord.parsing import ImageRecord, RecordError, parse_record
from ehsod_tf.errors import DataError
from ehsod_tf.structures import UNKNOWN, ImageSet
from ehsod_tf.wording import count


@collects_or_raises
def read_tfrecords(
    pattern: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads TFRecord files; the image files in them are unpacked once into a folder.

    They are unpacked because a TFRecord file can only be read from its beginning, and a
    run that shuffles over all images and can be resumed at any step must have each at
    hand. An image that the folder holds already, with the same bytes, is left alone.

    Files of the API without the key ``image/supervision`` are read as strong images,
    whose labels follow from their boxes.

    Args:
        pattern: of the files, e.g. ``data/images-*.tfrecord``; a label map called
            ``label_map.pbtxt`` lies beside them.
        image_dir: the folder for the images, made if there is none.
        class_names: selects and orders the classes; objects and labels of other classes
            are left out. None takes all of the label map, in its order.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound records, in the order of the sorted files. A coordinate
        that lies within float32's rounding error of a hundredth of a pixel is taken to
        be that, so VOC's and COCO's come back; others differ by at most 1.2e-7 of their
        value, areas by 6e-8. Crowds and difficult objects are `ignored`. `image_ids`
        are the source ids, or made of the file names where those are not integers.

    Raises:
        DataError: there is no file or no label map, or a class name is unknown; without
            `findings`, also any problem of a single record.
    """
    # A name may hold brackets, which a pattern would take for a choice of letters.
    pattern = os.fspath(pattern)
    paths = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern))
    if not paths:
        raise DataError(f"{pattern}: no file has such a name; check the pattern")
    label_map = os.path.join(os.path.dirname(paths[0]), LABEL_MAP_FILE)
    names = read_label_map(label_map)
    if class_names is None:
        refuse_lookalikes(names.values(), label_map)
        class_names = tuple(names.values())
    check_class_names(class_names, names.values(), label_map, findings)
    class_names = tuple(class_names)
    class_of_label = {
        label: class_names.index(name) if name in class_names else -1
        for label, name in names.items()
    }
    images = list(
        _read_images(
            paths, os.fspath(image_dir), class_of_label, len(class_names), findings
        )
    )
    label_of_name = {name: label for label, name in names.items()}
    for name in class_names:
        label_of_name.setdefault(name, max(label_of_name.values()) + 1)
    category_ids = tuple(label_of_name[name] for name in class_names)
    return _assemble(images, class_names, category_ids, image_dir, findings)


class _Image(NamedTuple):
    """A record that was read, without the bytes of its image, and where it lies."""

    file: str
    place: str
    content: ImageRecord


def _read_images(
    paths: list[str],
    image_dir: str,
    class_of_label: dict[int, int],
    num_classes: int,
    findings: Findings,
) -> Iterator[_Image]:
    """Unpacks and yields the sound records."""
    names, ids = set(), set()
    for path in paths:
        for number, content in _iterate(path, findings):
            place = f"record {number}"
            try:
                record = parse_record(content, class_of_label, num_classes)
                _require_new(record, names, ids)
                _unpack(record, image_dir)
            except RecordError as error:
                findings.add(path, place, error.field, str(error))
            else:
                names.add(record.name)
                ids.add(record.image_id)
                yield _Image(path, place, record._replace(encoded=b""))


def _require_new(record: ImageRecord, names: set[str], ids: set[int]) -> None:
    message = "another record has {} too; keep one of them"
    if record.name in names:
        raise RecordError("image/filename", message.format(record.name))
    if record.image_id in ids:
        raise RecordError("image/source_id", message.format(record.image_id))


def _iterate(path: str, findings: Findings) -> Iterator[tuple[int, bytes]]:
    """Yields number, from 1, and content of the records of a file."""
    records = iter(tf.data.TFRecordDataset(path))
    for number in itertools.count(1):
        try:
            yield number, next(records).numpy()
        except StopIteration:
            return
        except tf.errors.OpError:
            message = (
                "the file is damaged here, and what follows cannot be read; write or "
                "fetch the file again"
            )
            findings.add(path, f"record {number}", "", message)
            return


def _unpack(record: ImageRecord, image_dir: str) -> None:
    path = os.path.join(image_dir, record.name)
    folder = os.path.dirname(path)
    try:
        with open(path, "rb") as file:
            if file.read() == record.encoded:
                return
        raise RecordError(
            "image/filename",
            f"{path} is another image already; give a new image folder",
        )
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        part = os.path.join(temporary, "image")
        with open(part, "wb") as file:
            file.write(record.encoded)
        os.replace(part, path)


def _assemble(
    images: list[_Image],
    class_names: tuple[str, ...],
    category_ids: tuple[int, ...],
    image_dir: str | os.PathLike,
    findings: Findings,
) -> ImageSet:
    """Derives the labels and leaves out what contradicts itself or says nothing."""
    records = [image.content for image in images]
    boxes = _stack_boxes(records)
    has_boxes = np.array([record.has_boxes for record in records], bool)
    listed = np.array([record.listed for record in records], np.int8)
    listed = listed.reshape(-1, len(class_names))
    boxed = derive_image_labels(boxes, len(records), len(class_names))
    complete = np.array([record.complete for record in records], bool)
    states, contradicted = label_states.derive_class_states(
        boxed, listed, complete.reshape(listed.shape)
    )
    contradicted &= has_boxes[:, None]
    for row in np.flatnonzero(contradicted.any(axis=1)):
        message = label_states.describe_contradiction(
            boxed[row], contradicted[row], class_names
        )
        findings.add(images[row].file, images[row].place, "image/class", message)
    states = np.where(has_boxes[:, None], states, listed)
    unknown = (states == UNKNOWN).all(axis=1)
    if unknown.any():
        names = [records[row].name for row in np.flatnonzero(unknown)]
        findings.note(
            f"{count(len(names), 'image')} {label_states.NO_KNOWN_LABEL}, left out "
            f"({label_states.name_first(names)})"
        )
    image_set = assemble_columns(
        class_names=class_names,
        category_ids=category_ids,
        image_ids=[record.image_id for record in records],
        image_names=[record.name for record in records],
        paths=[os.path.join(image_dir, record.name) for record in records],
        sizes=[record.size for record in records],
        boxes=boxes,
        class_states=states,
    )
    return select_images(image_set, ~unknown & ~contradicted.any(axis=1))


def _stack_boxes(records: list[ImageRecord]) -> BoxColumns:
    """Makes columns of the objects and regions."""
    counts = np.array([len(record.classes) for record in records], np.int64)
    return BoxColumns(
        images=np.repeat(np.arange(len(records)), counts),
        boxes=_join([record.boxes for record in records], (0, 4), np.float64),
        classes=_join([record.classes for record in records], 0, np.int32),
        areas=_join([record.areas for record in records], 0, np.float64),
        ignored=_join([record.ignored for record in records], 0, bool),
    )


def _join(parts: list[np.ndarray], shape, dtype) -> np.ndarray:
    return np.concatenate([np.zeros(shape, dtype), *parts])
