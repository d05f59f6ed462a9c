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
padding. Image-level labels have three states, `PRESENT`, `ABSENT` and `UNKNOWN`.

Named tuples, because they pass unchanged through ``tf.data``, ``tf.distribute``,
``tf.function``, Keras layers and SavedModel signatures.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

PRESENT = 1
ABSENT = 0
UNKNOWN = -1


class Targets(NamedTuple):
    """What is known about the images of a batch.

    There is at least one row of boxes, M >= 1, be it padding: a maximum over the boxes
    of an image is always defined.

    Attributes:
        boxes: [B, M, 4] float32. Padding rows, and all rows of a weak image, are 0.
        classes: [B, M] int32, -1 for padding.
        image_labels: [B, K] int32, `PRESENT`, `ABSENT` or `UNKNOWN`.
        has_boxes: [B] bool. True: a strong image, whose boxes are complete.
            False: a weak image, of which only `image_labels` are known.
    """

    boxes: tf.Tensor
    classes: tf.Tensor
    image_labels: tf.Tensor
    has_boxes: tf.Tensor


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
        classes: [T] int32.
        areas: [T] float64, COCO's `area` where given, else height times width.
        ignored: [T] bool, COCO's crowds and VOC's difficult objects: never a training
            target, and neither hit nor miss in evaluation.
        image_labels: [I, K] int8, `PRESENT`, `ABSENT` or `UNKNOWN`.
        has_boxes: [I] bool, True for strong images.
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
    image_labels: np.ndarray
    has_boxes: np.ndarray
