"""Makes the table and the plot of a matrix from the runs that are done.

    python benchmarks/evidence/tabulate.py quickstart --output docs/evidence

Writes ``<matrix>.json`` (every figure of every run; what it holds already stays),
``<matrix>.md`` (mean and standard deviation over the seeds) and ``<matrix>.svg`` (AP50
against the share of boxes).
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

# Heading: (the figure's possible names, the branch that it needs).
_COLUMNS = {
    "AP50": (("AP50", "voc_ap50_area"), None),
    "fused with MID": (("AP50_fused",), "mid"),
    "recall at 100": (("recall50_at_100_without_cam",), None),
    "with CAM": (("recall50_at_100_with_cam",), "cam"),
    "at 300": (("recall50_at_300_without_cam",), None),
    "with CAM ": (("recall50_at_300_with_cam",), "cam"),
    "at 1000": (("recall50_at_1000_without_cam",), None),
    "with CAM  ": (("recall50_at_1000_with_cam",), "cam"),
    "CAM mAP": (("cam_map",), "cam"),
    "MID mAP": (("mid_map",), "mid"),
}
_LINES = {
    "hybrid": ("#0072b2", "o", "boxes and labels"),
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
    table = format_table(runs)
    with open(f"{stem}.md", "w", encoding="utf-8") as file:
        file.write(table)
    plot(matrix, runs, f"{stem}.svg")
    print(table)


def read_table(path: str) -> dict[tuple, dict]:
    """The runs of an earlier table, perhaps made on another machine."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)
    return {(run["arm"], run["percent"], run["seed"]): run for run in runs}


def read_runs(matrix: Matrix, folder: str) -> dict[tuple, dict]:
    """The figures of each run that is done."""
    runs = {}
    for run in list_runs(matrix):
        path = os.path.join(folder, run.name, "evidence.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                figures = json.load(file)
            cell = {"arm": run.arm, "percent": run.percent, "seed": run.seed}
            runs[tuple(cell.values())] = {**cell, "figures": figures}
    return runs


def format_table(runs: list[dict]) -> str:
    """A row for each cell: mean ± standard deviation over its seeds."""
    lines = [
        f"| boxes on | trained on | seeds | {' | '.join(_COLUMNS)} |",
        f"|{'---|' * (len(_COLUMNS) + 3)}",
    ]
    cells = defaultdict(list)
    for run in runs:
        cells[run["percent"], run["arm"]].append(run["figures"])
    order = {arm: place for place, arm in enumerate(ARMS)}
    for (percent, arm), figures in sorted(
        cells.items(), key=lambda cell: (cell[0][0], order[cell[0][1]])
    ):
        values = [
            _format_cell(figures, names, branch is None or branch in ARMS[arm].branches)
            for names, branch in _COLUMNS.values()
        ]
        title, values = ARMS[arm].title, " | ".join(values)
        lines.append(f"| {percent} % | {title} | {len(figures)} | {values} |")
    return "\n".join(lines) + "\n"


def _format_cell(figures, names, is_trained):
    if not is_trained:
        return "–"
    values = [_get(row, names) for row in figures]
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.3f}"


def _get(figures, names):
    return next(figures[name] for name in names if name in figures)


def plot(matrix: Matrix, runs: list[dict], path: str) -> None:
    """AP50 against the share of boxes: every run, and the means joined."""
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for arm, (color, marker, label) in _LINES.items():
        points = defaultdict(list)
        for run in runs:
            if run["arm"] == arm:
                points[run["percent"]].append(_get(run["figures"], _COLUMNS["AP50"][0]))
        if not points:
            continue
        percents = sorted(points)
        means = [statistics.mean(points[percent]) for percent in percents]
        axes.plot(percents, means, color=color, label=label)
        for percent in percents:
            count = len(points[percent])
            axes.plot(
                [percent] * count, points[percent], marker, color=color, alpha=0.5
            )
    axes.set_xlabel("images with boxes (%)")
    axes.set_ylabel("AP50")
    axes.set_title(matrix.title, loc="left", fontsize=10)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
