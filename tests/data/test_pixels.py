"""Changed colours and erased rectangles."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf

from ehsod_tf.data import NUM_DRAWS, Augmentation, augment_batch
from ehsod_tf.data.augmentation.pixels import change_pixels
from ehsod_tf.structures import Batch

OFF = {
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "erase_probability": 0.0,
}
LUMA = np.array([0.299, 0.587, 0.114])
SIZES = np.array([(20, 30), (32, 16), (7, 32), (32, 32)], np.int32)


@pytest.fixture
def images(rng):
    """Four images of pixels between 60 and 160 on a canvas of 32 x 32."""
    images = rng.uniform(60, 160, [4, 32, 32, 3]).astype(np.float32)
    for image, (height, width) in zip(images, SIZES, strict=True):
        image[height:], image[:, width:] = 0, 0
    return images


def change(images, uniforms, **settings):
    """`change_pixels` with all but the given parts off; [B, 12] or one row of draws."""
    uniforms = np.broadcast_to(np.float32(uniforms), [len(images), NUM_DRAWS])
    settings = Augmentation(**{**OFF, **settings})
    return np.array(change_pixels(images, SIZES, tf.constant(uniforms), settings))


def draw(index, value):
    uniforms = np.full(NUM_DRAWS, 0.5)
    uniforms[index] = value
    return uniforms


def list_pixels(images):
    """The [n, 3] pixels of each image."""
    return [
        image[:height, :width].reshape(-1, 3)
        for image, (height, width) in zip(images, SIZES, strict=True)
    ]


def test_nothing_is_changed_when_all_is_off(images):
    np.testing.assert_array_equal(change(images, 0.9), images)


@pytest.mark.parametrize("value, factor", [(0.0, 0.8), (0.75, 1.1)])
def test_brightness(images, value, factor):
    changed = change(images, draw(0, value), brightness=0.2)
    np.testing.assert_allclose(changed, images * factor, rtol=1e-4)


def test_contrast_is_about_the_mean_grey_of_the_image(images):
    changed = change(images, draw(1, 0.0), contrast=0.5)
    for new, old in zip(list_pixels(changed), list_pixels(images), strict=True):
        grey = (old @ LUMA).mean()
        np.testing.assert_allclose(new, grey + 0.5 * (old - grey), rtol=1e-4)


def test_saturation_is_about_the_grey_of_the_pixel(images):
    changed = change(images, draw(2, 0.0), saturation=1.0)
    for new, old in zip(list_pixels(changed), list_pixels(images), strict=True):
        np.testing.assert_allclose(new, np.tile(old @ LUMA, [3, 1]).T, rtol=1e-4)


def test_hue_turns_the_colours_and_keeps_the_luma(images):
    """A third of a turn takes red towards green or blue."""
    changed = change(images, draw(3, 1.0), hue=0.01)
    for new, old in zip(list_pixels(changed), list_pixels(images), strict=True):
        np.testing.assert_allclose(new @ LUMA, old @ LUMA, rtol=1e-4)
    red = np.full([4, 32, 32, 3], [160, 90, 90], np.float32)
    for value in (0.0, 1.0):
        turned = change(red, draw(3, value), hue=1 / 3)[0, 0, 0]
        hue = colorsys.rgb_to_hsv(*(turned / 255).tolist())[0]
        assert min(abs(hue - 1 / 3), abs(hue - 2 / 3)) < 0.08


def test_all_together_stay_in_range_and_inside_the_image(images, rng):
    strong = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.5}
    for _ in range(20):
        changed = change(images, rng.random([4, NUM_DRAWS]), **strong)
        assert changed.dtype == np.float32
        assert changed.min() >= 0 and changed.max() <= 255
        for image, (height, width) in zip(changed, SIZES, strict=True):
            assert image[height:].sum() == image[:, width:].sum() == 0


def test_erasing_fills_one_rectangle_of_the_drawn_area(images, rng):
    shares = []
    for _ in range(60):
        uniforms = rng.random([4, NUM_DRAWS])
        settings = {"erase_probability": 1.0, "erase_area": (0.1, 0.3)}
        changed = change(images, uniforms, **settings)
        for row in range(3):
            is_erased = (changed[row] != images[row]).any(axis=-1)
            rows, columns = np.nonzero(is_erased)
            if not len(rows):
                continue
            (height, width), block = SIZES[row], changed[row][is_erased]
            assert rows.max() < height and columns.max() < width
            sides = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert np.prod(sides) == is_erased.sum()
            assert (block == block[0]).all()
            np.testing.assert_allclose(block[0], 255 * uniforms[row, 9:], rtol=1e-5)
            shares.append(is_erased.sum() / (height * width))
    assert len(shares) > 150
    # The smallest image is 7 pixels high, where whole pixels are a coarse measure.
    assert 0.05 < np.quantile(shares, 0.05) and np.quantile(shares, 0.95) < 0.4
    assert 0.13 < np.median(shares) < 0.22


def test_erasing_happens_with_its_probability(images, rng):
    count = 0
    for _ in range(100):
        uniforms = rng.random([4, NUM_DRAWS])
        changed = change(images, uniforms, erase_probability=0.3)
        is_changed = (changed != images).any(axis=(1, 2, 3))
        assert not is_changed[uniforms[:, 4] >= 0.3].any()
        count += is_changed.sum()
    # Five standard deviations; a rectangle may cover no centre of a pixel.
    assert 120 - 5 * 9.2 - 20 < count < 120 + 5 * 9.2


def test_an_image_is_changed_alike_beside_others(images, rng):
    uniforms = rng.random([4, NUM_DRAWS]).astype(np.float32)
    settings = Augmentation()
    whole = change_pixels(images, SIZES, tf.constant(uniforms), settings)
    for row in range(4):
        rows = slice(row, row + 1)
        alone = change_pixels(
            images[rows], SIZES[rows], tf.constant(uniforms[rows]), settings
        )
        np.testing.assert_array_equal(alone, whole[rows])


def test_the_teacher_sees_the_image_as_it_was(images, rng):
    batch = Batch(tf.constant(images), tf.constant(SIZES), None, None, None)
    uniforms = tf.constant(rng.random([4, NUM_DRAWS]), tf.float32)
    settings = Augmentation(erase_probability=1.0)
    augmented = augment_batch(batch, uniforms, settings)
    np.testing.assert_array_equal(augmented.teacher_images, images)
    expected = change_pixels(images, SIZES, uniforms, settings)
    np.testing.assert_array_equal(augmented.images, expected)
    assert (augmented.images.numpy() != images).any(axis=(1, 2, 3)).all()
