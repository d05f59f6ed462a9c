import os

import numpy as np
import pytest

from ehsod_tf.data.columns import assemble_labelled_images, select_images
from ehsod_tf.data.image_files import derive_image_id
from ehsod_tf.data.problems import Findings
from ehsod_tf.data.readers.merging import merge_image_sets
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

CLASS_NAMES = ("cat", "dog", "cow")


@pytest.fixture
def boxed(make_image_set):
    """0.png with a cat and a crowd of dogs, 1.png with a cow; ids 100 and 101."""
    objects = [
        (0, (0.0, 0.0, 2.0, 2.0), 0),
        (1, (1.0, 1.0, 3.0, 3.0), 2),
        (0, (0.0, 1.0, 2.0, 3.0), 1),
    ]
    return make_image_set([(8, 9), (10, 11)], objects, ignored={2})


@pytest.fixture
def label(tmp_path):
    """Returns a function that makes a weak set of images of the folder of `boxed`."""

    def make(labels_of_name, folder="images"):
        return assemble_labelled_images(
            CLASS_NAMES,
            list(labels_of_name),
            [os.path.join(tmp_path, folder, name) for name in labels_of_name],
            [(8, 9)] * len(labels_of_name),
            list(labels_of_name.values()),
        )

    return make


def test_images_of_their_own_stay_as_they_are(boxed, label):
    labelled = label({"2.png": [PRESENT, ABSENT, UNKNOWN]})
    findings = Findings()
    found = merge_image_sets([labelled, boxed], findings=findings)
    assert found.image_names == ["2.png", "0.png", "1.png"]
    np.testing.assert_array_equal(found.row_splits, [0, 0, 2, 3])
    np.testing.assert_array_equal(found.boxes, boxed.boxes)
    np.testing.assert_array_equal(found.ignored, [False, True, False])
    np.testing.assert_array_equal(found.has_boxes, [False, True, True])
    np.testing.assert_array_equal(found.image_labels[0], labelled.image_labels[0])
    np.testing.assert_array_equal(found.image_labels[1:], boxed.image_labels)
    ids = [derive_image_id("2.png"), 100, 101]
    np.testing.assert_array_equal(found.image_ids, ids)
    assert not findings.problems and not findings.notes


@pytest.mark.parametrize(
    "labels, expected",
    [
        ([UNKNOWN, UNKNOWN, UNKNOWN], [PRESENT, UNKNOWN, ABSENT]),
        ([PRESENT, PRESENT, ABSENT], [PRESENT, PRESENT, ABSENT]),
        ([PRESENT, ABSENT, ABSENT], [PRESENT, UNKNOWN, ABSENT]),
    ],
)
@pytest.mark.parametrize("boxes_first", [True, False])
def test_boxes_win_and_labels_complete_them(
    boxed, label, labels, expected, boxes_first
):
    """The crowd of dogs may be present, but cannot be absent."""
    sets = [boxed, label({"0.png": labels})]
    found = merge_image_sets(sets if boxes_first else sets[::-1])
    assert found.image_names == ["0.png", "1.png"]
    np.testing.assert_array_equal(found.image_ids, [100, 101])
    np.testing.assert_array_equal(found.image_labels[0], expected)
    np.testing.assert_array_equal(found.row_splits, [0, 2, 3])
    assert found.has_boxes.all()


def test_labels_complete_labels(label):
    first = label({"5.png": [PRESENT, UNKNOWN, UNKNOWN], "6.png": [ABSENT] * 3})
    second = label({"5.png": [PRESENT, ABSENT, UNKNOWN]})
    found = merge_image_sets([first, second])
    assert found.image_names == ["5.png", "6.png"]
    expected = [[PRESENT, ABSENT, UNKNOWN], [ABSENT] * 3]
    np.testing.assert_array_equal(found.image_labels, expected)
    # The inputs are as they were.
    np.testing.assert_array_equal(first.image_labels[0], [PRESENT, UNKNOWN, UNKNOWN])


@pytest.mark.parametrize(
    "labels, words",
    [
        ([PRESENT, UNKNOWN, PRESENT], "'cow' is labelled as present but has no box"),
        ([ABSENT, UNKNOWN, UNKNOWN], "'cat' has a box but is not labelled as present"),
    ],
)
def test_labels_that_contradict_boxes(boxed, label, labels, words):
    findings = Findings()
    found = merge_image_sets([boxed, label({"0.png": labels})], findings=findings)
    assert found.image_names == ["1.png"]
    [problem] = findings.problems
    assert words in problem.message and problem.file.endswith("images/0.png")


def test_labels_that_contradict_labels(label):
    first = label({"5.png": [PRESENT, UNKNOWN, UNKNOWN]})
    second = label({"5.png": [ABSENT, ABSENT, UNKNOWN]})
    words = "'cat' is present in one source and absent in another"
    with pytest.raises(DataError, match=words):
        merge_image_sets([first, second])


def test_boxes_of_two_sources(boxed):
    findings = Findings()
    second = select_images(boxed, np.array([True, False]))
    found = merge_image_sets([boxed, second], findings=findings)
    assert found.image_names == ["1.png"]
    assert "two sources have boxes" in findings.problems[0].message


def test_links_lead_to_one_image(boxed, label, tmp_path):
    os.symlink(tmp_path / "images", tmp_path / "linked folder")
    os.symlink(tmp_path / "images/1.png", tmp_path / "images/link.png")
    in_folder = label({"0.png": [PRESENT, PRESENT, ABSENT]}, "linked folder")
    linked = label({"link.png": [ABSENT, UNKNOWN, PRESENT]})
    found = merge_image_sets([boxed, in_folder, linked])
    assert found.image_names == ["0.png", "1.png"]
    np.testing.assert_array_equal(found.image_labels[0], [PRESENT, PRESENT, ABSENT])


def test_ids_that_collide_are_made_of_names(boxed, label):
    """Of equal names in two folders too."""
    other = boxed._replace(
        paths=[path.replace("images", "more") for path in boxed.paths]
    )
    labelled = label({"0.png": [PRESENT] * 3}, "folder")
    findings = Findings()
    found = merge_image_sets([boxed, other, labelled], findings=findings)
    assert found.image_ids.tolist()[:4] == [
        100,
        101,
        derive_image_id("0.png"),
        derive_image_id("1.png"),
    ]
    assert len(set(found.image_ids.tolist())) == 5
    assert len(findings.notes) == 2
    assert "source 2 shares image ids" in findings.notes[0]


def test_images_that_are_one_do_not_collide(boxed, label):
    labelled = label({"0.png": [PRESENT, UNKNOWN, ABSENT]})
    labelled = labelled._replace(image_ids=np.array([100]))
    findings = Findings()
    found = merge_image_sets([boxed, labelled], findings=findings)
    np.testing.assert_array_equal(found.image_ids, [100, 101])
    assert not findings.notes


def test_classes_must_agree(boxed, label):
    labelled = label({"2.png": [PRESENT] * 3})._replace(
        class_names=("dog", "cat", "cow")
    )
    with pytest.raises(DataError, match="source 2 has the classes dog, cat, cow"):
        merge_image_sets([boxed, labelled])
    with pytest.raises(DataError, match="no image set to merge"):
        merge_image_sets([])
