"""The page that sets runs side by side."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.visualization.charts import MAX_SERIES, Series, draw_dots, draw_lines
from ehsod_tf.visualization.figure_names import EXPLANATIONS, LEADING
from ehsod_tf.visualization.history_charts import make_series
from ehsod_tf.visualization.pictures import Gallery
from ehsod_tf.visualization.rendering import write_page
from ehsod_tf.visualization.report import DEFAULT_SCORE, ERROR_NAMES, Diagnosis
from ehsod_tf.visualization.supervision_text import (
    describe_common_evaluation,
    describe_training,
    list_supervision,
)

MAX_RUNS = MAX_SERIES


class ComparedRun(NamedTuple):
    """One run of the page; see `RunReport` for the other attributes.

    Attributes:
        name: unlike those of the others.
        settings: {name: value} of its configuration, as text.
    """

    name: str
    figures: Mapping
    summary: tuple
    diagnosis: Diagnosis
    history: Sequence[Mapping]
    settings: Mapping[str, str]
    num_shared: int = 0


def write_comparison(
    path: str | os.PathLike,
    title: str,
    runs: Sequence[ComparedRun],
    galleries: Sequence[Gallery],
) -> None:
    """Writes the comparison of runs on the same images as one HTML file.

    Args:
        path: the file to write.
        title: heading of the page.
        runs: 2 to `MAX_RUNS`; differences are to the first.
        galleries: of evaluation images, the detections of each run beside each other.
    """
    scores = [run.diagnosis.point.score for run in runs if run.diagnosis.point]
    figure = _choose_class_figure(runs[0])
    num_images = runs[0].diagnosis.num_images
    write_page(
        path,
        "comparison.html",
        script_name="scores.js",
        title=title,
        runs=runs,
        evaluation=describe_common_evaluation(
            num_images, {run.name: run.num_shared for run in runs}
        ),
        tiles=[
            (run.name, describe_training(run.summary), list_leading(runs, run))
            for run in runs
        ],
        supervision=_list_supervision(runs),
        figure_table=_list_figures(runs),
        class_table=_list_classes(runs, figure),
        charts=[chart for chart in _draw_charts(runs, figure) if chart],
        galleries=galleries,
        threshold=float(np.mean(scores)) if scores else DEFAULT_SCORE,
        settings=_list_differences(runs),
    )


def list_leading(runs, run) -> list[tuple]:
    """(name, value, explanation) of the leading figures of one of the runs."""
    rows = []
    for name in LEADING:
        if name not in run.figures:
            continue
        note = EXPLANATIONS[name]
        if run is not runs[0]:
            note = _subtract(run.figures[name], runs[0].figures.get(name), " against")
            note += f" {runs[0].name}"
        rows.append((name, run.figures[name], note))
    return rows


def _draw_charts(runs, figure):
    rows = [
        (name, [run.figures["per_class"][name].get(figure) for run in runs])
        for name in runs[0].summary.class_names
    ]
    names = [run.name for run in runs]
    yield draw_dots(f"{figure} by class", "a mark for each run", rows, names, "")
    yield _draw_mean_curves(runs)
    for column in ("AP50", "voc_ap50_area", "AP"):
        series = [make_series(run.history, f"val_{column}", run.name) for run in runs]
        series = [line for line in series if line.xs]
        if series:
            yield draw_lines(f"{column} in validation", series, "epoch", y_max=1.0)
    rows = [
        (
            ERROR_NAMES[error.name],
            [100 * run.diagnosis.errors[i].cost for run in runs],
        )
        for i, error in enumerate(runs[0].diagnosis.errors)
    ]
    note = "points of AP50 that would be gained if it alone were put right"
    yield draw_dots("What each kind of error costs", note, rows, names, "")


def _draw_mean_curves(runs):
    recalls = np.arange(101) / 100
    series = []
    for run in runs:
        curves = [
            np.interp(recalls, *curve, left=curve[1][0], right=0.0)
            if len(curve[0]) != len(recalls)
            else curve[1]
            for curve in run.diagnosis.curves.values()
            if len(curve[0])
        ]
        if curves:
            name = {"AP50": "AP50", "ap50_area": "voc_ap50_area"}[run.diagnosis.figure]
            note = f"{name} {run.figures[name]:.4f}"
            series.append(Series(run.name, recalls, np.mean(curves, axis=0), note))
    if not series:
        return None
    note = "mean over the classes, at IoU 0.5"
    return draw_lines(
        "Precision", series, "recall", note=note, y_max=1.0, y_name="precision"
    )


def _choose_class_figure(run):
    columns = next(iter(run.figures["per_class"].values()), {})
    return "AP50" if "AP50" in columns else "ap50_area"


def _list_supervision(runs):
    header, rows = list_supervision([run.summary for run in runs])
    return ["run", *header, "epochs"], [
        [run.name, *row, len(run.history)] for run, row in zip(runs, rows, strict=True)
    ]


def _list_figures(runs):
    names = [name for name in runs[0].figures if name != "per_class"]
    rows = [
        [name, *_compare([run.figures.get(name) for run in runs])] for name in names
    ]
    return _head("figure", runs), rows


def _list_classes(runs, figure):
    rows = [
        [name, *_compare([run.figures["per_class"][name].get(figure) for run in runs])]
        for name in runs[0].summary.class_names
    ]
    return figure, _head("class", runs), rows


def _head(first, runs):
    names = [runs[0].name]
    for run in runs[1:]:
        names += [run.name, "difference"]
    return [first, *names]


def _compare(values):
    """The values, each but the first followed by its difference to the first."""
    cells = [values[0]]
    for value in values[1:]:
        cells += [value, _subtract(value, values[0])]
    return cells


def _subtract(value, first, words=""):
    if value is None or first is None:
        return "–"
    return f"{value - first:+.4f}{words}".replace("-", "−")


def _list_differences(runs):
    """Rows of the settings that are not the same in all runs."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = [[name, *(run.settings.get(name, "–") for run in runs)] for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]
