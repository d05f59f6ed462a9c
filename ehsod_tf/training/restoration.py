"""Finding the checkpoint that a path stands for, and reading from it."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from ehsod_tf.errors import CheckpointError, ConfigError
from ehsod_tf.training import checkpoint_folders as folders
from ehsod_tf.training.identity import require_same_variables

# Of TensorFlow's files in the folder of a checkpoint.
PREFIX = "variables"
# Name of the folder beside the numbered ones that is kept for its score.
BEST = "best"


def restore_weights(model: keras.Model, path: str, *, averaged: bool = False) -> int:
    """Restores the weights of a built model, and nothing of the optimizer.

    Args:
        model: a built model; it need not be compiled.
        path: see `find_checkpoint`.
        averaged: take the moving averages of the trainable weights, which the run's
            optimizer must have kept (``use_ema``).

    Returns:
        The step after which the checkpoint was saved.

    Raises:
        ConfigError: there is no checkpoint, it is of another model, or it has no
            averages.
        CheckpointError: the checkpoint is damaged.
    """
    require_built(model)
    path = find_checkpoint(path)
    record = read_record(path)
    restore_variables(path, record, {"model": model.variables})
    if averaged:
        _restore_averages(path, record, model.trainable_variables)
    return record["step"]


def find_checkpoint(path: str) -> str:
    """Returns the checkpoint that a path stands for, checked against its checksums.

    Args:
        path: a checkpoint (``checkpoints/step-500``, ``checkpoints/best``), or a folder
            of checkpoints or a run folder, of which the newest one that is whole is
            taken, with a warning for each that is passed over.

    Raises:
        ConfigError: there is none.
        CheckpointError: it is damaged, or all in the folder are.
    """
    path = str(path).rstrip(os.sep)
    for folder in (path, os.path.join(path, "checkpoints")):
        newest = find_newest(folder)
        if newest is not None:
            return newest
    files = (folders.MANIFEST, f"{PREFIX}.index")
    if any(os.path.exists(os.path.join(path, file)) for file in files):
        folders.check_folder(path)
        return path
    raise ConfigError(
        f"no checkpoint at {path}: give a run folder, its checkpoints folder or a "
        "checkpoint such as checkpoints/step-500"
    )


def read_class_names(path: str) -> tuple[str, ...] | None:
    """Returns the classes of the run that saved a checkpoint, in their order.

    Args:
        path: see `find_checkpoint`, which has the errors too.

    Returns:
        None if the checkpoint does not say.
    """
    names = read_record(find_checkpoint(path)).get("identity", {}).get("class_names")
    return None if names is None else tuple(names)


def read_position(path: str) -> tuple[int, int]:
    """Returns after how many steps a checkpoint was saved, and the steps of an epoch.

    Args:
        path: see `find_checkpoint`, which has the errors too.
    """
    record = read_record(find_checkpoint(path))
    return record["step"], record["progress"]["steps_per_epoch"]


def has_checkpoints(directory: str) -> bool:
    """Whether a folder of checkpoints has any, whole or damaged."""
    best = os.path.join(directory, BEST)
    return bool(folders.list_checkpoints(directory)) or os.path.isdir(best)


class Record(tf.train.experimental.PythonState):
    """The part of a checkpoint that is not a variable, as JSON."""

    def __init__(self):
        self.value = {}

    def serialize(self):
        return json.dumps(self.value)

    def deserialize(self, string_value):
        self.value = json.loads(string_value)


def find_newest(directory: str) -> str | None:
    """Returns the newest whole checkpoint of a folder, None where there never was one.

    One that is damaged is passed over, with a warning that names it; ``best`` comes
    last. A folder whose first save was cut off counts as one without checkpoints.

    Raises:
        CheckpointError: there are checkpoints, but none that is whole.
    """
    paths = [path for _, path in folders.list_checkpoints(directory)]
    best = os.path.join(directory, BEST)
    damaged = []
    # The best one is as complete as the others, and most often older than they are.
    for path in [*reversed(paths), *([best] if os.path.isdir(best) else [])]:
        try:
            folders.check_folder(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        for reason in damaged:
            logging.warning("a damaged checkpoint is passed over: %s", reason)
        if damaged:
            logging.warning("the newest checkpoint that is whole is %s", path)
        return path
    if damaged:
        raise CheckpointError(
            f"no checkpoint in {directory} is whole: {'; '.join(damaged)}; take "
            "another model_dir, or delete them to start from the beginning"
        )
    return None


def read_record(path: str) -> dict:
    """Returns the part of a checkpoint that `Record` holds.

    Raises:
        CheckpointError: it cannot be read, or was not saved by `Checkpoints`.
    """
    record = Record()
    _read(tf.train.Checkpoint(record=record), path)
    if "variables" not in record.value:
        raise CheckpointError(f"{path} is not a checkpoint of ehsod_tf training")
    return record.value


def restore_variables(
    path: str, record: Mapping, variables: Mapping[str, Sequence]
) -> None:
    """Restores groups of variables ("model", "optimizer"), or none if one differs."""
    for group, members in variables.items():
        require_same_variables(path, group, record["variables"][group], members)
    status = _read(tf.train.Checkpoint(**variables), path)
    status.assert_existing_objects_matched()


def restore_places(path: str, group: str, variables: Mapping[int, Any]) -> None:
    """Restores variables from their places in a group ("model", "optimizer")."""
    members = tf.train.Checkpoint(**{str(i): v for i, v in variables.items()})
    status = _read(tf.train.Checkpoint(**{group: members}), path)
    status.assert_existing_objects_matched()


def _restore_averages(path, record, weights):
    """Assigns the averages that Keras's optimizers keep as ``…_average``."""
    stored = record["variables"]["optimizer"]
    places = [i for i, (name, _) in enumerate(stored) if name.endswith("_average")]
    if len(places) != len(weights):
        raise ConfigError(
            f"{path} has no moving averages of the weights: its run was without them; "
            "restore the weights themselves"
        )
    restore_places(path, "optimizer", dict(zip(places, weights, strict=True)))


def _read(checkpoint, path):
    try:
        return checkpoint.read(os.path.join(path, PREFIX)).expect_partial()
    # Which one TensorFlow raises depends on where a damaged file breaks off.
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"cannot read the checkpoint {path}: {get_first_line(error)}"
        ) from error


def get_first_line(error: Exception) -> str:
    """Returns what TensorFlow's error says before it goes into its own insides."""
    return str(error).strip().partition("\n")[0]


def require_built(model: keras.Model) -> None:
    """Raises a ValueError for a model whose variables do not exist yet."""
    if not model.built:
        raise ValueError("build the model (call it on a batch) before its checkpoints")
