"""How good the boxes are that a teacher gives to weak images, where the truth is known.

In an experiment the weak images are images with boxes that the split holds back. These
boxes are no loss's business, but they say how often the teacher is right.
"""

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from ehsod_tf.evaluation.matching import IOU_THRESHOLD, compute_ious
from ehsod_tf.structures import Batch, Targets


def measure_pseudo_boxes(
    promote: Callable[[Batch], Targets], dataset: Iterable[Batch]
) -> dict[str, float | None]:
    """Compares a teacher's boxes with those that were held back.

    Args:
        promote: maps a `Batch` of weak images to its `Targets` with the boxes of the
            teacher; it is not shown the true ones.
        dataset: batches of images whose true boxes the targets hold; fillers have the
            id -1.

    Returns:
        ``pseudo_images``, the share of images that got boxes, or the word that they
        show nothing; and in these, ``pseudo_precision``, the share of boxes that are
        right, and ``pseudo_recall``, the share of objects that have such a box. A box
        is right if it has the class of an object and an IoU of at least 0.5 with it,
        and no other box has been counted for that object. None without a box, or
        without an object.
    """
    images, promoted, boxes, objects, hits = 0, 0, 0, 0, 0
    for batch in dataset:
        found = promote(batch._replace(targets=_hide_boxes(batch.targets)))
        for row, image_id in enumerate(np.asarray(batch.image_ids)):
            if image_id == -1:
                continue
            images += 1
            if not found.has_boxes[row]:
                continue
            own, truth = _take_image(found, row), _take_image(batch.targets, row)
            promoted += 1
            boxes += len(own[1])
            objects += len(truth[1])
            hits += count_hits(*own, *truth)
    return {
        "pseudo_images": promoted / images if images else None,
        "pseudo_precision": hits / boxes if boxes else None,
        "pseudo_recall": hits / objects if objects else None,
    }


def count_hits(boxes, classes, true_boxes, true_classes) -> int:
    """Counts the boxes that are right, each object once; best boxes come first.

    Args:
        boxes, true_boxes: [n, 4] and [m, 4].
        classes, true_classes: [n] and [m].
    """
    if not len(classes) or not len(true_classes):
        return 0
    ious = compute_ious(boxes, true_boxes)
    ious[np.not_equal.outer(classes, true_classes)] = 0.0
    hits = 0
    for row in ious:
        nearest = row.argmax()
        if row[nearest] >= IOU_THRESHOLD:
            hits += 1
            ious[:, nearest] = 0.0
    return hits


def _hide_boxes(targets):
    return targets._replace(
        boxes=tf.zeros_like(targets.boxes),
        classes=tf.fill(tf.shape(targets.classes), -1),
        class_states=targets.image_labels,
    )


def _take_image(targets, row):
    boxes, classes = np.asarray(targets.boxes[row]), np.asarray(targets.classes[row])
    return boxes[classes >= 0], classes[classes >= 0]
