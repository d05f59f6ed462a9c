"""The detector's `train_step` under Keras's own `fit`."""

import numpy as np
import small_detector
import tensorflow as tf

from ehsod_tf.training import CoupledSGD


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
