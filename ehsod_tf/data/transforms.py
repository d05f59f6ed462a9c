"""Operations on pixels and boxes, for training, evaluation and the exported model."""

import tensorflow as tf

# Bits of a channel in the deepest PNGs, and where in the file that number stands.
WIDE_BITS = 16
PNG_DEPTH_BYTE = 24
_PNG_MARK = b"\x89PNG\r\n\x1a\n"


def decode_image(encoded: tf.Tensor, png_bits: int = WIDE_BITS) -> tf.Tensor:
    """Decodes JPEG, PNG, BMP or the first frame of a GIF to [H, W, 3] uint8 RGB.

    Args:
        encoded: scalar string.
        png_bits: how many of the 16 bits of a PNG that has so many are used, 8 .. 16;
            the upper 8 of these are kept, and what is brighter becomes 255.
    """

    def decode() -> tf.Tensor:
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)

    def decode_wide() -> tf.Tensor:
        values = tf.io.decode_png(encoded, channels=3, dtype=tf.uint16)
        values = tf.bitwise.right_shift(values, tf.constant(png_bits - 8, tf.uint16))
        return tf.cast(tf.minimum(values, 255), tf.uint8)

    if png_bits == WIDE_BITS:
        image = decode()
    else:
        image = tf.cond(_is_wide_png(encoded), decode_wide, decode)
    image.set_shape([None, None, 3])
    return image


def _is_wide_png(encoded: tf.Tensor) -> tf.Tensor:
    head = tf.cond(
        tf.strings.length(encoded) > PNG_DEPTH_BYTE,
        lambda: tf.strings.substr(encoded, 0, PNG_DEPTH_BYTE + 1),
        lambda: "",
    )
    is_png = tf.strings.substr(head, 0, len(_PNG_MARK)) == _PNG_MARK
    return is_png & (tf.strings.substr(head, -1, 1) == bytes([WIDE_BITS]))


def resize_image(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resizes [..., H, W, 3] bilinearly (half-pixel centres) to `size`, as float32."""
    # The kernel gives the same bits for uint8, but is vectorised for float32 only.
    image = tf.cast(image, tf.float32)
    return tf.image.resize(image, size, method="bilinear", antialias=False)


def scale_boxes(boxes: tf.Tensor, scale: tf.Tensor, image_size: tf.Tensor) -> tf.Tensor:
    """Takes the boxes of images to the resized images and clips them to these.

    Args:
        boxes: [..., M, 4] float32 in original pixels.
        scale: [..., 2] float32 (y, x), resized pixels per original pixel.
        image_size: [..., 2] int32 (height, width) of the resized image.
    """
    scales = tf.concat([scale, scale], axis=-1)[..., None, :]
    limits = tf.cast(tf.concat([image_size, image_size], axis=-1), boxes.dtype)
    return tf.clip_by_value(boxes * scales, 0.0, limits[..., None, :])


def flip_image(image: tf.Tensor) -> tf.Tensor:
    """Mirrors [H, W, C] left to right."""
    return tf.reverse(image, axis=[1])


def flip_boxes(boxes: tf.Tensor, image_width: tf.Tensor) -> tf.Tensor:
    """Mirrors [..., M, 4] boxes left to right in images of the widths [...]."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    width = tf.cast(image_width, boxes.dtype)[..., None]
    return tf.stack([ymin, width - xmax, ymax, width - xmin], axis=-1)


def pad_to_canvas(image: tf.Tensor, canvas: tf.Tensor) -> tf.Tensor:
    """Pads [..., h, w, C] with zeros below and to the right up to the canvas [2]."""
    missing = canvas - tf.shape(image)[-3:-1]
    before = [[0, 0]] * (len(image.shape) - 3)
    return tf.pad(image, [*before, [0, missing[0]], [0, missing[1]], [0, 0]])


def compute_scale(original_size: tf.Tensor, image_size: tf.Tensor) -> tf.Tensor:
    """Returns [..., 2] float32 (y, x) resized pixels per original pixel."""
    return tf.cast(image_size / original_size, tf.float32)
