import os

import numpy as np
import pytest
from image_encoding import make_exif
from PIL import Image

from ehsod_tf.data import validate
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError
from ehsod_tf.structures import UNKNOWN

BOX = (1.0, 1.0, 5.0, 5.0)


def test_a_sound_set_comes_back_whole(make_image_set):
    image_set = make_image_set([(20, 30), (8, 9)], [(0, BOX, 0), (1, BOX, 2)])
    kept = validate(image_set, check_pixels=True)
    for column, expected in zip(kept, image_set, strict=True):
        np.testing.assert_array_equal(column, expected)


def test_a_box_may_pass_the_edge_by_one_pixel(make_image_set):
    validate(make_image_set([(20, 30)], [(0, (-1.0, -1.0, 21.0, 31.0), 0)]))


def test_an_ignored_box_may_be_flat(make_image_set):
    objects = [(0, BOX, 0), (0, (1.0, 1.0, 1.0, 4.0), 0)]
    validate(make_image_set([(20, 30)], objects, ignored={1}))


def test_boxes_that_are_there_twice_are_noted(make_image_set):
    other = (1.0, 1.0, 5.0, 5.5)
    objects = [(0, BOX, 0), (0, other, 0), (0, BOX, 1), (1, BOX, 0), (1, BOX, 0)]
    # Crowds may lie on each other.
    objects += [(1, other, 2), (1, other, 2)]
    image_set = make_image_set([(20, 30)] * 2, objects, ignored={5, 6})
    findings = Findings()
    kept = validate(image_set, findings=findings)
    assert len(kept.boxes) == 7 and not findings.problems
    [note] = findings.notes
    assert note.startswith("1 box has the class and the corners of another box")
    assert image_set.image_names[1] in note
    image_set = make_image_set([(20, 30)] * 2, objects[:4])
    validate(image_set, findings=findings)
    assert len(findings.notes) == 1


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
    validate(image_set._replace(class_states=labels))


def test_missing_file(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    os.remove(image_set.paths[1])
    _assert_one_line(image_set, "1.png", "image 101", "missing")
    validate(image_set, check_files=False)


def test_folder_without_images(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    for path in image_set.paths:
        os.remove(path)
    _assert_one_line(image_set, "images: ", "none of 2 images", "0.png")


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
    assert str(error.value).endswith("(and 11 more like this)")
    objects = [(0, (1, row, 1, row), 0) for row in range(12)]
    with pytest.raises(DataError) as error:
        validate(make_image_set([(20, 30)], objects))
    lines = str(error.value).splitlines()
    assert lines[0] == "all of 1 image left out; 12 problems in the data:"
    assert len(lines) == 12 and lines[-1] == "  and 2 more"


def test_bad_images_are_left_out(make_image_set):
    objects = [(image, BOX, image % 3) for image in range(6)]
    image_set = make_image_set([(20, 30)] * 6, [*objects, (1, (1, 1, 1, 1), 0)])
    image_set.image_ids[5] = 103
    os.remove(image_set.paths[2])
    findings = Findings()
    kept = validate(image_set, findings=findings)
    assert kept.image_names == ["0.png", "4.png"]
    np.testing.assert_array_equal(kept.classes, [0, 1])
    assert [(p.record, p.field) for p in findings.problems] == [
        ("image 103", "id"),
        ("image 101", "box"),
        ("image 102", ""),
    ]
    assert not findings.notes


def test_nothing_is_left(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0), (1, BOX, 0)])
    image_set.sizes[:] = 6
    findings = Findings()
    findings.add("other", "", "", "an earlier problem")
    with pytest.raises(
        DataError, match=r"(?s)^all of 2 images left out; 2 problems.*0.png.*1.png"
    ):
        validate(image_set, findings=findings)


def test_what_is_left_is_not_annotated(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    os.remove(image_set.paths[0])
    with pytest.raises(DataError, match="1 image: no image is annotated"):
        validate(image_set, findings=Findings())


def test_damaged_pixels(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    with open(image_set.paths[1], "r+b") as file:
        content = file.read()
        file.seek(content.index(b"IDAT") + 8)
        file.write(b"\0\0\0")
    findings = Findings()
    validate(image_set, findings=findings)
    assert not findings.problems
    kept = validate(image_set, check_pixels=True, findings=findings)
    assert kept.image_names == ["0.png"]
    assert "1.png, image 101: the file is truncated or damaged" in str(
        findings.problems[0]
    )


def test_exif_orientation_is_noted(make_image_set):
    image_set = make_image_set([(20, 30)] * 9, [(0, BOX, 0)])
    for row in range(2, 9):
        image = Image.new("RGB", (30, 20))
        image.save(image_set.paths[row], exif=make_exif(row))
    findings = Findings()
    assert len(validate(image_set, findings=findings).image_names) == 9
    assert findings.notes == [
        "7 images carry an EXIF orientation (2.png, 3.png, 4.png, 5.png, 6.png, ...); "
        "it is not applied, neither in training nor in serving: boxes must refer to "
        "the pixels as stored"
    ]
    with pytest.warns(UserWarning, match="7 images carry"):
        validate(image_set)


def test_annotation_of_a_turned_image(make_image_set):
    image_set = make_image_set([(20, 30)] * 2, [(0, BOX, 0)])
    Image.new("RGB", (20, 30)).save(image_set.paths[1], exif=make_exif(6))
    _assert_one_line(image_set, "1.png", "orientation", "store the pixels upright")


def _assert_one_line(image_set, *words):
    with pytest.raises(DataError) as error:
        validate(image_set)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
