"""Pictures and pages for people: drawn boxes, charts, reports of runs and of data."""

from ehsod_tf.visualization.annotated_images import choose_images, name_kind
from ehsod_tf.visualization.batch_page import (
    BatchNames,
    format_batch,
    write_batch_page,
)
from ehsod_tf.visualization.comparison import (
    MAX_RUNS,
    ComparedRun,
    write_comparison,
)
from ehsod_tf.visualization.drawing import draw_boxes
from ehsod_tf.visualization.heat_maps import Explained, overlay_map
from ehsod_tf.visualization.inspection import write_inspection
from ehsod_tf.visualization.inspection_text import format_inspection
from ehsod_tf.visualization.pictures import Gallery, Verdicts, make_picture
from ehsod_tf.visualization.pixels import convert_to_rgb
from ehsod_tf.visualization.prediction_page import (
    make_prediction_card,
    write_prediction_page,
)
from ehsod_tf.visualization.report import (
    DEFAULT_SCORE,
    Diagnosis,
    LeftOut,
    RunReport,
    write_report,
)

__all__ = [
    "DEFAULT_SCORE",
    "MAX_RUNS",
    "BatchNames",
    "ComparedRun",
    "Diagnosis",
    "Explained",
    "Gallery",
    "LeftOut",
    "RunReport",
    "Verdicts",
    "choose_images",
    "convert_to_rgb",
    "draw_boxes",
    "format_batch",
    "format_inspection",
    "make_picture",
    "make_prediction_card",
    "name_kind",
    "overlay_map",
    "write_batch_page",
    "write_comparison",
    "write_inspection",
    "write_prediction_page",
    "write_report",
]
