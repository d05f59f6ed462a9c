"""From an `ImageSet` to batches: tf.data from end to end."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.data.batch_plan import (
    fix_strong_fraction,
    make_batch_plan,
    make_evaluation_plan,
)
from ehsod_tf.data.transforms import (
    choose_canvas,
    compute_scale,
    decode_image,
    flip_boxes,
    flip_image,
    list_canvases,
    pad_to_canvas,
    resize_image,
    resized_size,
    scale_boxes,
)
from ehsod_tf.structures import UNKNOWN, Batch, ImageSet, Targets


def build_training_dataset(
    image_set: ImageSet,
    *,
    batch_size: int,
    shorter_side: int,
    longer_side: int,
    seed: int,
    epochs: int,
    start_step: int = 0,
    flip: bool = True,
    strong_fraction: float | None = None,
) -> tf.data.Dataset:
    """Builds the batches of a whole run, from `start_step` on.

    The batch of step s is a function of the arguments and s alone, flips included, so
    a run resumed at step s sees what it would have seen without the break.

    Args:
        image_set: images, of which `apply_split` has made some weak.
        batch_size: images of all replicas together.
        shorter_side, longer_side: see `transforms.resized_size`.
        seed: seed of order and flips.
        epochs: the run has ``epochs * count_steps_per_epoch(I, batch_size)`` steps.
        start_step: number of steps already done.
        flip: mirror each image with probability 1/2.
        strong_fraction: if given, the share of strong images in every batch.

    Returns:
        Dataset of `Batch`. The images of a batch share a canvas, and M is the largest
        number of boxes in that batch, at least 1: both vary from batch to batch.

    Raises:
        ConfigError: `strong_fraction` does not suit the batch size.
    """
    columns = _build_columns(image_set, shorter_side, longer_side)
    canvas_of_image = columns.canvas_index.numpy()
    plan = make_batch_plan(canvas_of_image, batch_size, epochs, seed)
    if strong_fraction is not None:
        plan = fix_strong_fraction(
            plan, canvas_of_image, image_set.has_boxes, strong_fraction, seed
        )

    def load(position: tf.Tensor, index: tf.Tensor) -> Batch:
        example = _read_example(columns, index)
        if flip:
            # position = step * batch_size + row, which no two images of a run share.
            chance = tf.random.stateless_uniform([], seed=tf.stack([seed, position]))
            example = tf.cond(
                chance < 0.5, lambda: _flip_example(example), lambda: example
            )
        return _pad_example(example, columns.canvases[columns.canvas_index[index]])

    first = start_step * batch_size
    indices = plan.reshape(-1)[first:]
    positions = np.arange(first, plan.size, dtype=np.int64)
    dataset = tf.data.Dataset.from_tensor_slices((positions, indices))
    return _collate(dataset.map(load, tf.data.AUTOTUNE, deterministic=True), batch_size)


def build_evaluation_dataset(
    image_set: ImageSet,
    *,
    batch_size: int,
    shorter_side: int,
    longer_side: int,
) -> tf.data.Dataset:
    """Builds batches that hold every image once, canvas by canvas.

    Returns:
        Dataset of `Batch`, B constant: the last batch of each canvas is filled up with
        black images, whose `image_ids` are -1 and whose labels are `UNKNOWN`.
    """
    columns = _build_columns(image_set, shorter_side, longer_side)
    canvas_of_image = columns.canvas_index.numpy()
    plan = make_evaluation_plan(canvas_of_image, batch_size)
    # Each batch begins with a real image.
    canvas_of_step = canvas_of_image[plan[:, 0]]

    def load(index: tf.Tensor, canvas_index: tf.Tensor) -> Batch:
        canvas = columns.canvases[canvas_index]
        num_classes = len(image_set.class_names)
        example = tf.cond(
            index >= 0,
            lambda: _read_example(columns, index),
            lambda: _make_filler(canvas, num_classes),
        )
        return _pad_example(example, canvas)

    dataset = tf.data.Dataset.from_tensor_slices(
        (plan.reshape(-1), np.repeat(canvas_of_step, batch_size))
    )
    return _collate(dataset.map(load, tf.data.AUTOTUNE, deterministic=True), batch_size)


class _Columns(NamedTuple):
    """The columns that batches are made of, as tensors; ignored boxes are left out."""

    image_ids: tf.Tensor  # [I] int64
    paths: tf.Tensor  # [I] string
    original_sizes: tf.Tensor  # [I, 2] int32
    image_sizes: tf.Tensor  # [I, 2] int32, on the canvas
    canvas_index: tf.Tensor  # [I] int32
    canvases: tf.Tensor  # [C, 2] int32
    row_splits: tf.Tensor  # [I + 1] int64
    boxes: tf.Tensor  # [T, 4] float32
    classes: tf.Tensor  # [T] int32
    image_labels: tf.Tensor  # [I, K] int32
    has_boxes: tf.Tensor  # [I] bool


def _build_columns(
    image_set: ImageSet, shorter_side: int, longer_side: int
) -> _Columns:
    is_target = ~image_set.ignored
    num_targets_before = np.concatenate([[0], np.cumsum(is_target)])
    # tf.data runs on the host; a column left on a GPU would be copied for each image.
    with tf.device("/cpu:0"):
        sizes = tf.constant(image_set.sizes, tf.int32)
        return _Columns(
            image_ids=tf.constant(image_set.image_ids, tf.int64),
            paths=tf.constant(image_set.paths, tf.string),
            original_sizes=sizes,
            image_sizes=resized_size(sizes, shorter_side, longer_side),
            canvas_index=choose_canvas(sizes, shorter_side, longer_side),
            canvases=tf.constant(list_canvases(shorter_side, longer_side), tf.int32),
            row_splits=tf.constant(num_targets_before[image_set.row_splits], tf.int64),
            boxes=tf.constant(image_set.boxes[is_target], tf.float32),
            classes=tf.constant(image_set.classes[is_target], tf.int32),
            image_labels=tf.constant(image_set.image_labels, tf.int32),
            has_boxes=tf.constant(image_set.has_boxes, tf.bool),
        )


def _read_example(columns: _Columns, index: tf.Tensor) -> Batch:
    """Reads and resizes one image, not yet on its canvas, as a `Batch` without B."""
    path = columns.paths[index]
    original_size = columns.original_sizes[index]
    image_size = columns.image_sizes[index]
    image = decode_image(tf.io.read_file(path))
    tf.debugging.Assert(
        tf.reduce_all(tf.shape(image)[:2] == original_size),
        ["image file and annotation disagree on the size of", path],
    )
    scale = compute_scale(original_size, image_size)
    rows = tf.range(columns.row_splits[index], columns.row_splits[index + 1])
    return Batch(
        images=resize_image(image, image_size),
        image_sizes=image_size,
        scales=scale,
        image_ids=columns.image_ids[index],
        targets=Targets(
            boxes=scale_boxes(tf.gather(columns.boxes, rows), scale, image_size),
            classes=tf.gather(columns.classes, rows),
            image_labels=columns.image_labels[index],
            has_boxes=columns.has_boxes[index],
        ),
    )


def _make_filler(canvas: tf.Tensor, num_classes: int) -> Batch:
    """Makes a black image, of which nothing is known, the size of the canvas."""
    return Batch(
        images=tf.zeros([canvas[0], canvas[1], 3]),
        image_sizes=canvas,
        scales=tf.ones([2]),
        image_ids=tf.constant(-1, tf.int64),
        targets=Targets(
            boxes=tf.zeros([0, 4]),
            classes=tf.zeros([0], tf.int32),
            image_labels=tf.fill([num_classes], UNKNOWN),
            has_boxes=tf.constant(False),
        ),
    )


def _flip_example(example: Batch) -> Batch:
    boxes = flip_boxes(example.targets.boxes, example.image_sizes[1])
    return example._replace(
        images=flip_image(example.images),
        targets=example.targets._replace(boxes=boxes),
    )


def _pad_example(example: Batch, canvas: tf.Tensor) -> Batch:
    """Pads the image to its canvas, and no boxes to one padding row.

    The row keeps M above 0 in a batch of weak images, where a maximum over M would
    have nothing to take.
    """
    boxes, classes = example.targets.boxes, example.targets.classes
    missing = tf.maximum(0, 1 - tf.shape(classes)[0])
    targets = example.targets._replace(
        boxes=tf.pad(boxes, [[0, missing], [0, 0]]),
        classes=tf.pad(classes, [[0, missing]], constant_values=-1),
    )
    return example._replace(
        images=pad_to_canvas(example.images, canvas), targets=targets
    )


def _collate(examples: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
    """Batches examples of one canvas, padding boxes to the largest number."""
    specs = examples.element_spec
    padding = tf.nest.map_structure(lambda spec: tf.zeros([], spec.dtype), specs)
    padding = padding._replace(
        targets=padding.targets._replace(classes=tf.constant(-1))
    )
    batches = examples.padded_batch(
        batch_size, padding_values=padding, drop_remainder=True
    )
    return batches.prefetch(2)
