"""What the graph of a training step must not hold."""

import pathlib
import sys

import pytest
import tensorflow as tf
from small_detector import build_small_detector, make_batch

from ehsod_tf.training.optimizer import CoupledSGD

GPU_BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture(scope="module")
def step():
    """A whole training step, for images of any size."""
    model = build_small_detector()
    model.compile(optimizer=CoupledSGD(0.01))
    model.optimizer.build(model.trainable_variables)
    dataset = tf.data.Dataset.from_tensors(make_batch([0, 1]))
    spec = tf.nest.map_structure(_loosen, dataset.element_spec)
    return tf.function(model.train_step, input_signature=[spec], autograph=False)


@pytest.fixture(scope="module")
def operations(step):
    return step.get_concrete_function().graph.get_operations()


def _loosen(spec):
    if not isinstance(spec, tf.TensorSpec):
        return spec
    last = spec.shape[-1:] if spec.shape.rank > 1 else [None]
    return tf.TensorSpec([None] * (spec.shape.rank - 1) + last, spec.dtype)


def test_no_choice_between_a_map_and_a_scalar(operations):
    """TensorFlow's layout optimiser gives the whole graph up where it meets one.

    "Size of values 0 does not match size of permutation 4", of a SelectV2.
    """
    choices = [o for o in operations if o.type == "SelectV2"]
    assert choices
    ranks = {o.name: [t.shape.rank for t in o.inputs] for o in choices}
    assert {k: v for k, v in ranks.items() if 0 in v and max(v) >= 4} == {}


def test_no_tensor_of_a_step_passes_through_the_host_of_a_gpu(step, monkeypatch):
    """The GPU would wait for it. Shapes and what the user gives are there anyway."""
    monkeypatch.setattr(sys, "path", [str(GPU_BENCHMARKS), *sys.path])
    from graph_costs import make_graphs
    from host_copies import find_host_copies

    graphs = make_graphs(lambda: step(make_batch([0, 1])))
    graph = max(graphs, key=lambda graph: len(graph.node))
    assert len(graph.node) > 1000
    # An operation that TensorFlow makes for CPUs alone.
    types = {node.name: node.op for node in graph.node}
    readers = find_host_copies(graph).values()
    assert {types[k] for k in sum(readers, [])} <= {"_UnaryOpsComposition"}
