import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ehsod_tf.data import preprocess_image
from ehsod_tf.data.transforms import (
    CANVAS_MULTIPLE,
    canvas_size,
    choose_canvas,
    decode_image,
    flip_boxes,
    flip_image,
    list_canvases,
    pad_to_canvas,
    resize_image,
    resized_size,
    scale_boxes,
)


def assert_same_inside_tf_data(function, *arguments):
    """Runs a function eagerly and inside tf.data; returns the eager result."""
    arguments = [tf.convert_to_tensor(argument) for argument in arguments]
    eager = function(*arguments)
    dataset = tf.data.Dataset.from_tensors(tuple(arguments)).map(function)
    inside = next(iter(dataset))
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_array_equal(a.numpy(), b.numpy()), eager, inside
    )
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), eager)


def encode(image, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format=kind)
    return buffer.getvalue()


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
def test_resized_size(size, shorter, longer, expected):
    function = lambda s: resized_size(s, shorter, longer)  # noqa: E731
    np.testing.assert_array_equal(assert_same_inside_tf_data(function, size), expected)


@pytest.mark.parametrize(
    "shorter, longer, most",
    [(800, 1333, 6), (600, 1000, 6), (320, 320, 5), (160, 160, 3)],
)
def test_canvases_are_few_and_symmetric(shorter, longer, most):
    canvases = list_canvases(shorter, longer)
    assert len(canvases) <= most
    assert {(width, height) for height, width in canvases} == set(canvases)
    assert np.all(np.array(canvases) % CANVAS_MULTIPLE == 0)


def test_canvases_of_the_paper():
    expected = {(800, 1088), (800, 1216), (800, 1344)}
    assert {c for c in list_canvases(800, 1333) if c[0] < c[1]} == expected


@pytest.mark.parametrize("shorter, longer", [(800, 1333), (320, 320), (97, 131)])
def test_every_image_fits_its_canvas(rng, shorter, longer):
    sizes = rng.integers(1, 3000, (500, 2))
    canvases = assert_same_inside_tf_data(
        lambda s: canvas_size(s, shorter, longer), sizes
    )
    resized = resized_size(sizes, shorter, longer).numpy()
    assert (resized <= canvases).all()
    index = choose_canvas(sizes, shorter, longer).numpy()
    np.testing.assert_array_equal(
        np.array(list_canvases(shorter, longer))[index], canvases
    )


def test_common_photographs_waste_little():
    sizes = np.array([(480, 640), (640, 480), (427, 640), (375, 500), (333, 500)])
    for shorter, longer in ((800, 1333), (600, 1000), (320, 320)):
        canvas_area = canvas_size(sizes, shorter, longer).numpy().prod(axis=1)
        area = resized_size(sizes, shorter, longer).numpy().prod(axis=1)
        assert (canvas_area <= 1.08 * area).all()


def test_wrong_sides():
    with pytest.raises(ValueError, match="shorter_side <= longer_side"):
        list_canvases(800, 600)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_decode_grey_as_rgb(kind):
    image = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    decoded = assert_same_inside_tf_data(decode_image, encode(image, kind))
    np.testing.assert_array_equal(decoded, np.repeat(image[..., None], 3, axis=-1))


def test_decode_jpeg():
    image = np.full((8, 9, 3), (200, 30, 90), np.uint8)
    decoded = assert_same_inside_tf_data(decode_image, encode(image, "JPEG"))
    assert decoded.dtype == np.uint8
    np.testing.assert_allclose(decoded.astype(float), image, atol=4)


def test_resize_has_half_pixel_centres():
    """Twice the width: new centres lie a quarter and three quarters into each pixel."""
    row = np.array([0, 40, 80], np.uint8)
    image = np.repeat(row[None, :, None], 3, axis=-1)
    resized = assert_same_inside_tf_data(resize_image, image, [1, 6])
    np.testing.assert_allclose(resized[0, :, 0], [0, 10, 30, 50, 70, 80])


def test_scale_boxes_clips():
    boxes = np.array([[-1, -1, 4, 4], [1, 2, 11, 21]], np.float32)
    scaled = assert_same_inside_tf_data(
        scale_boxes, boxes, np.array([2, 0.5], np.float32), np.array([20, 10])
    )
    np.testing.assert_array_equal(scaled, [[0, 0, 8, 2], [2, 1, 20, 10]])


def test_flip_takes_boxes_along_with_the_pixels():
    image = np.zeros((6, 10, 3), np.uint8)
    image[1:3, 2:7] = 255
    flipped = assert_same_inside_tf_data(flip_image, image)
    boxes = assert_same_inside_tf_data(
        lambda b: flip_boxes(b, 10), np.array([[1, 2, 3, 7]], np.float32)
    )
    rows, columns = np.nonzero(flipped[..., 0])
    found = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    np.testing.assert_array_equal(boxes, [found])
    np.testing.assert_array_equal(flip_image(flipped), image)


def test_flip_of_no_boxes():
    boxes = assert_same_inside_tf_data(
        lambda b: flip_boxes(b, 10), np.zeros((0, 4), np.float32)
    )
    assert boxes.shape == (0, 4)


def test_pad_to_canvas():
    image = np.ones((2, 3, 3), np.float32)
    padded = assert_same_inside_tf_data(pad_to_canvas, image, [4, 5])
    assert padded.shape == (4, 5, 3)
    np.testing.assert_array_equal(padded[:2, :3], image)
    assert padded.sum() == image.sum()


def test_preprocess_image(rng):
    pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
    image, size, scale = assert_same_inside_tf_data(
        lambda encoded: preprocess_image(encoded, 64, 96), encode(pixels)
    )
    assert image.shape == (64, 96, 3) and image.dtype == np.float32
    np.testing.assert_array_equal(size, [64, 85])
    np.testing.assert_allclose(scale, [64 / 30, 85 / 40], rtol=1e-6)
    assert (image[:, 85:] == 0).all()
    np.testing.assert_array_equal(image[:, :85], resize_image(pixels, [64, 85]))
