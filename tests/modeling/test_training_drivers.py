"""The detector's `train_step` under several replicas, and under Keras's own `fit`."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import small_detector
import tensorflow as tf

from ehsod_tf.training import CoupledSGD


def test_two_replicas_take_the_step_of_one():
    """Also where one of the two replicas holds no strong image."""
    program = pathlib.Path(__file__).with_name("detector_replicas.py")
    paths = [program.parents[2], program.parents[1], program.parent]
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout.splitlines()[-1])
    one, two = results["one"], results["two"]
    for actual, wanted in zip(two["history"], one["history"], strict=True):
        assert actual == pytest.approx(wanted, rel=1e-5, abs=1e-6)
        assert wanted["stage1_positives"] > 0
    for actual, wanted in zip(two["weights"], one["weights"], strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-6)


def test_fit_drives_the_same_train_step():
    model = small_detector.build_small_detector()
    model.compile(optimizer=CoupledSGD(0.01), jit_compile=False)
    batch = small_detector.make_batch([0, 1, 2, 3])
    before = [variable.numpy() for variable in model.trainable_variables]
    history = model.fit(tf.data.Dataset.from_tensors(batch).repeat(2), verbose=0)
    assert history.history["total_loss"][0] > 0
    assert "stage2_mid" in history.history
    changed = [
        not np.array_equal(old, variable.numpy())
        for old, variable in zip(before, model.trainable_variables, strict=True)
    ]
    assert all(changed)
