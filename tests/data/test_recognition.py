"""Folders as people have them: what is recognised, passed over, and asked."""

import json

import export_forms
import pytest
from source_folders import add_coco, add_images, add_table, ask, name_sources, plan

from ehsod_tf import data
from ehsod_tf.data.recognition.source import find_common_folder, find_role
from ehsod_tf.errors import DataError


@pytest.fixture
def mixed(tmp_path):
    """Boxes on some images, labels on others, and what lies about."""
    add_images(tmp_path / "images", [f"{i}.jpg" for i in range(6)])
    add_coco(tmp_path / "boxes.json", ["0.jpg", "1.jpg", "2.jpg"])
    add_table(tmp_path / "labels.csv", ["3.jpg", "4.jpg"])
    return tmp_path


def test_boxes_and_labels_become_a_mixture(mixed):
    found = plan(mixed)
    assert name_sources(found.training) == ["boxes.json", "labels.csv"]
    assert [s.arguments["image_dir"] for s in found.training] == ["images"] * 2
    assert found.validation == () and found.held_out == 20.0
    text = data.format_survey(data.survey_folder(mixed))
    assert "boxes.json: COCO instances, 2 classes (bus, cat), 6 images in imag" in text
    assert "labels.csv: table of image labels" in text
    assert any("20 percent of the boxed" in remark for remark in found.remarks)


def test_what_lies_about_is_counted(mixed):
    for name in (
        *(".DS_Store", "images/Thumbs.db", "images/._0.jpg", "README.md"),
        *("__MACOSX/images/._0.jpg", "export.zip", "labels.cache", "license.txt"),
        *("notes.docx", "runs/a/owner.json", "runs/a/saved.npz", "x.bin"),
        *(".ipynb_checkpoints/0.jpg", "settings.json", "other.csv", "page.xml"),
    ):
        path = mixed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x,y\n")
    (mixed / "more").symlink_to(mixed / "images")
    (mixed / "loop").symlink_to(mixed)
    found = data.survey_folder(mixed)
    assert name_sources(found.sources) == ["boxes.json", "labels.csv"]
    assert len(found.index.images) == 6
    assert {reason: len(paths) for reason, paths in found.passed_over.items()} == {
        "hidden, or the system's own": 5,
        "texts about the data": 3,
        "archives": 1,
        "caches and leftovers": 1,
        "run folders": 1,
        "of no form that is known": 1,
        "links to folders that are listed already": 2,
        "not JSON": 1,
        "tables of no form that is known": 1,
        "XML of no form that is known": 1,
    }


def test_a_link_to_images_elsewhere_is_followed(tmp_path):
    add_images(tmp_path / "far", ["a.jpg", "b.jpg"])
    add_coco(tmp_path / "mine/boxes.json", ["a.jpg", "b.jpg"])
    (tmp_path / "mine/images").symlink_to(tmp_path / "far")
    (source,) = plan(tmp_path / "mine").training
    assert source.image_dirs == ("images/",)


def test_the_test_set_validates_where_there_is_no_other(tmp_path):
    for part in ("train", "test"):
        add_images(tmp_path / part, ["0.jpg"])
        add_coco(tmp_path / f"annotations/instances_{part}2017.json", ["0.jpg"])
    found = plan(tmp_path)
    # Both folders hold a 0.jpg; the names of the annotations decide.
    assert found.training[0].image_dirs == ("train/",)
    assert found.validation[0].image_dirs == ("test/",)
    assert any("as there is no validation set" in r for r in found.remarks)
    assert plan(tmp_path, hold_out=10.0).held_out == 10.0


def test_the_nearest_folder_is_meant(tmp_path):
    for place in ("one", "two"):
        add_images(tmp_path / place / "images", ["0.jpg"], shade=ord(place[0]))
        add_coco(tmp_path / place / "boxes.json", ["0.jpg"])
    found = plan(tmp_path)
    assert [s.image_dirs for s in found.training] == [
        ("one/images/",),
        ("two/images/",),
    ]


def test_images_in_several_folders_of_one_list(tmp_path):
    names = ["a/0.jpg", "b/0.jpg", "c/d/1.jpg"]
    add_images(tmp_path / "pictures", names)
    add_coco(tmp_path / "boxes.json", names)
    (source,) = plan(tmp_path).training
    assert source.arguments["image_dir"] == "pictures"


def test_two_folders_of_the_same_names_are_a_question(mixed, tmp_path):
    add_images(mixed / "small", [f"{i}.jpg" for i in range(6)])
    message = ask(mixed)
    assert "--images images/ or --images small/" in message
    for answer in ("small", str(mixed / "small"), "small/"):
        found = plan(mixed, images=answer)
        assert found.training[0].arguments["image_dir"] == "small"


def test_images_that_are_nowhere_are_a_question(mixed, tmp_path_factory):
    (mixed / "images").rename(mixed / "gone")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (mixed / "gone").rename(elsewhere / "images")
    assert "none of the images that boxes.json names was found" in ask(mixed)
    found = plan(mixed, images=str(elsewhere / "images"))
    assert found.training[0].arguments["image_dir"] == str(elsewhere / "images")


