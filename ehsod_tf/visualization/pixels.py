"""The pixels of an image file, as the detector reads them."""

import numpy as np
import tensorflow as tf
from PIL import Image

# Where a PNG states the bits of a channel, and the most that there are.
_DEPTH_BYTE, WIDE_BITS = 24, 16


def convert_to_rgb(file: Image.Image, png_bits: int = WIDE_BITS) -> Image.Image:
    """The pixels of an opened image file as RGB, of 8 bits a channel.

    Of a PNG of 16 bits a channel Pillow would make all that is above 255 white where it
    is grey, and keep the high byte where it is coloured, however few bits are in use.

    Args:
        file: from `Image.open`; of a JPEG, a draft will do.
        png_bits: as `ehsod_tf.data.Resizing` has it: how many of the 16 bits of such a
            PNG are used. The upper 8 of them are shown; what is brighter is white.

    Raises:
        OSError, SyntaxError, ValueError: the file cannot be decoded.
    """
    if file.format != "PNG":
        return file.convert("RGB")
    with open(file.filename, "rb") as png:
        encoded = png.read(_DEPTH_BYTE + 1)
        if encoded[_DEPTH_BYTE] != WIDE_BITS:
            return file.convert("RGB")
        encoded += png.read()
    try:
        with tf.device("/cpu:0"):
            values = tf.io.decode_png(encoded, channels=3, dtype=tf.uint16).numpy()
    except tf.errors.OpError as error:
        raise ValueError("the pixels of the PNG cannot be decoded") from error
    return Image.fromarray(np.minimum(values >> (png_bits - 8), 255).astype(np.uint8))
