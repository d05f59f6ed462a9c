"""The report of a run, at its end or later from the files of its folder."""

import csv
import json
import os
from collections.abc import Mapping, Sequence

from PIL import Image

from ehsod_tf import data, evaluation, training, visualization
from ehsod_tf.errors import DataError
from ehsod_tf.modeling import Ehsod
from ehsod_tf.runs.data import RunData, load_data
from ehsod_tf.runs.diagnosis import (
    choose_galleries,
    diagnose,
    give_verdicts,
    rate_images,
)
from ehsod_tf.runs.explanations import explain_images
from ehsod_tf.runs.model import restore_model
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import ImageSet


def write_report(
    model_dir: str,
    *,
    experiment: Experiment,
    run_data: RunData,
    findings: data.Findings,
    figures: Mapping,
    results: evaluation.Results,
    history: Sequence[Mapping],
    config_text: str,
    model: Ehsod | None,
) -> str:
    """Writes ``report.html`` into the run folder and returns its path.

    Args:
        model_dir: the run folder.
        experiment: the settings.
        run_data: the images of the run.
        findings: what reading them found.
        figures: the final ones.
        results: the detections on the evaluation images.
        history: a row for each epoch.
        config_text: the operative configuration.
        model: with the weights that the results are of; None leaves its class maps out.
    """
    image_set = run_data.evaluation_set
    matches = evaluation.match_detections(image_set, results)
    diagnosis = diagnose(image_set, results, matches, choose_metrics(figures))
    explained = []
    if model is not None:
        explained = explain_images(experiment, model, run_data.training_set)
    path = os.path.join(model_dir, "report.html")
    visualization.write_report(
        path,
        visualization.RunReport(
            title=os.path.basename(os.path.abspath(model_dir)),
            figures=figures,
            summary=data.summarize(run_data.training_set),
            diagnosis=diagnosis,
            galleries=show_images(
                image_set,
                results,
                matches,
                diagnosis.point,
                png_bits=experiment.png_bits,
            ),
            explained=explained,
            history=history,
            timings=read_timings(model_dir),
            left_out=visualization.LeftOut(
                findings.problems,
                [*findings.notes, *findings.describe_unannotated().splitlines()],
            ),
            config_text=config_text,
            num_shared=run_data.num_shared,
        ),
    )
    return path


def remake_report(experiment: Experiment, config_text: str, model_dir: str) -> str:
    """As `write_report`, from the files of the run folder.

    These are ``metrics.json``, ``detections.json``, ``history.csv``, and the newest
    checkpoint, without which the class maps are left out.

    Raises:
        DataError: one of these files is missing or damaged, or the data set is.
    """
    figures = read_figures(model_dir)
    history = read_history(model_dir)
    findings = data.Findings()
    run_data = load_data(experiment, findings)
    results = read_results(model_dir, run_data.evaluation_set)
    model = None
    if training.has_checkpoints(os.path.join(model_dir, "checkpoints")):
        num_classes = len(run_data.training_set.class_names)
        model = restore_model(experiment, model_dir, num_classes)
    return write_report(
        model_dir,
        experiment=experiment,
        run_data=run_data,
        findings=findings,
        figures=figures,
        results=results,
        history=history,
        config_text=config_text,
        model=model,
    )


def choose_metrics(figures: Mapping) -> str:
    """What the figures are: "coco", which may have VOC's beside them, or "voc"."""
    return "coco" if "AP50" in figures else "voc"


def read_figures(model_dir: str) -> dict:
    """The content of ``metrics.json``."""
    return _read(model_dir, "metrics.json", json.load)


def read_history(model_dir: str) -> list[dict]:
    """The rows of ``history.csv``."""
    return _read(model_dir, "history.csv", lambda file: list(csv.DictReader(file)))


def read_timings(model_dir: str) -> list[dict]:
    """The rows of ``timings.csv``; none of a run that has none."""
    if not os.path.exists(os.path.join(model_dir, "timings.csv")):
        return []
    return _read(model_dir, "timings.csv", lambda file: list(csv.DictReader(file)))


def read_results(model_dir: str, image_set: ImageSet) -> evaluation.Results:
    """The content of ``detections.json``."""
    path = os.path.join(model_dir, "detections.json")
    return evaluation.read_detections(path, image_set)


def show_images(
    image_set: ImageSet,
    results: evaluation.Results,
    matches: evaluation.Matches,
    point: evaluation.OperatingPoint | None,
    *,
    png_bits: int = 16,
) -> list[visualization.Gallery]:
    """The worst, the best and random images, rated at the operating point."""
    detectors = [(results, give_verdicts(results, matches))]
    min_score = point.score if point else visualization.DEFAULT_SCORE
    return choose_galleries(
        image_set,
        rate_images(image_set, results, matches, min_score),
        lambda row, note: load_picture(
            image_set,
            row,
            detectors,
            key=f"image-{row}",
            note=note,
            png_bits=png_bits,
        ),
    )


def load_picture(image_set: ImageSet, row: int, detectors, **details):
    """As `visualization.make_picture`; None of an image that cannot be read."""
    try:
        return visualization.make_picture(image_set, row, detectors, **details)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


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
