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

import matplotlib
from matrices import MATRICES, Matrix
from tables import AP50, format_tables, get_figure, group_cells, read_runs, read_table

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

_LINES = {
    "plus": ("#cc79a7", "D", "beyond the paper, with the teacher"),
    "mean_teacher": ("#e69f00", "v", "mean teacher without labels"),
    "hybrid": ("#0072b2", "o", "boxes and labels"),
    "hybrid_beside": ("#009e73", "^", "8 boxed images a step and 8 labelled"),
    "hybrid_weak_mid": ("#56b4e9", "P", "the same, MID of classes without boxes alone"),
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


def plot(matrix: Matrix, runs: list[dict], path: str) -> None:
    """AP50 against the share of boxes: every run, the means joined, and the spread."""
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    cells = group_cells(runs)
    for arm, (color, marker, label) in _LINES.items():
        points = {
            percent: [get_figure(figures, AP50) for figures in rows.values()]
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
    # Names and dates that are the same each time: a file changes if a figure does.
    with plt.rc_context({"svg.hashsalt": matrix.title}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
