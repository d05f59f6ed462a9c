"""Which runs make the evidence: arms, shares of boxes and seeds, at reduced scale."""

from typing import NamedTuple

_ROOT = "configs"

ARMS = {
    "boxes": "boxes only, equal steps",
    "boxes_epochs": "boxes only, equal epochs over its own images",
    "mid": "+ MID",
    "mid_proposals": "+ proposals loss",
    "hybrid": "+ CAM branch (the whole method)",
    "hybrid_ratio": "the whole method, half of each batch strong",
}


class Run(NamedTuple):
    """One training run of a matrix.

    Attributes:
        name: of its folder.
        arm: of `ARMS`.
        percent: share of the images that keep their boxes.
        seed: of weights, order, augmentation and split.
        config: the config file.
        bindings: further gin lines.
    """

    name: str
    arm: str
    percent: int
    seed: int
    config: str
    bindings: tuple[str, ...]


class Matrix(NamedTuple):
    """A set of runs on one data set.

    Attributes:
        title: of the data set, as tables and the plot name it.
        config: a config file.
        steps_per_epoch: whole batches in all the training images, strong and weak.
        cells: (arm, share of boxes in percent) of the runs.
        seeds: each cell is run once with each.
    """

    title: str
    config: str
    steps_per_epoch: int
    cells: tuple[tuple[str, int], ...]
    seeds: tuple[int, ...]


MATRICES = {
    "quickstart": Matrix(
        "rendered scenes, 128 px, from random weights",
        f"{_ROOT}/quickstart.gin",
        steps_per_epoch=75,
        cells=(
            ("hybrid", 10),
            ("boxes", 10),
            ("mid", 10),
            ("mid_proposals", 10),
            ("hybrid_ratio", 10),
            ("hybrid", 20),
            ("boxes", 20),
            ("boxes", 100),
            ("hybrid", 100),
            ("hybrid", 50),
            ("boxes", 50),
        ),
        seeds=(0, 1, 2),
    ),
    "voc_six": Matrix(
        "VOC07 mini, six classes, 320 px, SqueezeNet 1.1",
        f"{_ROOT}/voc_small_cpu.gin",
        steps_per_epoch=134,
        cells=(
            ("hybrid", 10),
            ("boxes", 10),
            ("boxes", 100),
            ("hybrid", 30),
            ("boxes", 30),
            ("hybrid_ratio", 10),
            ("boxes_epochs", 10),
            ("boxes_epochs", 30),
        ),
        seeds=(0, 1),
    ),
}


def list_runs(matrix: Matrix) -> list[Run]:
    """All runs of a matrix, a whole round of cells for each seed."""
    return [
        _make_run(matrix, arm, percent, seed)
        for seed in matrix.seeds
        for arm, percent in matrix.cells
    ]


def _make_run(matrix, arm, percent, seed):
    bindings = [
        f"STRONG_PERCENT = {float(percent)}",
        f"Experiment.seed = {seed}",
        f"Experiment.split_seed = {seed}",
    ]
    if arm.startswith("boxes"):
        bindings.insert(0, "include 'ablation/boxes_only.gin'")
    elif arm in ("mid", "mid_proposals"):
        bindings.insert(0, f"include 'ablation/{arm}.gin'")
    if arm == "boxes":
        bindings.append(f"Experiment.steps_per_epoch = {matrix.steps_per_epoch}")
    elif arm == "hybrid_ratio":
        bindings.append("Experiment.strong_fraction = 0.5")
    name = f"{arm}_{percent:03}_seed{seed}"
    return Run(name, arm, percent, seed, matrix.config, tuple(bindings))
