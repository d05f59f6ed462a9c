"""What YOLO data sets of several tools look like, and how they are read."""

import re

import export_forms
import numpy as np
import pytest
from image_encoding import make_exif
from PIL import Image

from ehsod_tf import data
from ehsod_tf.data import Findings
from ehsod_tf.errors import ConfigError, DataError

NAMES = "names: [cat, dog, cow]\n"


@pytest.fixture
def yolo(tmp_path):
    """The data set in a folder, and what reads it with another description."""
    export_forms.write_yolo(tmp_path)
    expected = data.read_yolo(tmp_path, findings=Findings())

    def read(text, subset="train", **options):
        (tmp_path / "data.yaml").write_text(text)
        findings = Findings()
        found = data.read_yolo(
            tmp_path / "data.yaml", subset, findings=findings, **options
        )
        assert not findings.problems
        return found, "\n".join(findings.notes)

    read.folder, read.expected = tmp_path, expected
    return read


def assert_same(found, expected):
    assert sorted(found.paths) == sorted(expected.paths)
    order = [found.paths.index(path) for path in expected.paths]
    np.testing.assert_array_equal(found.sizes[order], expected.sizes)
    np.testing.assert_array_equal(found.image_labels[order], expected.image_labels)
    np.testing.assert_array_equal(
        found.boxes[np.lexsort(found.boxes.T)],
        expected.boxes[np.lexsort(expected.boxes.T)],
    )


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train\n",
        "train: ./images/train/\n",
        "train: images\\train\n",
        "train: [images/train, images/train/more]\n",
        "train: ['images/train/*.jpg', 'images/train/*.JPG', images/train/e.png, "
        "images/train/more]\n",
        "train: ['images/**/*.jpg', '**/*.JPG', 'images/**/*.png']\n",
        "train: images/tra*\n",
        "train: ../images/train\n",
        "train: ../../images/train\n",
        "train: /home/me/data/images/train\n",
        "path: C:\\data\ntrain: C:\\data\\images\\train\n",
        "path: /nowhere\ntrain: images/train\n",
        "train: list.txt\n",
        "train: there.txt\n",
        "val: images/none\ntrain: images/train\ntest:\n",
    ],
)
def test_ways_to_say_where_the_images_are(text, yolo):
    images = yolo.folder / "images" / "train"
    names = [path.relative_to(images).as_posix() for path in images.rglob("*.*")]
    lines = "".join(f"./images/train/{name}\r\n" for name in names)
    (yolo.folder / "list.txt").write_text(lines)
    lines = "\n".join(f"D:\\x\\images\\train\\{name}" for name in names)
    (yolo.folder / "there.txt").write_text(lines + "\n\n")
    found, notes = yolo(text + NAMES)
    assert_same(found, yolo.expected)
    is_moved = any(word in text for word in ("..", "home", "C:", "/nowhere", "there"))
    assert ("not there as" in notes) == is_moved


def test_a_bracket_in_the_name_of_the_folder_is_no_pattern(tmp_path):
    folder = tmp_path / "mine [1]" / "two"
    export_forms.write_yolo(folder)
    for entry in ("images/**/*.jpg", f"{folder}/images/train/*.jpg", "../t*/images"):
        (folder / "data.yaml").write_text(f"train: {entry}\n{NAMES}")
        found = data.read_yolo(folder, findings=Findings())
        assert f"{folder}/images/train/a.jpg" in found.paths


@pytest.mark.parametrize(
    "names",
    [
        "names: [cat, dog, cow]",
        "names: ['cat', \"dog\", cow ]\nnc: 3",
        "names:\n- cat\n- dog\n- cow",
        "names: {2: cow, 0: cat, 1: dog}",
        "names:\n  '0': cat\n  '1': dog\n  '2': cow\nroboflow:\n  version: 2",
        "\ufeffnames: [cat, dog, cow]",
    ],
)
def test_ways_to_give_the_names(names, yolo):
    found, _ = yolo(f"{names}\ntrain: images/train\n")
    assert found.class_names == ("cat", "dog", "cow")
    assert found.category_ids == (0, 1, 2)
    assert_same(found, yolo.expected)


def test_names_that_yaml_takes_for_other_things(yolo):
    found, _ = yolo("train: images/train\nnames: [no, 1, 2024-01-01]\n")
    assert found.class_names == ("no", "1", "2024-01-01")


def test_classes_are_selected_and_ordered(yolo):
    found, _ = yolo(f"train: images/train\n{NAMES}", class_names=("cow", "cat"))
    assert found.class_names == ("cow", "cat")
    assert found.category_ids == (2, 0)
    assert sorted(found.classes.tolist()) == [0, 0, 1, 1]
    with pytest.raises(DataError, match="no class is called 'cot'; did you mean"):
        yolo(f"train: images/train\n{NAMES}", class_names=("cot",))


