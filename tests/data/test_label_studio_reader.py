"""Regions, choices and annotators of Label Studio's JSON."""

import copy
import json

import numpy as np
import pytest
from image_encoding import make_exif
from malformed import label_studio_cases
from malformed.case import HEIGHT, WIDTH, write_images
from malformed.label_studio_cases import CHOICE, make_region, make_task
from PIL import Image

from ehsod_tf import cli, data
from ehsod_tf.data import Findings
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ABSENT, BOXED, PRESENT, UNKNOWN


@pytest.fixture
def read(tmp_path):
    """Returns what reads tasks of which the second has these results and fields."""

    def read(results=(), place="", **fields):
        options = {k: fields.pop(k) for k in ("unlisted", "unannotated") if k in fields}
        write_images(tmp_path / "images" / place)
        tasks = copy.deepcopy(label_studio_cases.SOUND)
        tasks[1] = make_task(1, list(results), **fields)
        path = tmp_path / label_studio_cases.FILE
        path.write_text(json.dumps(tasks))
        findings = Findings()
        image_set = data.read_label_studio(
            path, tmp_path / "images", findings=findings, **options
        )
        assert not findings.problems
        return image_set, "\n".join(findings.notes)

    return read


def list_boxes(image_set, name="b.png"):
    row = image_set.image_names.index(name)
    return image_set.boxes[slice(*image_set.row_splits[row : row + 2])].tolist()


def shape(kind, label="cat", **value):
    return make_region(type=kind, value=value | {kind: [label]})


# Percent of 30 by 20 pixels.
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (make_region(), [3, 3, 12, 15]),
        # A quarter of a turn about the upper left corner, (15, 4).
        (
            shape("rectanglelabels", x=50, y=20, width=20, height=50, rotation=90),
            [4, 5, 10, 15],
        ),
        (
            shape("rectanglelabels", x=50, y=20, width=20, height=50, rotation=-360),
            [4, 15, 14, 21],
        ),
        (
            shape("rectanglelabels", x=50, y=20, width=20, height=30, rotation=45),
            [4, 15 - 18**0.5, 4 + 72**0.5, 15 + 18**0.5],
        ),
        (shape("polygonlabels", points=[[10, 10], [50, 20], [20, 60]]), [2, 3, 12, 15]),
        (
            shape("ellipselabels", x=50, y=50, radiusX=10, radiusY=20, rotation=0),
            [6, 12, 14, 18],
        ),
    ],
)
def test_regions_become_boxes(result, expected, read):
    image_set, notes = read([result])
    np.testing.assert_allclose(list_boxes(image_set), [expected], atol=2e-6)
    assert not notes


def test_a_region_of_two_labels_is_two_objects(read):
    result = make_region()
    result["value"]["rectanglelabels"] = ["cat", "dog"]
    image_set, _ = read([result])
    assert list_boxes(image_set) == [[3, 3, 12, 15]] * 2


def test_a_label_in_a_result_of_its_own(read):
    """As the tags Rectangle and Labels write it."""
    box = make_region(type="rectangle")
    del box["value"]["rectanglelabels"]
    labels = make_region(type="labels")
    del labels["value"]["rectanglelabels"]
    labels["value"]["labels"] = ["dog"]
    image_set, _ = read([box, labels])
    assert list_boxes(image_set) == [[3, 3, 12, 15]]
    assert image_set.class_names == ("cat", "dog")


def test_choices_are_labels_of_the_image(read):
    image_set, _ = read([CHOICE])
    assert image_set.has_boxes.tolist() == [True, False, True]
    assert image_set.image_labels.tolist()[1] == [ABSENT, PRESENT]
    image_set, _ = read([CHOICE], unlisted="unknown")
    assert image_set.image_labels.tolist()[1] == [UNKNOWN, PRESENT]


def test_how_an_image_with_choices_alone_is_turned_does_not_matter(tmp_path):
    write_images(tmp_path)
    Image.new("RGB", (8, 9)).save(tmp_path / "b.png", exif=make_exif(6))
    tasks = copy.deepcopy(label_studio_cases.SOUND)
    tasks[1] = make_task(1, [CHOICE])
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(tasks))
    findings = Findings()
    found = data.read_label_studio(path, tmp_path, findings=findings)
    assert not findings.problems
    assert found.sizes[found.image_names.index("b.png")].tolist() == [9, 8]


