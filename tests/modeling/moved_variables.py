"""Which of a backbone's variables training moves."""

import numpy as np
from small_detector import build_small_detector, make_batch

from ehsod_tf.training import CoupledSGD


def train_and_list_moved_variables(backbone) -> set[str]:
    """Paths of the variables that two steps, and calls in training mode, changed."""
    model = build_small_detector(backbone=backbone)
    model.compile(CoupledSGD(0.01), jit_compile=False)
    before = {variable.path: variable.numpy() for variable in backbone.variables}
    for images in ([0, 1], [1, 2]):
        batch = make_batch(images)
        model.train_step(batch)
        model(batch, training=True)
        backbone(batch.images, training=True)
    after = {variable.path: variable.numpy() for variable in backbone.variables}
    assert all(np.isfinite(value).all() for value in after.values())
    return {path for path in before if before[path].tobytes() != after[path].tobytes()}


def assert_only_unfrozen_variables_move(backbone, frozen: tuple[str, ...]):
    """`frozen`: how the names of the layers up to the frozen level begin."""
    moved = train_and_list_moved_variables(backbone)
    trained = {
        variable.path
        for variable in backbone.variables
        if not variable.name.startswith(("moving_", "seed_generator"))
        and not variable.path.startswith(frozen)
    }
    assert moved == trained
    assert {"kernel", "gamma", "beta"} <= {path.split("/")[-1] for path in moved}
