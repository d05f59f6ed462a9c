"""The detector of a run: built, compiled, or restored from a checkpoint."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from ehsod_tf import data, training
from ehsod_tf.modeling import Ehsod
from ehsod_tf.modeling.feature_scale import find_scale_faults
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import Batch, ImageSet

_NUM_SCALE_IMAGES = 4


def create_model(
    experiment: Experiment, num_classes: int, steps_per_epoch: int
) -> Ehsod:
    """Builds and compiles the model; call it inside the strategy's scope."""
    keras.utils.set_random_seed(experiment.seed)
    if experiment.deterministic:
        tf.config.experimental.enable_op_determinism()
    model = _build_model(experiment, num_classes)
    schedule = training.WarmupStepDecay(
        experiment.scaled_learning_rate,
        boundaries=[
            round(epoch * steps_per_epoch) for epoch in experiment.decay_epochs
        ],
        warmup_steps=experiment.warmup_steps,
    )
    averages = {}
    if model.teacher:
        averages = {"use_ema": True, "ema_momentum": model.teacher.momentum}
    optimizer = experiment.build_optimizer(schedule, **averages)
    if experiment.dtype_policy == "mixed_float16":
        optimizer = training.ReplicatedLossScale(optimizer)
    model.compile(optimizer=optimizer, jit_compile=False)
    return model


def restore_model(
    experiment: Experiment,
    checkpoint: str,
    num_classes: int,
    *,
    averaged: bool = False,
) -> Ehsod:
    """Builds the model and loads weights from a checkpoint or a run folder.

    Args:
        experiment: the settings.
        checkpoint: see `training.find_checkpoint`.
        num_classes: K.
        averaged: load the moving averages of the weights.
    """
    model = _build_model(experiment, num_classes)
    step = training.restore_weights(model, checkpoint, averaged=averaged)
    logging.info("restored the weights of step %d from %s", step, checkpoint)
    return model


def find_faults(experiment: Experiment, model: Ehsod, image_set: ImageSet) -> list[str]:
    """Says what looks wrong with the backbone's features on a few images.

    An image that cannot be read is left to the training, which names it.
    """
    rows = np.arange(len(image_set.paths))
    chosen = np.linspace(0, rows[-1], _NUM_SCALE_IMAGES).round()
    dataset = data.build_evaluation_dataset(
        data.select_images(image_set, np.isin(rows, chosen)),
        batch_size=1,
        resizing=experiment.resizing,
    )
    try:
        batches = list(dataset)
    except tf.errors.OpError:
        return []
    images = []
    for batch in batches:
        height, width = batch.image_sizes[0]
        images.append(batch.images[0, :height, :width])
    return find_scale_faults(model.backbone, images)


def make_detector(model: Ehsod) -> Callable:
    """The model as a compiled function from `Batch` to `Detections`."""

    @tf.function(reduce_retracing=True)
    def detect(images, image_sizes):
        return model.detect(images, image_sizes)

    def detect_batch(batch: Batch):
        return detect(batch.images, batch.image_sizes)

    return detect_batch


def make_promoter(model: Ehsod) -> Callable:
    """The model's teacher, with the weights as they are, from `Batch` to `Targets`."""

    @tf.function(reduce_retracing=True)
    def promote(images, image_sizes, targets):
        return model.promote(images, image_sizes, targets)

    def promote_batch(batch: Batch):
        return promote(batch.images, batch.image_sizes, batch.targets)

    return promote_batch


def _build_model(experiment: Experiment, num_classes: int) -> Ehsod:
    # The layers keep it; what the caller builds next is to have the caller's own.
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(experiment.dtype_policy)
    try:
        return experiment.build_model(num_classes)
    finally:
        keras.config.set_dtype_policy(previous)
