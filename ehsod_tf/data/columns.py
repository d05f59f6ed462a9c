"""The columns of an `ImageSet`: assembled from a reader's records, and selected."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN, ImageSet


class BoxRecord(NamedTuple):
    """One object of one image.

    Attributes:
        image: row of the image.
        box: (ymin, xmin, ymax, xmax) in original pixels.
        class_index: 0 .. K-1.
        area: square pixels.
        ignored: True for COCO's crowds and VOC's difficult objects.
    """

    image: int
    box: tuple[float, float, float, float]
    class_index: int
    area: float
    ignored: bool


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
    image_of_box = np.array([o.image for o in objects], np.int64)
    order = np.argsort(image_of_box, kind="stable")
    image_of_box = image_of_box[order]
    classes = np.array([o.class_index for o in objects], np.int32)[order]
    ignored = np.array([o.ignored for o in objects], bool)[order]
    counts = np.bincount(image_of_box, minlength=len(image_names))
    return ImageSet(
        class_names=class_names,
        category_ids=category_ids,
        image_ids=np.array(image_ids, np.int64),
        image_names=image_names,
        paths=paths,
        sizes=np.array(sizes, np.int32).reshape(-1, 2),
        row_splits=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=np.array([o.box for o in objects], np.float64).reshape(-1, 4)[order],
        classes=classes,
        areas=np.array([o.area for o in objects], np.float64)[order],
        ignored=ignored,
        image_labels=_derive_image_labels(
            image_of_box, classes, ignored, len(image_names), len(class_names)
        ),
        has_boxes=np.ones(len(image_names), bool),
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
        row_splits=np.concatenate([[0], np.cumsum(counts[mask])]),
        boxes=image_set.boxes[kept],
        classes=image_set.classes[kept],
        areas=image_set.areas[kept],
        ignored=image_set.ignored[kept],
        image_labels=image_set.image_labels[mask],
        has_boxes=image_set.has_boxes[mask],
    )


def _derive_image_labels(
    image_of_box: np.ndarray,
    classes: np.ndarray,
    ignored: np.ndarray,
    num_images: int,
    num_classes: int,
) -> np.ndarray:
    """Returns [I, K] int8 labels; a class seen only as ignored is `UNKNOWN`."""
    labels = np.full((num_images, num_classes), ABSENT, np.int8)
    labels[image_of_box[ignored], classes[ignored]] = UNKNOWN
    labels[image_of_box[~ignored], classes[~ignored]] = PRESENT
    return labels
