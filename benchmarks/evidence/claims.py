"""Computes the figures that the README and the docs quote from the runs' figures.

    python benchmarks/evidence/claims.py --folder docs/evidence

Reads the tables that `tabulate.py` has written there (``<matrix>.json``, every figure
of every run) and writes ``claims.json``: a flat list of names and numbers. What the
runs do not tell is left out and said; nothing is filled in.
"""

import argparse
import json
import os
import statistics
from collections.abc import Iterable

from tables import read_table

_AP50 = ("AP50", "voc_ap50_area")
_IOU10 = ("ap_at_iou_0.1",)
_IOU70 = ("ap_at_iou_0.7",)
_ARMS = {
    "boxes": "boxes",
    "mean_teacher": "mean_teacher",
    "paper": "hybrid_beside",
    "taught": "plus",
    "filter": "label_filter",
    # What `recipes/plus.gin` is.
    "plus": "hybrid_weak_mid",
}
# What `quickstart_plus.gin` is, which is twice as long as the other runs.
_ARMS_OF_SCENES = {**_ARMS, "plus": "untaught_shuffle"}
# Name of the claims: (matrix, share of boxes, arms, length of the runs).
_SETTINGS = {
    "voc_six_10": ("voc_six_plus", 10, _ARMS, 1),
    # Twice as many steps in every arm.
    "voc_six_10_long": ("voc_six_plus", 10, _ARMS, 2),
    "voc_six_30": ("voc_six_plus", 30, _ARMS, 1),
    "voc_six_squeezenet_10": ("voc_six_squeezenet", 10, _ARMS, 1),
    "voc_twenty_10": ("voc_twenty_plus", 10, _ARMS, 1),
    "scenes_10": ("scenes_plus", 10, _ARMS_OF_SCENES, 2),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="docs/evidence")
    folder = parser.parse_args().folder
    claims, missing = {}, []
    for name, (matrix, percent, arms, length) in _SETTINGS.items():
        runs = read_table(os.path.join(folder, f"{matrix}.json")).values()
        own = compute_claims(list(runs), percent, arms, length)
        claims |= {f"{name}_{key}": value for key, value in own.items()}
        if "gap_closed" not in own:
            missing.append(name)
    with open(os.path.join(folder, "claims.json"), "w", encoding="utf-8") as file:
        json.dump(claims, file, indent=1, sort_keys=True)
        file.write("\n")
    for name, value in sorted(claims.items()):
        print(f"{name:40} {value}")
    if missing:
        print(f"not all arms were run, so no gap is known: {', '.join(missing)}")


def compute_claims(
    runs: list[dict], percent: int, arms: dict[str, str] = _ARMS, length: int = 1
) -> dict[str, float]:
    """The claims on one setting, of runs of one length.

    Every difference is between means over the seeds that both sides have, at equal
    steps and with the same images, split and augmentation.

    Args:
        runs: rows of a table of `tabulate.py`.
        percent: share of the images with boxes.
        arms: which one each part of a claim's name stands for.
        length: how many times as many steps as in the shortest runs.

    Returns:
        ``ap50`` and ``iou70`` beyond the paper, ``<arm>_ap50`` and ``<arm>_iou70`` of
        the other arms, ``gain`` and ``gain_iou70`` over boxes only,
        ``gain_over_mean_teacher``, ``gain_over_paper`` and ``gain_iou70_over_paper``,
        ``gap_closed`` of that between boxes only and boxes on all images,
        ``paper_gap_closed``, ``taught_gap_closed`` and ``filter_gap_closed`` (the
        paper's losses, all parts with the teacher, labels as the filter of a teacher's
        boxes alone), each also at an IoU of 0.1 and 0.7 (``gap_closed_iou10``,
        ``gap_closed_iou70``), and ``<claim>_seeds``: of how many seeds each of these
        differences and shares is the mean.
    """
    cells = {
        key: {
            run["seed"]: run["figures"] for run in _select(runs, arm, percent, length)
        }
        for key, arm in arms.items()
    }
    cells["ceiling"] = {
        run["seed"]: run["figures"] for run in _select(runs, "boxes", 100, length)
    }
    claims = {}
    for figure, names in (("ap50", _AP50), ("iou70", _IOU70)):
        for key, rows in cells.items():
            prefix = "" if key == "plus" else f"{key}_"
            if rows:
                claims[f"{prefix}{figure}"] = _mean(rows, rows, names)
    for name, other, names in (
        ("gain", "boxes", _AP50),
        ("gain_iou70", "boxes", _IOU70),
        ("gain_over_mean_teacher", "mean_teacher", _AP50),
        ("gain_over_paper", "paper", _AP50),
        ("gain_iou70_over_paper", "paper", _IOU70),
    ):
        seeds = cells["plus"].keys() & cells[other].keys()
        if seeds:
            claims[name] = _subtract(cells["plus"], cells[other], seeds, names)
            claims[f"{name}_seeds"] = len(seeds)
    for arm in ("paper", "taught", "filter", "plus"):
        prefix = "" if arm == "plus" else f"{arm}_"
        seeds = cells[arm].keys() & cells["boxes"].keys() & cells["ceiling"].keys()
        if seeds:
            for suffix, names in (("", _AP50), ("_iou10", _IOU10), ("_iou70", _IOU70)):
                gap = _subtract(cells["ceiling"], cells["boxes"], seeds, names)
                gain = _subtract(cells[arm], cells["boxes"], seeds, names)
                claims[f"{prefix}gap_closed{suffix}"] = gain / gap
            claims[f"{prefix}gap_closed_seeds"] = len(seeds)
    return claims


def _select(runs: Iterable[dict], arm: str, percent: int, length: int):
    return [
        run
        for run in runs
        if (run["arm"], run["percent"], run.get("length", 1)) == (arm, percent, length)
    ]


def _subtract(rows, others, seeds, names):
    return _mean(rows, seeds, names) - _mean(others, seeds, names)


def _mean(rows, seeds, names):
    return statistics.mean(
        next(rows[seed][name] for name in names if name in rows[seed]) for seed in seeds
    )


if __name__ == "__main__":
    main()
