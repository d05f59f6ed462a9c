"""Figures for detections: COCO's twelve, and VOC's average precision."""

from ehsod_tf.evaluation.pseudo_boxes import measure_pseudo_boxes
from ehsod_tf.evaluation.results import (
    Results,
    read_detections,
    unscale,
    write_detections,
)
from ehsod_tf.evaluation.runner import evaluate, format_figures, write_metrics
from ehsod_tf.evaluation.validation import check_ground_truth

__all__ = [
    "Results",
    "check_ground_truth",
    "evaluate",
    "format_figures",
    "measure_pseudo_boxes",
    "read_detections",
    "unscale",
    "write_detections",
    "write_metrics",
]
