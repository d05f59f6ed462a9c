"""Several runs on one page."""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf import data, evaluation, visualization
from ehsod_tf.errors import ConfigError
from ehsod_tf.runs.data import load_data
from ehsod_tf.runs.diagnosis import (
    choose_differing,
    diagnose,
    give_verdicts,
    rate_images,
)
from ehsod_tf.runs.report import (
    choose_metrics,
    load_picture,
    read_figures,
    read_history,
    read_results,
)
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import ImageSet

_BINDING = re.compile(r"^([\w/.]+) = ?(.*)$")


class _Loaded(NamedTuple):
    run: visualization.ComparedRun
    results: evaluation.Results
    matches: evaluation.Matches
    png_bits: int


def compare_runs(
    model_dirs: Sequence[str],
    load: Callable[[str], tuple[Experiment, str]],
    output: str | os.PathLike,
) -> None:
    """Writes the page that sets runs on the same evaluation images side by side.

    Args:
        model_dirs: the run folders, with ``metrics.json``, ``detections.json`` and
            ``history.csv``.
        load: returns the settings of a run folder and their text. A run is read before
            the next one is loaded.
        output: the page to write.

    Raises:
        ConfigError: there are too many runs, one is named twice, or they were
            evaluated on other images or classes.
        DataError: a file is missing or damaged, or a data set is.
    """
    names = _name_runs(model_dirs)
    image_set, loaded = None, []
    for model_dir, name in zip(model_dirs, names, strict=True):
        own_set, one = _load_run(model_dir, name, *load(model_dir))
        if image_set is None:
            image_set = own_set
        _require_same_images(image_set, own_set, model_dirs[0], model_dir)
        loaded.append(one)
    detectors = [
        (one.results, give_verdicts(one.results, one.matches)) for one in loaded
    ]
    galleries = choose_differing(
        image_set,
        [_rate(image_set, one) for one in loaded],
        lambda row, note: load_picture(
            image_set,
            row,
            detectors,
            key=f"image-{row}",
            note=note,
            png_bits=loaded[0].png_bits,
        ),
        names,
    )
    title = " against ".join(names)
    visualization.write_comparison(
        output, title, [one.run for one in loaded], galleries
    )


def parse_settings(config_text: str) -> dict[str, str]:
    """The bindings of an operative configuration, {name: value} as text."""
    settings: dict[str, str] = {}
    name = None
    for line in config_text.splitlines():
        match = _BINDING.match(line)
        if match:
            name = match[1]
            settings[name] = match[2].strip(" \\")
        elif not line.strip() or line.startswith(("#", "import ", "include ")):
            name = None
        elif name:
            more = line.strip(" \\")
            settings[name] = f"{settings[name]} {more}".strip()
    return settings


def _load_run(model_dir, name, experiment, config_text):
    figures, history = read_figures(model_dir), read_history(model_dir)
    run_data = load_data(experiment, data.Findings())
    image_set = run_data.evaluation_set
    results = read_results(model_dir, image_set)
    matches = evaluation.match_detections(image_set, results)
    run = visualization.ComparedRun(
        name,
        figures,
        data.summarize(run_data.training_set),
        diagnose(image_set, results, matches, choose_metrics(figures)),
        history,
        parse_settings(config_text),
        run_data.num_shared,
    )
    return image_set, _Loaded(run, results, matches, experiment.png_bits)


def _rate(image_set, one):
    point = one.run.diagnosis.point
    min_score = point.score if point else visualization.DEFAULT_SCORE
    return rate_images(image_set, one.results, one.matches, min_score)


def _name_runs(model_dirs):
    if len(model_dirs) > visualization.MAX_RUNS:
        raise ConfigError(
            f"{len(model_dirs)} runs are too many for one page; compare at most "
            f"{visualization.MAX_RUNS}"
        )
    paths = [os.path.abspath(model_dir) for model_dir in model_dirs]
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(f"{path} is named twice; name each run once")
    names = [os.path.basename(path) for path in paths]
    return names if len(set(names)) == len(names) else list(model_dirs)


def _require_same_images(first: ImageSet, other: ImageSet, first_dir, other_dir):
    if first.class_names != other.class_names:
        raise ConfigError(
            f"{other_dir} has other classes than {first_dir}; compare runs of the same "
            "classes in the same order"
        )
    for column in ("image_ids", "row_splits", "boxes", "classes", "ignored"):
        if not np.array_equal(getattr(first, column), getattr(other, column)):
            raise ConfigError(
                f"{other_dir} was evaluated on other images or boxes than {first_dir}; "
                "evaluate both on the same set (ehsod evaluate --output_dir)"
            )
