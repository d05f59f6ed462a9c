"""A SavedModel answers sound pixels, and refuses those that are no numbers."""

import numpy as np
import pytest
import small_detector
import tensorflow as tf

from ehsod_tf.data import Resizing
from ehsod_tf.export import export_saved_model

CLASS_NAMES = tuple("abcdefghij")[: small_detector.NUM_CLASSES]


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("export") / "saved_model")
    export_saved_model(
        small_detector.build_small_detector(),
        path,
        class_names=CLASS_NAMES,
        resizing=Resizing(64, 64),
    )
    return tf.saved_model.load(path).signatures


def draw_images(count=2):
    pixels = np.random.default_rng(0).uniform(0, 255, [count, 64, 64, 3])
    return pixels.astype(np.float32)


def test_sound_pixels_are_answered(serve):
    answer = serve["images"](images=tf.constant(draw_images()))
    assert answer["num_detections"].shape == (2,)
    assert np.isfinite(answer["detection_scores"]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixel_that_is_no_number_is_an_error(serve, value):
    images = draw_images()
    images[1, 3, 5, 0] = value
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        serve["images"](images=tf.constant(images))
    assert "images: pixel values must be numbers from 0 to 255" in str(caught.value)
