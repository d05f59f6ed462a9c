"""What each detection is: right, or wrong in which way (TIDE's kinds of errors).

Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV
2020, and the tidecv package, to which a test holds these rules.
"""

from typing import NamedTuple

import numpy as np
import pycocotools.mask

from ehsod_tf.evaluation.results import Results, find_images
from ehsod_tf.structures import ANY_CLASS, ImageSet

IOU_THRESHOLD = 0.5
# Below it a box has nothing to do with an object.
BACKGROUND_IOU = 0.1
MAX_DETECTIONS = 100

KINDS = (
    "right",
    "classification",
    "localisation",
    "both",
    "duplicate",
    "background",
)
RIGHT, CLASSIFICATION, LOCALISATION, BOTH, DUPLICATE, BACKGROUND = range(len(KINDS))


class Matches(NamedTuple):
    """The detections image by image, each image's by falling score, and the objects.

    Attributes:
        rows: [n] int64, the detection's row in its `Results`.
        images: [n] int64, the row of its image in the image set.
        kinds: [n] int8, index into `KINDS`.
        objects: [n] int64, row of the object that it found, or would have found with
            another class or a better box; -1 for all other kinds.
        is_ignored: [n] bool, lies on an ignored object (a crowd, a difficult one), so
            that it counts neither as right nor as wrong.
        found_by: [T] int64, for each object the row in `Results` of the detection that
            found it, or -1.
    """

    rows: np.ndarray
    images: np.ndarray
    kinds: np.ndarray
    objects: np.ndarray
    is_ignored: np.ndarray
    found_by: np.ndarray


def match_detections(image_set: ImageSet, results: Results) -> Matches:
    """Says of each of an image's best 100 detections what it is, at an IoU of 0.5.

    By falling score, a detection finds the object of its class that no other has found
    and that it overlaps most. All others are wrong: "localisation" if the IoU with an
    object of the class is 0.1 to 0.5; "classification" if it is at least 0.5 with one
    of another class; "duplicate" if it is at least 0.5 with one that was found already;
    "background" if no object has an IoU above 0.1; "both" is what remains.

    Args:
        image_set: `ImageSet` whose boxes all are known.
        results: `Results` on its images.
    """
    images = find_images(image_set, results.image_ids)
    order = np.lexsort((-results.scores, images))
    starts = np.searchsorted(images[order], np.arange(len(image_set.image_ids) + 1))
    found_by = np.full(len(image_set.classes), -1, np.int64)
    rows, kinds, objects, is_ignored = [], [], [], []
    for image in np.flatnonzero(np.diff(starts)):
        own = order[starts[image] : starts[image + 1]][:MAX_DETECTIONS]
        first, last = image_set.row_splits[image : image + 2]
        truths = first + np.flatnonzero(~image_set.ignored[first:last])
        ignored = first + np.flatnonzero(image_set.ignored[first:last])
        own_kinds, own_objects = _judge(
            compute_ious(results.boxes[own], image_set.boxes[truths]),
            results.classes[own, None] == image_set.classes[truths],
        )
        is_right = own_kinds == RIGHT
        found_by[truths[own_objects[is_right]]] = own[is_right]
        rows.append(own)
        kinds.append(own_kinds)
        objects.append(
            np.where(own_objects < 0, -1, np.append(truths, -1)[own_objects])
        )
        is_ignored.append(~is_right & _lies_on(image_set, ignored, results, own))
    rows = _join(rows, np.int64)
    return Matches(
        rows,
        images[rows],
        _join(kinds, np.int8),
        _join(objects, np.int64),
        _join(is_ignored, bool),
        found_by,
    )


def compute_ious(boxes, others, *, is_crowd: bool = False) -> np.ndarray:
    """IoU of each of `boxes` [n, 4] with each of `others` [m, 4]: [n, m] float64.

    Of a crowd, the share of the box that lies in it.
    """
    if not len(boxes) or not len(others):
        return np.zeros([len(boxes), len(others)])
    flags = np.full(len(others), is_crowd, np.uint8)
    return np.asarray(
        pycocotools.mask.iou(to_xywh(boxes), to_xywh(others), flags)
    ).reshape(len(boxes), len(others))


def to_xywh(boxes) -> np.ndarray:
    """[n, 4] ``[ymin, xmin, ymax, xmax]`` as ``[x, y, width, height]`` float64."""
    boxes = np.asarray(boxes, np.float64)
    return np.concatenate([boxes[:, 1::-1], (boxes[:, 2:] - boxes[:, :2])[:, ::-1]], 1)


def _judge(ious, is_same_class):
    """Kinds [n] and objects [n] of an image's detections, by falling score."""
    num_detections, num_objects = ious.shape
    kinds = np.full(num_detections, BACKGROUND, np.int8)
    objects = np.full(num_detections, -1)
    if not num_objects:
        return kinds, objects
    of_class = ious * is_same_class
    _find_objects(of_class, kinds, objects)
    is_found = np.isin(np.arange(num_objects), objects[kinds == RIGHT])
    others = ious * ~is_same_class
    best, nearest = of_class.max(axis=1), of_class.argmax(axis=1)
    best_other, nearest_other = others.max(axis=1), others.argmax(axis=1)
    best_found = (of_class * is_found).max(axis=1)
    is_wrong = kinds != RIGHT
    # The first rule that holds decides.
    rules = (
        (LOCALISATION, (best >= BACKGROUND_IOU) & (best <= IOU_THRESHOLD), nearest),
        (CLASSIFICATION, best_other >= IOU_THRESHOLD, nearest_other),
        (DUPLICATE, best_found >= IOU_THRESHOLD, None),
        (BACKGROUND, ious.max(axis=1) <= BACKGROUND_IOU, None),
        (BOTH, np.ones(num_detections, bool), None),
    )
    for kind, holds, targets in rules:
        chosen = is_wrong & holds
        kinds[chosen] = kind
        if targets is not None:
            objects[chosen] = targets[chosen]
        is_wrong &= ~holds
    return kinds, objects


def _find_objects(of_class, kinds, objects):
    """Marks in place the detections that find an object, and which."""
    free = of_class.copy()
    for i in np.flatnonzero(of_class.max(axis=1) >= IOU_THRESHOLD):
        target = free[i].argmax()
        if free[i, target] >= IOU_THRESHOLD:
            kinds[i], objects[i] = RIGHT, target
            free[:, target] = 0.0


def _lies_on(image_set, ignored, results, rows):
    """[n] bool: more than half of the box lies on an ignored object of its class.

    One of any class will do.
    """
    if not len(ignored):
        return np.zeros(len(rows), bool)
    shares = compute_ious(results.boxes[rows], image_set.boxes[ignored], is_crowd=True)
    classes = image_set.classes[ignored]
    is_same = (results.classes[rows, None] == classes) | (classes == ANY_CLASS)
    shares = shares * is_same
    return (shares > IOU_THRESHOLD).any(axis=1)


def _join(parts, dtype):
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)
