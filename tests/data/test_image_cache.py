import os
import shutil
from collections import namedtuple

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ehsod_tf.data import build_training_dataset
from ehsod_tf.data.input.image_cache import ensure_image_cache, read_cached_image
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.data.transforms import decode_image
from ehsod_tf.errors import DataError

SIZES = [(24, 32), (32, 24), (13, 17)]


@pytest.fixture
def image_set(make_image_set):
    return make_image_set(SIZES, [(0, (1.0, 2.0, 9.0, 9.0), 1)])


def read(path, size):
    return read_cached_image(tf.constant(path), tf.constant(size)).numpy()


def test_stored_images_are_what_the_decoder_gives(image_set, tmp_path, rng):
    photograph = rng.integers(0, 256, (13, 17, 3), np.uint8)
    Image.fromarray(photograph).save(image_set.paths[2], format="JPEG")
    cached = ensure_image_cache(image_set, tmp_path / "cache")
    for path, source, size in zip(cached, image_set.paths, SIZES, strict=True):
        expected = decode_image(tf.io.read_file(source)).numpy()
        np.testing.assert_array_equal(read(path, size), expected)
        assert os.path.getsize(path) == size[0] * size[1] * 3


def test_training_sees_the_same_bits(image_set, tmp_path):
    arguments = {"batch_size": 1, "resizing": Resizing(40, 50)}
    arguments |= {"seed": 0, "epochs": 4}
    plain = build_training_dataset(image_set, **arguments)
    cached = build_training_dataset(image_set, cache_dir=tmp_path, **arguments)
    assert cached.element_spec == plain.element_spec
    for a, b in zip(plain, cached, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_images_are_decoded_once(image_set, tmp_path):
    first = ensure_image_cache(image_set, tmp_path)
    times = [os.stat(path).st_mtime_ns for path in first]
    assert ensure_image_cache(image_set, tmp_path) == first
    assert [os.stat(path).st_mtime_ns for path in first] == times
    assert len([path for path in os.listdir(tmp_path) if path.endswith(".rgb")]) == 3


def test_a_changed_file_is_decoded_anew(image_set, tmp_path, write_image):
    before = ensure_image_cache(image_set, tmp_path / "cache")
    write_image("images/1.png", *SIZES[1], colour=(9, 8, 7))
    after = ensure_image_cache(image_set, tmp_path / "cache")
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    assert (read(after[1], SIZES[1]) == [9, 8, 7]).all()


def test_a_file_touched_without_a_change_of_size(image_set, tmp_path):
    before = ensure_image_cache(image_set, tmp_path / "cache")
    status = os.stat(image_set.paths[0])
    os.utime(image_set.paths[0], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert ensure_image_cache(image_set, tmp_path / "cache")[0] != before[0]


def test_a_broken_stored_image_is_made_anew(image_set, tmp_path):
    cached = ensure_image_cache(image_set, tmp_path / "cache")
    whole = read(cached[0], SIZES[0])
    os.truncate(cached[0], 100)
    assert ensure_image_cache(image_set, tmp_path / "cache") == cached
    np.testing.assert_array_equal(read(cached[0], SIZES[0]), whole)


def test_unreadable_images_are_named_and_the_others_stored(image_set, tmp_path):
    os.remove(image_set.paths[0])
    with open(image_set.paths[1], "r+b") as file:
        file.truncate(60)
    with pytest.raises(DataError) as error:
        ensure_image_cache(image_set, tmp_path / "cache")
    first, second = str(error.value).splitlines()[1:]
    assert "0.png, image 100: the file is missing" in first
    assert "1.png, image 101" in second and "cannot be decoded" in second
    assert len(os.listdir(tmp_path / "cache")) == 1


def test_an_image_of_another_size_than_annotated(image_set, tmp_path):
    image_set.sizes[2] = [17, 13]
    with pytest.raises(DataError, match="2.png, image 102, size: .*17"):
        ensure_image_cache(image_set, tmp_path / "cache")


def test_a_full_disk_is_noticed_first(image_set, tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    needed = sum(height * width for height, width in SIZES) * 3
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(needed - 1))
    with pytest.raises(DataError, match="3 decoded images need .* larger disk"):
        ensure_image_cache(image_set, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(needed))
    ensure_image_cache(image_set, tmp_path / "cache")
    # Nothing is missing any more, so no space is needed.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0))
    ensure_image_cache(image_set, tmp_path / "cache")


def test_a_failed_write_leaves_nothing_behind(image_set, tmp_path, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        ensure_image_cache(image_set, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == []
