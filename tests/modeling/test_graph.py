"""What the graph of a training step must not hold."""

import pytest
import tensorflow as tf
from small_detector import build_small_detector, make_batch

from ehsod_tf.training.optimizer import CoupledSGD


@pytest.fixture(scope="module")
def operations():
    """Those of a whole training step, for images of any size."""
    model = build_small_detector()
    model.compile(optimizer=CoupledSGD(0.01))
    model.optimizer.build(model.trainable_variables)
    spec = tf.nest.map_structure(_loosen, make_batch([0, 1]))
    step = tf.function(model.train_step, input_signature=[spec], autograph=False)
    return step.get_concrete_function().graph.get_operations()


def _loosen(tensor):
    rank = tensor.shape.rank
    shape = [None] * (rank - 1) + tensor.shape.as_list()[-1:] if rank > 2 else None
    return tf.TensorSpec(shape or [None, *tensor.shape[1:]], tensor.dtype)


def test_no_choice_between_a_map_and_a_scalar(operations):
    """TensorFlow's layout optimiser gives the whole graph up where it meets one.

    "Size of values 0 does not match size of permutation 4", of a SelectV2.
    """
    choices = [o for o in operations if o.type == "SelectV2"]
    assert choices
    ranks = {o.name: [t.shape.rank for t in o.inputs] for o in choices}
    assert {k: v for k, v in ranks.items() if 0 in v and max(v) >= 4} == {}
