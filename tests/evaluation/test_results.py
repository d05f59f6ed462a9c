"""From network canvas to original pixels, and to the results file and back."""

import json

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.errors import DataError
from ehsod_tf.evaluation.results import (
    merge_results,
    read_detections,
    unscale,
    write_detections,
)
from ehsod_tf.structures import Batch, Detections


def _make_batch(image_ids, scales, sizes):
    return Batch(
        images=tf.zeros([len(image_ids), 64, 64, 3]),
        image_sizes=tf.constant(sizes, tf.int32),
        scales=tf.constant(scales, tf.float32),
        image_ids=tf.constant(image_ids, tf.int64),
        targets=None,
    )


def _make_detections(rows):
    """rows: for each image a list of (class, score, box), padded here to 3."""
    padded = [list(row) + [(-1, 0.0, [0, 0, 0, 0])] * (3 - len(row)) for row in rows]
    return Detections(
        boxes=tf.constant([[d[2] for d in row] for row in padded], tf.float32),
        scores=tf.constant([[d[1] for d in row] for row in padded], tf.float32),
        classes=tf.constant([[d[0] for d in row] for row in padded], tf.int32),
        num_detections=tf.constant([len(row) for row in rows], tf.int32),
    )


def test_unscale_divides_clips_and_drops():
    batch = _make_batch(
        [4, -1, 7], [[2.0, 0.5], [0, 0], [1, 1]], [[60, 40], [0, 0], [64, 64]]
    )
    detections = _make_detections(
        [
            [(1, 0.9, [10, 5, 20, 30]), (0, 0.5, [-3, 35, 64, 64])],
            [(1, 0.8, [1, 1, 2, 2])],
            [(0, 0.25, [1, 2, 3, 4])],
        ]
    )
    results = unscale(detections, batch)
    np.testing.assert_array_equal(results.image_ids, [4, 4, 7])
    np.testing.assert_array_equal(
        results.boxes, [[5, 10, 10, 60], [0, 70, 30, 80], [1, 2, 3, 4]]
    )
    np.testing.assert_allclose(results.scores, [0.9, 0.5, 0.25])
    np.testing.assert_array_equal(results.classes, [1, 0, 0])
    assert results.boxes.dtype == results.scores.dtype == np.float64


def test_unscale_of_nothing():
    batch = _make_batch([3], [[1, 1]], [[64, 64]])
    results = unscale(_make_detections([[]]), batch)
    assert results.boxes.shape == (0, 4) and results.image_ids.shape == (0,)


def test_merge_restores_the_order_of_the_set_and_stays_in_the_image(
    make_image_set, make_results
):
    image_set = make_image_set({8: [], 3: [], 5: []}, size=(100, 200))
    parts = [
        make_results([(5, 0, 0.1, [0, 0, 100.00001, 200.00001])]),
        make_results([(3, 0, 0.2, [0, 0, 1, 1]), (3, 1, 0.3, [0, 0, 2, 2])]),
        make_results([(8, 0, 0.4, [0, 0, 3, 3])]),
    ]
    merged = merge_results(parts, image_set)
    np.testing.assert_array_equal(merged.image_ids, [8, 3, 3, 5])
    np.testing.assert_array_equal(merged.scores, [0.4, 0.2, 0.3, 0.1])
    np.testing.assert_array_equal(merged.boxes[3], [0, 0, 100, 200])
    assert merge_results([], image_set).boxes.shape == (0, 4)


def test_file_is_in_coco_form(tmp_path, make_image_set, make_results):
    path = tmp_path / "detections.json"
    image_set = make_image_set({3: []})
    results = make_results([(3, 1, 0.5, [10, 20, 40, 25])])
    write_detections(path, results, image_set)
    assert json.loads(path.read_text()) == [
        {"image_id": 3, "category_id": 15, "bbox": [20, 10, 5, 30], "score": 0.5}
    ]


def test_what_was_unscaled_returns_from_the_file_to_the_last_digit(
    tmp_path, make_image_set
):
    """Also where xmin is tiny beside xmax, and the difference has to be rounded."""
    rng = np.random.default_rng(0)
    corners = rng.random([2000, 2, 2]) * 800
    corners[::3, 0] *= 1e-9
    corners[1::3, 0] *= 1e-4
    boxes = np.sort(corners, axis=1).reshape(-1, 4).astype(np.float32)
    batch = _make_batch([3], [[1.6018, 0.7351]], [[800, 800]])
    detections = Detections(
        boxes=boxes[None],
        scores=rng.random([1, 2000]).astype(np.float32),
        classes=rng.integers(0, 2, [1, 2000]),
        num_detections=np.array([2000]),
    )
    image_set = make_image_set({3: []})
    results = unscale(detections, batch)
    path = tmp_path / "detections.json"
    write_detections(path, results, image_set)
    read = read_detections(path, image_set)
    for column, expected in zip(read, results, strict=True):
        np.testing.assert_array_equal(column, expected)


def test_no_detections_make_an_empty_list(tmp_path, make_image_set, make_results):
    path, image_set = tmp_path / "detections.json", make_image_set({3: []})
    write_detections(path, make_results([]), image_set)
    assert json.loads(path.read_text()) == []
    assert read_detections(path, image_set).boxes.shape == (0, 4)


GOOD = {"image_id": 3, "category_id": 5, "bbox": [1, 2, 3, 4], "score": 0.5}


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"image_id": 4}, "entry 1: image_id 4 is not in"),
        ({"image_id": "3"}, "image_id '3'"),
        ({"category_id": 1}, "category_id 1 is not in"),
        ({"bbox": [1, 2, 3]}, "bbox"),
        ({"bbox": [1, 2, -3, 4]}, "bbox"),
        ({"bbox": [1, 2, float("nan"), 4]}, "bbox"),
        ({"bbox": [1, 2, "3", 4]}, "bbox"),
        ({"bbox": None}, "bbox None"),
        ({"score": float("inf")}, "score inf"),
        ({"score": 10**400}, "score 1000"),
        ({"bbox": [1, 2, 10**400, 4]}, "bbox"),
        ({"score": None}, "score None"),
        ({"score": True}, "score True"),
    ],
)
def test_bad_entry_is_named(tmp_path, make_image_set, changes, complaint):
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([GOOD, {**GOOD, **changes}]))
    with pytest.raises(DataError, match=complaint) as error:
        read_detections(path, make_image_set({3: []}))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("field", list(GOOD))
def test_missing_field_is_named(tmp_path, make_image_set, field):
    path = tmp_path / "detections.json"
    path.write_text(json.dumps([{k: v for k, v in GOOD.items() if k != field}]))
    with pytest.raises(DataError, match=f"entry 0: field '{field}' is missing"):
        read_detections(path, make_image_set({3: []}))


@pytest.mark.parametrize(
    "text, complaint",
    [("{}", "JSON dict"), ("[1,", "not valid JSON"), ("[1]", "entry 0: 1 is not")],
)
def test_file_that_holds_something_else(tmp_path, make_image_set, text, complaint):
    path = tmp_path / "detections.json"
    path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        read_detections(path, make_image_set({3: []}))


def test_missing_file(tmp_path, make_image_set):
    with pytest.raises(DataError, match="nothing.json: no such file"):
        read_detections(tmp_path / "nothing.json", make_image_set({3: []}))
