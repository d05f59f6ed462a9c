"""``model_card.md``: what a detector was made of and what it is good for.

It travels inside a SavedModel, for whoever gets that without the run. All of it is from
the files of the run folder; what these do not hold is said to be unknown.
"""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from ehsod_tf import data, training
from ehsod_tf.errors import EhsodError
from ehsod_tf.export import TOO_LARGE
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.wording import count

SUPERVISION_FILE = "supervision.txt"
_UNKNOWN = "Not recorded in the run folder."
_AVERAGES = "ema_"


class Weights(NamedTuple):
    """Which weights of a run a model has.

    Attributes:
        step: steps of training that they have seen.
        steps_per_epoch: of their run.
        averaged: they are the moving averages.
    """

    step: int
    steps_per_epoch: int
    averaged: bool


def describe_model(
    experiment: Experiment,
    class_names: Sequence[str],
    model_dir: str,
    weights: Weights,
    figures: Mapping | None = None,
) -> str:
    """Returns the card of a model as Markdown.

    Args:
        experiment: the settings that it was exported with.
        class_names: its K classes.
        model_dir: the run folder.
        weights: which of the run's.
        figures: of these weights; looked for in the run folder if not given.
    """
    if figures is None:
        figures = find_figures(model_dir, weights)
    name = os.path.basename(os.path.abspath(model_dir))
    kind = "moving averages of the weights" if weights.averaged else "weights"
    parts = [
        f"# Detector `{name}`",
        f"EHSOD, an object detector of {count(len(class_names), 'class', 'classes')}: "
        f"{', '.join(class_names)}. The {kind} after step {weights.step} of the run, "
        f"made with TensorFlow {tf.__version__}.",
        "## Training data",
        _describe_data(model_dir),
        "## Figures",
        _describe_figures(figures),
        "## Settings",
        _describe_settings(experiment),
        "## Limits",
        _describe_limits(experiment),
        "## Configuration",
        _quote(_read_text(model_dir, "operative_config.gin")),
    ]
    return "\n\n".join(parts) + "\n"


def find_figures(model_dir: str, weights: Weights) -> dict:
    """The figures that the run has recorded of some of its weights; {} if none.

    Those by class are in ``metrics.json`` alone, which is of one evaluation.
    """
    epoch, rest = divmod(weights.step, weights.steps_per_epoch)
    for row in csv.DictReader(_read_text(model_dir, "history.csv").splitlines()):
        if rest == 0 and row["epoch"] == str(epoch):
            figures = {
                column.removeprefix("val_"): float(value)
                for column, value in row.items()
                if column.startswith("val_") and value
            }
            return _choose(figures | _find_classes(model_dir, figures), weights)
    return {}


def _find_classes(model_dir, figures):
    """The figures by class that were written together with `figures`."""
    try:
        latest = json.loads(_read_text(model_dir, "metrics.json") or "{}")
    except ValueError:
        # Cut off while it was written, by an earlier version or by a copy.
        return {}
    is_same = all(latest.get(name) == value for name, value in figures.items())
    return {"per_class": latest["per_class"]} if figures and is_same else {}


def _choose(figures, weights):
    """The figures of the weights, or those of their averages under the same names."""
    if not weights.averaged:
        return {
            name: value
            for name, value in figures.items()
            if not name.startswith(_AVERAGES)
        }
    return {
        name.removeprefix(_AVERAGES): value
        for name, value in figures.items()
        if name.startswith(_AVERAGES)
    }


def _describe_data(model_dir):
    supervision = _read_text(model_dir, SUPERVISION_FILE)
    try:
        split = data.read_split(os.path.join(model_dir, "split.json"))
    except EhsodError:
        return _quote(supervision)
    origin = "as listed" if split.seed is None else f"drawn with seed {split.seed}"
    if split.stratified:
        origin += ", class by class"
    return (
        f"{_quote(supervision)}\n\n"
        f"Of the images that had boxes, {split.percent:g} % kept them for training "
        f"({count(len(split.strong_image_ids), 'image')}, {origin}); of the others "
        "only the labels were used, if at all."
    )


def _describe_figures(figures):
    per_class = figures.get("per_class") or {}
    rows = [[k, f"{v:.4f}"] for k, v in figures.items() if isinstance(v, float)]
    if not rows:
        return "These weights were not evaluated by their run."
    text = "On the run's evaluation images.\n\n" + _tabulate(["figure", "value"], rows)
    if per_class:
        columns = list(next(iter(per_class.values())))
        rows = [
            [name, *(_format(values[column]) for column in columns)]
            for name, values in per_class.items()
        ]
        text += "\n\n" + _tabulate(["class", *columns], rows)
    return text


def _format(value):
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else value


def _describe_settings(experiment):
    return _tabulate(
        ["setting", "value"],
        [
            [name, f"`{getattr(experiment, name)}`"]
            for name in (
                "shorter_side",
                "longer_side",
                "batch_size",
                "epochs",
                "learning_rate",
                "reference_batch_size",
                "use_weak_images",
                "use_weak_labels",
                "dtype_policy",
                "seed",
            )
        ],
    )


def _describe_limits(experiment):
    return f"""- It knows the classes above and no others. It answers images of another
  kind than it was trained on, too; the figures say nothing of these.
- Scores order detections. They are not calibrated: 0.8 does not mean right in 80 % of
  the cases. Choose a threshold on images of your own.
- Images are resized to {experiment.shorter_side} pixels on the shorter side, at most
  {experiment.longer_side} on the longer one; what is then a few pixels wide is missed.
- A rotation noted in a photograph's EXIF data is not applied; {TOO_LARGE}
  is refused."""


def _tabulate(heading, rows):
    lines = [heading, ["---"] * len(heading), *rows]
    # Of a class name, too, a bar would end the cell.
    cells = [[str(cell).replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _quote(text):
    return f"```\n{text.strip()}\n```" if text.strip() else _UNKNOWN


def _read_text(model_dir, name):
    """The content of a file of the run folder, "" where there is none."""
    path = os.path.join(model_dir, name)
    if not os.path.exists(path):
        return ""
    with open(path, newline="", encoding="utf-8") as file:
        return file.read()


def read_weights(checkpoint: str, *, averaged: bool) -> Weights:
    """Says which weights a checkpoint has; see `training.find_checkpoint`."""
    step, steps_per_epoch = training.read_position(checkpoint)
    return Weights(step, steps_per_epoch, averaged)
