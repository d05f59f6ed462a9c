"""Image sets as TFRecord files, with the keys of the TF Object Detection API.

An image is a ``tf.train.Example``. The keys that are not of that API hold what is known
of a whole image: ``image/class/label`` and ``image/class/text`` list the classes that
it shows, ``image/class/absent_label`` and ``image/class/absent_text`` those that it
does not show (the others are unknown), and ``image/supervision`` is "boxes" for a
strong image and "labels" for a weak one, which has no boxes.

A label is an id of the label map, `LABEL_MAP_FILE` beside the files.
"""

import hashlib
import os

import numpy as np
import tensorflow as tf
from absl import logging

from ehsod_tf.data.columns import leave_out_machine_boxes
from ehsod_tf.data.image_files import read_header
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.tfrecord.label_map import LABEL_MAP_FILE, write_label_map
from ehsod_tf.data.tfrecord.parsing import BOX_SIDES
from ehsod_tf.data.writers.export_folder import create_folder
from ehsod_tf.errors import DataError, require_count
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    PARTLY_BOXED,
    PRESENT,
    ImageSet,
    find_boxed,
    list_labels,
)


def write_tfrecords(
    image_set: ImageSet, output_dir: str | os.PathLike, *, num_shards: int
) -> int:
    """Writes an image set, with the files of its images, as TFRecord files.

    Boxes and areas are stored as float32, boxes as shares of the image's height and
    width. The API knows crowds and difficult objects, an image set only ignored ones:
    these are marked as both, so that either kind of evaluation passes over them. Labels
    are the category ids, or, where one of these is below 1, which the API keeps for the
    background, the class indices plus 1. The boxes of a detector are left out.

    Args:
        image_set: the images.
        output_dir: a new or empty folder; it appears with all files or not at all.
        num_shards: number of files, ``images-00000-of-00010.tfrecord`` and so on, but
            never more than images. Their order is the order of the images.

    Returns:
        The number of images written.

    Raises:
        ConfigError: `num_shards` is below 1.
        DataError: the folder holds something already, or image files cannot be read
            (all such are named).
    """
    image_set = leave_out_machine_boxes(image_set)
    num_images = len(image_set.paths)
    require_count("num_shards", num_shards)
    num_shards = min(num_shards, num_images)
    with create_folder(output_dir) as folder:
        _write_files(image_set, folder, num_shards)
    logging.info("wrote %d images into %d files", num_images, num_shards)
    return num_images


def _write_files(image_set: ImageSet, folder: str, num_shards: int) -> None:
    labels = _number_classes(image_set)
    names = dict(zip(labels.tolist(), image_set.class_names, strict=True))
    write_label_map(os.path.join(folder, LABEL_MAP_FILE), names)
    findings = Findings()
    shards = np.array_split(np.arange(len(image_set.paths)), num_shards)
    for number, rows in enumerate(shards):
        name = f"images-{number:05}-of-{num_shards:05}.tfrecord"
        with tf.io.TFRecordWriter(os.path.join(folder, name)) as writer:
            for row in rows.tolist():
                try:
                    example = _make_example(image_set, row, labels)
                except (DataError, OSError) as error:
                    record = f"image {image_set.image_ids[row]}"
                    findings.add(image_set.paths[row], record, "", str(error))
                else:
                    writer.write(example.SerializeToString())
    findings.settle()


def _number_classes(image_set: ImageSet) -> np.ndarray:
    category_ids = np.array(image_set.category_ids, np.int64)
    if category_ids.min() >= 1:
        return category_ids
    return np.arange(1, len(category_ids) + 1)


def _make_example(
    image_set: ImageSet, row: int, labels: np.ndarray
) -> tf.train.Example:
    path = image_set.paths[row]
    image_format = read_header(path).format.lower()
    with open(path, "rb") as file:
        encoded = file.read()
    height, width = image_set.sizes[row].tolist()
    states = image_set.class_states[row]
    features = {
        "image/encoded": [encoded],
        "image/format": [image_format.encode()],
        "image/filename": [image_set.image_names[row].encode()],
        "image/source_id": [str(image_set.image_ids[row]).encode()],
        "image/key/sha256": [hashlib.sha256(encoded).hexdigest().encode()],
        "image/height": [height],
        "image/width": [width],
        "image/supervision": [_name_supervision(states)],
    }
    features |= _list_objects(image_set, row, labels)
    for prefix, state in (("", PRESENT), ("absent_", ABSENT)):
        classes = np.flatnonzero(list_labels(states) == state)
        features[f"image/class/{prefix}label"] = labels[classes]
        features[f"image/class/{prefix}text"] = _encode_names(image_set, classes)
    complete = np.flatnonzero(states > PARTLY_BOXED)
    if 0 < len(complete) < len(states):
        features["image/class/boxed_label"] = labels[complete]
    return tf.train.Example(
        features=tf.train.Features(
            feature={name: _make_feature(values) for name, values in features.items()}
        )
    )


def _name_supervision(states: np.ndarray) -> bytes:
    if (states > PARTLY_BOXED).all():
        return b"boxes"
    return b"in part" if find_boxed(states) else b"labels"


def _list_objects(image_set: ImageSet, row: int, labels: np.ndarray) -> dict:
    rows = np.arange(*image_set.row_splits[row : row + 2])
    is_any = image_set.classes[rows] == ANY_CLASS
    regions = image_set.boxes[rows[is_any]] / np.tile(image_set.sizes[row], 2)
    rows = rows[~is_any]
    shares = image_set.boxes[rows] / np.tile(image_set.sizes[row], 2)
    classes, ignored = image_set.classes[rows], image_set.ignored[rows]
    features = {
        f"image/object/bbox/{side}": column
        for side, column in zip(BOX_SIDES, shares.T, strict=True)
    }
    features |= {
        f"image/ignored/bbox/{side}": column
        for side, column in zip(BOX_SIDES, regions.T, strict=True)
    }
    return features | {
        "image/object/class/label": labels[classes],
        "image/object/class/text": _encode_names(image_set, classes),
        "image/object/is_crowd": ignored.astype(np.int64),
        "image/object/difficult": ignored.astype(np.int64),
        "image/object/area": image_set.areas[rows],
    }


def _encode_names(image_set: ImageSet, classes: np.ndarray) -> list[bytes]:
    return [image_set.class_names[index].encode() for index in classes]


def _make_feature(values: list | np.ndarray) -> tf.train.Feature:
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    if len(values) and isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
