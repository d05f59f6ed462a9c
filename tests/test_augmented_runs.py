"""Augmentation in a run: the part of it that is done within the training step."""

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.data import Augmentation
from ehsod_tf.errors import ConfigError
from ehsod_tf.runs.data import make_augment
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import Batch

PIXELS = np.random.default_rng(0).uniform(0, 255, [9, 32, 32, 3]).astype(np.float32)


def make_experiment(augmentation=Augmentation, seed=0):
    return Experiment(
        build_model=lambda num_classes: None,
        read_training_set=lambda findings: None,
        read_evaluation_set=lambda findings: None,
        augmentation=augmentation,
        seed=seed,
    )


def see(ids, step, seed=0):
    """What a student sees of these images, by id."""
    ids = np.asarray(ids)
    sizes = tf.fill([len(ids), 2], 32)
    batch = Batch(tf.constant(PIXELS[ids]), sizes, None, tf.constant(ids), None)
    augment = tf.function(make_augment(make_experiment(seed=seed)), autograph=False)
    augmented = augment(batch, tf.constant(step, tf.int64))
    np.testing.assert_array_equal(augmented.teacher_images, PIXELS[ids])
    return dict(zip(ids.tolist(), augmented.images.numpy(), strict=True))


def test_pixels_depend_on_image_step_and_seed_alone():
    whole = see([1, 2, 3, 4], 7)
    # As replicas, or other batches, have them.
    for part in ([1, 2], [4, 3], [8, 2, 5]):
        for image_id, image in see(part, 7).items():
            if image_id in whole:
                np.testing.assert_array_equal(image, whole[image_id])
    for other in (see([1, 2, 3, 4], 8), see([1, 2, 3, 4], 7, seed=1)):
        for image_id in whole:
            assert (other[image_id] != whole[image_id]).any()


def test_the_paper_goes_without():
    assert make_augment(make_experiment(augmentation=None)) is None


def test_settings_are_compared_when_a_run_goes_on():
    experiment = make_experiment(lambda: Augmentation(hue=0.1))
    assert vars(experiment.create_augmentation())["hue"] == 0.1
    assert make_experiment(augmentation=None).create_augmentation() is None


def test_wrong_settings_stop_before_the_data_are_read():
    with pytest.raises(ConfigError, match="Augmentation: hue"):
        make_experiment(lambda: Augmentation(hue=0.9))
