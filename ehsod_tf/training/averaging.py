"""Moving averages of the weights, for evaluation; Keras's optimizers keep them."""

import contextlib
from collections.abc import Iterator

import keras


def keeps_ema(model: keras.Model) -> bool:
    """Whether the optimizer of a compiled model keeps moving averages."""
    return _get_inner_optimizer(model).use_ema


@contextlib.contextmanager
def ema_weights(model: keras.Model) -> Iterator[None]:
    """Gives a model the moving averages of its trainable weights, and takes them back.

    Statistics of normalisation layers are not averaged. Afterwards the weights are
    those of before to the last bit, also if the block raises.

    Args:
        model: compiled with an optimizer that has ``use_ema``, which has made a step;
            before its first step the averages are 0. Call it outside the replicas.

    Raises:
        ValueError: the optimizer keeps no averages.
    """
    optimizer = _get_inner_optimizer(model)
    if not optimizer.use_ema:
        raise ValueError(f"{optimizer.name} keeps no averages: set its use_ema")
    weights = [weight.numpy() for weight in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, weight in zip(model.trainable_variables, weights, strict=True):
            variable.assign(weight)


def _get_inner_optimizer(model):
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)
