"""Optimizers that clip the gradient of the global batch.

`CoupledSGD` is the paper's ("Implementation Details", arXiv 2002.07421), as the
framework of its authors applies it. `ClippedAdamW` is for training from scratch.
"""

import keras
import tensorflow as tf

from ehsod_tf.errors import ConfigError

Schedule = keras.optimizers.schedules.LearningRateSchedule

_SHARED_CONFIG = ("name", "learning_rate", "use_ema", "ema_momentum")


class _ClippedAfterReduction:
    """Clips by the global norm after the replicas' gradients have been summed.

    Keras's own clip sees each replica's gradient alone; here N replicas of b images
    take the step of one replica of N * b. Mixed into a Keras optimizer.

    Attributes:
        clip_norm: largest global gradient norm that is applied unscaled.
        gradient_norm: scalar variable, the global norm of the last step's gradient
            before clip and decay. It is infinite or NaN where that gradient is.

    Raises:
        ConfigError: `clip_norm` is not above 0.
        ValueError: from `apply`, if a variable has no gradient. The model multiplies a
            term that does not apply by 0 and never leaves it out, so a missing
            gradient means a part of the network that nothing trains.
    """

    def __init__(self, *, clip_norm, **kwargs):
        if not 0 < clip_norm < float("inf"):
            raise ConfigError(
                f"clip_norm must be a number above 0, not {clip_norm}; where nothing "
                "is to be clipped, one that no gradient reaches, such as 1e9"
            )
        super().__init__(**kwargs)
        self.clip_norm = clip_norm
        self.gradient_norm = self.add_variable(
            shape=(),
            dtype="float32",
            aggregation="only_first_replica",
            name="gradient_norm",
        )

    def apply(self, grads, trainable_variables=None):
        """Applies one step; see the class. Call it in replica context."""
        grads = list(grads)
        variables = trainable_variables or self._trainable_variables
        pairs = zip(grads, variables, strict=True)
        missing = [variable.path for grad, variable in pairs if grad is None]
        if missing:
            raise ValueError(f"no gradient for {', '.join(missing)}")
        super().apply(grads, trainable_variables)

    @property
    def averages(self) -> list[keras.Variable]:
        """Moving averages of the variables, in their order.

        Raises:
            ConfigError: `use_ema` is not set.
        """
        if not self.use_ema:
            raise ConfigError(f"{self.name} keeps no averages: set use_ema for it")
        return self._model_variables_moving_average

    def _update_model_variables_moving_average(self, trainable_variables):
        # Keras's own momentum is constant, so that the first weights stay in the
        # average for long; the ramp is that of `tf.train.ExponentialMovingAverage`.
        steps = tf.cast(self.iterations, tf.float32)
        momentum = tf.minimum(self.ema_momentum, steps / (steps + 9.0))
        pairs = zip(trainable_variables, self.averages, strict=True)
        for variable, average in pairs:
            average.assign(momentum * average + (1.0 - momentum) * variable)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        # Read once; Keras would read it for each variable.
        rate = tf.convert_to_tensor(learning_rate)
        super()._backend_update_step(grads, trainable_variables, rate)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # Keras's hook in which the gradients of the replicas meet, and the first
        # place where the gradient of the global batch exists.
        grads, variables = zip(
            *super()._all_reduce_sum_gradients(grads_and_vars), strict=True
        )
        # One buffer for all: a hundred variables would be as many times the operations.
        flat = _flatten(grads)
        norm = tf.sqrt(2.0 * tf.nn.l2_loss(flat))
        self.gradient_norm.assign(norm)
        # A norm that is not finite makes NaN of every gradient, as TensorFlow's clip.
        scale = self.clip_norm / tf.maximum(norm, self.clip_norm) + (norm - norm)
        flat = self._decay_gradient(flat * scale, variables)
        return list(zip(_unflatten(flat, variables), variables, strict=True))

    def _decay_gradient(self, flat, variables):
        """Adds a decay that is part of the gradient: [number of all weights]."""
        return flat


def _flatten(tensors):
    """Joins tensors or variables: [number of all elements] float32."""
    values = [tf.cast(tf.convert_to_tensor(k), tf.float32) for k in tensors]
    shape = tf.constant([-1])
    return tf.concat(
        [k if k.shape.rank == 1 else tf.reshape(k, shape) for k in values], axis=0
    )


