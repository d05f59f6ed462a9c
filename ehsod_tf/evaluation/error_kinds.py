"""What each kind of error costs: the AP50 that its repair would gain (TIDE)."""

from typing import NamedTuple

import numpy as np

from ehsod_tf.evaluation.matching import KINDS, RIGHT, Matches
from ehsod_tf.evaluation.results import Results
from ehsod_tf.structures import ImageSet

MISSED = "missed"
_RECALLS = np.arange(101) / 100


class ErrorKind(NamedTuple):
    """One of TIDE's six kinds of errors.

    Attributes:
        name: one of `KINDS` but "right", or "missed".
        count: detections that are wrong so; of "missed", objects that no detection
            found nor would have found with another class or a better box.
        cost: what AP50 would gain if only these were put right, in [0, 1].
    """

    name: str
    count: int
    cost: float


def measure_errors(
    image_set: ImageSet, results: Results, matches: Matches
) -> list[ErrorKind]:
    """Measures the six kinds of errors of TIDE, in its order.

    A wrong class or a bad box is put right if its object was not found otherwise, by
    the best such detection; the others of the same object, duplicates and detections of
    background are taken away; of "missed", the objects are. The costs do not add up:
    each is measured alone.

    Args:
        image_set, results: that were matched.
        matches: of `match_detections`.
    """
    num_classes = len(image_set.class_names)
    num_objects = np.bincount(
        image_set.classes[~image_set.ignored], minlength=num_classes
    )
    detections = _Detections(image_set, results, matches)
    ap = _compute_mean_ap(_list_counted(results, matches), num_objects)
    errors = []
    for kind, name in enumerate(KINDS):
        if kind != RIGHT:
            repaired = _compute_mean_ap(detections.repair(kind), num_objects)
            count = int((matches.kinds == kind).sum())
            errors.append(ErrorKind(name, count, max(repaired - ap, 0.0)))
    missed = detections.count_missed()
    repaired = _compute_mean_ap(detections.repair(None), num_objects - missed)
    cost = max(repaired - ap, 0.0)
    return [*errors, ErrorKind(MISSED, int(missed.sum()), cost)]


def _list_counted(results, matches):
    """Classes, scores and hits as they are, image by image."""
    counted = ~matches.is_ignored
    rows = matches.rows[counted]
    return results.classes[rows], results.scores[rows], matches.kinds[counted] == RIGHT


class _Detections:
    """Detections as TIDE repairs them: the wrong ones first, then the right ones.

    The order decides between equal scores.
    """

    def __init__(self, image_set, results, matches):
        is_right = matches.kinds == RIGHT
        order = np.argsort(is_right, kind="stable")
        self._kinds = matches.kinds[order]
        self._is_ignored = matches.is_ignored[order]
        self._classes = results.classes[matches.rows[order]]
        self._scores = results.scores[matches.rows[order]]
        objects = matches.objects[order]
        self._object_classes = np.append(image_set.classes, -1)[objects]
        is_lost = (matches.found_by < 0) & ~image_set.ignored
        is_candidate = ~is_right[order] & np.append(is_lost, False)[objects]
        # An object is won back by the best of the detections that could; those of an
        # image come by falling score.
        candidates = np.flatnonzero(is_candidate)
        won_back, first = np.unique(objects[candidates], return_index=True)
        self._is_best = np.zeros(len(order), bool)
        self._is_best[candidates[first]] = True
        is_lost[won_back] = False
        self._missed = np.bincount(
            image_set.classes[is_lost], minlength=len(image_set.class_names)
        )

    def repair(self, kind):
        """Classes, scores and hits, with the errors of one kind put right."""
        is_wrong_so = self._kinds == kind
        hits = (self._kinds == RIGHT) | (is_wrong_so & self._is_best)
        kept = np.where(is_wrong_so, self._is_best, ~self._is_ignored)
        classes = np.where(
            is_wrong_so & self._is_best, self._object_classes, self._classes
        )
        return classes[kept], self._scores[kept], hits[kept]

    def count_missed(self):
        return self._missed


def _compute_mean_ap(detections, num_objects):
    """AP50 as TIDE has it: mean over the classes that have objects or detections."""
    classes, scores, hits = detections
    aps = []
    for k, number in enumerate(num_objects):
        own = classes == k
        if number or own.any():
            aps.append(_compute_ap(scores[own], hits[own], number) if number else 0.0)
    return float(np.mean(aps)) if aps else 0.0


def _compute_ap(scores, hits, num_objects):
    hits = hits[np.argsort(-scores, kind="stable")]
    num_hits = np.cumsum(hits)
    precisions = num_hits / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precisions[::-1])[::-1]
    first = np.searchsorted(num_hits / num_objects, _RECALLS)
    return np.append(best, 0.0)[np.minimum(first, len(best))].mean()
