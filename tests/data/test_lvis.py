"""LVIS: what an image was searched for; and what its and Open Images' writers keep."""

import json

import numpy as np
import pytest
from PIL import Image

from ehsod_tf import data
from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.errors import DataError
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED,
    BOXED_ABSENT,
    BOXED_UNCERTAIN,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
)

NAMES = ("train2017/0.jpg", "train2017/1.jpg", "val2017/2.jpg")


def make_images(folder):
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full([20, 30, 3], 9, np.uint8)).save(folder / name)


@pytest.fixture
def write(tmp_path):
    """Writes an LVIS file of three images; the fields of the second may be others."""
    make_images(tmp_path)

    def write(**fields):
        images = [
            {
                "id": i,
                "coco_url": f"http://images.cocodataset.org/{name}",
                "height": 20,
                "width": 30,
                "neg_category_ids": [],
                "not_exhaustive_category_ids": [],
            }
            for i, name in enumerate(NAMES)
        ]
        images[0] |= {"neg_category_ids": [3], "not_exhaustive_category_ids": [2]}
        images[1] |= fields
        annotations = [
            {"id": i, "image_id": image, "category_id": k, "bbox": [1, 2, 3, 4]}
            for i, (image, k) in enumerate([(0, 1), (0, 2), (1, 3)], 1)
        ]
        categories = [
            {"id": k, "name": name, "synset": f"{name}.n.01"}
            for k, name in enumerate(("cat", "dog", "bus"), start=1)
        ]
        content = {"images": images, "annotations": annotations}
        path = tmp_path / "lvis.json"
        path.write_text(json.dumps(content | {"categories": categories}))
        return path

    return write


def test_what_was_searched_for_is_known(write, tmp_path):
    findings = data.Findings()
    path = write()
    found = data.read_lvis(path, tmp_path, findings=findings)
    assert not findings.problems
    assert found.image_names == list(NAMES[:2])
    assert found.class_states.tolist() == [
        [BOXED, PARTLY_BOXED, ABSENT],
        [UNKNOWN, UNKNOWN, BOXED],
    ]
    # Of the third image nothing is known.
    assert findings.unannotated == {str(path): 1}
    found = data.read_lvis(
        path, tmp_path, class_names=("bus", "cat"), findings=findings
    )
    assert found.class_states.tolist() == [[ABSENT, BOXED], [BOXED, UNKNOWN]]


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"neg_category_ids": [3]}, "neg_category_ids", "'bus' is listed as absent an"),
        ({"neg_category_ids": [9]}, "neg_category_ids", "no category has id 9"),
        ({"neg_category_ids": ["cat"]}, "neg_category_ids", "no category has id 'cat'"),
        ({"neg_category_ids": [True]}, "neg_category_ids", "no category has id True"),
        ({"neg_category_ids": None}, "neg_category_ids", "None is not a list"),
        (
            {"not_exhaustive_category_ids": 3},
            "not_exhaustive_category_ids",
            "3 is not a list",
        ),
        ({"coco_url": None}, "file_name", "missing or not a text"),
        ({"coco_url": "../../x"}, "file_name", "leads out of the image folder"),
        ({"height": "20"}, "height", "'20' is not a positive integer"),
        ({"id": 0}, "id", "another image has this id"),
        ({"id": [1]}, "id", "[1] is not an integer"),
        ({"id": True}, "id", "True is not an integer"),
        ({"id": [1], "neg_category_ids": 3}, "neg_category_ids", "3 is not a list"),
    ],
)
def test_malformed_records_are_named(write, tmp_path, fields, field, says):
    findings = data.Findings()
    path = write(**fields)
    found = data.read_lvis(path, tmp_path, findings=findings)
    assert NAMES[1] not in found.image_names
    problem = findings.problems[0]
    assert (problem.field, problem.file) == (field, str(path))
    assert says in problem.message
    with pytest.raises(DataError, match=str(path)):
        data.read_lvis(path, tmp_path)


@pytest.mark.parametrize("number", [None, [2], "2", True])
def test_categories_without_an_id_are_named(write, tmp_path, number):
    path = write()
    content = json.loads(path.read_text())
    content["categories"][1]["id"] = number
    if number is None:
        del content["categories"][1]["id"]
    path.write_text(json.dumps(content))
    findings = data.Findings()
    says = r"categories\[1\], id: .* is not an integer"
    with pytest.raises(DataError, match=says):
        data.read_lvis(path, tmp_path, findings=findings)


def test_of_a_crowd_that_was_not_searched_to_the_end_nothing_is_known(write, tmp_path):
    path = write()
    content = json.loads(path.read_text())
    content["annotations"][1]["iscrowd"] = 1
    path.write_text(json.dumps(content))
    found = data.read_lvis(path, tmp_path, findings=data.Findings())
    assert found.class_states[0].tolist() == [BOXED, UNKNOWN, ABSENT]


