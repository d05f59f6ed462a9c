"""The progress of a run, on a terminal or in a log file."""

import re
import statistics
import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby

import keras
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

# Steps over which the display averages: enough to calm the terms of single batches,
# few enough to show a change soon.
_WINDOW = 20
_BAR_WIDTH = 20
# Wider lines would set two stages side by side, whose terms are easier to compare one
# below the other.
_BLOCK_WIDTH = 79
_SECONDS_BETWEEN_REDRAWS = 0.25
# What an epoch's line has of the evaluation, where there is such a figure.
_HEADLINE = ("AP", "AP50", "voc_ap50_area", "pseudo_precision")


class ProgressDisplay(keras.callbacks.Callback):
    """Shows where a run is, how long it will take, and how its loss goes.

    On a terminal two lines that are redrawn in place, above them one for each epoch
    that is over; elsewhere a line every `seconds_between_lines` and at the last step
    of an epoch. Numbers are means of the last 20 steps. The time left is reckoned from
    the median of as many steps, the first of all left out, in which the graph is
    traced, and from the median of what lay between epochs so far (evaluation,
    checkpoints).

    Args:
        all_terms: show every scalar, not only the few that say whether it goes well:
            the total, and of the class map and the last stage what learns from labels
            and from boxes. The history has all of them.
        seconds_between_lines: pause between two lines when not on a terminal.
        console: where to write, standard output by default.
    """

    def __init__(
        self,
        *,
        all_terms: bool = False,
        seconds_between_lines: float = 30.0,
        console: Console | None = None,
    ):
        super().__init__()
        self._console = console or make_console()
        self._all_terms = all_terms
        self._live = None
        self._seconds_between = (
            _SECONDS_BETWEEN_REDRAWS
            if self._console.is_terminal
            else seconds_between_lines
        )
        self._recent_logs = deque(maxlen=_WINDOW)
        self._step_seconds = deque(maxlen=_WINDOW)
        self._pause_seconds = []
        self._next_output = 0.0

    def on_train_begin(self, logs=None):
        if self._console.is_terminal:
            # No thread of its own: it draws when there is something new.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def on_train_end(self, logs=None):
        if self._live:
            self._live.stop()
            self._live = None

    def on_epoch_begin(self, epoch, logs=None):
        now = time.monotonic()
        if self._recent_logs:
            self._pause_seconds.append(now - self._last_step_end)
        self._epoch = epoch
        self._epoch_begin = self._last_step_end = now

    def on_train_batch_begin(self, batch, logs=None):
        if not self._recent_logs:
            self._say("building the graph of a training step ...")

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
        self._say("evaluating ...")

    def on_epoch_end(self, epoch, logs=None):
        duration = format_duration(time.monotonic() - self._epoch_begin)
        items = [f"total_loss {format_number(logs['total_loss'])}"]
        for name in _HEADLINE:
            for known in (f"val_{name}", f"val_ema_{name}"):
                if known in logs:
                    items.append(f"{known.removeprefix('val_')} {logs[known]:.3f}")
        place = f"epoch {epoch + 1}/{self.params['epochs']} done in {duration}"
        if self._live:
            self._draw()
        self._print("  ".join([place, *items]))

    def _show(self, steps_done):
        means = {
            name: statistics.fmean(logs[name] for logs in self._recent_logs)
            for name in self._recent_logs[-1]
        }
        groups = group_terms(means) if self._all_terms else [choose_terms(means)]
        if self._live:
            width = min(self._console.width, _BLOCK_WIDTH)
            lines = lay_out(groups, width)
            self._draw(self._make_bar(steps_done), *map(_make_line, lines))
            return
        place = [f"epoch {self._epoch + 1}/{self.params['epochs']}"]
        place += self._describe_position(steps_done)
        if self._all_terms:
            lines = lay_out([place, *groups], _BLOCK_WIDTH)
        else:
            lines = ["  ".join([*place, groups[0][0]])]
        for line in lines:
            self._print(line)

    def _make_bar(self, steps_done):
        row = Table.grid(padding=(0, 1))
        row.add_row(
            _make_line(f"epoch {self._epoch + 1}/{self.params['epochs']}"),
            ProgressBar(self.params["steps"], steps_done, width=_BAR_WIDTH),
            _make_line("  ".join(self._describe_position(steps_done))),
        )
        return row

    def _describe_position(self, steps_done):
        steps = self.params["steps"]
        place = [f"step {steps_done}/{steps}"]
        if not self._step_seconds:
            return place
        seconds = statistics.median(self._step_seconds)
        epochs_after = self.params["epochs"] - self._epoch - 1
        left = (steps - steps_done + epochs_after * steps) * seconds
        if self._pause_seconds:
            left += (epochs_after + 1) * statistics.median(self._pause_seconds)
        return [*place, _format_pace(seconds), f"{format_duration(left)} left"]

    def _say(self, text):
        """What is being done now; on a terminal in place of what was said before."""
        if self._live:
            self._draw(_make_line(text))
        else:
            self._print(text)

    def _draw(self, *lines):
        self._live.update(Group(*lines), refresh=True)

    def _print(self, text):
        """A line that stays, which a long word or a narrow terminal may wrap."""
        self._console.print(text, soft_wrap=True)


def make_console() -> Console:
    """Standard output as it is: plain where it is no terminal, and in notebooks."""
    return Console(markup=False, highlight=False, emoji=False, force_jupyter=False)


def choose_terms(logs: Mapping[str, float]) -> list[str]:
    """The few scalars that say whether a run goes well, as "name value"."""
    last = max((name for name in logs if re.match(r"stage\d+_", name)), default="")
    stage = last.partition("_")[0]
    names = ("total_loss", "cam_cls", f"{stage}_cls", f"{stage}_mid", "teacher_boxes")
    return [f"{name} {format_number(logs[name])}" for name in names if name in logs]


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


def _make_line(text):
    return Text(text, no_wrap=True, overflow="ellipsis")


def _format_pace(seconds):
    return (
        f"{seconds:.2f} s/step" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms/step"
    )
