"""What becomes of every kind of image file: right pixels, or a fault with a name."""

import io
import os
import struct

import numpy as np
import pytest
import tensorflow as tf
from image_encoding import (
    encode,
    encode_bmp,
    encode_interlaced_png,
    encode_os2_bmp,
    encode_png,
    make_exif,
    remove_adobe_marker,
)
from PIL import Image

from ehsod_tf.data.checks.image_checks import check_image_files
from ehsod_tf.data.input.image_reading import read_image

SIZE = HEIGHT, WIDTH = 32, 64
Y, X = np.mgrid[:HEIGHT, :WIDTH]
PIXELS = np.stack([X * 3, Y * 7, X + Y], axis=-1).astype(np.uint8)
RGB = Image.fromarray(PIXELS)
GREY = RGB.convert("L")
RGBA = RGB.copy()
RGBA.putalpha(Image.fromarray((X * 4).astype(np.uint8)))
PALETTE = RGB.quantize(64)
SHIFTED = Image.fromarray(np.roll(PIXELS, 9, axis=1)).quantize(64)
# JPEG decoders differ in how they round and how they interpolate the colour planes.
JPEG_TOLERANCE = 8


@pytest.fixture
def check(tmp_path):
    """Returns a function that writes and checks one file."""

    def check(content, height=HEIGHT, width=WIDTH, **options):
        path = tmp_path / "image"
        path.write_bytes(content)
        sizes = np.array([[height, width]])
        return check_image_files([os.fspath(path)], sizes, **options)[0]

    return check


@pytest.fixture
def read(tmp_path):
    """Returns a function that reads one image as the input pipeline does."""

    def read_content(content):
        path = tmp_path / "read"
        path.write_bytes(content)
        images = tf.data.Dataset.from_tensors((os.fspath(path), SIZE)).map(read_image)
        assert images.element_spec.shape.as_list() == [None, None, 3]
        (image,) = images.as_numpy_iterator()
        return image

    return read_content


def read_with_pillow(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)


@pytest.mark.parametrize(
    "content, tolerance",
    [
        (encode(RGB, "PNG"), 0),
        (encode(PALETTE, "PNG"), 0),
        (encode(PALETTE, "PNG", transparency=3), 0),
        (encode(RGB.quantize(8), "PNG", bits=4), 0),
        (encode(RGB.convert("1"), "PNG"), 0),
        (encode(GREY, "PNG"), 0),
        (encode(GREY, "PNG", transparency=0), 0),
        (encode(RGB.convert("LA"), "PNG"), 0),
        (encode(RGBA, "PNG"), 0),
        (encode(RGB, "PNG", transparency=(0, 0, 0)), 0),
        (encode(RGB, "PNG", save_all=True, append_images=[RGB.rotate(180)]), 0),
        (encode_interlaced_png(PIXELS), 0),
        (encode(RGB, "JPEG", quality=95), JPEG_TOLERANCE),
        (encode(RGB, "JPEG", quality=95, progressive=True), JPEG_TOLERANCE),
        (encode(RGB, "JPEG", quality=95, subsampling="4:1:1"), JPEG_TOLERANCE),
        (encode(RGB, "JPEG", quality=95, keep_rgb=True), JPEG_TOLERANCE),
        (encode(RGB, "JPEG", quality=95, restart_marker_blocks=1), JPEG_TOLERANCE),
        (encode(GREY, "JPEG", quality=95), JPEG_TOLERANCE),
        (encode(RGB.convert("CMYK"), "JPEG", quality=95), JPEG_TOLERANCE),
        (encode(RGB, "MPO", save_all=True, append_images=[RGB]), JPEG_TOLERANCE),
        (encode(PALETTE, "GIF"), 0),
        (encode(PALETTE, "GIF", save_all=True, append_images=[SHIFTED]), 0),
        (encode(GREY, "GIF"), 0),
        (encode(RGB, "BMP"), 0),
        (encode(GREY, "BMP"), 0),
        (encode(RGBA, "BMP"), 0),
        (encode(RGB, "WEBP", lossless=True), 0),
        (encode(RGB, "WEBP", quality=90), 0),
    ],
    ids=(
        "png palette transparent_palette 4_bit 1_bit grey transparent_grey grey_alpha "
        "rgba transparent_colour animated_png interlaced_png jpeg progressive 4_1_1 "
        "rgb_jpeg restarts grey_jpeg cmyk mpo gif animated_gif grey_gif bmp grey_bmp "
        "rgba_bmp webp lossy_webp"
    ).split(),
)
def test_accepted_files_give_pillows_pixels(check, read, content, tolerance):
    found = check(content, check_pixels=True)
    assert not found.fault
    expected = read_with_pillow(content)
    np.testing.assert_allclose(read(content), expected, atol=tolerance)


