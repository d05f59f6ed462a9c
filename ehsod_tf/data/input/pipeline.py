"""From an `ImageSet` to batches: tf.data from end to end.

Pixels are read, decoded, resized, flipped and padded image by image, in parallel, and
nothing else is done there: beside a small JPEG every further operation costs. What is
known of the images joins them a whole batch at a time, in `collation`. Augmentation
that moves pixels is part of the resizing; see `data.augmentation`.
"""

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.data.augmentation.settings import Augmentation
from ehsod_tf.data.augmentation.views import Views, apply_views, cut_view, draw_views
from ehsod_tf.data.input.batch_plan import (
    find_batch_canvases,
    make_batch_plan,
    make_evaluation_plan,
    select_host_rows,
)
from ehsod_tf.data.input.collation import Columns, build_columns, collate
from ehsod_tf.data.input.draws import draw_uniforms
from ehsod_tf.data.input.image_cache import ensure_image_cache, read_cached_image
from ehsod_tf.data.input.image_reading import read_image
from ehsod_tf.data.input.image_streams import draw_by_class, draw_shuffled
from ehsod_tf.data.transforms import (
    WIDE_BITS,
    choose_canvas,
    flip_image,
    list_canvases,
    resize_image,
    resized_size,
)
from ehsod_tf.structures import PRESENT, Batch, ImageSet


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
    augmentation: Augmentation | None = None,
    strong_fraction: float | None = None,
    class_aware: bool = False,
    host_index: int = 0,
    num_hosts: int = 1,
    cache_dir: str | os.PathLike | None = None,
    png_bits: int = WIDE_BITS,
) -> tf.data.Dataset:
    """Builds the batches of a whole run, from `start_step` on.

    The batch of step s is a function of the arguments and s alone, flips and views
    included, so a run resumed at step s sees what it would have seen without the break,
    and several hosts together see what one would.

    Args:
        image_set: images, of which `apply_split` has made some weak.
        batch_size: images of all hosts and replicas together.
        shorter_side, longer_side: see `transforms.resized_size`.
        seed: seed of order, flips and views.
        epochs: the run has ``epochs * count_steps_per_epoch(I, batch_size)`` steps.
        start_step: number of steps already done.
        flip: mirror each image with probability 1/2.
        augmentation: if given, each image is a view, see `augmentation.views`. Pixels
            are changed on the device, by `augmentation.pixels`.
        strong_fraction: if given, the share of strong images in every batch.
        class_aware: let the classes take turns in the order of the images, see
            `image_streams.draw_by_class`; else each epoch has every image once.
        host_index, num_hosts: this host gets its contiguous share of the rows of
            every global batch.
        cache_dir: if given, images are decoded into this folder once, and read from
            there, see `image_cache.ensure_image_cache`.
        png_bits: see `transforms.decode_image`.

    Returns:
        Dataset of `Batch`, B = batch_size / num_hosts. The images of a batch share a
        canvas, nearly always that of each of them, else the smallest that holds all. M
        is the largest number of boxes in that batch, at least 1. Both vary from batch
        to batch.

    Raises:
        ConfigError: `strong_fraction` or the number of hosts does not suit the batch
            size.
        DataError: there is no image, or the cache cannot be written.
    """
    plan = make_training_plan(
        image_set,
        batch_size=batch_size,
        shorter_side=shorter_side,
        longer_side=longer_side,
        seed=seed,
        epochs=epochs,
        strong_fraction=strong_fraction,
        class_aware=class_aware,
    )
    own_rows = select_host_rows(batch_size, host_index, num_hosts)
    files = image_set.paths
    read = functools.partial(read_image, png_bits=png_bits)
    if cache_dir is not None:
        files = ensure_image_cache(image_set, cache_dir, png_bits)
        read = read_cached_image
    images = _list_files(image_set, files, shorter_side, longer_side)

    # A position is step * batch_size + row, which no two images of a run share.
    positions = np.arange(plan.size).reshape(plan.shape)[start_step:, own_rows]
    uniforms = draw_uniforms(seed, positions)
    flips = (uniforms[..., 0] < 0.5) & flip
    canvases = _choose_canvases(image_set, shorter_side, longer_side)
    batch_canvases = find_batch_canvases(plan[start_step:], canvases)
    indices = plan[start_step:, own_rows]
    usual_sizes = _resized_sizes(images)
    if augmentation is None:
        views, seen_sizes = (), usual_sizes[indices]
        columns = build_columns(image_set, usual_sizes)
    else:
        views = draw_views(
            augmentation,
            uniforms[..., 1:],
            original_sizes=image_set.sizes[indices],
            usual_sizes=usual_sizes[indices],
            canvases=canvases[indices],
            is_strong=image_set.is_strong[indices],
        )
        seen_sizes = views.sizes
        # Boxes stay on the original images until the views move them.
        columns = build_columns(image_set, image_set.sizes)
    missing = batch_canvases[:, None] - seen_sizes

    def load(
        index: tf.Tensor, is_flipped: tf.Tensor, missing: tf.Tensor, *view: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        load_pixels = _load_view if view else _load_image
        image = load_pixels(images, index, is_flipped, missing, read, *view)
        return image, index, is_flipped, *view

    slices = (indices, flips, missing, *views)
    dataset = tf.data.Dataset.from_tensor_slices(
        tuple(column.reshape(-1, *column.shape[2:]) for column in slices)
    )
    dataset = dataset.map(load, tf.data.AUTOTUNE, deterministic=True)
    return _make_batches(dataset, columns, batch_size // num_hosts, augmentation)


def make_training_plan(
    image_set: ImageSet,
    *,
    batch_size: int,
    shorter_side: int,
    longer_side: int,
    seed: int,
    epochs: int,
    strong_fraction: float | None = None,
    class_aware: bool = False,
) -> np.ndarray:
    """Returns the images of every step of a run; see `build_training_dataset`.

    Returns:
        [S, batch_size] int64 rows of the image set.
    """
    draw = draw_shuffled
    if class_aware:
        draw = functools.partial(draw_by_class, shows=image_set.image_labels == PRESENT)
    return make_batch_plan(
        _choose_canvases(image_set, shorter_side, longer_side),
        batch_size,
        epochs,
        seed,
        is_strong=image_set.has_boxes,
        strong_fraction=strong_fraction,
        draw=draw,
    )


def build_evaluation_dataset(
    image_set: ImageSet,
    *,
    batch_size: int,
    shorter_side: int,
    longer_side: int,
    png_bits: int = WIDE_BITS,
) -> tf.data.Dataset:
    """Builds batches that hold every image once, canvas by canvas.

    Returns:
        Dataset of `Batch`, B constant: the last batch of each canvas is filled up with
        black images, whose `image_ids` are -1 and whose labels are `UNKNOWN`.
    """
    images = _list_files(image_set, image_set.paths, shorter_side, longer_side)
    read = functools.partial(read_image, png_bits=png_bits)
    num_images = len(image_set.paths)
    canvas_of_image = _number_canvases(image_set, shorter_side, longer_side)
    canvases = np.array(list_canvases(shorter_side, longer_side), np.int32)
    plan = make_evaluation_plan(canvas_of_image, batch_size)
    # Each batch begins with a real image, whose canvas its fillers take.
    canvas_of_batch = canvas_of_image[plan[:, :1]]
    # A filler has no pixels: all of its canvas is missing.
    image_sizes = np.concatenate([_resized_sizes(images), np.zeros_like(canvases)])
    plan = np.where(plan < 0, num_images + canvas_of_batch, plan)
    missing = canvases[canvas_of_batch] - image_sizes[plan]

    def load(index: tf.Tensor, missing: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image = tf.cond(
            index < num_images,
            lambda: _load_image(images, index, tf.constant(False), missing, read),
            lambda: _pad(tf.zeros([0, 0, 3], images.dtype), missing),
        )
        return image, index, False

    dataset = tf.data.Dataset.from_tensor_slices(
        (plan.reshape(-1), missing.reshape(-1, 2))
    )
    dataset = dataset.map(load, tf.data.AUTOTUNE, deterministic=True)
    columns = build_columns(image_set, _resized_sizes(images), canvases)
    return _make_batches(dataset, columns, batch_size)


class _Images(NamedTuple):
    """Where the pixels are, and what becomes of them."""

    files: tf.Tensor  # [I] string
    sizes: tf.Tensor  # [I, 2, 2] int32, the original and the resized (height, width)
    dtype: tf.DType  # of the canvases; uint8 if no image is resized


def _list_files(
    image_set: ImageSet, files: list[str], shorter_side: int, longer_side: int
) -> _Images:
    original = image_set.sizes
    resized = resized_size(original, shorter_side, longer_side).numpy()
    # tf.data runs on the host; a column left on a GPU would be copied for each image.
    with tf.device("/cpu:0"):
        return _Images(
            files=tf.constant(files, tf.string),
            sizes=tf.constant(np.stack([original, resized], axis=1), tf.int32),
            # Bytes are a quarter of the memory to move.
            dtype=tf.uint8 if (original == resized).all() else tf.float32,
        )


def _resized_sizes(images: _Images) -> np.ndarray:
    return images.sizes[:, 1].numpy()


def _choose_canvases(
    image_set: ImageSet, shorter_side: int, longer_side: int
) -> np.ndarray:
    """Returns the [I, 2] int32 (height, width) of each image's own canvas."""
    canvases = np.array(list_canvases(shorter_side, longer_side), np.int32)
    return canvases[_number_canvases(image_set, shorter_side, longer_side)]


def _number_canvases(
    image_set: ImageSet, shorter_side: int, longer_side: int
) -> np.ndarray:
    sizes = tf.constant(image_set.sizes)
    return choose_canvas(sizes, shorter_side, longer_side).numpy()


def _load_image(
    images: _Images,
    index: tf.Tensor,
    is_flipped: tf.Tensor,
    missing: tf.Tensor,
    read: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Returns the [H, W, 3] canvas of one image, of `images.dtype`.

    Args:
        missing: [2] int32 rows and columns of the canvas that the image does not fill.
    """
    original_size, image_size = tf.unstack(tf.gather(images.sizes, index))
    image = read(tf.gather(images.files, index), original_size)

    def place(pixels: tf.Tensor) -> tf.Tensor:
        pixels = tf.cond(is_flipped, lambda: flip_image(pixels), lambda: pixels)
        return _pad(pixels, missing)

    if images.dtype == tf.uint8:
        return place(image)
    return tf.cond(
        tf.reduce_all(original_size == image_size),
        lambda: tf.cast(place(image), tf.float32),
        lambda: place(resize_image(image, image_size)),
    )


def _load_view(
    images: _Images,
    index: tf.Tensor,
    is_flipped: tf.Tensor,
    missing: tf.Tensor,
    read: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    window: tf.Tensor,
    size: tf.Tensor,
) -> tf.Tensor:
    """Returns the [H, W, 3] float32 canvas of a view of one image, see `Views`."""
    image = read(tf.gather(images.files, index), tf.gather(images.sizes, index)[0])
    view = cut_view(image, window, size)
    view = tf.cond(is_flipped, lambda: flip_image(view), lambda: view)
    return _pad(view, missing)


def _pad(image: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    # [[0, rows], [0, columns], [0, 0]]
    paddings = tf.pad(missing[:, None], [[0, 1], [1, 0]])
    return tf.ensure_shape(tf.pad(image, paddings), [None, None, 3])


def _make_batches(
    examples: tf.data.Dataset,
    columns: Columns,
    batch_size: int,
    augmentation: Augmentation | None = None,
) -> tf.data.Dataset:
    """Batches (image on its canvas, row of the set, whether it is flipped, *view)."""

    def join(images, index, is_flipped, *view) -> Batch:
        if not view:
            return collate(columns, images, index, is_flipped)
        batch = collate(columns, images, index, tf.zeros_like(is_flipped))
        return apply_views(batch, Views(*view), is_flipped, augmentation.min_visible)

    batches = examples.batch(batch_size, drop_remainder=True)
    return batches.map(join).prefetch(2)
