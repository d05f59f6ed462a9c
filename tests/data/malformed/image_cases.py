"""Malformed image files, found by `validate` from header and last bytes or pixels."""

import json
import os
from pathlib import Path

import numpy as np
from image_encoding import (
    encode,
    encode_bmp,
    encode_os2_bmp,
    encode_png,
    make_exif,
    remove_adobe_marker,
)
from PIL import Image

from ehsod_tf.data import read_coco, validate
from malformed.case import HEIGHT, WIDTH, Case, list_cuts, write_images
from malformed.coco_cases import SOUND

PIXELS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
RGB = Image.fromarray(PIXELS)
RGBA = RGB.convert("RGBA")
RGBA.putalpha(100)
PALETTE = RGB.quantize(64)
PNG = encode(RGB, "PNG")
JPEG = encode(RGB, "JPEG")
PROGRESSIVE = encode(RGB, "JPEG", progressive=True)
GIF = encode(PALETTE, "GIF")
BMP = encode(RGB, "BMP")
WEBP = encode(RGB, "WEBP", lossless=True)
TURNED = Image.fromarray(PIXELS.transpose(1, 0, 2))


def read(folder, findings):
    return _read(folder, findings, check_pixels=False)


def read_pixels(folder, findings):
    return _read(folder, findings, check_pixels=True)


def _read(folder, findings, check_pixels):
    image_set = read_coco(
        folder / "instances.json", folder / "images", findings=findings
    )
    return validate(image_set, check_pixels=check_pixels, findings=findings)


def case(name: str, content: bytes, says: str, read=read) -> Case:
    """Makes a row from the bytes of the second image."""

    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / "images" / "b.png").write_bytes(content)
        (folder / "instances.json").write_text(json.dumps(SOUND))

    return Case(f"image: {name}", write, read, "b.png", f"image 12{says}")


def special(name: str, spoil, says: str) -> Case:
    """Makes a row from what is done to the second image's path."""

    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / "instances.json").write_text(json.dumps(SOUND))
        os.remove(folder / "images" / "b.png")
        spoil(folder / "images" / "b.png")

    return Case(f"image: {name}", write, read, "b.png", f"image 12{says}")