def test_choices_of_a_region_say_nothing_of_the_image(read):
    of_region = make_region(type="choices")
    del of_region["value"]["rectanglelabels"]
    of_region["value"]["choices"] = ["blurred"]
    image_set, _ = read([make_region(), of_region])
    assert image_set.class_names == ("cat",)
    assert len(list_boxes(image_set)) == 1
    of_brush = {"format": "rle", "rle": [1, 2], "choices": ["blurred"]}
    of_brush = make_region(type="choices", id="r2", value=of_brush)
    image_set, _ = read([make_region(), of_brush])
    assert image_set.class_names == ("cat",)


def test_of_several_annotations_one_is_taken_and_said(read):
    early, late, truth, cancelled = (
        {"result": [make_region(x=x)], "updated_at": f"2026-0{month}-01T10:00:00Z"}
        for x, month in ((10, 3), (20, 5), (30, 1), (40, 9))
    )
    cancelled["was_cancelled"] = True
    image_set, notes = read(annotations=[late, early, cancelled])
    assert list_boxes(image_set)[0][1] == 6
    assert "1 task has several annotations; that which is marked as ground " in notes
    image_set, _ = read(annotations=[late, truth | {"ground_truth": True}, early])
    assert list_boxes(image_set)[0][1] == 9
    image_set, notes = read(annotations=[early, cancelled])
    assert list_boxes(image_set)[0][1] == 3
    assert "several" not in notes
    image_set, notes = read(annotations=[cancelled])
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 without any annotation, left out" in notes


def test_predictions_are_kept_apart(read):
    guess = {"result": [make_region(score=0.9)], "model_version": "1"}
    image_set, notes = read(annotations=[], predictions=[guess])
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 task has predictions, the boxes of a machine; they are kept apart" in (
        notes
    )
    image_set, _ = read(annotations=[], predictions=[guess], unannotated="empty")
    assert list_boxes(image_set) == []


def test_a_task_that_was_submitted_without_a_region_shows_nothing(read):
    image_set, notes = read([])
    assert image_set.has_boxes.all()
    assert image_set.image_labels.tolist()[1] == [ABSENT]
    assert "1 task was submitted without a region and taken to show no" in notes


BRUSH = make_region(type="brushlabels", id="r2")
BRUSH["value"] = {"format": "rle", "rle": [1, 2], "brushlabels": ["cat"]}
POINT = make_region(type="keypointlabels", id="r3")
POINT["value"] = {"x": 1, "y": 2, "width": 3, "keypointlabels": ["cat"]}


@pytest.mark.parametrize("mark", [BRUSH, POINT])
def test_where_nothing_but_a_mark_is_drawn_nothing_is_known(mark, read):
    image_set, notes = read([mark])
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 without any annotation, left out (first: b.png)" in notes
    assert "submitted" not in notes


@pytest.mark.parametrize("mark", [BRUSH, POINT])
def test_a_mark_of_a_class_without_a_box_says_that_it_is_there(mark, read):
    dog = make_region(label="dog")
    image_set, _ = read([dog, mark])
    assert image_set.class_names == ("cat", "dog")
    assert image_set.class_states[1].tolist() == [PRESENT, BOXED]
    image_set, _ = read([mark, CHOICE])
    assert image_set.class_states[1].tolist() == [PRESENT, PRESENT]


def test_a_remark_about_the_image_is_no_mark(read):
    remark = {"id": "t", "type": "textarea", "value": {"text": ["all is quiet"]}}
    image_set, notes = read([remark])
    assert image_set.has_boxes.all() and len(image_set.paths) == 3
    assert "1 task was submitted without a region" in notes


def test_what_encloses_no_object_is_counted(read):
    relation = {"type": "relation", "from_id": "r1", "to_id": "r2"}
    image_set, notes = read([make_region(), BRUSH, POINT, relation])
    assert len(list_boxes(image_set)) == 1
    assert (
        "1 of type 'brushlabels', 1 of type 'keypointlabels', 1 of type 'relation'"
    ) in notes


