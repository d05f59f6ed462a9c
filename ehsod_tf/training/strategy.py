"""Over which devices and machines a run is spread."""

import json
import os
from collections.abc import Callable

import tensorflow as tf

from ehsod_tf.errors import ConfigError, require_choice
from ehsod_tf.wording import count

STRATEGIES = ("auto", "mirrored", "multi_worker")
CROSS_DEVICE_OPS = ("auto", "nccl", "hierarchical")


def create_strategy(
    name: str = "auto", cross_device_ops: str = "auto"
) -> tf.distribute.Strategy:
    """Creates the strategy; call it before any other use of TensorFlow.

    Where all GPUs are fast with channels last, it also sees to it that TensorFlow keeps
    the convolutions so (see `keep_channels_last`).

    Args:
        name: "mirrored": all visible GPUs of this machine, or its CPU; "multi_worker":
            the machines that the environment variable ``TF_CONFIG`` lists; "auto":
            "multi_worker" where ``TF_CONFIG`` is set, else "mirrored".
        cross_device_ops: how gradients are summed: "nccl"; "hierarchical", copies by
            way of one device, for GPUs without fast links between them; or "auto",
            TensorFlow's own choice. Several machines have NCCL only.

    Raises:
        ConfigError: a name is unknown, the two do not go together, or ``TF_CONFIG`` is
            missing or malformed.
    """
    require_choice("--strategy", name, STRATEGIES)
    require_choice("--cross_device_ops", cross_device_ops, CROSS_DEVICE_OPS)
    keep_channels_last()
    if name == "auto":
        name = "multi_worker" if os.environ.get("TF_CONFIG") else "mirrored"
    if name == "mirrored":
        return _create_mirrored(cross_device_ops)
    if cross_device_ops == "hierarchical":
        raise ConfigError("--cross_device_ops hierarchical is for one machine only")
    _check_tf_config()
    return _create_multi_worker(cross_device_ops)


def keep_channels_last() -> None:
    """Turns TensorFlow's layout optimiser off where it would slow the GPUs down.

    It makes the convolutions of a float32 graph channels-first. From compute capability
    8.0 on, where they run in TF32, cuDNN turns their operands back: 24.6 of the 146 ms
    of a training step on an H200 (docs/speed.md).
    """
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    capabilities = [detail.get("compute_capability", (0, 0)) for detail in details]
    if capabilities and min(capabilities) >= (8, 0):
        tf.config.optimizer.set_experimental_options({"layout_optimizer": False})


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the run folder: the only one, or worker 0."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id in (None, 0)


def describe_devices(strategy: tf.distribute.Strategy) -> str:
    """Says e.g. "2 GPUs (NVIDIA H200)" or "8 replicas on 2 machines; here: …"."""
    replicas = strategy.num_replicas_in_sync
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        names = {str(detail.get("device_name", "unnamed")) for detail in details}
        here = f"{count(len(gpus), 'GPU')} ({', '.join(sorted(names))})"
    else:
        here = f"CPU ({count(os.cpu_count() or 1, 'core')}); no GPU found"
    machines = count_machines(strategy)
    if machines > 1:
        spread = f"{count(replicas, 'replica')} on {count(machines, 'machine')}"
        return f"{spread}; here: {here}"
    return here if replicas in (1, len(gpus)) else f"{replicas} replicas on {here}"


def count_machines(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of workers, each of which is a process with this program."""
    if strategy.cluster_resolver is None:
        return 1
    return len(strategy.cluster_resolver.cluster_spec().task_indices("worker"))


def distribute_batches(
    make_dataset: Callable[[int, int, int], tf.data.Dataset],
    start_step: int,
    strategy: tf.distribute.Strategy,
):
    """Deals the global batches to the replicas of all machines, in their order.

    Replica r of N gets rows ``r * B / N`` to ``(r + 1) * B / N`` of each global batch,
    whichever machine it is on. Each machine reads only what its own replicas get.

    Args:
        make_dataset: takes the number of steps already made, this machine's index and
            the number of machines; returns this machine's rows of the batches from
            there on, of one known number.
        start_step: number of steps already made.
        strategy: whose replicas they are.

    Raises:
        ConfigError: a batch cannot be divided evenly over the replicas.
    """

    def build(context):
        machines = context.num_input_pipelines
        dataset = make_dataset(start_step, context.input_pipeline_id, machines)
        replicas = context.num_replicas_in_sync // machines
        rows = dataset.element_spec.image_ids.shape[0]
        if rows % replicas:
            raise ConfigError(
                f"a batch of {count(rows * machines, 'image')} cannot be divided "
                f"evenly over {context.num_replicas_in_sync} replicas; choose a "
                "multiple of them as BATCH_SIZE"
            )
        return dataset if replicas == 1 else dataset.rebatch(rows // replicas)

    return strategy.distribute_datasets_from_function(build)


def _create_mirrored(cross_device_ops):
    if cross_device_ops == "auto":
        return tf.distribute.MirroredStrategy()
    if cross_device_ops == "nccl":
        if len(tf.config.list_logical_devices("GPU")) == 0:
            raise ConfigError("--cross_device_ops nccl needs GPUs, and none is visible")
        return tf.distribute.MirroredStrategy(
            cross_device_ops=tf.distribute.NcclAllReduce()
        )
    return tf.distribute.MirroredStrategy(
        cross_device_ops=tf.distribute.HierarchicalCopyAllReduce()
    )


def _create_multi_worker(cross_device_ops):
    implementation = {
        "auto": tf.distribute.experimental.CommunicationImplementation.AUTO,
        "nccl": tf.distribute.experimental.CommunicationImplementation.NCCL,
    }[cross_device_ops]
    return tf.distribute.MultiWorkerMirroredStrategy(
        communication_options=tf.distribute.experimental.CommunicationOptions(
            implementation=implementation
        )
    )


def _check_tf_config():
    """TensorFlow's own messages about this variable do not name it."""
    example = (
        'such as {"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise ConfigError(
            f"--strategy multi_worker needs TF_CONFIG in the environment, {example}"
        )
    try:
        content = json.loads(text)
        workers = content["cluster"]["worker"]
        task = content["task"]
        is_valid = task["type"] == "worker" and 0 <= int(task["index"]) < len(workers)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"TF_CONFIG cannot be read ({error}); {example}") from error
    if not is_valid or set(content["cluster"]) != {"worker"}:
        raise ConfigError(
            f"TF_CONFIG must list workers only, and this task among them, {example}"
        )
