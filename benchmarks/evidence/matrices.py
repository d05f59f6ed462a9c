"""Which runs make the evidence: arms, shares of boxes and seeds, at reduced scale."""

from typing import NamedTuple

from ehsod_tf.data import VOC_CLASSES

SHAPES = ("disc", "square", "triangle", "star", "ring", "cross")


class Arm(NamedTuple):
    """One way to train.

    Attributes:
        title: as tables name it.
        bindings: gin lines; ``{steps}`` stands for the steps of an epoch, as many as
            there are whole batches in all the images, ``{quarter}`` for a quarter of
            the run, and ``{seed}`` for the seed.
        branches: of "cam" and "mid", those that it trains.
    """

    title: str
    bindings: tuple[str, ...] = ()
    branches: tuple[str, ...] = ("cam", "mid")


_BOXES_ONLY = "include 'ablation/boxes_only.gin'"
# As many boxed images a step as boxes only, and as many again with labels.
_BESIDE = (
    "BATCH_SIZE = 16",
    "Experiment.reference_batch_size = 16",
    "Experiment.strong_fraction = 0.5",
    "Experiment.steps_per_epoch = {steps}",
)
_PLUS_UNTAUGHT = ("include 'recipes/plus.gin'", *_BESIDE)
_PLUS = (*_PLUS_UNTAUGHT, "TEACHER_BURN_IN = {quarter}")
# Beyond the paper, one part left out.
_WITHOUT = {
    "teacher": (*_PLUS_UNTAUGHT, "build_model.teacher = None"),
    "augmentation": (*_PLUS, "Experiment.augmentation = None"),
    "contrast": (*_PLUS, "ProposalSelector.cam_objectness = 'softmax_max'"),
    "absent": (*_PLUS, "HybridCriterion.absent = 0.0"),
    "border": (*_PLUS, "CamRpn.border_anchors = False"),
}
# The scale of MID, and how the boxed images come.
_MID = {
    f"mid_{reduction}_{weight:g}_{mix}": Arm(
        f"MID {reduction}, weight {weight:g}, {words}",
        (
            f"HybridCriterion.mid_reduction = {reduction!r}",
            f"HybridCriterion.mid = {weight}",
            f"Experiment.strong_fraction = {fraction}",
        ),
    )
    for reduction in ("sum", "mean")
    for weight in (1.0, 0.3)
    for mix, fraction, words in (
        ("shuffle", None, "one shuffle"),
        ("half", 0.5, "half strong"),
    )
}

# The scenes with fewer boxes, as `reduce_boxes.py` writes them.
_OF_SCENES = (
    "read_coco.data_dir = %DATA_DIR",
    "read_coco.image_dir = 'train'",
    "read_coco.class_names = %SHAPES",
    "read_coco.unannotated = 'empty'",
    f"SHAPES = {SHAPES}",
    "Experiment.steps_per_epoch = {steps}",
)
_REMOVED = (
    "reduced/read_coco.annotation_file = "
    "'annotations/reduced/removed_030_seed{seed}.json'",
    *_OF_SCENES,
)
_IN_PART = (
    "Experiment.read_training_set = @train/read_mixture",
    "train/read_mixture.sources = (@reduced/read_coco,)",
    "train/read_mixture.boxed = ('in part',)",
    *_REMOVED,
)
_SPLIT_CLASSES = (
    "Experiment.read_training_set = @train/read_mixture",
    "train/read_mixture.sources = (@first/read_coco, @second/read_coco)",
    f"train/read_mixture.boxed = ({SHAPES[:3]}, {SHAPES[3:]})",
    "first/read_coco.annotation_file = 'annotations/reduced/first_seed{seed}.json'",
    "second/read_coco.annotation_file = 'annotations/reduced/second_seed{seed}.json'",
    *_OF_SCENES,
)
# Boxes on a tenth of the scenes, labels on the others, and for these the boxes of a
# made-up detector: files of noisy_boxes.py.
_LABELLED = (
    "labelled/read_coco.data_dir = %DATA_DIR",
    "labelled/read_coco.annotation_file = 'annotations/labelled_10_{seed}.json'",
    "labelled/read_coco.image_dir = 'train'",
)
_MACHINE = (
    *_LABELLED,
    "Experiment.read_training_set = @machine/read_machine_boxes",
    "machine/read_machine_boxes.source = @labelled/read_coco",
    "machine/read_machine_boxes.data_dir = %DATA_DIR",
    "machine/read_machine_boxes.results_file = 'annotations/noisy_10_{seed}.json'",
)
_MACHINE_ARMS = {
    "machine_none": Arm(
        "labels alone",
        (*_LABELLED, "Experiment.read_training_set = @labelled/read_coco"),
    ),
    "machine_raw": Arm(
        "a detector's boxes as they are",
        (*_MACHINE, "machine/read_machine_boxes.keep = 'raw'"),
    ),
    "machine_filtered": Arm("those of present classes", _MACHINE),
    "machine_best": Arm(
        "the best of each present class",
        (*_MACHINE, "machine/read_machine_boxes.keep = 'best'"),
    ),
    "machine_filtered_full": Arm(
        "those of present classes, weighed as people's",
        (
            *_MACHINE,
            "HybridCriterion.machine_classification = 1.0",
            "HybridCriterion.machine_regression = 1.0",
        ),
    ),
}

