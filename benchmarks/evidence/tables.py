"""Tables of the runs of a matrix: each cell's mean, spread and number of seeds."""

import json
import os
import statistics
from collections import defaultdict

from arms import ARMS
from matrices import Matrix, list_runs

AP50 = ("AP50", "voc_ap50_area")
# Heading: (the figure's possible names, the branch that it needs).
_LABEL_COLUMNS = {
    "AP50": (AP50, None),
    "from score 0.001": (("AP50_all_scores",), None),
    "fused with MID": (("AP50_fused",), "mid"),
    "AP at IoU 0.1": (("ap_at_iou_0.1",), None),
    "AP at IoU 0.7": (("ap_at_iou_0.7",), None),
    "CAM mAP": (("cam_map",), "cam"),
    "MID mAP": (("mid_map",), "mid"),
}
_RECALL_COLUMNS = {
    f"{number}, {title}": ((f"recall50_at_{number}_{name}",), branch)
    for number in (100, 300, 1000)
    for title, name, branch in (
        ("RPN", "without_cam", None),
        ("RPN + CAM", "with_cam", "cam"),
    )
}
_NONE = "–"
# What the others are compared with; the first that a matrix has.
_WHOLE_METHOD = ("hybrid", "hybrid_beside")


def read_table(path: str) -> dict[tuple, dict]:
    """The runs of an earlier table, perhaps made on another machine."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)
    return {_get_cell(run): run for run in runs}


def read_runs(matrix: Matrix, folder: str) -> dict[tuple, dict]:
    """The figures of each run that is done."""
    runs = {}
    for run in list_runs(matrix):
        path = os.path.join(folder, run.name, "evidence.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                figures = json.load(file)
            row = {"arm": run.arm, "percent": run.percent, "seed": run.seed}
            if run.length > 1:
                row["length"] = run.length
            runs[_get_cell(row)] = {**row, "figures": figures}
    return runs


def _get_cell(row):
    return row["arm"], row["percent"], row.get("length", 1), row["seed"]


def format_tables(runs: list[dict]) -> str:
    """Two tables with a row for each cell: mean ± standard deviation over its seeds.

    "Against the whole method" is the mean of the differences in AP50 between runs of
    one seed, so of one split and one order of the images.
    """
    cells = group_cells(runs)
    labels = {
        cell: [*_format_row(cell, rows, _LABEL_COLUMNS), _format_gain(cells, cell)]
        for cell, rows in cells.items()
    }
    recalls = {
        cell: _format_row(cell, rows, _RECALL_COLUMNS) for cell, rows in cells.items()
    }
    headings = [*_LABEL_COLUMNS, "AP50 against the whole method"]
    text = "Detections, and average precision of the image-level scores:\n\n"
    text += _format_table(headings, labels)
    if any(value != _NONE for values in recalls.values() for value in values):
        text += "\nObjects that the first 100, 300 and 1000 proposals cover at an IoU "
        text += "of 0.5:\n\n" + _format_table(_RECALL_COLUMNS, recalls)
    return text


def group_cells(runs):
    """{(percent, length, arm): {seed: figures}}, in the order of tables."""
    cells = defaultdict(dict)
    for run in runs:
        arm, percent, length, seed = _get_cell(run)
        cells[percent, length, arm][seed] = run["figures"]
    order = list(ARMS)
    return dict(
        sorted(
            cells.items(),
            key=lambda cell: (*cell[0][:2], order.index(cell[0][2])),
        )
    )


def _format_table(headings, rows):
    """Without the columns that no run has a figure for."""
    columns = [
        (heading, column)
        for heading, *column in zip(headings, *rows.values(), strict=True)
        if set(column) != {_NONE}
    ]
    headings, columns = zip(*columns, strict=True)
    rows = dict(zip(rows, zip(*columns, strict=True), strict=True))
    headings = ["boxes on", "trained on", *headings]
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for (percent, length, arm), values in rows.items():
        title = ARMS[arm].title + (f", {length} times as long" if length > 1 else "")
        lines.append(f"| {percent} % | {title} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def _format_row(cell, rows, columns):
    branches = (None, *ARMS[cell[2]].branches)
    return [
        _format_figures(rows, names) if branch in branches else _NONE
        for names, branch in columns.values()
    ]


def _format_figures(rows, names):
    """Not every run was measured in every way."""
    values = [get_figure(row, names) for row in rows.values()]
    values = [value for value in values if value is not None]
    return _format_spread(values) if values else _NONE


def _format_gain(cells, cell):
    *key, arm = cell
    reference = next(
        (name for name in _WHOLE_METHOD if (*key, name) in cells), _WHOLE_METHOD[0]
    )
    whole = cells.get((*key, reference), {})
    seeds = sorted(whole.keys() & cells[cell].keys())
    if arm == reference or not seeds:
        return _NONE
    return _format_spread(
        [
            get_figure(cells[cell][seed], AP50) - get_figure(whole[seed], AP50)
            for seed in seeds
        ],
        sign="+",
    )


def _format_spread(values, sign=""):
    mean = f"{statistics.mean(values):{sign}.3f}"
    if len(values) == 1:
        return f"{mean} (one run)"
    return f"{mean} ± {statistics.stdev(values):.3f} ({len(values)})"


def get_figure(figures, names):
    return next((figures[name] for name in names if name in figures), None)
