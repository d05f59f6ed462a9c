"""Which part of each image is seen, and how large: scale jitter with crop.

A view is a window of the original image and the size that it is resized to. Window and
size are whole pixels, so that boxes, moved by the same two, follow the pixels exactly.
An image that is resized to less than its usual size fills the top left corner of its
canvas; one that is resized to more is cropped to the canvas.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ehsod_tf.data.augmentation.settings import Augmentation
from ehsod_tf.data.transforms import flip_boxes, resize_image
from ehsod_tf.structures import BOXED, BOXED_UNCERTAIN, PARTLY_BOXED, UNKNOWN, Batch


class Views(NamedTuple):
    """The views of images, as arrays or tensors.

    Attributes:
        windows: [..., 4] int32 (ymin, xmin, height, width) in original pixels.
        sizes: [..., 2] int32 (height, width) that the windows are resized to.
    """

    windows: np.ndarray
    sizes: np.ndarray


def draw_views(
    settings: Augmentation,
    uniforms: np.ndarray,
    *,
    original_sizes: np.ndarray,
    usual_sizes: np.ndarray,
    canvases: np.ndarray,
    is_strong: np.ndarray,
) -> Views:
    """Makes views out of random numbers.

    Args:
        settings: of which the scales and `weak_min_area` are used.
        uniforms: [..., 3] in [0, 1): for the scale and for the window's place.
        original_sizes: [..., 2] integers (height, width) of the images.
        usual_sizes: [..., 2] that the images are resized to without augmentation.
        canvases: [..., 2] of the images, at least their usual size.
        is_strong: [...] bool, whether all boxes of the image are known.
    """
    weak_max = min(settings.max_scale, settings.weak_min_area**-0.5)
    highest = np.where(is_strong, settings.max_scale, weak_max)
    lowest = np.minimum(settings.min_scale, highest)
    scales = lowest * (highest / lowest) ** uniforms[..., 0].astype(np.float64)
    resized = np.maximum(np.round(usual_sizes * scales[..., None]), 1)
    sizes = np.minimum(resized, canvases)
    shares = sizes / resized
    extents = np.maximum(np.round(original_sizes * shares), 1)
    starts = np.floor(uniforms[..., 1:] * (original_sizes - extents + 1))
    windows = np.concatenate([starts, extents], axis=-1)
    return Views(windows.astype(np.int32), sizes.astype(np.int32))


def cut_view(image: tf.Tensor, window: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns the [h, w, 3] float32 view of an [H, W, 3] image.

    Args:
        window: [4] int32, see `Views`.
        size: [2] int32, likewise.
    """
    start = tf.pad(window[:2], [[0, 1]])
    extent = tf.concat([window[2:], [3]], axis=0)
    return resize_image(tf.slice(image, start, extent), size)


def apply_views(
    batch: Batch,
    views: Views,
    is_flipped: tf.Tensor,
    min_visible: float,
    crowds: str = "background",
) -> Batch:
    """Takes all that is known of the images of a batch to their views.

    A box that a crop leaves too little of is dropped. The label of a boxed class none
    of whose boxes is kept becomes unknown: a part of an object may still be seen.
    Labels without boxes stay, see `Augmentation.weak_min_area`, and so does what is
    left of an ignored region.

    Args:
        batch: whose images are views already, on their canvas and mirrored, while
            `image_sizes` and `targets` are those of the original images.
        views: of the images: [B, 4] and [B, 2].
        is_flipped: [B] bool, the views that are mirrored.
        min_visible: see `Augmentation`.
        crowds: see `collation.build_columns`. With "ignored", what is left of an object
            whose box is dropped is an ignored region of its class.

    Returns:
        `Batch`. Its `scales` are the views' pixels per original pixel.
    """
    extents = views.windows[:, 2:]
    scales = tf.cast(views.sizes / extents, tf.float32)
    targets = batch.targets

    def move(boxes, least_share):
        boxes, is_kept = _move_boxes(boxes, views, scales, least_share)
        mirrored = flip_boxes(boxes, views.sizes[:, 1])
        return tf.where(is_flipped[:, None, None], mirrored, boxes), is_kept

    moved, is_visible = move(targets.boxes, min_visible)
    is_kept = is_visible & (targets.classes >= 0)
    classes = tf.where(is_kept, targets.classes, -1)
    states = targets.class_states
    is_cropped = tf.reduce_any(extents < batch.image_sizes, axis=1)
    is_boxed = tf.reduce_max(tf.one_hot(classes, states.shape[1]), axis=1) > 0
    is_lost = is_cropped[:, None] & ~is_boxed
    states = tf.where(is_lost & (states == BOXED), BOXED_UNCERTAIN, states)
    states = tf.where(is_lost & (states == PARTLY_BOXED), UNKNOWN, states)
    if targets.ignored_boxes is not None:
        regions, is_seen = move(targets.ignored_boxes, 0.0)
        regions = tf.where(is_seen[..., None], regions, 0.0)
        targets = targets._replace(ignored_boxes=regions)
    if crowds == "ignored":
        is_left = (_compute_areas(moved) > 0) & (targets.classes >= 0)
        targets = _ignore_remains(targets, moved, is_left & ~is_visible)
    return batch._replace(
        image_sizes=views.sizes,
        scales=scales,
        targets=targets._replace(
            boxes=tf.where(is_kept[..., None], moved, 0.0),
            classes=classes,
            class_states=states,
        ),
    )


def _ignore_remains(targets, boxes, is_dropped):
    """Adds those of the boxes [B, M, 4] that are dropped to the ignored regions."""
    regions = tf.where(is_dropped[..., None], boxes, 0.0)
    classes = tf.where(is_dropped, targets.classes, -1)
    if targets.ignored_boxes is not None:
        regions = tf.concat([targets.ignored_boxes, regions], axis=1)
        classes = tf.concat([targets.ignored_classes, classes], axis=1)
    return targets._replace(ignored_boxes=regions, ignored_classes=classes)


def _move_boxes(boxes, views, scales, min_visible):
    """Returns the boxes [B, M, 4] in their views, and [B, M], whether they are kept."""
    starts, sizes, scales = (
        tf.tile(tf.cast(pair, tf.float32), [1, 2])[:, None]
        for pair in (views.windows[:, :2], views.sizes, scales)
    )
    moved = (boxes - starts) * scales
    clipped = tf.clip_by_value(moved, 0.0, sizes)
    areas = _compute_areas(clipped)
    return clipped, (areas > 0) & (areas >= min_visible * _compute_areas(moved))


def _compute_areas(boxes):
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides[..., 0] * sides[..., 1]
