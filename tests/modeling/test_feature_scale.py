"""What is said of features far from unit scale and of a wrong preprocessing."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ehsod_tf.modeling import FunctionalBackbone, build_small_backbone
from ehsod_tf.modeling.feature_scale import find_scale_faults, measure_rms

NAMES = ("c2", "c3", "c4", "c5")


@pytest.fixture(scope="module")
def images():
    """Two smooth images of the mean and deviation of photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(116, 58, [2, 12, 16, 3]).clip(0, 255)
    return list(tf.image.resize(coarse.astype(np.float32), [96, 128]))


def build(preprocessing, gain=1.0):
    """Averages, and a batch norm that knows the statistics of "torch" inputs."""
    inputs = x = keras.Input((None, None, 3))
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Rescaling(gain)(x)
    for level in range(1, 6):
        x = layers.AveragePooling2D(2, padding="same", name=f"c{level}")(x)
    network = keras.Model(inputs, x)
    return FunctionalBackbone(network, NAMES, preprocessing, frozen_level=0)


def test_rms_is_over_all_cells_and_channels(images):
    backbone = build("torch")
    batches = [image[tf.newaxis] for image in images]
    maps = np.concatenate([backbone(batch)[2] for batch in batches])
    expected = np.sqrt(np.mean(maps**2))
    assert measure_rms(backbone, batches)[2] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gain", [0.01, 100.0])
def test_features_far_from_unit_scale_are_told(images, gain):
    (fault,) = find_scale_faults(build("torch", gain), images)
    assert "far from unit scale" in fault and "C2 " in fault and "C5 " in fault


@pytest.mark.parametrize("preprocessing", ["caffe", "tf", "none"])
def test_a_wrong_preprocessing_is_told(images, preprocessing):
    faults = find_scale_faults(build(preprocessing), images)
    assert "times the variance that its statistics expect" in faults[-1]


def test_right_backbones_pass_without_a_word(images):
    assert find_scale_faults(build("torch"), images) == []
    assert find_scale_faults(build_small_backbone(8), images) == []