def test_a_missing_file_is_unknown_and_an_empty_one_is_background(yolo):
    labels = yolo.folder / "labels" / "train"
    (labels / "a.txt").unlink()
    (labels / "e.txt").write_bytes(b"\r\n")
    findings = Findings()
    found = data.read_yolo(yolo.folder, findings=findings)
    assert "images/train/a.jpg" not in found.image_names
    empty = found.image_names.index("images/train/e.png")
    assert found.has_boxes[empty] and not found.image_labels[empty].any()
    assert "3 images with boxes, 0 with image labels, 1 without any annotation" in (
        "\n".join(findings.notes)
    )
    assert list(findings.unannotated.values()) == [1]
    findings = Findings()
    found = data.read_yolo(yolo.folder, unannotated="empty", findings=findings)
    assert len(found.paths) == 4 and found.has_boxes.all()
    assert "1 image without label file, taken as background" in (
        "\n".join(findings.notes)
    )
    image = yolo.folder / "images" / "train" / "a.jpg"
    Image.new("RGB", (8, 9)).save(image, exif=make_exif(6))
    findings = Findings()
    found = data.read_yolo(yolo.folder, unannotated="empty", findings=findings)
    assert len(found.paths) == 4 and not findings.problems
    image.write_bytes(b"none")
    findings = Findings()
    assert len(data.read_yolo(yolo.folder, findings=findings).paths) == 3
    assert not findings.problems and list(findings.unannotated.values()) == [1]
    with pytest.raises(ConfigError, match="unannotated is one of leave_out, empty"):
        data.read_yolo(yolo.folder, unannotated="background")


def test_outlines_become_their_boxes(yolo):
    path = yolo.folder / "labels" / "train" / "e.txt"
    path.write_text("2 0.25 0.25 0.75 0.25 0.5 0.75\n1 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4")
    found, notes = yolo(f"train: images/train\n{NAMES}")
    row = found.image_names.index("images/train/e.png")
    boxes = found.boxes[slice(*found.row_splits[row : row + 2])]
    assert boxes.tolist() == [[5, 5, 15, 15], [4, 2, 8, 6]]
    assert "2 outlines, of which the box is taken" in notes


def test_key_points_behind_boxes_are_passed_over(yolo):
    path = yolo.folder / "labels" / "train" / "e.txt"
    path.write_text("2 0.5 0.5 0.5 0.5 120 80 2 0 0 0\n")
    found, _ = yolo(f"train: images/train\nkpt_shape: [2, 3]\n{NAMES}")
    assert_same(found, yolo.expected)


def test_labels_beside_the_images(yolo):
    for path in (yolo.folder / "labels" / "train").rglob("*.txt"):
        name = path.relative_to(yolo.folder / "labels")
        path.rename(yolo.folder / "images" / name)
    (yolo.folder / "labels" / "train" / "more").rmdir()
    (yolo.folder / "labels" / "train").rmdir()
    (yolo.folder / "images" / "train" / "classes.txt").write_text("cat\ndog\ncow\n")
    found, notes = yolo(f"train: images/train\n{NAMES}")
    assert_same(found, yolo.expected)
    assert not notes


@pytest.mark.parametrize("labels", ["labels", "Labels"])
def test_capitals_in_the_names_of_folders_and_files(labels, yolo):
    (yolo.folder / "images").rename(yolo.folder / "Images")
    (yolo.folder / "labels").rename(yolo.folder / labels)
    for path in (yolo.folder / labels).rglob("*.txt"):
        path.rename(path.with_suffix(".TXT"))
    found, notes = yolo(f"train: Images/train\n{NAMES}")
    paths = [path.replace("/images/", "/Images/") for path in yolo.expected.paths]
    assert_same(found, yolo.expected._replace(paths=paths))
    assert not notes


def test_label_files_of_no_image_are_counted(yolo):
    (yolo.folder / "labels" / "train" / "z.txt").write_text("0 1 1 1 1")
    _, notes = yolo(f"train: images/train\n{NAMES}")
    assert re.search(r"1 label file of no image .*z.txt", notes)


def test_what_label_studio_exports(yolo):
    (yolo.folder / "data.yaml").unlink()
    for kind in ("images", "labels"):
        (yolo.folder / kind / "train").rename(yolo.folder / f"{kind}_")
        (yolo.folder / kind).rmdir()
        (yolo.folder / f"{kind}_").rename(yolo.folder / kind)
    (yolo.folder / "classes.txt").write_text("cat\ndog\ncow\n")
    notes = '{"categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}, %s]}'
    (yolo.folder / "notes.json").write_text(notes % '{"id": 2, "name": "cow"}')
    found = data.read_yolo(yolo.folder)
    assert sorted(found.image_names)[0] == "images/a.jpg"
    np.testing.assert_array_equal(
        found.boxes[np.lexsort(found.boxes.T)],
        yolo.expected.boxes[np.lexsort(yolo.expected.boxes.T)],
    )
    (yolo.folder / "notes.json").write_text(notes % '{"id": 2, "name": "cot"}')
    with pytest.raises(DataError, match="class 2 is 'cot' here and 'cow' in classes"):
        data.read_yolo(yolo.folder)


def test_boxes_without_extent_are_ignored(yolo):
    (yolo.folder / "labels" / "train" / "e.txt").write_text("2 0.5 0.5 0 0.5\n")
    found, notes = yolo(f"train: images/train\n{NAMES}")
    assert found.ignored.sum() == 1
    assert "1 box without height or width" in notes


def test_what_is_passed_over_is_counted(yolo):
    images = yolo.folder / "images" / "train"
    (images / "scan.TIF").write_bytes(b"")
    (images / "._a.jpg").write_bytes(b"")
    (images / ".hidden").mkdir()
    (images / "linked").symlink_to(images / "more")
    found, notes = yolo(f"train: images/train\n{NAMES}")
    assert_same(found, yolo.expected)
    assert "passed over, 3 in all: images of a kind that is not read" in notes
