"""What the commands do, as functions: no exit status, no message, named errors."""

import os
from collections.abc import Sequence

from ehsod_tf import training
from ehsod_tf.config import (
    find_config,
    format_operative_config,
    load_config,
    load_run_config,
)
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.runs.training import train_run


def train(
    config: str | os.PathLike,
    *,
    model_dir: str | os.PathLike | None = None,
    data_dir: str | os.PathLike | None = None,
    bindings: Sequence[str] = (),
    skip_bad: bool = False,
    strategy: str = "auto",
    cross_device_ops: str = "auto",
    verbosity: str = "normal",
) -> dict:
    """Trains, evaluates, exports and reports into the run folder.

    A run that was stopped goes on when this is called again.

    Args:
        config: a `.gin` file, or the name of one of ours, such as "quickstart".
        model_dir: the run folder; ``runs/<name of the config>`` by default.
        data_dir: sets the config's DATA_DIR.
        bindings: further gin lines, such as ``"EPOCHS = 3"``.
        skip_bad: leave out images that something is wrong with, and list them.
        strategy, cross_device_ops: see `training.create_strategy`.
        verbosity: "quiet" (warnings and final figures), "normal", or "debug" (every
            class, every loss term).

    Returns:
        The final figures, as in ``metrics.json``; {} on all machines but the first.

    Raises:
        EhsodError: something is wrong with the config, the data or a checkpoint.
        Interrupted: a signal came; the run has been saved.
    """
    distribution = training.create_strategy(strategy, cross_device_ops)
    experiment = load_experiment(config, bindings, data_dir, skip_bad)
    model_dir = os.fspath(model_dir or choose_model_dir(config))
    return train_run(
        experiment, model_dir, format_operative_config, distribution, verbosity
    )


def choose_model_dir(config: str | os.PathLike) -> str:
    """The run folder of a config for which none was named."""
    stem = os.path.splitext(os.path.basename(os.fspath(config)))[0]
    return os.path.join("runs", stem)


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
