"""A detector's boxes: what the labels let through, and what stays as it was."""

import json

import numpy as np
import pytest

from ehsod_tf import data
from ehsod_tf.data import (
    describe_supervision,
    leave_out_machine_boxes,
    read_machine_boxes,
)
from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import (
    ABSENT,
    BOXED,
    BOXED_ABSENT,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
)

# Of the images 0 to 3: boxed by people; a cat and no bus; a bus, perhaps a cat; nothing
# known.
STATES = [
    [BOXED, BOXED_ABSENT],
    [PRESENT, ABSENT],
    [UNKNOWN, PRESENT],
    [UNKNOWN, UNKNOWN],
]


def read(findings=None, class_names=None):
    image_set = assemble_image_set(
        class_names=("cat", "bus"),
        category_ids=(3, 7),
        image_ids=[10, 11, 12, 13],
        image_names=["0.jpg", "a/1.jpg", "b/2.jpg", "c/2.jpg"],
        paths=["/x/0.jpg", "/x/a/1.jpg", "/x/b/2.jpg", "/x/c/2.jpg"],
        sizes=[(20, 40)] * 4,
        objects=[BoxRecord(0, (1, 2, 5, 6), 0, 16, False)],
    )
    return image_set._replace(class_states=np.array(STATES, np.int8))


def entry(image_id, category_id, score, bbox=(0, 0, 10, 5), **fields):
    box = list(bbox)
    ids = {"image_id": image_id, "category_id": category_id}
    return ids | {"bbox": box, "score": score} | fields


ENTRIES = [
    entry(10, 3, 0.9),
    entry(11, 3, 0.8, (0, 0, 10, 5)),
    entry(11, 3, 0.9, (20, 10, 30, 20)),
    entry(11, 3, 0.2),
    entry(11, 7, 0.9),
    entry(12, 7, 0.4),
    entry(12, 3, 0.9),
    entry(13, 7, 0.9),
    entry(99, 7, 0.9),
    entry(12, 5, 0.9),
    entry(12, 7, 0.9, (50, 0, 5, 5)),
]


@pytest.fixture
def attach(tmp_path):
    def attach(entries=ENTRIES, findings=None, **settings):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(entries))
        findings = data.Findings() if findings is None else findings
        return read_machine_boxes(read, path, findings=findings, **settings)

    return attach


def test_labels_and_a_threshold_decide(attach):
    findings = data.Findings()
    found = attach(findings=findings)
    assert np.diff(found.row_splits).tolist() == [1, 2, 0, 0]
    assert found.machine_boxed.tolist() == [False, True, False, False]
    assert found.class_states.tolist() == [
        STATES[0],
        [PARTLY_BOXED, ABSENT],
        *STATES[2:],
    ]
    # Clipped to the image; in the order of the file.
    np.testing.assert_array_equal(
        found.boxes, [[1, 2, 5, 6], [0, 0, 5, 10], [10, 20, 20, 40]]
    )
    assert found.areas.tolist() == [16, 50, 200]
    assert not findings.problems
    (note,) = findings.notes
    assert note.partition(": ")[2] == (
        "of 11 scored boxes 2 are taken, on 1 image; not taken: 1 of images that are "
        "not in the set, 1 of other classes, 1 without height or width in their image, "
        "1 on images that people have boxed, 3 of classes that are absent or unknown "
        "there, 2 below the score"
    )


def test_the_best_of_each_present_class(attach):
    found = attach(keep="best")
    assert np.diff(found.row_splits).tolist() == [1, 1, 1, 0]
    assert found.boxes[1].tolist() == [10, 20, 20, 40]
    assert found.class_states[2].tolist() == [UNKNOWN, PARTLY_BOXED]
    assert found.machine_boxed.tolist() == [False, True, True, False]


def test_of_equal_scores_the_first_is_best(attach):
    entries = [entry(11, 3, 0.5, (0, 0, w, 5)) for w in (3, 4)]
    assert attach(entries, keep="best").boxes[1].tolist() == [0, 0, 5, 3]


def test_raw_boxes_are_as_if_people_had_drawn_them(attach):
    findings = data.Findings()
    found = attach(findings=findings, keep="raw")
    assert found.machine_boxed is None
    assert np.diff(found.row_splits).tolist() == [1, 3, 1, 1]
    assert found.class_states.tolist() == [
        STATES[0],
        [BOXED, BOXED],
        [BOXED, BOXED_ABSENT],
        [BOXED_ABSENT, BOXED],
    ]
    assert found.is_strong.all()
    assert "are taken as if a person had drawn them" in findings.notes[0]


def test_names_win_over_numbers(attach):
    """`ehsod predict` numbers images and classes anew, but names them."""
    cat = {"category_name": "cat"}
    for name in ("a/1.jpg", "/x/a/1.jpg", "/elsewhere/1.jpg"):
        found = attach([entry(1, 1, 0.9, file_name=name, **cat)])
        assert np.diff(found.row_splits).tolist() == [1, 1, 0, 0]
    bus = {"category_name": "bus"}
    assert len(attach([entry(1, 1, 0.9, file_name="b/2.jpg", **bus)]).boxes) == 2
    # That folder is here, but has no such image.
    with pytest.raises(DataError, match="none of 1 box is of an image"):
        attach([entry(1, 1, 0.9, file_name="b/1.jpg", **cat)])
    findings = data.Findings()
    attach([entry(1, 1, 0.9, file_name="d/1.jpg", **cat)] * 2, findings=findings)
    assert "1 image not in the folder that the annotation" in findings.notes[0]
    # Two images are called so.
    with pytest.raises(DataError, match="none of 1 box is of an image"):
        attach([entry(1, 1, 0.9, file_name="2.jpg", **bus)])


