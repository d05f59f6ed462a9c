"""A teacher in the same run: boxes for images of which only labels are known.

The teacher is the detector with the moving averages of its own weights (Tarvainen and
Valpola 2017, "Mean teachers"). What it detects on a weak image is checked against the
image's labels, and an image of which every present class was found is trained on as if
it were strong, in this step and with a smaller weight: it is *promoted*. This goes
beyond the paper.
"""

import dataclasses

import tensorflow as tf

from ehsod_tf.errors import ConfigError, require_count, require_share
from ehsod_tf.structures import (
    ABSENT,
    BOXED_OFFSET,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    Detections,
    Targets,
    TargetWeights,
    list_settled,
)

# Pixels to which boxes are rounded. Convolutions round differently on other replicas;
# on the grid all get the very same boxes, and ties in the assignment fall alike.
_BOX_GRID = 0.125


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Which detections become boxes, of which images, and how much these count.

    Classes that are labelled absent take no part in the scores of an image, so that the
    labels decide between classes that look alike. A box is kept if its score reaches
    `other_score`, or `best_score` where its class is labelled present and no detection
    of this class scores higher. An image is promoted if a box is kept of every class
    that is labelled present, or of one with `in_part`. Without `in_part`, all that no
    kept box covers becomes background there: ignoring what the teacher is not sure of
    would also ignore duplicates of kept boxes, the very negatives that teach
    suppression.

    Attributes:
        momentum: of the averages, `ema_momentum` of the optimizer that a run makes.
        burn_in_steps: steps before the first promotion; the averages start with the
            run, and their first detections teach nothing.
        best_score: least score of the best detection of a present class.
        other_score: least score of every other box.
        needs_labels: only promote images whose labels are all known. False also
            promotes images with unknown labels that have a kept box: a mean teacher
            without labels.
        classification_weight: of promoted images, see `TargetWeights`.
        regression_weight: likewise.
        in_part: promote every image of which a box is kept. The classes that have one
            are boxed in part (`HybridCriterion.boxed_share`), other present classes
            stay without, so that what the teacher missed is not taught as background.
            Needs `needs_labels`.
        max_boxes: images with more kept boxes are not promoted.
        max_proposals: regions an image that the teacher classifies.
    """

    momentum: float = 0.999
    burn_in_steps: int = 1000
    best_score: float = 0.7
    other_score: float = 0.9
    needs_labels: bool = True
    classification_weight: float = 0.5
    regression_weight: float = 0.0
    in_part: bool = False
    max_boxes: int = 30
    max_proposals: int = 100

    def __post_init__(self):
        # Before the first step the averages are 0.
        for name in ("burn_in_steps", "max_boxes", "max_proposals"):
            require_count(f"teacher: {name}", getattr(self, name))
        for name in (
            "momentum",
            "best_score",
            "other_score",
            "classification_weight",
            "regression_weight",
        ):
            require_share(f"teacher: {name}", getattr(self, name))
        if self.in_part and not self.needs_labels:
            raise ConfigError(
                "teacher: in_part = True needs needs_labels = True: only the labels of "
                "an image say of which classes the teacher has missed something"
            )

    def restrict_selector(self, selector):
        """A `ProposalSelector` that gives no more than `max_proposals`."""
        number = min(self.max_proposals, selector.test_max_proposals)
        return dataclasses.replace(selector, test_max_proposals=number)

    def restrict_decoder(self, decoder):
        """A `DetectionDecoder` that leaves out what would never be kept."""
        threshold = min(self.best_score, self.other_score)
        return dataclasses.replace(decoder, score_threshold=threshold)

    def prepare(self, targets: Targets) -> Targets:
        """`Targets` of the structure that those of `promote` have."""
        if not self.in_part or targets.is_partial is not None:
            return targets
        return targets._replace(is_partial=tf.zeros_like(targets.has_boxes))

    def find_candidates(self, targets: Targets):
        """[B] bool: the weak images that could be promoted."""
        if not self.needs_labels:
            return ~targets.has_boxes
        is_known = tf.reduce_all(targets.image_labels != UNKNOWN, axis=-1)
        return ~targets.has_boxes & is_known

    def promote(self, detections: Detections, targets: Targets) -> Targets:
        """Gives boxes to the weak images that the teacher has explained.

        Args:
            detections: on the images of `targets`, best first; those of strong images
                are not looked at.
            targets: `Targets`.

        Returns:
            `Targets` in which promoted images have boxes. What an image gets depends on
            itself alone; only the padding of M depends on its batch-mates.
        """
        targets = self.prepare(targets)
        kept = self._choose_boxes(detections, targets.image_labels)
        found = _mark_classes(detections.classes, kept, targets.class_states.shape[-1])
        promoted = self._choose_images(targets, kept, found)
        is_new = promoted[:, tf.newaxis]
        kept &= is_new
        num_kept = tf.reduce_max(_count(kept))
        num_rows = tf.maximum(num_kept, tf.shape(targets.classes)[1])
        boxes, classes = _move_up(detections, kept, num_rows)
        old_boxes = _fit_rows(targets.boxes, num_rows, 0.0)
        old_classes = _fit_rows(targets.classes, num_rows, -1)
        states = self._list_states(targets, found)
        is_partial = targets.is_partial
        if is_partial is not None:
            is_partial |= promoted & ~tf.reduce_all(list_settled(states), axis=-1)
        return targets._replace(
            boxes=tf.where(is_new[..., tf.newaxis], boxes, old_boxes),
            classes=tf.where(is_new, classes, old_classes),
            class_states=tf.where(is_new, states, targets.class_states),
            is_partial=is_partial,
        )

    def weigh(self, weights: TargetWeights, promoted: tf.Tensor) -> TargetWeights:
        """The weights of images, some of which are `promoted` ([B] bool)."""
        return TargetWeights(
            tf.where(promoted, self.classification_weight, weights.classification),
            tf.where(promoted, self.regression_weight, weights.regression),
        )

    def _choose_boxes(self, detections, image_labels):
        """[B, D] bool: detections that are kept if their image is promoted."""
        classes, scores = detections.classes, detections.scores
        labels = tf.gather(image_labels, tf.maximum(classes, 0), batch_dims=1)
        is_allowed = (classes >= 0) & (labels != ABSENT)
        of_class = tf.one_hot(classes, image_labels.shape[-1], dtype=tf.int32)
        rank = tf.reduce_sum(of_class * tf.cumsum(of_class, axis=1), axis=-1)
        is_best = (rank == 1) & (labels == PRESENT) & (scores >= self.best_score)
        return is_allowed & (is_best | (scores >= self.other_score))

    def _choose_images(self, targets, kept, found):
        """[B] bool: images that are promoted."""
        num_kept = _count(kept)
        promoted = self.find_candidates(targets) & (num_kept <= self.max_boxes)
        if not self.needs_labels:
            promoted &= num_kept > 0
        is_missed = (targets.image_labels == PRESENT) & ~found
        if self.in_part:
            return promoted & ((num_kept > 0) | ~tf.reduce_any(is_missed, axis=-1))
        return promoted & ~tf.reduce_any(is_missed, axis=-1)

    def _list_states(self, targets, found):
        """[B, K] int32: the class states of promoted images."""
        complete = targets.class_states + BOXED_OFFSET
        if not self.in_part:
            return complete
        of_present = tf.where(found, PARTLY_BOXED, PRESENT)
        return tf.where(targets.image_labels == PRESENT, of_present, complete)


def _count(kept):
    """[B] int32: kept boxes of each image."""
    return tf.reduce_sum(tf.cast(kept, tf.int32), axis=-1)


def _move_up(detections, kept, num_rows):
    """The kept boxes [B, M, 4] and their classes [B, M] as the first of `num_rows`.

    As in a strong image: the choice of regions hashes the number of the row.
    """
    rows = tf.argsort(tf.cast(~kept, tf.int32), axis=-1, stable=True)
    boxes = tf.round(detections.boxes / _BOX_GRID) * _BOX_GRID
    boxes = tf.where(kept[..., tf.newaxis], boxes, 0.0)
    classes = tf.where(kept, detections.classes, -1)
    boxes, classes = (tf.gather(v, rows, batch_dims=1) for v in (boxes, classes))
    return _fit_rows(boxes, num_rows, 0.0), _fit_rows(classes, num_rows, -1)


def _mark_classes(classes, kept, num_classes):
    """[B, K] bool: the classes that have a kept box."""
    of_class = tf.one_hot(classes, num_classes, on_value=True, off_value=False)
    return tf.reduce_any(of_class & kept[..., tf.newaxis], axis=1)


def _fit_rows(values, num_rows, filler):
    """Cuts or pads axis 1 to `num_rows`."""
    values = values[:, :num_rows]
    missing = num_rows - tf.shape(values)[1]
    paddings = [[0, 0], [0, missing], *([[0, 0]] * (values.shape.rank - 2))]
    return tf.pad(values, paddings, constant_values=filler)
