"""Bytes of image files: forms that Pillow does not write, and damaged ones."""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image


def encode(image: Image.Image, kind: str, **options) -> bytes:
    """Returns the file that Pillow would write."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def make_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encode_png(
    values: np.ndarray,
    depth: int,
    colour_type: int,
    size: tuple[int, int] | None = None,
) -> bytes:
    """Returns a PNG of [H, W, ...] big-endian values; its header may lie on the size.

    Args:
        size: (height, width) that the header states, if not that of the values.
    """
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    return _make_png(size or values.shape[:2], depth, colour_type, rows)


def encode_interlaced_png(values: np.ndarray) -> bytes:
    """Returns a PNG of [H, W, 3] bytes in the order of Adam7."""
    passes = [values[::8, ::8], values[::8, 4::8], values[4::8, ::4], values[::4, 2::4]]
    passes += [values[2::4, ::2], values[::2, 1::2], values[1::2]]
    rows = b"".join(b"\0" + row.tobytes() for part in passes for row in part)
    return _make_png(values.shape[:2], 8, 2, rows, interlace=1)


def _make_png(
    size: tuple[int, int], depth: int, colour_type: int, rows: bytes, interlace: int = 0
) -> bytes:
    height, width = size
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def encode_bmp(
    size: tuple[int, int], bits: int, compression: int, body: bytes, extra: bytes = b""
) -> bytes:
    """Returns a BMP of these pixels, whose rows fill whole groups of four bytes.

    Args:
        size: (height, width); a negative height means rows from the top.
        extra: palette or masks, between header and pixels.
    """
    height, width = size
    offset = 54 + len(extra)
    sizes = struct.pack("<IHHI", offset + len(body), 0, 0, offset)
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0
    )
    return b"BM" + sizes + header + extra + body


def encode_os2_bmp(size: tuple[int, int], body: bytes) -> bytes:
    """Returns a 24-bit BMP with the short header of OS/2."""
    height, width = size
    sizes = struct.pack("<IHHI", 26 + len(body), 0, 0, 26)
    return b"BM" + sizes + struct.pack("<IHHHH", 12, width, height, 1, 24) + body


def remove_adobe_marker(jpeg: bytes) -> bytes:
    """Returns the JPEG without the marker that says how its colours are stored."""
    start = jpeg.index(b"\xff\xee")
    length = int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[:start] + jpeg[start + 2 + length :]


def damage_png(path: pathlib.Path) -> None:
    """Changes a byte of the pixels; header and end stay as they are."""
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 0xFF
    path.write_bytes(content)


def damage_jpeg(path: pathlib.Path) -> None:
    """Makes a JPEG of the image and puts a marker of no meaning into its pixels."""
    Image.open(path).save(path, format="JPEG")
    content = bytearray(path.read_bytes())
    middle = (content.index(b"\xff\xda") + len(content)) // 2
    content[middle : middle + 2] = b"\xff\x02"
    path.write_bytes(content)
