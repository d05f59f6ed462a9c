"""Checkpoints of a run: weights, optimizer and how far the run has come.

Variables are stored by their place in ``model.variables``. `tf.train.Checkpoint` would
take the model itself, but does not follow a Keras layer that is kept in a Python list
and then saves nothing of it, without a word. A list of what was stored, by path and
shape, travels with each checkpoint, so that a model that differs is refused before any
of its weights change.

`tf.train.CheckpointManager` is not used: it deletes old checkpoints before the
checksums of the new one could be written, and does not start when its list of them, a
text file, is damaged. What is here is found by listing the folder.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from ehsod_tf.errors import CheckpointError, ConfigError, require_count
from ehsod_tf.training import checkpoint_folders as folders
from ehsod_tf.training.identity import describe_variables, require_same_settings
from ehsod_tf.training.restoration import (
    BEST,
    PREFIX,
    Record,
    find_newest,
    get_first_line,
    read_record,
    require_built,
    restore_variables,
)


class Checkpoints:
    """The checkpoints of one run, of which the last few and the best are kept.

    Create it once the model is built and compiled, so that every variable exists. The
    variables of the optimizer include its step, moving averages of the weights and the
    loss scale, those of the model the seeds of its random layers, where it has any.

    Args:
        model: a built and compiled model.
        directory: folder of the checkpoints, by convention ``<model_dir>/checkpoints``;
            made at the first save.
        keep: number of checkpoints to keep, the best one not counted.
        identity: the settings that a run must keep when it goes on, by name; values
            that JSON can hold. Leave out what may change, such as the number of epochs.
        best_metric: name of the figure by which the best checkpoint is chosen; higher
            is better. None keeps no best one.
        is_writer: False in the processes of a run over several machines that leave the
            writing to the first one.

    Attributes:
        step: what `save` was last given, or what `restore_latest` found; 0 before.
        progress: likewise.
        best: ``{"step", "metric", "score"}`` of the best checkpoint, or None.

    Raises:
        ConfigError: `keep` is not a whole number above 0.
        ValueError: the model is not built or not compiled.
    """

    def __init__(
        self,
        model: keras.Model,
        directory: str,
        *,
        keep: int = 3,
        identity: Mapping[str, Any] | None = None,
        best_metric: str | None = None,
        is_writer: bool = True,
    ):
        require_count("keep", keep)
        require_built(model)
        if model.optimizer is None:
            raise ValueError("compile the model before making its checkpoints")
        if not model.optimizer.built:
            with model.distribute_strategy.scope():
                model.optimizer.build(model.trainable_variables)
        self.step = 0
        self.progress: dict[str, Any] = {}
        self.best: dict[str, Any] | None = None
        self._directory = str(directory)
        self._keep = keep
        # As it will be read: tuples become lists.
        self._identity = json.loads(json.dumps(dict(identity or {})))
        self._best_metric = best_metric
        self._is_writer = is_writer
        self._variables = {
            "model": model.variables,
            "optimizer": model.optimizer.variables,
        }
        self._record = Record()
        self._checkpoint = tf.train.Checkpoint(record=self._record, **self._variables)

    def save(self, step: int, progress: Mapping[str, Any] | None = None) -> str:
        """Writes ``step-<step>`` and returns its path; deletes those too many.

        Once this returns, the checkpoint is on the disk, and a kill before that leaves
        the ones before as they were.

        Args:
            step: number of steps that the weights have seen.
            progress: what else the run needs in order to go on; must survive JSON.

        Raises:
            CheckpointError: the disk is full, or cannot be written for another reason.
        """
        path = self._locate(f"step-{step}")
        self.progress = dict(progress or {})
        if not self._is_writer:
            self.step = step
            return path
        self._record.value = {
            "step": step,
            "progress": self.progress,
            "best": self.best,
            "identity": self._identity,
            "variables": {
                group: describe_variables(variables)
                for group, variables in self._variables.items()
            },
        }
        with _naming(path):
            os.makedirs(self._directory, exist_ok=True)
            folders.delete_leftovers(self._directory)
            with folders.replace_folder(path) as fresh:
                self._checkpoint.write(os.path.join(fresh, PREFIX))
            self._delete_old(step)
        self.step = step
        return path

    def keep_best(self, step: int, figures: Mapping[str, Any]) -> None:
        """Copies ``step-<step>`` to ``best`` if its figures beat those of ``best``.

        Raises:
            ConfigError: the figures do not have the metric.
            CheckpointError: as `save`.
        """
        metric = self._best_metric
        if metric is None:
            return
        if metric not in figures:
            raise ConfigError(
                f"best_metric is {metric!r}, but the evaluation gives "
                f"{', '.join(figures)}"
            )
        score = float(figures[metric])
        # A best by another metric, which the run had before, says nothing here.
        is_comparable = self.best is not None and self.best["metric"] == metric
        # Not <=, so that NaN is never the best.
        if not score > (self.best["score"] if is_comparable else float("-inf")):
            return
        if self._is_writer:
            with _naming(self._locate(BEST)):
                folders.copy_folder(self._locate(f"step-{step}"), self._locate(BEST))
        self.best = {"step": step, "metric": metric, "score": score}

    def restore_latest(self) -> int:
        """Restores the newest checkpoint that is whole, if there is any.

        One that is damaged is passed over, with a warning that names it.

        Returns:
            The step after which it was saved; 0 if there is none.

        Raises:
            ConfigError: the checkpoint is of another model or optimizer, or of a run
                with other settings.
            CheckpointError: there are checkpoints, but all are damaged.
        """
        path = find_newest(self._directory)
        if path is None:
            return 0
        record = read_record(path)
        require_same_settings(path, record["identity"], self._identity)
        restore_variables(path, record, self._variables)
        self.step = record["step"]
        self.progress = record["progress"]
        self.best = record["best"]
        return self.step

    def _locate(self, name):
        return os.path.join(self._directory, name)

    def _delete_old(self, step):
        found = folders.list_checkpoints(self._directory)
        # Those after this step were damaged, or the run would have gone on from them.
        kept = [path for at, path in found if at <= step][-self._keep :]
        for _, path in found:
            if path not in kept:
                folders.delete_folder(path)


@contextlib.contextmanager
def _naming(path):
    """Names the checkpoint that an error of the disk is about."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise CheckpointError(
            f"cannot write the checkpoint {path}: {get_first_line(error)}; make room "
            "or repair the disk, and start the run again to go on"
        ) from error
