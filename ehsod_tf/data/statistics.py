"""What a data set holds, in numbers: the content of ``ehsod inspect``."""

from typing import NamedTuple

import numpy as np

from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    ImageSet,
)

# COCO's bounds between small, medium and large objects, in square pixels.
_SIZE_BOUNDS = (32.0**2, 96.0**2)

# The images of which co-occurrence is counted at a time, to bound the memory.
_BLOCK = 8192


class Histogram(NamedTuple):
    """How many values lie between the edges.

    Attributes:
        edges: [n + 1] ascending; a bin holds its lower edge and not its upper one.
        counts: [n] int64; n is 0 if there are no values.
    """

    edges: np.ndarray
    counts: np.ndarray


class DataSetSummary(NamedTuple):
    """Counts over an `ImageSet`. "Ordinary" objects are those not `ignored`.

    Attributes:
        class_names: the K class names.
        num_strong: images with boxes.
        num_partly_boxed: those of them that are boxed in part, or by class.
        num_weak: images without boxes of which some label is known.
        num_unlabelled: images of which nothing is known.
        num_empty: completely boxed images without any ordinary object.
        num_partial: weak images of which some labels are unknown.
        class_states: [K, 5] images in which the class is boxed completely, boxed in
            part, present without boxes, absent, unknown. Absent is what boxes or labels
            say so of; unknown, too, what only a crowd or a difficult object shows.
        strong_images: [K] strong images that show the class.
        weak_images: [K] weak images that show the class.
        unknown_images: [K] images, strong or weak, whose label of the class is unknown.
        boxes: [K] ordinary objects.
        ignored_boxes: [K] crowds and difficult objects.
        size_classes: ordinary objects that are small, medium and large as COCO has it:
            by the annotated area, below 32², below 96² and from 96² square pixels.
        box_sizes: sqrt(height * width) of the ordinary boxes, in pixels.
        aspect_ratios: width / height of the ordinary boxes.
        image_sides: the longer sides of the images, in pixels.
        image_sizes: (height, width, images) of every size, the most frequent first.
        classes_per_image: images by the number of classes that they show.
        boxes_per_image: strong images by the number of their ordinary objects.
        co_occurrence: [K, K] images that show both classes; the diagonal counts the
            images of a class.
    """

    class_names: tuple[str, ...]
    num_strong: int
    num_partly_boxed: int
    num_weak: int
    num_unlabelled: int
    num_empty: int
    num_partial: int
    class_states: np.ndarray
    strong_images: np.ndarray
    weak_images: np.ndarray
    unknown_images: np.ndarray
    boxes: np.ndarray
    ignored_boxes: np.ndarray
    size_classes: tuple[int, int, int]
    box_sizes: Histogram
    aspect_ratios: Histogram
    image_sides: Histogram
    image_sizes: list[tuple[int, int, int]]
    classes_per_image: Histogram
    boxes_per_image: Histogram
    co_occurrence: np.ndarray


def summarize(image_set: ImageSet) -> DataSetSummary:
    """Counts what an `ImageSet` holds; any set will do, also one without images."""
    strong = image_set.has_boxes
    present = image_set.image_labels == PRESENT
    unknown = image_set.image_labels == UNKNOWN
    weak = ~strong & ~unknown.all(axis=1)
    ordinary = ~image_set.ignored
    num_classes = len(image_set.class_names)
    num_objects = _count_objects(image_set, ordinary)
    objects_of_image = num_objects[strong]
    heights, widths = (image_set.boxes[ordinary, 2:] - image_set.boxes[ordinary, :2]).T
    size_classes = np.digitize(image_set.areas[ordinary], _SIZE_BOUNDS)
    return DataSetSummary(
        class_names=image_set.class_names,
        num_strong=int(strong.sum()),
        num_partly_boxed=int((strong & ~image_set.is_strong).sum()),
        num_weak=int(weak.sum()),
        num_unlabelled=int((~strong & ~weak).sum()),
        num_empty=int((image_set.is_strong & (num_objects == 0)).sum()),
        num_partial=int(unknown[weak].any(axis=1).sum()),
        class_states=_count_states(image_set),
        strong_images=present[strong].sum(axis=0),
        weak_images=present[weak].sum(axis=0),
        unknown_images=unknown[strong | weak].sum(axis=0),
        boxes=np.bincount(image_set.classes[ordinary], minlength=num_classes),
        ignored_boxes=np.bincount(
            image_set.classes[~ordinary & (image_set.classes != ANY_CLASS)],
            minlength=num_classes,
        ),
        size_classes=tuple(np.bincount(size_classes, minlength=3).tolist()),
        box_sizes=count_by_octave(np.sqrt(heights * widths)),
        aspect_ratios=count_by_octave(widths / heights, centred=True),
        image_sides=count_by_octave(image_set.sizes.max(axis=1, initial=0)),
        image_sizes=_rank_image_sizes(image_set.sizes),
        classes_per_image=count_by_number(present[strong | weak].sum(axis=1)),
        boxes_per_image=count_by_number(objects_of_image),
        co_occurrence=_count_co_occurrence(present),
    )


def count_by_octave(values: np.ndarray, *, centred: bool = False) -> Histogram:
    """Counts positive values in bins of half an octave, each sqrt(2) times the last.

    Args:
        values: [n], all above 0.
        centred: 1 is the geometric centre of a bin, not an edge.
    """
    if not len(values):
        return Histogram(np.ones(1), np.zeros(0, np.int64))
    shift = 0.5 if centred else 0.0
    position = 2 * np.log2(values) - shift
    first, last = np.floor(position.min()), np.floor(position.max()) + 1
    edges = 2.0 ** ((np.arange(first, last + 1) + shift) / 2)
    # The logarithm's rounding can put an extreme value past an edge.
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Histogram(edges, counts)


def count_by_number(numbers: np.ndarray) -> Histogram:
    """Counts whole numbers one by one up to 20, or else as 0, 1, 2, 3-4, 5-8, 9-16, ...

    Args:
        numbers: [n], all at least 0.
    """
    if not len(numbers):
        return Histogram(np.zeros(1, np.int64), np.zeros(0, np.int64))
    edges = list(range(numbers.max() + 2)) if numbers.max() <= 20 else [0, 1, 2]
    while edges[-1] <= numbers.max():
        edges.append(2 * edges[-1] - 1)
    counts, _ = np.histogram(numbers, edges)
    return Histogram(np.array(edges), counts)


def _count_objects(image_set, mask):
    """Returns [I] the objects of each image where `mask` is."""
    sums = np.concatenate([[0], np.cumsum(mask)])
    return np.diff(sums[image_set.row_splits])


def _count_states(image_set):
    """Returns [K, 5] images, see `DataSetSummary.class_states`."""
    states = image_set.class_states
    labels = image_set.image_labels
    kinds = (
        states == BOXED,
        states == PARTLY_BOXED,
        states == PRESENT,
        labels == ABSENT,
        labels == UNKNOWN,
    )
    return np.stack([kind.sum(axis=0) for kind in kinds], axis=1)


def _rank_image_sizes(sizes):
    distinct, counts = np.unique(sizes, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [(*distinct[i].tolist(), int(counts[i])) for i in order]


def _count_co_occurrence(present):
    num_classes = present.shape[1]
    total = np.zeros([num_classes, num_classes], np.int64)
    for start in range(0, len(present), _BLOCK):
        # float32 has the fast product, and is exact below 2**24 images.
        block = present[start : start + _BLOCK].astype(np.float32)
        total += (block.T @ block).astype(np.int64)
    return total
