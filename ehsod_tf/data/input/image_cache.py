"""Decoded images on disk, for machines whose processors are slower than their disks.

An image is stored as what its decoder gave: uint8 RGB of the original size, without any
header. Training so sees the same bits with and without the cache, at three bytes a
pixel: about ten times the size of the JPEGs.
"""

import functools
import hashlib
import os
import shutil
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import logging

from ehsod_tf.data.input.image_reading import find_unreadable_images, read_image
from ehsod_tf.data.problems import raise_problems
from ehsod_tf.data.transforms import WIDE_BITS
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet

_GIB = 2**30


def ensure_image_cache(
    image_set: ImageSet, cache_dir: str | os.PathLike, png_bits: int = WIDE_BITS
) -> list[str]:
    """Decodes every image that the folder does not hold yet, several at a time.

    A stored image is named by a hash of the file's absolute path, its size and time of
    last change, and the version of TensorFlow that decoded it. So a file that was
    changed is decoded again; what was stored of it before is not read any more, but
    stays on disk. Several sets and several runs, also at the same time, may share a
    folder. A stored image appears under its name only once it is complete.

    Args:
        image_set: the images.
        cache_dir: the folder; made if there is none.
        png_bits: see `transforms.decode_image`.

    Returns:
        I paths of stored images, for `read_cached_image`.

    Raises:
        DataError: an image is missing, cannot be decoded or has another size than its
            annotation says (all such are named), or the disk is too small.
    """
    cache_dir = os.fspath(cache_dir)
    os.makedirs(cache_dir, exist_ok=True)
    cached = _name_cached_images(image_set, cache_dir, png_bits)
    num_bytes = image_set.sizes.astype(np.int64).prod(axis=1) * 3
    missing = [
        row for row, path in enumerate(cached) if _file_size(path) != num_bytes[row]
    ]
    if missing:
        _require_space(cache_dir, int(num_bytes[missing].sum()), len(missing))
        start = time.monotonic()
        _store_images(image_set, missing, cached, png_bits)
        logging.info(
            "decoded %d images into %s: %.2f GiB in %.1f s; %d were there already",
            len(missing),
            cache_dir,
            num_bytes[missing].sum() / _GIB,
            time.monotonic() - start,
            len(cached) - len(missing),
        )
    else:
        logging.info("all %d images are decoded in %s already", len(cached), cache_dir)
    return cached


def read_cached_image(path: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Reads one stored image of this size as [H, W, 3] uint8 RGB."""
    pixels = tf.io.decode_raw(tf.io.read_file(path), tf.uint8)
    image = tf.reshape(pixels, tf.concat([size, [3]], axis=0))
    image.set_shape([None, None, 3])
    return image


def _name_cached_images(
    image_set: ImageSet, cache_dir: str, png_bits: int
) -> list[str]:
    """Returns the paths of the stored images; that of a missing file never exists."""
    cached = []
    for path in image_set.paths:
        try:
            status = os.stat(path)
        except OSError:
            status = None
        parts = [os.path.abspath(path), tf.__version__]
        if status:
            parts += [status.st_size, status.st_mtime_ns]
        if png_bits != WIDE_BITS:
            parts.append(png_bits)
        key = hashlib.sha256(repr(parts).encode()).hexdigest()
        cached.append(os.path.join(cache_dir, f"{key}.rgb"))
    return cached


def _file_size(path: str) -> int | None:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return None


def _require_space(cache_dir: str, needed: int, num_images: int) -> None:
    free = shutil.disk_usage(cache_dir).free
    if needed > free:
        raise DataError(
            f"{cache_dir}: {num_images} decoded images need {needed / _GIB:.2f} GiB, "
            f"but {free / _GIB:.2f} GiB are free; choose a cache folder on a larger "
            "disk, or train without the cache"
        )


def _store_images(
    image_set: ImageSet, rows: list[int], cached: list[str], png_bits: int
) -> None:
    paths = [image_set.paths[row] for row in rows]
    images = iter(
        tf.data.Dataset.from_tensor_slices((paths, image_set.sizes[rows])).map(
            functools.partial(read_image, png_bits=png_bits),
            tf.data.AUTOTUNE,
            deterministic=True,
        )
    )
    unreadable = []
    for row in rows:
        try:
            pixels = next(images).numpy()
        except tf.errors.OpError:
            # The iterator goes on behind an element that failed.
            unreadable.append(row)
        else:
            _write_atomically(cached[row], pixels.tobytes())
    raise_problems(find_unreadable_images(image_set, unreadable))


def _write_atomically(path: str, content: bytes) -> None:
    # Several processes may write the same image: the last one wins, with equal bytes.
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise
