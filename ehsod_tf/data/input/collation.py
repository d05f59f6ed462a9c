"""What is known of the images of a batch, looked up and transformed for all at once."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.data.transforms import (
    compute_scale,
    flip_boxes,
    scale_boxes,
)
from ehsod_tf.structures import ANY_CLASS, UNKNOWN, Batch, ImageSet, Targets


class BoxColumns(NamedTuple):
    """The boxes of all images, those as they are and then those of mirrored images.

    The last row stands for padding.
    """

    row_splits: tf.Tensor  # [I + C + 1] int64, into the first half of the boxes
    boxes: tf.Tensor  # [T + 1, 4] float32, on the canvas
    classes: tf.Tensor  # [T + 1] int32


class Columns(NamedTuple):
    """The columns that batches are made of.

    Row I + c of a column of images stands for a filler of canvas c.
    """

    image_ids: tf.Tensor  # [I + C] int64
    image_sizes: tf.Tensor  # [I + C, 2] int32, on the canvas
    scales: tf.Tensor  # [I + C, 2] float32
    targets: BoxColumns
    ignored: BoxColumns | None  # None where no region is to be ignored
    class_states: tf.Tensor  # [I + C, K] int32
    is_partial: tf.Tensor | None  # [I + C] bool; None where no image is partly boxed
    machine_boxed: tf.Tensor | None  # [I + C] bool; None without a detector's boxes


_NO_CANVASES = np.zeros([0, 2], np.int32)


def build_columns(
    image_set: ImageSet,
    image_sizes: np.ndarray,
    canvases: np.ndarray = _NO_CANVASES,
    crowds: str = "background",
) -> Columns:
    """Computes what is known of every image on its canvas, once for all batches.

    Args:
        image_set: the images.
        image_sizes: [I, 2] integers (height, width) that they are resized to.
        canvases: [C, 2] integers, those of the fillers.
        crowds: "background" leaves the ignored boxes of a class out; with "ignored"
            they are ignored regions, as those that may hold any class always are.
    """
    is_region = image_set.ignored
    if crowds == "background":
        is_region = is_region & (image_set.classes == ANY_CLASS)
    is_partial = image_set.has_boxes & ~image_set.is_strong

    def append_fillers(column: np.ndarray | tf.Tensor, value, dtype: tf.DType):
        return _append(column, value, len(canvases), dtype)

    def mark(mask: np.ndarray | None):
        is_of_use = mask is not None and mask.any()
        return append_fillers(mask, False, tf.bool) if is_of_use else None

    # tf.data runs on the host; a column left on a GPU would be copied for each batch.
    with tf.device("/cpu:0"):
        sizes = tf.constant(image_set.sizes, tf.int32)
        image_sizes = tf.constant(image_sizes, tf.int32)
        scales = compute_scale(sizes, image_sizes)

        def list_boxes(chosen: np.ndarray) -> BoxColumns:
            splits = np.concatenate([[0], np.cumsum(chosen)])[image_set.row_splits]
            image_of_box = np.repeat(np.arange(len(image_set.paths)), np.diff(splits))
            size_of_box = tf.gather(image_sizes, image_of_box)
            boxes = tf.constant(image_set.boxes[chosen], tf.float32)[:, None]
            boxes = scale_boxes(boxes, tf.gather(scales, image_of_box), size_of_box)
            mirrored = flip_boxes(boxes, size_of_box[:, 1])
            boxes = tf.concat([boxes, mirrored], axis=0)[:, 0]
            classes = np.tile(image_set.classes[chosen], 2)
            return BoxColumns(
                row_splits=append_fillers(splits, splits[-1], tf.int64),
                boxes=_append(boxes, 0, 1, tf.float32),
                classes=_append(classes, -1, 1, tf.int32),
            )

        return Columns(
            image_ids=append_fillers(image_set.image_ids, -1, tf.int64),
            image_sizes=append_fillers(image_sizes, canvases, tf.int32),
            scales=append_fillers(scales, 1, tf.float32),
            targets=list_boxes(~image_set.ignored),
            ignored=list_boxes(is_region) if is_region.any() else None,
            class_states=append_fillers(image_set.class_states, UNKNOWN, tf.int32),
            is_partial=mark(is_partial),
            machine_boxed=mark(image_set.machine_boxed),
        )


def _append(
    column: np.ndarray | tf.Tensor, value, num_rows: int, dtype: tf.DType
) -> tf.Tensor:
    column = np.asarray(column)
    rows = np.full_like(column, value, shape=(num_rows, *column.shape[1:]))
    return tf.constant(np.concatenate([column, rows]), dtype)


def collate(
    columns: Columns, images: tf.Tensor, index: tf.Tensor, is_flipped: tf.Tensor
) -> Batch:
    """Joins images on their canvas with what is known of them.

    Args:
        columns: of the whole set.
        images: [B, H, W, 3] float32 or uint8, mirrored where `is_flipped`.
        index: [B] int64 rows of the columns.
        is_flipped: [B] bool.

    Returns:
        `Batch`. M is the largest number of boxes, at least 1: in a batch of weak images
        a maximum over M would else have nothing to take.
    """
    targets = Targets(
        *_gather_boxes(columns.targets, index, is_flipped),
        class_states=tf.gather(columns.class_states, index),
    )
    if columns.machine_boxed is not None:
        machine_boxed = tf.gather(columns.machine_boxed, index)
        targets = targets._replace(machine_boxed=machine_boxed)
    if columns.is_partial is not None:
        targets = targets._replace(is_partial=tf.gather(columns.is_partial, index))
    if columns.ignored is not None:
        boxes, classes = _gather_boxes(columns.ignored, index, is_flipped)
        targets = targets._replace(ignored_boxes=boxes, ignored_classes=classes)
    return Batch(
        images=tf.cast(images, tf.float32),
        image_sizes=tf.gather(columns.image_sizes, index),
        scales=tf.gather(columns.scales, index),
        image_ids=tf.gather(columns.image_ids, index),
        targets=targets,
    )


def _gather_boxes(
    columns: BoxColumns, index: tf.Tensor, is_flipped: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the boxes [B, M, 4] and classes [B, M] of images, padding included."""
    num_boxes = tf.shape(columns.classes, tf.int64)[0] - 1
    first = tf.gather(columns.row_splits, index)
    counts = tf.gather(columns.row_splits, index + 1) - first
    first += tf.cast(is_flipped, tf.int64) * (num_boxes // 2)
    slots = tf.range(tf.maximum(tf.reduce_max(counts), 1))
    rows = tf.where(slots < counts[:, None], first[:, None] + slots, num_boxes)
    return tf.gather(columns.boxes, rows), tf.gather(columns.classes, rows)
