"""Precision over recall, class by class, as the metric of a run has it."""

from typing import NamedTuple

import numpy as np

from ehsod_tf.evaluation.coco import trace_coco_precision
from ehsod_tf.evaluation.results import Results
from ehsod_tf.evaluation.voc import trace_voc_precision
from ehsod_tf.structures import ImageSet


class Curve(NamedTuple):
    """The precision of one class over its recall, at IoU 0.5.

    Attributes:
        recalls: [n] float64, rising.
        precisions: [n] float64, the best at this recall or above, so falling.
    """

    recalls: np.ndarray
    precisions: np.ndarray


def trace_curves(
    image_set: ImageSet, results: Results, metrics: str = "coco"
) -> tuple[str, dict[str, Curve]]:
    """Traces the curve of every class that has objects.

    Args:
        image_set: `ImageSet` whose boxes all are known.
        results: `Results` on its images.
        metrics: "coco", "voc" or "both", as in `evaluate`.

    Returns:
        The figure that the curves are of, as it is called in `per_class`: "AP50", which
        is the mean of a curve's 101 precisions, or "ap50_area", the area under it. And
        the curves by class name.
    """
    if metrics == "voc":
        return "ap50_area", {
            name: Curve(recalls, precisions)
            for name, (recalls, precisions) in trace_voc_precision(
                image_set, results
            ).items()
        }
    recalls = np.arange(101) / 100
    precision = trace_coco_precision(image_set, results)
    return "AP50", {
        name: Curve(recalls, row)
        for name, row in zip(image_set.class_names, precision, strict=True)
        if not np.isnan(row).any()
    }
