"""What a run asks of TensorFlow before it starts."""

import json
import types
from typing import NamedTuple

import pytest
import tensorflow as tf

from ehsod_tf import cli
from ehsod_tf.errors import ConfigError
from ehsod_tf.training import create_strategy
from ehsod_tf.training.strategy import distribute_batches, keep_channels_last


@pytest.mark.parametrize(
    ("capabilities", "keeps"),
    [
        ([(9, 0)], True),
        ([(8, 0), (8, 6)], True),
        ([(7, 5)], False),
        ([(9, 0), (7, 0)], False),
        ([None], False),
        ([], False),
    ],
)
def test_layout_optimiser_is_off_where_all_gpus_have_tf32(
    monkeypatch, capabilities, keeps
):
    def describe(gpu):
        return {} if gpu is None else {"compute_capability": gpu}

    asked = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", describe)
    monkeypatch.setattr(tf.config.optimizer, "set_experimental_options", asked.append)
    keep_channels_last()
    assert asked == ([{"layout_optimizer": False}] if keeps else [])


def test_gradients_may_be_summed_by_way_of_one_device():
    assert create_strategy("mirrored", "hierarchical").num_replicas_in_sync >= 1


def test_nccl_needs_gpus(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    with pytest.raises(ConfigError, match="nccl needs GPUs, and none is visible"):
        create_strategy("mirrored", "nccl")


def test_several_machines_are_not_summed_by_way_of_one_device(capsys):
    words = ["--strategy=multi_worker", "--cross_device_ops=hierarchical"]
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", "--config=quickstart", *words])
    assert caught.value.code == cli.USER_ERROR_STATUS
    assert capsys.readouterr().err == (
        "error: --cross_device_ops hierarchical is for one machine only\n"
    )


WORKERS = {"worker": ["one:2222", "two:2222"]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "multi_worker needs TF_CONFIG"),
        ("{", r"TF_CONFIG cannot be read \(Expecting"),
        ({"cluster": WORKERS}, r"TF_CONFIG cannot be read \('task'\)"),
        ([WORKERS], "TF_CONFIG cannot be read .list indices"),
        ({"cluster": WORKERS, "task": {"type": "chief", "index": 0}}, "workers only"),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}, "workers only"),
        (
            {
                "cluster": WORKERS | {"ps": ["three:2222"]},
                "task": {"type": "worker", "index": 0},
            },
            "list workers only, and this task among them",
        ),
    ],
)
def test_what_is_wrong_with_tf_config_is_said(monkeypatch, content, words):
    text = content if isinstance(content, str) else json.dumps(content)
    monkeypatch.setenv("TF_CONFIG", text)
    for name in ("auto", "multi_worker") if text else ("multi_worker",):
        with pytest.raises(ConfigError, match=f"{words}.* such as"):
            create_strategy(name)


class Rows(NamedTuple):
    image_ids: tf.Tensor


def deal(num_rows, machines, replicas):
    """The batches that the second machine's replicas get; one batch of all is dealt."""
    context = tf.distribute.InputContext(machines, machines - 1, replicas)
    strategy = types.SimpleNamespace(
        distribute_datasets_from_function=lambda build: build(context)
    )

    def make_dataset(start_step, host, num_hosts):
        assert (start_step, host, num_hosts) == (7, machines - 1, machines)
        ids = tf.range(num_rows // machines)
        return tf.data.Dataset.from_tensors(Rows(ids))

    dataset = distribute_batches(make_dataset, 7, strategy)
    return [batch.image_ids.numpy().tolist() for batch in dataset]


def test_a_batch_is_dealt_evenly_or_not_at_all():
    assert deal(6, 1, 1) == [[0, 1, 2, 3, 4, 5]]
    assert deal(6, 1, 3) == [[0, 1], [2, 3], [4, 5]]
    assert deal(8, 2, 4) == [[0, 1], [2, 3]]
    with pytest.raises(ConfigError, match="batch of 8 images .*over 6 replicas"):
        deal(8, 2, 6)
