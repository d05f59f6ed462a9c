"""The training loop: steps, epochs, evaluation, checkpoints, resumption and signals.

Its own loop because Keras's `fit` resumes at epochs only and does not run with several
workers. A model written for it still trains with `fit`: both call its `train_step`.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from ehsod_tf.errors import (
    ConfigError,
    DataError,
    OutOfMemoryError,
    WorkerLostError,
    require_count,
)
from ehsod_tf.training.checkpoints import Checkpoints
from ehsod_tf.training.epoch_means import EpochMeans
from ehsod_tf.training.finiteness import require_finite
from ehsod_tf.training.interruption import StopSignals
from ehsod_tf.training.peers import agree, naming_lost_machines, require_same_step
from ehsod_tf.training.strategy import distribute_batches
from ehsod_tf.wording import count


def train(
    model: keras.Model,
    make_dataset: Callable[[int, int, int], tf.data.Dataset],
    *,
    strategy: tf.distribute.Strategy,
    epochs: int,
    steps_per_epoch: int,
    checkpoints: Checkpoints,
    augment: Callable[[Any, tf.Tensor], Any] | None = None,
    save_every: int = 500,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    evaluate: Callable[[], Mapping[str, Any]] | None = None,
    evaluate_every: int = 1,
    dump_dir: str | None = None,
    explain_input_error: Callable[[int], None] | None = None,
) -> list[dict[str, float]]:
    """Trains a model up to `epochs`, from its latest checkpoint if there is one.

    A run that was cut off anywhere and started again ends with the weights and the
    history of one that was not, given a `make_dataset` that depends on the step alone.
    It goes back to the last checkpoint: the end of an epoch, or `save_every` steps.
    If it was cut off during the evaluation of an epoch, that evaluation is repeated.
    On SIGTERM or SIGINT it saves after the running step and raises `Interrupted`; in an
    evaluation, before which it has saved, at once.

    Args:
        model: built and compiled inside ``strategy.scope()``, with a
            ``train_step(batch)`` that returns global scalars, equal on every replica.
        make_dataset: takes the number of steps already made, this machine's index and
            the number of machines; returns this machine's rows of the global batches
            from there on, at least as many as the run has left.
        strategy: distributes each batch over its replicas.
        epochs: epochs in all, those made before a resumption included. A finished run
            is made longer by a larger number; whether it then equals one that had that
            number from the start depends on the schedule.
        steps_per_epoch: steps of an epoch.
        checkpoints: of this model.
        augment: takes a batch and the number of steps already made, returns the batch
            that the model is trained on. It runs within the compiled step, on each
            replica's rows.
        save_every: a checkpoint is written whenever this many steps have passed, and
            at the end of each epoch, before its evaluation.
        callbacks: standard Keras callbacks. ``on_train_batch_begin`` gets the
            ``input_seconds`` that the loop waited for the batch, which is there by
            then; ``on_train_batch_end`` the terms of the step, ``learning_rate`` and
            ``gradient_norm``; ``on_epoch_end`` the row that goes into the history.
            ``model.stop_training`` is honoured.
        evaluate: returns figures by name. Those that are numbers enter the history,
            prefixed ``val_``; others, such as tables, are left to the caller. The best
            checkpoint is chosen by them, see `Checkpoints`.
        evaluate_every: epochs from one evaluation to the next. The last epoch is
            always evaluated.
        dump_dir: folder for the batch at which a loss was not finite, by convention the
            run folder: ``nonfinite_step_<step>.npz``, see `read_batch_dump`.
        explain_input_error: called when TensorFlow fails to give a batch, with the
            number of steps made before it. May raise an error that says more; if it
            returns, TensorFlow's own is raised.

    Returns:
        One row per epoch, from the first: ``epoch`` (from 1), the mean of each term
        over the epoch's steps, the last ``learning_rate``, ``gradient_norm`` (mean),
        ``gradient_norm_max``, and on evaluated epochs the ``val_`` figures.

    Raises:
        ConfigError: a count has the wrong type or range, or the latest checkpoint
            belongs to another model, other settings or epochs of another length.
        DataError: the data set ends before the run does.
        CheckpointError: no checkpoint is whole, or one cannot be written.
        Interrupted: a `SystemExit`: a signal came.
        NonFiniteLossError: a term or the gradient norm is NaN or infinite, or the loss
            scale has fallen below 1. Names the step, the terms and the images. No
            checkpoint holds that step.
        OutOfMemoryError: a device has too little memory for a step.
    """
    for name, value in (
        ("epochs", epochs),
        ("steps_per_epoch", steps_per_epoch),
        ("save_every", save_every),
        ("evaluate_every", evaluate_every),
    ):
        require_count(name, value)
    step = checkpoints.restore_latest()
    with naming_lost_machines(strategy, step + 1):
        require_same_step(strategy, step)
    last_step = epochs * steps_per_epoch
    history, means = _restore_progress(checkpoints.progress, steps_per_epoch)
    logging.info("training from step %d to step %d", step, last_step)
    callbacks = keras.callbacks.CallbackList(
        list(callbacks), model=model, epochs=epochs, steps=steps_per_epoch, verbose=1
    )
    dataset = distribute_batches(make_dataset, step, strategy)
    take_step = make_step(model, strategy, dataset.element_spec, augment)
    batches = iter(dataset)
    model.stop_training = False
    with (
        StopSignals() as signals,
        _begun(callbacks),
        _signals_first(signals, checkpoints),
    ):
        for epoch in range(len(history), epochs):
            callbacks.on_epoch_begin(epoch)
            for index in range(step - epoch * steps_per_epoch, steps_per_epoch):
                step += 1
                with naming_lost_machines(strategy, step), _naming_memory(step):
                    asked = time.perf_counter()
                    with _explaining(explain_input_error, strategy, step):
                        batch = _take_batch(batches, step, last_step)
                    wait = {"input_seconds": time.perf_counter() - asked}
                    callbacks.on_train_batch_begin(index, wait)
                    logs = take_step(batch)
                    require_finite(logs, step, strategy, batch, dump_dir)
                    means.add(logs)
                    callbacks.on_train_batch_end(index, logs)
                    is_stopping = agree(strategy, signals.received)
                is_last = index + 1 == steps_per_epoch
                if step % save_every == 0 or is_last or is_stopping:
                    _save(checkpoints, step, steps_per_epoch, history, means)
                if is_stopping:
                    signals.raise_interrupted(step)
            logs = means.compute()
            means = EpochMeans()
            is_due = (epoch + 1) % evaluate_every == 0 or epoch + 1 == epochs
            if evaluate is not None and is_due:
                with signals.raised_at_once(step):
                    figures = _evaluate(evaluate, callbacks)
                checkpoints.keep_best(step, figures)
                logs.update({f"val_{name}": value for name, value in figures.items()})
            history.append({"epoch": epoch + 1, **logs})
            callbacks.on_epoch_end(epoch, logs)
            # Here the other machines wait for the evaluation on the first one.
            with naming_lost_machines(strategy, step):
                is_stopping = agree(strategy, model.stop_training)
            if is_stopping:
                break
    return history


def make_step(
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    batch_spec: Any,
    augment: Callable[[Any, tf.Tensor], Any] | None = None,
) -> Callable[[Any], dict[str, float]]:
    """Compiles one training step over all replicas.

    Args:
        model: compiled with an optimizer of this package, alone or in a
            `LossScaleOptimizer`.
        strategy: the strategy in whose scope the model was built.
        batch_spec: `element_spec` of the distributed data set. Its unknown dimensions
            let one graph serve every canvas and number of boxes.
        augment: see `train`.

    Returns:
        A function from a distributed batch to numbers: the terms of `train_step`, the
        ``learning_rate`` that the step used and its ``gradient_norm`` before the clip;
        under loss scaling also the ``loss_scale`` that the step used. A step that loss
        scaling skips repeats the norm of the last one that was applied.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    loss_scale = getattr(model.optimizer, "dynamic_scale", None)
    names = []

    def train_step(batch):
        if augment is not None:
            batch = augment(batch, model.optimizer.iterations)
        return model.train_step(batch)

    # Keras's `fit` does without AutoGraph too; the detector is traced in half the time.
    @tf.function(input_signature=[batch_spec], autograph=False)
    def compute(batch):
        # Read before the step counter moves, or a schedule would be one step ahead.
        used = {"learning_rate": tf.identity(optimizer.learning_rate)}
        if loss_scale is not None:
            used["loss_scale"] = tf.identity(loss_scale)
        terms = strategy.run(train_step, args=(batch,))
        logs = {
            # The terms are global already, so any replica can speak for all.
            name: strategy.experimental_local_results(value)[0]
            for name, value in terms.items()
        }
        logs["gradient_norm"] = tf.identity(optimizer.gradient_norm)
        logs |= used
        names[:] = logs
        # Fetched as one: each fetch from a GPU waits.
        return tf.stack([tf.cast(value, tf.float32) for value in logs.values()])

    def take_step(batch):
        values = compute(batch).numpy().tolist()
        return dict(zip(names, values, strict=True))

    return take_step


