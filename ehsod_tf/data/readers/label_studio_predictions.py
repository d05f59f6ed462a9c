"""A machine's boxes in Label Studio's JSON, apart from people's: as COCO results."""

import os

from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, collects_or_raises, format_problems
from ehsod_tf.data.readers.image_folder import FileIndex, list_image_files
from ehsod_tf.data.readers.json_files import load_json, to_number
from ehsod_tf.data.readers.label_studio_addresses import find_address, locate_image
from ehsod_tf.data.readers.label_studio_results import ResultError, read_results
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count


@collects_or_raises
def read_predictions(
    json_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    findings: Findings,
) -> list[dict]:
    """Reads the predictions of tasks as records of COCO results.

    A record has ``file_name``, ``category_name``, ``bbox`` and ``score``: that of the
    region, or else that of the prediction. Of several predictions of a task, the one
    made last is taken.

    Args:
        json_file: see `read_label_studio`.
        image_dir: see `read_label_studio`; names are relative to it.
        findings: takes the problems and notes; None raises and warns instead.

    Raises:
        DataError: the file cannot be read, or has no prediction; without `findings`,
            also any problem of a single task.
    """
    path = os.fspath(json_file)
    index = FileIndex(list_image_files(os.fspath(image_dir), findings))
    content = load_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: not a list of tasks; export the project as 'JSON'")
    records: list[dict] = []
    nowhere = []
    for number, task in enumerate(content):
        place = f"tasks[{number}]"
        try:
            predictions = _list_predictions(task)
            if not predictions:
                continue
            address = find_address(task)
            name = locate_image(address, index)
            if name is None:
                nowhere.append(address)
                continue
            records += _list_records(max(predictions, key=_date), name)
        except ResultError as error:
            within, field, message = error.args
            place = ", ".join(part for part in (place, within) if part)
            findings.add(path, place, field, message)
    index.note(path, findings)
    if nowhere:
        findings.note(
            f"{path}: of {count(len(nowhere), 'task')} with predictions the image is "
            f"not in {os.fspath(image_dir)} ({name_first(nowhere)})"
        )
    if not records:
        problems = findings.problems
        raise DataError(
            f"{path}: no task has a prediction with a region"
            + (f"; {format_problems(problems)}" if problems else "")
        )
    return records


def _list_predictions(task: object) -> list[dict]:
    if not isinstance(task, dict):
        raise ResultError("", "", "not a task; correct or remove it")
    predictions = task.get("predictions") or []
    if not isinstance(predictions, list) or not all(
        isinstance(prediction, dict) and isinstance(prediction.get("result"), list)
        for prediction in predictions
    ):
        message = "is not a list of predictions, each with a list 'result'; correct it"
        raise ResultError("", "predictions", message)
    return predictions


def _date(prediction: dict) -> str:
    date = prediction.get("updated_at") or prediction.get("created_at")
    return date if isinstance(date, str) else ""


def _list_records(prediction: dict, name: str) -> list[dict]:
    records = []
    size = None
    for number, result in enumerate(prediction["result"], start=1):
        found = read_results([result], size)
        size = found.size if all(found.size) else size
        if not found.objects:
            continue
        score = to_number(result.get("score", prediction.get("score")))
        # Written so that a NaN fails too.
        if not 0 <= score <= 1:
            message = "is no number from 0 to 1; a machine's box needs one"
            raise ResultError(f"result {number}", "score", message)
        for item in found.objects:
            ymin, xmin, ymax, xmax = item.box
            records.append(
                {
                    "file_name": name,
                    "category_name": item.class_name,
                    "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                    "score": score,
                }
            )
    return records
