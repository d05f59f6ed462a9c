"""Which runs make the evidence: arms, shares of boxes and seeds, at reduced scale."""

from typing import NamedTuple

from ehsod_tf.data import VOC_CLASSES


class Arm(NamedTuple):
    """One way to train.

    Attributes:
        title: as tables name it.
        bindings: gin lines; ``{steps}`` stands for whole batches in all the images.
        branches: of "cam" and "mid", those that it trains.
    """

    title: str
    bindings: tuple[str, ...] = ()
    branches: tuple[str, ...] = ("cam", "mid")


_BOXES_ONLY = "include 'ablation/boxes_only.gin'"

ARMS = {
    "boxes": Arm(
        "boxes only, equal steps",
        (_BOXES_ONLY, "Experiment.steps_per_epoch = {steps}"),
        (),
    ),
    "boxes_epochs": Arm(
        "boxes only, equal epochs over its own images", (_BOXES_ONLY,), ()
    ),
    "boxes_1stage": Arm(
        "boxes only, one stage",
        (
            _BOXES_ONLY,
            "Experiment.steps_per_epoch = {steps}",
            "Cascade.num_stages = 1",
        ),
        (),
    ),
    "mid": Arm("+ MID", ("include 'ablation/mid.gin'",), ("mid",)),
    "mid_proposals": Arm(
        "+ proposals loss", ("include 'ablation/mid_proposals.gin'",), ("mid",)
    ),
    "hybrid": Arm("+ CAM branch: the whole method"),
    "hybrid_shuffle": Arm(
        "the whole method, all images in one shuffle",
        ("Experiment.strong_fraction = None",),
    ),
    "hybrid_ratio": Arm(
        "the whole method, half of each batch strong",
        ("Experiment.strong_fraction = 0.5",),
    ),
    # As many boxed images a step as boxes only, and as many again with labels.
    "hybrid_beside": Arm(
        "the whole method, 8 boxed images a step and 8 labelled",
        (
            "BATCH_SIZE = 16",
            "Experiment.reference_batch_size = 16",
            "Experiment.strong_fraction = 0.5",
            "Experiment.steps_per_epoch = {steps}",
        ),
    ),
    "cam_activation": Arm(
        "`cam_activation` sigmoid", ("HybridCriterion.cam_activation = 'sigmoid'",)
    ),
    "objectness_sigmoid": Arm(
        "`cam_objectness` sigmoid_max",
        ("ProposalSelector.cam_objectness = 'sigmoid_max'",),
    ),
    "objectness_none": Arm(
        "`cam_objectness` none", ("ProposalSelector.cam_objectness = 'none'",)
    ),
    "weak_cam_target": Arm(
        "`weak_cam_target` none", ("HybridCriterion.weak_cam_target = 'none'",)
    ),
    "proposals_normalizer": Arm(
        "`proposals_normalizer` classes",
        ("HybridCriterion.proposals_normalizer = 'classes'",),
    ),
    "mid_reduction": Arm(
        "`mid_reduction` mean", ("HybridCriterion.mid_reduction = 'mean'",)
    ),
}


class Matrix(NamedTuple):
    """A set of runs on one data set.

    Attributes:
        title: of the data set, as the plot names it.
        config: a config file.
        steps_per_epoch: whole batches in all the training images, strong and weak.
        cells: (arm, share of boxes in percent) of the runs.
        seeds: each cell is run once with each.
        bindings: gin lines of every run.
    """

    title: str
    config: str
    steps_per_epoch: int
    cells: tuple[tuple[str, int], ...]
    seeds: tuple[int, ...]
    bindings: tuple[str, ...] = ()


MATRICES = {
    "quickstart": Matrix(
        "rendered scenes, 128 px, from random weights",
        "configs/quickstart.gin",
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
            ("boxes_1stage", 100),
            *(
                (switch, 10)
                for switch in (
                    "cam_activation",
                    "objectness_sigmoid",
                    "objectness_none",
                    "weak_cam_target",
                    "proposals_normalizer",
                    "mid_reduction",
                )
            ),
        ),
        seeds=(0, 1, 2),
    ),
    "voc_six": Matrix(
        "VOC07 mini, six classes, 320 px, SqueezeNet 1.1",
        "configs/voc_small_cpu.gin",
        steps_per_epoch=134,
        cells=(
            ("hybrid", 10),
            ("boxes", 10),
            ("boxes", 100),
            ("hybrid", 30),
            ("boxes", 30),
            ("hybrid_shuffle", 10),
            ("hybrid_beside", 10),
            ("hybrid_beside", 30),
            ("boxes_epochs", 10),
            ("boxes_epochs", 30),
            ("objectness_sigmoid", 10),
            ("objectness_none", 10),
            ("proposals_normalizer", 10),
        ),
        seeds=(0, 1),
    ),
    "voc_twenty": Matrix(
        "VOC07 mini, twenty classes, 320 px, SqueezeNet 1.1",
        "configs/voc_small_cpu.gin",
        steps_per_epoch=125,
        cells=(("hybrid", 10), ("boxes", 10)),
        seeds=(0,),
        bindings=(
            "TRAIN_LIST = 'trainval'",
            "TEST_LIST = 'test'",
            f"CLASS_NAMES = {VOC_CLASSES}",
        ),
    ),
}


class Run(NamedTuple):
    """One training run of a matrix.

    Attributes:
        name: of its folder.
        arm: key of `ARMS`.
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


def list_runs(matrix: Matrix) -> list[Run]:
    """All runs of a matrix, a whole round of cells for each seed."""
    return [
        _make_run(matrix, arm, percent, seed)
        for seed in matrix.seeds
        for arm, percent in matrix.cells
    ]


def _make_run(matrix, arm, percent, seed):
    bindings = (
        *matrix.bindings,
        *(line.format(steps=matrix.steps_per_epoch) for line in ARMS[arm].bindings),
        f"STRONG_PERCENT = {float(percent)}",
        f"Experiment.seed = {seed}",
        f"Experiment.split_seed = {seed}",
    )
    name = f"{arm}_{percent:03}_seed{seed}"
    return Run(name, arm, percent, seed, matrix.config, bindings)
