"""Pictures and pages for people: drawn boxes, charts and the report of a run."""

from ehsod_tf.visualization.drawing import draw_boxes
from ehsod_tf.visualization.report import Sample, write_report
from ehsod_tf.visualization.samples import draw_samples

__all__ = ["Sample", "draw_boxes", "draw_samples", "write_report"]
