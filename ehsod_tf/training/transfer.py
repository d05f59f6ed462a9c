"""Fine-tuning: starting from another run's weights, whose classes may be others."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf
from absl import logging

from ehsod_tf.training.identity import describe_variables, require_same_variables
from ehsod_tf.training.peers import require_same_step
from ehsod_tf.training.restoration import (
    find_checkpoint,
    read_record,
    require_built,
    restore_places,
)


class Transfer(NamedTuple):
    """What came over from another run.

    Attributes:
        step: after which its checkpoint was saved.
        remade: paths of the variables that kept their initial values, such as
            ``cam_rpn/cam/kernel``; none where the classes are the same.
    """

    step: int
    remade: tuple[str, ...]


def transfer_weights(
    model: keras.Model, path: str, class_names: Sequence[str]
) -> Transfer:
    """Gives a fresh model the weights of another run, and nothing of its optimizer.

    If that run had the same classes in the same order, all weights come over. Otherwise
    ``model.class_variables`` keep their initial values, also if the shapes happen to
    agree; so they do, with a warning, if the checkpoint does not say which classes its
    run had.

    Several machines must all call it, inside the strategy's scope.

    Args:
        model: a built model with ``class_variables``, such as `Ehsod`; in all else of
            the architecture of the other run.
        path: see `find_checkpoint`.
        class_names: the classes of this run, in their order.

    Raises:
        ConfigError: there is no checkpoint, it is of another architecture, or the
            machines found different ones.
        CheckpointError: the checkpoint is damaged.
    """
    require_built(model)
    path = find_checkpoint(path)
    record = read_record(path)
    class_places = _find_class_places(model)
    if _has_same_classes(path, record, class_names):
        class_places = []
    _require_same_rest(path, record["variables"]["model"], model, class_places)
    require_same_step(tf.distribute.get_strategy(), record["step"])
    places = dict(enumerate(model.variables))
    remade = [places.pop(place) for place in class_places]
    restore_places(path, "model", places)
    return Transfer(record["step"], tuple(variable.path for variable in remade))


def _find_class_places(model):
    of_classes = {id(variable) for variable in model.class_variables}
    return [i for i, v in enumerate(model.variables) if id(v) in of_classes]


def _has_same_classes(path, record, class_names):
    stored = record.get("identity", {}).get("class_names")
    if stored is None:
        logging.warning(
            "%s does not say which classes its run had: the layers that depend on the "
            "classes start from random weights",
            path,
        )
        return False
    return list(stored) == list(class_names)


def _require_same_rest(path, stored, model, class_places):
    """Compares all shapes but those that come from the number of classes."""
    stored = [list(entry) for entry in stored]
    present = describe_variables(model.variables)
    for place in class_places:
        if place < len(stored):
            stored[place][1] = present[place][1]
    require_same_variables(path, "model", stored, model.variables)