def test_no_box_changes_nothing(attach):
    for entries in ([], [entry(11, 7, 0.9)]):
        found = attach(entries)
        assert found.machine_boxed is None and len(found.boxes) == 1
        assert found.class_states.tolist() == STATES


def test_boxes_of_a_detector_can_be_left_out_again(attach):
    found = leave_out_machine_boxes(attach(keep="best"))
    assert found.class_states.tolist() == STATES
    assert found.boxes.tolist() == [[1, 2, 5, 6]] and found.machine_boxed is None


def test_a_split_is_not_about_a_detectors_boxes(attach):
    found = attach(keep="best")
    split = data.make_split(found, 100, seed=0)
    assert split.strong_image_ids == (10,)
    mixed = data.apply_split(found, split)
    assert np.diff(mixed.row_splits).tolist() == [1, 1, 1, 0]
    np.testing.assert_array_equal(mixed.class_states, found.class_states)
    training = data.read_part(lambda findings: found, "training", findings=None)
    assert len(training.paths) == 4


def test_a_detectors_boxes_are_not_written_as_peoples(attach, tmp_path):
    path = tmp_path / "all.json"
    data.write_coco(attach(keep="best"), path, "/x")
    again = data.read_coco(path, "/x", findings=data.Findings())
    assert again.boxes.tolist() == [[1, 2, 5, 6]]
    assert again.class_states.tolist() == STATES[:3]


def test_a_detectors_boxes_are_not_mixed(attach):
    with pytest.raises(DataError, match="source 2 has a detector's boxes"):
        data.merge_image_sets([read(), attach()])


def test_selecting_images_keeps_the_mark(attach):
    found = attach()
    kept = data.select_images(found, np.array([False, True, True, False]))
    assert kept.machine_boxed.tolist() == [True, False]
    rest = data.select_images(found, np.array([True, False, True, False]))
    assert rest.machine_boxed is None


@pytest.mark.parametrize(
    ("record", "field", "says"),
    [
        (7, "", "7 is no record of a box"),
        (entry(None, 3, 0.5), "image_id", "None is no id"),
        (entry(True, 3, 0.5), "image_id", "True is no id"),
        (entry(11, "3", 0.5), "category_id", "'3' is no id"),
        (entry(11, 3, 0.5, file_name=5), "file_name", "5 is no name"),
        (entry(11, 3, 0.5, category_name=[]), "category_name", "is no name"),
        (entry(11, 3, 0.5, (1, 2, 3)), "bbox", "not four finite numbers"),
        (entry(11, 3, 0.5, (1, 2, 3, "4")), "bbox", "not four finite numbers"),
        (entry(11, 3, 0.5, (1, 2, 3, float("nan"))), "bbox", "not four finite"),
        (entry(11, 3, 0.5, (1, 2, 3, 1e300)), "bbox", "not four finite numbers"),
        (entry(11, 3, 0.5, (1, 2, -3, 4)), "bbox", "negative width or height"),
        (entry(11, 3, 0.5, (1, 2, 3, 10**400)), "bbox", "not four finite numbers"),
        (entry(11, 3, 10**400), "score", "is not from 0 to 1"),
        (entry(11, 3, 1.5), "score", "1.5 is not from 0 to 1"),
        (entry(11, 3, None), "score", "None is not from 0 to 1"),
        (entry(11, 3, float("inf")), "score", "inf is not from 0 to 1"),
    ],
)
def test_malformed_records_are_named(attach, record, field, says):
    findings = data.Findings()
    found = attach([entry(11, 3, 0.9), record], findings=findings)
    assert len(found.boxes) == 2
    (problem,) = findings.problems
    assert (problem.record, problem.field) == ("entry 1", field)
    assert says in problem.message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("", "not valid JSON"),
        ("[1,", "not valid JSON"),
        ('{"annotations": []}', "not a list of scored boxes"),
        ("\ufeff[]\xff".encode("latin-1", "replace"), "not UTF-8|not valid JSON"),
    ],
)
def test_malformed_files_are_refused(tmp_path, content, says):
    path = tmp_path / "results.json"
    if content is not None:
        content = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_machine_boxes(read, path, findings=data.Findings())


def test_wrong_settings_are_named(attach):
    with pytest.raises(ConfigError, match="keep is one of threshold, best, raw"):
        attach(keep="all")
    with pytest.raises(ConfigError, match="score_threshold is from 0 to 1, got 2"):
        attach(score_threshold=2)


def test_a_run_says_whose_boxes_they_are(attach):
    lines = describe_supervision(attach()).splitlines()
    assert lines[0] == (
        "4 images: 1 strong (boxes), 2 weak (image labels only, 1 of them with a "
        "detector's boxes), 1 with no annotation at all"
    )
    assert lines[1].endswith("boxes  a detector's")
    assert [line.split() for line in lines[2:4]] == [
        ["cat", "1", "1", "1", "2"],
        ["bus", "0", "1", "0", "0"],
    ]
