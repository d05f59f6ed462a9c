"""Image operations, the same ones for training, evaluation and the exported model.

An image is resized so that its shorter side is ``shorter_side``, or less where its
longer side would pass ``longer_side``, and is then put into the top left corner of a
canvas. The canvas depends on the size of that image alone, but for the few training
batches that images of several canvases share, and there are few canvases, so that
convolutions see few shapes.
"""

import math

import tensorflow as tf

CANVAS_MULTIPLE = 32

# Bits of a channel in the deepest PNGs, and where in the file that number stands.
WIDE_BITS = 16
PNG_DEPTH_BYTE = 24
_PNG_MARK = b"\x89PNG\r\n\x1a\n"

# Of the photographs in COCO and VOC nearly all are 4:3 or 3:2.
_ASPECT_RATIOS = (4 / 3, 3 / 2)


def resized_size(sizes: tf.Tensor, shorter_side: int, longer_side: int) -> tf.Tensor:
    """Returns the sizes that images are resized to.

    Args:
        sizes: [..., 2] integers, (height, width).
        shorter_side: length of the shorter side ...
        longer_side: ... unless the longer side would become longer than this.

    Returns:
        [..., 2] int32.
    """
    sizes = tf.cast(sizes, tf.float64)
    ratio = tf.minimum(
        shorter_side / tf.reduce_min(sizes, axis=-1, keepdims=True),
        longer_side / tf.reduce_max(sizes, axis=-1, keepdims=True),
    )
    return tf.maximum(tf.cast(tf.round(sizes * ratio), tf.int32), 1)


def list_canvases(shorter_side: int, longer_side: int) -> tuple[tuple[int, int], ...]:
    """Returns the (height, width) of all canvases, ascending by area.

    They fit landscape and portrait images of the common aspect ratios closely; the
    last two (one, where both sides are equal) hold any image.
    """
    if not 0 < shorter_side <= longer_side:
        raise ValueError(
            f"need 0 < shorter_side <= longer_side, got {shorter_side}, {longer_side}"
        )
    landscape = {(_round_up(shorter_side), _round_up(longer_side))}
    for ratio in _ASPECT_RATIOS:
        height = min(shorter_side, longer_side / ratio)
        landscape.add((_round_up(height), _round_up(height * ratio)))
    canvases = landscape | {(width, height) for height, width in landscape}
    return tuple(sorted(canvases, key=lambda canvas: (math.prod(canvas), canvas)))


def _round_up(length: float) -> int:
    # Rounded to a pixel first, as `resized_size` does.
    return math.ceil(round(length) / CANVAS_MULTIPLE) * CANVAS_MULTIPLE


def choose_canvas(sizes: tf.Tensor, shorter_side: int, longer_side: int) -> tf.Tensor:
    """Returns, for each image, the row of `list_canvases` of its canvas.

    Args:
        sizes: [..., 2] integers, (height, width) of the original images.

    Returns:
        [...] int32, the smallest canvas that the resized image fits into.
    """
    canvases = tf.constant(list_canvases(shorter_side, longer_side))
    resized = resized_size(sizes, shorter_side, longer_side)
    fits = tf.reduce_all(resized[..., None, :] <= canvases, axis=-1)
    return tf.argmax(fits, axis=-1, output_type=tf.int32)


def canvas_size(sizes: tf.Tensor, shorter_side: int, longer_side: int) -> tf.Tensor:
    """Returns the [..., 2] int32 canvas (height, width) of images of these sizes."""
    canvases = tf.constant(list_canvases(shorter_side, longer_side))
    return tf.gather(canvases, choose_canvas(sizes, shorter_side, longer_side))


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
    """Resizes [H, W, 3] bilinearly (half-pixel centres) to `size`, as float32."""
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
    """Pads [h, w, C] with zeros below and to the right up to the canvas [2] int32."""
    missing = canvas - tf.shape(image)[:2]
    return tf.pad(image, [[0, missing[0]], [0, missing[1]], [0, 0]])


def preprocess_image(
    encoded: tf.Tensor,
    shorter_side: int,
    longer_side: int,
    png_bits: int = WIDE_BITS,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Takes the bytes of one image file to the network's input.

    Args:
        encoded: scalar string.
        shorter_side, longer_side: see `resized_size`.
        png_bits: see `decode_image`.

    Returns:
        image: [H, W, 3] float32 RGB in [0, 255] on its canvas, zero outside the image.
        image_size: [2] int32 (height, width) of the image on the canvas.
        scale: [2] float32 (y, x) pixels on the canvas per original pixel.
    """
    image = decode_image(encoded, png_bits)
    original_size = tf.shape(image)[:2]
    image_size = resized_size(original_size, shorter_side, longer_side)
    canvas = canvas_size(original_size, shorter_side, longer_side)
    image = pad_to_canvas(resize_image(image, image_size), canvas)
    return image, image_size, compute_scale(original_size, image_size)


def compute_scale(original_size: tf.Tensor, image_size: tf.Tensor) -> tf.Tensor:
    """Returns [..., 2] float32 (y, x) resized pixels per original pixel."""
    return tf.cast(image_size / original_size, tf.float32)
