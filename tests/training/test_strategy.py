"""What a run asks of TensorFlow before it starts."""

import pytest
import tensorflow as tf

from ehsod_tf.training.strategy import keep_channels_last


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
