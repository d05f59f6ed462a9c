"""Open Images: boxes, groups, verified labels, the hierarchy of classes."""

import json

import numpy as np
import pytest
from PIL import Image

from ehsod_tf import data
from ehsod_tf.data.readers.open_images import read_open_images
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import ABSENT, BOXED, BOXED_UNCERTAIN, PRESENT, UNKNOWN

HEIGHT, WIDTH = 20, 40
CLASSES = "LabelName,DisplayName\n/m/1,Animal\n/m/2,Cat\n/m/3,Dog\n/m/4,Bus\n"
BOXES = """\
ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf
a,xclick,/m/2,1,0.1,0.5,0.2,0.6,0,0
a,xclick,/m/3,1,0.5,1.0,0.0,1.0,0,1
b,xclick,/m/4,1,0,0.25,0,0.5,1,-1
elsewhere,xclick,/m/4,1,0,0.25,0,0.5,0,0
"""
LABELS = """\
ImageID,Source,LabelName,Confidence
a,verification,/m/2,1
a,verification,/m/4,0
b,verification,/m/1,0
c,verification,/m/4,1
c,machine,/m/2,0.7
elsewhere,verification,/m/4,1
"""
HIERARCHY = {
    "LabelName": "/m/0",
    "Subcategory": [
        {
            "LabelName": "/m/1",
            "Subcategory": [{"LabelName": "/m/2"}, {"LabelName": "/m/3"}],
            "Part": [{"LabelName": "/m/4"}],
        },
        {"LabelName": "/m/4"},
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images/sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png", "c.png", "d.png"):
        pixels = np.full([HEIGHT, WIDTH, 3], len(name), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    (tmp_path / "boxes.csv").write_text(BOXES)
    (tmp_path / "labels.csv").write_text(LABELS)
    (tmp_path / "classes.csv").write_text(CLASSES)
    (tmp_path / "hierarchy.json").write_text(json.dumps(HIERARCHY))
    return tmp_path


def read(folder, findings=None, hierarchy=True, **arguments):
    return read_open_images(
        folder / "images",
        boxes_csv=folder / "boxes.csv",
        labels_csv=folder / "labels.csv",
        classes_csv=folder / "classes.csv",
        hierarchy_json=folder / "hierarchy.json" if hierarchy else None,
        findings=data.Findings() if findings is None else findings,
        **arguments,
    )


def test_what_is_known_is_a_state_for_each_class(folder):
    findings = data.Findings()
    found = read(folder, findings)
    assert not findings.problems
    assert found.class_names == ("Animal", "Cat", "Dog", "Bus")
    assert found.image_names == ["a.png", "sub/b.png", "c.png"]
    np.testing.assert_array_equal(
        found.class_states,
        [
            # A group of dogs whose label nobody verified; the animal is unknown.
            [UNKNOWN, BOXED, BOXED_UNCERTAIN, ABSENT],
            # Without animals there are neither cats nor dogs.
            [ABSENT, ABSENT, ABSENT, BOXED],
            [UNKNOWN, UNKNOWN, UNKNOWN, PRESENT],
        ],
    )
    np.testing.assert_allclose(
        found.boxes, [[4, 4, 12, 20], [0, 20, 20, 40], [0, 0, 10, 10]], atol=1e-6
    )
    assert found.ignored.tolist() == [False, True, False]
    assert findings.unannotated == {str(folder / "images"): 1}
    assert any("1 label has a confidence between" in note for note in findings.notes)


def test_without_a_hierarchy_the_rest_is_unknown(folder):
    states = read(folder, hierarchy=False).class_states
    assert states[1].tolist() == [ABSENT, UNKNOWN, UNKNOWN, BOXED]


def test_classes_are_chosen_and_codes_are_names_without_a_table(folder):
    found = read(folder, class_names=("Bus", "Cat"))
    assert found.class_states[0].tolist() == [ABSENT, BOXED]
    found = read_open_images(
        folder / "images", boxes_csv=folder / "boxes.csv", findings=data.Findings()
    )
    assert found.class_names == ("/m/2", "/m/3", "/m/4")
    assert found.image_names == ["a.png", "sub/b.png"]


def test_images_of_which_nothing_is_known_are_noted(folder):
    """They have rows, but of classes that were not chosen, or of a machine."""
    findings = data.Findings()
    found = read(folder, findings, hierarchy=False, class_names=("Cat",))
    assert found.image_names == ["a.png"]
    (note,) = (note for note in findings.notes if "unknown, left out" in note)
    assert "2 images whose labels are all unknown, left out (first: sub/b.png" in note
    assert findings.unannotated == {str(folder / "images"): 1}


def test_rows_of_other_images_may_be_malformed(folder):
    text = BOXES + "elsewhere,xclick\nfurther,xclick,/m/4,1,0,0,0\n"
    (folder / "boxes.csv").write_text(text)
    findings = data.Findings()
    assert len(read(folder, findings).paths) == 3
    assert not findings.problems
    assert findings.unannotated == {str(folder / "images"): 1}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        # The image is named by its column, wherever that is.
        ("1,/m/1,b", "line 3: 3 cells, but 4 columns"),
        ("1", "line 3: 1 cell, but 4 columns"),
        ("1,/m/1,,x", "line 3, ImageID: is empty"),
    ],
)
def test_a_malformed_row_is_of_the_image_in_its_column(folder, row, problem):
    header = "Confidence,LabelName,ImageID,Source"
    (folder / "labels.csv").write_text(f"{header}\n1,/m/4,c,x\n{row}\n")
    findings = data.Findings()
    found = read(folder, findings)
    assert ("sub/b.png" in found.image_names) == ("b" not in row)
    assert [problem in str(found) for found in findings.problems] == [True]
    assert findings.unannotated == {str(folder / "images"): 1}


def test_a_class_that_is_absent_and_there_is_a_contradiction(folder):
    for line, what in (
        ("a,verification,/m/1,0\n", "'Animal' is verified absent, but it or a kind"),
        ("a,verification,/m/3,0\n", "'Dog' is verified absent"),
        ("a,verification,/m/4,1\n", "another row says the opposite"),
    ):
        (folder / "labels.csv").write_text(LABELS + line)
        findings = data.Findings()
        found = read(folder, findings)
        assert found.image_names == ["sub/b.png", "c.png"]
        (problem,) = findings.problems
        assert what in problem.message and problem.record == "image a"


def test_boxes_without_extent_are_ignored_and_noted(folder):
    text = BOXES.replace("b,xclick,/m/4,1,0,0.25", "b,xclick,/m/4,1,0.25,0.25")
    (folder / "boxes.csv").write_text(text)
    findings = data.Findings()
    found = read(folder, findings)
    assert found.ignored.tolist() == [False, True, True]
    assert any("1 box without height or width" in note for note in findings.notes)


def test_one_of_the_tables_is_needed(folder):
    with pytest.raises(ConfigError, match="needs boxes_csv or labels_csv"):
        read_open_images(folder / "images")
