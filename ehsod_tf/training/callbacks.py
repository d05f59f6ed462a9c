"""What a run writes into its folder: the history as a table, curves for TensorBoard."""

import csv
import os

import keras
import tensorflow as tf

from ehsod_tf.errors import DataError
from ehsod_tf.files import open_new


class HistoryCsv(keras.callbacks.Callback):
    """Keeps a table with one row per epoch, the first column being ``epoch``, from 1.

    The file is replaced as a whole at each epoch. So a resumed run that repeats epochs
    replaces their rows, a figure that first appears at a later epoch gets its column,
    and a reader never sees half a row. Cells of figures that an epoch does not have
    are empty. `keras.callbacks.CSVLogger` appends, which gives a repeated epoch two
    rows and drops columns that the first row did not have.

    Args:
        path: the file, by convention ``<model_dir>/history.csv``.

    Raises:
        DataError: the file exists and is not such a table.
    """

    def __init__(self, path: str):
        super().__init__()
        self._path = str(path)

    def on_train_begin(self, logs=None):
        # So that a file which is something else stops the run before its first step.
        self._read_rows()

    def on_epoch_end(self, epoch, logs=None):
        self.add_row(epoch, logs)

    def add_row(self, epoch, logs):
        """Writes the row of an epoch, from 0, and drops those of it and after it."""
        rows = [row for row in self._read_rows() if int(row["epoch"]) <= epoch]
        rows.append({"epoch": epoch + 1, **logs})
        columns = list(dict.fromkeys(name for row in rows for name in row))
        os.makedirs(os.path.dirname(self._path) or ".", exist_ok=True)
        with open_new(self._path, newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)

    def _read_rows(self):
        if not os.path.exists(self._path):
            return []
        with open(self._path, newline="") as file:
            rows = list(csv.DictReader(file))
        if not all(row.get("epoch", "").isdecimal() for row in rows):
            raise DataError(
                f"{self._path} has rows without an epoch number, so it is not a "
                "history of this program: move it away"
            )
        return rows


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes every scalar for TensorBoard, by step and by epoch.

    ``step/<name>`` are the values of single steps over the step of the run, also the
    ``input_seconds`` that the step waited for its images,
    ``epoch/<name>`` the history over the epoch, from 1. `keras.callbacks.TensorBoard`
    counts steps from 0 again when a run is resumed.

    Args:
        log_dir: folder of the event files, by convention ``<model_dir>/tensorboard``.
        every: steps from one written step to the next.
    """

    def __init__(self, log_dir: str, every: int = 10):
        super().__init__()
        self._log_dir = str(log_dir)
        self._every = every

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self._log_dir)

    def on_epoch_begin(self, epoch, logs=None):
        self._steps_before = epoch * self.params["steps"]

    def on_train_batch_begin(self, batch, logs=None):
        self._waited = logs or {}

    def on_train_batch_end(self, batch, logs=None):
        step = self._steps_before + batch + 1
        if step % self._every == 0:
            self._write("step", {**logs, **self._waited}, step)

    def on_epoch_end(self, epoch, logs=None):
        self._write("epoch", logs, epoch + 1)
        # So that the curves of a run that is killed reach to its last epoch.
        self._writer.flush()

    def on_train_end(self, logs=None):
        self._writer.close()

    def _write(self, group, logs, step):
        with self._writer.as_default():
            for name, value in logs.items():
                tf.summary.scalar(f"{group}/{name}", value, step=step)
