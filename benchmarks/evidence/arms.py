"""The ways to train that the evidence compares."""

from typing import NamedTuple

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
_PLUS_UNTAUGHT = (
    "include 'recipes/plus.gin'",
    "HybridCriterion.boxed_mid = 1.0",
    "HybridCriterion.absent = 0.3",
    "ProposalSelector.cam_objectness = 'contrast'",
    *_BESIDE,
)
_BURN_IN = "TEACHER_BURN_IN = {quarter}"
_PLUS = (*_PLUS_UNTAUGHT, "include 'recipes/teacher.gin'", _BURN_IN)
_MID_WITHOUT_BOXES = "HybridCriterion.boxed_mid = 0.0"
_BOTH = (*_PLUS, _MID_WITHOUT_BOXES, "Teacher.in_part = True")
_UNTAUGHT_SHUFFLE = (*_PLUS_UNTAUGHT, "Experiment.strong_fraction = None")
# Of `untaught_shuffle`, to leave out one at a time: what it is called, and the line.
PARTS_LEFT_OUT = {
    "augmentation": ("augmentation", "Experiment.augmentation = None"),
    "contrast": ("contrast", "ProposalSelector.cam_objectness = 'softmax_max'"),
    "absent": ("the push of absent classes", "HybridCriterion.absent = 0.0"),
    "border": ("border anchors", "CamRpn.border_anchors = False"),
    "boxed_mid": ("MID of classes with boxes", _MID_WITHOUT_BOXES),
    "mid": ("MID", "HybridCriterion.mid = 0.0"),
    "cam": ("the CAM branch", "include 'ablation/mid_proposals.gin'"),
}
# The scale of MID, and how the boxed images come.
MID_ARMS = {
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
    # The file itself has boxes on a tenth of its images.
    "STRONG_PERCENT = 100.0",
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
MACHINE_ARMS = {
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
    "machine_filtered_half": Arm(
        "those of present classes, weighed as a teacher's",
        (
            *_MACHINE,
            "HybridCriterion.machine_classification = 0.5",
            "HybridCriterion.machine_regression = 0.0",
        ),
    ),
}

ARMS = {
    **MACHINE_ARMS,
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
        (*_PLUS_UNTAUGHT, "include 'ablation/mean_teacher.gin'", _BURN_IN),
        (),
    ),
    "label_filter": Arm(
        "labels as the filter of a teacher's boxes, and in no term",
        (*_PLUS_UNTAUGHT, "include 'recipes/label_filter.gin'", _BURN_IN),
        (),
    ),
    "plus": Arm("beyond the paper, with the teacher", _PLUS),
    "plus_no_teacher": Arm("beyond the paper, without teacher", _PLUS_UNTAUGHT),
    "plus_shuffle": Arm(
        "beyond the paper, all images in one shuffle",
        (*_PLUS, "Experiment.strong_fraction = None"),
    ),
    "plus_low_scores": Arm(
        "beyond the paper, the teacher's boxes from 0.3 and 0.7",
        (*_PLUS, "Teacher.best_score = 0.3", "Teacher.other_score = 0.7"),
    ),
    "plus_regression": Arm(
        "beyond the paper, the teacher's boxes from 0.5 and 0.8, for regression too",
        (
            *_PLUS,
            "Teacher.best_score = 0.5",
            "Teacher.other_score = 0.8",
            "Teacher.regression_weight = 0.5",
        ),
    ),
    "hybrid_weak_mid": Arm(
        "8 boxed images a step and 8 labelled, MID of classes without boxes alone",
        (*_BESIDE, _MID_WITHOUT_BOXES),
    ),
    "weak_mid_no_cam": Arm(
        "8 boxed images a step and 8 labelled, MID of classes without boxes alone, no "
        "CAM branch",
        (*_BESIDE, "include 'ablation/mid_proposals.gin'", _MID_WITHOUT_BOXES),
        ("mid",),
    ),
    "plus_fading_mid": Arm(
        "beyond the paper, MID of classes without boxes alone",
        (*_PLUS, _MID_WITHOUT_BOXES),
    ),
    "plus_in_part": Arm(
        "beyond the paper, a teacher in part",
        (*_PLUS, "Teacher.in_part = True"),
    ),
    "plus_both": Arm(
        "beyond the paper, MID of classes without boxes alone, a teacher in part", _BOTH
    ),
    "plus_both_shuffle": Arm(
        "beyond the paper, MID of classes without boxes alone, a teacher in part, all "
        "images in one shuffle",
        (*_BOTH, "Experiment.strong_fraction = None"),
    ),
    "plus_bold_shuffle": Arm(
        "beyond the paper, MID of classes without boxes alone, a teacher in part from "
        "0.3 and 0.7 and weighed fully, all images in one shuffle",
        (
            *_BOTH,
            "Experiment.strong_fraction = None",
            "Teacher.best_score = 0.3",
            "Teacher.other_score = 0.7",
            "Teacher.classification_weight = 1.0",
            "Teacher.regression_weight = 1.0",
        ),
    ),
    "untaught_shuffle": Arm(
        "beyond the paper, without teacher, all images in one shuffle",
        _UNTAUGHT_SHUFFLE,
    ),
    **{
        f"untaught_shuffle_no_{part}": Arm(
            f"beyond the paper, without teacher and {words}, all images in one shuffle",
            (*_UNTAUGHT_SHUFFLE, line),
            tuple(branch for branch in ("cam", "mid") if branch != part),
        )
        for part, (words, line) in PARTS_LEFT_OUT.items()
    },
    "plus_displaced": Arm(
        "beyond the paper, 4 boxed images a step and 4 labelled",
        (*_PLUS, "BATCH_SIZE = 8", "Experiment.reference_batch_size = 8"),
    ),
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
    **MID_ARMS,
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
