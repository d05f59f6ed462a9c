import os
import shutil

import numpy as np
import pytest

from ehsod_tf.data import read_class_folders
from ehsod_tf.data.image_files import derive_image_id
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN


@pytest.fixture
def folder(tmp_path, write_image):
    """cat/1.PNG, cat/old/2.png, cat/3.png, dog/2.png; 3.png is in dog too."""
    write_image("images/cat/1.png", 4, 6, (1, 0, 0))
    root = tmp_path / "images"
    (root / "cat/1.png").rename(root / "cat/1.PNG")
    write_image("images/cat/old/2.png", 4, 6, (2, 0, 0))
    write_image("images/cat/3.png", 4, 6, (3, 0, 0))
    write_image("images/dog/2.png", 5, 7, (4, 0, 0))
    shutil.copy(root / "cat/3.png", root / "dog/3.png")
    return root


def test_columns(folder):
    found = read_class_folders(folder)
    assert found.class_names == ("cat", "dog")
    assert found.category_ids == (1, 2)
    names = ["cat/1.PNG", "cat/3.png", "cat/old/2.png", "dog/2.png"]
    assert found.image_names == names
    assert found.paths == [str(folder / name) for name in names]
    ids = [derive_image_id(name) for name in names]
    np.testing.assert_array_equal(found.image_ids, ids)
    np.testing.assert_array_equal(found.sizes, [[4, 6], [4, 6], [4, 6], [5, 7]])
    labels = [[PRESENT, ABSENT], [PRESENT, PRESENT], [PRESENT, ABSENT]]
    np.testing.assert_array_equal(found.image_labels[:3], labels)
    np.testing.assert_array_equal(found.image_labels[3], [ABSENT, PRESENT])
    assert not found.has_boxes.any()


def test_unlisted_classes_can_be_unknown(folder):
    found = read_class_folders(folder, unlisted="unknown", class_names=("dog", "cat"))
    np.testing.assert_array_equal(found.image_labels[0], [UNKNOWN, PRESENT])
    np.testing.assert_array_equal(found.image_labels[1], [PRESENT, PRESENT])


def test_one_name_with_other_bytes_is_another_image(folder, write_image):
    write_image("images/dog/1.PNG", 4, 6, (9, 9, 9))
    found = read_class_folders(folder)
    assert {"cat/1.PNG", "dog/1.PNG"} <= set(found.image_names)


def test_what_is_passed_over_is_noted(folder):
    (folder / "list.txt").touch()
    (folder / ".git").mkdir()
    (folder / "cat/notes.txt").touch()
    (folder / "cat/._1.png").touch()
    os.symlink(folder, folder / "cat/up")
    (folder / "cow").mkdir()
    findings = Findings()
    found = read_class_folders(folder, findings=findings)
    assert len(found.paths) == 4 and found.class_names == ("cat", "cow", "dog")
    assert not findings.problems
    notes = "\n".join(findings.notes)
    for words in (
        "2 files or hidden folders beside the class folders, passed over "
        "(first: '.git', 'list.txt')",
        "3 files or folders, hidden, links to folders or no images, passed "
        "over (first: 'cat/up', 'cat/._1.png', 'cat/notes.txt')",
        "cow: this class folder holds no image",
    ):
        assert words in notes
    assert len(findings.notes) == 3


def test_folders_that_are_no_class_are_noted(folder):
    findings = Findings()
    found = read_class_folders(folder, class_names=("dogs", "cat"), findings=findings)
    assert found.image_names == ["cat/1.PNG", "cat/3.png", "cat/old/2.png"]
    assert "folder 'dog' is no class and is left out; did you mean" in findings.notes[0]
    assert "no folder of class 'dogs'" in findings.notes[1]


def test_bad_files(folder):
    (folder / "cat/4.png").touch()
    (folder / "dog/5.jpg").write_bytes(b"text")
    with open(os.fsencode(folder) + b"/dog/\xff.png", "wb"):
        pass
    os.mkdir(os.fsencode(folder) + b"/\xff")
    findings = Findings()
    found = read_class_folders(folder, findings=findings)
    assert len(found.paths) == 4
    messages = [str(problem) for problem in findings.problems]
    assert len(messages) == 4
    for words in (
        "cat/4.png: the file is empty",
        "dog, file '\\udcff.png': ",
        "dog/5.jpg: not an image",
        "images, folder '\\udcff': ",
    ):
        [line] = [line for line in messages if words in line]
        assert line.isprintable()


@pytest.mark.parametrize("number", ["no folder", "no class", "no image"])
def test_no_images_at_all(tmp_path, number):
    root = tmp_path / "images"
    if number != "no folder":
        root.mkdir()
    if number == "no image":
        (root / "cat").mkdir()
    words = {"no folder": "cannot be read", "no class": "holds no class folder"}
    with pytest.raises(DataError, match=words.get(number, "no image in the folders")):
        read_class_folders(root)