@contextlib.contextmanager
def _begun(callbacks):
    """Calls the end of the callbacks whatever ends the training.

    They may hold the terminal or open files.
    """
    callbacks.on_train_begin()
    try:
        yield
    finally:
        callbacks.on_train_end()


@contextlib.contextmanager
def _signals_first(signals, checkpoints):
    """Where all machines get a signal, each may see another one leave before it."""
    try:
        yield
    except WorkerLostError:
        signals.raise_if_received(checkpoints.step)
        raise


@contextlib.contextmanager
def _explaining(explain_input_error, strategy, step):
    try:
        # A lost machine is no error of the input.
        with naming_lost_machines(strategy, step):
            yield
    except tf.errors.OpError:
        if explain_input_error is not None:
            explain_input_error(step - 1)
        raise


@contextlib.contextmanager
def _naming_memory(step):
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise OutOfMemoryError(
            f"step {step}: the device is out of memory; lower BATCH_SIZE, or take "
            "smaller images (Experiment.shorter_side, longer_side) or "
            "Experiment.dtype_policy = 'mixed_bfloat16'. TensorFlow says: "
            f"{error.message.strip().splitlines()[0]}"
        ) from error


def _take_batch(batches, step, last_step):
    try:
        return next(batches)
    except StopIteration:
        raise DataError(
            f"the training data ends after {count(step - 1, 'step')}, but the run has "
            f"{last_step}: repeat the data set, or lower epochs or steps_per_epoch"
        ) from None


def _evaluate(evaluate, callbacks):
    callbacks.on_test_begin()
    figures = {
        name: float(value)
        for name, value in evaluate().items()
        if isinstance(value, Real)
    }
    callbacks.on_test_end(figures)
    return figures


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
