"""Image-level labels in a COCO JSON, and what supervision is inferred of it."""

import numpy as np
import pytest
from image_encoding import make_exif
from PIL import Image

from ehsod_tf.data import read_coco
from ehsod_tf.data.problems import Findings
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

# Classes by ascending id: cat (4), cow (5), dog (9). Image b.png (3) has an ordinary
# dog, an ordinary cat and a crowd of cats; image a.png (7) a crowd of cats and a dog.


@pytest.fixture
def read(coco_content, write_json):
    """Returns a function that changes the image records and reads the file.

    It gives {file name: (has boxes, number of boxes, labels)} and the findings.
    """

    def read_changed(a=None, b=None, annotations=True, **options):
        coco_content["images"][0] |= a or {}
        coco_content["images"][1] |= b or {}
        if not annotations:
            del coco_content["annotations"]
        findings = Findings()
        found = read_coco(write_json(coco_content), "", findings=findings, **options)
        counts = np.diff(found.row_splits).tolist()
        labels = found.image_labels.tolist()
        rows = zip(found.has_boxes.tolist(), counts, labels, strict=True)
        return dict(zip(found.image_names, rows, strict=True)), findings

    return read_changed


@pytest.mark.parametrize(
    "fields, labels",
    [
        ({"image_labels": ["dog"]}, [ABSENT, ABSENT, PRESENT]),
        ({"image_labels": [9, "cat", 9]}, [PRESENT, ABSENT, PRESENT]),
        ({"image_labels": []}, [ABSENT] * 3),
        (
            {"image_labels": ["dog"], "absent_labels": []},
            [UNKNOWN, UNKNOWN, PRESENT],
        ),
        ({"image_labels": [4], "absent_labels": [5]}, [PRESENT, ABSENT, UNKNOWN]),
        ({"absent_labels": ["cow"]}, [UNKNOWN, ABSENT, UNKNOWN]),
    ],
)
def test_labels_without_annotations(read, fields, labels):
    found, findings = read(a=fields, annotations=False)
    assert found == {"a.png": (False, 0, labels)}
    assert not findings.problems
    [note] = findings.notes
    assert "0 images with boxes, 1 with image labels, 1 without any annotation" in note


def test_labels_of_other_classes_are_left_out(read):
    found, findings = read(
        a={"image_labels": ["dog", "cat"]},
        b={"absent_labels": ["dog"]},
        annotations=False,
        class_names=("cat",),
    )
    assert found == {"a.png": (False, 0, [PRESENT])}
    assert not findings.problems
    [note] = findings.notes
    assert "1 whose labels are all unknown, left out (first: b.png)" in note


def test_labels_that_agree_with_the_boxes(read):
    found, findings = read(b={"image_labels": ["cat", "dog"]})
    assert found["b.png"] == (True, 3, [PRESENT, ABSENT, PRESENT])
    assert not findings.problems and not findings.notes


@pytest.mark.parametrize(
    "fields, label_of_the_crowd",
    [
        ({"image_labels": ["dog", "cat"]}, PRESENT),
        ({"image_labels": ["dog"]}, UNKNOWN),
        ({"absent_labels": ["cat"]}, UNKNOWN),
    ],
)
def test_a_crowd_becomes_present_but_never_absent(read, fields, label_of_the_crowd):
    found, findings = read(a=fields)
    assert found["a.png"] == (True, 2, [label_of_the_crowd, ABSENT, PRESENT])
    assert not findings.problems


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"image_labels": ["dog", "cow", "cat"]}, "'cow' is labelled as present"),
        ({"image_labels": ["dog"]}, "'cat' has a box but is not labelled"),
        ({"absent_labels": ["dog"]}, "'dog' has a box but is not labelled"),
        ({"image_labels": [9], "absent_labels": [9]}, "category 9 is also in image"),
    ],
)
def test_labels_that_contradict(read, fields, words):
    found, findings = read(b=fields)
    assert list(found) == ["a.png"]
    [problem] = findings.problems
    assert problem.record == "image 3" and words in problem.message


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"supervision": "boxes"}, (True, 3, [PRESENT, ABSENT, PRESENT])),
        ({"supervision": "labels"}, (False, 0, [PRESENT, ABSENT, PRESENT])),
        (
            {"supervision": "labels", "image_labels": ["cow"]},
            (False, 0, [ABSENT, PRESENT, ABSENT]),
        ),
    ],
)
def test_supervision_overrides(read, fields, expected):
    found, findings = read(b=fields)
    assert found["b.png"] == expected
    assert not findings.problems


@pytest.mark.parametrize(
    "fields, num_images, num_problems",
    [
        ({}, 1, 1),
        ({"supervision": "labels"}, 2, 0),
        ({"supervision": "none"}, 1, 0),
    ],
)
def test_how_an_image_is_turned_matters_to_its_boxes_alone(
    fields, num_images, num_problems, coco_content, write_json, tmp_path
):
    coco_content["images"][1] |= fields | {"width": 0, "height": 0}
    name = coco_content["images"][1]["file_name"]
    Image.new("RGB", (8, 9)).save(tmp_path / name, exif=make_exif(6))
    findings = Findings()
    found = read_coco(write_json(coco_content), tmp_path, findings=findings)
    assert len(found.paths) == num_images
    assert [p.field for p in findings.problems] == ["size"] * num_problems


def test_supervision_none_is_left_out_and_noted(read):
    found, findings = read(b={"supervision": "none"}, unannotated="empty")
    assert list(found) == ["a.png"]
    [note] = findings.notes
    assert "1 of supervision 'none', left out (first: b.png)" in note


def test_supervision_boxes_without_an_object(read):
    found, findings = read(
        a={"supervision": "boxes"}, b={"supervision": "none"}, annotations=False
    )
    assert found == {"a.png": (True, 0, [ABSENT] * 3)}
    assert not findings.problems


@pytest.mark.parametrize(
    "fields, field",
    [
        ({"supervision": "labels"}, "supervision"),
        ({"supervision": "boxes", "image_labels": ["dog"]}, "image_labels"),
    ],
)
def test_supervision_that_contradicts(read, fields, field):
    found, findings = read(a=fields, b={"image_labels": []}, annotations=False)
    assert list(found) == ["b.png"]
    [problem] = findings.problems
    assert (problem.record, problem.field) == ("image 7", field)


def test_the_note_tells_every_kind(read):
    _, findings = read(a={"image_labels": ["dog"], "supervision": "labels"})
    [note] = findings.notes
    assert note.endswith("instances.json: 1 image with boxes, 1 with image labels")
