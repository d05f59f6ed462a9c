"""As `readers`, of Open Images, LVIS and a detector's boxes."""

import os
from collections.abc import Callable

from ehsod_tf import data


def read_lvis(
    data_dir: str,
    annotation_file: str,
    image_dir: str,
    class_names: tuple[str, ...] | None = None,
    findings: data.Findings | None = None,
):
    """An LVIS JSON and COCO's images, by paths below `data_dir`."""
    return data.read_lvis(
        os.path.join(data_dir, annotation_file),
        os.path.join(data_dir, image_dir),
        class_names=class_names,
        findings=findings,
    )


def read_open_images(
    data_dir: str,
    image_dir: str,
    boxes_csv: str | None = None,
    labels_csv: str | None = None,
    classes_csv: str | None = None,
    hierarchy_json: str | None = None,
    class_names: tuple[str, ...] | None = None,
    findings: data.Findings | None = None,
):
    """Open Images' tables and images, by paths below `data_dir`."""
    tables = {
        "boxes_csv": boxes_csv,
        "labels_csv": labels_csv,
        "classes_csv": classes_csv,
        "hierarchy_json": hierarchy_json,
    }
    return data.read_open_images(
        os.path.join(data_dir, image_dir),
        **{name: os.path.join(data_dir, p) for name, p in tables.items() if p},
        class_names=class_names,
        findings=findings,
    )


def read_machine_boxes(
    source: Callable,
    data_dir: str,
    results_file: str,
    keep: str = "threshold",
    score_threshold: float = 0.5,
    class_names: tuple[str, ...] | None = None,
    findings: data.Findings | None = None,
):
    """Another source with a detector's boxes, by a path below `data_dir`."""
    return data.read_machine_boxes(
        source,
        os.path.join(data_dir, results_file),
        keep=keep,
        score_threshold=score_threshold,
        class_names=class_names,
        findings=findings,
    )


READERS = (read_lvis, read_open_images, read_machine_boxes)
