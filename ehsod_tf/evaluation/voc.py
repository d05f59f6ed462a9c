"""The PASCAL VOC metric: average precision at IoU 0.5, as in the VOC devkit.

The devkit takes the corners of a box as inclusive pixels, and so adds 1 to every width
and height of its IoU. In our continuous coordinates such a box is
``[ymin - 1, xmin - 1, ymax, xmax]`` and has those very widths and heights, so that the
plain IoU is the devkit's.
"""

import numpy as np

from ehsod_tf.evaluation.results import Results, find_images
from ehsod_tf.evaluation.validation import check_ground_truth, check_results
from ehsod_tf.structures import ImageSet

FIGURES = ("voc_ap50_11point", "voc_ap50_area")

IOU_THRESHOLD = 0.5


def evaluate_voc(image_set: ImageSet, results: Results) -> dict:
    """Computes VOC AP50 in the 11-point (VOC2007) and the area form (VOC2010 on).

    The detections of a class are taken by falling score over all images, and each is
    compared with the object of its class and image that it overlaps most. At an IoU of
    0.5 or more, the first detection of an object is a hit and each further one a miss;
    a detection of an ignored (difficult) object is neither. All others are misses.

    Args:
        image_set: `ImageSet` whose boxes all are known.
        results: `Results` on its images.

    Returns:
        `FIGURES` by name: the means over the classes that have objects, in [0, 1]; and
        `per_class`, ``{name: {"ap50_11point", "ap50_area", "num_objects"}}``. The
        objects do not include ignored ones; APs of a class without objects are None.

    Raises:
        DataError: see `ehsod_tf.evaluation.validation`.
    """
    check_ground_truth(image_set)
    check_results(image_set, results)
    classes, hits = _find_hits(image_set, results)
    num_objects = _count_objects(image_set)
    per_class = {}
    for k, name in enumerate(image_set.class_names):
        per_class[name] = _measure_class(hits[classes == k], int(num_objects[k]))
    return {
        "voc_ap50_11point": _mean_of(per_class, "ap50_11point"),
        "voc_ap50_area": _mean_of(per_class, "ap50_area"),
        "per_class": per_class,
    }


def trace_voc_precision(
    image_set: ImageSet, results: Results
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The curves whose areas are the classes' AP50, of classes that have objects.

    Returns:
        {class name: (recalls [n], best precisions at these or higher recalls [n])}, a
        point for each detection that finds an object.
    """
    check_ground_truth(image_set)
    check_results(image_set, results)
    classes, hits = _find_hits(image_set, results)
    curves = {}
    for k, number in enumerate(_count_objects(image_set)):
        if number:
            own = hits[classes == k]
            num_hits, best = _trace_precision(own)
            curves[image_set.class_names[k]] = num_hits[own] / number, best[own]
    return curves


def compute_ap_11point(hits: np.ndarray, num_objects: int) -> float:
    """The mean, over the recalls 0, 0.1 .. 1, of the best precision at that recall.

    Args:
        hits: [n] bool, which detections, best first, are hits.
        num_objects: how many objects there are to find, at least 1.
    """
    num_hits, best = _trace_precision(hits)
    # In whole numbers: 3 of 10 objects are a recall of 0.3, which 3 * 0.1 in floating
    # point exceeds.
    first = np.searchsorted(10 * num_hits, np.arange(11) * num_objects)
    return float(np.append(best, 0.0)[first].sum() / 11)


def compute_ap_area(hits: np.ndarray, num_objects: int) -> float:
    """The area under the precision made monotone, all points. Args as 11-point."""
    _, best = _trace_precision(hits)
    return float(best[hits].sum() / num_objects)


def _trace_precision(hits):
    """Hits so far [n], and the best precision here or at a higher recall [n]."""
    num_hits = np.cumsum(hits)
    precision = num_hits / np.arange(1, len(hits) + 1)
    return num_hits, np.maximum.accumulate(precision[::-1])[::-1]


def _measure_class(hits, num_objects):
    if not num_objects:
        return {"ap50_11point": None, "ap50_area": None, "num_objects": 0}
    return {
        "ap50_11point": compute_ap_11point(hits, num_objects),
        "ap50_area": compute_ap_area(hits, num_objects),
        "num_objects": num_objects,
    }


def _count_objects(image_set):
    return np.bincount(
        image_set.classes[~image_set.ignored], minlength=len(image_set.class_names)
    )


def _find_hits(image_set, results):
    """Classes [n] and hits [n] of the detections that count, by falling score."""
    order = np.lexsort((find_images(image_set, results.image_ids), -results.scores))
    results = Results(*(column[order] for column in results))
    hits, counted = _match(image_set, results)
    return results.classes[counted], hits[counted]


def _mean_of(per_class, figure):
    values = [row[figure] for row in per_class.values() if row[figure] is not None]
    return float(np.mean(values)) if values else None


def _match(image_set, results):
    """[n] bool each: detections that find an object first, and those that count."""
    objects, ious = _find_nearest(image_set, results)
    overlaps = ious >= IOU_THRESHOLD
    ignored = np.zeros_like(overlaps)
    ignored[overlaps] = image_set.ignored[objects[overlaps]]
    candidates = np.flatnonzero(overlaps)
    _, first = np.unique(objects[candidates], return_index=True)
    hits = np.zeros_like(overlaps)
    hits[candidates[first]] = True
    return hits, ~ignored


def _find_nearest(image_set, results):
    """Finds the object of its image and class that each detection overlaps most.

    Returns:
        The rows [n] of the objects in the image set, and the IoUs [n]; 0 and -1 for a
        detection without an object of its class in its image.
    """
    num_classes = len(image_set.class_names)
    images = np.repeat(
        np.arange(len(image_set.image_ids)), np.diff(image_set.row_splits)
    )
    object_keys = images * num_classes + image_set.classes
    by_key = np.argsort(object_keys, kind="stable")
    keys = find_images(image_set, results.image_ids) * num_classes + results.classes
    starts = np.searchsorted(object_keys, keys, side="left", sorter=by_key)
    ends = np.searchsorted(object_keys, keys, side="right", sorter=by_key)

    # One row per detection and object that may match, grouped by detection.
    counts = ends - starts
    offsets = np.cumsum(counts) - counts
    detections = np.repeat(np.arange(len(keys)), counts)
    within = np.arange(len(detections)) - offsets[detections]
    pairs = by_key[starts[detections] + within]
    pair_ious = _compute_ious(results.boxes[detections], image_set.boxes[pairs])

    nearest = np.zeros(len(keys), np.int64)
    ious = np.full(len(keys), -1.0)
    # Stable, so that the first of equally near objects is taken, as in the devkit.
    order = np.lexsort((-pair_ious, detections))
    found = counts > 0
    best = order[offsets[found]]
    nearest[found] = pairs[best]
    ious[found] = pair_ious[best]
    return nearest, ious


def _compute_ious(a, b):
    """IoU of each box of `a` [n, 4] with that of `b` [n, 4] in the same row."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    overlap = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1)
    union -= overlap
    return np.divide(overlap, union, out=np.zeros_like(union), where=union > 0)
