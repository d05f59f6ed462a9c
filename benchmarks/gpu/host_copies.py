"""Tensors of a graph that a GPU would compute and its host would go on with.

TensorFlow's kernels for a GPU keep some tensors in the host's memory, int32 above all:
shapes belong there. Where one kernel leaves a tensor in the GPU's memory and the next
wants it in the host's, the host waits for the GPU, and the GPU then for the host. Which
kernel wants what is known without a GPU, from the list of kernels in TensorFlow.
"""

import functools

from tensorflow.python.framework import kernels, op_def_registry

# What these return is what the step returns; they have a kernel for every device.
_ENDS = ("_Retval", "Identity")


def find_host_copies(graph_def) -> dict[str, list[str]]:
    """{tensor in the GPU's memory: the operations that want it in the host's}.

    Args:
        graph_def: an optimised graph, in which control flow is inlined.
    """
    nodes = {node.name: node for node in graph_def.node}
    places = {name: _find_places(node) for name, node in nodes.items()}
    copies = {}
    for node in graph_def.node:
        data = [name for name in node.input if not name.startswith("^")]
        wanted = places[node.name][0]
        if node.op in _ENDS or len(wanted) != len(data):
            continue
        for name, wants_host in zip(data, wanted, strict=True):
            source, _, index = name.partition(":")
            is_on_host = places[source][1]
            index = int(index or 0)
            if nodes[source].op == "Const" or index >= len(is_on_host):
                continue
            if wants_host and not is_on_host[index]:
                copies.setdefault(name, []).append(node.name)
    return copies


def _find_places(node):
    """Whether each input, and each output, is in the host's memory: two lists."""
    definition = op_def_registry.get(node.op)
    if definition is None:
        return [], []
    inputs = _list_tensors(node, definition.input_arg)
    outputs = _list_tensors(node, definition.output_arg)
    kernel = _find_kernel(node)
    if kernel is None:  # Computed by the CPU: whatever it needs is fetched.
        return [True] * len(inputs), [True] * len(outputs)
    on_host = set(kernel.host_memory_arg)
    return [k in on_host for k in inputs], [k in on_host for k in outputs]


def _find_kernel(node):
    """The GPU's kernel for the types of a node, or None."""
    for kernel in _list_kernels(node.op):
        if all(
            node.attr[constraint.name].type in constraint.allowed_values.list.type
            for constraint in kernel.constraint
        ):
            return kernel
    return None


@functools.cache
def _list_kernels(operation):
    registered = kernels.get_registered_kernels_for_op(operation).kernel
    # Kernels of any device come last, as in TensorFlow's own choice.
    return sorted(
        (k for k in registered if k.device_type in ("GPU", "DEFAULT")),
        key=lambda k: (k.device_type == "DEFAULT", -k.priority),
    )


def _list_tensors(node, arguments):
    """The argument's name for each tensor, for one argument may be several."""
    names = []
    for argument in arguments:
        count = 1
        if argument.number_attr:
            count = node.attr[argument.number_attr].i
        elif argument.type_list_attr:
            count = len(node.attr[argument.type_list_attr].list.type)
        names += [argument.name] * count
    return names
