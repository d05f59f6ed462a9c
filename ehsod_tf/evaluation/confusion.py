"""Which classes are taken for which, and the score from which to believe."""

from typing import NamedTuple

import numpy as np

from ehsod_tf.evaluation.matching import (
    IOU_THRESHOLD,
    RIGHT,
    Matches,
    compute_ious,
)
from ehsod_tf.evaluation.results import Results
from ehsod_tf.structures import ImageSet


class OperatingPoint(NamedTuple):
    """A score threshold and what it gives over all classes together, at IoU 0.5."""

    score: float
    precision: float
    recall: float


def choose_operating_point(
    image_set: ImageSet, results: Results, matches: Matches
) -> OperatingPoint | None:
    """The score threshold with the best F1; None where no detection is right."""
    num_objects = int((~image_set.ignored).sum())
    counted = ~matches.is_ignored
    scores = results.scores[matches.rows[counted]]
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    num_hits = np.cumsum((matches.kinds[counted] == RIGHT)[order])
    if not len(num_hits) or not num_hits[-1]:
        return None
    # Of equal scores all are taken or none.
    is_last = np.append(scores[:-1] != scores[1:], True)
    numbers = np.arange(1, len(scores) + 1)
    f1 = np.where(is_last, 2 * num_hits / (numbers + num_objects), 0.0)
    best = int(f1.argmax())
    return OperatingPoint(
        float(scores[best]),
        float(num_hits[best] / numbers[best]),
        float(num_hits[best] / num_objects),
    )


def count_confusions(
    image_set: ImageSet, results: Results, matches: Matches, min_score: float
) -> np.ndarray:
    """Counts what objects are taken for.

    The diagonal holds the objects that were found (see `match_detections`). Objects
    and detections that remain are paired if their IoU is at least 0.5, the nearest
    first. What then remains is paired with background.

    Args:
        image_set, results: that were matched.
        matches: of `match_detections`.
        min_score: weaker detections are left out.

    Returns:
        [K + 1, K + 1] int64: rows are the true classes, columns the detected ones, the
        last of both is background.
    """
    num_classes = len(image_set.class_names)
    counts = np.zeros([num_classes + 1, num_classes + 1], np.int64)
    shown = results.scores[matches.rows] >= min_score
    is_right = shown & (matches.kinds == RIGHT)
    found = matches.objects[is_right]
    np.add.at(counts, (image_set.classes[found], image_set.classes[found]), 1)
    is_lost = ~image_set.ignored
    is_lost[found] = False
    is_wrong = shown & ~is_right & ~matches.is_ignored
    starts = np.searchsorted(matches.images, np.arange(len(image_set.image_ids) + 1))
    for image in range(len(image_set.image_ids)):
        first, last = image_set.row_splits[image : image + 2]
        lost = first + np.flatnonzero(is_lost[first:last])
        start, end = starts[image : image + 2]
        wrong = matches.rows[start + np.flatnonzero(is_wrong[start:end])]
        if not len(lost) and not len(wrong):
            continue
        pairs = _pair(compute_ious(results.boxes[wrong], image_set.boxes[lost]))
        taken_for = np.full(len(lost), num_classes)
        taken_for[pairs[:, 1]] = results.classes[wrong[pairs[:, 0]]]
        np.add.at(counts, (image_set.classes[lost], taken_for), 1)
        rest = np.delete(wrong, pairs[:, 0])
        np.add.at(counts, (num_classes, results.classes[rest]), 1)
    return counts


def _pair(ious):
    """Pairs rows and columns one to one, the highest IoUs first: [p, 2]."""
    ious, pairs = ious.copy(), []
    while ious.size and ious.max() >= IOU_THRESHOLD:
        row, column = np.unravel_index(ious.argmax(), ious.shape)
        pairs.append((row, column))
        ious[row], ious[:, column] = 0.0, 0.0
    return np.array(pairs, np.int64).reshape(-1, 2)
