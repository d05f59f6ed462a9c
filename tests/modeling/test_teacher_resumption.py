"""A run with a teacher that is cut off goes on as if it had not been."""

import shutil

import keras
import numpy as np
import pytest
import small_detector
import tensorflow as tf

from ehsod_tf.modeling import Teacher
from ehsod_tf.training import Checkpoints, CoupledSGD, train

STEPS = 3


def _train(folder):
    """Two weak images and two strong ones a step, promotions from step 3 on."""
    model = small_detector.build_small_detector(num_stages=1)
    model.teacher = Teacher(burn_in_steps=2, best_score=0.0)
    model.compile(optimizer=CoupledSGD(0.003, use_ema=True), jit_compile=False)
    history = train(
        model,
        lambda start_step, host_index, num_hosts: tf.data.Dataset.from_tensors(
            small_detector.make_batch([4, 0, 4, 3])
        ).repeat(),
        strategy=tf.distribute.get_strategy(),
        epochs=2,
        steps_per_epoch=STEPS,
        checkpoints=Checkpoints(model, str(folder)),
    )
    variables = [*model.variables, *model.optimizer.variables]
    return history, [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_a_resumed_run_equals_a_whole_one(tmp_path):
    whole, wanted = _train(tmp_path / "whole")
    shutil.copytree(
        tmp_path / "whole" / f"step-{STEPS}", tmp_path / "cut" / f"step-{STEPS}"
    )
    resumed, variables = _train(tmp_path / "cut")
    assert resumed == whole
    assert [row["teacher_images"] for row in whole] == [pytest.approx(2 / 3), 2]
    for value, expected in zip(variables, wanted, strict=True):
        np.testing.assert_array_equal(value, expected)
