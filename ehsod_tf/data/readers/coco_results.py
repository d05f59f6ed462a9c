"""A detector's answers in COCO's results form: a JSON list of scored boxes."""

import json
import math
from reprlib import repr as shorten
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.coco_json import describe_bad_box
from ehsod_tf.data.readers.json_files import to_number
from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError


class ScoredBoxes(NamedTuple):
    """The records of a file.

    Attributes:
        image_ids: n ids, None where a record has a name alone.
        file_names: n names, None where a record has an id alone.
        category_ids, category_names: likewise of the classes.
        boxes: [n, 4] float64, yxyx in pixels.
        scores: [n] float64 in [0, 1].
    """

    image_ids: list[int | None]
    file_names: list[str | None]
    category_ids: list[int | None]
    category_names: list[str | None]
    boxes: np.ndarray
    scores: np.ndarray


def read_results(path: str, findings: Findings) -> ScoredBoxes:
    """Reads a results file; a record that is wrong is a problem and is left out.

    An image does not suffer from a detector's bad record: what it has is not complete
    anyway.

    Raises:
        DataError: the file cannot be read or is no JSON list.
    """
    text = read_text(path)
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: not valid JSON ({error}); write or fetch the file anew"
        ) from error
    if not isinstance(records, list):
        raise DataError(
            f"{path}: not a list of scored boxes, as COCO results are, but "
            f"{shorten(records)}; write or fetch the file anew"
        )
    rows = []
    for position, record in enumerate(records):
        if fault := _find_fault(record):
            findings.add(path, f"entry {position}", *fault)
        else:
            rows.append(record)
    x, y, width, height = (
        np.array([record["bbox"] for record in rows], np.float64).reshape(-1, 4).T
    )
    return ScoredBoxes(
        [record.get("image_id") for record in rows],
        [record.get("file_name") for record in rows],
        [record.get("category_id") for record in rows],
        [record.get("category_name") for record in rows],
        np.stack([y, x, y + height, x + width], axis=1),
        np.array([record["score"] for record in rows], np.float64),
    )


def _find_fault(record: object) -> tuple[str, str] | None:
    """The field of a record that is wrong, and what is wrong with it."""
    if not isinstance(record, dict):
        return "", f"{shorten(record)} is no record of a box; correct or remove it"
    for number, name in (("image_id", "file_name"), ("category_id", "category_name")):
        if record.get(name) is not None:
            if not isinstance(record[name], str):
                return name, f"{shorten(record[name])} is no name; correct it"
        elif type(record.get(number)) is not int:
            return number, f"{shorten(record.get(number))} is no id; correct it"
    box = record.get("bbox")
    sides = list(map(to_number, box)) if isinstance(box, list) else []
    if len(sides) != 4 or any(map(math.isnan, sides)):
        return "bbox", describe_bad_box(box)
    if min(sides[2:]) < 0:
        return "bbox", f"{box} has a negative width or height; correct or remove it"
    score = record.get("score")
    # Written so that a NaN fails too.
    if not 0 <= to_number(score) <= 1:
        return "score", f"{shorten(score)} is not from 0 to 1; correct it"
    return None
