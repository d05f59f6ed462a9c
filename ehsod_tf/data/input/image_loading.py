"""Pixels of one image on its canvas, within tf.data.

Nothing else is done image by image: beside a small JPEG every further operation costs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.data.augmentation.views import cut_view
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.data.transforms import flip_image, resize_image
from ehsod_tf.structures import ImageSet


class ImageFiles(NamedTuple):
    """Where the pixels are, and what becomes of them."""

    files: tf.Tensor  # [I] string
    sizes: tf.Tensor  # [I, 2, 2] int32, the original and the resized (height, width)
    dtype: tf.DType  # of the canvases; uint8 if no image is resized

    @property
    def resized_sizes(self) -> np.ndarray:
        """[I, 2] int32 (height, width)."""
        return self.sizes[:, 1].numpy()


def locate_images(
    image_set: ImageSet, files: list[str], resizing: Resizing
) -> ImageFiles:
    """Lists the `files` that hold the images of a set, originals or copies of these."""
    original = image_set.sizes
    resized = resizing.compute_sizes(original).numpy()
    # tf.data runs on the host; a column left on a GPU would be copied for each image.
    with tf.device("/cpu:0"):
        return ImageFiles(
            files=tf.constant(files, tf.string),
            sizes=tf.constant(np.stack([original, resized], axis=1), tf.int32),
            # Bytes are a quarter of the memory to move.
            dtype=tf.uint8 if (original == resized).all() else tf.float32,
        )


def load_image(
    images: ImageFiles,
    index: tf.Tensor,
    is_flipped: tf.Tensor,
    missing: tf.Tensor,
    read: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Returns the [H, W, 3] canvas of one image, of `images.dtype`.

    Args:
        images: all images.
        index: scalar, the row of this one.
        is_flipped: scalar bool, whether it is mirrored.
        missing: [2] int32 rows and columns of the canvas that the image does not fill.
        read: takes a file and the original size to pixels.
    """
    original_size, image_size = tf.unstack(tf.gather(images.sizes, index))
    image = read(tf.gather(images.files, index), original_size)

    def place(pixels: tf.Tensor) -> tf.Tensor:
        pixels = tf.cond(is_flipped, lambda: flip_image(pixels), lambda: pixels)
        return pad_image(pixels, missing)

    if images.dtype == tf.uint8:
        return place(image)
    return tf.cond(
        tf.reduce_all(original_size == image_size),
        lambda: tf.cast(place(image), tf.float32),
        lambda: place(resize_image(image, image_size)),
    )


def load_view(
    images: ImageFiles,
    index: tf.Tensor,
    is_flipped: tf.Tensor,
    missing: tf.Tensor,
    read: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    window: tf.Tensor,
    size: tf.Tensor,
) -> tf.Tensor:
    """As `load_image`, of a view; returns float32.

    Args:
        images, index, is_flipped, missing, read: see `load_image`.
        window, size: see `augmentation.views.Views`.
    """
    image = read(tf.gather(images.files, index), tf.gather(images.sizes, index)[0])
    view = cut_view(image, window, size)
    view = tf.cond(is_flipped, lambda: flip_image(view), lambda: view)
    return pad_image(view, missing)


def pad_image(image: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """Adds `missing` rows and columns of zeros below and to the right."""
    # [[0, rows], [0, columns], [0, 0]]
    paddings = tf.pad(missing[:, None], [[0, 1], [1, 0]])
    return tf.ensure_shape(tf.pad(image, paddings), [None, None, 3])
