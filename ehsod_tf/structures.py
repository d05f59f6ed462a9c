"""The tuples that flow through the library, and the conventions they share.

Axis letters, used in every docstring and shape comment of the package:

    B  images in a batch            M  padded ground-truth boxes of an image
    N  proposals of an image        R  sampled regions of interest of an image
    K  foreground classes           A  anchors of an image, all levels together
    D  padded detections            I  images of a data set
    T  boxes of a data set          L  pyramid levels (P2 has stride 4)

Coordinates. A box is ``[ymin, xmin, ymax, xmax]`` in absolute, continuous pixels: the
centre of the top-left pixel is (0.5, 0.5), a box that covers that pixel is
``[0, 0, 1, 1]``, and its height is ``ymax - ymin``. Inside the network "pixels" are
those of the padded network input; in an :class:`ImageSet` and in result files they are
those of the original image. COCO's xywh and VOC's 1-based inclusive corners exist only
in ``ehsod_tf.data`` readers and in ``ehsod_tf.evaluation``.

Classes are 0 .. K-1; K itself stands for background where a head needs it, and -1 for
padding. An ignored region that may hold any class has `ANY_CLASS`.

Supervision. What is known of a class in an image is one state, from nothing at all to
every box:

    state            label    boxes of the class
    UNKNOWN          unknown  not known
    ABSENT           absent   not known, and not needed
    PRESENT          present  not known
    PARTLY_BOXED     present  of some of its objects
    BOXED_UNCERTAIN  unknown  of all objects, and there is none but ignored ones
    BOXED_ABSENT     absent   of all objects, of which there are none
    BOXED            present  of all objects

A *weak* image has states of the first three kinds alone, a *strong* one is boxed
completely, or absent, in every class; whatever lies between is *partly boxed*.

Named tuples, because they pass unchanged through ``tf.data``, ``tf.distribute``,
``tf.function``, Keras layers and SavedModel signatures.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

PRESENT = 1
ABSENT = 0
UNKNOWN = -1
PARTLY_BOXED = 2
# What is boxed completely has the state of its label, plus this.
BOXED_OFFSET = 4
BOXED_UNCERTAIN = UNKNOWN + BOXED_OFFSET
BOXED_ABSENT = ABSENT + BOXED_OFFSET
BOXED = PRESENT + BOXED_OFFSET

ANY_CLASS = -1


def combine_states(image_labels: np.ndarray, is_boxed: np.ndarray) -> np.ndarray:
    """Makes class states of labels and of what is boxed completely.

    Args:
        image_labels: [..., K], `PRESENT`, `ABSENT` or `UNKNOWN`.
        is_boxed: [..., K] bool, classes whose objects all have boxes; or [...] for all
            the classes of an image.

    Returns:
        [..., K] int8.
    """
    image_labels, is_boxed = np.asarray(image_labels), np.asarray(is_boxed)
    if is_boxed.ndim < image_labels.ndim:
        is_boxed = is_boxed[..., np.newaxis]
    return (image_labels + BOXED_OFFSET * is_boxed).astype(np.int8)


def list_labels(class_states):
    """[..., K] labels, `PRESENT`, `ABSENT` or `UNKNOWN`; arrays and tensors."""
    lib = np if isinstance(class_states, np.ndarray) else tf
    # As a remainder, for integers that TensorFlow keeps in a GPU's host's memory.
    return lib.minimum((class_states + 1) % BOXED_OFFSET - 1, PRESENT)


def find_boxed(class_states):
    """[...] bool: images boxed in some class at least; arrays and tensors."""
    reduce_any = np.any if isinstance(class_states, np.ndarray) else tf.reduce_any
    return reduce_any(class_states >= PARTLY_BOXED, axis=-1)


def list_settled(class_states):
    """[..., K] bool: classes of which no object is without a box.

    They are boxed completely, or known to be absent. Arrays and tensors.
    """
    return (class_states > PARTLY_BOXED) | (class_states == ABSENT)


class Targets(NamedTuple):
    """What is known about the images of a batch.

    There is at least one row of boxes, M >= 1, even if it is padding: a maximum over
    the boxes of an image is always defined.

    Attributes:
        boxes: [B, M, 4] float32. Padding rows, and all rows of a weak image, are 0.
        classes: [B, M] int32, -1 for padding.
        class_states: [B, K] int32, see the top of this file.
        is_partial: [B] bool, images that are partly boxed. None where the whole data
            set holds no such image, so that no step pays for the question.
        ignored_boxes: [B, G, 4] float32 regions that are background to no loss; rows of
            padding are 0. None where the whole data set holds none.
        ignored_classes: [B, G] int32, what such a region may hold: a class or
            `ANY_CLASS`. None with `ignored_boxes`.
        machine_boxed: [B] bool, images whose boxes are a detector's. None where the
            whole data set holds no such image.
    """

    boxes: tf.Tensor
    classes: tf.Tensor
    class_states: tf.Tensor
    is_partial: tf.Tensor | None = None
    ignored_boxes: tf.Tensor | None = None
    ignored_classes: tf.Tensor | None = None
    machine_boxed: tf.Tensor | None = None

    @property
    def image_labels(self) -> tf.Tensor:
        """[B, K] int32, `PRESENT`, `ABSENT` or `UNKNOWN`."""
        return list_labels(self.class_states)

    @property
    def has_boxes(self) -> tf.Tensor:
        """[B] bool: the image is boxed in some class at least, and so not weak."""
        return find_boxed(self.class_states)


class TargetWeights(NamedTuple):
    """How much each image counts in the loss terms that need boxes.

    Attributes:
        classification: [B] float32, in the terms that say what there is: 1 for a strong
            image, 0 for a weak one, in between where the boxes are a teacher's.
        regression: [B] float32, likewise in the terms that say how boxes fit.
    """

    classification: tf.Tensor
    regression: tf.Tensor


class Batch(NamedTuple):
    """Images on a common canvas, ready for the network.

    Attributes:
        images: [B, H, W, 3] float32 RGB in [0, 255], zero outside the image. What the
            student sees in training, all augmentation included.
        image_sizes: [B, 2] int32 (height, width) of the image on its canvas.
        scales: [B, 2] float32, (y, x) pixels on the canvas per original pixel. In
            training the image may be cropped and mirrored too, which they do not say.
        image_ids: [B] int64; -1 marks a row that only fills up the last batch.
        targets: `Targets` of the images, on the canvas.
        teacher_images: [B, H, W, 3] like `images`, the same views of the same images
            without changed colours and erased rectangles; None where `images` have
            neither.
    """

    images: tf.Tensor
    image_sizes: tf.Tensor
    scales: tf.Tensor
    image_ids: tf.Tensor
    targets: Targets
    teacher_images: tf.Tensor | None = None


class Proposals(NamedTuple):
    """Class-agnostic boxes, best first.

    Attributes:
        boxes: [B, N, 4] float32.
        scores: [B, N] float32 objectness.
        valid: [B, N] bool, False for padding rows.
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    valid: tf.Tensor


