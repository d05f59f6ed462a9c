"""Pictures and pages for people: drawn boxes, charts, reports of runs and of data."""

from ehsod_tf.visualization.batch_page import (
    BatchNames,
    format_batch,
    write_batch_page,
)
from ehsod_tf.visualization.drawing import draw_boxes
from ehsod_tf.visualization.inspection import write_inspection
from ehsod_tf.visualization.inspection_text import format_inspection
from ehsod_tf.visualization.prediction_page import (
    make_prediction_card,
    write_prediction_page,
)
from ehsod_tf.visualization.report import Sample, write_report
from ehsod_tf.visualization.samples import draw_samples

__all__ = [
    "BatchNames",
    "Sample",
    "draw_boxes",
    "draw_samples",
    "format_batch",
    "format_inspection",
    "make_prediction_card",
    "write_batch_page",
    "write_inspection",
    "write_prediction_page",
    "write_report",
]
