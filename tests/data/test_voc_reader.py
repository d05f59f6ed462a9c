import numpy as np
import pytest

from ehsod_tf.data import VOC_CLASSES, read_voc
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

DOG = ("dog", (1, 1, 10, 20), 0)
CAT = ("cat", (3, 4, 3, 4), 0)
HARD_CAT = ("cat", (5, 5, 9, 9), 1)
PERSON = ("person", (2, 2, 8, 8), 0)


@pytest.fixture
def write_devkit(tmp_path):
    """Returns a function that writes annotations {name: objects} and a list of them."""

    def write(images, lines=None):
        for folder in ("Annotations", "ImageSets/Main", "JPEGImages"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for name, objects in images.items():
            (tmp_path / "Annotations" / f"{name}.xml").write_text(
                _to_xml(objects), "utf-8"
            )
        text = "\n".join(lines or images) + "\n"
        (tmp_path / "ImageSets/Main/some.txt").write_text(text)
        return tmp_path

    return write


def _to_xml(objects):
    body = "".join(
        f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>"
        f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
        "</bndbox><part><bndbox><xmin>7</xmin></bndbox></part></object>"
        for name, (xmin, ymin, xmax, ymax), difficult in objects
    )
    size = "<size><width>30</width><height>20</height><depth>3</depth></size>"
    return f"<annotation>{size}{body}</annotation>"


def test_columns(write_devkit):
    folder = write_devkit({"2007_000027": [DOG, HARD_CAT], "2007_000032": [CAT]})
    found = read_voc(folder, "some", class_names=("cat", "dog", "cow"))
    assert found.class_names == ("cat", "dog", "cow")
    assert found.category_ids == (1, 2, 3)
    np.testing.assert_array_equal(found.image_ids, [2007000027, 2007000032])
    assert found.image_names == ["2007_000027", "2007_000032"]
    assert found.paths[0] == str(folder / "JPEGImages" / "2007_000027.jpg")
    np.testing.assert_array_equal(found.sizes, [[20, 30]] * 2)
    np.testing.assert_array_equal(found.row_splits, [0, 2, 3])
    np.testing.assert_array_equal(found.classes, [1, 0, 0])
    np.testing.assert_array_equal(found.ignored, [False, True, False])
    labels = [[UNKNOWN, PRESENT, ABSENT], [PRESENT, ABSENT, ABSENT]]
    np.testing.assert_array_equal(found.image_labels, labels)
    assert found.has_boxes.all()


def test_corners_become_continuous(write_devkit):
    """VOC's pixel (3, 4) alone is the box from (2, 3) to (3, 4), of area 1."""
    found = read_voc(write_devkit({"1": [CAT, DOG]}), "some")
    np.testing.assert_array_equal(found.boxes, [[3, 2, 4, 3], [0, 0, 20, 10]])
    np.testing.assert_array_equal(found.areas, [1, 200])


def test_other_voc_classes_are_left_out(write_devkit):
    found = read_voc(write_devkit({"1": [PERSON, CAT]}), "some", class_names=("cat",))
    np.testing.assert_array_equal(found.row_splits, [0, 1])
    assert found.image_labels.shape == (1, 1)


def test_default_classes(write_devkit):
    found = read_voc(write_devkit({"1": [PERSON]}), "some")
    assert found.class_names == VOC_CLASSES and len(VOC_CLASSES) == 20
    assert VOC_CLASSES[found.classes[0]] == "person"


def test_own_class_names(write_devkit):
    folder = write_devkit({"1": [("pallet", (1, 1, 5, 5), 0)]})
    assert read_voc(folder, "some", class_names=("pallet",)).classes.tolist() == [0]


def test_list_with_a_second_column(write_devkit):
    folder = write_devkit({"000005": [DOG], "000007": []}, ["000007 -1", "000005  1"])
    found = read_voc(folder, "some")
    assert found.image_names == ["000007", "000005"]
    np.testing.assert_array_equal(found.row_splits, [0, 0, 1])


@pytest.mark.parametrize("names", [("a1", "b1"), ("left", "right"), ("1" * 30, "2")])
def test_ids_count_up_where_the_digits_do_not_tell(write_devkit, names):
    found = read_voc(write_devkit({name: [DOG] for name in names}), "some")
    np.testing.assert_array_equal(found.image_ids, [1, 2])


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("dog", "dgo", ("object 1", "name", "did you mean 'dog'")),
        ("<xmin>1<", "<xmin>one<", ("object 1", "xmin", "'one'")),
        ("<ymax>20</ymax>", "", ("object 1", "ymax", "''")),
        ("<ymax>20<", "<ymax>nan<", ("object 1", "ymax", "'nan'")),
        ("<difficult>0<", "<difficult>no<", ("object 1", "difficult", "'no'")),
        ("<width>30<", "<width>-30<", ("size", "width", "'-30'")),
        ("<width>30<", "<width>-7<", ("size", "width", "'-7'")),
        ("<width>30<", f"<width>{'9' * 5000}<", ("size", "width", "...'")),
        ("<width>30<", "<width>\u0663<", ("size", "width", "'\u0663'")),
        ("<ymax>20<", "<ymax>1e400<", ("object 1", "ymax", "'1e400'")),
        ("<ymax>20<", "<ymax>1_0<", ("object 1", "ymax", "'1_0'")),
        ("<ymax>20<", "<ymax>\u0663<", ("object 1", "ymax", "'\u0663'")),
        ("<ymin>1<", "<ymin>21<", ("object 1", "ymax", "20 is less than ymin, 21")),
        ("<xmin>1<", "<xmin>10.5<", ("object 1", "xmax", "10 is less than xmin")),
        ("<annotation>", "<?xml version='1.0' encoding='x'?><annotation>", ("XML",)),
        ("<annotation>", "<?xml version='1.0' encoding='cp037'?><a>", ("XML",)),
        ("<size>", "<a>" * 50_000, ("not valid XML",)),
        ("</annotation>", "", ("not valid XML",)),
        ("<annotation>", "<!DOCTYPE a []><annotation>", ("DOCTYPE",)),
    ],
)
def test_wrong_annotation(write_devkit, old, new, words):
    folder = write_devkit({"000005": [DOG]})
    path = folder / "Annotations" / "000005.xml"
    path.write_text(path.read_text().replace(old, new), "utf-8")
    _assert_one_line(folder, "some", VOC_CLASSES, "000005.xml", *words)


