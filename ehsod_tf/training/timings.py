"""Where the time of a run goes, epoch by epoch."""

import time

from ehsod_tf.training.callbacks import HistoryCsv


class TimingsCsv(HistoryCsv):
    """Keeps a table of seconds by part, one row an epoch, as `HistoryCsv` does.

    Apart from the history, which is the same to the bit however a run was cut; times
    never are. After a resumption the row of its first epoch holds what was done since.

    ``steps`` counts the steps that were timed; ``input_seconds`` is the time in which
    the loop waited for images, ``step_seconds`` that of the steps themselves, the first
    of which traces the graph: it is in ``first_step_seconds`` too. Then there are
    ``evaluation_seconds``, and ``other_seconds`` for checkpoints and all else.

    Args:
        path: the file, by convention ``<model_dir>/timings.csv``.

    Raises:
        DataError: the file exists and is not such a table.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self._row = {
            "steps": 0,
            "input_seconds": 0.0,
            "step_seconds": 0.0,
            "first_step_seconds": 0.0,
            "evaluation_seconds": 0.0,
        }
        self._begin = time.perf_counter()

    def on_train_batch_begin(self, batch, logs=None):
        self._row["input_seconds"] += (logs or {}).get("input_seconds", 0.0)
        self._step_begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        seconds = time.perf_counter() - self._step_begin
        if not self._row["steps"]:
            self._row["first_step_seconds"] = seconds
        self._row["step_seconds"] += seconds
        self._row["steps"] += 1

    def on_test_begin(self, logs=None):
        self._test_begin = time.perf_counter()

    def on_test_end(self, logs=None):
        self._row["evaluation_seconds"] = time.perf_counter() - self._test_begin

    def on_epoch_end(self, epoch, logs=None):
        parts = ("input_seconds", "step_seconds", "evaluation_seconds")
        known = sum(self._row[part] for part in parts)
        rest = time.perf_counter() - self._begin - known
        self.add_row(epoch, {**self._row, "other_seconds": rest})
