"""The report of a run: one HTML file that can be sent to a colleague as it is."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.visualization.charts import Series, draw_line_chart
from ehsod_tf.visualization.html import (
    Bar,
    Section,
    render_details,
    render_gallery,
    render_page,
    render_table,
    render_text,
    render_tiles,
)

_EXPLANATIONS = {
    "AP": "mean over IoU 0.50 to 0.95",
    "AP50": "at IoU 0.50",
    "AP75": "at IoU 0.75",
    "voc_ap50_11point": "VOC2007, 11-point",
    "voc_ap50_area": "VOC2010 on, all points",
    "APs": "objects under 32² pixels",
    "APm": "32² to 96² pixels",
    "APl": "over 96² pixels",
    "AR1": "recall, 1 detection an image",
    "AR10": "recall, 10 detections",
    "AR100": "recall, 100 detections",
    "ARs": "recall, under 32² pixels",
    "ARm": "recall, 32² to 96² pixels",
    "ARl": "recall, over 96² pixels",
}
_LEADING = ("AP", "AP50", "AP75", "voc_ap50_11point", "voc_ap50_area")

_STAGE_TERM = re.compile(r"stage(\d+)_(\w+)")


class Sample(NamedTuple):
    """An image for the gallery, [H, W, 3] uint8 each.

    Attributes:
        image: the image itself, shown where there is no ground truth.
        ground_truth: the image with its objects drawn, or None.
        detections: the image with its detections drawn.
        name: for people.
    """

    image: np.ndarray
    ground_truth: np.ndarray | None
    detections: np.ndarray
    name: str = ""


def write_report(
    path: str,
    *,
    title: str,
    figures: Mapping,
    history: Sequence[Mapping],
    supervision_text: str,
    samples: Sequence[Sample],
    config_text: str,
) -> None:
    """Writes the report of a run as one HTML file without outside references.

    Args:
        path: the file to write.
        title: heading of the page.
        figures: as `ehsod_tf.evaluation.runner.evaluate` returns them.
        history: rows as in history.csv, one per epoch: ``epoch``, loss terms,
            ``learning_rate``, ``gradient_norm`` and, on evaluated epochs, figures
            named ``val_…``. Values are numbers or their text; empty ones are left out.
        supervision_text: a table of what is known of the training images.
        samples: the gallery.
        config_text: the operative configuration.
    """
    sections = [
        Section("Result", _render_headline(figures)),
        Section("Result by class", _render_classes(figures["per_class"])),
    ]
    if samples:
        sections.append(Section("Validation images", _render_samples(samples)))
    if history:
        sections.append(Section("Training", _render_history(history)))
    sections += [
        Section("Supervision", render_text(supervision_text)),
        Section(
            "Configuration",
            render_details("Every value of this run", render_text(config_text)),
        ),
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.write(render_page(title, sections))


def _render_headline(figures):
    tiles = [
        (name, value, _EXPLANATIONS.get(name, ""))
        for name, value in figures.items()
        if name != "per_class"
    ]
    leading = [tile for tile in tiles if tile[0] in _LEADING]
    others = [tile for tile in tiles if tile[0] not in _LEADING]
    html = render_tiles(leading)
    return html + (render_tiles(others, size="small") if others else "")


def _render_classes(per_class):
    columns = list(next(iter(per_class.values()), {}))
    rows = [
        [name, *(_make_cell(column, row[column]) for column in columns)]
        for name, row in per_class.items()
    ]
    return render_table(["class", *columns], rows)


def _make_cell(column, value):
    return value if column == "num_objects" else Bar(value)


def _render_samples(samples):
    rows = []
    for image, ground_truth, detections, name in (Sample(*s) for s in samples):
        left = (
            ("Image", image) if ground_truth is None else ("Ground truth", ground_truth)
        )
        rows.append((name, [left, ("Detections", detections)]))
    return render_gallery(rows)


def _render_history(history):
    charts = []
    for chart_title, columns in _group_columns(history):
        series = [
            _make_series(history, column, name) for column, name in columns.items()
        ]
        series = [line for line in series if line.xs]
        if series:
            charts.append(draw_line_chart(chart_title, series, "epoch"))
    return f'<div class="charts">{"".join(charts)}</div>'


def _group_columns(history):
    """Lists the charts: (title, {column: name of its line}), the figures first."""
    columns = list(dict.fromkeys(column for row in history for column in row))
    charts = {}
    for column in columns:
        stage = _STAGE_TERM.fullmatch(column)
        if column in ("epoch", "step"):
            continue
        if column.startswith("val_pseudo_"):
            name = column.removeprefix("val_pseudo_")
            charts.setdefault("boxes of the teacher", {})[column] = name
        elif column.startswith("val_"):
            if column.removeprefix("val_") in _LEADING:
                charts.setdefault("validation", {})[column] = column[len("val_") :]
        elif stage:
            charts.setdefault(f"stage {stage[2]}", {})[column] = f"stage {stage[1]}"
        elif column.startswith("gradient_norm"):
            name = "largest" if column.endswith("_max") else "mean"
            charts.setdefault("gradient_norm", {})[column] = name
        else:
            charts[column] = {column: column}
    first = ("validation", "total_loss")
    order = [*(title for title in first if title in charts), *charts]
    return [(title, charts[title]) for title in dict.fromkeys(order)]


def _make_series(history, column, name):
    points = [
        (float(row["epoch"]), float(row[column]))
        for row in history
        if row.get(column) not in (None, "")
    ]
    points = [point for point in points if math.isfinite(point[1])]
    return Series(name, [x for x, _ in points], [y for _, y in points])
