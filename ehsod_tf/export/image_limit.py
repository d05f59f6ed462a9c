"""Refuses an image by its header, before memory is taken for its pixels.

A file of a megabyte can be a sound PNG of 20,000 x 20,000 pixels. Decoded and made
float32 these take 6 GB, for which the system may end the process that serves.
"""

import tensorflow as tf

from ehsod_tf.data.image_files import MAX_PIXELS

TOO_LARGE = f"an image of more than {MAX_PIXELS:,} pixels"

_HEADER_BYTES = 30
# How a number is made of bytes, the lowest first.
_BYTES = [1, 2**8, 2**16, 2**24]


def require_moderate_size(encoded: tf.Tensor) -> tf.Tensor:
    """Returns an encoded image, or fails if its header names too many pixels.

    Args:
        encoded: scalar string. What is neither JPEG, PNG, BMP, GIF nor WebP fails, too,
            whatever else the TensorFlow that serves may be able to decode.
    """
    # Shorter files are filled up with zeros.
    header = tf.io.decode_raw(encoded, tf.uint8, fixed_length=_HEADER_BYTES)
    header = tf.cast(header, tf.int64)
    is_jpeg = _has(header, 0, b"\xff\xd8\xff")
    size = tf.cond(
        is_jpeg,
        lambda: tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64),
        lambda: _read_size(header),
    )
    checks = [
        tf.debugging.assert_greater(
            tf.reduce_max(size),
            tf.constant(0, tf.int64),
            "image_bytes: neither JPEG, PNG, BMP, GIF nor WebP",
        ),
        tf.debugging.assert_less_equal(
            # Of two numbers of 32 bits, for which int64 would be too small.
            tf.reduce_prod(tf.cast(size, tf.float64)),
            tf.constant(MAX_PIXELS, tf.float64),
            f"image_bytes: {TOO_LARGE}",
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(encoded)


def _has(header, start, mark):
    """Whether a header has these bytes at a place."""
    return tf.reduce_all(header[start : start + len(mark)] == list(mark))


def _read_size(header):
    """[2] int64, in either order, of any form but JPEG; zeros if it is of none."""

    def read(start, factors):
        numbers = header[start : start + 2 * len(factors)]
        return tf.reduce_sum(tf.reshape(numbers, [2, -1]) * factors, axis=1)

    bmp = read(18, _BYTES)
    lossless = tf.reduce_sum(header[21:25] * _BYTES)
    is_webp = _has(header, 0, b"RIFF") & _has(header, 8, b"WEBP")
    size = tf.zeros([2], tf.int64)
    for is_form, numbers in (
        (_has(header, 0, b"\x89PNG"), read(16, _BYTES[::-1])),
        (_has(header, 0, b"GIF8"), read(6, _BYTES[:2])),
        # The height of a BMP whose rows go downwards is negative.
        (_has(header, 0, b"BM"), tf.minimum(bmp, 2**32 - bmp)),
        (is_webp & _has(header, 12, b"VP8X"), read(24, _BYTES[:3]) + 1),
        (is_webp & _has(header, 12, b"VP8 "), read(26, _BYTES[:2]) % 2**14),
        (
            is_webp & _has(header, 12, b"VP8L"),
            tf.stack([lossless, lossless // 2**14]) % 2**14 + 1,
        ),
    ):
        size = tf.where(is_form, numbers, size)
    return size
