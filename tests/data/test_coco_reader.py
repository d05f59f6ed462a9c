import numpy as np
import pytest

from ehsod_tf.data import read_coco
from ehsod_tf.errors import DataError
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


def test_an_image_without_objects_is_a_strong_negative(coco_content, write_json):
    coco_content["annotations"] = coco_content["annotations"][:1]
    found = read_coco(write_json(coco_content), "")
    np.testing.assert_array_equal(found.row_splits, [0, 0, 1])
    np.testing.assert_array_equal(found.image_labels[0], [ABSENT] * 3)
    assert found.has_boxes[0]


def test_flat_box_is_a_crowd_with_a_warning(coco_content, write_json):
    """COCO's own train2017 has two boxes of height 0, which must not stop a run."""
    coco_content["annotations"][0]["bbox"] = [1, 2, 3, 0]
    with pytest.warns(UserWarning, match="1 boxes have no height.*annotation 1"):
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
        ('{"images": [3], "annotations": []}', ("images[0]", "not a JSON object")),
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


@pytest.mark.parametrize(
    "table, field, value, record",
    [
        ("images", "id", "7", "images[0]"),
        ("images", "id", 3, "image 3"),
        ("images", "file_name", None, "image 7"),
        ("images", "width", 0, "image 7"),
        ("images", "height", None, "image 7"),
        ("categories", "id", 4, "categories[1]"),
        ("categories", "name", "cat", "categories[1]"),
        ("annotations", "image_id", 8, "annotation 1"),
        ("annotations", "category_id", 8, "annotation 1"),
        ("annotations", "bbox", [1, 2, 3], "annotation 1"),
        ("annotations", "bbox", [1, 2, 3, "4"], "annotation 1"),
        ("annotations", "bbox", [1, 2, 3, float("nan")], "annotation 1"),
        ("annotations", "bbox", [1, 2, -3, 4], "annotation 1"),
        ("annotations", "area", float("inf"), "annotation 1"),
        ("annotations", "iscrowd", "yes", "annotation 1"),
    ],
)
def test_wrong_record(coco_content, write_json, table, field, value, record):
    coco_content[table][0][field] = value
    with pytest.raises(DataError) as error:
        read_coco(write_json(coco_content), "")
    # A wrong id of an image also leaves its annotations without one.
    named = f"instances.json, {record}, {field}: "
    assert any(named in line for line in str(error.value).splitlines())


def test_several_problems_are_all_listed(coco_content, write_json):
    coco_content["annotations"] = [
        {"id": number, "image_id": 1, "category_id": 4, "bbox": [0, 0, 1, 1]}
        for number in range(13)
    ]
    with pytest.raises(DataError) as error:
        read_coco(write_json(coco_content), "")
    lines = str(error.value).splitlines()
    assert lines[0] == "13 problems in the data:"
    assert "annotation 9" in lines[10]
    assert lines[11:] == ["  and 3 more"]


def _assert_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