ARMS = {
    **_MACHINE_ARMS,
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
    "hybrid_beside": Arm(
        "the whole method, 8 boxed images a step and 8 labelled", _BESIDE
    ),
    "mean_teacher": Arm(
        "mean teacher without labels, 8 boxed images a step and 8 others",
        (*_PLUS, "include 'ablation/mean_teacher.gin'"),
        (),
    ),
    "plus": Arm("beyond the paper, with the teacher", _PLUS),
    "plus_shuffle": Arm(
        "beyond the paper, all images in one shuffle",
        (*_PLUS, "Experiment.strong_fraction = None"),
    ),
    "plus_displaced": Arm(
        "beyond the paper, 4 boxed images a step and 4 labelled",
        (*_PLUS, "BATCH_SIZE = 8", "Experiment.reference_batch_size = 8"),
    ),
    **{
        f"plus_no_{part}": Arm(f"beyond the paper, without {part}", lines)
        for part, lines in _WITHOUT.items()
    },
    "in_part": Arm("30 % of the boxes removed, declared in part", _IN_PART),
    "in_part_half": Arm(
        "30 % of the boxes removed, declared in part, `boxed_share` 0.5",
        (*_IN_PART, "HybridCriterion.boxed_share = 0.5"),
    ),
    "taken_complete": Arm(
        "30 % of the boxes removed, taken as complete",
        ("Experiment.read_training_set = @reduced/read_coco", *_REMOVED),
    ),
    "split_classes": Arm(
        "three classes boxed in one half of the images, three in the other",
        _SPLIT_CLASSES,
    ),
    "difficult_ignored": Arm(
        "boxes only, difficult objects ignored",
        (
            _BOXES_ONLY,
            "Experiment.steps_per_epoch = {steps}",
            "Experiment.crowds = 'ignored'",
        ),
        (),
    ),
    **_MID,
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
    "plus_shuffle",
    "plus_displaced",
    *(f"plus_no_{part}" for part in _WITHOUT),
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
            *((arm, 10) for arm in _MID),
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
        cells=(*((arm, 100) for arm in _MACHINE_ARMS), ("hybrid", 100)),
        seeds=(0, 1),
        epochs=16,
    ),
    "scenes_plus": Matrix(
        "rendered scenes, 128 px, from random weights",
        "configs/quickstart.gin",
        steps_per_epoch=75,
        cells=(
            *((arm, 10) for arm in _QUESTION),
            ("boxes", 100),
            *((arm, 10, length) for length in (2, 4) for arm in _QUESTION),
            *((arm, 10) for arm in _ABLATION),
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
        *(
            line.format(steps=steps, quarter=steps * matrix.epochs // 4, seed=seed)
            for line in lines
        ),
        f"STRONG_PERCENT = {float(percent)}",
        f"Experiment.seed = {seed}",
        f"Experiment.split_seed = {seed}",
    )
    suffix = f"_x{length}" if length > 1 else ""
    name = f"{arm}_{percent:03}{suffix}_seed{seed}"
    return Run(name, arm, percent, length, seed, matrix.config, bindings)
