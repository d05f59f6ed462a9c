"""Commands about a run: train, evaluate, report."""

import os
import sys
from collections.abc import Sequence

from ehsod_tf.cli.exports import find_config, require_exportable
from ehsod_tf.cli.folder_flags import (
    FolderFlags,
    announce_config,
    refuse_folder_flags,
    write_config,
)
from ehsod_tf.cli.session import report_user_errors
from ehsod_tf.cli.unused_flags import refuse_unused

REPORT_CONTENT = "what was learnt, from what, and where it fails"


def train(
    config: str | None = None,
    gin_bindings: Sequence[str] = (),
    model_dir: str | None = None,
    data_dir: str | None = None,
    skip_bad: bool = False,
    strategy: str = "auto",
    cross_device_ops: str = "auto",
    verbosity: str = "normal",
    folder: FolderFlags | None = None,
) -> None:
    """Trains, evaluates, exports and reports into the run folder.

    Args:
        config: a `.gin` file.
        gin_bindings: further gin lines.
        model_dir: the run folder; ``runs/<name of the config or folder>`` by default.
        data_dir: sets the config's DATA_DIR.
        skip_bad: sets ``Experiment.skip_bad``.
        strategy, cross_device_ops: see `training.create_strategy`.
        verbosity: "quiet", "normal" or "debug".
        folder: images and annotations, and how to read them, in place of a config.
    """
    with report_user_errors(verbosity=verbosity):
        from ehsod_tf import api, data, training
        from ehsod_tf.errors import ConfigError

        path = folder.folder if folder else None
        if bool(path) == bool(config):
            raise ConfigError("name what to train on by either a folder or --config")
        if folder and config:
            refuse_folder_flags(folder)
        model_dir = model_dir or api.choose_model_dir(config or path)
        try:
            with data.reading_once():
                if not config:
                    path = os.path.join(model_dir, "folder.gin")
                    config = write_config(folder, path, gin_bindings)
                    announce_config(config)
                figures = api.train(
                    config,
                    model_dir=model_dir,
                    data_dir=data_dir,
                    bindings=gin_bindings,
                    skip_bad=skip_bad,
                    strategy=strategy,
                    cross_device_ops=cross_device_ops,
                    verbosity=verbosity,
                )
        except training.Interrupted as stop:
            print(stop, file=sys.stderr)
            raise
    # Without figures, another machine of the run writes its folder.
    if not figures or verbosity == "quiet":
        return
    print()
    for name, what in (
        ("report.html", REPORT_CONTENT),
        ("metrics.json", "final figures"),
        ("saved_model", "the detector, for TF Serving"),
    ):
        print(f"{os.path.join(model_dir, name)}: {what}")


def evaluate(
    model_dir: str,
    *,
    config: str | None = None,
    gin_bindings: Sequence[str] = (),
    data_dir: str | None = None,
    checkpoint: str | None = None,
    averaged: bool = False,
    output_dir: str | None = None,
    export: str | None = None,
    ops: str = "stock",
    verbosity: str = "normal",
) -> None:
    """Evaluates a checkpoint, prints the figures, and writes what was asked for.

    Args:
        model_dir: the run folder.
        config: the run's ``operative_config.gin`` by default.
        gin_bindings: further gin lines.
        data_dir: sets the config's DATA_DIR.
        checkpoint: the run's newest by default.
        averaged: take the moving averages of the weights.
        output_dir: folder for ``metrics.json`` and ``detections.json``.
        export: folder for a SavedModel.
        ops: "stock" or "native" operations in that SavedModel.
        verbosity: "quiet", "normal" or "debug".
    """
    with report_user_errors(verbosity=verbosity):
        from tqdm import tqdm

        from ehsod_tf.api import load_experiment
        from ehsod_tf.evaluation import format_figures
        from ehsod_tf.runs import data, evaluation, model, model_card
        from ehsod_tf.runs.export import export_model
        from ehsod_tf.training import read_class_names

        if not export:
            refuse_unused({"--ops": ops != "stock"}, "without --export")
        _require_writable(output_dir, export)
        config = config or find_config(model_dir)
        experiment = load_experiment(
            config, gin_bindings, data_dir, restores_weights=True
        )
        checkpoint = checkpoint or model_dir
        image_set = data.load_evaluation_set(experiment, read_class_names(checkpoint))
        detector = model.restore_model(
            experiment,
            checkpoint,
            len(image_set.class_names),
            averaged=averaged,
        )
        with tqdm(
            total=len(image_set.image_ids),
            unit="image",
            dynamic_ncols=True,
            # None: on a terminal only, as the figures follow soon.
            disable=True if verbosity == "quiet" else None,
        ) as bar:
            figures, results = evaluation.evaluate(
                experiment,
                model.make_detector(detector),
                image_set,
                on_batch=lambda done, total: bar.update(done - bar.n),
            )
        print(format_figures(figures))
        if output_dir:
            evaluation.write_evaluation(output_dir, figures, results, image_set)
            print(f"{output_dir}: metrics.json and detections.json")
        if export:
            weights = model_card.read_weights(checkpoint, averaged=averaged)
            export_model(
                experiment,
                detector,
                image_set.class_names,
                export,
                card=model_card.describe_model(
                    experiment, image_set.class_names, model_dir, weights, figures
                ),
                backend=ops,
            )
            print(f"{export}: SavedModel")


def report(
    model_dirs: Sequence[str],
    output: str | None = None,
    gin_bindings: Sequence[str] = (),
    data_dir: str | None = None,
) -> None:
    """Writes a run's ``report.html`` again, or sets several runs side by side.

    Args:
        model_dirs: one run folder, or more.
        output: the page of a comparison, ``comparison.html`` by default.
        gin_bindings: further gin lines.
        data_dir: sets the config's DATA_DIR.
    """
    with report_user_errors():
        from ehsod_tf.api import load_experiment
        from ehsod_tf.runs.comparison import compare_runs
        from ehsod_tf.runs.report import remake_report

        def load(model_dir):
            config = find_config(model_dir)
            experiment = load_experiment(
                config, gin_bindings, data_dir, restores_weights=True
            )
            with open(config, encoding="utf-8") as file:
                return experiment, file.read()

        if len(model_dirs) == 1:
            refuse_unused({"--output": output}, "with one run: it has its report.html")
            path = remake_report(*load(model_dirs[0]), model_dirs[0])
            print(f"{path}: {REPORT_CONTENT}")
        else:
            output = output or "comparison.html"
            compare_runs(model_dirs, load, output)
            print(f"{output}: the runs side by side")


def _require_writable(output_dir, export):
    """Refuses, before any work, to write over a run or over other files."""
    from ehsod_tf.export import SAVED_MODEL
    from ehsod_tf.training import require_unowned

    if output_dir:
        require_unowned(output_dir)
    if export:
        require_exportable(export, SAVED_MODEL)
