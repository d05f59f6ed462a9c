"""The images of a run: read, checked, put under supervision, and made into batches."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf import data, evaluation
from ehsod_tf.errors import ConfigError
from ehsod_tf.modeling.boxes.sampling import hash_priorities, make_seeds
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import Batch, ImageSet, combine_states

# Keeps the pixels' random numbers apart from those that choose regions and anchors.
_PIXEL_SALT = 1_000_000


class RunData(NamedTuple):
    """The images of a run.

    Attributes:
        training_set: under this run's supervision: weak images have lost their boxes.
        evaluation_set: every image strong, with the same classes, not all of which it
            need show.
        split: who is strong.
        held_back_set: weak images with the boxes that the split holds back, to measure
            a teacher by; None where there are no such boxes.
        num_shared: evaluation images that are training images too.
    """

    training_set: ImageSet
    evaluation_set: ImageSet
    split: data.Split
    held_back_set: ImageSet | None = None
    num_shared: int = 0


# Enough for a precision to within 0.03, and looked at in seconds.
_MAX_HELD_BACK = 200


def load_data(experiment: Experiment, findings: data.Findings) -> RunData:
    """Reads and checks both sets and puts the training set under supervision.

    Args:
        experiment: the settings.
        findings: takes the notes, and with `skip_bad` the problems.

    Raises:
        DataError: something is wrong with the data and `skip_bad` is not set.
        ConfigError: the evaluation set has a class that training lacks, or there are
            fewer images than a batch.
    """
    training_set = _load_set(experiment, experiment.read_training_set, findings)
    evaluation_set = _load_set(experiment, experiment.read_evaluation_set, findings)
    data.forget_readings()
    evaluation_set = _take_classes(
        evaluation_set, training_set.class_names, training_set.category_ids
    )
    if not experiment.allow_shared_images:
        training_set = data.leave_out_shared_images(
            training_set, evaluation_set, findings=findings
        )
    _require_sound(experiment, findings)
    evaluation.check_ground_truth(evaluation_set)
    boxed_set, split = training_set, _choose_split(experiment, training_set)
    training_set = data.apply_split(
        training_set, split, findings=findings if experiment.skip_bad else None
    )
    if not experiment.use_weak_labels:
        training_set = data.hide_weak_labels(training_set)
    held_back_set = _hold_back(boxed_set, training_set)
    if not experiment.use_weak_images:
        boxed = training_set.boxed_by_people
        training_set = data.select_images(training_set, boxed)
    if len(training_set.image_ids) < experiment.batch_size:
        raise ConfigError(
            f"Experiment.batch_size is {experiment.batch_size}, but there are only "
            f"{len(training_set.image_ids)} training images"
        )
    num_shared = 0
    if experiment.allow_shared_images:
        num_shared = data.note_shared_images(
            training_set, evaluation_set, findings=findings
        )
    return RunData(training_set, evaluation_set, split, held_back_set, num_shared)


def load_evaluation_set(
    experiment: Experiment, class_names: tuple[str, ...] | None = None
) -> ImageSet:
    """The checked evaluation images.

    Args:
        experiment: the settings.
        class_names: the classes of the model; None takes the set's own.
    """
    findings = data.Findings()
    image_set = _load_set(experiment, experiment.read_evaluation_set, findings)
    _require_sound(experiment, findings)
    if class_names is not None:
        numbers = tuple(range(1, len(class_names) + 1))
        image_set = _take_classes(image_set, class_names, numbers)
    image_set = data.spread_any_class(image_set)
    evaluation.check_ground_truth(image_set)
    return image_set


def count_steps_per_epoch(experiment: Experiment, image_set: ImageSet) -> int:
    """The steps after which the run evaluates and saves."""
    return experiment.steps_per_epoch or _count_steps_per_pass(experiment, image_set)


def make_dataset(
    experiment: Experiment,
    image_set: ImageSet,
    start_step: int,
    host_index: int,
    num_hosts: int,
) -> tf.data.Dataset:
    """This machine's rows of the training batches from `start_step` on."""
    return data.build_training_dataset(
        image_set,
        **_plan_arguments(experiment, image_set),
        start_step=start_step,
        flip=experiment.flip,
        augmentation=experiment.create_augmentation(),
        cache_dir=experiment.image_cache,
        crowds=experiment.crowds,
        host_index=host_index,
        num_hosts=num_hosts,
    )


