"""Reader of Label Studio's JSON: tasks, their annotations, and a machine's guesses."""

import os
from collections import Counter
from reprlib import repr as shorten
from typing import NamedTuple

from ehsod_tf.data import label_states
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import (
    AnnotatedImage,
    assemble_annotated_images,
    note_shapes_left_out,
)
from ehsod_tf.data.readers.image_folder import FileIndex, list_image_files
from ehsod_tf.data.readers.json_files import load_json
from ehsod_tf.data.readers.label_studio_addresses import (
    find_address,
    locate_image,
    read_address,
)
from ehsod_tf.data.readers.label_studio_results import (
    ResultError,
    Results,
    read_results,
)
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count


class _Task(NamedTuple):
    """What is known of one task.

    Attributes:
        record: what problems call it.
        name: of its image, relative to the image folder.
        results: of the annotation that is taken; None without one.
        is_sound: False where something is wrong.
    """

    record: str
    name: str
    results: Results | None
    is_sound: bool


@collects_or_raises
def read_label_studio(
    json_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    unlisted: str = "absent",
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads the export "JSON"; a task with regions is strong, one with choices weak.

    Rotated boxes, polygons and ellipses become the boxes around them; brushes and key
    points are counted in a note. Of several annotations of a task, the one marked as
    ground truth is taken, else the one that was changed last; cancelled ones never.
    ``predictions``, the boxes of a machine, are counted and never mixed with people's.

    Args:
        json_file: a list of tasks.
        image_dir: the folder of the images. An image is found by the end of its
            address, with or without the prefix that Label Studio puts before its name.
        class_names: selects and orders the classes. None takes all labels and choices,
            by name.
        unlisted: state of the classes that a task without regions does not choose,
            "absent" or "unknown".
        unannotated: what a task is that nobody has annotated, or with brushes and key
            points alone: "leave_out" or "empty". A task that was submitted without a
            region or choice shows nothing, if other tasks have regions.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, whose ids are made of their names.

    Raises:
        DataError: the file cannot be read or is another export, or a class name is
            unknown; without `findings`, also any problem of a single task.
        ConfigError: `unlisted` or `unannotated` is not one of its choices.
    """
    label_states.require_reading_choices(unlisted, unannotated)
    path, image_dir = os.fspath(json_file), os.fspath(image_dir)
    index = FileIndex(list_image_files(image_dir, findings))
    tasks = _read_tasks(path, index, findings)
    index.note(path, findings)
    boxing = any(task.results.objects for task in tasks if task.results)
    images = [_describe(task, image_dir, boxing) for task in tasks]
    names = {item.class_name for image in images for item in image.objects}
    names |= {name for image in images for name in image.labels}
    _note_oddities(tasks, boxing, path, findings)
    return assemble_annotated_images(
        images,
        sorted(names),
        class_names=class_names,
        source=path,
        unannotated=unannotated,
        unlisted=unlisted,
        findings=findings,
    )


def _read_tasks(path: str, index: FileIndex, findings: Findings) -> list[_Task]:
    content = load_json(path)
    if not isinstance(content, list):
        raise DataError(
            f"{path}: not a list of tasks; export the project as 'JSON', or give the "
            "file of another form by its own flag"
        )
    if content and not any(isinstance(t, dict) and "data" in t for t in content):
        raise DataError(
            f"{path}: its tasks have no 'data'; export the project as 'JSON', not as "
            "'JSON-MIN'"
        )
    tasks, several, guessed, unmatched = [], [], [], []
    for number, task in enumerate(content, start=1):
        record = f"tasks[{number - 1}]"
        try:
            if not isinstance(task, dict):
                raise ResultError("", "", "not a task; correct or remove it")
            if type(task.get("id")) is int:
                record = f"task {task['id']}"
            reference = find_address(task)
        except ResultError as error:
            findings.add(path, record, *error.args[1:])
            continue
        name = locate_image(reference, index)
        if name is None:
            unmatched.append(reference)
            name = os.path.basename(read_address(reference))
        try:
            annotation, num_others = _choose_annotation(task)
            results = None if annotation is None else read_results(annotation)
        except ResultError as error:
            place, field, message = error.args
            place = ", ".join(part for part in (record, place) if part)
            findings.add(path, place, field, message)
            tasks.append(_Task(record, name, None, False))
            continue
        several += [record] if num_others else []
        guessed += [record] if task.get("predictions") else []
        tasks.append(_Task(record, name, results, True))
    _note_choices(several, guessed, path, findings)
    return tasks


def _choose_annotation(task: dict) -> tuple[list | None, int]:
    """Returns the results to take, and how many annotations are not taken."""
    # Before version 1.0 they were called completions.
    given = task.get("annotations", task.get("completions", []))
    if not isinstance(given, list) or not all(isinstance(a, dict) for a in given):
        raise ResultError("", "annotations", "is not a list of annotations; correct it")
    valid = [a for a in given if not a.get("was_cancelled")]
    if not valid:
        return None, 0
    truths = [a for a in valid if a.get("ground_truth")]
    chosen = max(truths or valid, key=_date)
    results = chosen.get("result")
    if not isinstance(results, list):
        raise ResultError("", "result", f"{shorten(results)} is not a list of results")
    return results, len(valid) - 1


def _date(annotation: dict) -> str:
    # ISO 8601 sorts like text; an annotation without a date is the oldest.
    date = annotation.get("updated_at") or annotation.get("created_at")
    return date if isinstance(date, str) else ""


def _describe(task: _Task, image_dir: str, boxing: bool) -> AnnotatedImage:
    results = task.results or Results((0, 0), [], [], Counter(), [])
    is_submitted = boxing and _is_bare(task)
    return AnnotatedImage(
        f"{task.record} ({task.name})",
        task.name,
        os.path.join(image_dir, task.name),
        results.size,
        results.objects,
        list(dict.fromkeys(results.choices)),
        is_boxed=bool(results.objects) or is_submitted,
        is_sound=task.is_sound,
        marked=results.marked,
    )


def _is_bare(task: _Task) -> bool:
    """Whether somebody submitted the task and neither marked nor chose anything."""
    found = task.results
    return found is not None and not (found.objects or found.choices or found.marked)


def _note_choices(
    several: list[str], guessed: list[str], path: str, findings: Findings
) -> None:
    if several:
        findings.note(
            f"{path}: {count(len(several), 'task has', 'tasks have')} several "
            "annotations; that which is marked as ground truth is taken, else the "
            f"one changed last ({name_first(several)})"
        )
    if guessed:
        findings.note(
            f"{path}: {count(len(guessed), 'task has', 'tasks have')} predictions, "
            "the boxes of a machine; they are kept apart: 'ehsod convert --to "
            f"predictions' writes them ({name_first(guessed)})"
        )


def _note_oddities(
    tasks: list[_Task], boxing: bool, path: str, findings: Findings
) -> None:
    others: Counter[str] = Counter()
    empty = []
    for task in tasks:
        if task.results:
            others.update(task.results.others)
        if boxing and _is_bare(task):
            empty.append(task.record)
    note_shapes_left_out(others, path, findings)
    if empty:
        findings.note(
            f"{path}: {count(len(empty), 'task was', 'tasks were')} submitted without "
            f"a region and taken to show nothing ({name_first(empty)})"
        )
