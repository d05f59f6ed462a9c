"""Shapes, tags and tracks of CVAT's XML."""

import numpy as np
import pytest
from malformed import cvat_cases
from malformed.case import write_images

from ehsod_tf import data
from ehsod_tf.data import Findings, write_cvat
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import ABSENT, BOXED, BOXED_ABSENT, PRESENT, UNKNOWN


@pytest.fixture
def read(tmp_path):
    """Returns what reads a file whose second image has these shapes."""

    def read(shapes="", more="", place="images", **options):
        write_images(tmp_path / place)
        path = tmp_path / cvat_cases.FILE
        path.write_text(cvat_cases.make(shapes, more=more))
        findings = Findings()
        image_set = data.read_cvat(path, findings=findings, **options)
        assert not findings.problems
        return image_set, "\n".join(findings.notes)

    return read


def list_boxes(image_set, name="b.png"):
    row = image_set.image_names.index(name)
    return image_set.boxes[slice(*image_set.row_splits[row : row + 2])].tolist()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ('<box xtl="2" ytl="3" xbr="9.5" ybr="12" {}/>', [3, 2, 12, 9.5]),
        # A quarter of a turn about the centre (8, 8).
        ('<box xtl="4" ytl="6" xbr="12" ybr="10" rotation="90" {}/>', [4, 6, 12, 10]),
        ('<box xtl="4" ytl="6" xbr="12" ybr="10" rotation="180" {}/>', [6, 4, 10, 12]),
        (
            '<box xtl="6" ytl="6" xbr="10" ybr="10" rotation="45" {}/>',
            [8 - 8**0.5, 8 - 8**0.5, 8 + 8**0.5, 8 + 8**0.5],
        ),
        # Turned, it would reach beyond the image.
        ('<box xtl="0" ytl="8" xbr="30" ybr="10" rotation="90" {}/>', [0, 14, 20, 16]),
        ('<polygon points="2.5,3;9,4;5,11" {}/>', [3, 2.5, 11, 9]),
        ('<ellipse cx="10" cy="9" rx="5" ry="2" {}/>', [7, 5, 11, 15]),
        ('<ellipse cx="10" cy="9" rx="5" ry="2" rotation="90" {}/>', [4, 8, 14, 12]),
        ('<mask rle="1,2" left="3" top="4" width="5" height="6" {}/>', [4, 3, 10, 8]),
        (
            '<cuboid xtl1="3" ytl1="5" xbl1="3" ybl1="9" xtr1="8" ytr1="5" xbr1="8" '
            'ybr1="9" xtl2="5" ytl2="4" xbl2="5" ybl2="8" xtr2="10" ytr2="4" xbr2="10" '
            'ybr2="8" {}/>',
            [4, 3, 9, 10],
        ),
    ],
)
def test_shapes_become_boxes(shape, expected, read):
    image_set, notes = read(shape.format('label="dog" occluded="0"'))
    np.testing.assert_allclose(list_boxes(image_set), [expected], atol=1e-9)
    assert not notes


def test_boxes_are_strong_and_tags_are_weak(read):
    image_set, _ = read('<tag label="dog" source="manual"/>')
    assert image_set.has_boxes.tolist() == [True, False, True]
    assert image_set.image_labels.tolist()[1] == [ABSENT, PRESENT]
    image_set, _ = read('<tag label="dog"/>', unlisted="unknown")
    assert image_set.image_labels.tolist()[1] == [UNKNOWN, PRESENT]


def test_a_tag_beside_boxes_need_not_repeat_them(read):
    shapes = f'{cvat_cases.BOX}<box label="dog" xtl="1" ytl="1" xbr="3" ybr="3"/>'
    image_set, _ = read(f'<tag label="dog"/>{shapes}')
    assert image_set.has_boxes.all()
    assert image_set.image_labels.tolist()[1] == [PRESENT, PRESENT]


def test_an_image_that_nobody_has_annotated(read):
    image_set, notes = read("")
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 without any annotation, left out (first: b.png)" in notes
    image_set, _ = read("", unannotated="empty")
    assert image_set.has_boxes.tolist() == [True] * 3
    assert image_set.image_labels.tolist()[1] == [ABSENT, ABSENT]


def test_what_encloses_no_object_is_counted(read):
    image_set, notes = read(
        cvat_cases.BOX
        + '<points label="dog" points="1,2"/><points label="cat" points="1,2"/>'
        + '<polyline label="dog" points="1,2;3,4"/><skeleton label="cat"/><new/>'
    )
    assert len(list_boxes(image_set)) == 1
    assert (
        "what encloses no object is left out: 2 of type 'points', 1 of type "
        "'polyline', 1 of type 'skeleton'"
    ) in notes
    assert "the element 'new' of images is unknown; passed over, 1 in all" in notes


