"""N replicas of b images train the detector as one replica of N * b does."""

import numpy as np
import pytest

PROGRAMS = {
    method: ["detector_replicas.py", f"--{method}"]
    for method in ("plain", "teacher", "in_part")
}

# (of the figures, relative; of the weights, absolute). With a teacher a neuron comes so
# near to 0 that rounding decides whether it gets a gradient, which moves 22 of 108,512
# weights by up to 7e-5; tests/modeling/test_teacher.py compares more closely. Of partly
# boxed images the norm of a step's gradient differs by 1.3e-5, all else by 1e-6.
TOLERANCES = {
    "plain": (1e-5, 1e-5),
    "teacher": (5e-3, 2e-4),
    "in_part": (5e-5, 1e-5),
}
NUM_STEPS = {"plain": 10, "teacher": 6, "in_part": 6}


@pytest.mark.parametrize(
    ("method", "replicas"),
    [
        ("plain", "2 devices"),
        ("plain", "4 devices"),
        ("plain", "2 workers"),
        ("teacher", "2 devices"),
        ("teacher", "2 workers"),
        ("in_part", "2 devices"),
    ],
)
def test_replicas_equal_one(get_result, method, replicas):
    """Also where a replica holds no strong image, and where a teacher gives boxes.

    And with partly boxed images, a detector's boxes and ignored regions in the batch.
    """
    results = get_result(method)
    actual, wanted = results[replicas], results["1 devices"]
    assert len(actual["history"]) == NUM_STEPS[method]
    relative, absolute = TOLERANCES[method]
    for step, expected in zip(actual["history"], wanted["history"], strict=True):
        assert step == pytest.approx(expected, rel=relative, abs=1e-6)
        assert expected["stage1_positives"] > 0
    for weights, expected in zip(actual["weights"], wanted["weights"], strict=True):
        np.testing.assert_allclose(weights, expected, rtol=relative, atol=absolute)


def test_the_teacher_gives_boxes_in_every_step_after_its_burn_in(get_result):
    history = get_result("teacher")["2 devices"]["history"]
    images = [step["teacher_images"] for step in history]
    assert images[:3] == [0, 0, 0]
    assert images[3:] == [1, 2, 1]