def make_set(folder, states, objects):
    make_images(folder)
    image_set = assemble_image_set(
        class_names=("cat", "dog", "bus"),
        category_ids=(5, 7, 9),
        image_ids=[1, 2, 3],
        image_names=list(NAMES),
        paths=[str(folder / name) for name in NAMES],
        sizes=[(20, 30)] * 3,
        objects=objects,
    )
    return image_set._replace(class_states=np.array(states, np.int8))


OBJECTS = [
    BoxRecord(0, (1.25, 2.5, 9.125, 12.75), 0, 80.71875, False),
    BoxRecord(0, (0.1, 0.3, 5.7, 6.1), 1, 32.48, True),
    BoxRecord(1, (2, 2, 8, 8), 2, 36, False),
]


def assert_same(found, wanted):
    order = [found.image_names.index(name) for name in wanted.image_names]
    settled = np.where(wanted.class_states == BOXED_ABSENT, ABSENT, wanted.class_states)
    np.testing.assert_array_equal(found.class_states[order], settled)
    assert found.class_names == wanted.class_names
    for row, other in enumerate(order):
        mine = slice(*wanted.row_splits[row : row + 2])
        theirs = slice(*found.row_splits[other : other + 2])
        np.testing.assert_allclose(
            found.boxes[theirs], wanted.boxes[mine], rtol=0, atol=1e-6
        )
        np.testing.assert_array_equal(found.classes[theirs], wanted.classes[mine])
        np.testing.assert_array_equal(found.ignored[theirs], wanted.ignored[mine])


def test_lvis_is_written_and_read_again(tmp_path):
    states = [
        [BOXED, BOXED_UNCERTAIN, BOXED_ABSENT],
        [UNKNOWN, ABSENT, PARTLY_BOXED],
        [ABSENT, UNKNOWN, UNKNOWN],
    ]
    image_set = make_set(tmp_path, states, OBJECTS)
    path = tmp_path / "written.json"
    assert data.write_lvis(image_set, path) == 3
    findings = data.Findings()
    found = data.read_lvis(path, tmp_path, findings=findings)
    assert not findings.problems
    assert_same(found, image_set)
    assert found.category_ids == image_set.category_ids


def test_open_images_are_written_and_read_again(tmp_path):
    states = [
        [BOXED, BOXED_UNCERTAIN, BOXED_ABSENT],
        [UNKNOWN, ABSENT, BOXED],
        [ABSENT, PRESENT, UNKNOWN],
    ]
    image_set = make_set(tmp_path / "first", states, OBJECTS)
    folder = tmp_path / "written"
    assert data.write_open_images(image_set, folder) == 3
    (tmp_path / "first").rename(tmp_path / "gone")
    findings = data.Findings()
    found = data.read_open_images(
        folder / "images",
        boxes_csv=folder / "boxes.csv",
        labels_csv=folder / "labels.csv",
        classes_csv=folder / "classes.csv",
        findings=findings,
    )
    assert not findings.problems
    flat = image_set._replace(image_names=[name.replace("/", "_") for name in NAMES])
    assert_same(found, flat)
    # And the folder is recognised as it is.
    plan = data.plan_folder(data.survey_folder(folder), data.FolderChoices())
    assert plan.training[0].arguments == {
        "boxes_csv": "boxes.csv",
        "labels_csv": "labels.csv",
        "classes_csv": "classes.csv",
        "image_dir": "images",
    }


@pytest.mark.parametrize(
    ("form", "states", "any_class", "says"),
    [
        ("lvis", [PRESENT, UNKNOWN, BOXED], False, "shows a class without a box"),
        ("lvis", [UNKNOWN, UNKNOWN, BOXED], True, "an ignored region of any class"),
        ("open_images", [UNKNOWN, UNKNOWN, BOXED], True, "an ignored region of any"),
        ("open_images", [UNKNOWN, UNKNOWN, PARTLY_BOXED], False, "is boxed in part"),
    ],
)
def test_what_a_form_has_no_place_for_is_named(tmp_path, form, states, any_class, says):
    rows = [[BOXED, BOXED_UNCERTAIN, ABSENT], states, [ABSENT, ABSENT, UNKNOWN]]
    image_set = make_set(tmp_path / "first", rows, OBJECTS)
    if any_class:
        image_set.classes[2], image_set.ignored[2] = ANY_CLASS, True
    write = getattr(data, f"write_{form}")
    with pytest.raises(DataError, match=f"image 2.*{says}.*{form}"):
        write(image_set, tmp_path / "written")
    findings = data.Findings()
    assert write(image_set, tmp_path / "written", findings=findings) == 2
    assert len(findings.problems) == 1