def test_entities_are_not_expanded(write_devkit):
    folder = write_devkit({"000005": [DOG]})
    path = folder / "Annotations" / "000005.xml"
    bomb = '<!DOCTYPE a [<!ENTITY b "dog">]>' + path.read_text()
    path.write_text(bomb.replace("<name>dog", "<name>&b;"))
    _assert_one_line(folder, "some", VOC_CLASSES, "document type")


@pytest.mark.parametrize(
    "image_set, class_names, lines, words",
    [
        ("sone", VOC_CLASSES, None, ("sone.txt", "did you mean 'some'")),
        ("some", ("catt",), None, ("'catt'", "did you mean 'cat'")),
        ("some", VOC_CLASSES, ["1", "1"], ("some.txt", "listed twice")),
        ("some", VOC_CLASSES, [" "], ("some.txt", "empty")),
        ("some", VOC_CLASSES, ["6"], ("6.xml", "missing")),
    ],
)
def test_wrong_request(write_devkit, image_set, class_names, lines, words):
    folder = write_devkit({"1": [DOG]}, lines)
    _assert_one_line(folder, image_set, class_names, *words)


@pytest.mark.parametrize(
    "content",
    [b"<annotation>\xff</annotation>", b"\xff\xfe<\x00", b"\x00", b"", b"\x89PNG"],
)
def test_annotation_of_other_bytes(write_devkit, content):
    folder = write_devkit({"000005": [DOG]})
    (folder / "Annotations" / "000005.xml").write_bytes(content)
    _assert_one_line(folder, "some", VOC_CLASSES, "000005.xml", "not valid XML")


