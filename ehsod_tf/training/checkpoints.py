"""Checkpoints of a run: weights, optimizer and how far the run has come.

Variables are stored by their place in ``model.variables``. `tf.train.Checkpoint` would
take the model itself, but does not follow a Keras layer that is kept in a Python list
and then saves nothing of it, without a word. A list of what was stored, by path and
shape, travels with each checkpoint, so that a model that differs is refused before any
of its weights change.
"""

import json
import os
import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import keras
import tensorflow as tf

from ehsod_tf.errors import ConfigError, DataError


class Checkpoints:
    """The checkpoints of one run, of which the last few are kept.

    Create it once the model is built and compiled, so that every variable exists.

    Args:
        model: a built and compiled model.
        directory: folder of the checkpoints, by convention ``<model_dir>/checkpoints``;
            made at the first save.
        keep: number of checkpoints to keep.

    Attributes:
        progress: what `save` was last given, or what `restore_latest` found.

    Raises:
        ConfigError: `keep` is not a whole number above 0.
        ValueError: the model is not built or not compiled.
    """

    def __init__(self, model: keras.Model, directory: str, *, keep: int = 3):
        if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
            raise ConfigError(f"keep must be a whole number >= 1, not {keep!r}")
        _require_built(model)
        if model.optimizer is None:
            raise ValueError("compile the model before making its checkpoints")
        if not model.optimizer.built:
            with model.distribute_strategy.scope():
                model.optimizer.build(model.trainable_variables)
        self.progress: dict[str, Any] = {}
        self._record = _Record()
        self._variables = {
            "model": model.variables,
            "optimizer": model.optimizer.variables,
        }
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(record=self._record, **self._variables),
            str(directory),
            max_to_keep=keep,
            checkpoint_name="step",
        )

    def save(self, step: int, progress: Mapping[str, Any] | None = None) -> str:
        """Writes ``step-<step>`` and returns its path.

        Args:
            step: number of steps that the weights have seen.
            progress: what else the run needs in order to go on; must survive JSON.
        """
        self.progress = dict(progress or {})
        self._record.value = {
            "step": step,
            "progress": self.progress,
            "variables": {
                group: _list_shapes(variables)
                for group, variables in self._variables.items()
            },
        }
        return self._manager.save(checkpoint_number=step)

    def restore_latest(self) -> int:
        """Restores the newest checkpoint, if there is one, and its `progress`.

        Returns:
            The step after which it was saved; 0 if there is none.

        Raises:
            ConfigError: the checkpoint is of another model or optimizer.
            DataError: the checkpoint cannot be read.
        """
        path = self._manager.latest_checkpoint
        if path is None:
            return 0
        record = _restore(path, self._variables)
        self.progress = record["progress"]
        return record["step"]


def restore_weights(model: keras.Model, path: str) -> int:
    """Restores the weights of a built model, and nothing of the optimizer.

    Args:
        model: a built model; it need not be compiled.
        path: a checkpoint (``…/step-500``), a folder of checkpoints or a run folder,
            of which the newest checkpoint is taken.

    Returns:
        The step after which the checkpoint was saved.

    Raises:
        ConfigError: there is no checkpoint, or it is of another model.
        DataError: the checkpoint cannot be read.
    """
    _require_built(model)
    record = _restore(find_checkpoint(path), {"model": model.variables})
    return record["step"]


def find_checkpoint(path: str) -> str:
    """Returns the checkpoint that a checkpoint's path, or a folder, stands for.

    Raises:
        ConfigError: there is none.
    """
    path = str(path)
    for folder in (path, os.path.join(path, "checkpoints")):
        newest = tf.train.latest_checkpoint(folder)
        if newest is not None:
            return newest
    prefix = path.removesuffix(".index")
    if not os.path.exists(prefix + ".index"):
        raise ConfigError(
            f"no checkpoint at {path}: give a run folder, its checkpoints folder or "
            "a checkpoint such as checkpoints/step-500"
        )
    return prefix


class _Record(tf.train.experimental.PythonState):
    """The part of a checkpoint that is not a variable, as JSON."""

    def __init__(self):
        self.value = {}

    def serialize(self):
        return json.dumps(self.value)

    def deserialize(self, string_value):
        self.value = json.loads(string_value)


def _restore(path, variables):
    record = _Record()
    _read(tf.train.Checkpoint(record=record), path)
    if "variables" not in record.value:
        raise DataError(f"{path} is not a checkpoint of ehsod_tf training")
    for group, members in variables.items():
        _require_same(path, group, record.value["variables"][group], members)
    status = _read(tf.train.Checkpoint(**variables), path)
    status.assert_existing_objects_matched()
    return record.value


def _read(checkpoint, path):
    try:
        return checkpoint.restore(path).expect_partial()
    # Which one TensorFlow raises depends on where a damaged file breaks off.
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"cannot read the checkpoint {path}: {reason}; to go on from an older one, "
            "remove its lines from the file 'checkpoint' beside it"
        ) from error


def _require_same(path, group, stored, variables):
    for saved, present in zip_longest(stored, _list_shapes(variables)):
        if saved is None or present is None or not _fits(saved, present):
            raise ConfigError(
                f"{path} was saved from another {group}: it has "
                f"{_describe(saved)} where this {group} has {_describe(present)}; "
                "use the configuration of its run, or another model_dir"
            )


def _fits(saved, present):
    # Names that Keras makes up carry numbers that count through a process's life.
    (saved_path, saved_shape), (present_path, present_shape) = saved, present
    return saved_shape == present_shape and _strip_numbers(
        saved_path
    ) == _strip_numbers(present_path)


def _strip_numbers(path):
    return re.sub(r"_\d+", "", path.rpartition("/")[2])


def _list_shapes(variables):
    return [[variable.path, list(variable.shape)] for variable in variables]


def _describe(entry):
    if entry is None:
        return "no further variable"
    path, shape = entry
    return f"{path} {shape}"


def _require_built(model):
    if not model.built:
        raise ValueError("build the model (call it on a batch) before its checkpoints")
