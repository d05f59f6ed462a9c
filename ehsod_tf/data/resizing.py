"""How large images are for the network, the same in training, evaluation and export.

An image is resized so that its shorter side is ``shorter_side``, or less where its
longer side would pass ``longer_side``, and is then put into the top left corner of a
canvas. The canvas depends on the size of that image alone, except in the few training
batches that images of several canvases share. There are few canvases, so that
convolutions see few shapes.
"""

import dataclasses
import math
from typing import NamedTuple

import tensorflow as tf

from ehsod_tf.data.transforms import (
    WIDE_BITS,
    compute_scale,
    decode_image,
    pad_to_canvas,
    resize_image,
)
from ehsod_tf.errors import ConfigError, require_count

CANVAS_MULTIPLE = 32

# Of the photographs in COCO and VOC nearly all are 4:3 or 3:2.
_ASPECT_RATIOS = (4 / 3, 3 / 2)


class PlacedImage(NamedTuple):
    """An image on its canvas, or several of one size.

    Attributes:
        pixels: [..., H, W, 3] float32 RGB in [0, 255], zero outside the image.
        image_size: [2] int32 (height, width) of the image on the canvas.
        scale: [2] float32 (y, x) pixels on the canvas per original pixel.
    """

    pixels: tf.Tensor
    image_size: tf.Tensor
    scale: tf.Tensor


@dataclasses.dataclass(frozen=True)
class Resizing:
    """From image files of any size to the input of the network.

    Attributes:
        shorter_side: length of the shorter side ...
        longer_side: ... unless the longer side would become longer than this.
        png_bits: see `transforms.decode_image`.

    Raises:
        ConfigError: a side is no whole number above 0, or the longer one the shorter.
    """

    shorter_side: int
    longer_side: int
    png_bits: int = WIDE_BITS

    def __post_init__(self):
        require_count("shorter_side", self.shorter_side)
        require_count("longer_side", self.longer_side)
        require_count("png_bits", self.png_bits, least=8, most=WIDE_BITS)
        if self.longer_side < self.shorter_side:
            raise ConfigError(
                f"longer_side ({self.longer_side}) is below shorter_side "
                f"({self.shorter_side})"
            )

    def compute_sizes(self, sizes: tf.Tensor) -> tf.Tensor:
        """The [..., 2] int32 sizes that images of [..., 2] integers are resized to."""
        sizes = tf.cast(sizes, tf.float64)
        ratio = tf.minimum(
            self.shorter_side / tf.reduce_min(sizes, axis=-1, keepdims=True),
            self.longer_side / tf.reduce_max(sizes, axis=-1, keepdims=True),
        )
        return tf.maximum(tf.cast(tf.round(sizes * ratio), tf.int32), 1)

    def list_canvases(self) -> tuple[tuple[int, int], ...]:
        """The (height, width) of all canvases, ascending by area.

        They fit landscape and portrait images of the common aspect ratios closely; the
        last two (one, where both sides are equal) hold any image.
        """
        landscape = {(_round_up(self.shorter_side), _round_up(self.longer_side))}
        for ratio in _ASPECT_RATIOS:
            height = min(self.shorter_side, self.longer_side / ratio)
            landscape.add((_round_up(height), _round_up(height * ratio)))
        canvases = landscape | {(width, height) for height, width in landscape}
        return tuple(sorted(canvases, key=lambda canvas: (math.prod(canvas), canvas)))

    def choose_canvases(self, sizes: tf.Tensor) -> tf.Tensor:
        """The rows of `list_canvases` of images of [..., 2] integers.

        Returns:
            [...] int32, the smallest canvas that the resized image fits into.
        """
        canvases = tf.constant(self.list_canvases())
        fits = tf.reduce_all(
            self.compute_sizes(sizes)[..., None, :] <= canvases, axis=-1
        )
        return tf.argmax(fits, axis=-1, output_type=tf.int32)

    def compute_canvases(self, sizes: tf.Tensor) -> tf.Tensor:
        """The [..., 2] int32 canvases (height, width) of images of these sizes."""
        return tf.gather(self.list_canvases(), self.choose_canvases(sizes))

    def place(self, pixels: tf.Tensor) -> PlacedImage:
        """Resizes pixels [..., h, w, 3] and puts them on their canvas."""
        original_size = tf.shape(pixels)[-3:-1]
        image_size = self.compute_sizes(original_size)
        pixels = pad_to_canvas(
            resize_image(pixels, image_size), self.compute_canvases(original_size)
        )
        return PlacedImage(pixels, image_size, compute_scale(original_size, image_size))

    def preprocess(self, encoded: tf.Tensor) -> PlacedImage:
        """Takes an image file's bytes, a scalar string, to the network's input."""
        return self.place(decode_image(encoded, self.png_bits))


def _round_up(length: float) -> int:
    # Rounded to a pixel first, as `Resizing.compute_sizes` does.
    return math.ceil(round(length) / CANVAS_MULTIPLE) * CANVAS_MULTIPLE
