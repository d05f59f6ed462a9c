"""The runs of `benchmarks/evidence` are ones that the configs can make."""

import pathlib
from types import SimpleNamespace

import gin
import numpy as np
import pytest
from import_paths import importing_from

from ehsod_tf.config import load_config
from ehsod_tf.evaluation import Results
from ehsod_tf.modeling import Teacher
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

ROOT = pathlib.Path(__file__).parent.parent
with importing_from(ROOT / "benchmarks" / "evidence"):
    from anchor_coverage import find_covered
    from arms import ARMS, MACHINE_ARMS, PARTS_LEFT_OUT
    from claims import compute_claims
    from extents import KINDS, keep_shown_classes, measure_extents
    from matrices import MATRICES, list_runs
    from measure_run import exchange_averages
    from tables import format_tables

PLUS_MATRICES = [
    name for name in MATRICES if "plus" in {arm for arm, *_ in MATRICES[name].cells}
]


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.mark.parametrize("name", MATRICES)
def test_runs_have_names_of_their_own(name):
    names = [run.name for run in list_runs(MATRICES[name])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", MATRICES)
def test_a_run_is_what_its_cell_says(name):
    for run in list_runs(MATRICES[name]):
        experiment = load_config(str(ROOT / run.config), run.bindings)
        # The files of the machine arms have boxes on a tenth of their images.
        kept = 100 if run.arm in MACHINE_ARMS else run.percent
        assert experiment.strong_percent == kept
        assert experiment.seed == experiment.split_seed == run.seed
        # Of the arms, those without labels are those that leave weak images out, or
        # hide their labels. To one the labels are a filter, and no branch learns them.
        uses_labels = experiment.use_weak_images and experiment.use_weak_labels
        is_filter = run.arm == "label_filter"
        assert uses_labels == (bool(ARMS[run.arm].branches) or is_filter)
        assert experiment.epochs == MATRICES[name].epochs
        if run.length > 1:
            assert experiment.steps_per_epoch == (
                run.length * MATRICES[name].steps_per_epoch
            )


def test_arms_of_equal_steps_have_them():
    for matrix in (MATRICES[name] for name in ("quickstart", "voc_six", "voc_twenty")):
        steps = {
            run.arm: load_config(str(ROOT / run.config), run.bindings).steps_per_epoch
            for run in list_runs(matrix)
        }
        assert steps["boxes"] == matrix.steps_per_epoch
        assert steps["hybrid"] is None


def test_labelled_images_beside_the_boxed_leave_the_rest_alone():
    runs = {
        run.arm: load_config(str(ROOT / run.config), run.bindings)
        for run in list_runs(MATRICES["voc_six"])
        if (run.percent, run.seed) == (10, 0)
    }
    boxes, beside = runs["boxes"], runs["hybrid_beside"]
    assert beside.batch_size * beside.strong_fraction == boxes.batch_size
    assert beside.steps_per_epoch == boxes.steps_per_epoch
    for run in (boxes, beside):
        assert run.learning_rate == boxes.learning_rate
        assert run.batch_size == run.reference_batch_size


@pytest.mark.parametrize(
    ("box", "inside", "of_all"),
    [
        ([20, 20, 300, 230], False, True),  # nearly the whole image
        ([100, 80, 164, 144], True, True),
        ([-1, -1, 9, 9], False, False),  # too small for any anchor
    ],
)
def test_anchor_coverage_tells_what_no_anchor_within_the_image_stands_for(
    box, inside, of_all
):
    boxes, image_size = np.array([box], np.float64), np.array([320, 240])
    assert find_covered(boxes, image_size, border_anchors=False).tolist() == [inside]
    assert find_covered(boxes, image_size, border_anchors=True).tolist() == [of_all]


def test_extents_are_those_of_the_best_scored_detection_of_the_class():
    """Objects of 10 x 10, one an image, and one that is ignored."""
    box = np.array([10.0, 10.0, 20.0, 20.0])
    image_set = SimpleNamespace(
        image_ids=np.arange(5),
        row_splits=np.array([0, 2, 3, 4, 5, 6]),
        boxes=np.tile(box, [6, 1]),
        classes=np.zeros(6, np.int32),
        ignored=np.array([False, True, False, False, False, False]),
    )
    found = [
        (0, 0, 0.9, [10, 10, 20, 28]),  # 10 of 18: too large, and one that fits below
        (0, 0, 0.8, [10, 10, 20, 21]),
        (0, 1, 1.0, box),
        (1, 0, 0.5, [10, 10, 16, 20]),  # a part, 0.6
        (1, 0, 0.9, [40, 40, 50, 50]),  # touches nothing
        (2, 0, 0.5, [14, 10, 24, 20]),  # shifted, 6 of 14
        (3, 1, 0.5, box),
        (4, 0, 0.5, [10, 10, 20, 20]),
    ]
    image_ids, classes, scores, boxes = zip(*found, strict=True)
    results = SimpleNamespace(
        image_ids=np.array(image_ids),
        boxes=np.array(boxes, np.float64),
        scores=np.array(scores),
        classes=np.array(classes),
    )
    ious, most, kinds = measure_extents(image_set, results)
    np.testing.assert_allclose(ious, [10 / 18, 0.6, 6 / 14, 0, 1])
    np.testing.assert_allclose(most, [10 / 11, 0.6, 6 / 14, 0, 1])
    named = [KINDS[kind] for kind in kinds[ious < 0.7]]
    assert named == ["too large", "a part", "shifted", "not found"]


def test_with_labels_known_classes_that_an_image_does_not_show_are_left_out():
    labels = np.array([[PRESENT, ABSENT], [UNKNOWN, PRESENT]], np.int8)
    image_set = SimpleNamespace(image_ids=np.array([7, 3]), image_labels=labels)
    results = Results(
        image_ids=np.array([3, 7, 7, 3]),
        boxes=np.arange(16.0).reshape(4, 4),
        scores=np.array([0.9, 0.8, 0.7, 0.6]),
        classes=np.array([0, 0, 1, 1]),
    )
    kept = keep_shown_classes(image_set, results)
    assert kept.scores.tolist() == [0.9, 0.8, 0.6]
    assert kept.boxes[:, 0].tolist() == [0, 4, 12]
    assert kept.image_ids.tolist() == [3, 7, 3] and kept.classes.tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", PLUS_MATRICES)
def test_arms_of_the_readers_question_differ_in_the_method_alone(name):
    """Is it the teacher or the labels? All see 8 boxed images a step, as often."""
    matrix = MATRICES[name]
    seen = set()
    for run in list_runs(matrix):
        if run.arm not in ("boxes", "mean_teacher", "hybrid_beside", "plus"):
            continue
        if run.length > 1 or run.seed:
            continue
        experiment = load_config(str(ROOT / run.config), run.bindings)
        seen.add(run.arm)
        share = experiment.strong_fraction if experiment.use_weak_images else 1.0
        assert experiment.batch_size * share == 8
        assert experiment.steps_per_epoch == matrix.steps_per_epoch
        assert experiment.scaled_learning_rate == experiment.learning_rate
        assert experiment.augmentation is not None
        assert gin.query_parameter("CamRpn.border_anchors") is True
        assert gin.query_parameter("ClippedAdamW.use_ema") is True
        assert gin.query_parameter("ClippedAdamW.ema_momentum") == Teacher().momentum
        has_teacher = "build_model.teacher" in gin.config_str()
        assert has_teacher == (run.arm in ("mean_teacher", "plus"))
        if has_teacher:
            steps = matrix.steps_per_epoch * matrix.epochs
            assert gin.query_parameter("TEACHER_BURN_IN/gin.macro.value") == steps // 4
    assert seen == {"boxes", "mean_teacher", "hybrid_beside", "plus"}


def test_each_part_is_left_out_alone():
    def read(arm):
        runs = list_runs(MATRICES["scenes_plus"])
        run = next(r for r in runs if (r.arm, r.length) == (arm, 2))
        load_config(str(ROOT / run.config), run.bindings)
        return {line for line in gin.config_str().splitlines() if "=" in line}

    whole = read("untaught_shuffle")
    for part in PARTS_LEFT_OUT:
        # The CAM branch has two losses, and a say in the proposals.
        lines = 3 if part == "cam" else 1
        assert len(whole - read(f"untaught_shuffle_no_{part}")) == lines


def make_run(arm, percent, seed, ap50, iou70, **more):
    figures = {
        "voc_ap50_area": ap50, "ap_at_iou_0.1": ap50 + 0.1, "ap_at_iou_0.7": iou70
    }  # fmt: skip
    return {"arm": arm, "percent": percent, "seed": seed, "figures": figures, **more}


def test_claims_are_those_of_the_figures():
    runs = [
        make_run("boxes", 10, 0, 0.50, 0.30),
        make_run("boxes", 10, 1, 0.54, 0.30),
        make_run("boxes", 100, 0, 0.70, 0.50),
        make_run("boxes", 100, 1, 0.74, 0.52),
        make_run("hybrid_weak_mid", 10, 0, 0.60, 0.36),
        make_run("hybrid_weak_mid", 10, 1, 0.68, 0.38),
        make_run("hybrid_weak_mid", 10, 0, 0.99, 0.99, length=4),
        make_run("hybrid_weak_mid", 30, 0, 0.99, 0.99),
        make_run("hybrid_beside", 10, 1, 0.59, 0.31),
        make_run("mean_teacher", 10, 0, 0.58, 0.35),
        make_run("plus", 10, 1, 0.64, 0.35),
    ]
    claims = compute_claims(runs, 10)
    assert compute_claims(runs, 10, length=4) == {"ap50": 0.99, "iou70": 0.99}
    assert claims["ap50"] == pytest.approx(0.64)
    assert claims["iou70"] == pytest.approx(0.37)
    assert claims["boxes_ap50"] == pytest.approx(0.52)
    assert claims["gain"] == pytest.approx(0.12)
    assert claims["gain_iou70"] == pytest.approx(0.07)
    assert claims["gap_closed"] == pytest.approx(0.12 / 0.20)
    assert claims["gap_closed_iou10"] == pytest.approx(0.12 / 0.20)
    assert claims["gap_closed_iou70"] == pytest.approx(0.07 / 0.21)
    assert claims["paper_gap_closed"] == pytest.approx(0.05 / 0.20)
    assert claims["taught_gap_closed"] == pytest.approx(0.10 / 0.20)
    # Only seeds that both have.
    assert claims["gain_over_paper"] == pytest.approx(0.09)
    assert claims["gain_iou70_over_paper"] == pytest.approx(0.07)
    assert claims["gain_over_mean_teacher"] == pytest.approx(0.02)
    assert claims["gain_seeds"] == claims["gap_closed_seeds"] == 2


def test_what_was_not_run_is_not_claimed():
    assert compute_claims([], 10) == {}
    claims = compute_claims([make_run("hybrid_weak_mid", 10, 0, 0.6, 0.4)], 10)
    assert claims == {"ap50": 0.6, "iou70": 0.4}
    runs = [
        make_run("hybrid_weak_mid", 10, 0, 0.6, 0.4),
        make_run("boxes", 10, 1, 0.5, 0.4),
    ]
    assert not {"gain", "gap_closed", "gain_seeds"} & compute_claims(runs, 10).keys()


def test_runs_measured_in_part_are_tabulated():
    table = format_tables(
        [
            make_run("plus", 10, 0, 0.6, 0.36),
            make_run("plus", 10, 0, 0.7, 0.38, length=2),
            make_run("hybrid_beside", 10, 0, 0.5, 0.30),
        ]
    )
    lines = [line for line in table.splitlines() if "with the teacher" in line]
    assert "| 0.600 (one run) |" in lines[0] and "| +0.100 (one run) |" in lines[0]
    assert "with the teacher, 2 times as long | 0.700 (one run)" in lines[1]


def test_averages_take_the_plain_names():
    figures = {"AP": 0.1, "AP50": 0.2, "ema_AP": 0.3, "ema_AP50": 0.4, "pseudo": 0.5}
    assert exchange_averages(figures) == {
        "AP": 0.3, "AP50": 0.4, "raw_AP": 0.1, "raw_AP50": 0.2, "pseudo": 0.5
    }  # fmt: skip
