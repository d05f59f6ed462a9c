"""Checks of image files: would each be decoded to the pixels that its boxes mean?

Headers and last bytes show nearly all of it at a fraction of the cost of decoding.
Pixels are decoded, by the op that training uses, where those do not or on request.
"""

import math
import os
import re
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from ehsod_tf.data.image_files import TURNED, Header, map_headers, read_header
from ehsod_tf.data.transforms import PNG_DEPTH_BYTE, WIDE_BITS, decode_image
from ehsod_tf.errors import DataError

# Pillow's names of what `transforms.decode_image` reads.
IMAGE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")

# Room for the few bytes that some programs leave behind a file's last marker.
_TAIL_BYTES = 32

# libjpeg's and libpng's own limits.
_LONGEST_SIDES = {"JPEG": 65_500, "PNG": 1_000_000}

# Reading a header mostly waits for the disk, or for a share on another machine.
_HEADER_THREADS = 8

_Result = TypeVar("_Result")


class FileCheck(NamedTuple):
    """What a check of an image file gave.

    Attributes:
        field: what the fault is about, e.g. "size"; "" for the file as a whole.
        fault: what is wrong and what to do about it; "" for a sound file.
        orientation: EXIF's, 1 .. 8.
        is_wide: whether it is a PNG of 16 bits a channel.
    """

    field: str = ""
    fault: str = ""
    orientation: int = 1
    is_wide: bool = False


def check_image_files(
    paths: list[str], sizes: np.ndarray, *, check_pixels: bool = False
) -> list[FileCheck]:
    """Checks image files against the sizes in their annotation.

    Args:
        paths: the I files.
        sizes: [I, 2] integers (height, width).
        check_pixels: decode every file; else only where its bytes leave a doubt.

    Returns:
        A `FileCheck` for each file, in order.
    """

    def check(row: int) -> FileCheck:
        height, width = map(int, sizes[row])
        return _check_file(paths[row], height, width, check_pixels)

    rows = range(len(paths))
    if not check_pixels:
        return map_headers(check, rows)
    return map_in_threads(check, rows, os.cpu_count() or 1)


def map_in_threads(
    function: Callable[..., _Result], items, threads: int = _HEADER_THREADS
) -> list[_Result]:
    """Returns what the function gives for each item, in order."""
    # A task for each of 100,000 small files would cost as much as reading them.
    chunks = [items[start : start + 64] for start in range(0, len(items), 64)]
    with ThreadPoolExecutor(threads) as pool:
        results = pool.map(lambda chunk: [function(item) for item in chunk], chunks)
        return [result for chunk in results for result in chunk]


def _check_file(path: str, height: int, width: int, check_pixels: bool) -> FileCheck:
    try:
        header = read_header(path)
        is_uncertain = _check_header(path, header, height, width)
        is_wide = header.format == "PNG" and _read_depth(path) == WIDE_BITS
        if check_pixels or is_uncertain:
            _decode(path, height, width)
    except _FieldError as error:
        return FileCheck(error.field, str(error))
    except (DataError, OSError) as error:
        return FileCheck(fault=str(error))
    return FileCheck(orientation=header.orientation, is_wide=is_wide)


def _read_depth(path: str) -> int:
    with open(path, "rb") as file:
        return file.read(PNG_DEPTH_BYTE + 1)[-1]


def find_brightest(paths: list[str]) -> int:
    """Returns the largest value in PNGs of 16 bits, of all that can be decoded."""

    def find(path: str) -> int:
        try:
            with tf.device("/cpu:0"):
                values = tf.io.decode_png(tf.io.read_file(path), dtype=tf.uint16)
                return int(values.numpy().max())
        except tf.errors.OpError:
            return 0

    return max(map_in_threads(find, paths), default=0)


class _FieldError(DataError):
    """A fault of one field of the file."""

    def __init__(self, field: str, message: str):
        super().__init__(message)
        self.field = field


def _check_header(path: str, header: Header, height: int, width: int) -> bool:
    """Returns whether only decoding can show if the file is sound.

    Raises:
        DataError: the file cannot mean what the annotation says, or decoding it would
            fail or give wrong colours.
    """
    if header.format not in IMAGE_FORMATS:
        known = ", ".join(IMAGE_FORMATS)
        message = f"{header.format} is not read; convert it to one of {known}"
        raise _FieldError("format", message)
    _check_size(header, height, width)
    _check_sides(header)
    with open(path, "rb") as file:
        file_size = os.fstat(file.fileno()).st_size
        head = file.read(66)
        file.seek(-min(_TAIL_BYTES, file_size), os.SEEK_END)
        tail = file.read()
        if header.format == "JPEG":
            if header.mode == "CMYK":
                file.seek(0)
                _check_cmyk(file.read())
            return b"\xff\xd9" not in tail or not _is_usual_jpeg(file)
    if header.format == "PNG":
        return b"IEND\xaeB`\x82" not in tail
    if header.format == "GIF":
        # The decoder gives the first frame, which may be smaller than the canvas that
        # the header states. GIFs are few and small.
        return True
    if header.format == "BMP":
        _check_bmp(header, head, file_size)
        return False
    _check_webp(header, head)
    return struct.unpack_from("<I", head, 4)[0] + 8 > file_size