def make_augment(
    experiment: Experiment,
) -> Callable[[Batch, tf.Tensor], Batch] | None:
    """The part of augmentation that is done on the device, see `training.train`."""
    settings = experiment.create_augmentation()
    if settings is None:
        return None

    def augment(batch: Batch, step: tf.Tensor) -> Batch:
        seeds = make_seeds(batch.image_ids, step) + _PIXEL_SALT + experiment.seed
        uniforms = hash_priorities(seeds, tf.range(data.NUM_DRAWS))
        return data.augment_batch(batch, uniforms, settings)

    return augment


def make_evaluation_dataset(
    experiment: Experiment, image_set: ImageSet
) -> tf.data.Dataset:
    """Every image once, in batches of `evaluation_batch_size`."""
    return data.build_evaluation_dataset(
        image_set,
        batch_size=experiment.evaluation_batch_size,
        resizing=experiment.resizing,
    )


def explain_input_error(experiment: Experiment, image_set: ImageSet, step: int) -> None:
    """Names unreadable images of a step, from 0, whose batch could not be had.

    Raises:
        DataError: there are such images. If not, the error has another reason.
    """
    data.explain_input_error(image_set, step, **_plan_arguments(experiment, image_set))


def _load_set(experiment: Experiment, read: Callable, findings) -> ImageSet:
    return data.validate(
        read(findings=findings),
        check_pixels=experiment.check_pixels,
        png_bits=experiment.png_bits,
        findings=findings,
    )


def _require_sound(experiment: Experiment, findings) -> None:
    if not experiment.skip_bad:
        data.raise_problems(findings.problems)


def _take_classes(
    evaluation_set: ImageSet,
    class_names: tuple[str, ...],
    category_ids: tuple[int, ...],
) -> ImageSet:
    """The evaluation set with the classes of training, some of which it may lack."""
    strangers = [n for n in evaluation_set.class_names if n not in class_names]
    if strangers:
        raise ConfigError(
            f"the evaluation set has a class {strangers[0]!r} that the training set "
            f"lacks; {data.suggest(strangers[0], class_names)}; correct the name, or "
            "give both sets the same class_names"
        )
    aligned = data.align_classes(evaluation_set, class_names, category_ids)
    return data.spread_any_class(aligned)


def _choose_split(experiment: Experiment, image_set: ImageSet) -> data.Split:
    if experiment.split_file:
        return data.read_split(experiment.split_file)
    return data.make_split(
        image_set,
        experiment.strong_percent,
        experiment.split_seed,
        stratified=experiment.stratified_split,
    )


def _hold_back(boxed_set: ImageSet, training_set: ImageSet) -> ImageSet | None:
    """Some weak images of the training set, evenly chosen, with their boxes."""
    rows = np.flatnonzero(boxed_set.is_strong & ~training_set.has_boxes)
    if not len(rows):
        return None
    places = np.linspace(0, len(rows) - 1, min(len(rows), _MAX_HELD_BACK))
    is_chosen = np.zeros(len(boxed_set.has_boxes), bool)
    is_chosen[rows[places.astype(int)]] = True
    # The teacher is to see no more labels than in training.
    states = combine_states(training_set.image_labels, is_chosen)
    boxed_set = boxed_set._replace(class_states=states)
    return data.select_images(boxed_set, is_chosen)


def _plan_arguments(experiment: Experiment, image_set: ImageSet) -> dict:
    steps_per_epoch = count_steps_per_epoch(experiment, image_set)
    passes = experiment.epochs * steps_per_epoch
    passes /= _count_steps_per_pass(experiment, image_set)
    return {
        "batch_size": experiment.batch_size,
        "resizing": experiment.resizing,
        "seed": experiment.seed,
        "epochs": math.ceil(passes),
        "strong_fraction": experiment.strong_fraction,
        "class_aware": experiment.class_aware,
    }


def _count_steps_per_pass(experiment: Experiment, image_set: ImageSet) -> int:
    return data.count_steps_per_epoch(len(image_set.image_ids), experiment.batch_size)