def test_two_exports_of_one_set_are_a_question(tmp_path):
    names = [f"{i}.jpg" for i in range(5)]
    for place in ("export_1", "export_2"):
        add_images(tmp_path / place, names)
        add_coco(tmp_path / place / "boxes.json", names)
    message = ask(tmp_path)
    assert "--use export_1/boxes.json or --use export_2/boxes.json" in message
    found = plan(tmp_path, use=("export_2/boxes.json",))
    assert name_sources(found.training) == ["export_2/boxes.json"]
    found = plan(tmp_path, use=("export_2/boxes.json", "export_1/boxes.json"))
    assert len(found.training) == 2


def test_two_annotations_of_one_folder_are_a_question(mixed):
    add_coco(mixed / "boxes_v2.json", ["0.jpg", "1.jpg"])
    assert "boxes.json (COCO instances) and boxes_v2.json" in ask(mixed)


def test_a_source_that_is_not_there_is_named(mixed):
    assert "--use boxs.json: no source of this path" in ask(mixed, use=("boxs.json",))
    message = ask(mixed, validation="val.json")
    assert "--validation val.json: no source of this path" in message
    assert "labels alone" in ask(mixed, validation="labels.csv")
    message = ask(mixed, validation="boxes.json", hold_out=10.0)
    assert "either --validation or --hold_out" in message


def test_validation_is_chosen_by_a_flag(mixed):
    add_coco(mixed / "reviewed.json", ["5.jpg"])
    for share in (0.0, 100.0, float("nan")):
        message = ask(mixed, use=("boxes.json",), hold_out=share)
        assert f"--hold_out {share:g}: give a share in percent" in message
    message = ask(mixed, validation="boxes.json", hold_out=0.0)
    assert "either --validation or --hold_out" in message
    found = plan(mixed, validation="reviewed.json")
    assert name_sources(found.validation) == ["reviewed.json"]
    assert name_sources(found.training) == ["boxes.json", "labels.csv"]


def test_class_folders_beside_boxes(mixed):
    add_images(mixed / "more/bus", ["x.jpg"])
    add_images(mixed / "more/cat", ["y.jpg"])
    found = plan(mixed)
    assert name_sources(found.training)[0] == "boxes.json"
    assert "more/" in name_sources(found.training)
    add_images(mixed / "more/camera_2", ["z.jpg"])
    message = ask(mixed)
    assert "the folders in more/ may be classes (bus, camera_2, cat)" in message
    assert "--use boxes.json --use labels.csv" in message
    found = plan(mixed, use=("boxes.json", "labels.csv"))
    assert len(found.training) == 2


def test_a_detectors_boxes_are_taken_only_if_a_flag_says_so(mixed):
    result = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}
    (mixed / "machine.json").write_text(json.dumps([result]))
    found = plan(mixed)
    assert found.machine_boxes is None
    assert any("machine.json is not used: scored boxes are" in r for r in found.remarks)
    found = plan(mixed, machine_boxes="machine.json")
    assert found.machine_boxes == "machine.json"
    message = ask(mixed, machine_boxes="boxes.json")
    assert "--machine_boxes boxes.json: no scored boxes" in message


def test_images_without_annotation_are_passed_over(mixed):
    add_images(mixed / "unlabelled", ["x.jpg", "y.jpg"])
    found = data.survey_folder(mixed)
    assert found.passed_over == {
        "images that no source has": ["unlabelled/x.jpg", "unlabelled/y.jpg"]
    }


def test_one_set_as_yolo_and_as_coco_is_a_question(tmp_path):
    export_forms.write_yolo(tmp_path)
    names = [
        p.relative_to(tmp_path / "images").as_posix()
        for p in sorted((tmp_path / "images").rglob("*.*"))
    ]
    add_coco(tmp_path / "annotations.json", names)
    message = ask(tmp_path)
    assert "--use annotations.json or --use data.yaml:train" in message
    (source,) = plan(tmp_path, use=("data.yaml:train",)).training
    assert source.reader == "read_yolo"


def test_roles_and_common_folders():
    assert find_role("annotations/instances_val2017.json") == "validation"
    assert find_role("train/boxes.json") == "training"
    assert find_role("minival") == "validation"
    assert find_role("train_val/boxes.json") == ""
    assert find_role("restraint/attest.json") == ""
    assert find_common_folder(["a/b/x.jpg", "a/c/x.jpg"]) == "a/"
    assert find_common_folder(["a/b/x.jpg", "c/b/x.jpg"]) == ""
    assert find_common_folder([]) == ""


@pytest.mark.parametrize("content", [None, "file"])
def test_a_folder_that_is_none(tmp_path, content):
    path = tmp_path / "mine"
    if content:
        path.write_text(content)
    with pytest.raises(DataError, match="mine: (a file, not a|no such) folder"):
        data.survey_folder(path)


def test_a_folder_without_annotations(tmp_path):
    add_images(tmp_path, ["a.jpg"])
    with pytest.raises(DataError, match="no annotation of a form that is known"):
        plan(tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        {"occluded": "ignored"},
        {"class_attribute": "kind"},
        {"label_attribute": "shows"},
        {"unlisted": "unknown"},
        {"images": "images"},
    ],
)
def test_an_answer_that_no_source_asks_for_is_refused(answer, tmp_path):
    export_forms.write_voc_xml(tmp_path)
    message = ask(tmp_path, **answer)
    (flag,) = answer
    assert f"--{flag} would do nothing, as no source that is used asks" in message
    assert "VOC's XML files" in message
