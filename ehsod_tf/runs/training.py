"""A run from its data to its report: trains, evaluates, exports."""

import contextlib
import functools
import os
from collections.abc import Callable

import tensorflow as tf

from ehsod_tf import data, training
from ehsod_tf.files import open_new
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.data import (
    count_steps_per_epoch,
    explain_input_error,
    load_data,
    make_augment,
    make_dataset,
)
from ehsod_tf.runs.evaluation import Evaluator
from ehsod_tf.runs.export import export_model
from ehsod_tf.runs.model import create_model, find_faults
from ehsod_tf.runs.model_card import SUPERVISION_FILE, describe_model, read_weights
from ehsod_tf.runs.report import write_report
from ehsod_tf.runs.resumption import list_fixed_parts
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.runs.summary import Terminal
from ehsod_tf.wording import count

_SHOWN_PROBLEMS = 10


def train_run(
    experiment: Experiment,
    model_dir: str,
    config_text: Callable[[], str],
    strategy: tf.distribute.Strategy,
    verbosity: str = "normal",
) -> dict:
    """Trains, evaluates, exports and reports.

    Args:
        experiment: what to do.
        model_dir: the run folder; a run that was cut off goes on from its newest
            checkpoint.
        config_text: returns the configuration to be recorded.
        strategy: from `training.create_strategy`.
        verbosity: see `Terminal`.

    Returns:
        The final figures, as in ``metrics.json``; {} on all machines but the first.

    Raises:
        FolderInUseError: another run is at work in the folder.
        EhsodError: see `load_data`, `training.train`, `Checkpoints`.
        Interrupted: a signal came; the run has been saved.
        OSError: the folder cannot be written.
    """
    # The other machines only read there.
    terminal = Terminal(verbosity)
    is_chief = training.is_chief(strategy)
    owned = training.own_run_folder if is_chief else contextlib.nullcontext
    with owned(model_dir):
        return _train_and_report(experiment, model_dir, config_text, strategy, terminal)


def _train_and_report(experiment, model_dir, config_text, strategy, terminal) -> dict:
    is_chief = training.is_chief(strategy)
    findings = data.Findings()
    if is_chief:
        terminal.note("reading and checking the data ...")
    run_data = load_data(experiment, findings)
    if is_chief:
        _show_findings(findings, model_dir, terminal)
        terminal.show_start(experiment, run_data, strategy, model_dir)
        supervision = data.describe_supervision(run_data.training_set)
        _write_text(os.path.join(model_dir, SUPERVISION_FILE), f"{supervision}\n")
        data.write_split(os.path.join(model_dir, "split.json"), run_data.split)

    model = _create_model(experiment, run_data, strategy, model_dir, terminal)
    if not is_chief:
        _train(experiment, run_data, model, strategy, model_dir)
        return {}
    _write_text(os.path.join(model_dir, "operative_config.gin"), config_text())
    if not training.has_checkpoints(_locate_checkpoints(model_dir)):
        for fault in find_faults(experiment, model, run_data.training_set):
            terminal.warn(f"warning: {fault}")
    evaluator = Evaluator(experiment, model, run_data, model_dir)
    history = _train(
        experiment,
        run_data,
        model,
        strategy,
        model_dir,
        evaluator,
        terminal.make_callbacks(),
    )
    if evaluator.results is None:
        # The run was complete already; its figures are made again.
        evaluator()
    terminal.show_figures(evaluator.figures)
    # Once more, now that everything has been called and recorded.
    _write_text(os.path.join(model_dir, "operative_config.gin"), config_text())
    _export(experiment, model, run_data.training_set.class_names, model_dir)
    write_report(
        model_dir,
        experiment=experiment,
        run_data=run_data,
        findings=findings,
        figures=evaluator.figures,
        results=evaluator.results,
        history=history,
        config_text=config_text(),
        model=model,
    )
    return evaluator.figures


