import re

import numpy as np
import pytest

from ehsod_tf.data import read_label_csv
from ehsod_tf.data.image_files import derive_image_id
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

CLASS_NAMES = ("cat", "dog", "cow")


@pytest.fixture
def read(tmp_path, write_image):
    """Returns a function that writes lines below the header and reads the file.

    Images a.png (4 high, 6 wide), b.png and more/c.png are there.
    """
    for name in ("a.png", "b.png", "more/c.png"):
        write_image(f"images/{name}", 4, 6)

    def read_lines(*lines, header="file_name,labels", encoding="utf-8", **options):
        path = tmp_path / "labels.csv"
        path.write_bytes("\n".join((header, *lines)).encode(encoding))
        options = {"class_names": CLASS_NAMES} | options
        return read_label_csv(path, tmp_path / "images", **options)

    return read_lines


def test_columns(read, tmp_path):
    found = read("a.png,dog;cat", "more/c.png, cow ;", "", class_names=None)
    assert found.class_names == ("cat", "cow", "dog")
    assert found.category_ids == (1, 2, 3)
    assert found.image_names == ["a.png", "more/c.png"]
    assert found.paths[1] == str(tmp_path / "images" / "more/c.png")
    ids = [derive_image_id("a.png"), derive_image_id("more/c.png")]
    np.testing.assert_array_equal(found.image_ids, ids)
    np.testing.assert_array_equal(found.sizes, [[4, 6], [4, 6]])
    np.testing.assert_array_equal(found.row_splits, [0, 0, 0])
    labels = [[PRESENT, ABSENT, PRESENT], [ABSENT, PRESENT, ABSENT]]
    np.testing.assert_array_equal(found.image_labels, labels)
    assert not found.has_boxes.any()


@pytest.mark.parametrize(
    "line, options, labels",
    [
        ("a.png,dog,", {}, [ABSENT, PRESENT, ABSENT]),
        ("a.png,dog,", {"unlisted": "unknown"}, [UNKNOWN, PRESENT, UNKNOWN]),
        ("a.png,dog,cow", {}, [UNKNOWN, PRESENT, ABSENT]),
        ("a.png,,cow;cat", {}, [ABSENT, UNKNOWN, ABSENT]),
        ("a.png,,", {"unannotated": "empty"}, [ABSENT] * 3),
        (
            "a.png,,",
            {"unannotated": "empty", "unlisted": "unknown"},
            [ABSENT] * 3,
        ),
    ],
)
def test_label_states(read, line, options, labels):
    found = read(line, header="file_name,labels,absent_labels", **options)
    np.testing.assert_array_equal(found.image_labels, [labels])


def test_a_line_without_labels_is_left_out(read):
    findings = Findings()
    found = read("a.png,dog", "b.png, ; ", findings=findings)
    assert found.image_names == ["a.png"]
    assert not findings.problems
    [note] = findings.notes
    assert "1 without any annotation, left out (first: b.png)" in note
    with pytest.raises(DataError, match="no image in it is annotated"):
        read("b.png,")


def test_byte_order_mark_and_order_of_columns(read):
    found = read("dog,a.png", header="labels,file_name", encoding="utf-8-sig")
    assert found.image_names == ["a.png"]


@pytest.mark.parametrize(
    "header, lines",
    [
        ("filename;labels", ['a.png;"dog;cat"', "b.png;cow"]),
        ("labels\tfile_name", ["dog;cat\ta.png", "cow\tb.png"]),
        ("image,label", ["a.png,dog", "b.png,cow", "a.png,cat"]),
    ],
)
def test_other_names_and_delimiters(read, header, lines):
    found = read(*lines, header=header)
    assert found.image_names == ["a.png", "b.png"]
    np.testing.assert_array_equal(found.image_labels, [[1, 1, 0], [0, 0, 1]])


def test_a_column_for_each_class(read):
    """As Roboflow writes it, with a blank behind each comma."""
    lines = "a.png, 1, 0, 1", "b.png, 0, 0, 0", "more/c.png, , 1.0, False"
    header = "filename, dog, cow, cat"
    found = read(*lines, header=header, class_names=None)
    assert found.class_names == ("cat", "cow", "dog")
    labels = [[PRESENT, ABSENT, PRESENT], [ABSENT] * 3, [ABSENT, PRESENT, UNKNOWN]]
    np.testing.assert_array_equal(found.image_labels, labels)
    findings = Findings()
    options = {"class_names": ("dog", "cat", "horse"), "findings": findings}
    found = read(*lines, header=header, **options)
    # No column tells of horses, whatever `unlisted` says of other tables.
    labels = [[PRESENT, PRESENT, UNKNOWN], [ABSENT, ABSENT, UNKNOWN]]
    np.testing.assert_array_equal(found.image_labels[:2], labels)
    assert not findings.problems
    [note] = findings.notes
    assert "column 'cow' is no class and is left out; " in note


