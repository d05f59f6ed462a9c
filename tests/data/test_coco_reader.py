import json

import numpy as np
import pytest

from ehsod_tf.data import read_coco
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers import coco_json
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN


def test_columns(coco_content, write_json):
    found = read_coco(write_json(coco_content), "pictures")
    assert found.class_names == ("cat", "cow", "dog")
    assert found.category_ids == (4, 5, 9)
    np.testing.assert_array_equal(found.image_ids, [7, 3])
    assert found.image_names == ["a.png", "b.png"]
    assert found.paths == ["pictures/a.png", "pictures/b.png"]
    np.testing.assert_array_equal(found.sizes, [[30, 40], [50, 20]])
    np.testing.assert_array_equal(found.row_splits, [0, 2, 5])
    expected = [
        [20, 10, 26, 15],
        [0, 0, 30, 40],
        [2, 1, 6, 4.5],
        [2, 2, 4, 4],
        [0, 0, 9, 9],
    ]
    np.testing.assert_array_equal(found.boxes, expected)
    assert found.boxes.dtype == np.float64
    np.testing.assert_array_equal(found.classes, [0, 2, 2, 0, 0])
    np.testing.assert_array_equal(found.areas, [11.5, 1200, 14, 4, 81])
    np.testing.assert_array_equal(found.ignored, [1, 0, 0, 0, 1])
    assert found.has_boxes.all()


def test_a_class_seen_only_as_crowd_is_unknown(coco_content, write_json):
    found = read_coco(write_json(coco_content), "")
    labels = [[UNKNOWN, ABSENT, PRESENT], [PRESENT, ABSENT, PRESENT]]
    np.testing.assert_array_equal(found.image_labels, labels)


def test_class_list_selects_and_orders(coco_content, write_json):
    found = read_coco(write_json(coco_content), "", class_names=("dog", "cow"))
    assert found.class_names == ("dog", "cow")
    assert found.category_ids == (9, 5)
    np.testing.assert_array_equal(found.classes, [0, 0])
    np.testing.assert_array_equal(found.row_splits, [0, 1, 2])
    np.testing.assert_array_equal(found.image_labels, [[1, 0], [1, 0]])


def test_an_image_without_annotation_is_left_out(coco_content, write_json):
    coco_content["annotations"] = coco_content["annotations"][:1]
    findings = Findings()
    found = read_coco(write_json(coco_content), "", findings=findings)
    assert found.image_names == ["b.png"]
    assert not findings.problems
    [note] = findings.notes
    for words in (
        "1 image with boxes, 0 with image labels, 1 without any annotation, left out",
        "(first: a.png)",
        "set unannotated = 'empty'",
    ):
        assert words in note


def test_an_image_without_annotation_is_a_strong_negative_on_demand(
    coco_content, write_json
):
    coco_content["annotations"] = coco_content["annotations"][:1]
    found = read_coco(write_json(coco_content), "", unannotated="empty")
    np.testing.assert_array_equal(found.row_splits, [0, 0, 1])
    np.testing.assert_array_equal(found.image_labels[0], [ABSENT] * 3)
    assert found.has_boxes.all()


def test_an_image_of_other_classes_only_is_a_strong_negative(coco_content, write_json):
    findings = Findings()
    path = write_json(coco_content)
    found = read_coco(path, "", class_names=("cow",), findings=findings)
    np.testing.assert_array_equal(found.image_labels, [[ABSENT], [ABSENT]])
    assert found.has_boxes.all() and not len(found.boxes)
    assert not findings.notes


def test_flat_box_is_a_crowd_with_a_warning(coco_content, write_json):
    """COCO's own train2017 has two boxes of height 0, which must not stop a run."""
    coco_content["annotations"][0]["bbox"] = [1, 2, 3, 0]
    with pytest.warns(UserWarning, match="1 box without height.*annotation 1"):
        found = read_coco(write_json(coco_content), "")
    np.testing.assert_array_equal(found.ignored, [1, 0, 1, 0, 1])
    assert found.image_labels[1, 2] == UNKNOWN


