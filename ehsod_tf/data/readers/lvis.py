"""Reader of LVIS: COCO's form, with lists of what each image was searched for."""

import os
from collections.abc import Mapping
from reprlib import repr as shorten

import numpy as np

from ehsod_tf.data.columns import select_images
from ehsod_tf.data.label_states import take_in_part
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.coco import build_image_set
from ehsod_tf.data.readers.coco_json import LVIS_LISTS, load_coco_json
from ehsod_tf.structures import ABSENT, BOXED_ABSENT, UNKNOWN, ImageSet

_ABSENT_LIST, _PARTLY_LIST = LVIS_LISTS


@collects_or_raises
def read_lvis(
    annotation_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    findings: Findings,
) -> ImageSet:
    """Reads an LVIS JSON; boxes become yxyx in original pixels.

    Of each image, LVIS says for some classes alone what there is. A class with boxes is
    boxed completely, or in part where ``not_exhaustive_category_ids`` has it; one in
    ``neg_category_ids`` is absent; of all others nothing is known.

    Args:
        annotation_file: JSON with ``images``, ``annotations`` and ``categories``.
        image_dir: the folder that holds COCO's ``train2017`` and ``val2017``; the file
            of an image is the end of its ``coco_url``, or its ``file_name``.
        class_names: see `read_coco`.
        findings: takes the problems and notes; None raises and warns instead.

    Raises:
        DataError: see `read_coco`.
    """
    path = os.fspath(annotation_file)
    content = load_coco_json(path)
    id_of_name = _list_categories(content["categories"])
    known_ids = set(id_of_name.values())
    lists, faulty = _take_lists(content["images"], known_ids, path, findings)
    image_set = build_image_set(
        content, path, image_dir, class_names, "empty", findings
    )
    classes = {
        id_of_name[name]: index
        for index, name in enumerate(image_set.class_names)
        if name in id_of_name
    }
    image_set, contradicted = _mark_states(image_set, lists, classes, path, findings)
    is_faulty = [image_id in faulty for image_id in image_set.image_ids.tolist()]
    kept = ~np.array(is_faulty, bool) & ~contradicted
    known = (image_set.class_states != UNKNOWN).any(axis=1)
    findings.count_unannotated(path, int((kept & ~known).sum()))
    return select_images(image_set, kept & known)


def _list_categories(records: list) -> dict[str, int]:
    """Returns the ids of the sound records by name; `build_image_set` names others."""
    return {
        record["name"].strip(): record["id"]
        for record in records
        if isinstance(record, dict)
        and isinstance(record.get("name"), str)
        and type(record.get("id")) is int
    }


def _take_lists(
    images: list, category_ids: set[int], path: str, findings: Findings
) -> tuple[dict[int | None, tuple[list[int], list[int]]], set[int | None]]:
    """Takes the two lists out of the records, and gives these file names.

    Returns:
        The lists by image id, None of records without one, and the ids of images with a
        list that is malformed.
    """
    lists, faulty = {}, set()
    for record in images:
        if not isinstance(record, dict):
            continue
        if "file_name" not in record and isinstance(record.get("coco_url"), str):
            record["file_name"] = "/".join(record["coco_url"].split("/")[-2:])
        image_id = record.get("id")
        # What is no id at all is a problem of its own; True equals 1, and so does 1.0.
        image_id = image_id if type(image_id) is int else None
        found = []
        for field in LVIS_LISTS:
            value = record.pop(field, [])
            found.append(value)
            if fault := _find_fault(value, category_ids):
                findings.add(path, f"image {shorten(image_id)}", field, fault)
                faulty.add(image_id)
        if image_id not in faulty:
            lists[image_id] = tuple(found)
    return lists, faulty


def _find_fault(value: object, category_ids: set[int]) -> str | None:
    if not isinstance(value, list):
        return f"{shorten(value)} is not a list of category ids; correct it"
    for entry in value:
        if type(entry) is not int or entry not in category_ids:
            return f"no category has id {shorten(entry)}; correct it or add it"
    return None


def _mark_states(
    image_set: ImageSet,
    lists: Mapping[int | None, tuple[list[int], list[int]]],
    classes: Mapping[int, int],
    path: str,
    findings: Findings,
) -> tuple[ImageSet, np.ndarray]:
    """Makes states of boxes and lists.

    Returns:
        The set, and [I] bool where a class is listed as absent and has a box.
    """
    boxed = image_set.class_states
    states = np.where(boxed == BOXED_ABSENT, UNKNOWN, boxed).astype(np.int8)
    contradicted = np.zeros(len(states), bool)
    for row, image_id in enumerate(image_set.image_ids.tolist()):
        absent, partly = (
            [classes[number] for number in listed if number in classes]
            for listed in lists.get(image_id, ((), ()))
        )
        with_box = [k for k in absent if boxed[row, k] != BOXED_ABSENT]
        if with_box:
            name = image_set.class_names[with_box[0]]
            message = f"{name!r} is listed as absent and has a box; correct one of them"
            findings.add(path, f"image {image_id}", _ABSENT_LIST, message)
            contradicted[row] = True
        states[row, partly] = take_in_part(boxed[row, partly])
        states[row, absent] = ABSENT
    return image_set._replace(class_states=states), contradicted
