import numpy as np
import pytest
import tensorflow as tf
from inside_tf_data import assert_same_inside_tf_data, encode

from ehsod_tf.data.resizing import CANVAS_MULTIPLE, Resizing
from ehsod_tf.data.transforms import resize_image
from ehsod_tf.errors import ConfigError


@pytest.mark.parametrize(
    "size, shorter, longer, expected",
    [
        ((480, 640), 800, 1333, (800, 1067)),
        ((640, 480), 800, 1333, (1067, 800)),
        ((300, 900), 800, 1333, (444, 1333)),
        ((100, 100), 320, 320, (320, 320)),
        ((240, 320), 320, 320, (240, 320)),
        ((1, 5000), 320, 320, (1, 320)),
        ((1000, 2000), 100, 160, (80, 160)),
    ],
)
def test_sizes(size, shorter, longer, expected):
    function = lambda s: Resizing(shorter, longer).compute_sizes(s)  # noqa: E731
    np.testing.assert_array_equal(assert_same_inside_tf_data(function, size), expected)


@pytest.mark.parametrize(
    "shorter, longer, most",
    [(800, 1333, 6), (600, 1000, 6), (320, 320, 5), (160, 160, 3)],
)
def test_canvases_are_few_and_symmetric(shorter, longer, most):
    canvases = Resizing(shorter, longer).list_canvases()
    assert len(canvases) <= most
    assert {(width, height) for height, width in canvases} == set(canvases)
    assert np.all(np.array(canvases) % CANVAS_MULTIPLE == 0)


def test_canvases_of_the_paper():
    expected = {(800, 1088), (800, 1216), (800, 1344)}
    assert {c for c in Resizing(800, 1333).list_canvases() if c[0] < c[1]} == expected


@pytest.mark.parametrize("shorter, longer", [(800, 1333), (320, 320), (97, 131)])
def test_every_image_fits_its_canvas(rng, shorter, longer):
    sizes = rng.integers(1, 3000, (500, 2))
    resizing = Resizing(shorter, longer)
    canvases = assert_same_inside_tf_data(resizing.compute_canvases, sizes)
    assert (resizing.compute_sizes(sizes).numpy() <= canvases).all()
    index = resizing.choose_canvases(sizes).numpy()
    np.testing.assert_array_equal(np.array(resizing.list_canvases())[index], canvases)


def test_common_photographs_waste_little():
    sizes = np.array([(480, 640), (640, 480), (427, 640), (375, 500), (333, 500)])
    for shorter, longer in ((800, 1333), (600, 1000), (320, 320)):
        resizing = Resizing(shorter, longer)
        canvas_area = resizing.compute_canvases(sizes).numpy().prod(axis=1)
        area = resizing.compute_sizes(sizes).numpy().prod(axis=1)
        assert (canvas_area <= 1.08 * area).all()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((800, 600), r"longer_side \(600\) is below shorter_side \(800\)"),
        ((0, 600), "shorter_side must be a whole number, at least 1, got 0"),
        ((600, 1000.0), "longer_side must be a whole number"),
        ((600, 1000, 7), "png_bits must be a whole number, from 8 to 16, got 7"),
    ],
)
def test_wrong_settings(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Resizing(*arguments)


def test_preprocess(rng):
    pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
    image, size, scale = assert_same_inside_tf_data(
        Resizing(64, 96).preprocess, encode(pixels)
    )
    assert image.shape == (64, 96, 3) and image.dtype == np.float32
    np.testing.assert_array_equal(size, [64, 85])
    np.testing.assert_allclose(scale, [64 / 30, 85 / 40], rtol=1e-6)
    assert (image[:, 85:] == 0).all()
    np.testing.assert_array_equal(image[:, :85], resize_image(pixels, [64, 85]))


def test_images_are_placed_together_as_alone(rng):
    pixels = rng.integers(0, 256, (2, 30, 40, 3), np.uint8)
    resizing = Resizing(64, 96)
    together = assert_same_inside_tf_data(resizing.place, pixels)
    for image, placed in zip(pixels, together.pixels, strict=True):
        alone = resizing.place(tf.constant(image))
        np.testing.assert_array_equal(placed, alone.pixels)
        np.testing.assert_array_equal(together.image_size, alone.image_size)
        np.testing.assert_array_equal(together.scale, alone.scale)
