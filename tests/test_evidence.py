"""The runs of `benchmarks/evidence` are ones that the configs can make."""

import pathlib
import sys

import gin
import numpy as np
import pytest

from ehsod_tf.config import load_config

ROOT = pathlib.Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "benchmarks" / "evidence"))

from anchor_coverage import find_covered  # noqa: E402
from matrices import ARMS, MATRICES, list_runs  # noqa: E402


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
        assert experiment.strong_percent == run.percent
        assert experiment.seed == experiment.split_seed == run.seed
        # Of the arms, those without labels are those that leave weak images out.
        assert experiment.use_weak_images == bool(ARMS[run.arm].branches)


def test_arms_of_equal_steps_have_them():
    for matrix in MATRICES.values():
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
