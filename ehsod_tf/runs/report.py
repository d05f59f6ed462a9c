"""The report of a run, at its end or later from the files of its folder."""

import csv
import json
import os
from collections.abc import Mapping, Sequence

from ehsod_tf import data, evaluation, visualization
from ehsod_tf.errors import DataError
from ehsod_tf.runs.data import RunData, load_data
from ehsod_tf.runs.settings import Experiment


def write_report(
    model_dir: str,
    *,
    run_data: RunData,
    figures: Mapping,
    results: evaluation.Results,
    history: Sequence[Mapping],
    config_text: str,
) -> str:
    """Writes ``report.html`` into the run folder and returns its path.

    Args:
        model_dir: the run folder.
        run_data: the images of the run.
        figures: the final ones.
        results: the detections on the evaluation images.
        history: a row for each epoch.
        config_text: the operative configuration.
    """
    path = os.path.join(model_dir, "report.html")
    visualization.write_report(
        path,
        title=os.path.basename(os.path.abspath(model_dir)),
        figures=figures,
        history=history,
        supervision_text=data.describe_supervision(run_data.training_set),
        samples=visualization.draw_samples(run_data.evaluation_set, results),
        config_text=config_text,
    )
    return path


def remake_report(experiment: Experiment, model_dir: str, config_text: str) -> str:
    """As `write_report`, from ``metrics.json``, ``detections.json``, ``history.csv``.

    Raises:
        DataError: one of these files is missing or damaged, or the data set is.
    """
    figures = _read(model_dir, "metrics.json", json.load)
    history = _read(model_dir, "history.csv", lambda file: list(csv.DictReader(file)))
    run_data = load_data(experiment, data.Findings())
    results = evaluation.read_detections(
        os.path.join(model_dir, "detections.json"), run_data.evaluation_set
    )
    return write_report(
        model_dir,
        run_data=run_data,
        figures=figures,
        results=results,
        history=history,
        config_text=config_text,
    )


def _read(model_dir, name, parse):
    path = os.path.join(model_dir, name)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return parse(file)
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; a run writes it at its evaluations"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON ({error}); evaluate the run again"
        ) from error
