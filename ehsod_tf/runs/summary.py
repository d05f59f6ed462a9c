"""What a run says on the terminal before its first step and after its last."""

import os
import textwrap

import tensorflow as tf
from rich.text import Text

from ehsod_tf import data, evaluation, training
from ehsod_tf.errors import require_choice
from ehsod_tf.runs.data import RunData, count_steps_per_epoch
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.wording import count

VERBOSITIES = ("quiet", "normal", "debug")

_WIDTH = 79
_LABEL_WIDTH = 9
# The summary is to leave room for the command and the progress on a screen of 24 lines.
_MAX_CLASSES = 8


class Terminal:
    """Says what a run is about to do and what came of it.

    Args:
        verbosity: "quiet" says nothing but warnings and the final figures, "debug"
            lists every class and every loss term.

    Raises:
        ConfigError: there is no such verbosity.
    """

    def __init__(self, verbosity: str = "normal"):
        require_choice("--verbosity", verbosity, VERBOSITIES)
        self._verbosity = verbosity
        self._console = training.make_console()

    def note(self, text: str) -> None:
        """A line that a user may want to know of."""
        if self._verbosity != "quiet":
            self._print(text)

    def warn(self, text: str) -> None:
        """Lines that a user must not miss."""
        self._print(text, "yellow")

    def show_start(
        self,
        experiment: Experiment,
        run_data: RunData,
        strategy: tf.distribute.Strategy,
        model_dir: str,
    ) -> None:
        """The start-up summary: devices, steps, learning rate, data, results."""
        is_debug = self._verbosity == "debug"
        images, *table = data.describe_supervision(
            run_data.training_set, None if is_debug else _MAX_CLASSES
        ).splitlines()
        evaluated = len(run_data.evaluation_set.image_ids)
        facts = {
            "devices": f"{training.describe_devices(strategy)}, "
            f"{experiment.dtype_policy}",
            "data": f"{images}; {evaluated} to evaluate on",
            "steps": _describe_steps(experiment, run_data),
            "rate": _describe_rate(experiment),
        }
        if self._verbosity != "quiet":
            for label, text in facts.items():
                self._print_fact(label, textwrap.wrap(text, _WIDTH - _LABEL_WIDTH))
            # Not wrapped, so that the path can be copied.
            self._print_fact("results", [_describe_folder(model_dir)])
            self._print("")
        for line in table:
            if line.startswith("warning: "):
                self.warn(textwrap.fill(line, _WIDTH, subsequent_indent="  "))
            else:
                self.note(line)
        self.note("")

    def make_callbacks(self) -> list:
        """The display of the progress, if there is to be one."""
        if self._verbosity == "quiet":
            return []
        return [training.ProgressDisplay(all_terms=self._verbosity == "debug")]

    def show_figures(self, figures: dict) -> None:
        """The final table."""
        self._print(evaluation.format_figures(figures))

    def _print_fact(self, label, lines):
        for index, line in enumerate(lines):
            head = Text(f"{'' if index else label:{_LABEL_WIDTH}}", "bold")
            self._console.print(head + Text(line), soft_wrap=True)

    def _print(self, text, style=None):
        self._console.print(Text(text, style or ""), soft_wrap=True)


def _describe_steps(experiment, run_data):
    steps = count_steps_per_epoch(experiment, run_data.training_set)
    every = experiment.evaluate_every
    return (
        f"{experiment.epochs * steps:,} of {count(experiment.batch_size, 'image')}: "
        f"{count(experiment.epochs, 'epoch')} of {steps:,}; evaluated every "
        + ("epoch" if every == 1 else count(every, "epoch"))
    )


def _describe_rate(experiment):
    parts = [f"{experiment.scaled_learning_rate:g}"]
    if experiment.batch_size != experiment.reference_batch_size:
        parts[0] += (
            f" ({experiment.learning_rate:g} for a batch of "
            f"{experiment.reference_batch_size})"
        )
    if experiment.warmup_steps:
        parts.append(f"warm-up over {count(experiment.warmup_steps, 'step')}")
    decays = [f"{e:g}" for e in experiment.decay_epochs if e < experiment.epochs]
    if decays:
        epochs = "epoch" if len(decays) == 1 else "epochs"
        parts.append(f"a tenth after {epochs} {' and '.join(decays)}")
    return ", ".join(parts)


def _describe_folder(model_dir):
    if training.has_checkpoints(os.path.join(model_dir, "checkpoints")):
        return f"{model_dir}, where it goes on from the newest checkpoint"
    return model_dir
