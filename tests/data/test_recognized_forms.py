"""Each form of annotation is recognised in a folder, by what is in its files."""

import base64
import json

import export_forms
import pytest
from source_folders import add_coco, add_images, ask, name_sources, plan

from ehsod_tf import data
from ehsod_tf.config import export_readers
from ehsod_tf.data.recognition.json_outline import list_keys


def test_roboflow_has_its_own_validation_set(tmp_path):
    for part in ("train", "valid", "test"):
        add_images(tmp_path / part, ["a_jpg.rf.1.jpg"])
        add_coco(tmp_path / part / "_annotations.coco.json", ["a_jpg.rf.1.jpg"])
    found = plan(tmp_path)
    assert name_sources(found.training) == ["train/_annotations.coco.json"]
    assert name_sources(found.validation) == ["valid/_annotations.coco.json"]
    assert found.held_out is None
    assert any(
        "test/_annotations.coco.json is not used: it is for test" in remark
        for remark in found.remarks
    )
    text = data.format_survey(data.survey_folder(tmp_path))
    assert "train/_annotations.coco.json: Roboflow COCO, 2 categories" in text


def test_class_folders(tmp_path):
    for part in ("train", "val"):
        for name in ("train", "bus"):
            add_images(tmp_path / part / name, [f"{part}.jpg"])
    found = data.survey_folder(tmp_path)
    assert name_sources(found.sources) == ["train/", "val/"]
    assert found.sources[0].class_names == ("bus", "train")
    remarks = plan(tmp_path).remarks
    assert any("val/ is not used: an evaluation needs boxes" in r for r in remarks)


def test_open_images_by_its_tables(tmp_path):
    ids = [f"{number:016x}" for number in range(3)]
    for part in ("train", "validation"):
        add_images(tmp_path / part, [f"{image_id}.jpg" for image_id in ids])
        header = "ImageID,Source,LabelName,Confidence"
        rows = "".join(f"{image_id},x,/m/1,1\n" for image_id in ids)
        for name in ("human-imagelabels", "machine-imagelabels"):
            (tmp_path / f"{part}-annotations-{name}.csv").write_text(
                f"{header}\n{rows}"
            )
        # Of other images than the first ones here.
        (tmp_path / f"{part}-annotations-bbox.csv").write_text(
            f"{header},XMin,XMax,YMin,YMax\n{'f' * 16},x,/m/1,1,0,1,0,1\n"
        )
    (tmp_path / "class-descriptions-boxable.csv").write_text("/m/1,Cat\n/m/2,Dog\n")
    hierarchy = {"LabelName": "/m/0", "Subcategory": [{"LabelName": "/m/1"}]}
    (tmp_path / "hierarchy.json").write_text(json.dumps(hierarchy))
    survey = data.survey_folder(tmp_path)
    assert {r: len(p) for r, p in survey.passed_over.items()} == {
        "labels of a machine": 2
    }
    found = data.plan_folder(survey, data.FolderChoices())
    assert found.training[0].arguments == {
        "boxes_csv": "train-annotations-bbox.csv",
        "labels_csv": "train-annotations-human-imagelabels.csv",
        "classes_csv": "class-descriptions-boxable.csv",
        "hierarchy_json": "hierarchy.json",
        "image_dir": "train",
    }
    assert found.validation[0].arguments["image_dir"] == "validation"


def test_a_devkit_by_its_lists(tmp_path):
    devkit = tmp_path / "VOCdevkit/VOC2007"
    add_images(devkit / "JPEGImages", ["000001.jpg", "000002.jpg"])
    add_images(devkit / "SegmentationClass", ["000001.png"])
    lists = devkit / "ImageSets/Main"
    lists.mkdir(parents=True)
    (devkit / "Annotations").mkdir()
    (devkit / "Annotations/000001.xml").write_text("<annotation/>")
    for name in ("train", "val", "trainval", "test"):
        (lists / f"{name}.txt").write_text("000001\n")
    (lists / "cat_train.txt").write_text("000001 -1\n000002  1\n")
    survey = data.survey_folder(tmp_path)
    assert {r: len(p) for r, p in survey.passed_over.items()} == {
        "lists of single classes": 1
    }
    found = plan(tmp_path)
    assert found.training[0].arguments == {
        "devkit": "VOCdevkit/VOC2007",
        "image_set": "train",
    }
    assert found.validation[0].arguments["image_set"] == "val"
    assert any("trainval.txt is not used: it joins" in r for r in found.remarks)
    for name in ("train", "val"):
        (lists / f"{name}.txt").unlink()
    found = plan(tmp_path)
    assert found.training[0].arguments["image_set"] == "trainval"
    assert found.validation[0].arguments["image_set"] == "test"