@pytest.mark.parametrize(
    "address",
    [
        "b.png",
        "upload/4/89abcdef-b.png",
        "/data/local-files/?d=mine/one%20two/b.png",
        "https://host.example/bucket/one%20two/b.png?X-Amz-Signature=1%2F2",
        "s3://bucket/b.png",
        "gs://bucket/one two/b.png",
        "C:\\mine\\one two\\b.png",
        "http://[broken/b.png",
    ],
)
@pytest.mark.parametrize("key", ["image", "picture"])
def test_addresses_of_images(address, key, read):
    image_set, _ = read([make_region()], data={key: address, "id": "7"})
    assert image_set.image_names == ["a.png", "b.png", "c.png"]
    image_set, _ = read([make_region()], "one two", data={key: address})
    assert [name.split("/")[-1] for name in image_set.image_names] == [
        *("a.png", "b.png", "c.png")
    ]


@pytest.mark.parametrize(
    ("address", "name", "is_noted"),
    [
        # That folder is here, but has no such image.
        ("/data/local-files/?d=mine/two/b.png", "b.png", False),
        ("/data/local-files/?d=mine/four/b.png", "three/b.png", True),
        # The folders of an upload are Label Studio's own.
        ("/data/upload/2/0123abcd-b.png", "three/b.png", False),
    ],
)
def test_the_boxes_of_a_missing_image_go_to_no_other_one(
    address, name, is_noted, read, tmp_path
):
    for folder in ("two", "2"):
        write_images(tmp_path / "images" / folder)
        (tmp_path / "images" / folder / "b.png").unlink()
    found, notes = read([make_region()], "three", data={"image": address})
    assert name in found.image_names
    assert ("but found by name alone" in notes) == is_noted


def test_labels_are_written(read, tmp_path):
    weak, _ = read([CHOICE])
    assert data.write_label_studio(weak, tmp_path / "out") == 3
    again = data.read_label_studio(
        tmp_path / "out" / "tasks.json", tmp_path / "out" / "images"
    )
    assert again.class_names == weak.class_names
    np.testing.assert_array_equal(again.class_states, weak.class_states)
    np.testing.assert_array_equal(again.boxes, weak.boxes)
    assert again.sizes.tolist() == [[HEIGHT, WIDTH]] * 3


def test_predictions_become_results(read, tmp_path, capsys):
    early, late = (
        {"created_at": f"2026-0{month}-01", "result": [make_region(x=x)], "score": 0.5}
        for month, x in ((1, 20), (2, 10))
    )
    late["result"].append(make_region(x=50, label="dog", score=0.75))
    read([make_region()], predictions=[late, early])
    output = tmp_path / "machine.json"
    cli.main(
        [
            "convert",
            f"--label_studio={tmp_path / label_studio_cases.FILE}",
            f"--images={tmp_path / 'images'}",
            "--to=predictions",
            f"--output={output}",
        ]
    )
    assert f"{output}: 2 scored boxes" in capsys.readouterr().out
    first = {"file_name": "b.png", "category_name": "cat", "bbox": [3, 3, 12, 9]}
    second = {"file_name": "b.png", "category_name": "dog", "bbox": [15, 3, 12, 9]}
    assert json.loads(output.read_text()) == [
        first | {"score": 0.5},
        second | {"score": 0.75},
    ]


@pytest.mark.parametrize(
    ("predictions", "says"),
    [
        ([{"result": [make_region()]}], r"tasks\[1\], result 1, score: is no number"),
        ([{"result": [make_region(score=7)]}], "result 1, score: is no number from 0"),
        ([{"result": None}], r"tasks\[1\], predictions: is not a list of predictions"),
        ({"a": 1}, r"tasks\[1\], predictions: is not a list of predictions"),
        ([{"result": [1]}], r"tasks\[1\], result 1, value: not a result"),
        ([], "no task has a prediction with a region"),
    ],
)
def test_malformed_predictions(predictions, says, read, tmp_path):
    read([make_region()], predictions=predictions)
    with pytest.raises(DataError, match=says):
        data.read_predictions(tmp_path / label_studio_cases.FILE, tmp_path / "images")
