"""Changes what is known of hand-made images."""

import numpy as np
import tensorflow as tf

from ehsod_tf.structures import ImageSet, combine_states


def mark_boxed(known, has_boxes, image_labels=None):
    """An `ImageSet` or `Targets` with the same or other labels, boxed or weak.

    Args:
        known: `ImageSet` or `Targets`.
        has_boxes: by image.
        image_labels: by image and class; None for those that `known` has.
    """
    labels = known.image_labels if image_labels is None else image_labels
    states = combine_states(np.asarray(labels), np.asarray(has_boxes))
    if not isinstance(known, ImageSet):
        states = tf.constant(states, tf.int32)
    return known._replace(class_states=states)
