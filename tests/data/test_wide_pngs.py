"""PNGs of 16 bits whose values use fewer: found, reported, and read by a setting."""

import numpy as np
import pytest
import tensorflow as tf
from image_encoding import encode, encode_png
from PIL import Image

from ehsod_tf.data import build_evaluation_dataset, build_training_dataset, validate
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.data.transforms import decode_image

RESIZING = Resizing(32, 32, png_bits=12)


def make_wide(rng, brightest, channels=1):
    """Returns values from 0 to the brightest, and the PNG of them."""
    values = rng.integers(0, brightest + 1, (32, 32, channels)).astype(np.uint16)
    values[0, 0] = brightest
    colour_type = 0 if channels == 1 else 2
    return values, encode_png(values.astype(">u2"), 16, colour_type)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "brightest, bits", [(255, 8), (1023, 10), (4095, 12), (65535, 16)]
)
def test_the_setting_keeps_the_upper_eight_bits_that_are_used(
    rng, channels, brightest, bits
):
    values, png = make_wide(rng, brightest, channels)
    image = decode_image(tf.constant(png), bits).numpy()
    assert image.dtype == np.uint8 and image.shape == (32, 32, 3)
    expected = np.broadcast_to(values >> (bits - 8), image.shape)
    np.testing.assert_array_equal(image, expected)
    assert image.max() == 255


def test_what_is_brighter_becomes_white(rng):
    values, png = make_wide(rng, 65535)
    image = decode_image(tf.constant(png), 12).numpy()
    np.testing.assert_array_equal(image[..., :1], np.minimum(values >> 4, 255))


def test_other_images_stay_as_they_are(rng):
    picture = Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8))
    for kind in ("PNG", "JPEG", "BMP", "GIF"):
        encoded = tf.constant(encode(picture, kind))
        np.testing.assert_array_equal(decode_image(encoded, 12), decode_image(encoded))
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_image(tf.constant(b"\x89PNG"), 12)


@pytest.fixture
def wide_set(make_image_set, rng):
    """Returns a function that makes a set of two such PNGs and a usual one."""

    def make(brightest):
        image_set = make_image_set(
            [(32, 32)] * 3, [(row, (1.0, 1.0, 9.0, 9.0), 0) for row in range(3)]
        )
        for path in image_set.paths[:2]:
            with open(path, "wb") as file:
                file.write(make_wide(rng, brightest)[1])
        return image_set

    return make


@pytest.mark.parametrize(
    "brightest, png_bits, words",
    [
        (4095, 16, ("4095, of 12 bits", "at most 15 of 255", "png_bits = 12")),
        (255, 16, ("255, of 8 bits", "at most 0 of 255", "png_bits = 8")),
        (200, 16, ("200, of 8 bits", "png_bits = 8")),
        (4095, 10, ("4095, of 12 bits", "becomes white", "png_bits = 12")),
        (4095, 12, None),
        (3000, 12, None),
        (65535, 16, None),
        (40000, 16, None),
        (20000, 16, None),
    ],
)
def test_the_range_is_noted(wide_set, brightest, png_bits, words):
    findings = Findings()
    image_set = wide_set(brightest)
    validate(image_set, findings=findings, png_bits=png_bits)
    assert not findings.problems
    if words is None:
        assert not findings.notes
        return
    [note] = findings.notes
    assert note.startswith("2 PNGs of 16 bits (first: ")
    for word in (image_set.paths[0], "in the 2 looked at", *words):
        assert word in note


def test_training_evaluation_and_cache_read_alike(wide_set, tmp_path):
    image_set = wide_set(4095)
    alone = {}
    for path, image_id in zip(image_set.paths, image_set.image_ids, strict=True):
        encoded = tf.io.read_file(path)
        alone[int(image_id)] = decode_image(encoded, 12).numpy().astype(np.float32)
    assert alone[100].max() == 255 and alone[102].max() == 100
    options = {"batch_size": 1, "resizing": RESIZING}
    training = {**options, "seed": 0, "epochs": 1, "flip": False}
    for dataset in (
        build_evaluation_dataset(image_set, **options),
        build_training_dataset(image_set, **training),
        build_training_dataset(image_set, **training, cache_dir=tmp_path / "cache"),
    ):
        for batch in dataset:
            expected = alone[int(batch.image_ids[0])]
            np.testing.assert_array_equal(batch.images[0], expected)
    # Another setting is another image in the cache.
    other = {**training, "resizing": Resizing(32, 32), "cache_dir": tmp_path / "cache"}
    brightest = max(
        float(tf.reduce_max(batch.images))
        for batch in build_training_dataset(image_set, **other)
    )
    assert brightest == 100
