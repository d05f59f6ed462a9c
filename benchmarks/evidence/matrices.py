"""Which runs make the evidence: arms, shares of boxes and seeds, at reduced scale."""

from typing import NamedTuple

from arms import ARMS, MACHINE_ARMS, MID_ARMS, PARTS_LEFT_OUT

from ehsod_tf.data import VOC_CLASSES


class Matrix(NamedTuple):
    """A set of runs on one data set.

    Attributes:
        title: of the data set, as the plot names it.
        config: a config file.
        steps_per_epoch: whole batches in all the training images, strong and weak.
        epochs: of the config.
        cells: (arm, share of boxes in percent) of the runs; a third number is how many
            times as long the run is.
        seeds: each cell is run once with each.
        bindings: gin lines of every run.
    """

    title: str
    config: str
    steps_per_epoch: int
    cells: tuple[tuple[str | int, ...], ...]
    seeds: tuple[int, ...]
    bindings: tuple[str, ...] = ()
    epochs: int = 8


_TWENTY = (
    "TRAIN_LIST = 'trainval'",
    "TEST_LIST = 'test'",
    f"CLASS_NAMES = {VOC_CLASSES}",
)
# Alike in every arm of a comparison with what goes beyond the paper.
_SAME_FOR_ALL = (
    "Experiment.augmentation = @Augmentation",
    "CamRpn.border_anchors = True",
    "ClippedAdamW.use_ema = True",
    "ClippedAdamW.ema_momentum = 0.999",
)
# Is it the teacher or the labels?
_QUESTION = ("boxes", "mean_teacher", "hybrid_beside", "plus")
_ABLATION = (
    "hybrid_weak_mid",
    "weak_mid_no_cam",
    "label_filter",
    "plus_fading_mid",
    "plus_in_part",
    "plus_both",
    "plus_shuffle",
    "plus_displaced",
    "plus_low_scores",
    "plus_regression",
    "plus_no_teacher",
)


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
        epochs=16,
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
        bindings=_TWENTY,
    ),
    # With a backbone of 75 % accuracy on ImageNet, which is to be given.
    "voc_six_plus": Matrix(
        "VOC07 mini, six classes, 320 px, EfficientNet-Lite0",
        "configs/voc_small_cpu.gin",
        steps_per_epoch=134,
        cells=(
            *((arm, 10) for arm in _QUESTION),
            ("boxes", 100),
            *((arm, 30) for arm in _QUESTION),
            ("hybrid_weak_mid", 30),
            ("hybrid_weak_mid", 10, 2),
            ("label_filter", 10, 2),
            *((arm, 10, length) for length in (2, 4) for arm in _QUESTION),
            *(("boxes", 100, length) for length in (2, 4)),
            *((arm, 10) for arm in _ABLATION),
        ),
        seeds=(0, 1),
        bindings=_SAME_FOR_ALL,
    ),
    "voc_six_squeezenet": Matrix(
        "VOC07 mini, six classes, 320 px, SqueezeNet 1.1",
        "configs/voc_small_cpu.gin",
        steps_per_epoch=134,
        cells=(*((arm, 10) for arm in _QUESTION), ("boxes", 100)),
        seeds=(0, 1),
        bindings=_SAME_FOR_ALL,
    ),
    "voc_twenty_plus": Matrix(
        "VOC07 mini, twenty classes, 320 px, EfficientNet-Lite0",
        "configs/voc_small_cpu.gin",
        steps_per_epoch=125,
        cells=(
            *((arm, 10) for arm in _QUESTION),
            ("boxes", 100),
            ("hybrid_weak_mid", 10),
            ("plus_low_scores", 10),
            ("plus_both", 10),
            *((arm, 10) for arm in MID_ARMS),
            *((arm, 10, length) for length in (2, 4) for arm in _QUESTION),
        ),
        seeds=(0, 1),
        bindings=(*_TWENTY, *_SAME_FOR_ALL),
    ),
    "scenes_partial": Matrix(
        "rendered scenes, 128 px, from random weights",
        "configs/quickstart.gin",
        steps_per_epoch=75,
        cells=(
            ("hybrid", 100),
            ("in_part", 100),
            ("taken_complete", 100),
            ("split_classes", 100),
            ("in_part_half", 100),
        ),
        seeds=(0, 1),
        epochs=16,
    ),
    "voc_six_difficult": Matrix(
        "VOC07 mini, six classes, 320 px, SqueezeNet 1.1",
        "configs/voc_small_cpu.gin",
        steps_per_epoch=134,
        cells=(("boxes", 100), ("difficult_ignored", 100)),
        seeds=(0, 1),
    ),
    # The files of noisy_boxes.py must be there, for each seed.
    "machine_boxes": Matrix(
        "rendered scenes, 128 px, from random weights",
        "configs/quickstart.gin",
        steps_per_epoch=75,
        cells=(*((arm, 10) for arm in MACHINE_ARMS), ("hybrid", 100)),
        seeds=(0, 1),
        epochs=16,
    ),
    "scenes_plus": Matrix(
        "rendered scenes, 128 px, from random weights",
        "configs/quickstart.gin",
        steps_per_epoch=75,
        cells=(
            *((arm, 10) for arm in _QUESTION),
            *(("boxes", 100, length) for length in (1, 2, 4)),
            *((arm, 10, length) for length in (2, 4) for arm in _QUESTION),
            *((arm, 10) for arm in _ABLATION),
            *(("untaught_shuffle", 10, length) for length in (1, 2, 4)),
            *((f"untaught_shuffle_no_{part}", 10, 2) for part in PARTS_LEFT_OUT),
            ("plus_no_teacher", 10, 2),
            ("plus_both_shuffle", 10),
            ("plus_bold_shuffle", 10),
        ),
        seeds=(0, 1, 2),
        bindings=_SAME_FOR_ALL,
        epochs=16,
    ),
}


class Run(NamedTuple):
    """One training run of a matrix.

    Attributes:
        name: of its folder.
        arm: key of `ARMS`.
        percent: share of the images that keep their boxes.
        length: how many times as many steps it has as the others.
        seed: of weights, order, augmentation and split.
        config: the config file.
        bindings: further gin lines.
    """

    name: str
    arm: str
    percent: int
    length: int
    seed: int
    config: str
    bindings: tuple[str, ...]


def list_runs(matrix: Matrix) -> list[Run]:
    """All runs of a matrix, a whole round of cells for each seed."""
    return [
        _make_run(matrix, *cell, seed=seed)
        for seed in matrix.seeds
        for cell in matrix.cells
    ]


def _make_run(matrix, arm, percent, length=1, *, seed):
    steps = matrix.steps_per_epoch * length
    lines = ARMS[arm].bindings
    if length > 1:
        lines = (*lines, "Experiment.steps_per_epoch = {steps}")
    bindings = (
        *matrix.bindings,
        f"STRONG_PERCENT = {float(percent)}",
        *(
            line.format(steps=steps, quarter=steps * matrix.epochs // 4, seed=seed)
            for line in lines
        ),
        f"Experiment.seed = {seed}",
        f"Experiment.split_seed = {seed}",
    )
    suffix = f"_x{length}" if length > 1 else ""
    name = f"{arm}_{percent:03}{suffix}_seed{seed}"
    return Run(name, arm, percent, length, seed, matrix.config, bindings)
