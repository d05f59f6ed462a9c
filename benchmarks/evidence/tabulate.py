"""Makes the table and the plot of a matrix from the runs that are done.

    python benchmarks/evidence/tabulate.py quickstart --output docs/evidence

Writes ``<matrix>.json`` (every figure of every run; what it holds already stays),
``<matrix>.md`` (mean, standard deviation and number of seeds) and ``<matrix>.svg``
(AP50 against the share of boxes), where there is more than one share.
"""

import argparse
import json
import os
import statistics
from collections import defaultdict

import matplotlib
from matrices import ARMS, MATRICES, Matrix, list_runs

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

_AP50 = ("AP50", "voc_ap50_area")
# Heading: (the figure's possible names, the branch that it needs).
_LABEL_COLUMNS = {
    "AP50": (_AP50, None),
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
# What the others are compared with; the first that a matrix has.
_WHOLE_METHOD = ("hybrid", "hybrid_beside")
_LINES = {
    "plus": ("#cc79a7", "D", "beyond the paper, with the teacher"),
    "mean_teacher": ("#e69f00", "v", "mean teacher without labels"),
    "hybrid": ("#0072b2", "o", "boxes and labels"),
    "hybrid_beside": ("#009e73", "^", "8 boxed images a step and 8 labelled"),
    "boxes": ("#d55e00", "s", "boxes only, equal steps"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("matrix", choices=MATRICES)
    parser.add_argument("--runs_dir", default="runs/evidence")
    parser.add_argument("--output", default="docs/evidence")
    arguments = parser.parse_args()
    matrix = MATRICES[arguments.matrix]
    os.makedirs(arguments.output, exist_ok=True)
    stem = os.path.join(arguments.output, arguments.matrix)
    runs = read_table(f"{stem}.json")
    runs |= read_runs(matrix, os.path.join(arguments.runs_dir, arguments.matrix))
    runs = list(runs.values())
    with open(f"{stem}.json", "w", encoding="utf-8") as file:
        json.dump(runs, file, indent=1, sort_keys=True)
        file.write("\n")
    tables = format_tables(runs)
    with open(f"{stem}.md", "w", encoding="utf-8") as file:
        file.write(tables)
    if len({run["percent"] for run in runs}) > 1:
        plot(matrix, runs, f"{stem}.svg")
    print(tables)


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
    cells = _group_cells(runs)
    labels = {
        cell: [*_format_row(cell, rows, _LABEL_COLUMNS), _format_gain(cells, cell)]
        for cell, rows in cells.items()
    }
    recalls = {
        cell: _format_row(cell, rows, _RECALL_COLUMNS) for cell, rows in cells.items()
    }
    return (
        "Detections, and average precision of the image-level scores:\n\n"
        + _format_table([*_LABEL_COLUMNS, "AP50 against the whole method"], labels)
        + "\nObjects that the first 100, 300 and 1000 proposals cover at an IoU of 0.5:"
        + "\n\n"
        + _format_table(_RECALL_COLUMNS, recalls)
    )


def _group_cells(runs):
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
    headings = ["boxes on", "trained on", *headings]
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    for (percent, length, arm), values in rows.items():
        title = ARMS[arm].title + (f", {length} times as long" if length > 1 else "")
        lines.append(f"| {percent} % | {title} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


def _format_row(cell, rows, columns):
    branches = (None, *ARMS[cell[2]].branches)
    return [
        _format_figures(rows, names) if branch in branches else "–"
        for names, branch in columns.values()
    ]


def _format_figures(rows, names):
    """Not every run was measured in every way."""
    values = [_get(row, names) for row in rows.values()]
    values = [value for value in values if value is not None]
    return _format_spread(values) if values else "–"


def _format_gain(cells, cell):
    *key, arm = cell
    reference = next(
        (name for name in _WHOLE_METHOD if (*key, name) in cells), _WHOLE_METHOD[0]
    )
    whole = cells.get((*key, reference), {})
    seeds = sorted(whole.keys() & cells[cell].keys())
    if arm == reference or not seeds:
        return "–"
    return _format_spread(
        [_get(cells[cell][seed], _AP50) - _get(whole[seed], _AP50) for seed in seeds],
        sign="+",
    )


def _format_spread(values, sign=""):
    mean = f"{statistics.mean(values):{sign}.3f}"
    if len(values) == 1:
        return f"{mean} (one run)"
    return f"{mean} ± {statistics.stdev(values):.3f} ({len(values)})"


def _get(figures, names):
    return next((figures[name] for name in names if name in figures), None)


def plot(matrix: Matrix, runs: list[dict], path: str) -> None:
    """AP50 against the share of boxes: every run, the means joined, and the spread."""
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    cells = _group_cells(runs)
    for arm, (color, marker, label) in _LINES.items():
        points = {
            percent: [_get(figures, _AP50) for figures in rows.values()]
            for (percent, length, name), rows in cells.items()
            if name == arm and length == 1
        }
        if not points:
            continue
        axes.errorbar(
            points.keys(),
            [statistics.mean(values) for values in points.values()],
            [statistics.stdev(v) if len(v) > 1 else 0.0 for v in points.values()],
            color=color,
            capsize=4,
            label=label,
        )
        for percent, values in points.items():
            axes.plot([percent] * len(values), values, marker, color=color, alpha=0.5)
    axes.set_xlabel("images with boxes (%)")
    axes.set_ylabel("AP50")
    axes.set_title(matrix.title, loc="left", fontsize=10)
    axes.set_xlim(0, 105)
    axes.set_xticks(sorted({percent for percent, _, _ in cells}))
    axes.margins(y=0.1)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
