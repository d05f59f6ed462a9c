import math

import numpy as np
import pytest
import tensorflow as tf
from random_inputs import make_candidates, make_odd_boxes

from ehsod_tf.errors import ConfigError
from ehsod_tf.ops import non_max_suppression
from ehsod_tf.ops.oracles import nms_oracle


def assert_equals_oracle(boxes, scores, classes, backend, **settings):
    indices, num_valid = non_max_suppression(
        boxes, scores, classes=classes, backend=backend, **settings
    )
    max_outputs = settings["max_outputs"]
    assert indices.shape == [len(boxes), max_outputs]
    assert indices.dtype == num_valid.dtype == tf.int32
    for b in range(len(boxes)):
        kept = nms_oracle(
            boxes[b],
            scores[b],
            np.float32(settings["iou_threshold"]),
            max_outputs,
            np.float32(settings.get("score_threshold", -math.inf)),
            None if classes is None else classes[b],
        )
        padding = [-1] * (max_outputs - len(kept))
        assert indices[b].numpy().tolist() == kept + padding
        assert num_valid[b] == len(kept)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("iou_threshold", [0.0, 0.25, 0.5, 0.7, 1.0])
def test_equals_the_oracle(backend, seed, by_class, iou_threshold):
    boxes, scores, classes = make_candidates(np.random.default_rng(seed))
    assert_equals_oracle(
        boxes,
        scores,
        classes if by_class else None,
        backend,
        iou_threshold=iou_threshold,
        max_outputs=30,
        score_threshold=0.15,
    )


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 65, 200])
@pytest.mark.parametrize("max_outputs", [1, 64, 300])
def test_any_size(backend, count, max_outputs):
    boxes, scores, classes = make_candidates(np.random.default_rng(count), count=count)
    assert_equals_oracle(
        boxes, scores, classes, backend, iou_threshold=0.5, max_outputs=max_outputs
    )


def test_an_overlap_equal_to_the_threshold_is_kept(backend):
    boxes = np.float32([[[0, 0, 10, 10], [0, 0, 5, 10], [0, 0, 5.01, 10]]])
    scores = np.float32([[0.9, 0.8, 0.7]])
    indices, num_valid = non_max_suppression(
        boxes, scores, iou_threshold=0.5, max_outputs=3, backend=backend
    )
    assert indices.numpy().tolist() == [[0, 1, -1]]
    assert num_valid.numpy().tolist() == [2]


def test_equal_scores_rank_by_index(backend):
    boxes = np.zeros([1, 40, 4], np.float32)
    boxes[0, :, 0] = boxes[0, :, 2] = np.arange(40)
    scores = np.zeros([1, 40], np.float32)
    scores[0, ::3] = -0.0
    indices, _ = non_max_suppression(
        boxes, scores, iou_threshold=0.5, max_outputs=40, backend=backend
    )
    assert indices[0].numpy().tolist() == list(range(40))


def test_odd_boxes_and_scores(backend):
    boxes = np.concatenate([make_odd_boxes()] * 2, axis=1)
    scores = np.linspace(1, -1, boxes.shape[1], dtype=np.float32)[None].copy()
    scores[0, [0, 1, 2, 3]] = [np.nan, np.inf, -np.inf, 1e-40]
    with np.errstate(all="ignore"):
        assert_equals_oracle(
            boxes, scores, None, backend, iou_threshold=0.5, max_outputs=24
        )


def test_an_inverted_box_overlaps_nothing(backend):
    boxes = np.float32([[[10, 10, 0, 0], [0, 0, 10, 10], [0, 0, 10, 10]]])
    scores = np.float32([[0.9, 0.8, 0.7]])
    indices, _ = non_max_suppression(
        boxes, scores, iou_threshold=0.5, max_outputs=3, backend=backend
    )
    assert indices.numpy().tolist() == [[0, 1, -1]]


def test_scores_of_minus_infinity_mask_padding(backend):
    boxes = np.float32([[[0, 0, 1, 1], [0, 2, 1, 3]]])
    scores = np.float32([[-math.inf, -5.0]])
    indices, num_valid = non_max_suppression(
        boxes, scores, iou_threshold=0.5, max_outputs=2, backend=backend
    )
    assert indices.numpy().tolist() == [[1, -1]]
    assert num_valid.numpy().tolist() == [1]


def test_no_images(backend):
    indices, num_valid = non_max_suppression(
        np.zeros([0, 5, 4], np.float32),
        np.zeros([0, 5], np.float32),
        iou_threshold=0.5,
        max_outputs=3,
        backend=backend,
    )
    assert indices.shape == [0, 3]
    assert num_valid.shape == [0]


def test_native_equals_stock(library):
    """On as many boxes as a proposal stage sees."""
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 600, size=[2, 3000, 2])
    sides = rng.uniform(10, 200, size=[2, 3000, 2])
    boxes = np.float32(np.concatenate([corners, corners + sides], axis=-1))
    scores = rng.uniform(size=[2, 3000]).astype(np.float32)
    classes = rng.integers(0, 5, size=[2, 3000]).astype(np.int32)
    for labels in (None, classes):
        native, stock = (
            non_max_suppression(
                boxes,
                scores,
                classes=labels,
                iou_threshold=0.7,
                max_outputs=1500,
                backend=backend,
            )
            for backend in ("native", "stock")
        )
        np.testing.assert_array_equal(native[0], stock[0])
        np.testing.assert_array_equal(native[1], stock[1])


def test_unknown_sizes_in_a_function(backend):
    boxes, scores, classes = make_candidates(np.random.default_rng(0))
    settings = {"iou_threshold": 0.5, "max_outputs": 20, "backend": backend}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 4]),
            tf.TensorSpec([None, None]),
            tf.TensorSpec([None, None], tf.int32),
        ]
    )
    def suppress(boxes, scores, classes):
        result = non_max_suppression(boxes, scores, classes=classes, **settings)
        assert result[0].shape.as_list() == [None, 20]
        return result

    expected = non_max_suppression(boxes, scores, classes=classes, **settings)
    actual = suppress(boxes, scores, classes)
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_array_equal(actual[1], expected[1])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"boxes": np.zeros([2, 4], np.float32)}, "boxes: shape"),
        ({"boxes": np.zeros([1, 2, 4])}, "boxes: of type float64"),
        ({"scores": np.zeros([1, 3], np.float32)}, "scores: shape"),
        ({"classes": np.zeros([1, 2])}, "classes: of type"),
        ({"classes": np.zeros([2, 2], np.int32)}, "classes: shape"),
        ({"iou_threshold": 1.5}, "from 0 to 1"),
        ({"iou_threshold": math.nan}, "from 0 to 1"),
        ({"iou_threshold": "half"}, "from 0 to 1"),
        ({"score_threshold": math.nan}, "score_threshold"),
        ({"max_outputs": 0}, "max_outputs"),
        ({"max_outputs": 2**31 - 1}, "max_outputs"),
        ({"max_outputs": 10.0}, "whole number"),
        ({"backend": None}, "backend"),
    ],
)
def test_names_the_bad_argument(change, message):
    arguments = {
        "boxes": np.zeros([1, 2, 4], np.float32),
        "scores": np.zeros([1, 2], np.float32),
        "iou_threshold": 0.5,
        "max_outputs": 10,
    }
    with pytest.raises((ConfigError, ValueError), match=message):
        non_max_suppression(**(arguments | change))
