"""From an `ImageSet` to batches: tf.data from end to end.

Pixels are read, decoded, resized, flipped and padded image by image, in parallel, by
`image_loading`. What is known of the images joins them a whole batch at a time, in
`collation`. Augmentation that moves pixels is part of the resizing; see
`data.augmentation`.
"""

import functools
import os

import numpy as np
import tensorflow as tf

from ehsod_tf.data.augmentation.settings import Augmentation
from ehsod_tf.data.augmentation.views import Views, apply_views, draw_views
from ehsod_tf.data.input.batch_plan import (
    find_batch_canvases,
    make_batch_plan,
    make_evaluation_plan,
    select_host_rows,
)
from ehsod_tf.data.input.collation import Columns, build_columns, collate
from ehsod_tf.data.input.draws import draw_uniforms
from ehsod_tf.data.input.image_cache import ensure_image_cache, read_cached_image
from ehsod_tf.data.input.image_loading import (
    load_image,
    load_view,
    locate_images,
    pad_image,
)
from ehsod_tf.data.input.image_reading import read_image
from ehsod_tf.data.input.image_streams import draw_by_class, draw_shuffled
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.structures import PRESENT, Batch, ImageSet


def build_training_dataset(
    image_set: ImageSet,
    *,
    batch_size: int,
    resizing: Resizing,
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
    crowds: str = "background",
) -> tf.data.Dataset:
    """Builds the batches of a whole run, from `start_step` on.

    The batch of step s is a function of the arguments and s alone, flips and views
    included, so a run resumed at step s sees what it would have seen without the break,
    and several hosts together see what one would.

    Args:
        image_set: images, of which `apply_split` has made some weak.
        batch_size: images of all hosts and replicas together.
        resizing: how large images are for the network.
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
        crowds: "background" or "ignored", see `collation.build_columns` and
            `apply_views`.

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
        resizing=resizing,
        seed=seed,
        epochs=epochs,
        strong_fraction=strong_fraction,
        class_aware=class_aware,
    )
    own_rows = select_host_rows(batch_size, host_index, num_hosts)
    files = image_set.paths
    read = functools.partial(read_image, png_bits=resizing.png_bits)
    if cache_dir is not None:
        files = ensure_image_cache(image_set, cache_dir, resizing.png_bits)
        read = read_cached_image
    images = locate_images(image_set, files, resizing)

    # A position is step * batch_size + row, which no two images of a run share.
    rest = plan[start_step:]
    uniforms = draw_uniforms(seed, start_step * batch_size, rest.size)
    uniforms = uniforms.reshape(*rest.shape, uniforms.shape[-1])[:, own_rows]
    flips = (uniforms[..., 0] < 0.5) & flip
    canvases = resizing.compute_canvases(image_set.sizes).numpy()
    batch_canvases = find_batch_canvases(rest, canvases)
    indices = rest[:, own_rows]
    usual_sizes = images.resized_sizes
    if augmentation is None:
        views, seen_sizes = (), usual_sizes[indices]
        columns = build_columns(image_set, usual_sizes, crowds=crowds)
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
        columns = build_columns(image_set, image_set.sizes, crowds=crowds)
    missing = batch_canvases[:, None] - seen_sizes

    def load(
        index: tf.Tensor, is_flipped: tf.Tensor, missing: tf.Tensor, *view: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        load_pixels = load_view if view else load_image
        image = load_pixels(images, index, is_flipped, missing, read, *view)
        return image, index, is_flipped, *view

    slices = (indices, flips, missing, *views)
    dataset = tf.data.Dataset.from_tensor_slices(
        tuple(column.reshape(-1, *column.shape[2:]) for column in slices)
    )
    dataset = dataset.map(load, tf.data.AUTOTUNE, deterministic=True)
    return _make_batches(
        dataset, columns, batch_size // num_hosts, augmentation, crowds
    )


def make_training_plan(
    image_set: ImageSet,
    *,
    batch_size: int,
    resizing: Resizing,
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
        resizing.compute_canvases(image_set.sizes).numpy(),
        batch_size,
        epochs,
        seed,
        # A detector's boxes come beside people's, not in their place.
        is_strong=image_set.boxed_by_people,
        strong_fraction=strong_fraction,
        draw=draw,
    )


def build_evaluation_dataset(
    image_set: ImageSet,
    *,
    batch_size: int,
    resizing: Resizing,
) -> tf.data.Dataset:
    """Builds batches that hold every image once, canvas by canvas.

    Returns:
        Dataset of `Batch`, B constant: the last batch of each canvas is filled up with
        black images, whose `image_ids` are -1 and whose labels are `UNKNOWN`.
    """
    images = locate_images(image_set, image_set.paths, resizing)
    read = functools.partial(read_image, png_bits=resizing.png_bits)
    num_images = len(image_set.paths)
    canvas_of_image = resizing.choose_canvases(image_set.sizes).numpy()
    canvases = np.array(resizing.list_canvases(), np.int32)
    plan = make_evaluation_plan(canvas_of_image, batch_size)
    # Each batch begins with a real image, whose canvas its fillers take.
    canvas_of_batch = canvas_of_image[plan[:, :1]]
    # A filler has no pixels: all of its canvas is missing.
    image_sizes = np.concatenate([images.resized_sizes, np.zeros_like(canvases)])
    plan = np.where(plan < 0, num_images + canvas_of_batch, plan)
    missing = canvases[canvas_of_batch] - image_sizes[plan]

    def load(index: tf.Tensor, missing: tf.Tensor) -> tuple[tf.Tensor, ...]:
        image = tf.cond(
            index < num_images,
            lambda: load_image(images, index, tf.constant(False), missing, read),
            lambda: pad_image(tf.zeros([0, 0, 3], images.dtype), missing),
        )
        return image, index, False

    dataset = tf.data.Dataset.from_tensor_slices(
        (plan.reshape(-1), missing.reshape(-1, 2))
    )
    dataset = dataset.map(load, tf.data.AUTOTUNE, deterministic=True)
    columns = build_columns(image_set, images.resized_sizes, canvases)
    return _make_batches(dataset, columns, batch_size)


def _make_batches(
    examples: tf.data.Dataset,
    columns: Columns,
    batch_size: int,
    augmentation: Augmentation | None = None,
    crowds: str = "background",
) -> tf.data.Dataset:
    """Batches (image on its canvas, row of the set, whether it is flipped, *view)."""

    def join(images, index, is_flipped, *view) -> Batch:
        if not view:
            return collate(columns, images, index, is_flipped)
        batch = collate(columns, images, index, tf.zeros_like(is_flipped))
        return apply_views(
            batch, Views(*view), is_flipped, augmentation.min_visible, crowds
        )

    batches = examples.batch(batch_size, drop_remainder=True)
    return batches.map(join).prefetch(2)
