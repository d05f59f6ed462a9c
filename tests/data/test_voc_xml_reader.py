"""Images and XML files as labelImg and others lay them out."""

import shutil

import export_forms
import numpy as np
import pytest

from ehsod_tf import data
from ehsod_tf.data import Findings
from ehsod_tf.errors import DataError


@pytest.fixture
def folder(tmp_path):
    export_forms.write_voc_xml(tmp_path / "data")
    return tmp_path / "data"


def read(folder, **options):
    findings = Findings()
    image_set = data.read_voc_xml(folder, findings=findings, **options)
    assert not findings.problems
    return image_set, "\n".join(findings.notes)


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("images", "annotations"),
        ("JPEGImages", "Annotations"),
        (".", "annotations"),
        ("images", "images"),
        ("Images", "xml"),
    ],
)
def test_two_folders_are_as_good_as_one(images, annotations, folder, tmp_path):
    expected, _ = read(folder)
    for path in sorted(folder.rglob("*.*")):
        where = annotations if path.suffix == ".xml" else images
        target = tmp_path / "two" / where / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    found, notes = read(tmp_path / "two")
    assert not notes
    assert found.image_names == expected.image_names
    assert found.class_names == ("cat", "cow", "dog")
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    np.testing.assert_array_equal(found.sizes, expected.sizes)


def test_an_image_without_a_file_is_unknown_or_empty(folder):
    (folder / "e.xml").unlink()
    found, notes = read(folder)
    assert "e.png" not in found.image_names
    assert "1 without any annotation, left out (first: e.png)" in notes
    found, _ = read(folder, unannotated="empty")
    row = found.image_names.index("e.png")
    assert found.has_boxes[row] and not found.image_labels[row].any()
    assert found.sizes[row].tolist() == [20, 20]
    (folder / "e.png").write_bytes(b"none")
    assert "e.png" not in read(folder)[0].image_names


def test_the_image_of_a_file_by_another_name(folder):
    (folder / "e.xml").rename(folder / "0001.xml")
    found, _ = read(folder)
    assert sorted(found.image_names) == ["a.jpg", "b.JPG", "e.png", "more/c d.png"]


def test_the_boxes_of_a_missing_image_go_to_no_other_one(folder, tmp_path):
    for name in ("A", "B"):
        shutil.copytree(folder, tmp_path / "both" / name)
    (tmp_path / "both" / "A" / "e.png").unlink()
    (tmp_path / "both" / "B" / "e.xml").unlink()
    found = data.read_voc_xml(tmp_path / "both", findings=Findings())
    assert "B/e.png" not in found.image_names


def test_an_image_in_another_folder_is_found_and_noted(folder):
    (folder / "xml").mkdir()
    (folder / "images" / "deep").mkdir(parents=True)
    (folder / "e.xml").rename(folder / "xml" / "e.xml")
    (folder / "e.png").rename(folder / "images" / "deep" / "e.png")
    found, notes = read(folder)
    assert found.image_names == ["deep/e.png"]
    assert "1 image not in the folder that the annotation means" in notes


def test_a_stale_file_name_is_noted(folder):
    (folder / "e.xml").rename(folder / "f.xml")
    (folder / "e.png").rename(folder / "f.png")
    found, notes = read(folder)
    assert "f.png" in found.image_names
    assert "1 file with a <filename> other than that of the image" in notes


def test_an_extension_in_the_file_name_does_not_matter(folder):
    text = (folder / "e.xml").read_text()
    for name in ("e", "E.PNG", "e.jpg"):
        (folder / "e.xml").write_text(text.replace("e.png", name))
        found, notes = read(folder)
        assert "e.png" in found.image_names and not notes


def test_difficult_objects_are_ignored_and_may_be_left_open(folder):
    text = (folder / "e.xml").read_text()
    (folder / "e.xml").write_text(text.replace("<difficult>0", "<difficult>1"))
    text = (folder / "b.xml").read_text()
    (folder / "b.xml").write_text(
        text.replace("<difficult>0", "<difficult>Unspecified")
    )
    found, notes = read(folder)
    row = found.image_names.index("e.png")
    assert found.ignored.tolist() == [False, False, False, True, False, False]
    assert found.image_labels[row].tolist() == [0, -1, 0]
    assert "1 object with a <difficult> that is empty or says Unspecified" in notes


def test_classes_that_are_not_asked_for_are_left_out(folder):
    found, _ = read(folder, class_names=("dog", "cat"))
    assert found.class_names == ("dog", "cat")
    assert len(found.boxes) == 4 and len(found.paths) == 4
    with pytest.raises(DataError, match="no class is called 'bird'"):
        data.read_voc_xml(folder, class_names=("bird",))