def test_ycck_jpeg_gives_pillows_pixels(check, read):
    content = bytearray(encode(RGB.convert("CMYK"), "JPEG", quality=95))
    content[content.index(b"Adobe") + 11] = 2
    assert not check(bytes(content), check_pixels=True).fault
    expected = read_with_pillow(content)
    np.testing.assert_allclose(read(bytes(content)), expected, atol=12)


@pytest.mark.parametrize("colour_type, channels", [(0, 1), (2, 3), (6, 4)])
def test_16_bit_png_keeps_its_high_bytes(check, read, colour_type, channels):
    # Pillow clips 16-bit grey to 255, so it is no reference here.
    values = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, channels))
    content = encode_png(values.astype(">u2"), 16, colour_type)
    assert not check(content, check_pixels=True).fault
    expected = np.broadcast_to((values >> 8)[..., :3], (HEIGHT, WIDTH, 3))
    np.testing.assert_array_equal(read(content), expected)


def test_transparent_gif_pixels_are_black(check, read):
    content = encode(PALETTE, "GIF", transparency=3)
    assert not check(content).fault
    image = Image.open(io.BytesIO(content))
    expected = np.asarray(image.convert("RGB"), np.float32)
    expected[np.asarray(image) == 3] = 0
    np.testing.assert_array_equal(read(content), expected)


BGRX = np.concatenate([PIXELS[..., ::-1], PIXELS[..., :1]], axis=-1)
GREY_RAMP = b"".join(bytes([i, i, i, 0]) for i in range(256))
MASKS = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)


@pytest.mark.parametrize(
    "content",
    [
        encode_bmp((-HEIGHT, WIDTH), 24, 0, PIXELS[..., ::-1].tobytes()),
        encode_bmp(SIZE, 32, 0, BGRX[::-1].tobytes()),
        encode_bmp(SIZE, 32, 3, BGRX[::-1].tobytes(), MASKS),
    ],
    ids=["top_down", "32_bit", "usual_masks"],
)
def test_accepted_bmp(check, read, content):
    assert not check(content, check_pixels=True).fault
    np.testing.assert_array_equal(read(content), PIXELS)


OS2_BMP = encode_os2_bmp(SIZE, PIXELS.tobytes())
RLE_BMP = encode_bmp(SIZE, 8, 1, b"\x40\x10\0\0" * HEIGHT + b"\0\1", GREY_RAMP)
BARE_CMYK = remove_adobe_marker(encode(RGB.convert("CMYK"), "JPEG"))


@pytest.mark.parametrize(
    "content, field, words",
    [
        (encode(PALETTE, "BMP"), "mode", "palette"),
        (encode(RGB.convert("1"), "BMP"), "mode", "BMP is read as plain"),
        (
            encode_bmp(SIZE, 16, 0, bytes(2 * HEIGHT * WIDTH)),
            "mode",
            "BMP is read as plain",
        ),
        (RLE_BMP, "mode", "compression"),
        (OS2_BMP, "mode", "BMP is read as plain"),
        (encode(RGB, "BMP") + b"\0", "", "where its header promises"),
        (encode(RGB, "BMP")[:-1], "", "where its header promises"),
        (encode(RGBA, "WEBP"), "mode", "alpha channel is not read"),
        (
            encode(RGB, "WEBP", save_all=True, append_images=[SHIFTED.convert("RGB")]),
            "mode",
            "animation is not read",
        ),
        (BARE_CMYK, "mode", "Adobe's marker"),
        (encode(RGB, "TIFF"), "format", "TIFF is not read; convert it to one of BMP"),
        (encode(RGB, "PPM"), "format", "PPM is not read"),
    ],
    ids=(
        "palette_bmp 1_bit_bmp 16_bit_bmp rle_bmp os2_bmp long_bmp "
        "short_bmp alpha_webp animated_webp bare_cmyk tiff ppm"
    ).split(),
)
def test_what_would_be_decoded_wrongly_is_named(check, read, content, field, words):
    found = check(content)
    assert found.field == field
    assert words in found.fault
    assert not decodes_like_pillow(content, read)


def test_a_bmp_shorter_than_the_header_of_windows(tmp_path):
    path = tmp_path / "a.bmp"
    path.write_bytes(encode_os2_bmp((1, 1), bytes(4)))
    (found,) = check_image_files([str(path)], np.array([[1, 1]]))
    assert found.field == "mode" and "BMP is read as plain" in found.fault


def decodes_like_pillow(content, read):
    try:
        image = read(content)
    except tf.errors.InvalidArgumentError:
        return False
    expected = read_with_pillow(content)
    return np.allclose(image, expected, atol=JPEG_TOLERANCE)


def test_longest_side(check, read):
    def encode_line(length):
        return encode(Image.new("1", (length, 1)), "PNG")

    assert not check(encode_line(1_000_000), 1, 1_000_000, check_pixels=True).fault
    found = check(encode_line(1_000_001), 1, 1_000_001)
    assert found.field == "size"
    assert "PNG with a side of more than 1,000,000 pixels is not read" in found.fault
    with pytest.raises(tf.errors.InvalidArgumentError):
        read(encode_line(1_000_001))