def test_a_line_without_marks(read):
    lines, header = ("a.png,1,0", "b.png,,"), "file_name,dog,cow"
    findings = Findings()
    found = read(*lines, header=header, findings=findings)
    assert found.image_names == ["a.png"]
    assert "1 without any annotation, left out (first: b.png)" in findings.notes[0]
    found = read(*lines, header=header, unannotated="empty")
    np.testing.assert_array_equal(found.image_labels[1], [ABSENT] * 3)


def test_bad_marks(read):
    findings = Findings()
    found = read(
        *("a.png,1,0", "b.png,yes,0", "more/c.png,0,1,1"),
        header="file_name,dog,cow",
        findings=findings,
    )
    assert found.image_names == ["a.png"]
    first, second = map(str, findings.problems)
    assert "labels.csv, line 3, dog: 'yes' is no mark; write 1 for a class" in first
    assert "line 4: 4 cells, but 3 columns" in second


@pytest.mark.parametrize(
    "line, words",
    [
        ("c.png,dgo", ("line 3, labels: ", "'dgo'", "did you mean 'dog'")),
        ("c.png,cow,cat", ("line 3: ", "3 cells, but 2 columns")),
        ("c.png", ("line 3: ", "1 cell, ")),
        (",cow", ("line 3, file_name: ", "no file name")),
        ("../c.png,cow", ("line 3, file_name: ", "out of the image folder")),
        ("c\0.png,cow", ("line 3, file_name: ", "not text")),
        ("c.png,co\0w", ("line 3, labels: ", "'co\\x00w'")),
        ("c.png,cow", ("c.png, line 3 of ", "missing")),
    ],
)
def test_bad_lines(read, line, words):
    findings = Findings()
    found = read("a.png,dog", line, "b.png,cat", findings=findings)
    assert found.image_names == ["a.png", "b.png"]
    [problem] = findings.problems
    for word in words:
        assert word in str(problem)
    with pytest.raises(DataError, match="line 3"):
        read("a.png,dog", line)


def test_a_line_for_each_label(read):
    findings = Findings()
    found = read(
        "a.png,dog",
        "b.png,cow",
        "./a.png,cat",
        "a.png,dog",
        class_names=None,
        findings=findings,
    )
    assert found.image_names == ["a.png", "b.png"]
    assert found.class_names == ("cat", "cow", "dog")
    np.testing.assert_array_equal(found.image_labels, [[1, 0, 1], [0, 1, 0]])
    assert not findings.problems
    [note] = findings.notes
    assert "1 image with several lines, whose labels are joined (first: a.png" in note
    header = "file_name,labels,absent_labels"
    options = {"header": header, "class_names": ("cat", "dog")}
    found = read("a.png,dog,", "b.png,cat,", "a.png,,cat", **options)
    np.testing.assert_array_equal(found.image_labels, [[0, 1], [1, 0]])
    with pytest.raises(DataError, match="line 2, absent_labels: 'dog' is also among"):
        read("a.png,dog,", "b.png,cat,", "a.png,,dog", **options)


def test_a_label_present_and_absent(read):
    header = "file_name,labels,absent_labels"
    with pytest.raises(DataError, match="line 2, absent_labels: 'cat' is also"):
        read("a.png,dog;cat,cow;cat", header=header)


@pytest.mark.parametrize(
    "header, words",
    [
        ("", "no column 'file_name'"),
        ("file_name|labels", "no column 'file_name' in 'file_name|labels'; begin the"),
        ("file_name", "no column 'labels'"),
        ("filename,tags", "a column of 0 and 1 for each class"),
        ("filename,label,score", "no column 'labels'"),
        ("file_name,labels,", "a column has no name"),
        ("file_name,labels,absent_label", "did you mean 'absent_labels'"),
        ("file_name,labels,labels", "'labels' occurs twice"),
        ("file\0name,labels", "not a header"),
    ],
)
def test_bad_headers(read, header, words):
    with pytest.raises(DataError, match=f"labels.csv, line 1: .*{re.escape(words)}"):
        read("a.png,dog", header=header)


@pytest.mark.parametrize(
    "line, encoding, words",
    [
        ("b.png,é", "latin-1", "line 3: not UTF-8"),
        ("b.png,cat", "utf-16", "line 1: not UTF-8"),
        ('"b.png,cat', "utf-8", "line 3: not a line of a CSV file"),
        ('"b.png"c,cat', "utf-8", "line 3: not a line of a CSV file"),
        ("x" * 200_000 + ",cat", "utf-8", "line 3: not a line of a CSV file"),
    ],
)
def test_bad_files(read, line, encoding, words):
    with pytest.raises(DataError, match=words):
        read("a.png,dog", line, encoding=encoding)


def test_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataError, match="cannot be read"):
            read_label_csv(path, tmp_path)


def test_unknown_choices(read):
    with pytest.raises(ConfigError, match="unlisted is one of absent, unknown"):
        read("a.png,dog", unlisted="present")
    with pytest.raises(DataError, match="the class list is empty"):
        read("a.png,", class_names=None)