def _create_model(experiment, run_data, strategy, model_dir, terminal) -> Ehsod:
    """Builds and compiles the model, from another run's weights where so configured.

    A run that goes on has them in its own checkpoints; theirs may be gone by then.
    """
    is_new = not training.has_checkpoints(_locate_checkpoints(model_dir))
    image_set = run_data.training_set
    steps_per_epoch = count_steps_per_epoch(experiment, image_set)
    with strategy.scope():
        model = create_model(experiment, len(image_set.class_names), steps_per_epoch)
        if experiment.initial_weights and is_new:
            transfer = training.transfer_weights(
                model, experiment.initial_weights, image_set.class_names
            )
            if training.is_chief(strategy):
                terminal.note(_describe_transfer(experiment.initial_weights, transfer))
    return model


def _train(
    experiment, run_data, model, strategy, model_dir, evaluator=None, displays=()
):
    """Trains to the end; with an `evaluator` as the machine that writes the folder."""
    image_set = run_data.training_set
    is_chief = evaluator is not None
    checkpoints = training.Checkpoints(
        model,
        _locate_checkpoints(model_dir),
        keep=experiment.keep_checkpoints,
        identity=list_fixed_parts(experiment, run_data, model),
        best_metric=experiment.best_metric if is_chief else None,
        is_writer=is_chief,
    )
    callbacks = [
        training.HistoryCsv(os.path.join(model_dir, "history.csv")),
        training.TimingsCsv(os.path.join(model_dir, "timings.csv")),
        training.TensorBoardScalars(os.path.join(model_dir, "tensorboard")),
        *displays,
    ]
    return training.train(
        model,
        functools.partial(make_dataset, experiment, image_set),
        strategy=strategy,
        epochs=experiment.epochs,
        steps_per_epoch=count_steps_per_epoch(experiment, image_set),
        checkpoints=checkpoints,
        augment=make_augment(experiment),
        save_every=experiment.save_every,
        callbacks=callbacks if is_chief else [],
        evaluate=evaluator,
        evaluate_every=experiment.evaluate_every,
        dump_dir=model_dir if is_chief else None,
        explain_input_error=functools.partial(
            explain_input_error, experiment, image_set
        ),
    )


def _locate_checkpoints(model_dir: str) -> str:
    return os.path.join(model_dir, "checkpoints")


def _export(experiment, model, class_names, model_dir):
    averaged = training.keeps_ema(model)
    weights = read_weights(_locate_checkpoints(model_dir), averaged=averaged)
    with _exported_weights(model):
        export_model(
            experiment,
            model,
            class_names,
            os.path.join(model_dir, "saved_model"),
            card=describe_model(experiment, class_names, model_dir, weights),
        )


def _exported_weights(model):
    """The moving averages where the run keeps them: they are what it kept them for."""
    if training.keeps_ema(model):
        return training.ema_weights(model)
    return contextlib.nullcontext()


def _describe_transfer(path, transfer) -> str:
    text = f"weights of step {transfer.step} from {path}"
    if not transfer.remade:
        return f"{text}, all of them: the classes are the same"
    return f"{text}; new for these classes: {', '.join(transfer.remade)}"


def _show_findings(findings: data.Findings, model_dir: str, terminal: Terminal):
    """Says what was noted, and where the list of all that was left out lies."""
    for note in findings.notes:
        terminal.note(f"note: {note}")
    if findings.unannotated:
        terminal.warn(findings.describe_unannotated())
    path = os.path.join(model_dir, "left_out.csv")
    if findings.problems:
        data.write_problems(path, findings.problems)
        problems = data.merge_equal(findings.problems)[:_SHOWN_PROBLEMS]
        terminal.warn(
            f"skipped: {count(len(findings.problems), 'problem')}; the images "
            f"concerned are left out, see {path}"
        )
        for problem in problems:
            terminal.warn(f"  {problem}")
    elif os.path.exists(path):
        # Of an earlier start, before the data were corrected.
        os.remove(path)


def _write_text(path: str, text: str) -> None:
    with open_new(path) as file:
        file.write(text)