@pytest.mark.parametrize(
    "class_names, words",
    [
        (("dgo",), ("'dgo'", "did you mean 'dog'")),
        (("zebra",), ("'zebra'", "known are: dog, cat, cow")),
        (("dog", "dog"), ("'dog'", "twice")),
        ((), ("empty",)),
    ],
)
def test_wrong_class_list(coco_content, write_json, class_names, words):
    with pytest.raises(DataError) as error:
        read_coco(write_json(coco_content), "", class_names=class_names)
    _assert_one_line(error, "instances.json", *words)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ("empty",)),
        ("{", ("line 1", "not valid JSON")),
        ("[]", ("images", "missing")),
        ('{"images": [], "annotations": []}', ("categories", "missing")),
        ('{"images": [3], "categories": []}', ("annotations", "missing")),
        ('{"images": [], "images": []}', ("'images'", "twice")),
        ("[" * 100_000, ("recursion",)),
        ('{"info": %s}' % ("9" * 5000), ("digits",)),
        ('{"a": [{"segmentation": [1, 2]},\n x]}', ("line 2, column 2",)),
        ('{"a": {"segmentation": [1, 2}, 3]', ("line 1",)),
    ],
)
def test_wrong_file(tmp_path, text, words):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_coco(path, "")
    _assert_one_line(error, "broken.json", *words)


def test_missing_file(tmp_path):
    with pytest.raises(DataError) as error:
        read_coco(tmp_path / "none.json", "")
    _assert_one_line(error, "none.json", "cannot be read")


def test_file_in_another_encoding(coco_content, tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(coco_content), encoding="utf-16")
    with pytest.raises(DataError) as error:
        read_coco(path, "")
    _assert_one_line(error, "instances.json", "not UTF-8 but UTF-16", "save")


def test_byte_order_mark_is_passed_over(coco_content, tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(coco_content), encoding="utf-8-sig")
    assert len(read_coco(path, "").paths) == 2


def test_outlines_are_passed_over(coco_content, write_json, monkeypatch):
    """Wherever the chunks end in which the file is read."""
    plain = read_coco(write_json(coco_content), "")
    coco_content["images"][0]["file_name"] = 'a "segmentation": [1].png'
    forms = ([[1, 2.5, -3e-1], [4, 5]], [], [[]], {"counts": [1, 2], "size": [3, 4]})
    for annotation, outline in zip(coco_content["annotations"], forms, strict=False):
        annotation |= {"segmentation": outline, "keypoints": [1, 2, 0]}
    path = write_json(coco_content)
    for num_bytes in (1, 7, 100, 1 << 20):
        monkeypatch.setattr(coco_json, "_CHUNK_BYTES", num_bytes)
        found = read_coco(path, "")
        assert found.image_names == ['a "segmentation": [1].png', "b.png"]
        np.testing.assert_array_equal(found.boxes, plain.boxes)
        np.testing.assert_array_equal(found.classes, plain.classes)


@pytest.mark.parametrize(
    "table, field, value, record",
    [
        ("images", "id", "7", "images[0]"),
        ("images", "id", 3, "image 3"),
        ("images", "file_name", None, "image 7"),
        ("images", "width", -2, "image 7"),
        ("images", "height", 2**31, "image 7"),
        ("images", "width", True, "image 7"),
        ("images", "width", "40", "image 7"),
        ("images", "id", 2**63, "images[0]"),
        ("images", "id", True, "images[0]"),
        ("images", "file_name", "b.png", "image 3"),
        ("images", "file_name", "./b.png", "image 3"),
        ("images", "file_name", "/a.png", "image 7"),
        ("images", "file_name", "x/../../a.png", "image 7"),
        ("images", "file_name", "x\\a.png", "image 7"),
        ("images", "file_name", "a\0.png", "image 7"),
        ("images", "file_name", "\ud800.png", "image 7"),
        ("images", "supervision", "box", "image 7"),
        ("images", "image_labels", "dog", "image 7"),
        ("images", "image_labels", ["dgo"], "image 7"),
        ("images", "image_labels", [6], "image 7"),
        ("images", "image_labels", [True], "image 7"),
        ("images", "absent_labels", [None], "image 7"),
        ("categories", "id", 4, "categories[1]"),
        ("categories", "id", 2**63, "categories[0]"),
        ("categories", "name", "cat", "categories[1]"),
        ("categories", "name", "c\nat", "categories[0]"),
        ("annotations", "image_id", 8, "annotation 1"),
        ("annotations", "category_id", 8, "annotation 1"),
        ("annotations", "bbox", [1, 2, 3], "annotation 1"),
        ("annotations", "bbox", [1, 2, 3, "4"], "annotation 1"),
        ("annotations", "bbox", [1, 2, 3, float("nan")], "annotation 1"),
        ("annotations", "bbox", [1, 2, -3, 4], "annotation 1"),
        ("annotations", "area", float("inf"), "annotation 1"),
        ("annotations", "area", -1, "annotation 1"),
        ("annotations", "iscrowd", "yes", "annotation 1"),
        ("annotations", "iscrowd", 2, "annotation 1"),
        ("annotations", "iscrowd", True, "annotation 1"),
        ("annotations", "id", 3, "annotation 3"),
        ("annotations", "id", "1", "annotations[0]"),
        ("annotations", "id", 2**63, "annotations[0]"),
        ("annotations", "image_id", 3.0, "annotation 1"),
        ("annotations", "category_id", True, "annotation 1"),
        ("annotations", "bbox", [1, 2, True, 4], "annotation 1"),
        ("annotations", "bbox", [1, 2, 10**400, 4], "annotation 1"),
        ("annotations", "bbox", [1e308, 2, 1e308, 4], "annotation 1"),
        ("annotations", "bbox", {"x": 1}, "annotation 1"),
    ],
)
def test_wrong_record(coco_content, write_json, table, field, value, record):
    coco_content[table][0][field] = value
    with pytest.raises(DataError) as error:
        read_coco(write_json(coco_content), "", unannotated="empty")
    # A wrong id of an image also leaves its annotations without one.
    named = f"instances.json, {record}, {field}: "
    assert any(named in line for line in str(error.value).splitlines())


