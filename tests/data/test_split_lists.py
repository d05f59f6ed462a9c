import numpy as np
import pytest
from supervision import mark_boxed

from ehsod_tf.data import Split, make_split, write_split
from ehsod_tf.data.splits.lists import split_from_ids
from ehsod_tf.errors import DataError


@pytest.fixture
def image_set(make_image_set):
    """Eight images: ids 100 .. 107, names 0.png .. 7.png; the last one is weak."""
    image_set = make_image_set([(9, 9)] * 8, [(0, (0, 0, 5, 5), 0)])
    return mark_boxed(image_set, np.arange(8) < 7)


@pytest.fixture
def write_list(tmp_path):
    def write(text):
        path = tmp_path / "strong.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        "101\n105\n",
        "1.png\n5.png",
        "5\n\n  1  \n",
        "\ufeff# chosen by hand\r\n105\r\n# and\r\n1.png\r\n",
        "[101, 105]",
        '["1.png", "5"]',
        ' [105, "1"] ',
    ],
)
def test_ids_and_names(image_set, write_list, text):
    split = split_from_ids(image_set, write_list(text))
    assert split == Split(None, 200 / 7, (101, 105), stratified=False)


def test_a_split_file_keeps_what_it_says_of_itself(image_set, tmp_path):
    split = make_split(image_set, 50, seed=4, stratified=True)
    write_split(tmp_path / "split.json", split)
    assert split_from_ids(image_set, tmp_path / "split.json") == split


def test_names_of_a_devkit_may_have_the_extension_of_the_files(image_set, write_list):
    image_set = image_set._replace(
        image_names=[f"{row:06}" for row in range(8)],
        paths=[f"JPEGImages/{row:06}.jpg" for row in range(8)],
    )
    split = split_from_ids(image_set, write_list("000001\n000005.jpg\n"))
    assert split.strong_image_ids == (101, 105)


def test_names_with_folders_and_zeros(image_set, write_list):
    names = ["a/1.jpg", "b/1.jpg", "0100.jpg", "d.e.jpg", "e.jpg", "f", "g.jpg", "h"]
    image_set = image_set._replace(image_names=names, paths=names)
    split = split_from_ids(image_set, write_list("b/1\n0100\n100\nd.e\nf\n"))
    assert split.strong_image_ids == (100, 101, 102, 103, 105)


def test_a_number_that_is_an_id_and_a_name(image_set, write_list):
    """Image 101 is called 105.png: only a JSON number says that the id is meant."""
    names = ["0.png", "105.png", *image_set.image_names[2:]]
    image_set = image_set._replace(image_names=names, paths=names)
    words = r"line 1: '105' may be the image '105.png' \(id 101\) or '5.png' \(id 105\)"
    with pytest.raises(DataError, match=words):
        split_from_ids(image_set, write_list("105"))
    assert split_from_ids(image_set, write_list("105.png")).strong_image_ids == (101,)
    assert split_from_ids(image_set, write_list("[105]")).strong_image_ids == (105,)


def test_two_images_of_one_name(image_set, write_list):
    names = ["x.jpg", "x.png", *image_set.image_names[2:]]
    image_set = image_set._replace(image_names=names, paths=names)
    with pytest.raises(
        DataError, match=r"'x' may be .*id 100.* or .*id 101.*extension"
    ):
        split_from_ids(image_set, write_list("x"))
    assert split_from_ids(image_set, write_list("x.jpg")).strong_image_ids == (100,)


@pytest.mark.parametrize(
    "text, words",
    [
        ("101\n999\n", "strong.txt, line 2: no image has the id or the name '999'"),
        ("# a\n\nx.png", "line 3: no image .*'x.png'"),
        ("1.jpg", "line 1: no image .*'1.jpg'"),
        ("-1", "line 1: no image"),
        ("1" * 5000, "line 1: no image"),
        ("1.png\n2\n101", "line 3: .*'101' is named by line 1 already"),
        ("107", "line 1: the image '107' has no boxes"),
        ("[101, 101]", "entry 2: .*101 is named by entry 1 already"),
        ("[101, 999]", "entry 2: no image .*999"),
        ("[101, true]", "entry 2: True is neither"),
        ("[1.5]", "entry 1: 1.5 is neither"),
        ('[{"id": 101}]', "entry 1: {'id': 101} is neither"),
        ("[101", "strong.txt: begins like a JSON list and is none"),
        ("[" * 10**5, "strong.txt: begins like a JSON list and is none"),
        ("", "strong.txt: the list names no image"),
        ("# 101\n", "the list names no image"),
        ("[]", "the list names no image"),
        ('{"seed": 1}', "strong.txt, percent: missing"),
        ('{"seed": 1, "percent": 9, "strong_image_ids": []}', "names no image"),
        ('{"seed": 1, "percent": 9, "strong_image_ids": [7]}', "entry 1: no image .*7"),
    ],
)
def test_wrong_lists(image_set, write_list, text, words):
    with pytest.raises(DataError, match=words) as raised:
        split_from_ids(image_set, write_list(text))
    assert "\n" not in str(raised.value)


def test_all_faults_are_told_together(image_set, write_list):
    with pytest.raises(DataError) as raised:
        split_from_ids(image_set, write_list("101\n999\n101\n107\n"))
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("3 problems")
    for line, place in zip(lines[1:], ("line 2", "line 3", "line 4"), strict=True):
        assert f"strong.txt, {place}: " in line


def test_unreadable_files(image_set, tmp_path):
    with pytest.raises(DataError, match="none.txt: .*cannot be read.*No such file"):
        split_from_ids(image_set, tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9.png\n")
    with pytest.raises(DataError, match="latin.txt, line 1: not UTF-8"):
        split_from_ids(image_set, tmp_path / "latin.txt")
