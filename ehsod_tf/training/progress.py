"""The progress of a run, on a terminal or in a log file."""

import re
import shutil
import statistics
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TextIO

import keras

# Steps over which the display averages: enough to calm the terms of single batches,
# few enough to show a change soon.
_WINDOW = 20
_BAR_LENGTH = 20
# Wider lines would set two stages side by side, whose terms are easier to compare one
# below the other.
_BLOCK_WIDTH = 79
_SECONDS_BETWEEN_REDRAWS = 0.25


class ProgressDisplay(keras.callbacks.Callback):
    """Shows where a run is, how long it will take, and every loss term by name.

    On a terminal a block that is redrawn in place; elsewhere a line every
    `seconds_between_lines` and at the last step of an epoch. Numbers are means of the
    last 20 steps. The time left is reckoned from the median of as many steps, the
    first of all left out, in which the graph is traced, and, for the run, from the
    median of what lay between epochs so far (evaluation, checkpoints).

    Args:
        seconds_between_lines: pause between two lines when not on a terminal.
        stream: where to write, standard output by default.
    """

    def __init__(
        self, seconds_between_lines: float = 30.0, stream: TextIO | None = None
    ):
        super().__init__()
        self._stream = sys.stdout if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._seconds_between = (
            _SECONDS_BETWEEN_REDRAWS if self._is_terminal else seconds_between_lines
        )
        self._block_height = 0
        self._recent_logs = deque(maxlen=_WINDOW)
        self._step_seconds = deque(maxlen=_WINDOW)
        self._pause_seconds = []
        self._next_output = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        now = time.monotonic()
        if self._recent_logs:
            self._pause_seconds.append(now - self._last_step_end)
        self._epoch = epoch
        self._epoch_begin = self._last_step_end = now

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if self._recent_logs:
            self._step_seconds.append(now - self._last_step_end)
        self._last_step_end = now
        self._recent_logs.append(logs)
        if now >= self._next_output or batch + 1 == self.params["steps"]:
            self._next_output = now + self._seconds_between
            self._show(batch + 1)

    def on_test_begin(self, logs=None):
        self._write_below("evaluating ...\n")

    def on_epoch_end(self, epoch, logs=None):
        duration = format_duration(time.monotonic() - self._epoch_begin)
        figures = [name for name in logs if name.startswith("val_")]
        line = f"epoch {epoch + 1}/{self.params['epochs']} done in {duration}: " + (
            "  ".join(
                f"{name} {format_number(logs[name])}"
                for name in ["total_loss", *figures]
            )
        )
        self._write_below(line + "\n")

    def _show(self, steps_done):
        means = {
            name: statistics.fmean(logs[name] for logs in self._recent_logs)
            for name in self._recent_logs[-1]
        }
        terms = group_terms(means)
        position = self._describe_position(steps_done)
        if not self._is_terminal:
            line = " | ".join("  ".join(group) for group in position + terms)
            self._stream.write(f"{line}\n")
        else:
            width = shutil.get_terminal_size().columns - 1
            lines = lay_out(position, width)
            lines += lay_out(terms, min(width, _BLOCK_WIDTH))
            # Up to the start of the block before this one, and clear what is below.
            erase = f"\x1b[{self._block_height}F\x1b[J" if self._block_height else ""
            # A line that the terminal had to wrap would spoil the count of lines.
            block = "".join(f"{line[:width]}\n" for line in lines)
            self._stream.write(erase + block)
            self._block_height = len(lines)
        self._stream.flush()

    def _describe_position(self, steps_done):
        epochs, steps = self.params["epochs"], self.params["steps"]
        filled = _BAR_LENGTH * steps_done // steps
        bar = f" [{'=' * filled}{'.' * (_BAR_LENGTH - filled)}]"
        place = [
            f"epoch {self._epoch + 1}/{epochs}{bar if self._is_terminal else ''}",
            f"step {steps_done}/{steps}",
        ]
        if not self._step_seconds:
            return [place]
        return [place, self._describe_time(steps_done)]

    def _describe_time(self, steps_done):
        seconds = statistics.median(self._step_seconds)
        epochs_after = self.params["epochs"] - self._epoch - 1
        epoch_left = (self.params["steps"] - steps_done) * seconds
        run_left = epoch_left + epochs_after * self.params["steps"] * seconds
        if self._pause_seconds:
            run_left += (epochs_after + 1) * statistics.median(self._pause_seconds)
        return [
            _format_pace(seconds),
            f"epoch left {format_duration(epoch_left)}",
            f"run left {format_duration(run_left)}",
        ]

    def _write_below(self, text):
        self._block_height = 0
        self._stream.write(text)
        self._stream.flush()


def group_terms(logs: Mapping[str, float]) -> list[list[str]]:
    """Groups scalars for display: the run's own, then the loss terms by network part.

    Args:
        logs: scalars by name, ``total_loss``, ``learning_rate`` and ``gradient_norm``
            among them.

    Returns:
        One list of "name value" per group. A stage's name stands once, before its
        first term. Counters (``…_positives``) are left to the history.
    """
    overview = [
        f"total_loss {format_number(logs['total_loss'])}",
        f"learning_rate {logs['learning_rate']:.3g}",
        f"gradient_norm {logs['gradient_norm']:#.3g}",
    ]
    terms = [
        name
        for name in sorted(logs)
        if name not in ("total_loss", "learning_rate", "gradient_norm")
        and not name.endswith("_positives")
    ]
    groups = [overview]
    for part, names in groupby(terms, key=lambda name: name.partition("_")[0]):
        is_stage = re.fullmatch(r"stage\d+", part)
        items = [
            f"{name.removeprefix(f'{part}_') if is_stage else name} "
            f"{format_number(logs[name])}"
            for name in names
        ]
        if is_stage:
            items[0] = f"{part} {items[0]}"
        groups.append(items)
    return groups


def lay_out(groups: Sequence[Sequence[str]], width: int) -> list[str]:
    """Sets groups of items in lines of at most `width` characters.

    Groups share a line, with a bar between them, where they fit; a group that is
    longer than a line is broken between two items.
    """
    lines = []
    for group in groups:
        text = "  ".join(group)
        if lines and len(lines[-1]) + 3 + len(text) <= width:
            lines[-1] += f" | {text}"
            continue
        lines.append(group[0])
        for item in group[1:]:
            if len(lines[-1]) + 2 + len(item) <= width:
                lines[-1] += f"  {item}"
            else:
                lines.append(f"  {item}")
    return lines


def format_duration(seconds: float) -> str:
    """Formats seconds as ``m:ss``, ``h:mm:ss`` or ``d d h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days} d {hour}:{minute:02}:{second:02}"
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def format_number(value: float) -> str:
    """Formats a loss so that its length stays the same over the usual range."""
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:.1e}"


def _format_pace(seconds):
    return (
        f"{seconds:.2f} s/step" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms/step"
    )
