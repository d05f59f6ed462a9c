"""The curves of a run, from the rows of its ``history.csv``."""

import math
import re
from collections.abc import Mapping, Sequence

from ehsod_tf.visualization.charts import Chart, Series, draw_lines
from ehsod_tf.visualization.figure_names import LEADING

_STAGE_TERM = re.compile(r"stage(\d+)_(\w+)")
_TEACHER = "val_pseudo_"


def draw_history(history: Sequence[Mapping]) -> list[Chart]:
    """Draws all columns but the teacher's, figures and total loss first.

    Args:
        history: one row an epoch. Values are numbers or their text; empty ones, and
            those that are not finite, leave a gap.
    """
    return _draw_groups(history, _group_columns(history))


def draw_teacher(history: Sequence[Mapping]) -> list[Chart]:
    """Draws how good the boxes of a teacher were; none without a teacher."""
    groups: dict[str, dict[str, str]] = {}
    for column in _list_columns(history):
        if column.startswith(_TEACHER):
            name = column.removeprefix(_TEACHER)
            groups.setdefault("Boxes of the teacher", {})[column] = name
        elif column.startswith("teacher_"):
            name = column.removeprefix("teacher_")
            groups.setdefault("Promoted in a step, on average", {})[column] = name
    return _draw_groups(history, groups)


def make_series(history: Sequence[Mapping], column: str, name: str) -> Series:
    """The finite values of a column by epoch."""
    points = [
        (int(row["epoch"]), float(row[column]))
        for row in history
        if row.get(column) not in (None, "")
    ]
    points = [point for point in points if math.isfinite(point[1])]
    return Series(name, [x for x, _ in points], [y for _, y in points])


def _draw_groups(history, groups):
    charts = []
    for title, columns in groups.items():
        series = [make_series(history, c, name) for c, name in columns.items()]
        series = [line for line in series if line.xs]
        if series:
            charts.append(draw_lines(title, series, "epoch"))
    return charts


def _group_columns(history):
    """The charts: {title: {column: name of its line}}, the figures first."""
    charts: dict[str, dict[str, str]] = {}
    for column in _list_columns(history):
        stage = _STAGE_TERM.fullmatch(column)
        if column in ("epoch", "step") or column.startswith((_TEACHER, "teacher_")):
            continue
        if column.startswith("val_"):
            if column.removeprefix("val_") in LEADING:
                charts.setdefault("validation", {})[column] = column[len("val_") :]
            elif column.removeprefix("val_ema_") in LEADING:
                name = column[len("val_ema_") :]
                charts.setdefault("validation of the averages", {})[column] = name
        elif stage:
            charts.setdefault(f"stage {stage[2]}", {})[column] = f"stage {stage[1]}"
        elif column.startswith("gradient_norm"):
            name = "largest" if column.endswith("_max") else "mean"
            charts.setdefault("gradient_norm", {})[column] = name
        else:
            charts[column] = {column: column}
    first = ("validation", "validation of the averages", "total_loss")
    order = [*(title for title in first if title in charts), *charts]
    return {title: charts[title] for title in dict.fromkeys(order)}


def _list_columns(history):
    return list(dict.fromkeys(column for row in history for column in row))
