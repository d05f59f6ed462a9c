"""The classes of a folder are those of all its sources."""

import functools
import json
import shutil

import export_forms
import numpy as np
import pytest
from PIL import Image
from source_folders import add_coco, add_images, add_table, plan

from ehsod_tf import data
from ehsod_tf.config import export_readers, further_readers, readers
from ehsod_tf.errors import DataError
from ehsod_tf.structures import UNKNOWN

READERS = (
    *readers.READERS,
    *export_readers.READERS,
    *further_readers.READERS,
)


def test_sources_of_other_classes_keep_to_their_own(tmp_path):
    for place, class_names in (("one", ("bus", "cat")), ("two", ("dog", "cat"))):
        add_images(tmp_path / place, [f"{place}.jpg"], shade=len(class_names[0]))
        add_coco(tmp_path / place / "boxes.json", [f"{place}.jpg"], class_names)
    add_images(tmp_path, ["x.jpg"], shade=99)
    add_table(tmp_path / "labels.csv", ["x.jpg"])
    found = plan(tmp_path)
    assert found.class_names == ("bus", "cat", "dog")
    assert found.own_classes == (("bus", "cat"), ("dog", "cat"), None)
    assert plan(tmp_path, classes=("bus", "dog")).own_classes == (None,) * 3
    assert plan(tmp_path, boxed="in part").own_classes == found.own_classes


def write_devkit(folder):
    """A devkit that boxes a dog, one of VOC's own classes."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "JPEGImages/000007.jpg")
    box = "".join(f"<{corner}>4</{corner}>" for corner in ("xmax", "ymax"))
    box += "".join(f"<{corner}>2</{corner}>" for corner in ("xmin", "ymin"))
    text = f"<object><name>dog</name><bndbox>{box}</bndbox></object>"
    text = f"<size><width>8</width><height>8</height></size>{text}"
    path = folder / "Annotations/000007.xml"
    path.write_text(f"<annotation>{text}</annotation>")
    (folder / "ImageSets/Main/train.txt").write_text("000007\n")


def write_records(folder):
    export_forms.write_roboflow(folder / "a")
    image_set = data.read_roboflow(folder / "a", findings=data.Findings())
    data.write_tfrecords(image_set, folder / "b", num_shards=1)
    shutil.rmtree(folder / "a")


def write_open_images(folder):
    image_id = f"{7:016x}"
    add_images(folder, [f"{image_id}.jpg"])
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax"
    row = f"{image_id},x,dog,1,0,1,0,1"
    (folder / "boxes.csv").write_text(f"{header}\n{row}\n")


@pytest.mark.parametrize(
    "write",
    [
        *(export_forms.write_yolo, export_forms.write_roboflow, write_records),
        *(export_forms.write_voc_xml, export_forms.write_cvat, write_devkit),
        *(export_forms.write_label_studio, export_forms.write_labelme),
        *(export_forms.write_via, export_forms.write_box_csv, write_open_images),
    ],
)
def test_sources_of_every_form_name_their_classes(write, tmp_path):
    """Also those whose form has no list of them."""
    add_images(tmp_path / "one", ["one.jpg"], shade=3)
    add_coco(tmp_path / "one/boxes.json", ["one.jpg"], ("van", "cat"))
    write(tmp_path / "two")
    # The folder that records are unpacked to.
    choices = {"images": str(tmp_path / "one")} if write is write_records else {}
    found = plan(tmp_path, **choices)
    read = {reader.__name__: reader for reader in READERS}
    sources = [
        functools.partial(read[s.reader], str(tmp_path), **s.arguments)
        for s in found.training
    ]
    findings = data.Findings()
    image_set = data.read_mixture(
        tuple(sources),
        class_names=found.class_names,
        own_classes=found.own_classes,
        findings=findings,
    )
    assert not any("count as showing none" in note for note in findings.notes)
    van, dog = map(image_set.class_names.index, ("van", "dog"))
    is_first = np.array([name == "one.jpg" for name in image_set.image_names])
    assert is_first.sum() == 1 and not is_first.all()
    assert set(image_set.class_states[is_first, dog]) == {UNKNOWN}
    assert set(image_set.class_states[~is_first, van]) == {UNKNOWN}
    assert dog in image_set.classes


def test_classes_that_look_alike_in_two_sources_are_refused(tmp_path):
    for place, class_names in (("one", ("Bus", "cat")), ("two", ("bus", "cat"))):
        add_images(tmp_path / place, [f"{place}.jpg"], shade=len(place))
        add_coco(tmp_path / place / "boxes.json", [f"{place}.jpg"], class_names)
    with pytest.raises(DataError, match="'Bus' and 'bus' differ in upper and lower"):
        plan(tmp_path)
    assert plan(tmp_path, classes=("Bus", "bus")).class_names == ("Bus", "bus")


@pytest.mark.parametrize("points", [None, []])
def test_a_source_without_classes_has_those_of_the_others(points, tmp_path):
    """It shows nothing, or nothing of it is sound, which is said when it is used."""
    for place in ("1", "2"):
        add_images(tmp_path / place, [f"{place}.jpg"], shade=int(place))
    shapes = [] if points is None else [{"label": "cat", "points": points}]
    content = {"imagePath": "1.jpg", "shapes": shapes}
    (tmp_path / "1/1.json").write_text(json.dumps(content))
    add_coco(tmp_path / "2/boxes.json", ["2.jpg"])
    found = plan(tmp_path)
    assert found.class_names == ("bus", "cat") and found.own_classes == (None, None)
