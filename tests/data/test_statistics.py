"""Counts over data sets, by hand and against a slow count."""

import numpy as np
import pytest

from ehsod_tf.data.statistics import count_by_number, count_by_octave, summarize
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
    ImageSet,
    combine_states,
)

NUM_CLASSES = 4


def make_image_set(images, num_classes=NUM_CLASSES):
    """Builds a set of (has_boxes, labels, [(class, box, area, ignored), ...])."""
    objects = [o for _, _, objects in images for o in objects]
    counts = [len(objects) for _, _, objects in images]
    labels = [labels for _, labels, _ in images]
    return ImageSet(
        class_names=tuple(f"class{k}" for k in range(num_classes)),
        category_ids=tuple(range(1, num_classes + 1)),
        image_ids=np.arange(len(images), dtype=np.int64),
        image_names=[f"{i}.jpg" for i in range(len(images))],
        paths=[f"{i}.jpg" for i in range(len(images))],
        sizes=np.full([len(images), 2], [100, 200], np.int32),
        row_splits=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=np.array([o[1] for o in objects], np.float64).reshape(-1, 4),
        classes=np.array([o[0] for o in objects], np.int32),
        areas=np.array([o[2] for o in objects], np.float64),
        ignored=np.array([o[3] for o in objects], bool),
        class_states=combine_states(
            np.array(labels, np.int8).reshape(len(images), num_classes),
            np.array([has_boxes for has_boxes, _, _ in images], bool),
        ),
    )


@pytest.fixture
def small_set():
    p, a, u = PRESENT, ABSENT, UNKNOWN
    wide, tall = [0.0, 0.0, 10.0, 40.0], [0.0, 0.0, 40.0, 10.0]
    return make_image_set(
        [
            (True, [p, p, a, a], [(0, wide, 400, False), (1, tall, 1024, False)]),
            (True, [p, a, u, a], [(0, tall, 9216, False), (2, wide, 400, True)]),
            (True, [a, a, a, a], []),
            (False, [p, p, a, a], []),
            (False, [a, p, u, u], []),
            (False, [u, u, u, u], []),
        ]
    )


