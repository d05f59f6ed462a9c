"""Runs a detector over an image set and turns what it finds into figures."""

import json
from collections.abc import Callable, Iterable

import numpy as np

from ehsod_tf.errors import DataError
from ehsod_tf.evaluation.coco import evaluate_coco
from ehsod_tf.evaluation.results import (
    Results,
    find_images,
    merge_results,
    unscale,
)
from ehsod_tf.evaluation.validation import check_ground_truth, list_names
from ehsod_tf.evaluation.voc import evaluate_voc
from ehsod_tf.files import open_new
from ehsod_tf.structures import Batch, Detections, ImageSet
from ehsod_tf.wording import count

METRICS = ("coco", "voc", "both")
# COCO has twelve: six of precision, six of recall.
_HEADLINES_A_ROW = 6


def evaluate(
    model: Callable[[Batch], Detections],
    dataset: Iterable[Batch],
    image_set: ImageSet,
    *,
    metrics: str = "coco",
    engine: str = "fast",
    on_batch: Callable[[int, int], None] | None = None,
) -> tuple[dict, Results]:
    """Evaluates a detector on an image set.

    Args:
        model: maps a `Batch` to its `Detections`, both on the batch's canvas.
        dataset: the batches, which hold every image of `image_set` once, in any order.
        image_set: the `ImageSet` with the ground truth.
        metrics: "coco", "voc" or "both".
        engine: see `evaluate_coco`.
        on_batch: called after each batch with the images done and the images in all.

    Returns:
        The figures of `evaluate_coco`, `evaluate_voc` or both in one dictionary, and
        the `Results` in original pixels, in the order of the image set.

    Raises:
        DataError: an image has no boxes to evaluate against, is missing from
            `dataset`, occurs twice there or does not belong to the image set.
        ValueError: there is no such metric or engine.
    """
    if metrics not in METRICS:
        raise ValueError(f"metrics {metrics!r} is none of {METRICS}")
    check_ground_truth(image_set)
    results = detect(model, dataset, image_set, on_batch=on_batch)
    return compute_figures(image_set, results, metrics=metrics, engine=engine), results


def detect(
    model: Callable[[Batch], Detections],
    dataset: Iterable[Batch],
    image_set: ImageSet,
    *,
    on_batch: Callable[[int, int], None] | None = None,
) -> Results:
    """Runs a detector over an image set, each image once. See `evaluate`."""
    times_seen = np.zeros(len(image_set.image_ids), np.int64)
    parts = []
    for batch in dataset:
        image_ids = np.asarray(batch.image_ids)
        rows = find_images(image_set, image_ids[image_ids != -1])
        np.add.at(times_seen, rows, 1)
        _require(times_seen <= 1, image_set, "came twice from the evaluation pipeline")
        parts.append(unscale(model(batch), batch))
        if on_batch is not None:
            on_batch(int(times_seen.sum()), len(times_seen))
    _require(times_seen >= 1, image_set, "never came from the evaluation pipeline")
    return merge_results(parts, image_set)


def compute_figures(
    image_set: ImageSet, results: Results, *, metrics: str = "coco", engine="fast"
) -> dict:
    """Computes the COCO figures, the VOC figures or both. See `evaluate`."""
    figures, per_class = {}, {name: {} for name in image_set.class_names}
    parts = []
    if metrics in ("coco", "both"):
        parts.append(evaluate_coco(image_set, results, engine=engine))
    if metrics in ("voc", "both"):
        parts.append(evaluate_voc(image_set, results))
    for part in parts:
        for name, row in part.pop("per_class").items():
            per_class[name].update(row)
        figures.update(part)
    return {**figures, "per_class": per_class}


def write_metrics(path: str, figures: dict) -> None:
    """Writes figures as JSON, sorted and in full precision, None as null."""
    with open_new(path) as file:
        json.dump(figures, file, indent=2, sort_keys=True, allow_nan=False)
        file.write("\n")


def format_figures(figures: dict) -> str:
    """Sets figures as tables for a terminal: headlines, six a row, then per class."""
    headline = [item for item in figures.items() if item[0] != "per_class"]
    parts = []
    for names_and_values in _batch(headline, _HEADLINES_A_ROW):
        names, values = zip(*names_and_values, strict=True)
        parts.append(_align([names, [_format(value) for value in values]]))
    per_class = figures["per_class"]
    columns = list(next(iter(per_class.values()), {}))
    rows = [["class", *columns]]
    for name, row in per_class.items():
        rows.append([name, *(_format(row[column]) for column in columns)])
    return "\n\n".join([*parts, _align(rows, is_first_text=True)])


def _batch(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def _format(value):
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _align(rows, is_first_text=False):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first = str.ljust if is_first_text else str.rjust
    return "\n".join(
        "  ".join([first(row[0], widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in rows
    )


def _require(fine, image_set, complaint):
    rows = np.flatnonzero(~fine)
    if rows.size:
        raise DataError(
            f"{rows.size:,} of {count(len(fine), 'image')} {complaint}: "
            f"{list_names(image_set, rows)}"
        )
