"""Reading the pixels of image files, and naming the files that cannot be read."""

from collections.abc import Iterable

import tensorflow as tf

from ehsod_tf.data.checks.image_checks import check_image_files
from ehsod_tf.data.problems import Problem
from ehsod_tf.data.transforms import WIDE_BITS, decode_image
from ehsod_tf.structures import ImageSet


def read_image(
    path: tf.Tensor, size: tf.Tensor, png_bits: int = WIDE_BITS
) -> tf.Tensor:
    """Reads one image file as [H, W, 3] uint8 RGB, and sees that it has this size.

    Inside tf.data the errors name no file; `find_unreadable_images` does.

    Args:
        path: scalar string.
        size: [2] int32 (height, width) that the annotation gives.
        png_bits: see `transforms.decode_image`.

    Raises:
        tf.errors.OpError: the file is missing, cannot be decoded, or has another size.
    """
    image = decode_image(tf.io.read_file(path), png_bits)
    # The operation itself: tf.debugging.Assert would wrap it into a conditional, whose
    # cost counts beside a small JPEG.
    tf.raw_ops.Assert(
        condition=tf.reduce_all(tf.shape(image)[:2] == size),
        data=["image file and annotation disagree on the size of", path],
    )
    return image


def find_unreadable_images(image_set: ImageSet, rows: Iterable[int]) -> list[Problem]:
    """Decodes images of the given rows and says which of them cannot be read.

    Returns:
        One problem for each file that is missing, cannot be decoded, or has another
        size than its annotation says.
    """
    rows = list(rows)
    paths = [image_set.paths[row] for row in rows]
    checks = check_image_files(paths, image_set.sizes[rows], check_pixels=True)
    return [
        Problem(path, f"image {image_set.image_ids[row]}", check.field, check.fault)
        for row, path, check in zip(rows, paths, checks, strict=True)
        if check.fault
    ]
