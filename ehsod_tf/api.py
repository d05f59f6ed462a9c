"""What the commands do, as functions: no exit status, no message, named errors."""

import os
import tempfile
from collections.abc import Callable, Sequence

import tensorflow as tf

from ehsod_tf import data, training
from ehsod_tf.config import (
    find_config,
    format_operative_config,
    load_config,
    load_run_config,
)
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.files import open_new
from ehsod_tf.runs.folder_config import format_folder_config
from ehsod_tf.runs.recipe import Recipe, choose_recipe
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.runs.training import train_run
from ehsod_tf.structures import ImageSet


def train(
    config: str | os.PathLike,
    *,
    model_dir: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    bindings: Sequence[str] = (),
    skip_bad: bool = False,
    choices: data.FolderChoices | None = None,
    backbone: str | None = None,
    strategy: str = "auto",
    cross_device_ops: str = "auto",
    verbosity: str = "normal",
) -> dict:
    """Trains, evaluates, exports and reports into the run folder.

    A run that was stopped goes on when this is called again.

    Args:
        config: a `.gin` file, or the name of one of ours, such as "quickstart"; or a
            folder of images and annotations, for which a config is written into the
            run folder, see `write_folder_config`.
        model_dir: the run folder; ``runs/<name of the config>`` by default.
        data_dir: sets the config's DATA_DIR.
        bindings: further gin lines, such as ``"EPOCHS = 3"``.
        skip_bad: leave out images that something is wrong with, and list them.
        choices, backbone: of a folder, see `write_folder_config`.
        strategy, cross_device_ops: see `training.create_strategy`.
        verbosity: "quiet" (warnings and final figures), "normal", or "debug" (every
            class, every loss term).

    Returns:
        The final figures, as in ``metrics.json``; {} on all machines but the first.

    Raises:
        EhsodError: something is wrong with the config, the data or a checkpoint.
        Interrupted: a signal came; the run has been saved.
    """
    is_folder = os.path.isdir(config)
    if not is_folder and (choices or backbone):
        raise ConfigError(
            f"choices and backbone would do nothing: {config} is no folder; say it in "
            "the config, or by bindings"
        )
    distribution = training.create_strategy(strategy, cross_device_ops)
    model_dir = os.fspath(model_dir or choose_model_dir(config))
    # A folder is read before its config is written, and again by the run.
    with data.reading_once():
        if is_folder:
            path = os.path.join(model_dir, "folder.gin")
            config = write_folder_config(
                config, path, choices=choices, backbone=backbone, bindings=bindings
            )
            print(f"{path}: the config that does this, to be kept and edited")
        experiment = load_experiment(config, bindings, data_dir, skip_bad)
        return train_run(
            experiment, model_dir, format_operative_config, distribution, verbosity
        )


def choose_model_dir(config: str | os.PathLike) -> str:
    """The run folder of a config for which none was named."""
    name = os.path.basename(os.path.abspath(config))
    stem = name if os.path.isdir(config) else os.path.splitext(name)[0]
    return os.path.join("runs", stem)


def write_folder_config(
    folder: str | os.PathLike,
    path: str | os.PathLike,
    *,
    choices: data.FolderChoices | None = None,
    backbone: str | None = None,
    bindings: Sequence[str] = (),
    echo: Callable[[str], None] = print,
) -> str:
    """Looks at a folder and writes the config that reads it and trains on it.

    Args:
        folder: images and annotations, in any forms that are recognised.
        path: of the config. It is never overwritten by another one.
        choices: answers to what the folder leaves open.
        backbone: see `runs.recipe.choose_recipe`.
        bindings: further gin lines, which the config will hold too.
        echo: is given what was recognised and decided.

    Returns:
        `path`.

    Raises:
        ConfigError: the folder can be read in several ways, or `path` holds another
            config.
        DataError: the folder holds nothing to train on.
    """
    path = os.fspath(path)
    survey = data.survey_folder(folder)
    echo(data.format_survey(survey))
    plan = data.plan_folder(survey, choices or data.FolderChoices())
    for remark in plan.remarks:
        echo(f"  {remark}")
    training_set, paths = _read_planned(plan, echo)
    sources = (*plan.training, *plan.validation)
    if rest := data.describe_unread(survey, sources, paths):
        echo(f"  {rest}")
    recipe = choose_recipe(
        training_set,
        has_gpu=bool(tf.config.list_physical_devices("GPU")),
        backbone=backbone,
    )
    for reason in recipe.reasons:
        echo(f"  {reason}")
    _keep_text(path, format_folder_config(plan, recipe, bindings, path))
    return path


def _read_planned(
    plan: data.FolderPlan, echo: Callable[[str], None]
) -> tuple[ImageSet, list[str]]:
    """The training set of a plan, and the paths of the images of both sets.

    What is wrong in them, a run will say.

    Raises:
        DataError: no image can be trained on.
    """
    findings = data.Findings()
    with tempfile.TemporaryDirectory() as temporary, data.reading_once():
        path = os.path.join(temporary, "folder.gin")
        _keep_text(path, format_folder_config(plan, Recipe({}, [], {}, [])))
        experiment = load_config(path)
        training_set = experiment.read_training_set(findings=findings)
        paths = list(training_set.paths)
        if not paths:
            data.raise_problems(findings.problems)
            raise DataError(f"{plan.root}: nothing is known of any of its images")
        try:
            paths += experiment.read_evaluation_set(findings=data.Findings()).paths
        except DataError as error:
            # Whoever only looks at a folder need not evaluate on it.
            echo(f"  no validation set: {error}")
    return training_set, paths


def _keep_text(path: str, text: str) -> None:
    """Writes a text to a file that does not exist yet, or holds it already."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
        raise ConfigError(
            f"{path}: differs from what the folder gives now; go on from it with "
            f"'ehsod train --config {path}', or choose another place"
        )
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open_new(path) as file:
        file.write(text)


def load_experiment(
    config: str | os.PathLike,
    bindings: Sequence[str] = (),
    data_dir: str | os.PathLike | None = None,
    skip_bad: bool = False,
    *,
    restores_weights: bool = False,
) -> Experiment:
    """The `Experiment` of a config, with what flags change in it; see `train`.

    With `restores_weights`, the backbone's own weights are not looked for.
    """
    bindings = list(bindings)
    if data_dir is not None:
        bindings.append(f"DATA_DIR = {os.fspath(data_dir)!r}")
    if skip_bad:
        bindings.append("Experiment.skip_bad = True")
    load = load_run_config if restores_weights else load_config
    return load(find_config(os.fspath(config)), bindings)
