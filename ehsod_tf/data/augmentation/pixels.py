"""Changed colours and erased rectangles, for a whole batch and on any device.

All colour changes are linear in RGB, so that one 3 x 3 matrix and one offset an image
do for brightness, contrast, saturation and hue together.
"""

import math

import numpy as np
import tensorflow as tf

from ehsod_tf.data.augmentation.settings import Augmentation
from ehsod_tf.structures import Batch

# Uniform random numbers an image: four for its colours, eight for erasing.
NUM_DRAWS = 12
_ERASED_ASPECTS = (0.3, 3.3)

# RGB to luma and the two colour axes of YIQ: a turn of these two is a turn of the hue.
_RGB_TO_YIQ = np.array(
    [
        [0.299, 0.587, 0.114],
        [0.595716, -0.274453, -0.321263],
        [0.211456, -0.522591, 0.311135],
    ]
)
_LUMA = _RGB_TO_YIQ[0].astype(np.float32)
_KEEP_LUMA, _KEEP_COLOUR, _TURN_COLOUR = (
    (np.linalg.inv(_RGB_TO_YIQ) @ change @ _RGB_TO_YIQ).astype(np.float32)
    for change in (
        np.diag([1, 0, 0]),
        np.diag([0, 1, 1]),
        np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    )
)


def augment_batch(batch: Batch, uniforms: tf.Tensor, settings: Augmentation) -> Batch:
    """Changes the pixels that the student sees, and keeps the others for a teacher.

    Args:
        batch: `Batch`.
        uniforms: see `change_pixels`.
        settings: how much to change.
    """
    images = change_pixels(batch.images, batch.image_sizes, uniforms, settings)
    return batch._replace(images=images, teacher_images=batch.images)


def change_pixels(
    images: tf.Tensor,
    image_sizes: tf.Tensor,
    uniforms: tf.Tensor,
    settings: Augmentation,
) -> tf.Tensor:
    """Changes the colours of images and erases a rectangle of some.

    Args:
        images: [B, H, W, 3] float32 RGB in [0, 255], zero outside the image.
        image_sizes: [B, 2] int32 (height, width) of the images on their canvas.
        uniforms: [B, NUM_DRAWS] float32 random numbers in [0, 1).
        settings: how much to change.

    Returns:
        [B, H, W, 3] float32 in [0, 255], zero outside the image.
    """
    draws = tf.unstack(uniforms, NUM_DRAWS, axis=1)
    if settings.brightness or settings.contrast or settings.saturation or settings.hue:
        images = _change_colours(images, image_sizes, draws[:4], settings)
    if settings.erase_probability:
        images = _erase(images, image_sizes, draws[4:], settings)
    return images


def _change_colours(images, image_sizes, draws, settings):
    brightness, contrast, saturation = (
        1.0 + strength * (2.0 * draw - 1.0)
        for strength, draw in zip(
            (settings.brightness, settings.contrast, settings.saturation),
            draws[:3],
            strict=True,
        )
    )
    angles = 2.0 * math.pi * settings.hue * (2.0 * draws[3] - 1.0)
    matrices = _turn_colours(angles, saturation)
    matrices *= (brightness * contrast)[:, None, None]
    num_pixels = tf.cast(tf.reduce_prod(image_sizes, axis=1), tf.float32)
    mean_grey = tf.reduce_sum(tf.reduce_sum(images, axis=[1, 2]) * _LUMA, axis=1)
    offsets = brightness * (1.0 - contrast) * mean_grey / num_pixels
    # As a product of matrices it takes a tenth of the time of broadcast products.
    shape = tf.shape(images)
    pixels = tf.reshape(images, [shape[0], -1, 3])
    changed = tf.matmul(pixels, matrices, transpose_b=True) + offsets[:, None, None]
    # The offset must not brighten the canvas beside the image.
    ends = tf.cast(image_sizes, tf.float32)
    inside = _mask_rectangles(images, tf.zeros([1, 2]), ends)
    changed = tf.reshape(tf.clip_by_value(changed, 0.0, 255.0), shape)
    return changed * tf.cast(inside, tf.float32)


def _turn_colours(angles, saturation):
    """[B, 3, 3] matrices that turn and stretch the colour axes and keep the luma."""
    cosines, sines = (
        (saturation * part)[:, None, None] for part in (tf.cos(angles), tf.sin(angles))
    )
    return _KEEP_LUMA + cosines * _KEEP_COLOUR + sines * _TURN_COLOUR


def _erase(images, image_sizes, draws, settings):
    chance, area, aspect, top, left = draws[:5]
    colours = 255.0 * tf.stack(draws[5:], axis=-1)
    low, high = settings.erase_area
    area = low * (high / low) ** area
    low, high = _ERASED_ASPECTS
    aspect = low * (high / low) ** aspect
    shares = tf.minimum(tf.sqrt(tf.stack([area * aspect, area / aspect], axis=-1)), 1.0)
    sizes = tf.cast(image_sizes, tf.float32)
    starts = tf.stack([top, left], axis=-1) * (1.0 - shares) * sizes
    is_erased = _mask_rectangles(images, starts, starts + shares * sizes)
    is_erased &= (chance < settings.erase_probability)[:, None, None, None]
    # The product costs half of what `tf.where` does, and changes no other pixel.
    is_erased = tf.cast(is_erased, tf.float32)
    return images * (1.0 - is_erased) + colours[:, None, None, :] * is_erased


def _mask_rectangles(images, starts, ends):
    """[B, H, W, 1] bool, pixels whose centre lies in the rectangle of their image."""
    shape = tf.shape(images)
    inside = []
    for axis in (0, 1):
        centres = tf.range(shape[axis + 1], dtype=tf.float32) + 0.5
        inside.append(
            (centres >= starts[:, axis, None]) & (centres < ends[:, axis, None])
        )
    return (inside[0][:, :, None] & inside[1][:, None, :])[..., None]
