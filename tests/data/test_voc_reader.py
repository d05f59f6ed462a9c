import numpy as np
import pytest

from ehsod_tf.data import VOC_CLASSES, read_voc
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
            (tmp_path / "Annotations" / f"{name}.xml").write_text(_to_xml(objects))
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
        ("</annotation>", "", ("not valid XML",)),
        ("<annotation>", "<!DOCTYPE a []><annotation>", ("DOCTYPE",)),
    ],
)
def test_wrong_annotation(write_devkit, old, new, words):
    folder = write_devkit({"000005": [DOG]})
    path = folder / "Annotations" / "000005.xml"
    path.write_text(path.read_text().replace(old, new))
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


def test_no_devkit(tmp_path):
    _assert_one_line(tmp_path, "some", VOC_CLASSES, "ImageSets", "no such folder")


def _assert_one_line(folder, image_set, class_names, *words):
    with pytest.raises(DataError) as error:
        read_voc(folder, image_set, class_names=class_names)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
