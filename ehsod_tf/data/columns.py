"""The columns of an `ImageSet`: assembled from a reader's records, and selected."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.data.image_files import derive_image_id
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    PRESENT,
    UNKNOWN,
    ImageSet,
    combine_states,
)


class BoxRecord(NamedTuple):
    """One object of one image.

    Attributes:
        image: row of the image.
        box: (ymin, xmin, ymax, xmax) in original pixels.
        class_index: 0 .. K-1, or `ANY_CLASS` of an ignored region.
        area: square pixels.
        ignored: True for COCO's crowds, VOC's difficult objects and drawn regions.
    """

    image: int
    box: tuple[float, float, float, float]
    class_index: int
    area: float
    ignored: bool


class BoxColumns(NamedTuple):
    """The objects of a whole set, as columns, in any order.

    Attributes:
        images: [T] int64, row of the image.
        boxes: [T, 4] float64.
        classes: [T] int32.
        areas: [T] float64.
        ignored: [T] bool.
    """

    images: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    areas: np.ndarray
    ignored: np.ndarray


def stack_boxes(objects: Sequence[BoxRecord]) -> BoxColumns:
    """Makes columns of records."""
    return BoxColumns(
        images=np.array([o.image for o in objects], np.int64),
        boxes=np.array([o.box for o in objects], np.float64).reshape(-1, 4),
        classes=np.array([o.class_index for o in objects], np.int32),
        areas=np.array([o.area for o in objects], np.float64),
        ignored=np.array([o.ignored for o in objects], bool),
    )


def assemble_image_set(
    *,
    class_names: tuple[str, ...],
    category_ids: tuple[int, ...],
    image_ids: Sequence[int],
    image_names: list[str],
    paths: list[str],
    sizes: Sequence[tuple[int, int]],
    objects: Sequence[BoxRecord],
) -> ImageSet:
    """Builds an `ImageSet` whose images are all strong.

    Objects may come in any order; those of one image keep theirs.
    """
    boxes = stack_boxes(objects)
    return assemble_columns(
        class_names=class_names,
        category_ids=category_ids,
        image_ids=image_ids,
        image_names=image_names,
        paths=paths,
        sizes=sizes,
        boxes=boxes,
        class_states=combine_states(
            derive_image_labels(boxes, len(image_names), len(class_names)),
            np.ones(len(image_names), bool),
        ),
    )


def assemble_columns(
    *,
    class_names: tuple[str, ...],
    category_ids: tuple[int, ...],
    image_ids: Sequence[int],
    image_names: list[str],
    paths: list[str],
    sizes: Sequence[tuple[int, int]],
    boxes: BoxColumns,
    class_states: np.ndarray,
) -> ImageSet:
    """Builds an `ImageSet` of images of any kind.

    Args:
        boxes: objects in any order; those of one image keep theirs.
        class_states: [I, K]; a weak image must have no row in `boxes`.
    """
    order = np.argsort(boxes.images, kind="stable")
    counts = np.bincount(boxes.images, minlength=len(image_names))
    return ImageSet(
        class_names=tuple(class_names),
        category_ids=tuple(category_ids),
        image_ids=np.array(image_ids, np.int64),
        image_names=image_names,
        paths=paths,
        sizes=np.array(sizes, np.int32).reshape(-1, 2),
        row_splits=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=boxes.boxes[order],
        classes=boxes.classes[order],
        areas=boxes.areas[order],
        ignored=boxes.ignored[order],
        class_states=class_states.astype(np.int8),
    )


def assemble_labelled_images(
    class_names: tuple[str, ...],
    image_names: list[str],
    paths: list[str],
    sizes: Sequence[tuple[int, int]],
    image_labels: Sequence[np.ndarray],
) -> ImageSet:
    """Builds an `ImageSet` whose images are all weak; ids are made of their names."""
    return assemble_columns(
        class_names=class_names,
        category_ids=tuple(range(1, len(class_names) + 1)),
        image_ids=[derive_image_id(name) for name in image_names],
        image_names=image_names,
        paths=paths,
        sizes=sizes,
        boxes=stack_boxes([]),
        class_states=np.array(image_labels, np.int8).reshape(-1, len(class_names)),
    )


def add_boxes(image_set: ImageSet, boxes: BoxColumns) -> ImageSet:
    """Returns the set with further boxes, behind those that its images have."""
    owners = np.repeat(np.arange(len(image_set.paths)), np.diff(image_set.row_splits))
    images = np.concatenate([owners, boxes.images])
    order = np.argsort(images, kind="stable")
    counts = np.bincount(images, minlength=len(image_set.paths))

    def join(field: str) -> np.ndarray:
        both = (getattr(image_set, field), getattr(boxes, field))
        return np.concatenate(both)[order]

    return image_set._replace(
        row_splits=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=join("boxes"),
        classes=join("classes"),
        areas=join("areas"),
        ignored=join("ignored"),
    )


def select_images(image_set: ImageSet, mask: np.ndarray) -> ImageSet:
    """Returns the set of the images, with all that is known of them, where `mask` is.

    Args:
        image_set: the whole set.
        mask: [I] bool.
    """
    rows = np.flatnonzero(mask)
    counts = np.diff(image_set.row_splits)
    kept = np.repeat(mask, counts)
    return image_set._replace(
        image_ids=image_set.image_ids[mask],
        image_names=[image_set.image_names[row] for row in rows],
        paths=[image_set.paths[row] for row in rows],
        sizes=image_set.sizes[mask],
        row_splits=np.concatenate([[0], np.cumsum(counts[mask])]).astype(np.int64),
        boxes=image_set.boxes[kept],
        classes=image_set.classes[kept],
        areas=image_set.areas[kept],
        ignored=image_set.ignored[kept],
        class_states=image_set.class_states[mask],
        machine_boxed=select_optional(image_set.machine_boxed, mask),
    )


def select_optional(column: np.ndarray | None, mask: np.ndarray) -> np.ndarray | None:
    """Returns the rows of a column where `mask` is; None of None, and of all False."""
    if column is None or not column[mask].any():
        return None
    return column[mask]


def leave_out_machine_boxes(image_set: ImageSet) -> ImageSet:
    """The set without the boxes of a detector; the labels of their images stay."""
    machine = image_set.machine_boxed
    if machine is None:
        return image_set
    counts = np.diff(image_set.row_splits)
    kept = ~np.repeat(machine, counts)
    labels = image_set.image_labels
    return image_set._replace(
        row_splits=np.concatenate([[0], np.cumsum(counts * ~machine)]),
        boxes=image_set.boxes[kept],
        classes=image_set.classes[kept],
        areas=image_set.areas[kept],
        ignored=image_set.ignored[kept],
        class_states=np.where(machine[:, None], labels, image_set.class_states).astype(
            np.int8
        ),
        machine_boxed=None,
    )


def align_classes(
    image_set: ImageSet,
    class_names: Sequence[str],
    category_ids: Sequence[int],
    state_of_others: int = ABSENT,
) -> ImageSet:
    """Returns the set with these classes, in this order.

    Args:
        image_set: its classes are among them.
        class_names: K names.
        category_ids: K ids, for the classes that the set does not have; where it uses
            one for another class, an id that is free stands for the new class.
        state_of_others: state of the classes that the set does not have.
    """
    own_names = image_set.class_names
    positions = [class_names.index(name) for name in own_names]
    ids = dict(zip(own_names, image_set.category_ids, strict=True))
    for name, category_id in zip(class_names, category_ids, strict=True):
        if name not in ids:
            is_free = category_id not in ids.values()
            ids[name] = category_id if is_free else max(ids.values()) + 1
    num_images = len(image_set.image_ids)
    states = np.full((num_images, len(class_names)), state_of_others, np.int8)
    states[:, positions] = image_set.class_states
    # `ANY_CLASS`, the last of these, stays what it is.
    new_classes = np.array([*positions, ANY_CLASS], np.int32)
    return image_set._replace(
        class_names=tuple(class_names),
        category_ids=tuple(ids[name] for name in class_names),
        classes=new_classes[image_set.classes],
        class_states=states,
    )


def spread_any_class(image_set: ImageSet) -> ImageSet:
    """Returns the set with an ignored region of each class for those of any class."""
    is_any = image_set.classes == ANY_CLASS
    if not is_any.any():
        return image_set
    num_classes = len(image_set.class_names)
    counts = np.where(is_any, num_classes, 1)
    rows = np.repeat(np.arange(len(counts)), counts)
    # 0 .. K-1 within the copies of each region.
    copies = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    splits = np.concatenate([[0], np.cumsum(counts)])[image_set.row_splits]
    classes = np.where(is_any[rows], copies, image_set.classes[rows])
    return image_set._replace(
        row_splits=splits.astype(np.int64),
        boxes=image_set.boxes[rows],
        classes=classes.astype(np.int32),
        areas=image_set.areas[rows],
        ignored=image_set.ignored[rows],
    )


def join_boxes(first: BoxColumns, second: BoxColumns) -> BoxColumns:
    """Returns the objects of both, those of the first before."""
    return BoxColumns(
        *(np.concatenate(pair) for pair in zip(first, second, strict=True))
    )


def derive_image_labels(
    boxes: BoxColumns, num_images: int, num_classes: int
) -> np.ndarray:
    """Returns [I, K] int8 labels; a class seen only as ignored is `UNKNOWN`."""
    labels = np.full((num_images, num_classes), ABSENT, np.int8)
    ignored = boxes.ignored & (boxes.classes != ANY_CLASS)
    labels[boxes.images[ignored], boxes.classes[ignored]] = UNKNOWN
    ordinary = ~boxes.ignored
    labels[boxes.images[ordinary], boxes.classes[ordinary]] = PRESENT
    return labels