def test_small_set_is_counted(small_set):
    summary = summarize(small_set)
    assert (summary.num_strong, summary.num_weak, summary.num_unlabelled) == (3, 2, 1)
    assert (summary.num_empty, summary.num_partial) == (1, 1)
    assert summary.boxed_images.tolist() == [2, 1, 0, 0]
    assert summary.other_images.tolist() == [1, 2, 0, 0]
    assert summary.unknown_images.tolist() == [0, 0, 2, 1]
    assert {name: counts.tolist() for name, counts in summary.class_states.items()} == {
        "boxed": [2, 1, 0, 0],
        "boxed in part": [0, 0, 0, 0],
        "present, no box": [1, 2, 0, 0],
        "absent": [2, 2, 3, 4],
        "only ignored": [0, 0, 1, 0],
        "unknown": [1, 1, 2, 2],
    }
    assert summary.boxes.tolist() == [2, 1, 0, 0]
    assert summary.ignored_boxes.tolist() == [0, 0, 1, 0]
    # 1024 = 32², 9216 = 96².
    assert summary.size_classes == (1, 1, 1)
    assert summary.box_sizes.counts.sum() == 3
    assert summary.image_sizes == [(100, 200, 6)]
    # The image of which nothing is known is not one that shows no class.
    assert summary.classes_per_image.counts.tolist() == [1, 2, 2]
    assert summary.boxes_per_image.counts.tolist() == [1, 1, 1]
    assert summary.co_occurrence.tolist() == [
        [3, 2, 0, 0],
        [2, 3, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_other_kinds_of_images_are_counted_apart(small_set):
    small_set.class_states[0, 0] = PARTLY_BOXED
    machine = np.arange(6) == 1
    classes = np.array([0, 1, 0, ANY_CLASS], np.int32)
    summary = summarize(small_set._replace(machine_boxed=machine, classes=classes))
    assert (summary.num_strong, summary.num_partly, summary.num_machine) == (1, 1, 1)
    assert (summary.num_weak, summary.num_unlabelled) == (2, 1)
    assert summary.boxes.tolist() == [1, 1, 0, 0]
    assert summary.machine_boxes.tolist() == [1, 0, 0, 0]
    assert summary.ignored_boxes.tolist() == [0, 0, 0, 0]
    assert summary.ignored_regions == 1
    assert sum(summary.size_classes) == 2


def test_aspect_ratio_is_width_by_height(small_set):
    histogram = summarize(small_set).aspect_ratios
    centres = np.sqrt(histogram.edges[:-1] * histogram.edges[1:])
    counted = dict(zip(centres.round(3).tolist(), histogram.counts, strict=True))
    assert {ratio: n for ratio, n in counted.items() if n} == {0.25: 2, 4.0: 1}


def test_most_frequent_image_size_is_first(small_set):
    sizes = np.array([[1, 2], [5, 6], [3, 4], [5, 6], [3, 4], [5, 6]], np.int32)
    summary = summarize(small_set._replace(sizes=sizes))
    assert summary.image_sizes == [(5, 6, 3), (3, 4, 2), (1, 2, 1)]
    assert summary.image_sides.edges[0] <= 2 and summary.image_sides.edges[-1] > 6


@pytest.mark.parametrize("num_images, num_classes", [(0, 3), (0, 0), (1, 1)])
def test_sets_without_anything(num_images, num_classes):
    summary = summarize(
        make_image_set([(True, [ABSENT] * num_classes, [])] * num_images, num_classes)
    )
    assert summary.num_strong == summary.num_empty == num_images
    assert summary.num_weak == summary.num_unlabelled == 0
    assert not len(summary.box_sizes.counts) and summary.size_classes == (0, 0, 0)
    assert summary.classes_per_image.counts.sum() == num_images
    assert summary.co_occurrence.shape == (num_classes, num_classes)


def make_random_set(num_images, seed):
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(num_images):
        has_boxes = bool(rng.random() < 0.5)
        labels = rng.choice([PRESENT, ABSENT, UNKNOWN], NUM_CLASSES).tolist()
        objects = []
        for _ in range(rng.integers(0, 30) if has_boxes else 0):
            y, x, h, w = rng.uniform(0.5, 150, 4)
            box, ignored = [y, x, y + h, x + w], bool(rng.random() < 0.2)
            objects.append((int(rng.integers(NUM_CLASSES)), box, h * w, ignored))
        images.append((has_boxes, labels, objects))
    return images


# More images than are counted at a time.
@pytest.mark.parametrize("num_images", [50, 150])
def test_against_a_slow_count(num_images, monkeypatch):
    monkeypatch.setattr("ehsod_tf.data.statistics._BLOCK", 64)
    images = make_random_set(num_images, seed=num_images)
    summary = summarize(make_image_set(images))
    for k in range(NUM_CLASSES):
        shown = [(boxed, ls) for boxed, ls, _ in images if ls[k] == PRESENT]
        assert summary.boxed_images[k] == sum(boxed for boxed, _ in shown)
        assert summary.other_images[k] == sum(not boxed for boxed, _ in shown)
        for other in range(NUM_CLASSES):
            both = sum(ls[other] == PRESENT for _, ls in shown)
            assert summary.co_occurrence[k, other] == both
        flags = [o[3] for _, _, objects in images for o in objects if o[0] == k]
        assert summary.ignored_boxes[k] == sum(flags)
        assert summary.boxes[k] == len(flags) - sum(flags)
    boxes = [o[1] for _, _, objects in images for o in objects if not o[3]]
    sides = [((b[2] - b[0]) * (b[3] - b[1])) ** 0.5 for b in boxes]
    assert_counts(summary.box_sizes, sides)
    ratios = [(b[3] - b[1]) / (b[2] - b[0]) for b in boxes]
    assert_counts(summary.aspect_ratios, ratios)
    ordinary = [sum(not o[3] for o in objects) for boxed, _, objects in images if boxed]
    assert_counts(summary.boxes_per_image, ordinary)
    assert summary.num_empty == ordinary.count(0)


def assert_counts(histogram, values):
    bounds = zip(histogram.edges[:-1], histogram.edges[1:], strict=True)
    expected = [sum(low <= value < high for value in values) for low, high in bounds]
    assert histogram.counts.tolist() == expected
    assert sum(expected) == len(values)


@pytest.mark.parametrize("centred", [False, True])
def test_no_value_falls_off_the_ends(centred):
    """Also not the neighbours of an edge, whose logarithms are rounded to it."""
    for exponent in np.arange(-6, 12, 0.25):
        edge = 2.0**exponent
        values = [np.nextafter(edge, 0), edge, np.nextafter(edge, 1e9)]
        for chosen in (values, values[:1], values[1:2], values[2:]):
            histogram = count_by_octave(np.array(chosen), centred=centred)
            assert histogram.counts.sum() == len(chosen)


def test_one_is_an_edge_or_a_centre():
    assert 1.0 in count_by_octave(np.array([0.5, 2.0])).edges
    low, high = count_by_octave(np.array([1.0]), centred=True).edges
    assert low * high == pytest.approx(1) and high / low == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    "numbers, edges, counts",
    [
        ([], [0], []),
        ([0, 0], [0, 1], [2]),
        ([0, 2, 2], [0, 1, 2, 3], [1, 0, 2]),
        ([1, 20], list(range(22)), [0, 1] + [0] * 18 + [1]),
        ([4, 5, 8, 21], [0, 1, 2, 3, 5, 9, 17, 33], [0, 0, 0, 1, 2, 0, 1]),
    ],
)
def test_whole_numbers(numbers, edges, counts):
    histogram = count_by_number(np.array(numbers, np.int64))
    assert histogram.edges.tolist() == edges
    assert histogram.counts.tolist() == counts