def test_several_problems_are_all_listed(coco_content, write_json):
    coco_content["annotations"] = [
        {"id": number, "image_id": 1, "category_id": 4, "bbox": [0, 0, 1, 1]}
        for number in range(1, 14)
    ]
    with pytest.raises(DataError) as error:
        read_coco(write_json(coco_content), "", unannotated="empty")
    # All say the same, and so they are one with a count.
    assert "\n" not in str(error.value)
    assert "annotation 1, image_id: no image has id 1" in str(error.value)
    assert str(error.value).endswith("(and 12 more like this)")
    for number, annotation in enumerate(coco_content["annotations"]):
        annotation["image_id"] = 10 + number
    with pytest.raises(DataError) as error:
        read_coco(write_json(coco_content), "", unannotated="empty")
    lines = str(error.value).splitlines()
    assert lines[0] == "13 problems in the data:"
    assert "annotation 10" in lines[10]
    assert lines[11:] == ["  and 3 more"]


@pytest.mark.parametrize("table", ["images", "annotations"])
@pytest.mark.parametrize("record", [3, None, [], "text", {}, {"bbox": 1}])
def test_a_record_that_is_none_is_named_by_its_place(
    coco_content, write_json, table, record
):
    coco_content[table].insert(1, record)
    findings = Findings()
    found = read_coco(write_json(coco_content), "", findings=findings)
    assert found.image_names == ["a.png", "b.png"]
    assert [problem.record for problem in findings.problems] == [f"{table}[1]"]


def test_a_bad_annotation_takes_its_whole_image_out(coco_content, write_json):
    coco_content["annotations"][0]["bbox"] = [1, 2, -3, 4]
    findings = Findings()
    found = read_coco(write_json(coco_content), "", findings=findings)
    assert found.image_names == ["a.png"]
    np.testing.assert_array_equal(found.row_splits, [0, 2])
    np.testing.assert_array_equal(found.boxes[:, 0], [20, 0])
    assert len(findings.problems) == 1


def test_both_images_of_one_id_and_both_of_one_file_are_left_out(
    coco_content, write_json
):
    image = {"id": 3, "file_name": "c.png", "width": 9, "height": 9}
    coco_content["images"] += [image, image | {"id": 8}, image | {"id": 9}]
    findings = Findings()
    found = read_coco(
        write_json(coco_content), "", unannotated="empty", findings=findings
    )
    assert found.image_names == ["a.png"]
    named = [(problem.record, problem.field) for problem in findings.problems]
    assert named == [("image 3", "id"), ("image 9", "file_name")]


def test_annotations_of_a_bad_image_are_not_told_as_problems(coco_content, write_json):
    coco_content["images"][0]["width"] = -2
    findings = Findings()
    found = read_coco(write_json(coco_content), "", findings=findings)
    assert found.image_names == ["b.png"]
    assert [problem.field for problem in findings.problems] == ["width"]


def test_unknown_choice(coco_content, write_json):
    with pytest.raises(ConfigError, match="unannotated is one of leave_out, empty"):
        read_coco(write_json(coco_content), "", unannotated="skip")


def _assert_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
