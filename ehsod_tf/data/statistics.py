"""What a data set holds, in numbers: the content of ``ehsod inspect``."""

from typing import NamedTuple

import numpy as np

from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED,
    BOXED_ABSENT,
    BOXED_UNCERTAIN,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    ImageSet,
)

# COCO's bounds between small, medium and large objects, in square pixels.
_SIZE_BOUNDS = (32.0**2, 96.0**2)

# What is known of a class in an image, from all to nothing.
_STATES = {
    "boxed": (BOXED,),
    "boxed in part": (PARTLY_BOXED,),
    "present, no box": (PRESENT,),
    "absent": (ABSENT, BOXED_ABSENT),
    "only ignored": (BOXED_UNCERTAIN,),
    "unknown": (UNKNOWN,),
}

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
        num_strong: images with all their boxes.
        num_partly: images with boxes of some classes, or of some objects of a class.
        num_machine: images whose boxes are a detector's; not among the two above.
        num_weak: images without boxes of which some label is known.
        num_unlabelled: images of which nothing is known.
        num_empty: completely boxed images without any ordinary object.
        num_partial: weak images of which some labels are unknown.
        boxed_images: [K] images in which people have boxed the class, all or some of
            its objects.
        other_images: [K] other images that show the class.
        unknown_images: [K] images, strong or weak, whose label of the class is unknown.
        class_states: by what is known of a class, [K] images of which it is known.
        boxes: [K] ordinary objects that people have boxed.
        machine_boxes: [K] boxes of a detector.
        ignored_boxes: [K] crowds and difficult objects.
        ignored_regions: ignored regions that may hold any class.
        size_classes: ordinary objects that are small, medium and large as COCO has it:
            by the annotated area, below 32², below 96² and from 96² square pixels.
        box_sizes: sqrt(height * width) of the ordinary boxes, in pixels.
        aspect_ratios: width / height of the ordinary boxes.
        image_sides: the longer sides of the images, in pixels.
        image_sizes: (height, width, images) of every size, the most frequent first.
        classes_per_image: images by the number of classes that they show.
        boxes_per_image: images with people's boxes by the number of ordinary objects.
        co_occurrence: [K, K] images that show both classes; the diagonal counts the
            images of a class.
    """

    class_names: tuple[str, ...]
    num_strong: int
    num_partly: int
    num_machine: int
    num_weak: int
    num_unlabelled: int
    num_empty: int
    num_partial: int
    boxed_images: np.ndarray
    other_images: np.ndarray
    unknown_images: np.ndarray
    class_states: dict[str, np.ndarray]
    boxes: np.ndarray
    machine_boxes: np.ndarray
    ignored_boxes: np.ndarray
    ignored_regions: int
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
    boxed, by_people = image_set.has_boxes, image_set.boxed_by_people
    machine = boxed & ~by_people
    strong = by_people & image_set.is_strong
    present = image_set.image_labels == PRESENT
    unknown = image_set.image_labels == UNKNOWN
    is_boxed = np.isin(image_set.class_states, (BOXED, PARTLY_BOXED))
    is_boxed &= by_people[:, np.newaxis]
    weak = ~boxed & ~unknown.all(axis=1)
    of_machine = np.repeat(machine, np.diff(image_set.row_splits))
    ordinary = ~image_set.ignored & ~of_machine
    objects_of_image = _count_objects(image_set, ordinary)[by_people]
    heights, widths = (image_set.boxes[ordinary, 2:] - image_set.boxes[ordinary, :2]).T
    size_classes = np.digitize(image_set.areas[ordinary], _SIZE_BOUNDS)

    def count_boxes(mask: np.ndarray) -> np.ndarray:
        num_classes = len(image_set.class_names)
        return np.bincount(image_set.classes[mask], minlength=num_classes)

    holds_any = image_set.classes == ANY_CLASS
    return DataSetSummary(
        class_names=image_set.class_names,
        num_strong=int(strong.sum()),
        num_partly=int((by_people & ~strong).sum()),
        num_machine=int(machine.sum()),
        num_weak=int(weak.sum()),
        num_unlabelled=int((~boxed & ~weak).sum()),
        num_empty=int((_count_objects(image_set, ordinary)[strong] == 0).sum()),
        num_partial=int(unknown[weak].any(axis=1).sum()),
        boxed_images=is_boxed.sum(axis=0),
        other_images=(present & ~is_boxed).sum(axis=0),
        unknown_images=unknown[boxed | weak].sum(axis=0),
        class_states=_count_states(image_set.class_states),
        boxes=count_boxes(ordinary),
        machine_boxes=count_boxes(of_machine & ~image_set.ignored),
        ignored_boxes=count_boxes(image_set.ignored & ~holds_any),
        ignored_regions=int(holds_any.sum()),
        size_classes=tuple(np.bincount(size_classes, minlength=3).tolist()),
        box_sizes=count_by_octave(np.sqrt(heights * widths)),
        aspect_ratios=count_by_octave(widths / heights, centred=True),
        image_sides=count_by_octave(image_set.sizes.max(axis=1, initial=0)),
        image_sizes=_rank_image_sizes(image_set.sizes),
        classes_per_image=count_by_number(present[boxed | weak].sum(axis=1)),
        boxes_per_image=count_by_number(objects_of_image),
        co_occurrence=_count_co_occurrence(present),
    )


def _count_states(class_states: np.ndarray) -> dict[str, np.ndarray]:
    return {
        name: np.isin(class_states, states).sum(axis=0)
        for name, states in _STATES.items()
    }


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