def _unflatten(flat, tensors):
    """The inverse of `_flatten`, for tensors of these shapes, in float32."""
    parts = tf.split(flat, [tensor.shape.num_elements() for tensor in tensors])
    return [
        part if len(tensor.shape) == 1 else tf.reshape(part, tensor.shape)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


@keras.saving.register_keras_serializable(package="ehsod_tf")
class CoupledSGD(_ClippedAfterReduction, keras.optimizers.SGD):
    """SGD with momentum, coupled weight decay and a clip after the reduction.

    One step, with gradients g that are already summed over the replicas::

        g = g * min(1, clip_norm / |g|)      |g|: norm over all variables together
        g = g + weight_decay * w
        v = momentum * v - learning_rate * g
        w = w + v

    Unlike Keras: its `weight_decay` shrinks the weights directly and its clip sees
    each replica's gradient alone. Here the decay is part of the gradient and so goes
    through the momentum, which makes it 1 / (1 - momentum) times stronger, ten times
    at 0.9; and the clip sees the gradient of the global batch, so that N replicas of b
    images take the step of one replica of N * b. Every trainable variable decays,
    biases and normalisation gains too.

    Unlike the paper: its framework keeps ``v = momentum * v + g`` and moves by
    ``-learning_rate * v``. The two are the same while the learning rate is constant.
    When it changes, the velocity here still carries the old rate and follows over the
    next ``1 / (1 - momentum)`` steps, where theirs jumps at once.

    Args:
        learning_rate: a number or a `keras.optimizers.schedules` schedule.
        momentum: in [0, 1].
        weight_decay: factor of the weights that is added to the gradients.
        clip_norm: largest global gradient norm that is applied unscaled.
        use_ema: keep moving averages of the weights; see `ema_weights`.
        ema_momentum: share of the old average in the new one, at each step; in the
            first ones less, t / (t + 9) after t steps.
        name: name of the optimizer's variables.

    Attributes and errors: see `_ClippedAfterReduction`.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        clip_norm: float = 35.0,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        name: str = "coupled_sgd",
    ):
        # Keras's own decay and clip stay off: they act before the reduction.
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            clip_norm=clip_norm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            name=name,
        )
        self.coupled_weight_decay = weight_decay

    def _decay_gradient(self, flat, variables):
        return flat + self.coupled_weight_decay * _flatten(variables)

    def update_step(self, gradient, variable, learning_rate):
        """As Keras's, in one operation where Keras takes six."""
        if self.momentum == 0:
            super().update_step(gradient, variable, learning_rate)
            return
        velocity = self.momentums[self._get_variable_index(variable)].value
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=velocity.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self.momentum, variable.dtype),
        )

    def get_config(self):
        config = super().get_config()
        return {
            **{name: config[name] for name in _SHARED_CONFIG},
            "momentum": self.momentum,
            "weight_decay": self.coupled_weight_decay,
            "clip_norm": self.clip_norm,
        }


@keras.saving.register_keras_serializable(package="ehsod_tf")
class ClippedAdamW(_ClippedAfterReduction, keras.optimizers.AdamW):
    """Keras's AdamW, whose decay is decoupled, with a clip after the reduction.

    Unlike the paper, which fine-tunes pretrained networks: where everything starts from
    random weights, the gradients of the heads are ten times those of the backbone, and
    one learning rate of SGD does not suit both.

    Args:
        learning_rate: a number or a `keras.optimizers.schedules` schedule.
        weight_decay: share of the learning rate by which weights shrink in a step.
        clip_norm: largest global gradient norm that is applied unscaled.
        use_ema: keep moving averages of the weights; see `ema_weights`.
        ema_momentum: share of the old average in the new one, at each step; in the
            first ones less, t / (t + 9) after t steps.
        name: name of the optimizer's variables.

    Attributes and errors: see `_ClippedAfterReduction`.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        weight_decay: float = 1e-4,
        clip_norm: float = 35.0,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        name: str = "clipped_adamw",
    ):
        super().__init__(
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            clip_norm=clip_norm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            name=name,
        )

    def get_config(self):
        config = super().get_config()
        return {
            **{name: config[name] for name in _SHARED_CONFIG},
            "weight_decay": self.weight_decay,
            "clip_norm": self.clip_norm,
        }
