import os

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data import validate
from ehsod_tf.errors import DataError
from ehsod_tf.structures import UNKNOWN

BOX = (1.0, 1.0, 5.0, 5.0)


def test_a_sound_set_passes(make_image_set):
    validate(make_image_set([(20, 30), (8, 9)], [(0, BOX, 0), (1, BOX, 2)]))


def test_a_box_may_pass_the_edge_by_one_pixel(make_image_set):
    validate(make_image_set([(20, 30)], [(0, (-1.0, -1.0, 21.0, 31.0), 0)]))


def test_an_ignored_box_may_be_flat(make_image_set):
    objects = [(0, BOX, 0), (0, (1.0, 1.0, 1.0, 4.0), 0)]
    validate(make_image_set([(20, 30)], objects, ignored={1}))


@pytest.mark.parametrize(
    "box, words",
    [
        ((1, 1, 1, 5), ("no height or no width",)),
        ((1, 5, 5, 1), ("no height or no width",)),
        ((1, 1, np.nan, 5), ("not a finite number",)),
        ((1, 1, np.inf, 5), ("not a finite number",)),
        ((1, 1, 21.5, 5), ("outside the image", "30 wide and 20 high")),
        ((1, -1.5, 5, 5), ("outside the image",)),
        ((20.5, 1, 21, 5), ("outside the image",)),
    ],
)
def test_wrong_box(make_image_set, box, words):
    image_set = make_image_set([(20, 30)], [(0, BOX, 0), (0, box, 1)])
    _assert_one_line(image_set, "0.png", "image 100", "box", "dog", *words)


def test_repeated_id(make_image_set):
    image_set = make_image_set([(20, 30)] * 3, [(0, BOX, 0)])
    image_set.image_ids[2] = 100
    _assert_one_line(image_set, "image 100", "id", "0.png and 2.png share")


def test_no_image(make_image_set):
    _assert_one_line(make_image_set([]), "no image")


def test_no_annotation(make_image_set):
    _assert_one_line(make_image_set([(20, 30)] * 2), "2 images", "cat, dog, cow")


def test_image_labels_are_annotation_enough(make_image_set):
    image_set = make_image_set([(20, 30)])
    labels = np.array([[UNKNOWN, 1, 0]], np.int8)
    validate(image_set._replace(image_labels=labels, has_boxes=np.array([False])))


def test_missing_file(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    os.remove(image_set.paths[1])
    _assert_one_line(image_set, "1.png", "image 101", "missing")
    validate(image_set, check_files=False)


def test_folder_without_images(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    for path in image_set.paths:
        os.remove(path)
    _assert_one_line(image_set, "images: ", "none of the 2 images", "0.png")


def test_size_on_disk_differs(make_image_set, write_image):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    write_image("images/1.png", 30, 20)
    _assert_one_line(
        image_set, "1.png", "size", "20 wide and 30 high", "says 30 and 20"
    )


def test_not_an_image(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    with open(image_set.paths[1], "w") as file:
        file.write("no image")
    _assert_one_line(image_set, "1.png", "not an image")


def test_a_format_that_is_not_decoded(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    Image.new("RGB", (30, 20)).save(image_set.paths[1], format="TIFF")
    _assert_one_line(image_set, "1.png", "TIFF", "JPEG")


def test_several_problems_have_a_line_each(make_image_set):
    objects = [(0, (1, 1, 1, 1), 0)] * 12
    with pytest.raises(DataError) as error:
        validate(make_image_set([(20, 30)], objects))
    lines = str(error.value).splitlines()
    assert lines[0] == "12 problems in the data:"
    assert len(lines) == 12 and lines[-1] == "  and 2 more"


def _assert_one_line(image_set, *words):
    with pytest.raises(DataError) as error:
        validate(image_set)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