class Detections(NamedTuple):
    """The detector's answer, best first.

    Attributes:
        boxes: [B, D, 4] float32.
        scores: [B, D] float32 in [0, 1], 0 for padding.
        classes: [B, D] int32, -1 for padding.
        num_detections: [B] int32.
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    classes: tf.Tensor
    num_detections: tf.Tensor


class LossTerm(NamedTuple):
    """A loss as a sum and the number of elements that it is the sum of.

    Terms of several replicas are merged by adding both fields; the division happens
    once, after that, so that N replicas of b images equal one replica of N * b.
    """

    total: tf.Tensor
    count: tf.Tensor


class ImageSet(NamedTuple):
    """A data set's index on the host: images, and what is known of them, as columns.

    Attributes:
        class_names: the K class names; their order defines the class indices.
        category_ids: K ids that stand for the classes in COCO result files.
        image_ids: [I] int64, unique.
        image_names: I names for people (the COCO file name, the VOC id).
        paths: I paths of the image files.
        sizes: [I, 2] int32 (height, width) of the original images.
        row_splits: [I + 1] int64; the boxes of image i are rows
            ``row_splits[i]:row_splits[i + 1]`` of the three box columns.
        boxes: [T, 4] float64 in original pixels.
        classes: [T] int32; `ANY_CLASS` only where `ignored`.
        areas: [T] float64, COCO's `area` where given, else height times width.
        ignored: [T] bool, COCO's crowds and VOC's difficult objects: never a training
            target, and neither hit nor miss in evaluation.
        class_states: [I, K] int8, see the top of this file.
        machine_boxed: [I] bool, images whose boxes are a detector's, not a person's;
            None where there are none.
    """

    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    image_ids: np.ndarray
    image_names: list[str]
    paths: list[str]
    sizes: np.ndarray
    row_splits: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray
    areas: np.ndarray
    ignored: np.ndarray
    class_states: np.ndarray
    machine_boxed: np.ndarray | None = None

    @property
    def image_labels(self) -> np.ndarray:
        """[I, K] int8, `PRESENT`, `ABSENT` or `UNKNOWN`."""
        return list_labels(self.class_states)

    @property
    def has_boxes(self) -> np.ndarray:
        """[I] bool: the image is boxed in some class at least, and so not weak."""
        return find_boxed(self.class_states)

    @property
    def boxed_by_people(self) -> np.ndarray:
        """[I] bool: the image has boxes, and they are not a detector's."""
        if self.machine_boxed is None:
            return self.has_boxes
        return self.has_boxes & ~self.machine_boxed

    @property
    def is_strong(self) -> np.ndarray:
        """[I] bool: the image is boxed, and no class may have an object without a box.

        An image of which labels alone say that it shows nothing is not: the split
        decides what is strong.
        """
        return self.has_boxes & list_settled(self.class_states).all(axis=1)