@pytest.mark.parametrize("tag", ["points", "polyline", "skeleton"])
def test_a_mark_of_a_class_without_a_box_says_that_it_is_there(tag, read):
    mark = f'<{tag} label="dog" points="1,2"/>'
    image_set, _ = read(cvat_cases.BOX + mark)
    assert image_set.class_states[1].tolist() == [BOXED, PRESENT]
    image_set, _ = read(cvat_cases.BOX + mark.replace("dog", "cat"))
    assert image_set.class_states[1].tolist() == [BOXED, BOXED_ABSENT]
    image_set, _ = read('<tag label="cat"/>' + mark)
    assert image_set.class_states[1].tolist() == [PRESENT, PRESENT]


def test_a_track_of_points_says_that_its_class_is_there(read):
    track = (
        '<track id="0" label="dog"><points frame="1" outside="0" points="1,2"/>'
        '<points frame="2" outside="1" points="1,2"/></track>'
    )
    image_set, notes = read(cvat_cases.BOX, more=track)
    expected = [[BOXED, BOXED_ABSENT], [BOXED, PRESENT], [BOXED, BOXED_ABSENT]]
    assert image_set.class_states.tolist() == expected
    assert "what encloses no object is left out: 1 of type 'points'" in notes


def test_occluded_objects_are_objects_unless_they_are_to_be_ignored(read):
    box = cvat_cases.BOX.replace('occluded="0"', 'occluded="1"')
    image_set, notes = read(box)
    assert not image_set.ignored.any()
    assert "1 shape marked as occluded, taken like others" in notes
    image_set, notes = read(box, occluded="ignored")
    assert image_set.ignored.tolist() == [False, True, False]
    assert "marked as occluded, ignored (set" in notes
    with pytest.raises(ConfigError, match="occluded is one of objects, ignored"):
        read(box, occluded="crowd")


@pytest.mark.parametrize("name", ["difficult", "is_crowd"])
def test_an_attribute_makes_an_object_ignored(name, read):
    attribute = f'<attribute name="{name}">true</attribute></box>'
    image_set, _ = read(cvat_cases.BOX.replace("/>", f">{attribute}"))
    assert image_set.ignored.tolist() == [False, True, False]
    assert image_set.image_labels.tolist()[1] == [UNKNOWN, ABSENT]


def test_a_track_keeps_its_last_form(read):
    track = (
        '<track id="0" label="dog">'
        '<box frame="0" outside="0" xtl="2" ytl="2" xbr="6" ybr="8" occluded="0"/>'
        "{}</track>"
    )
    image_set, _ = read(more=track.format(""))
    for name in ("b.png", "c.png"):
        assert list_boxes(image_set, name)[-1] == [2, 2, 8, 6]
    following = '<box frame="2" xtl="4" ytl="4" xbr="8" ybr="8"/>'
    image_set, _ = read(more=track.format(following))
    assert list_boxes(image_set, "b.png")[-1] == [3, 3, 8, 7]
    assert list_boxes(image_set, "c.png")[-1] == [4, 4, 8, 8]
    gone = '<box frame="1" outside="1" xtl="4" ytl="4" xbr="8" ybr="8"/>'
    image_set, _ = read(more=track.format(gone))
    assert image_set.image_names == ["a.png", "c.png"]
    assert len(image_set.boxes) == 3


def test_images_in_folders_that_the_file_does_not_name(read):
    image_set, notes = read(cvat_cases.BOX, place="images/train/part")
    assert image_set.image_names[0] == "train/part/a.png"
    assert not notes


def test_labels_of_a_file_without_a_list(read, tmp_path):
    read(cvat_cases.BOX)
    path = tmp_path / cvat_cases.FILE
    path.write_text(cvat_cases.make('<tag label="bird"/>', meta=""))
    assert data.read_cvat(path).class_names == ("bird", "cat")


def test_points_of_a_skeleton_are_no_classes(read, tmp_path):
    read(cvat_cases.BOX)
    path = tmp_path / cvat_cases.FILE
    point = "<label><name>1</name><type>points</type><parent>dog</parent></label>"
    text = cvat_cases.SOUND.replace("</labels>", f"{point}</labels>")
    path.write_text(text)
    assert data.read_cvat(path).class_names == ("cat", "dog")


def test_labels_and_ignored_objects_are_written(read, tmp_path):
    box = cvat_cases.BOX.replace("/>", '><attribute name="difficult">true</attribute>')
    shapes = f'{box}</box><box label="dog" xtl="1" ytl="1" xbr="3" ybr="3"/>'
    strong, _ = read(shapes)
    weak, _ = read('<tag label="dog"/>')
    for image_set in (strong, weak):
        output = tmp_path / f"out{image_set.has_boxes.sum()}"
        assert write_cvat(image_set, output) == 3
        again = data.read_cvat(output / "annotations.xml")
        for column in ("boxes", "classes", "ignored", "image_labels", "has_boxes"):
            np.testing.assert_array_equal(
                getattr(again, column), getattr(image_set, column)
            )