def test_records_need_a_place_for_their_images(tmp_path):
    for number in range(3):
        (tmp_path / f"records-0000{number}-of-00003").write_bytes(b"")
    assert "are to be unpacked, with --images" in ask(tmp_path)
    (source,) = plan(tmp_path, images=str(tmp_path / "images")).training
    assert source.arguments == {"pattern": "records-*", "image_dir": "images"}


def test_json_files_by_their_keys(tmp_path):
    result = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}
    (tmp_path / "results.json").write_text(json.dumps([result]))
    split = {"seed": 0, "percent": 10.0, "strong_image_ids": [1]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    captions = {
        "images": [{"id": 1, "file_name": "0.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "caption": "a cat"}],
    }
    (tmp_path / "captions.json").write_text(json.dumps(captions))
    (tmp_path / "empty.json").write_text("")
    found = data.survey_folder(tmp_path).passed_over
    assert {reason: len(paths) for reason, paths in found.items()} == {
        "scored boxes (COCO results)": 1,
        "a split of ehsod": 1,
        "COCO captions": 1,
        "not JSON": 1,
    }


@pytest.mark.parametrize(
    ("write", "reader", "path"),
    [
        (export_forms.write_yolo, "read_yolo", "data.yaml:train"),
        (export_forms.write_roboflow, "read_roboflow", "train/_annotations.coco.json"),
        (export_forms.write_voc_xml, "read_voc_xml", "./"),
        (export_forms.write_cvat, "read_cvat", "annotations.xml"),
        (export_forms.write_label_studio, "read_label_studio", "tasks.json"),
        (export_forms.write_labelme, "read_labelme", "./"),
        (export_forms.write_via, "read_via", "project.json"),
        (export_forms.write_box_csv, "read_box_csv", "boxes.csv"),
    ],
)
def test_exports_of_tools(write, reader, path, tmp_path):
    """Each is recognised, and read as it was recognised."""
    write(tmp_path)
    survey = data.survey_folder(tmp_path)
    found = data.plan_folder(survey, data.FolderChoices())
    assert not survey.passed_over
    (source,) = found.training
    assert (source.reader, source.path) == (reader, path)
    findings = data.Findings()
    read = getattr(export_readers, reader)
    image_set = read(str(tmp_path), **source.arguments, findings=findings)
    assert not findings.problems
    assert len(image_set.paths) == len(export_forms.SIZES)
    below = source.image_dirs[0]
    assert all(p.startswith(str(tmp_path / below)) for p in image_set.paths)


def test_labelme_and_label_studio(tmp_path):
    names = [f"{i}.jpg" for i in range(30)]
    add_images(tmp_path / "one", names)
    add_images(tmp_path / "two/media", [f"b{name}" for name in names])
    for i in range(30):
        shape = {"label": "cat", "points": [[1, 1], [4, 4]]}
        content = {"version": "5", "shapes": [shape], "imagePath": f"{i}.jpg"}
        (tmp_path / "one" / f"{i}.json").write_text(json.dumps(content))
    tasks = [
        {
            "id": i,
            "annotations": [{"result": [{"type": "rectanglelabels"}]}],
            "data": {"image": f"/data/upload/1/0123abcd-b{i}.jpg"},
        }
        for i in range(30)
    ]
    (tmp_path / "two/tasks.json").write_text(json.dumps(tasks))
    survey = data.survey_folder(tmp_path)
    assert not survey.passed_over
    found = data.plan_folder(survey, data.FolderChoices())
    assert [(s.reader, s.arguments) for s in found.training] == [
        ("read_labelme", {"folder": "one"}),
        (
            "read_label_studio",
            {"json_file": "two/tasks.json", "image_dir": "two/media"},
        ),
    ]


def test_images_embedded_in_labelmes_files(tmp_path):
    """A flag says where they are unpacked to; there they are no further images."""
    add_images(tmp_path, ["0.png"])
    embedded = base64.b64encode((tmp_path / "0.png").read_bytes()).decode()
    (tmp_path / "0.png").unlink()
    fields = {"imagePath": "0.png", "imageHeight": 8, "imageWidth": 8}
    shape = {"label": "cat", "points": [[1, 1], [4, 4]], "shape_type": "rectangle"}
    content = fields | {"imageData": embedded, "shapes": [shape]}
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "0.json").write_text(json.dumps(content))
    (first,) = plan(tmp_path, images="unpacked").training
    assert first.arguments["unpack_dir"] == "unpacked"
    findings = data.Findings()
    read = export_readers.read_labelme(tmp_path, **first.arguments, findings=findings)
    assert not findings.problems and len(read.paths) == 2
    (second,) = plan(tmp_path, images="unpacked").training
    assert second == first
    passed_over = data.survey_folder(tmp_path).passed_over
    assert [len(p) for p in passed_over.values()] == [2]
    assert "unpack_dir" not in plan(tmp_path).training[0].arguments


def test_xml_files_by_part(tmp_path):
    for part in ("train", "valid"):
        for folder in ("a", "b"):
            add_images(tmp_path / part / folder / "images", ["0.jpg"])
            annotations = tmp_path / part / folder / "annotations"
            annotations.mkdir()
            (annotations / "0.xml").write_text("<annotation></annotation>")
    found = plan(tmp_path)
    assert name_sources(found.training) == ["train/"]
    assert name_sources(found.validation) == ["valid/"]


def test_lvis_has_addresses(tmp_path):
    add_images(tmp_path / "coco/train2017", ["0.jpg", "1.jpg"])
    images = [
        {
            "id": i,
            "coco_url": f"http://images.cocodataset.org/train2017/{i}.jpg",
            "neg_category_ids": [],
            "not_exhaustive_category_ids": [],
        }
        for i in range(2)
    ]
    annotations = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [0, 0, 1, 1]}]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cat", "synset": "cat.n.01"}],
    }
    (tmp_path / "lvis_v1_train.json").write_text(json.dumps(content))
    (source,) = plan(tmp_path).training
    assert (source.form, source.reader) == ("LVIS", "read_lvis")
    assert source.arguments["image_dir"] == "coco"


