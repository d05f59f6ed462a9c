"""What a place without a box says, where not every object has one.

Strong and weak are the two ends of one scale: of the objects of a class that may be in
an image, the share r that would have boxes. It is 1 if the class is boxed completely,
or known to be absent, and 0 if nothing of it is boxed. In between, a place without a
box is not background but "background, or an object without a box"; the losses take it
for that, see `losses.discount_unboxed` and `losses.class_cross_entropy`.
"""

from typing import NamedTuple

import tensorflow as tf

from ehsod_tf.structures import BOXED, PARTLY_BOXED, Targets, list_settled


class BoxedShares(NamedTuple):
    """Of the objects that may be in each image, the share that would have boxes.

    All are None, which stands for 1, where no image of the data set is partly boxed.

    Attributes:
        of_class: [B, K] float32, of the objects of a class.
        of_image: [B] float32, of an object of unknown class.
        of_class_beside, of_image_beside: the same where a box overlaps the place: what
            seems to be an object there is a bad box of the one that has the box, unless
            none of its class has boxes.
    """

    of_class: tf.Tensor | None = None
    of_image: tf.Tensor | None = None
    of_class_beside: tf.Tensor | None = None
    of_image_beside: tf.Tensor | None = None

    def at_regions(self, explained: tf.Tensor) -> tf.Tensor | None:
        """The shares [S * B, R, K] of the regions of S stages.

        Args:
            explained: [S * B, R] bool, see `Matches`.
        """
        if self.of_class is None:
            return None
        num_stages = tf.shape(explained)[0] // tf.shape(self.of_class)[0]
        beside, elsewhere = (
            tf.tile(shares, [num_stages, 1])[:, tf.newaxis]
            for shares in (self.of_class_beside, self.of_class)
        )
        return tf.where(explained[..., tf.newaxis], beside, elsewhere)

    def at_anchors(self, explained: tf.Tensor) -> tf.Tensor:
        """The shares [B, A] of anchors; explained: [B, A] bool, see `Matches`."""
        beside, elsewhere = (
            shares[:, tf.newaxis] for shares in (self.of_image_beside, self.of_image)
        )
        return tf.where(explained, beside, elsewhere)

    def at_cells(self, boxed: tf.Tensor) -> tf.Tensor:
        """The shares [B, C, K] of cells; boxed: [B, C, 1] bool, within a box."""
        beside, elsewhere = (
            shares[:, tf.newaxis] for shares in (self.of_class_beside, self.of_class)
        )
        return tf.where(boxed, beside, elsewhere)


def share_boxed(targets: Targets, boxed_share: float) -> BoxedShares:
    """The shares of each image.

    Args:
        targets: `Targets`.
        boxed_share: of a partly boxed class, and of an object of unknown class in a
            partly boxed image. In an image whose boxed classes are all absent, an
            object of unknown class has no box.
    """
    if targets.is_partial is None:
        return BoxedShares()
    states = targets.class_states
    of_partly = tf.where(states == PARTLY_BOXED, boxed_share, 0.0)
    of_class = tf.where(list_settled(states), 1.0, of_partly)
    shows_boxed = tf.reduce_any((states == PARTLY_BOXED) | (states == BOXED), axis=-1)
    of_partial = tf.where(shows_boxed, boxed_share, 0.0)
    of_image = tf.where(targets.is_partial, of_partial, 1.0)
    of_class_beside = tf.cast(of_class > 0.0, tf.float32)
    has_unboxed = tf.reduce_any(of_class == 0.0, axis=-1)
    of_image_beside = tf.where(targets.is_partial & has_unboxed, of_image, 1.0)
    return BoxedShares(of_class, of_image, of_class_beside, of_image_beside)
