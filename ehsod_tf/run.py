"""A run from data to detector, and the folder that it leaves.

The run folder holds ``operative_config.gin``, ``split.json``, ``history.csv``,
``checkpoints/``, TensorBoard events, ``metrics.json``, ``detections.json``,
``saved_model/`` and ``report.html``; where records of the data set were left out, also
``left_out.csv``. Of a run on several machines, the first one writes it; the others read
the checkpoints, so that the folder must be one that all of them see.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable

import tensorflow as tf

from ehsod_tf import data, evaluation, training, visualization
from ehsod_tf.experiment import Experiment, RunData, make_detector
from ehsod_tf.modeling import Ehsod

_SHOWN_PROBLEMS = 10


def train_run(
    experiment: Experiment,
    model_dir: str,
    config_text: Callable[[], str],
    strategy: tf.distribute.Strategy,
) -> dict:
    """Trains, evaluates, exports and reports.

    Args:
        experiment: what to do.
        model_dir: the run folder; a run that was cut off goes on from its newest
            checkpoint.
        config_text: returns the configuration to be recorded.
        strategy: from `training.create_strategy`.

    Returns:
        The final figures, as in ``metrics.json``; {} on all machines but the first.

    Raises:
        EhsodError: see `Experiment.load_data`, `training.train`, `Checkpoints`.
        Interrupted: a signal came; the run has been saved.
    """
    is_chief = training.is_chief(strategy)
    findings = data.Findings()
    run_data = experiment.load_data(findings)
    if is_chief:
        os.makedirs(model_dir, exist_ok=True)
        _tell_findings(findings, model_dir)
        print(data.describe_supervision(run_data.training_set), flush=True)
        data.write_split(os.path.join(model_dir, "split.json"), run_data.split)
        print(_describe_scale(experiment, strategy), flush=True)

    model = _create_model(experiment, run_data, strategy, model_dir)
    if not is_chief:
        _train(experiment, run_data, model, strategy, model_dir)
        return {}
    _write_text(os.path.join(model_dir, "operative_config.gin"), config_text())
    evaluator = _Evaluator(experiment, model, run_data.evaluation_set, model_dir)
    history = _train(experiment, run_data, model, strategy, model_dir, evaluator)
    if evaluator.results is None:
        # The run was complete already; its figures are made again.
        evaluator()
    print(evaluation.format_figures(evaluator.figures), flush=True)
    with _exported_weights(model):
        experiment.export(
            model,
            run_data.training_set.class_names,
            os.path.join(model_dir, "saved_model"),
        )
    # Once more, now that everything has been called and recorded.
    _write_text(os.path.join(model_dir, "operative_config.gin"), config_text())
    visualization.write_report(
        os.path.join(model_dir, "report.html"),
        title=os.path.basename(os.path.abspath(model_dir)),
        figures=evaluator.figures,
        history=history,
        supervision_text=data.describe_supervision(run_data.training_set),
        samples=visualization.draw_samples(run_data.evaluation_set, evaluator.results),
        config_text=config_text(),
    )
    return evaluator.figures


class _Evaluator:
    """Evaluates the model as it is, and its moving averages where it has any.

    Attributes:
        figures: the latest; those of the averages are called ``ema_…``.
        results: the latest detections, of the weights themselves.
    """

    def __init__(self, experiment, model, image_set, model_dir):
        self.figures, self.results = {}, None
        self._experiment = experiment
        self._model = model
        # Reads the weights as they are at each call, averaged ones too.
        self._detector = make_detector(model)
        self._image_set = image_set
        self._model_dir = model_dir

    def __call__(self) -> dict:
        figures, self.results = self._evaluate()
        if training.keeps_ema(self._model):
            with training.ema_weights(self._model):
                averaged, _ = self._evaluate()
            del averaged["per_class"]
            figures |= {f"ema_{name}": value for name, value in averaged.items()}
        self.figures = figures
        self._experiment.write_evaluation(
            self._model_dir, figures, self.results, self._image_set
        )
        return figures

    def _evaluate(self):
        return self._experiment.evaluate(self._detector, self._image_set)


def _create_model(experiment, run_data, strategy, model_dir) -> Ehsod:
    """Builds and compiles the model, from another run's weights where so configured.

    A run that goes on has them in its own checkpoints; theirs may be gone by then.
    """
    is_new = not training.has_checkpoints(_locate_checkpoints(model_dir))
    image_set = run_data.training_set
    steps_per_epoch = experiment.count_steps_per_epoch(image_set)
    with strategy.scope():
        model = experiment.create_model(len(image_set.class_names), steps_per_epoch)
        if experiment.initial_weights and is_new:
            transfer = training.transfer_weights(
                model, experiment.initial_weights, image_set.class_names
            )
            if training.is_chief(strategy):
                print(_describe_transfer(experiment.initial_weights, transfer))
    return model


def _train(experiment, run_data, model, strategy, model_dir, evaluator=None):
    """Trains to the end; with an `evaluator` as the machine that writes the folder."""
    image_set = run_data.training_set
    is_chief = evaluator is not None
    checkpoints = training.Checkpoints(
        model,
        _locate_checkpoints(model_dir),
        keep=experiment.keep_checkpoints,
        identity=_identify(experiment, run_data, model),
        best_metric=experiment.best_metric if is_chief else None,
        is_writer=is_chief,
    )
    callbacks = [
        training.ProgressDisplay(),
        training.HistoryCsv(os.path.join(model_dir, "history.csv")),
        training.TensorBoardScalars(os.path.join(model_dir, "tensorboard")),
    ]
    return training.train(
        model,
        lambda start_step, host_index, num_hosts: experiment.make_dataset(
            image_set, start_step, host_index, num_hosts
        ),
        strategy=strategy,
        epochs=experiment.epochs,
        steps_per_epoch=experiment.count_steps_per_epoch(image_set),
        checkpoints=checkpoints,
        save_every=experiment.save_every,
        callbacks=callbacks if is_chief else [],
        evaluate=evaluator,
        evaluate_every=experiment.evaluate_every,
        dump_dir=model_dir if is_chief else None,
        explain_input_error=lambda step: experiment.explain_input_error(
            image_set, step
        ),
    )


def _locate_checkpoints(model_dir: str) -> str:
    return os.path.join(model_dir, "checkpoints")


def _identify(experiment: Experiment, run_data: RunData, model: Ehsod) -> dict:
    """The settings that a run must keep in order to go on."""
    ids = json.dumps(run_data.split.strong_image_ids).encode()
    return {
        **experiment.list_fixed_settings(),
        "class_names": run_data.training_set.class_names,
        "training_images": len(run_data.training_set.image_ids),
        "split_sha256": hashlib.sha256(ids).hexdigest(),
        "criterion": vars(model.criterion),
        "selector": vars(model.selector),
        "optimizer": model.optimizer.get_config(),
    }


def _exported_weights(model):
    """The moving averages where the run keeps them: they are what it kept them for."""
    if training.keeps_ema(model):
        return training.ema_weights(model)
    return contextlib.nullcontext()


def _describe_scale(experiment, strategy) -> str:
    return (
        f"{training.describe_strategy(strategy)}, batch {experiment.batch_size}: "
        f"learning rate {experiment.scaled_learning_rate:g} "
        f"({experiment.learning_rate:g} for a batch of "
        f"{experiment.reference_batch_size})"
    )


def _describe_transfer(path, transfer) -> str:
    text = f"weights of step {transfer.step} from {path}"
    if not transfer.remade:
        return f"{text}, all of them: the classes are the same"
    return f"{text}; new for these classes: {', '.join(transfer.remade)}"


def _tell_findings(findings: data.Findings, model_dir: str) -> None:
    """Prints the notes, and where the list of all that was left out lies."""
    for note in findings.notes:
        print(f"note: {note}")
    path = os.path.join(model_dir, "left_out.csv")
    if findings.problems:
        data.write_problems(path, findings.problems)
        print(
            f"skipped: {len(findings.problems)} problems; the images concerned are "
            f"left out, see {path}"
        )
        for problem in findings.problems[:_SHOWN_PROBLEMS]:
            print(f"  {problem}")
    elif os.path.exists(path):
        # Of an earlier start, before the data were mended.
        os.remove(path)


def _write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
