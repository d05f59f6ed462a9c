"""The page of a run: what was learnt, from what, where it fails, and how it went."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.visualization.charts import (
    MAX_SERIES,
    Series,
    draw_lines,
    draw_ranking,
    draw_scatter,
    draw_stacks,
)
from ehsod_tf.visualization.figure_names import EXPLANATIONS, LEADING
from ehsod_tf.visualization.heat_maps import Explained, draw_maps, draw_proposals
from ehsod_tf.visualization.history_charts import draw_history, draw_teacher
from ehsod_tf.visualization.pictures import Gallery
from ehsod_tf.visualization.rendering import Bar, Shade, write_page
from ehsod_tf.visualization.supervision_text import (
    describe_evaluation,
    describe_training,
)
from ehsod_tf.wording import count

# From which score detections are shown where no better one is known.
DEFAULT_SCORE = 0.3
_MOST_CONFUSED = 20

ERROR_NAMES = {
    "classification": "wrong class",
    "localisation": "bad box",
    "both": "class and box wrong",
    "duplicate": "object found twice",
    "background": "nothing there",
    "missed": "object not found",
}

# By what is known of a training image, in the order of the page.
_MAP_HEADINGS = {
    "strong": "Strong images: the boxes are known.",
    "partly": "Images boxed in part: where there is no box, there may be an object.",
    "machine": "Images with boxes that a detector drew, not people.",
    "weak": "Weak images: only the labels are known.",
}


class Diagnosis(NamedTuple):
    """Where a detector is right and where not; see `ehsod_tf.evaluation`.

    Attributes:
        figure: what the curves are of, as `per_class` calls it.
        curves: {class name: (recalls, precisions)}.
        errors: `ErrorKind`s.
        point: `OperatingPoint`, or None.
        confusions: [K + 1, K + 1] at the score of `point`, or None.
        num_images: evaluation images.
        num_objects: [K] objects in them.
    """

    figure: str
    curves: Mapping
    errors: Sequence
    point: tuple | None
    confusions: np.ndarray | None
    num_images: int
    num_objects: np.ndarray


class LeftOut(NamedTuple):
    """What readers and checks left out of the data, and what they noted.

    Attributes:
        problems: (file, record, field, message) each.
        notes: one line each.
    """

    problems: Sequence[tuple[str, str, str, str]] = ()
    notes: Sequence[str] = ()


class RunReport(NamedTuple):
    """All that a report says.

    Attributes:
        title: heading of the page.
        figures: as `ehsod_tf.evaluation.evaluate` returns them.
        summary: `ehsod_tf.data.DataSetSummary` of the training images.
        diagnosis: of the evaluation images.
        galleries: pictures of evaluation images with what was found.
        explained: training images with class maps; may be empty.
        history: rows as in ``history.csv``: numbers or their text.
        timings: rows as in ``timings.csv``: numbers or their text; may be empty.
        left_out: of both sets.
        config_text: the operative configuration.
        num_shared: evaluation images that are training images too.
    """

    title: str
    figures: Mapping
    summary: tuple
    diagnosis: Diagnosis
    galleries: Sequence[Gallery]
    explained: Sequence[Explained]
    history: Sequence[Mapping]
    timings: Sequence[Mapping]
    left_out: LeftOut
    config_text: str
    num_shared: int = 0


def write_report(path: str | os.PathLike, report: RunReport) -> None:
    """Writes the report of a run as one HTML file that asks for no other."""
    point = report.diagnosis.point
    kinds = _group_by_kind(report.explained)
    write_page(
        path,
        "report.html",
        script_name="scores.js",
        title=report.title,
        report=report,
        training=describe_training(report.summary),
        evaluation=describe_evaluation(report.diagnosis.num_images, report.num_shared),
        threshold=point.score if point else DEFAULT_SCORE,
        leading=list_tiles(report.figures, leading=True),
        others=list_tiles(report.figures, leading=False),
        class_table=_list_classes(report),
        boxes_chart=_draw_ap_over_boxes(report),
        curves_chart=draw_curves(report.diagnosis, report.figures),
        errors_chart=_draw_errors(report.diagnosis.errors),
        confusion=_shade_confusions(report),
        map_rows=[
            (
                _MAP_HEADINGS[kind],
                [draw_maps(image, report.summary.class_names) for image in images],
            )
            for kind, images in kinds.items()
        ],
        proposals=[
            draw_proposals(explained, f"proposals-{number}")
            for number, explained in enumerate(
                image for images in kinds.values() for image in images[:2]
            )
        ],
        teacher_charts=draw_teacher(report.history),
        history_charts=draw_history(report.history),
        timing_chart=_draw_timings(report.timings),
    )


def list_tiles(figures: Mapping, *, leading: bool) -> list[tuple]:
    """(name, value, explanation) of the figures that lead, or of all others."""
    return [
        (name, value, EXPLANATIONS.get(name, ""))
        for name, value in figures.items()
        if name != "per_class" and (name in LEADING) == leading
    ]


def draw_curves(diagnosis: Diagnosis, figures: Mapping):
    """Precision over recall: every class, or of many the best and the worst ones."""
    values = {
        name: figures["per_class"][name][diagnosis.figure] for name in diagnosis.curves
    }
    names = sorted(values, key=values.get, reverse=True)
    note = f"at IoU 0.5; {diagnosis.figure} beside the name"
    if len(names) > MAX_SERIES:
        note = f"the three best and the three worst of {len(names)} classes; {note}"
        names = names[:3] + names[-3:]
    series = [
        Series(
            name,
            *map(list, diagnosis.curves[name]),
            note=f"{values[name]:.4f}",
        )
        for name in names
        if len(diagnosis.curves[name][0])
    ]
    if not series:
        return None
    return draw_lines(
        "Precision", series, "recall", note=note, y_max=1.0, y_name="precision"
    )


def _list_classes(report):
    """Header and rows: what was known of each class, and what was learnt."""
    summary, figures = report.summary, report.figures["per_class"]
    columns = list(next(iter(figures.values()), {}))
    columns = [column for column in columns if column != "num_objects"]
    counts = {
        "images with boxes": summary.boxed_images,
        "images with labels": summary.other_images,
        "boxes": summary.boxes,
    }
    if summary.machine_boxes.any():
        counts["a detector's boxes"] = summary.machine_boxes
    header = ["class", *counts, "objects to find", *columns]
    rows = [
        [
            name,
            *(int(values[k]) for values in counts.values()),
            int(report.diagnosis.num_objects[k]),
            *(Bar(figures[name][column]) for column in columns),
        ]
        for k, name in enumerate(summary.class_names)
    ]
    return header, rows


def _draw_ap_over_boxes(report):
    per_class = report.figures["per_class"]
    figure = "AP" if "AP" in next(iter(per_class.values()), {}) else "ap50_area"
    points = [
        (name, int(report.summary.boxes[k]), per_class[name][figure])
        for k, name in enumerate(report.summary.class_names)
        if per_class[name].get(figure) is not None
    ]
    if not points:
        return None
    return draw_scatter(
        f"{figure} against boxes",
        "a point for each class; few boxes and a low figure: draw more boxes here",
        points,
        "boxes",
        figure,
    )


def _draw_errors(errors):
    rows = [
        (
            ERROR_NAMES[error.name],
            100 * error.cost,
            f"{100 * error.cost:.2f} ({error.count:,})",
        )
        for error in errors
    ]
    return draw_ranking(
        "What each kind of error costs",
        "points of AP50 that would be gained if it alone were put right (how many)",
        rows,
        None,
    )


def _shade_confusions(report):
    """Columns and rows of the heat map; of many classes the most confused ones."""
    confusions = report.diagnosis.confusions
    if confusions is None:
        return None
    names = [*report.summary.class_names, "background"]
    wrong = confusions - np.diag(np.diag(confusions))
    weight = wrong[:-1, :-1].sum(axis=0) + wrong[:-1, :-1].sum(axis=1)
    most = np.argsort(-weight, kind="stable")[:_MOST_CONFUSED]
    shown = [*sorted(most.tolist()), len(names) - 1]
    rows = []
    for row in shown:
        total = int(confusions[row].sum())
        cells = [
            _shade(names, row, column, int(confusions[row, column]), total)
            for column in shown
        ]
        rows.append((f"{names[row]} ({total:,})", cells))
    return [names[k] for k in shown], rows, len(names) - 1 - len(most)


def _shade(names, row, column, number, total):
    background = len(names) - 1
    if row == column == background:
        return Shade("", 0.0, "")
    objects = count(total, "object")
    if row == background:
        hint = f"{count(number, 'detection')} of {names[column]} where there is nothing"
    elif column == background:
        hint = f"{number:,} of {objects} of {names[row]} not found"
    else:
        hint = f"{number:,} of {objects} of {names[row]} as {names[column]}"
    share = number / total if total else 0.0
    return Shade(f"{number:,}" if number else "", share, hint)


def _group_by_kind(explained):
    """{kind: its images}, without the kinds that have none."""
    kinds = {
        kind: [image for image in explained if image.kind == kind]
        for kind in _MAP_HEADINGS
    }
    return {kind: images for kind, images in kinds.items() if images}


def _draw_timings(timings):
    if not timings:
        return None
    names = {
        "input_seconds": "waiting for images",
        "step_seconds": "steps",
        "evaluation_seconds": "evaluation",
        "other_seconds": "checkpoints and the rest",
    }
    return draw_stacks(
        "Time of each epoch",
        "the first step of a start includes the tracing of the graph",
        [int(row["epoch"]) for row in timings],
        {
            name: [float(row[column] or 0) for row in timings]
            for column, name in names.items()
        },
        "epoch",
        "s",
    )
