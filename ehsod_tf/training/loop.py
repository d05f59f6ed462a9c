"""The training loop: steps, epochs, evaluation, checkpoints and resumption.

Its own loop because Keras's `fit` resumes at epochs only and does not run with several
workers. A model written for it still trains with `fit`: both call its `train_step`.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from ehsod_tf.errors import ConfigError, DataError, NonFiniteLossError
from ehsod_tf.training.checkpoints import Checkpoints
from ehsod_tf.training.epoch_means import EpochMeans


def train(
    model: keras.Model,
    make_dataset: Callable[[int], tf.data.Dataset],
    *,
    strategy: tf.distribute.Strategy,
    epochs: int,
    steps_per_epoch: int,
    checkpoints: Checkpoints,
    save_every: int = 500,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    evaluate: Callable[[], Mapping[str, Any]] | None = None,
    evaluate_every: int = 1,
) -> list[dict[str, float]]:
    """Trains a model up to `epochs`, from its latest checkpoint if there is one.

    A run that was cut off anywhere and started again ends with the weights and the
    history of one that was not, given a `make_dataset` that depends on the step alone.
    It goes back to the last checkpoint: the end of an epoch, or `save_every` steps.
    If it was cut off during the evaluation of an epoch, that evaluation is repeated.

    Args:
        model: built and compiled inside ``strategy.scope()``, with a
            ``train_step(batch)`` that returns global scalars, equal on every replica.
        make_dataset: takes the number of steps already made and returns the global
            batches from there on, at least as many as the run has left.
        strategy: distributes each batch over its replicas.
        epochs: epochs in all, those made before a resumption included.
        steps_per_epoch: steps of an epoch.
        checkpoints: of this model.
        save_every: a checkpoint is written whenever this many steps have passed, and
            at the end of each epoch, before its evaluation.
        callbacks: standard Keras callbacks. ``on_train_batch_end`` gets the terms of
            the step, ``learning_rate`` and ``gradient_norm``; ``on_epoch_end`` the row
            that goes into the history. ``model.stop_training`` is honoured.
        evaluate: returns figures by name. Those that are numbers enter the history,
            prefixed ``val_``; others, such as tables, are left to the caller.
        evaluate_every: epochs from one evaluation to the next. The last epoch is
            always evaluated.

    Returns:
        One row per epoch, from the first: ``epoch`` (from 1), the mean of each term
        over the epoch's steps, the last ``learning_rate``, ``gradient_norm`` (mean),
        ``gradient_norm_max``, and on evaluated epochs the ``val_`` figures.

    Raises:
        ConfigError: a count has the wrong type or range, or the latest checkpoint
            belongs to another model or to epochs of another length.
        DataError: the data set ends before the run does.
        NonFiniteLossError: a term or the gradient norm is NaN or infinite. Names the
            step, the terms and the images. No checkpoint holds that step.
    """
    _require_counts(
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        save_every=save_every,
        evaluate_every=evaluate_every,
    )
    step = checkpoints.restore_latest()
    last_step = epochs * steps_per_epoch
    history, means = _restore_progress(checkpoints.progress, steps_per_epoch)
    logging.info("training from step %d to step %d", step, last_step)
    callbacks = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=epochs, steps=steps_per_epoch, verbose=1
    )
    dataset = strategy.experimental_distribute_dataset(make_dataset(step))
    take_step = make_step(model, strategy, dataset.element_spec)
    batches = iter(dataset)
    model.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(len(history), epochs):
        callbacks.on_epoch_begin(epoch)
        for index in range(step - epoch * steps_per_epoch, steps_per_epoch):
            callbacks.on_train_batch_begin(index)
            batch = _take_batch(batches, step, last_step)
            logs = {name: float(value) for name, value in take_step(batch).items()}
            step += 1
            _require_finite(logs, step, strategy, batch)
            means.add(logs)
            callbacks.on_train_batch_end(index, logs)
            if step % save_every == 0 or index + 1 == steps_per_epoch:
                _save(checkpoints, step, steps_per_epoch, history, means)
        logs = means.compute()
        means = EpochMeans()
        is_due = (epoch + 1) % evaluate_every == 0 or epoch + 1 == epochs
        if evaluate is not None and is_due:
            logs.update(_evaluate(evaluate, callbacks))
        history.append({"epoch": epoch + 1, **logs})
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    callbacks.on_train_end()
    return history


def make_step(
    model: keras.Model, strategy: tf.distribute.Strategy, batch_spec: Any
) -> Callable[[Any], dict[str, tf.Tensor]]:
    """Compiles one training step over all replicas.

    Args:
        model: compiled with an optimizer of this package, alone or in a
            `LossScaleOptimizer`.
        strategy: the strategy in whose scope the model was built.
        batch_spec: `element_spec` of the distributed data set. Its unknown dimensions
            let one graph serve every canvas and number of boxes.

    Returns:
        A function from a distributed batch to scalars: the terms of `train_step`, the
        ``learning_rate`` that the step used and its ``gradient_norm`` before the clip.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)

    @tf.function(input_signature=[batch_spec])
    def take_step(batch):
        # Read before the step counter moves, or a schedule would be one step ahead.
        learning_rate = tf.identity(optimizer.learning_rate)
        terms = strategy.run(model.train_step, args=(batch,))
        logs = {
            # The terms are global already, so any replica can speak for all.
            name: strategy.experimental_local_results(value)[0]
            for name, value in terms.items()
        }
        logs["learning_rate"] = learning_rate
        logs["gradient_norm"] = tf.identity(optimizer.gradient_norm)
        return logs

    return take_step


def _take_batch(batches, step, last_step):
    try:
        return next(batches)
    except StopIteration:
        raise DataError(
            f"the training data ends after {step} steps, but the run has {last_step}: "
            "repeat the data set, or lower epochs or steps_per_epoch"
        ) from None


def _evaluate(evaluate, callbacks):
    callbacks.on_test_begin()
    figures = {
        name: float(value)
        for name, value in evaluate().items()
        if isinstance(value, Real)
    }
    callbacks.on_test_end(figures)
    return {f"val_{name}": value for name, value in figures.items()}


def _require_finite(logs, step, strategy, batch):
    broken = {name: value for name, value in logs.items() if not math.isfinite(value)}
    if not broken:
        return
    ids = [
        int(image_id)
        for replica_ids in strategy.experimental_local_results(batch.image_ids)
        for image_id in replica_ids.numpy()
    ]
    terms = ", ".join(f"{name} = {value}" for name, value in broken.items())
    raise NonFiniteLossError(
        f"step {step}: {terms} at learning rate {logs['learning_rate']:g}; images "
        f"{ids}; look at these images' boxes, or lower the learning rate. The last "
        "checkpoint is from before this step"
    )


def _save(checkpoints, step, steps_per_epoch, history, means):
    progress = {
        "steps_per_epoch": steps_per_epoch,
        "history": history,
        "means": dataclasses.asdict(means),
    }
    checkpoints.save(step, progress)


def _restore_progress(progress, steps_per_epoch):
    if not progress:
        return [], EpochMeans()
    if progress["steps_per_epoch"] != steps_per_epoch:
        raise ConfigError(
            f"the latest checkpoint is from a run of {progress['steps_per_epoch']} "
            f"steps an epoch, this one has {steps_per_epoch}: use the same batch size "
            "and images, or another model_dir"
        )
    return list(progress["history"]), EpochMeans(**progress["means"])


def _require_counts(**counts):
    for name, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name} must be a whole number >= 1, not {value!r}")
