import os
import threading

import numpy as np
import pytest
from image_encoding import encode, encode_png, make_exif
from PIL import Image

from ehsod_tf.data import image_files
from ehsod_tf.data.image_files import (
    MAX_PIXELS,
    Header,
    derive_image_id,
    find_path_fault,
    map_headers,
    read_header,
    read_headers,
)
from ehsod_tf.errors import DataError


def _encode(mode="RGB", kind="JPEG", **options):
    return encode(Image.new(mode, (6, 4)), kind, **options)


def _encode_huge_png(height, width):
    """A PNG whose header promises these sides, and whose pixel is one."""
    return encode_png(np.zeros([1, 1, 3], np.uint8), 8, 2, (height, width))


@pytest.mark.parametrize(
    "content, expected",
    [
        (_encode(), ("JPEG", "RGB", 1)),
        (_encode("L"), ("JPEG", "L", 1)),
        (_encode("CMYK"), ("JPEG", "CMYK", 1)),
        (_encode("P", "PNG"), ("PNG", "P", 1)),
        (_encode("I;16", "PNG"), ("PNG", "I;16", 1)),
        (_encode("RGBA", "WEBP"), ("WEBP", "RGBA", 1)),
        (_encode(exif=make_exif(6)), ("JPEG", "RGB", 6)),
        (_encode(exif=make_exif(99)), ("JPEG", "RGB", 1)),
        (_encode(exif=b"Exif\0\0broken"), ("JPEG", "RGB", 1)),
        (
            _encode(kind="MPO", save_all=True, append_images=[Image.new("L", (6, 4))]),
            ("JPEG", "RGB", 1),
        ),
    ],
)
def test_header(tmp_path, content, expected):
    path = tmp_path / "image"
    path.write_bytes(content)
    kind, mode, orientation = expected
    assert read_header(path) == Header(kind, 4, 6, mode, orientation)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "empty"),
        (b"text", "not an image"),
        (_encode()[:20], "not an image"),
        (_encode(kind="PNG")[:20], "not an image"),
        (b"P6 1 " + b"9" * 5000 + b" 255 ", "not an image"),
        (_encode_huge_png(1, MAX_PIXELS + 1), "more than 89,478,485 pixels"),
        (_encode_huge_png(2**31 - 1, 2**31 - 1), "more than 89,478,485 pixels"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_file_that_is_no_image(tmp_path, content, words):
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_header(path)


def test_the_most_pixels(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(_encode_huge_png(1, MAX_PIXELS))
    assert read_header(path).width == MAX_PIXELS


@pytest.mark.parametrize(
    "name, words",
    [
        ("none", "missing"),
        (".", "not a file"),
        ("a\0", "cannot be reached"),
        ("\ud800", "cannot be reached"),
        ("x" * 5000, "cannot be reached"),
        ("pipe", "not a file"),
    ],
)
def test_path_without_a_file(tmp_path, name, words):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=words):
        read_header(os.path.join(tmp_path, name))


def test_headers_of_many_files(write_image, tmp_path):
    path = write_image("a.png", 3, 5)
    found = read_headers([path, os.path.join(tmp_path, "b.png"), path])
    assert [found[0].height, found[0].width] == [3, 5] and found[2] == found[0]
    assert isinstance(found[1], DataError)


class Clock:
    """In place of `time`, as the real one goes on while others use the processor."""

    def __init__(self):
        self.passed = self.used = 0.0

    def perf_counter(self):
        return self.passed

    def thread_time(self):
        return self.used


@pytest.mark.parametrize("waits", [False, True])
def test_headers_are_read_side_by_side_only_where_that_takes_waiting(
    waits, monkeypatch
):
    clock, threads = Clock(), []
    monkeypatch.setattr(image_files, "time", clock)
    # Of five parts, the last four: each waits for the three others to begin.
    together = threading.Barrier(4)

    def read(item):
        threads.append(threading.get_ident())
        clock.used += 1
        clock.passed += 10 if waits else 2
        if waits and item in (128, 256, 384, 512):
            together.wait(timeout=60)
        return 2 * item

    assert map_headers(read, range(600)) == [2 * item for item in range(600)]
    own = threading.get_ident()
    if waits:
        assert threads[:128] == [own] * 128
        assert len({*threads} - {own}) == 4
    else:
        assert {*threads} == {own}


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "b/a.jpg", "b/../a.jpg", "bild é 日本\u202f1.jpg", "..a.jpg", "ab:c"],
)
def test_sound_names(name):
    assert find_path_fault(name) is None


@pytest.mark.parametrize(
    "name, words",
    [
        ("", "no file name"),
        (" ", "no file name"),
        ("/a.jpg", "absolute"),
        ("C:/a.jpg", "absolute"),
        ("b\\a.jpg", "backslash"),
        ("../a.jpg", "out of the image folder"),
        ("b/../../a.jpg", "out of the image folder"),
        ("..", "out of the image folder"),
        ("a\0.jpg", "not text"),
        ("a\n.jpg", "not text"),
        ("a\u2028.jpg", "not text"),
        ("\udcff.jpg", "not text"),
        ("x" * 501, "501 characters"),
    ],
)
def test_names_at_fault(name, words):
    fault = find_path_fault(name)
    assert words in fault and fault.isprintable()


def test_image_ids_depend_on_the_name_alone():
    """Fixed for all time: splits on disk hold them."""
    assert derive_image_id("a.jpg") == 1418029965777532
    assert 0 <= derive_image_id("b.jpg") < 2**52
