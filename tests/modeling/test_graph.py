"""What the graph of a training step must not hold."""

import pathlib

import pytest
import tensorflow as tf
from small_detector import build_small_detector, make_batch
from tensorflow.python.framework import kernels

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


@pytest.fixture
def find_host_copies(monkeypatch):
    """The function of `benchmarks/gpu`, if this TensorFlow lists kernels of a GPU."""
    if not any(
        kernel.device_type == "GPU"
        for kernel in kernels.get_registered_kernels_for_op("MatMul").kernel
    ):
        pytest.skip("this build of TensorFlow has no kernels for GPUs")
    monkeypatch.syspath_prepend(str(GPU_BENCHMARKS))
    from host_copies import find_host_copies

    return find_host_copies


def test_a_shape_that_a_gpu_computes_passes_through_its_host(find_host_copies):
    """And one that is read off a tensor does not: it is there already."""
    with tf.Graph().as_default() as graph:
        matrix = tf.compat.v1.placeholder(tf.float32, [None, None], name="matrix")
        computed = tf.raw_ops.ArgMax(input=matrix, dimension=0, name="computed")
        known = tf.raw_ops.Shape(input=matrix, name="known")
        tf.raw_ops.Reshape(tensor=matrix, shape=computed, name="waits")
        tf.raw_ops.Reshape(tensor=matrix, shape=known, name="goes_on")
    assert find_host_copies(graph.as_graph_def()) == {"computed": ["waits"]}


def test_no_tensor_of_a_step_passes_through_the_host_of_a_gpu(step, find_host_copies):
    """The GPU would wait for it. Shapes and what the user gives are there anyway."""
    from graph_costs import make_graphs

    graphs = make_graphs(lambda: step(make_batch([0, 1])))
    graph = max(graphs, key=lambda graph: len(graph.node))
    assert len(graph.node) > 1000
    # An operation that TensorFlow makes for CPUs alone.
    types = {node.name: node.op for node in graph.node}
    readers = find_host_copies(graph).values()
    assert {types[k] for k in sum(readers, [])} <= {"_UnaryOpsComposition"}
