"""A folder as a config: what was recognised, and a recipe for as many images."""

import os
from collections.abc import Sequence

from ehsod_tf.data import FolderPlan
from ehsod_tf.runs.recipe import Recipe

_HEADER = """\
# What was recognised in a folder, as a config: keep it, edit it, train from it with
#
#   ehsod train --config {config}
#
"""


def format_folder_config(
    plan: FolderPlan,
    recipe: Recipe,
    bindings: Sequence[str] = (),
    config: str = "folder.gin",
) -> str:
    """The text of a config that reads a folder as planned and trains by the recipe.

    Args:
        plan: what is read.
        recipe: how it is trained.
        bindings: further lines, which win.
        config: path of the config, for the example in its first lines.
    """
    lines = [
        f"# {_spell(remark)}"
        for remark in [*_describe_sources(plan), *plan.remarks, *recipe.reasons]
    ]
    lines += [
        "include 'base.gin'",
        "",
        f"DATA_DIR = {os.path.abspath(plan.root)!r}",
        *(f"{name} = {value!r}" for name, value in recipe.macros.items()),
        "",
        *_list_data_lines(plan),
        "",
        *(f"include {name!r}" for name in recipe.includes),
        *(f"{name} = {value!r}" for name, value in recipe.settings.items()),
    ]
    if bindings:
        lines += ["", "# From the command line.", *bindings]
    return _HEADER.format(config=_spell(config)) + "\n".join(lines) + "\n"


def _describe_sources(plan: FolderPlan) -> list[str]:
    return [f"{s.path}: {s.form}" for s in (*plan.training, *plan.validation)]


def _list_data_lines(plan: FolderPlan) -> list[str]:
    if plan.held_out is None:
        training, lines = _format_training("train", plan)
        validation, further = _format_set("val", plan.validation, plan)
        return [
            f"Experiment.read_training_set = {training}",
            f"Experiment.read_evaluation_set = {validation}",
            *lines,
            *further,
        ]
    source, lines = _format_training("all", plan)
    return [
        "Experiment.read_training_set = @train/read_part",
        "Experiment.read_evaluation_set = @val/read_part",
        "train/read_part.part = 'training'",
        "val/read_part.part = 'validation'",
        f"read_part.source = {source}",
        f"read_part.percent = {plan.held_out!r}",
        "read_part.seed = 0",
        *lines,
    ]


def _format_training(scope: str, plan: FolderPlan) -> tuple[str, list[str]]:
    """As `_format_set`, with a detector's boxes where they are wanted."""
    source, lines = _format_set(scope, plan.training, plan)
    if plan.machine_boxes is None:
        return source, lines
    reference = f"{scope}/read_machine_boxes"
    return f"@{reference}", [
        f"{reference}.source = {source}",
        f"{reference}.data_dir = %DATA_DIR",
        f"{reference}.results_file = {plan.machine_boxes!r}",
        f"{reference}.keep = 'threshold'",
        f"{reference}.score_threshold = 0.5",
        *lines,
    ]


def _format_set(scope: str, sources, plan: FolderPlan) -> tuple[str, list[str]]:
    """The reference to a set's reader, and the lines that it needs."""
    boxed, own_classes = ("all",) * len(sources), (None,) * len(sources)
    if sources is plan.training:
        boxed, own_classes = (plan.choices.boxed,) * len(sources), plan.own_classes
    is_plain = all(kind == "all" for kind in boxed)
    if len(sources) == 1 and is_plain:
        reference = f"{scope}/{sources[0].reader}"
        lines = _format_source(reference, sources[0], scope, plan)
        if plan.class_names:
            lines.append(f"{reference}.class_names = {plan.class_names!r}")
        return f"@{reference}", lines
    references = [f"{scope}_{n}/{s.reader}" for n, s in enumerate(sources, start=1)]
    mixture = f"{scope}/read_mixture"
    listed = "".join(f"@{reference}, " for reference in references)
    lines = [f"{mixture}.sources = ({listed.rstrip()})"]
    if not is_plain:
        lines.append(f"{mixture}.boxed = {boxed!r}")
    if any(own_classes):
        lines.append(f"{mixture}.own_classes = {own_classes!r}")
    if plan.class_names:
        lines.append(f"{mixture}.class_names = {plan.class_names!r}")
    for reference, source in zip(references, sources, strict=True):
        lines += _format_source(reference, source, scope, plan)
    return f"@{mixture}", lines


def _format_source(reference: str, source, scope: str, plan: FolderPlan) -> list[str]:
    arguments = dict(source.arguments)
    if "unannotated" in source.takes:
        # On a validation image without an object each detection is wrong.
        is_validation = scope == "val"
        arguments["unannotated"] = (
            "empty" if is_validation else plan.choices.unannotated
        )
    for name in ("unlisted", "occluded"):
        if name in source.takes:
            arguments[name] = getattr(plan.choices, name)
    return [
        f"{reference}.data_dir = %DATA_DIR",
        *(f"{reference}.{name} = {value!r}" for name, value in arguments.items()),
    ]


def _spell(text: str) -> str:
    """A text on one line, in characters that any file can hold."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
