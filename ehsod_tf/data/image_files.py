"""Image files as they lie on disk: their names, their headers, ids made of names."""

import functools
import hashlib
import itertools
import ntpath
import os
import posixpath
import stat
import time
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from PIL import ExifTags, Image

from ehsod_tf.data.spelling import describe_difference, fold
from ehsod_tf.errors import DataError

_Result = TypeVar("_Result")

# The likeliest first.
IMAGE_EXTENSIONS = (".jpg", ".png", ".jpeg", ".bmp", ".webp", ".gif")

# EXIF orientations that exchange height and width.
TURNED = (5, 6, 7, 8)

# Pillow's own mark of a decompression bomb: a quarter of a gigabyte of RGB.
MAX_PIXELS = 89_478_485


class Header(NamedTuple):
    """What an image file says of itself before its pixels.

    Attributes:
        format: Pillow's name, e.g. "JPEG".
        height: in pixels as stored, before any rotation by `orientation`.
        width: likewise.
        mode: Pillow's pixel mode, e.g. "RGB", "L", "P", "RGBA", "CMYK", "I;16".
        orientation: EXIF's, 1 .. 8; 1 where none is given.
    """

    format: str
    height: int
    width: int
    mode: str
    orientation: int


def read_header(path: str) -> Header:
    """Reads the header of an image file; its pixels are not decoded.

    Raises:
        DataError: the file is missing, empty, no image, or has more than `MAX_PIXELS`
            pixels. The message does not name the file: the caller's `Problem` does.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise DataError(describe_missing_file(path)) from error
    except (OSError, ValueError) as error:
        raise DataError(f"the file cannot be reached ({error}); correct it") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError("this is not a file; correct the path")
    if not status.st_size:
        raise DataError("the file is empty (0 bytes); replace it")
    try:
        with Image.open(path) as image:
            header = _describe(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(_TOO_MANY_PIXELS) from error
    except PermissionError as error:
        raise DataError("no permission to read the file; grant it") from error
    # Pillow promises OSError, but parsers of single formats let through ValueError,
    # SyntaxError, struct.error, MemoryError, OverflowError and others.
    except Exception as error:
        raise DataError("not an image that can be read; replace the file") from error
    if header.height * header.width > MAX_PIXELS:
        raise DataError(_TOO_MANY_PIXELS)
    return header


def describe_missing_file(
    path: str,
    what: str = "the file is missing",
    remedy: str = "add it or remove its record",
) -> str:
    """Says that a file is missing, and which other one its name may stand for."""
    folder, name = os.path.split(path)
    try:
        there = _list_by_fold(folder, os.stat(folder or ".").st_mtime_ns)
    except OSError:
        there = {}
    other = there.get(fold(name))
    if other is None or other == name or not is_plain_text(other):
        return f"{what}; {remedy}"
    difference = describe_difference(name, other)
    return (
        f"{what}, but there is {other!r}, whose name differs in {difference}; rename "
        "the file or correct its record"
    )


@functools.lru_cache(maxsize=8)
def _list_by_fold(folder: str, changed: int) -> dict[str, str]:
    """Returns a folder's names by what they have in common with their lookalikes."""
    return {fold(name): name for name in os.listdir(folder or ".")}


def read_headers(paths: Sequence[str]) -> list[Header | DataError]:
    """Reads the headers of many files; an error stands in the place of its file."""

    def read(path: str) -> Header | DataError:
        try:
            return read_header(path)
        except DataError as error:
            return error

    return map_headers(read, paths)


def map_headers(function: Callable[..., _Result], items: Sequence) -> list[_Result]:
    """What the function, which reads a header, gives for each item, in order.

    Where the time goes into waiting for a disk or the network, threads wait side by
    side. Where the files are in memory they would only get into each other's way, and
    take three times as long as one.
    """

    def read_part(part):
        return list(map(function, part))

    starts = range(0, len(items), _HEADERS_AT_ONCE)
    parts = [items[start : start + _HEADERS_AT_ONCE] for start in starts]
    results = []
    while parts:
        started, used = time.perf_counter(), time.thread_time()
        results += read_part(parts.pop(0))
        used = time.thread_time() - used
        if time.perf_counter() - started > _MOSTLY_WAITING * used:
            break
    with ThreadPoolExecutor(_HEADER_THREADS) as pool:
        return results + list(itertools.chain.from_iterable(pool.map(read_part, parts)))


_HEADER_THREADS = 8
_MOSTLY_WAITING = 5
# To hand over each by itself would take longer than to read it from memory.
_HEADERS_AT_ONCE = 128

# Well below what any system takes for a path, and short enough for a message.
_LONGEST_NAME = 500

_TOO_MANY_PIXELS = (
    f"the header states more than {MAX_PIXELS:,} pixels, which could exhaust the "
    "memory; make the image smaller"
)


def _describe(image: Image.Image) -> Header:
    # A multi-picture file, as some cameras write, is a JPEG with others behind it.
    kind = "JPEG" if image.format == "MPO" else image.format
    return Header(kind, image.height, image.width, image.mode, _read_orientation(image))


def _read_orientation(image: Image.Image) -> int:
    # Where no EXIF block came before the pixels, some plugins decode all of them to
    # look for one behind.
    if "exif" not in image.info:
        return 1
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    # A broken EXIF block takes nothing from the pixels.
    except Exception:
        return 1
    return orientation if orientation in range(1, 9) else 1


def find_path_fault(name: str) -> str | None:
    """Returns what is wrong with a file name that an annotation gives, and the remedy.

    A name must be relative, with "/" between folders, and stay in its folder.
    """
    if not name.strip():
        return f"{name!r} is no file name; give the image's"
    if len(name) > _LONGEST_NAME:
        return f"{name[:20]!r}... has {len(name)} characters; shorten the file name"
    if not is_plain_text(name):
        return f"{name!r} holds a character that is not text; rename the file"
    if "\\" in name:
        return f"{name!r} holds a backslash; write / between folders"
    if name.startswith("/") or ntpath.splitdrive(name)[0]:
        return f"{name!r} is absolute; give it relative to the image folder"
    if posixpath.normpath(name).split("/")[0] == "..":
        return f"{name!r} leads out of the image folder; move the file into it"
    return None


def is_plain_text(text: str) -> bool:
    """Returns whether a text can be printed on one line.

    It cannot with control characters and separators of lines, nor with the half
    characters (surrogates) that stand for bytes of a file name that are not UTF-8.
    """
    # `isprintable` is quick, but refuses some spaces that file names do have.
    return text.isprintable() or not any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        for character in text
    )


def derive_image_id(name: str) -> int:
    """Returns an id that depends on the name alone, whatever the other images are.

    52 bits of SHA-256: JSON readers that keep numbers as float64 hold them exactly, and
    among a million names two are alike with a chance of about 1 in 10,000.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") >> 12