def _check_size(header: Header, height: int, width: int) -> None:
    if (header.height, header.width) == (height, width):
        return
    sizes = (
        f"the file is {header.width} wide and {header.height} high, the annotation "
        f"says {width} and {height}"
    )
    turned = (header.width, header.height) == (height, width)
    if turned and header.orientation in TURNED:
        raise _FieldError(
            "orientation",
            f"{sizes}: it refers to the image as EXIF orientation "
            f"{header.orientation} turns it, which is not applied; store the pixels "
            "upright and drop the EXIF tag",
        )
    raise _FieldError("size", f"{sizes}; correct the annotation or the file")


def _check_sides(header: Header) -> None:
    longest = _LONGEST_SIDES.get(header.format, math.inf)
    if max(header.height, header.width) > longest:
        raise _FieldError(
            "size",
            f"a {header.format} with a side of more than {longest:,} pixels is not "
            "read; cut the image into parts",
        )


def _check_cmyk(content: bytes) -> None:
    # Without Adobe's marker it is not said whether 0 or 255 stands for full ink, and
    # TensorFlow and Pillow take opposite sides.
    if b"\xff\xee\x00\x0eAdobe" not in content:
        raise _FieldError(
            "mode",
            "a CMYK JPEG without Adobe's marker has no certain colours; convert it to "
            "RGB",
        )


def _is_usual_jpeg(file: BinaryIO) -> bool:
    """Returns whether a JPEG is baseline, extended or progressive, with Huffman codes.

    Of the standard's other ten processes libjpeg reads some, depending on its build.
    """
    file.seek(2)
    # Segments, up to the first that pixels follow.
    while len(head := file.read(4)) == 4 and head[:2] != b"\xff\xda":
        if head[:2] in (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2"):
            return True
        file.seek(int.from_bytes(head[2:], "big") - 2, os.SEEK_CUR)
    return False


def _check_bmp(header: Header, head: bytes, file_size: int) -> None:
    """Refuses what tf.io.decode_image fails at, and palettes, which it passes over."""
    # An OS/2 file may be shorter than the header that Windows writes.
    head = head.ljust(34, b"\0")
    offset, header_size = struct.unpack_from("<II", head, 10)
    bits, compression = struct.unpack_from("<HI", head, 28)
    usual_masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    plain = header_size >= 40 and bits in (8, 24, 32) and header.mode != "P"
    if compression == 3 and bits == 32:
        plain &= head[54:66] == usual_masks
    else:
        plain &= compression == 0
    if not plain:
        raise _FieldError(
            "mode",
            "BMP is read as plain 24 or 32 bit colour or 8 bit grey only, without "
            "palette and compression; convert it to PNG",
        )
    row_size = (bits * header.width + 31) // 32 * 4
    expected = offset + row_size * header.height
    if file_size != expected:
        raise DataError(
            f"the file has {file_size} bytes where its header promises {expected}; "
            "fetch or write it again"
        )


def _check_webp(header: Header, head: bytes) -> None:
    animated = head[12:16] == b"VP8X" and head[20] & 2
    if header.mode == "RGBA" or animated:
        what = "an animation" if animated else "an alpha channel"
        message = f"WebP with {what} is not read; convert it to PNG or JPEG"
        raise _FieldError("mode", message)


def _decode(path: str, height: int, width: int) -> None:
    try:
        with tf.device("/cpu:0"):
            image = decode_image(tf.io.read_file(path))
    except tf.errors.OpError as error:
        reason = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", error.message).strip(" .")
        raise DataError(
            "the file is truncated or damaged, or of a kind that is not read: its "
            f"pixels cannot be decoded ({reason}); fetch it again or "
            "convert it"
        ) from error
    if tuple(image.shape[:2]) != (height, width):
        raise _FieldError(
            "size",
            f"the header says {width} wide and {height} high, the pixels decode to "
            f"{image.shape[1]} and {image.shape[0]}; store the image as PNG or JPEG",
        )
