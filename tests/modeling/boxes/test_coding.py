"""The box coder: the formula, the round trip and the edges."""

import numpy as np
import oracles
import pytest
import tensorflow as tf

from ehsod_tf.modeling.boxes.coding import decode_boxes, encode_boxes
from ehsod_tf.modeling.cascade import STAGE_STDS

ALL_STDS = [(1.0, 1.0, 1.0, 1.0), *STAGE_STDS]


def _draw_boxes(seed, count=200):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 300, [count, 2])
    sides = np.exp(rng.uniform(np.log(4), np.log(200), [count, 2]))
    return np.concatenate([low, low + sides], axis=1).astype(np.float32)


@pytest.mark.parametrize("stds", ALL_STDS)
def test_encoding_equals_the_formula(stds):
    boxes, references = _draw_boxes(1), _draw_boxes(2)
    expected = [
        oracles.encode_box(*pair, stds) for pair in zip(boxes, references, strict=True)
    ]
    deltas = encode_boxes(boxes, references, stds)
    np.testing.assert_allclose(deltas, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("stds", ALL_STDS)
def test_decoding_inverts_encoding(stds):
    boxes, references = _draw_boxes(1), _draw_boxes(2)
    decoded = decode_boxes(encode_boxes(boxes, references, stds), references, stds)
    np.testing.assert_allclose(decoded, boxes, atol=2e-3)


@pytest.mark.parametrize("stds", ALL_STDS)
def test_encoding_inverts_decoding(stds):
    deltas = np.random.default_rng(3).standard_normal([200, 4]).astype(np.float32)
    references = _draw_boxes(2)
    encoded = encode_boxes(decode_boxes(deltas, references, stds), references, stds)
    np.testing.assert_allclose(encoded, deltas, atol=5e-3)


def test_zero_deltas_leave_a_box_where_it_is():
    references = _draw_boxes(4)
    decoded = decode_boxes(tf.zeros([200, 4]), references)
    np.testing.assert_allclose(decoded, references, rtol=1e-6, atol=1e-5)


def test_coding_is_finite_for_degenerate_boxes():
    point, box = [5.0, 5.0, 5.0, 5.0], [0.0, 0.0, 1e4, 1e4]
    inverted, padding = [9.0, 9.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]
    boxes = tf.constant([point, box, inverted, padding])
    pairs = tf.repeat(boxes, 4, axis=0), tf.tile(boxes, [4, 1])
    for stds in ALL_STDS:
        assert np.isfinite(encode_boxes(*pairs, stds)).all()


def test_decoding_huge_deltas_gives_finite_boxes_of_bounded_growth():
    deltas = tf.constant([[0.0, 0.0, 1e6, -1e6]])
    box = decode_boxes(deltas, tf.constant([[0.0, 0.0, 16.0, 1000.0]])).numpy()[0]
    assert box[2] - box[0] == pytest.approx(1000, rel=1e-4)
    assert box[3] - box[1] == pytest.approx(16, rel=1e-4)
