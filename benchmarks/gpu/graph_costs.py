"""What a step costs by its graph alone: nodes by type, bytes of elementwise passes.

Where there is no GPU, these two stand for it: each node is a launch or a visit of the
executor, and each elementwise operation on an activation reads and writes memory while
the matrix units wait. The graph is the one that runs: as TensorFlow's own optimiser
(Grappler) leaves it.
"""

import collections
import contextlib
import math

import tensorflow as tf
from host_copies import find_host_copies
from tensorflow.python.eager import context

# Cells of P5 times its channels, in an 800 x 1216 image: a quarter of a million.
ACTIVATION_ELEMENTS = 50_000

ELEMENTWISE = frozenset(
    "Abs Add AddN AddV2 BiasAdd BiasAddGrad Cast Clip ClipByValue DivNoNan Equal Exp"
    " FusedBatchNormGradV3 FusedBatchNormV3 Greater GreaterEqual IsFinite Less"
    " LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mul MulNoNan"
    " Neg NotEqual OnesLike Pow RealDiv Reciprocal Relu ReluGrad Rsqrt RsqrtGrad Select"
    " SelectV2 Sigmoid SigmoidGrad Sign Softplus SoftplusGrad Sqrt Square"
    " SquaredDifference Sub Sum Tanh Xdivy ZerosLike _FusedBatchNormEx"
    " Softmax LogSoftmax Pad Fill Tile BroadcastTo Slice StridedSlice StridedSliceGrad"
    " ConcatV2 GatherV2 Transpose".split()
)


@contextlib.contextmanager
def _collect_graphs():
    """TensorFlow keeps the graphs of functions that are first run in here."""
    session = context.context()
    session.enable_run_metadata()
    graphs = []
    try:
        yield graphs
    finally:
        metadata = session.export_run_metadata()
        session.disable_run_metadata()
        graphs += [graph.post_optimization_graph for graph in metadata.function_graphs]


def make_graphs(run) -> list:
    """Runs what has not run before; returns its optimised graphs as `GraphDef`s."""
    with _collect_graphs() as graphs:
        run()
    return graphs


def measure_graph(graphs, sizes, batch) -> dict:
    """Nodes by type and bytes of activation-sized elementwise operations.

    Args:
        graphs: of `make_graphs`; the largest is the step.
        sizes: the real shape of each argument, by its shape in the signature.
        batch: images; an activation is what begins with this many rows.

    Returns:
        {"nodes", "nodes_by_type", "elementwise_bytes", "bytes_by_type",
        "unknown_shapes": elementwise operations whose shape the graph does not say,
        "host_copies": see `find_host_copies`}.
    """
    graph_def = max(graphs, key=lambda graph: len(graph.node))
    bodies = [graph_def.node] + [f.node_def for f in graph_def.library.function]
    types = collections.Counter(node.op for body in bodies[:1] for node in body)
    bytes_by_type, unknown = collections.Counter(), 0
    for operation in _import_with_shapes(graph_def, sizes).get_operations():
        if operation.type not in ELEMENTWISE:
            continue
        tensors = [*operation.inputs, *operation.outputs]
        shapes = [tensor.shape for tensor in tensors]
        if not all(shape.is_fully_defined() for shape in shapes):
            unknown += 1
            continue
        if any(_is_activation(shape, batch) for shape in shapes):
            bytes_by_type[operation.type] += sum(
                math.prod(tensor.shape) * tensor.dtype.size for tensor in tensors
            )
    return {
        "nodes": sum(types.values()),
        "nodes_by_type": dict(types.most_common()),
        "elementwise_bytes": sum(bytes_by_type.values()),
        "bytes_by_type": dict(bytes_by_type.most_common()),
        "unknown_shapes": unknown,
        "host_copies": find_host_copies(graph_def),
    }


def _is_activation(shape, batch):
    return (
        shape.rank >= 2
        and shape[0] == batch
        and math.prod(shape) >= batch * ACTIVATION_ELEMENTS
    )


def _import_with_shapes(graph_def, sizes):
    """The graph with its arguments' real shapes, from which the rest follow."""
    typed = type(graph_def)()
    typed.CopyFrom(graph_def)
    for node in typed.node:
        if node.op == "_Arg" and "_output_shapes" in node.attr:
            (shape,) = node.attr["_output_shapes"].list.shape
            known = tf.TensorShape(shape)
            if known.rank is not None and tuple(known) in sizes:
                shape.CopyFrom(tf.TensorShape(sizes[tuple(known)]).as_proto())
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(typed, name="")
    return graph
