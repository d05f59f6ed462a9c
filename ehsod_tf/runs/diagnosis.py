"""Where the detections of a run are right, where they fail, and on what images."""

from collections.abc import Sequence

import numpy as np

from ehsod_tf import evaluation, visualization
from ehsod_tf.structures import ImageSet

_NUM_PICTURES = 6


def diagnose(
    image_set: ImageSet,
    results: evaluation.Results,
    matches: evaluation.Matches,
    metrics: str,
) -> visualization.Diagnosis:
    """Curves, kinds of errors and confusions.

    Args:
        image_set: the evaluation images.
        results: the detections on them.
        matches: of these.
        metrics: "coco", "voc" or "both".
    """
    figure, curves = evaluation.trace_curves(image_set, results, metrics)
    point = evaluation.choose_operating_point(image_set, results, matches)
    confusions = point and evaluation.count_confusions(
        image_set, results, matches, point.score
    )
    num_objects = np.bincount(
        image_set.classes[~image_set.ignored], minlength=len(image_set.class_names)
    )
    errors = evaluation.measure_errors(image_set, results, matches)
    return visualization.Diagnosis(
        figure,
        curves,
        errors,
        point,
        confusions,
        len(image_set.image_ids),
        num_objects,
    )


def rate_images(
    image_set: ImageSet,
    results: evaluation.Results,
    matches: evaluation.Matches,
    min_score: float,
) -> np.ndarray:
    """F1 of every image at IoU 0.5.

    Args:
        image_set, results, matches: see `diagnose`.
        min_score: weaker detections are left out.

    Returns:
        [I] in [0, 1]; NaN for an image without objects and without detections.
    """
    num_images = len(image_set.image_ids)
    shown = ~matches.is_ignored & (results.scores[matches.rows] >= min_score)
    detections = np.bincount(matches.images[shown], minlength=num_images)
    is_hit = shown & (matches.kinds == evaluation.RIGHT)
    hits = np.bincount(matches.images[is_hit], minlength=num_images)
    images = np.repeat(np.arange(num_images), np.diff(image_set.row_splits))
    objects = np.bincount(images[~image_set.ignored], minlength=num_images)
    with np.errstate(invalid="ignore"):
        return 2 * hits / (detections + objects)


def choose_galleries(
    image_set: ImageSet,
    rated: np.ndarray,
    make_picture,
    captions: Sequence[str] = ("detections",),
) -> list[visualization.Gallery]:
    """The images that went best, those that went worst, and random ones.

    Args:
        image_set: the evaluation images.
        rated: [I] of `rate_images`, or another rating.
        make_picture: takes a row and a note, returns a picture, or None.
        captions: names of the detectors.
    """
    rows = np.flatnonzero(np.isfinite(rated))
    # Of equal ones those with many objects say most.
    counts = np.diff(image_set.row_splits)[rows]
    worst = rows[np.lexsort((-counts, rated[rows]))][:_NUM_PICTURES]
    best = rows[np.lexsort((-counts, -rated[rows]))]
    best = best[~np.isin(best, worst)][:_NUM_PICTURES]
    rest = np.setdiff1d(np.arange(len(rated)), [*worst, *best])
    groups = {"Worst": worst, "Best": best, "Random": _draw_random(rest)}
    return _fill(groups, rated, make_picture, captions)


def choose_differing(
    image_set: ImageSet,
    ratings: Sequence[np.ndarray],
    make_picture,
    captions: Sequence[str],
) -> list[visualization.Gallery]:
    """The images on which detectors differ most, and random ones.

    Args:
        image_set, make_picture, captions: see `choose_galleries`.
        ratings: [I] of `rate_images` for each detector.
    """
    ratings = np.nan_to_num(np.array(ratings), nan=1.0)
    spread = ratings.max(axis=0) - ratings.min(axis=0)
    counts = np.diff(image_set.row_splits)
    most = np.lexsort((-counts, -spread))[:_NUM_PICTURES]
    rest = np.setdiff1d(np.arange(len(spread)), most)
    groups = {"Where they differ most": most, "Random": _draw_random(rest)}
    notes = np.full(len(spread), np.nan)
    return _fill(groups, notes, make_picture, captions)


def _draw_random(rows):
    return np.sort(np.random.default_rng(0).permutation(rows)[:_NUM_PICTURES])


def _fill(groups, rated, make_picture, captions):
    """Galleries of the pictures that can be made."""
    galleries = []
    for heading, rows in groups.items():
        pictures = [make_picture(row, _describe(rated[row])) for row in rows]
        pictures = [picture for picture in pictures if picture is not None]
        if pictures:
            galleries.append(visualization.Gallery(heading, list(captions), pictures))
    return galleries


def give_verdicts(
    results: evaluation.Results, matches: evaluation.Matches
) -> visualization.Verdicts:
    """What the pages say of each detection."""
    kinds = np.full(len(results.scores), "not among the best 100", object)
    words = np.array(evaluation.KINDS, object)[matches.kinds]
    words[matches.is_ignored] = "on an ignored object"
    kinds[matches.rows] = words
    return visualization.Verdicts(kinds, matches.found_by)


def _describe(rating):
    return "" if np.isnan(rating) else f"F1 {rating:.2f}"