def test_keys_of_a_beginning():
    text = '{"a": [{"b": "x: {", "c": {"d": 1}}], "e\\"": 2, "f": [{"g": [1, 2'
    assert list_keys(text) == {
        *("a", "a.[].b", "a.[].c", "a.[].c.d", 'e\\"', "f", "f.[].g"),
    }


def test_tables_with_a_column_for_each_class(tmp_path):
    """Roboflow's form for images with several labels: a table in each subset."""
    for part in ("train", "valid"):
        add_images(tmp_path / part, ["0.jpg", "1.jpg"])
        table = tmp_path / part / "_classes.csv"
        table.write_text("filename, bus, cat\n0.jpg, 1, 0\n1.jpg, 0, 0\n")
    (tmp_path / "sizes.csv").write_text("filename,width\n0.jpg,8\n1.jpg,6\n")
    add_coco(tmp_path / "boxed/boxes.json", ["b.jpg"])
    add_images(tmp_path / "boxed", ["b.jpg"])
    found = plan(tmp_path)
    assert name_sources(found.training) == ["boxed/boxes.json", "train/_classes.csv"]
    assert found.training[1].arguments["image_dir"] == "train"
    survey = data.survey_folder(tmp_path)
    assert survey.passed_over == {"tables of no form that is known": ["sizes.csv"]}


def test_two_tables_of_boxes_share_a_folder(tmp_path):
    """The images of the one are not empty images of the other."""
    add_images(tmp_path / "images", ["0.jpg", "1.jpg", "2.jpg"])
    header = "image,xmin,ymin,xmax,ymax,label\n"
    (tmp_path / "train.csv").write_text(f"{header}0.jpg,1,1,5,5,cat\n")
    (tmp_path / "val.csv").write_text(f"{header}1.jpg,1,1,5,5,cat\n")
    found = plan(tmp_path)
    (source,) = found.validation
    assert source.path == "val.csv" and "unannotated" not in source.takes
    message = ask(tmp_path, unannotated="empty")
    assert "--unannotated would do nothing" in message
    (tmp_path / "val.csv").unlink()
    (source,) = plan(tmp_path, hold_out=50.0).training
    assert "unannotated" in source.takes