def flip_bit(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


def replace_frame(jpeg: bytes, marker: int, bits: int) -> bytes:
    """Returns the JPEG with a header that states another process or depth."""
    start = jpeg.index(b"\xff\xc0")
    changed = bytearray(jpeg)
    changed[start + 1], changed[start + 4] = marker, bits
    return bytes(changed)


UNREADABLE = [
    special("missing", lambda path: None, ": the file is missing"),
    special("folder", os.mkdir, ": this is not a file"),
    special("dangling link", lambda path: os.symlink("none", path), ": .*missing"),
    special("link to itself", lambda path: os.symlink(path, path), ": .*reached"),
    special("pipe", os.mkfifo, ": this is not a file"),
    case("zero bytes", b"", r": the file is empty \(0 bytes\)"),
    case("one byte", b"\xff", ": not an image"),
    case("text", b"no image here", ": not an image"),
    case("web page", b"<html><body>404</body></html>", ": not an image"),
    case("zeros", bytes(1000), ": not an image"),
    case("Git LFS pointer", b"version https://git-lfs.github.com", ": not an image"),
    *(
        case(f"{kind} signature only", content[:length], ": ")
        for kind, content, length in (
            ("JPEG", JPEG, 3),
            ("PNG", PNG, 8),
            ("GIF", GIF, 6),
            ("BMP", BMP, 2),
            ("WebP", WEBP, 12),
        )
    ),
]

TRUNCATED = [
    case(f"{kind} cut to {cut} bytes", content[:cut], ": ")
    for kind, content in (
        ("JPEG", JPEG),
        ("progressive JPEG", PROGRESSIVE),
        ("PNG", PNG),
        ("GIF", GIF),
        ("BMP", BMP),
        ("WebP", WEBP),
    )
    for cut in [*list_cuts(content, 4), len(content) - 2]
]

DAMAGED = [
    *(
        case(f"PNG with a flipped bit in byte {position}", flip_bit(PNG, position), "")
        for position in (0, 3, 12, 17, 19, 21, 23, 24, 25, 26, 27)
    ),
    case("JPEG without its first byte", JPEG[1:], ": not an image"),
    case("JPEG without tables", JPEG[:2] + JPEG[-200:], ": "),
    case(
        "PNG with damaged pixels",
        flip_bit(PNG, PNG.index(b"IDAT") + 60),
        ": the file is truncated or damaged",
        read_pixels,
    ),
    case(
        "WebP with damaged pixels",
        WEBP[:60] + bytes(len(WEBP) - 60),
        ": the file is truncated or damaged",
        read_pixels,
    ),
    case(
        "JPEG without quantization tables",
        JPEG.replace(b"\xff\xdb", b"\xff\xfe"),
        ": the file is truncated or damaged",
        read_pixels,
    ),
]

BOMBS = [
    case(
        f"PNG of {size[1]} x {size[0]} pixels by its header",
        encode_png(PIXELS, 8, 2, size),
        ": the header states more than 89,478,485 pixels",
    )
    for size in ((10_000, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1))
]

SIZES = [
    case("wider", encode(RGB.resize((31, 20)), "PNG"), ", size: the file is 31 wide"),
    case("turned", encode(TURNED, "PNG"), ", size: the file is 20 wide and 30 high"),
    *(
        case(
            f"turned by EXIF orientation {orientation}",
            encode(TURNED, "JPEG", exif=make_exif(orientation)),
            f", orientation: .*EXIF orientation {orientation} turns it.*upright",
        )
        for orientation in (5, 6, 7, 8)
    ),
    case(
        "turned beside EXIF orientation 3",
        encode(TURNED, "JPEG", exif=make_exif(3)),
        ", size: the file is 20 wide and 30 high",
    ),
]

UNREAD_FORMS = [
    *(
        case(kind, encode(RGB, kind), f", format: {kind} is not read; convert it")
        for kind in ("AVIF", "ICO", "JPEG2000", "PCX", "PPM", "SGI", "TGA", "TIFF")
    ),
    *(
        case(name, replace_frame(JPEG, marker, bits), says)
        for name, marker, bits, says in (
            ("12-bit JPEG", 0xC1, 12, ": not an image that can be read"),
            ("lossless JPEG", 0xC3, 8, ": .* of a kind that is not read"),
            ("hierarchical JPEG", 0xC5, 8, ": .* of a kind that is not read"),
            ("lossless JPEG with arithmetic codes", 0xCB, 8, ": .* of a kind that is"),
        )
    ),
    case("palette BMP", encode(PALETTE, "BMP"), ", mode: BMP is read as plain"),
    case("1-bit BMP", encode(RGB.convert("1"), "BMP"), ", mode: BMP is read"),
    case("16-bit BMP", encode_bmp((HEIGHT, WIDTH), 16, 0, bytes(1200)), ", mode: BMP"),
    case("OS/2 BMP", encode_os2_bmp((HEIGHT, WIDTH), bytes(1800)), ", mode: BMP is"),
    case("BMP with more bytes", BMP + b"\0", ": the file has .* header promises"),
    case("WebP with alpha", encode(RGBA, "WEBP"), ", mode: WebP with an alpha"),
    case(
        "animated WebP",
        encode(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(180)]),
        ", mode: WebP with an animation is not read",
    ),
    case(
        "CMYK JPEG without Adobe's marker",
        remove_adobe_marker(encode(RGB.convert("CMYK"), "JPEG")),
        ", mode: a CMYK JPEG without Adobe's marker",
    ),
]

CASES = [
    *UNREADABLE,
    *TRUNCATED,
    *DAMAGED,
    *BOMBS,
    *SIZES,
    *UNREAD_FORMS,
]
