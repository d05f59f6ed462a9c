import numpy as np
import pytest
from inside_tf_data import assert_same_inside_tf_data, encode

from ehsod_tf.data.transforms import (
    decode_image,
    flip_boxes,
    flip_image,
    pad_to_canvas,
    resize_image,
    scale_boxes,
)


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


def test_pad_to_canvas_of_several_images():
    images = np.arange(48, dtype=np.float32).reshape(2, 2, 4, 3)
    padded = assert_same_inside_tf_data(pad_to_canvas, images, [3, 4])
    assert padded.shape == (2, 3, 4, 3)
    for image, alone in zip(padded, images, strict=True):
        np.testing.assert_array_equal(image, pad_to_canvas(alone, [3, 4]))
