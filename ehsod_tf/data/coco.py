"""Reader of data sets in COCO's instances JSON form."""

import json
import math
import os
import warnings
from typing import Any, NamedTuple

from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.data.validation import Problem, check_class_names, raise_problems
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet


def read_coco(
    annotation_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
) -> ImageSet:
    """Reads an instances JSON; boxes become yxyx in original pixels.

    Args:
        annotation_file: JSON with ``images``, ``annotations`` and ``categories``.
        image_dir: the folder that the file names are relative to.
        class_names: selects and orders the classes; objects of other classes are left
            out. None takes all categories, by ascending id.

    Returns:
        `ImageSet` in which every image is strong. Crowds are `ignored`. So is, with a
        warning, an object whose box is flat: COCO's own train2017 holds two.

    Raises:
        DataError: the file cannot be read, a record lacks a field or has a wrong one,
            or a class name is unknown.
    """
    annotation_file = os.fspath(annotation_file)
    content = _load_json(annotation_file)
    categories = _select_categories(content, annotation_file, class_names)
    problems: list[Problem] = []
    images = _read_images(content["images"], annotation_file, problems)
    objects = _read_objects(content, annotation_file, images, categories, problems)
    raise_problems(problems)
    return assemble_image_set(
        class_names=tuple(categories.names),
        category_ids=tuple(categories.ids),
        image_ids=list(images),
        image_names=[image["file_name"] for image in images.values()],
        paths=[os.path.join(image_dir, i["file_name"]) for i in images.values()],
        sizes=[(image["height"], image["width"]) for image in images.values()],
        objects=objects,
    )


class _Categories(NamedTuple):
    """The chosen classes, and the ids of all categories of the file."""

    names: list[str]
    ids: list[int]
    all_ids: set[int]


def _load_json(path: str) -> dict[str, list]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: the annotation file cannot be read ({error}); check the path"
        ) from error
    if not text.strip():
        raise DataError(f"{path}: the annotation file is empty; write or fetch it anew")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON "
            f"({error.msg}); write or fetch the file anew"
        ) from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(
                f"{path}, {key}: this list is missing; the file must be in COCO's "
                "instances form, with images, annotations and categories"
            )
        for position, record in enumerate(content[key]):
            if not isinstance(record, dict):
                raise DataError(
                    f"{path}, {key}[{position}]: not a JSON object; correct the record"
                )
    return content


def _select_categories(
    content: dict[str, list], path: str, class_names: tuple[str, ...] | None
) -> _Categories:
    problems: list[Problem] = []
    id_of_name: dict[str, int] = {}
    for position, category in enumerate(content["categories"]):
        record = f"categories[{position}]"
        category_id, name = category.get("id"), category.get("name")
        if not _is_int(category_id) or category_id in id_of_name.values():
            message = f"{category_id!r} is not an integer that occurs once; correct it"
            problems.append(Problem(path, record, "id", message))
        elif not isinstance(name, str) or name in id_of_name:
            message = f"{name!r} is not a text that occurs once; correct it"
            problems.append(Problem(path, record, "name", message))
        else:
            id_of_name[name] = category_id
    raise_problems(problems)
    if class_names is None:
        class_names = sorted(id_of_name, key=id_of_name.get)
    check_class_names(class_names, id_of_name, path)
    ids = [id_of_name[name] for name in class_names]
    return _Categories(list(class_names), ids, set(id_of_name.values()))


def _read_images(
    records: list[dict], path: str, problems: list[Problem]
) -> dict[int, dict[str, Any]]:
    """Returns the image records by id, in the order of the file."""
    images: dict[int, dict[str, Any]] = {}
    for position, record in enumerate(records):
        image_id = record.get("id")
        if not _is_int(image_id):
            message = f"{image_id!r} is not an integer; give every image its own id"
            problems.append(Problem(path, f"images[{position}]", "id", message))
            continue
        name = f"image {image_id}"
        if image_id in images:
            message = "another image has this id too; give every image its own"
            problems.append(Problem(path, name, "id", message))
        if not isinstance(record.get("file_name"), str) or not record["file_name"]:
            message = "missing or not a text; add the image's file name"
            problems.append(Problem(path, name, "file_name", message))
        for field in ("width", "height"):
            if not _is_int(record.get(field)) or record[field] < 1:
                message = f"{record.get(field)!r} is not a positive integer; correct it"
                problems.append(Problem(path, name, field, message))
        images[image_id] = record
    return images


def _read_objects(
    content: dict[str, list],
    path: str,
    images: dict[int, dict],
    categories: _Categories,
    problems: list[Problem],
) -> list[BoxRecord]:
    class_of_id = {id_: index for index, id_ in enumerate(categories.ids)}
    row_of_image = {image_id: row for row, image_id in enumerate(images)}
    objects, flat = [], []
    for position, record in enumerate(content["annotations"]):
        name = f"annotation {record.get('id', f'at position {position}')}"
        fault = _find_record_fault(record, row_of_image, categories.all_ids)
        if fault:
            problems.append(Problem(path, name, *fault))
            continue
        if record["category_id"] not in class_of_id:
            continue
        x, y, width, height = map(float, record["bbox"])
        if not (width and height):
            flat.append(name)
        objects.append(
            BoxRecord(
                image=row_of_image[record["image_id"]],
                box=(y, x, y + height, x + width),
                class_index=class_of_id[record["category_id"]],
                area=float(record.get("area", height * width)),
                ignored=bool(record.get("iscrowd", 0)) or not (width and height),
            )
        )
    if flat:
        warnings.warn(
            f"{path}: {len(flat)} boxes have no height or no width and are treated "
            f"like crowds, as neither target nor miss: {', '.join(flat[:5])}",
            stacklevel=3,
        )
    return objects


def _find_record_fault(
    record: dict, row_of_image: dict[int, int], category_ids: set[int]
) -> tuple[str, str] | None:
    """Returns (field, message) of the first fault of an annotation."""
    image_id, category_id = record.get("image_id"), record.get("category_id")
    if not _is_int(image_id) or image_id not in row_of_image:
        return "image_id", f"no image has id {image_id!r}; correct or remove the record"
    if not _is_int(category_id) or category_id not in category_ids:
        return (
            "category_id",
            f"no category has id {category_id!r}; correct it or add the category",
        )
    box = record.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
        return "bbox", f"{box!r} is not four finite numbers x, y, width, height"
    if box[2] < 0 or box[3] < 0:
        return "bbox", f"{box!r} has a negative width or height; correct or remove it"
    if not _is_finite(record.get("area", 0)):
        return "area", f"{record['area']!r} is not a finite number; correct it"
    if record.get("iscrowd", 0) not in (0, 1):
        return "iscrowd", f"{record['iscrowd']!r} is neither 0 nor 1; correct it"
    return None


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
