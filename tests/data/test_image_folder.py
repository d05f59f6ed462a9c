"""Which file of a folder does a path of another place mean?"""

import pytest

from ehsod_tf.data import Findings
from ehsod_tf.data.readers.image_folder import FileIndex

FILES = ("a.jpg", "x/a.jpg", "x/b.jpg", "y/b.jpg", "z/c d.jpg", "x/y/e.jpg")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("/home/me/x/a.jpg", "x/a.jpg"),
        ("other/a.jpg", "a.jpg"),
        ("C:\\mine\\x\\b.jpg", "x/b.jpg"),
        ("c%20d.jpg", "z/c d.jpg"),
        ("0123abcd-a.jpg", "a.jpg"),
        ("upload/3/0123abcd-a.jpg", "a.jpg"),
        ("e.jpg", "x/y/e.jpg"),
        ("y/e.jpg", "x/y/e.jpg"),
        # There are two of these.
        ("b.jpg", None),
        # In that folder there is none.
        ("k/e.jpg", None),
        ("mine/y/a.jpg", None),
        ("A.jpg", None),
        ("", None),
        ("/", None),
    ],
)
def test_the_end_of_a_path_tells(reference, found):
    assert FileIndex(FILES).find(reference) == found


@pytest.mark.parametrize(
    ("reference", "found", "is_noted"),
    [
        ("/mine/x/a.jpg", "x/a.jpg", False),
        ("e.jpg", "x/y/e.jpg", False),
        ("/mine/k/e.jpg", "x/y/e.jpg", True),
        ("C:\\mine\\k\\e.jpg", "x/y/e.jpg", True),
        ("/mine/k/a.jpg", "a.jpg", True),
        # That folder is here, but has no such file.
        ("/mine/z/e.jpg", None, False),
        ("/mine/k/b.jpg", None, False),
        ("", None, False),
    ],
)
def test_a_name_alone_tells_where_the_folder_is_another(reference, found, is_noted):
    index, findings = FileIndex(FILES), Findings()
    assert index.find_by_name(reference) == found
    index.note("boxes.json", findings)
    assert len(findings.notes) == is_noted
    assert not is_noted or "1 image not in the folder that" in findings.notes[0]


def test_of_one_folder_no_other_file_can_be_meant():
    index, findings = FileIndex(["a.jpg", "b.jpg"]), Findings()
    assert index.find_by_name("/mine/k/b.jpg") == "b.jpg"
    index.note("boxes.json", findings)
    assert not findings.notes


@pytest.mark.parametrize(
    ("folder", "path", "found", "is_noted"),
    [
        ("x", "b.jpg", "x/b.jpg", False),
        ("x", "../y/b.jpg", "y/b.jpg", False),
        ("x", "..\\y\\b.jpg", "y/b.jpg", False),
        ("x", "D:\\mine\\b.jpg", "x/b.jpg", False),
        ("labels", "D:\\mine\\z\\c%20d.jpg", "z/c d.jpg", False),
        ("labels", "e.jpg", "x/y/e.jpg", True),
        # There are two of these.
        ("labels", "b.jpg", None, False),
        # The file of the annotation's own folder is missing, or that of the path's.
        ("y", "a.jpg", None, False),
        ("x", "e.jpg", None, False),
        ("labels", "../z/e.jpg", None, False),
        ("", "e.jpg", None, False),
        ("x", "", None, False),
    ],
)
def test_where_an_annotation_lies_tells(folder, path, found, is_noted):
    index, findings = FileIndex(FILES), Findings()
    assert index.find_from(folder, path) == found
    index.note("labels", findings)
    assert len(findings.notes) == is_noted