def test_annotation_that_is_a_folder(write_devkit):
    folder = write_devkit({"1": [DOG]}, ["1", "2"])
    (folder / "Annotations" / "2.xml").mkdir()
    _assert_one_line(folder, "some", VOC_CLASSES, "2.xml", "cannot be read")


def test_list_of_other_bytes(write_devkit):
    folder = write_devkit({"1": [DOG]})
    (folder / "ImageSets/Main/some.txt").write_bytes(b"1\n\xff\n")
    _assert_one_line(folder, "some", VOC_CLASSES, "some.txt", "UTF-8")


def test_a_bad_object_takes_its_whole_image_out(write_devkit):
    wrong = ("dgo", (1, 1, 5, 5), 0)
    folder = write_devkit({"7": [DOG, wrong, CAT], "8": [CAT], "9": [wrong, wrong]})
    findings = Findings()
    found = read_voc(folder, "some", findings=findings)
    assert found.image_names == ["8"] and found.image_ids.tolist() == [8]
    np.testing.assert_array_equal(found.boxes, [[3, 2, 4, 3]])
    assert [problem.record for problem in findings.problems] == [
        "object 2",
        "object 1",
        "object 2",
    ]


def test_bad_lines_of_a_list(write_devkit):
    lines = ["1", "../1", "/1", "a/../1", "2", "1", "x" * 9000]
    folder = write_devkit({"1": [DOG], "2": [CAT]}, lines)
    findings = Findings()
    found = read_voc(folder, "some", findings=findings)
    assert found.image_names == ["1", "2"]
    found = [(problem.record, problem.message) for problem in findings.problems]
    assert [record for record, _ in found] == [f"line {n}" for n in (2, 3, 4, 6, 7)]
    for (_, message), words in zip(
        found,
        ("out of the image folder", "absolute", "twice", "twice", "9000 characters"),
        strict=True,
    ):
        assert words in message


def test_nothing_can_be_read(write_devkit):
    """Then nothing tells whether the class list is right."""
    folder = write_devkit({"1": []}, ["2", "3"])
    findings = Findings()
    found = read_voc(folder, "some", class_names=("pallet",), findings=findings)
    assert not found.paths and found.image_labels.shape == (0, 1)
    assert len(findings.problems) == 2


def test_an_own_class_that_is_misspelt(write_devkit):
    folder = write_devkit({"1": [("pallet", (1, 1, 5, 5), 0)], "2": [DOG]})
    with pytest.raises(DataError, match="no class is called 'palet'.*'pallet'"):
        read_voc(folder, "some", class_names=("palet",))


def test_images_with_other_endings(write_devkit):
    endings = ["1.jpg", "1.png", "2.png", "3.jpeg", "4.JPG", "5.bmp", "6.WebP", "7.tif"]
    folder = write_devkit({str(number): [DOG] for number in range(1, 8)})
    for name in endings:
        (folder / "JPEGImages" / name).write_bytes(b"")
    findings = Findings()
    paths = read_voc(folder, "some", findings=findings).paths
    found = [path.rsplit("/")[-1] for path in paths]
    assert found == ["1.jpg", "2.png", "3.jpeg", "4.JPG", "5.bmp", "6.WebP", "7.jpg"]
    [note] = findings.notes
    assert "1 name fits several image files" in note and "1.jpg and .png" in note


STRANGE_NAMES = [
    "yard",
    "yard 2",
    "yard  2",
    "a.b.c",
    "img [1]",
    "img (2)",
    "007",
    "7",
    "cafe\u0301",
    "caf\u00e9",
    "sub/yard",
    "x.jpg",
]


def test_names_are_read_exactly(write_devkit):
    """Each image has a box of its own, which tells whose annotation was read."""
    (write_devkit({}, ["none"]) / "Annotations" / "sub").mkdir()
    boxes = {
        name: [("dog", (1, 1, 2 + number, 9), 0)]
        for number, name in enumerate(STRANGE_NAMES)
    }
    folder = write_devkit(boxes)
    (folder / "JPEGImages" / "sub").mkdir()
    for name in STRANGE_NAMES:
        (folder / "JPEGImages" / f"{name}.jpg").touch()
    found = read_voc(folder, "some")
    assert found.image_names == STRANGE_NAMES
    np.testing.assert_array_equal(found.boxes[:, 3], np.arange(len(boxes)) + 2)
    paths = [str(folder / "JPEGImages" / f"{name}.jpg") for name in STRANGE_NAMES]
    assert found.paths == paths
    assert len(set(found.image_ids)) == len(paths)


