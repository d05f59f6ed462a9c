"""The gallery shows the right image, its own boxes, and only confident detections."""

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data import read_coco
from ehsod_tf.data.scenes.synthetic import write_synthetic_scenes
from ehsod_tf.evaluation import Results
from ehsod_tf.visualization import draw_samples


@pytest.fixture
def image_set(tmp_path):
    write_synthetic_scenes(tmp_path, num_train=1, num_val=5, seed=0, size=64)
    return read_coco(tmp_path / "annotations/instances_val.json", tmp_path / "val")


def make_results(image_set, score):
    return Results(
        image_ids=image_set.image_ids[:1],
        boxes=np.array([[10.0, 10.0, 40.0, 40.0]]),
        scores=np.array([score]),
        classes=np.array([0], np.int32),
    )


def test_samples_are_spread_over_the_set_and_magnified(image_set):
    samples = draw_samples(image_set, make_results(image_set, 0.9), count=3)
    assert [sample.name for sample in samples] == [
        image_set.image_names[row] for row in (0, 2, 4)
    ]
    with Image.open(image_set.paths[0]) as file:
        assert samples[0].image.shape == (5 * file.height, 5 * file.width, 3)


def test_confident_detections_are_drawn_on_their_image_only(image_set):
    first, second = draw_samples(image_set, make_results(image_set, 0.9), count=5)[:2]
    assert not np.array_equal(first.detections, first.image)
    # The box's left edge, in magnified pixels.
    changed = (first.detections != first.image).any(axis=-1)
    assert changed[100:200, 48:53].any(axis=1).all()
    assert np.array_equal(second.detections, second.image)


def test_weak_detections_are_not_drawn(image_set):
    (first, *_) = draw_samples(image_set, make_results(image_set, 0.2), count=5)
    assert np.array_equal(first.detections, first.image)


def test_ground_truth_is_drawn(image_set):
    for sample in draw_samples(image_set, make_results(image_set, 0.9), count=5):
        assert not np.array_equal(sample.ground_truth, sample.image)
