"""Reader of data sets in COCO's instances JSON form, with boxes or labels or both."""

import os

import numpy as np

from ehsod_tf.data import label_states
from ehsod_tf.data.columns import BoxColumns, join_boxes
from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.problems import (
    Findings,
    check_class_names,
    collects_or_raises,
    raise_problems,
)
from ehsod_tf.data.readers.coco_boxes import read_boxes
from ehsod_tf.data.readers.coco_images import (
    Categories,
    read_ignored_boxes,
    read_images,
)
from ehsod_tf.data.readers.coco_json import load_coco_json
from ehsod_tf.data.readers.missing_sizes import fill_table_sizes
from ehsod_tf.data.readers.supervision import ImageTable, supervise
from ehsod_tf.data.spelling import refuse_lookalikes
from ehsod_tf.structures import PRESENT, ImageSet


@collects_or_raises
def read_coco(
    annotation_file: str | os.PathLike,
    image_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads an instances JSON; boxes become yxyx in original pixels.

    An image record may hold more than COCO's own: ``image_labels``, the categories (ids
    or names) that the image shows; ``absent_labels``, those it does not show, which
    makes all others unknown instead of absent; ``supervision``, "boxes", "in part",
    "labels", "none" or ``{"boxes": [...]}``, the categories whose objects all have
    boxes. Without the last, an image with annotations is strong, one with labels only
    is weak.

    Args:
        annotation_file: JSON with ``images``, ``annotations`` and ``categories``.
        image_dir: the folder that the file names are relative to.
        class_names: selects and orders the classes; objects and labels of other classes
            are left out, and a class that the file lacks is noted. None takes all
            categories, by ascending id.
        unannotated: what becomes of an image with neither annotation nor labels:
            "leave_out", or "empty", a strong image that shows no object.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images. Crowds are `ignored`. So are the boxes in
        ``ignored_boxes`` of an image record, for every class, and, with a note, an
        object whose box is flat: COCO's own train2017 holds two. A size that a record
        does not give is the file's.

    Raises:
        DataError: the file cannot be read, its categories are malformed, or a class
            name is unknown; without `findings`, also any problem of a single record.
        ConfigError: `unannotated` is neither of the two.
    """
    label_states.require_reading_choices(unannotated=unannotated)
    path = os.fspath(annotation_file)
    return build_image_set(
        load_coco_json(path), path, image_dir, class_names, unannotated, findings
    )


def build_image_set(
    content: dict[str, list],
    path: str,
    image_dir: str | os.PathLike,
    class_names: tuple[str, ...] | None,
    unannotated: str,
    findings: Findings,
) -> ImageSet:
    """As `read_coco`, from what `load_coco_json` gave; ``content`` is used up."""
    categories = _select_categories(content["categories"], path, class_names, findings)
    image_records = content.pop("images")
    images = read_images(image_records, path, categories, findings)
    regions = read_ignored_boxes(image_records, path, images, findings)
    del image_records
    records = content.pop("annotations")
    boxes, annotated = read_boxes(records, path, images, categories, findings)
    boxes_and_regions = join_boxes(boxes, regions)
    fill_table_sizes(
        images,
        [os.path.join(image_dir, name) for name in images.names],
        annotated,
        np.bincount(boxes_and_regions.images, minlength=len(images.names)) > 0,
        source=path,
        unannotated=unannotated,
        findings=findings,
    )
    groups = [category.get("supercategory") for category in content["categories"]]
    _note_group_names(categories, groups, boxes, images, path, findings)
    image_set = supervise(
        images,
        boxes_and_regions,
        annotated,
        class_names=categories.names,
        category_ids=categories.ids,
        source=path,
        unannotated=unannotated,
        findings=findings,
    )
    label_states.require_annotated_images(len(image_set.paths), path, findings)
    paths = [os.path.join(image_dir, name) for name in image_set.image_names]
    return image_set._replace(paths=paths)


def _select_categories(
    records: list, path: str, class_names: tuple[str, ...] | None, findings: Findings
) -> Categories:
    problems = Findings()
    id_of_name: dict[str, int] = {}
    for position, category in enumerate(records):
        record = f"categories[{position}]"
        if not isinstance(category, dict):
            problems.add(path, record, "", "not a JSON object; correct the record")
            continue
        category_id, name = category.get("id"), category.get("name")
        # Names are compared without the blanks at their ends, as in every other form.
        name = name.strip() if isinstance(name, str) else name
        is_int64 = type(category_id) is int and -(2**63) <= category_id < 2**63
        if not is_int64 or category_id in id_of_name.values():
            message = f"{category_id!r} is not an integer that occurs once; correct it"
            problems.add(path, record, "id", message)
        elif not isinstance(name, str) or not is_plain_text(name) or name in id_of_name:
            message = f"{name!r} is not a text that occurs once; correct it"
            problems.add(path, record, "name", message)
        else:
            id_of_name[name] = category_id
    raise_problems(problems.problems)
    if class_names is None:
        refuse_lookalikes(id_of_name, f"{path}, categories")
        class_names = sorted(id_of_name, key=id_of_name.get)
    check_class_names(class_names, id_of_name, path, findings)
    for name in class_names:
        # A class that the file lacks needs an id for the results.
        id_of_name.setdefault(name, max(id_of_name.values()) + 1)
    ids = tuple(id_of_name[name] for name in class_names)
    class_of_id = dict.fromkeys(id_of_name.values(), -1)
    class_of_id |= {category_id: index for index, category_id in enumerate(ids)}
    return Categories(tuple(class_names), ids, class_of_id, id_of_name)


def _note_group_names(
    categories: Categories,
    groups: list,
    boxes: BoxColumns,
    images: ImageTable,
    path: str,
    findings: Findings,
) -> None:
    """Notes classes that nothing shows and that are the group of others.

    Roboflow's exports begin with such a category.
    """
    shown = set(boxes.classes.tolist())
    shown |= set(np.flatnonzero((images.listed == PRESENT).any(axis=0)).tolist())
    for index, name in enumerate(categories.names):
        if index not in shown and name in groups:
            others = tuple(n for n in categories.names if n != name)
            findings.note(
                f"{path}: the category {name!r} is the supercategory of others, and "
                f"nothing shows it; to leave it out, set class_names = {others}"
            )