@pytest.mark.parametrize(
    "annotated, lines, names",
    [
        (["yard", "b"], ["yard 1", "b -1"], ["yard", "b"]),
        (["yard 1", "b 0"], ["yard 1", "b 0"], ["yard 1", "b 0"]),
        (["yard 1", "b 0"], ["yard 1  1", "b 0 -1"], ["yard 1", "b 0"]),
        (["yard", "yard 1"], ["yard", "yard 1"], ["yard", "yard 1"]),
        (["yard", "yard 1"], ["yard -1", "yard 1 1"], ["yard", "yard 1"]),
        ([" a", "b"], [" a", " b "], [" a", "b"]),
        (["a", "b"], ["a.jpg", "b.PNG"], ["a", "b"]),
    ],
)
def test_names_and_marks(write_devkit, annotated, lines, names):
    folder = write_devkit({name: [DOG] for name in annotated}, lines)
    findings = Findings()
    assert read_voc(folder, "some", findings=findings).image_names == names
    assert not findings.problems


def test_a_line_that_may_name_two_images(write_devkit):
    folder = write_devkit(
        {name: [DOG] for name in ("yard", "yard 1", "b 0")}, ["yard 1", "b 0"]
    )
    findings = Findings()
    assert read_voc(folder, "some", findings=findings).image_names == ["b 0"]
    [problem] = findings.problems
    assert problem.record == "line 1"
    assert "'yard 1', or 'yard' with the mark 1" in problem.message


def test_a_name_in_another_unicode_form(write_devkit):
    folder = write_devkit({"cafe\u0301": [DOG]}, ["caf\u00e9"])
    with pytest.raises(DataError) as error:
        read_voc(folder, "some")
    for words in ("missing, but there is", "the Unicode form of", r"\xe9", r"\u0301"):
        assert words in str(error.value)


def test_classes_of_ones_own_are_named_once(write_devkit):
    cells = {
        str(number): [("RBC", (1, 1, 9, 9), 0)] * 3 + [("WBC", (1, 1, 9, 9), 0)]
        for number in range(50)
    }
    folder = write_devkit(cells)
    for findings in (None, Findings()):
        with pytest.raises(DataError) as error:
            read_voc(folder, "some", findings=findings)
        message = str(error.value)
        assert "\n" not in message and len(message) < 600
        assert "RBC (150 objects), WBC (50 objects)" in message
        assert "read_voc.class_names = ('RBC', 'WBC')" in message
        assert "--classes 'RBC,WBC'" in message
    found = read_voc(folder, "some", class_names=("RBC", "WBC"))
    assert len(found.boxes) == 200


def test_classes_of_ones_own_of_which_one_resembles_one_of_vocs(write_devkit):
    """ "ring" is near "train", and "disc" is near none."""
    boxes = [(name, (1, 1, 9, 9), 0) for name in ("disc", "ring")]
    with pytest.raises(DataError, match="give --classes 'disc,ring'"):
        read_voc(write_devkit({"1": boxes}), "some")


def test_a_class_of_ones_own_among_others_is_one_problem(write_devkit):
    folder = write_devkit(
        {str(number): [DOG, ("helmet", (1, 1, 9, 9), 0)] for number in range(30)}
        | {"99": [DOG]}
    )
    with pytest.raises(DataError) as error:
        read_voc(folder, "some")
    message = str(error.value)
    assert "\n" not in message
    assert "unknown class 'helmet'; list it in class_names" in message
    assert message.endswith("(and 29 more like this)")


def test_no_devkit(tmp_path):
    _assert_one_line(tmp_path, "some", VOC_CLASSES, "ImageSets", "no such folder")


def _assert_one_line(folder, image_set, class_names, *words):
    with pytest.raises(DataError) as error:
        read_voc(folder, image_set, class_names=class_names)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
