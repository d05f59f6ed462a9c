"""Figures for detections: COCO's twelve, and VOC's average precision."""

from ehsod_tf.evaluation.confusion import (
    OperatingPoint,
    choose_operating_point,
    count_confusions,
)
from ehsod_tf.evaluation.curves import Curve, trace_curves
from ehsod_tf.evaluation.error_kinds import ErrorKind, measure_errors
from ehsod_tf.evaluation.matching import KINDS, RIGHT, Matches, match_detections
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
    "KINDS",
    "RIGHT",
    "Curve",
    "ErrorKind",
    "Matches",
    "OperatingPoint",
    "Results",
    "check_ground_truth",
    "choose_operating_point",
    "count_confusions",
    "evaluate",
    "format_figures",
    "match_detections",
    "measure_errors",
    "measure_pseudo_boxes",
    "read_detections",
    "trace_curves",
    "unscale",
    "write_detections",
    "write_metrics",
]
