"""N replicas of b images train the detector as one replica of N * b does."""

import numpy as np
import pytest

PROGRAMS = {"replicas": ["detector_replicas.py"]}


@pytest.mark.parametrize("replicas", ["2 devices", "4 devices", "2 workers"])
def test_replicas_equal_one(get_result, replicas):
    """Also where a replica holds no strong image."""
    results = get_result("replicas")
    actual, wanted = results[replicas], results["1 devices"]
    assert len(actual["history"]) == 10
    for step, expected in zip(actual["history"], wanted["history"], strict=True):
        assert step == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert expected["stage1_positives"] > 0
    for weights, expected in zip(actual["weights"], wanted["weights"], strict=True):
        np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-5)