def test_longest_side_of_a_jpeg(check, read):
    content = bytearray(encode(Image.new("L", (65_500, 1)), "JPEG"))
    assert not check(bytes(content), 1, 65_500, check_pixels=True).fault
    start = content.index(b"\xff\xc0")
    content[start + 7 : start + 9] = (65_501).to_bytes(2, "big")
    found = check(bytes(content), 1, 65_501)
    assert found.field == "size"
    assert "JPEG with a side of more than 65,500 pixels is not read" in found.fault
    with pytest.raises(tf.errors.InvalidArgumentError):
        read(bytes(content))


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC6, 0xC7, 0xCA, 0xCB, 0xCD])
def test_jpeg_of_a_rare_process_is_decoded_to_tell(check, read, marker):
    content = bytearray(SOUND["jpeg"])
    content[content.index(b"\xff\xc0") + 1] = marker
    with pytest.raises(tf.errors.InvalidArgumentError):
        read(bytes(content))
    assert "of a kind that is not read" in check(bytes(content)).fault


def test_gif_with_a_frame_smaller_than_its_canvas(check):
    content = bytearray(encode(PALETTE, "GIF"))
    content[6:10] = struct.pack("<HH", 2 * WIDTH, 2 * HEIGHT)
    found = check(bytes(content), 2 * HEIGHT, 2 * WIDTH)
    assert found.field == "size"
    assert "the header says 128 wide and 64 high, the pixels decode to 64 and 32" in (
        found.fault
    )


SOUND = {
    "jpeg": encode(RGB, "JPEG"),
    "progressive": encode(RGB, "JPEG", progressive=True),
    "png": encode(RGB, "PNG"),
    "gif": encode(PALETTE, "GIF"),
    "webp": encode(RGB, "WEBP"),
}


@pytest.mark.parametrize("kind", SOUND)
def test_truncation_anywhere_is_found(check, kind):
    content = SOUND[kind]
    # Of a GIF the last byte may be missing: its pixels are all there.
    cuts = [2, 3, 12, 20, len(content) // 3, len(content) // 2, len(content) - 2]
    for cut in cuts:
        assert check(content[:-cut]).fault, cut


@pytest.mark.parametrize("kind", SOUND)
def test_bytes_behind_the_end_do_no_harm(check, read, kind):
    content = SOUND[kind] + bytes(500)
    assert not check(content).fault
    read(content)


def test_damaged_pixels_are_found_by_decoding(check):
    content = bytearray(SOUND["png"])
    content[content.index(b"IDAT") + 20] ^= 1
    assert not check(bytes(content)).fault
    found = check(bytes(content), check_pixels=True)
    assert "cannot be decoded" in found.fault
    assert "{{" not in found.fault and "[Op:" not in found.fault


@pytest.mark.parametrize("kind", ["jpeg", "progressive"])
def test_usual_jpegs_are_decoded_on_request_only(check, kind):
    without_tables = SOUND[kind].replace(b"\xff\xdb", b"\xff\xfe")
    assert not check(without_tables).fault
    assert "cannot be decoded" in check(without_tables, check_pixels=True).fault


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_reported(check, kind, orientation):
    content = encode(RGB, kind, exif=make_exif(orientation))
    found = check(content)
    assert (found.fault, found.orientation) == ("", orientation)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_annotation_of_the_turned_image(check, orientation):
    content = encode(RGB, "JPEG", exif=make_exif(orientation))
    found = check(content, WIDTH, HEIGHT)
    assert found.field == "orientation"
    assert f"EXIF orientation {orientation} turns it" in found.fault
    assert "store the pixels upright and drop the EXIF tag" in found.fault


def test_turned_size_without_a_turning_orientation(check):
    found = check(encode(RGB, "JPEG", exif=make_exif(3)), WIDTH, HEIGHT)
    assert found.field == "size"


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "0 bytes"),
        (b"no image", "not an image"),
        (SOUND["png"][:20], "not an image"),
        (encode_png(PIXELS, 8, 2, size=(20000, 20000)), "more than 89,478,485 pixels"),
    ],
    ids=["empty", "text", "stub", "bomb"],
)
def test_faults_of_the_header_pass_through(check, content, words):
    assert words in check(content).fault


def test_missing_file(tmp_path):
    found = check_image_files([os.fspath(tmp_path / "none.png")], np.array([[1, 1]]))
    assert "missing" in found[0].fault


def test_order_is_kept(tmp_path):
    paths = []
    for row in range(200):
        paths.append(os.fspath(tmp_path / f"{row}.png"))
        Image.new("L", (1 + row % 7, 1)).save(paths[-1])
    sizes = np.array([[1, 1 + row % 7] for row in range(200)])
    sizes[[70, 190]] = 9
    found = check_image_files(paths, sizes)
    assert [row for row, check in enumerate(found) if check.fault] == [70, 190]
