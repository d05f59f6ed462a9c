"""Reduced precision, loss scaling and averages of the weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_detector import get_weights, make_checkpoints, make_dataset, make_model

from ehsod_tf.errors import ConfigError, NonFiniteLossError
from ehsod_tf.training import ema_weights, restore_weights, train

PROGRAMS = {"numerics": ["numerics_on_replicas.py"]}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


@pytest.fixture(scope="module")
def results(get_result):
    return get_result("numerics")


@pytest.mark.parametrize("policy", POLICIES)
def test_two_replicas_equal_one_within_the_precision(results, policy):
    one, two = results[policy]["one"], results[policy]["two"]
    digits = {"float32": 1e-5, "mixed_float16": 1e-3, "mixed_bfloat16": 5e-3}[policy]
    for row_one, row_two in zip(one["steps"], two["steps"], strict=True):
        assert row_one == pytest.approx(row_two, rel=digits)
    for kind in ("weights", "averages"):
        for actual, wanted in zip(two[kind], one[kind], strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=digits, atol=1e-4)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_resumed_run_equals_a_whole_one(results, policy):
    """Loss scale and averages included, to the last bit."""
    assert results[policy]["two"] == results[policy]["two_whole"]


@pytest.mark.parametrize("replicas", ["one", "two"])
def test_gradients_that_overflow_are_skipped_on_every_replica(results, replicas):
    """The image whose gradients overflow comes every third step, and the second
    replica has it. Keras's own loss scaling would look at the first one alone."""
    result = results["mixed_float16"][replicas]
    scales = [step["loss_scale"] for step in result["steps"]]
    assert scales == [2.0 ** (15 - (i + 1) // 3) for i in range(12)]
    norms = [step["gradient_norm"] for step in result["steps"]]
    assert result["iterations"] == 8
    # A skipped step repeats the norm before it; the scale is not in any of them.
    assert all(norms[i] == norms[i - 1] for i in (1, 4, 7, 10))
    plain = [step["gradient_norm"] for step in results["float32"]["one"]["steps"]]
    assert norms[::3] == pytest.approx(plain[::3], rel=0.05)
    assert all(np.isfinite(weights).all() for weights in result["weights"])


@pytest.mark.parametrize("policy", POLICIES)
def test_a_loss_that_is_not_finite_stops_the_run_and_is_dumped(results, policy):
    """Image 107 is on the second replica; the dump has the batch of both."""
    broken = results[policy]["broken"]
    assert "step 2: total_loss = nan" in broken["message"]
    assert "the batch is in RUN/nonfinite_step_2.npz" in broken["message"]
    assert (broken["step"], broken["ids"]) == (2, [104, 105, 106, 107])
    assert broken["is_nan"] == [False, False, False, True]
    assert {"total_loss", "cam_cls", "learning_rate"} <= set(broken["logs"])


def train_toy(folder, model, steps=4):
    train(
        model,
        make_dataset(),
        strategy=tf.distribute.get_strategy(),
        epochs=1,
        steps_per_epoch=steps,
        checkpoints=make_checkpoints(model, folder),
    )


@pytest.fixture
def float16_policy():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_a_loss_scale_below_one_stops_the_run(tmp_path, float16_policy):
    """Or a run whose gradients are never finite would skip every step, silently."""
    model = make_model()
    make_checkpoints(model, tmp_path)
    model.optimizer.dynamic_scale.assign(0.5)
    with pytest.raises(NonFiniteLossError, match="step 1: loss_scale = 0.5 at"):
        train_toy(tmp_path, model)


def average_by_hand(momentum, steps):
    """Moving averages of the weights after each step, the first being the weights."""
    model = make_model()
    averages = None

    class Average(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            nonlocal averages
            weights = [weight.astype(float) for weight in get_weights(model)]
            averages = averages or weights
            kept = min(momentum, batch / (batch + 9))
            averages = [
                kept * average + (1 - kept) * weight
                for average, weight in zip(averages, weights, strict=True)
            ]

    model.fit(
        make_dataset()(0), steps_per_epoch=steps, callbacks=[Average()], verbose=0
    )
    return averages


def test_averages_are_those_of_the_definition_and_the_weights_come_back(tmp_path):
    model = make_model(use_ema=True, ema_momentum=0.2)
    train_toy(tmp_path, model)
    before = get_weights(model)
    with pytest.raises(KeyError), ema_weights(model):
        averages = get_weights(model)
        raise KeyError
    for average, wanted in zip(averages, average_by_hand(0.2, 4), strict=True):
        np.testing.assert_allclose(average, wanted, rtol=1e-5, atol=1e-7)
    for weight, wanted in zip(get_weights(model), before, strict=True):
        np.testing.assert_array_equal(weight, wanted)
    assert not np.allclose(averages[0], before[0], rtol=1e-3)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_averages_can_be_restored_alone(tmp_path, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = make_model(use_ema=True, ema_momentum=0.7)
        train_toy(tmp_path, model)
        with ema_weights(model):
            averages = get_weights(model)
        other = make_model(seed=9)
    finally:
        keras.config.set_dtype_policy("float32")
    assert restore_weights(other, tmp_path, averaged=True) == 4
    for weight, wanted in zip(get_weights(other), averages, strict=True):
        np.testing.assert_array_equal(weight, wanted)


def test_a_run_without_averages_says_so(tmp_path):
    model = make_model()
    train_toy(tmp_path, model)
    with pytest.raises(ConfigError, match="no moving averages"):
        restore_weights(model, tmp_path, averaged=True)
    with pytest.raises(ValueError, match="coupled_sgd keeps no averages"):
        ema_weights(model).__enter__()
