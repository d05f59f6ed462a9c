"""Image sets and results for the tests, given row by row or drawn at random."""

import numpy as np
import pytest

from ehsod_tf.evaluation.results import Results
from ehsod_tf.structures import BOXED_ABSENT, ImageSet


@pytest.fixture
def make_image_set():
    """build(images): images is {image_id: [(class, [ymin, xmin, ymax, xmax], ignored)]}

    All images are 100 x 200; class k has category id 10 * k + 5.
    """

    def build(images, num_classes=2, size=(100, 200)):
        objects = [row for rows in images.values() for row in rows]
        boxes = np.array([row[1] for row in objects], np.float64).reshape(-1, 4)
        counts = [len(rows) for rows in images.values()]
        return ImageSet(
            class_names=tuple(f"class{k}" for k in range(num_classes)),
            category_ids=tuple(10 * k + 5 for k in range(num_classes)),
            image_ids=np.array(list(images), np.int64),
            image_names=[f"image{i}.jpg" for i in images],
            paths=[f"image{i}.jpg" for i in images],
            sizes=np.tile(np.array([size], np.int32), [len(images), 1]),
            row_splits=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            boxes=boxes,
            classes=np.array([row[0] for row in objects], np.int32),
            areas=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
            ignored=np.array([row[2] for row in objects], bool),
            class_states=np.full([len(images), num_classes], BOXED_ABSENT, np.int8),
        )

    return build


@pytest.fixture
def make_results():
    """build(rows): rows are (image_id, class, score, [ymin, xmin, ymax, xmax])."""

    def build(rows):
        return Results(
            image_ids=np.array([row[0] for row in rows], np.int64),
            boxes=np.array([row[3] for row in rows], np.float64).reshape(-1, 4),
            scores=np.array([row[2] for row in rows], np.float64),
            classes=np.array([row[1] for row in rows], np.int32),
        )

    return build


@pytest.fixture
def draw_case(make_image_set, make_results):
    """build(seed): an image set and results on it, at random.

    Integer boxes of all sizes, one object in five ignored, the last class without
    objects, some images without objects. Of the detections many lie near objects, some
    find the same object again, and scores of two decimals give many ties.
    """

    def build(seed, num_images=30, num_classes=4, detections_per_image=25):
        rng = np.random.default_rng(seed)
        images, rows = {}, []
        for image_id in rng.permutation(1000)[:num_images].tolist():
            objects = []
            for _ in range(rng.integers(0, 7)):
                box = _draw_box(rng, 400, 500)
                ignored = bool(rng.random() < 0.2)
                objects.append((int(rng.integers(num_classes - 1)), box, ignored))
            images[image_id] = objects
            for _ in range(detections_per_image):
                k, box = int(rng.integers(num_classes)), _draw_box(rng, 400, 500)
                if objects and rng.random() < 0.6:
                    k, near, _ = objects[rng.integers(len(objects))]
                    shift = rng.integers(-8, 9, size=4)
                    box = _sort_corners(np.asarray(near) + shift)
                rows.append((image_id, k, round(float(rng.random()), 2), box))
        image_set = make_image_set(images, num_classes, size=(400, 500))
        return image_set, make_results(rows)

    return build


def _draw_box(rng, height, width):
    corners = [rng.integers(0, side + 1, size=2) for side in (height, width)]
    if rng.random() < 0.4:
        corners = [pair[0] + rng.integers(1, 30, size=2) for pair in corners]
    return _sort_corners(np.stack(corners, axis=1).reshape(-1))


def _sort_corners(box):
    (ymin, ymax), (xmin, xmax) = sorted(box[::2]), sorted(box[1::2])
    return [int(ymin), int(xmin), int(ymax) + 1, int(xmax) + 1]
