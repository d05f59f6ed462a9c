import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.training import ClippedAdamW, CoupledSGD, WarmupStepDecay

MOMENTUM = 0.9
DECAY = 0.05
CLIP = 2.0


def make_gradients(steps, scale):
    rng = np.random.default_rng(0)
    return [
        (scale * rng.normal(size=(3, 2)), scale * rng.normal(size=2))
        for _ in range(steps)
    ]


def apply_all(optimizer, start, gradients):
    variables = [keras.Variable(value, dtype="float32") for value in start]
    for step in gradients:
        optimizer.apply([tf.constant(g, tf.float32) for g in step], variables)
    return [variable.numpy() for variable in variables]


def step_like_torch(weights, gradients, rates, momentum=MOMENTUM):
    """SGD as torch documents it: the buffer holds gradients, not moves."""
    buffers = [np.zeros_like(weight) for weight in weights]
    for step, rate in zip(gradients, rates, strict=True):
        norm = np.sqrt(sum((g**2).sum() for g in step))
        for i, gradient in enumerate(step):
            gradient = gradient * min(1.0, CLIP / norm) + DECAY * weights[i]
            buffers[i] = momentum * buffers[i] + gradient
            weights[i] = weights[i] - rate * buffers[i]
    return weights


START = (np.full((3, 2), 1.5), np.array([-2.0, 0.5]))


def step_like_adamw(weights, gradients, rate):
    """Algorithm 2 of "Decoupled Weight Decay Regularization", arXiv 1711.05101."""
    means = [np.zeros_like(weight) for weight in weights]
    squares = [np.zeros_like(weight) for weight in weights]
    for t, step in enumerate(gradients, 1):
        norm = np.sqrt(sum((g**2).sum() for g in step))
        for i, gradient in enumerate(step):
            gradient = gradient * min(1.0, CLIP / norm)
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
            move = means[i] / (1 - 0.9**t)
            move = move / (np.sqrt(squares[i] / (1 - 0.999**t)) + 1e-7)
            weights[i] = weights[i] - rate * (move + DECAY * weights[i])
    return weights


SCALES = pytest.mark.parametrize("scale", [0.1, 10.0], ids=["below clip", "above clip"])


@SCALES
@pytest.mark.parametrize("momentum", [MOMENTUM, 0.0])
def test_equals_torch_at_a_constant_rate(scale, momentum):
    gradients = make_gradients(6, scale)
    optimizer = CoupledSGD(0.1, momentum, DECAY, CLIP)
    weights = apply_all(optimizer, START, gradients)
    expected = step_like_torch(list(START), gradients, [0.1] * 6, momentum)
    for actual, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5)


@SCALES
def test_equals_adamw_of_clipped_gradients(scale):
    # Of one step alone, Adam would not show the clip.
    gradients = make_gradients(3, scale)
    gradients[1] = tuple(10.0 * gradient for gradient in gradients[1])
    weights = apply_all(ClippedAdamW(0.1, DECAY, CLIP), START, gradients)
    expected = step_like_adamw(list(START), gradients, 0.1)
    for actual, wanted in zip(weights, expected, strict=True):
        # Float32 knows 1 - 0.999 to no more than 2e-5.
        np.testing.assert_allclose(actual, wanted, rtol=1e-4)


def test_velocity_keeps_the_old_rate_when_the_rate_falls():
    """One step of size 1 at rate 1, then no gradient at rate 0.1."""
    optimizer = CoupledSGD(
        WarmupStepDecay(1.0, [1], warmup_steps=0), MOMENTUM, 0.0, CLIP
    )
    (weight,) = apply_all(optimizer, [np.zeros(1)], [[np.ones(1)], [np.zeros(1)]])
    # torch would move 0.1 * 0.9 in the second step.
    np.testing.assert_allclose(weight, [-1.0 - 0.9], rtol=1e-6)


def test_decay_is_coupled_and_reaches_every_variable():
    """With zero gradients the weights fall by rate * decay * w, through the momentum;
    Keras's own decay would take the same from the weights at each step."""
    optimizer = CoupledSGD(0.1, MOMENTUM, DECAY, CLIP)
    zeros = [tuple(np.zeros_like(value) for value in START)] * 2
    weights = apply_all(optimizer, START, zeros)
    first = 1 - 0.1 * DECAY
    factor = first + MOMENTUM * (first - 1) - 0.1 * DECAY * first
    for actual, start in zip(weights, START, strict=True):
        np.testing.assert_allclose(actual, factor * start, rtol=1e-6)


def test_gradient_norm_is_the_one_before_clip_and_decay():
    optimizer = CoupledSGD(0.1, MOMENTUM, DECAY, CLIP)
    apply_all(optimizer, START, [(np.full((3, 2), 6.0), np.array([0.0, 5.0]))])
    assert optimizer.gradient_norm.numpy() == pytest.approx(np.sqrt(6 * 36 + 25))


def test_refuses_a_variable_without_gradient():
    optimizer = CoupledSGD(0.1)
    variables = [keras.Variable(1.0, name="used"), keras.Variable(1.0, name="unused")]
    with pytest.raises(ValueError, match="no gradient for unused$"):
        optimizer.apply([tf.constant(1.0), None], variables)


SCHEDULE = WarmupStepDecay(0.02, [10, 20], warmup_steps=5, warmup_factor=0.5)


@pytest.mark.parametrize(
    "optimizer_type, settings",
    [
        (CoupledSGD, {"momentum": 0.8}),
        (CoupledSGD, {"momentum": 0.0}),
        (ClippedAdamW, {}),
    ],
)
def test_config_round_trip(optimizer_type, settings):
    settings = settings | {"weight_decay": 0.003, "clip_norm": 7.0, "use_ema": True}
    settings |= {"ema_momentum": 0.9, "name": "mine"}
    optimizer = optimizer_type(SCHEDULE, **settings)
    data = keras.saving.serialize_keras_object(optimizer)
    config = optimizer.get_config()
    assert settings | {"learning_rate": config["learning_rate"]} == config
    parameters = inspect.signature(optimizer_type.__init__).parameters
    assert set(parameters) == {"self", *config}
    again = keras.saving.deserialize_keras_object(data)
    assert again.get_config() == config
    assert (again.use_ema, again.ema_momentum) == (True, 0.9)
    assert again.ema_overwrite_frequency is None
    gradients = make_gradients(3, 10.0)
    for actual, wanted in zip(
        apply_all(again, START, gradients),
        apply_all(optimizer, START, gradients),
        strict=True,
    ):
        np.testing.assert_array_equal(actual, wanted)


def test_under_loss_scaling_the_clip_sees_unscaled_gradients():
    gradients = make_gradients(3, 0.1)
    plain = apply_all(CoupledSGD(0.1, MOMENTUM, DECAY, CLIP), START, gradients)
    inner = CoupledSGD(0.1, MOMENTUM, DECAY, CLIP)
    scaled = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)
    big = [tuple(1024.0 * g for g in step) for step in gradients]
    for actual, wanted in zip(apply_all(scaled, START, big), plain, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-6)
