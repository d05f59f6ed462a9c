"""Shapes, flags and embedded images of LabelMe."""

import base64
import io
import json

import numpy as np
import pytest
from image_encoding import make_exif
from malformed import labelme_cases
from malformed.labelme_cases import SOUND
from PIL import Image

from ehsod_tf import data
from ehsod_tf.data import Findings
from ehsod_tf.structures import ABSENT, BOXED, BOXED_ABSENT, PRESENT, UNKNOWN


@pytest.fixture
def read(tmp_path):
    """Returns what reads a folder whose second file has these shapes and fields."""

    def read(shapes=None, change=None, **fields):
        names = ("unlisted", "unannotated", "unpack_dir")
        options = {name: fields.pop(name) for name in names if name in fields}
        content = SOUND | {} if shapes is None else SOUND | {"shapes": shapes}
        labelme_cases.write(tmp_path, json.dumps(content | fields).encode())
        if change:
            change(tmp_path)
        findings = Findings()
        image_set = data.read_labelme(tmp_path, findings=findings, **options)
        assert not findings.problems
        return image_set, "\n".join(findings.notes)

    return read


def list_boxes(image_set, name="b.png"):
    row = image_set.image_names.index(name)
    return image_set.boxes[slice(*image_set.row_splits[row : row + 2])].tolist()


def shape(kind, points, **fields):
    return {"label": "cat", "points": points, "shape_type": kind} | fields


@pytest.mark.parametrize(
    ("kind", "points", "expected"),
    [
        ("rectangle", [[2, 3], [9.5, 12]], [3, 2, 12, 9.5]),
        ("rectangle", [[9.5, 12], [2, 3]], [3, 2, 12, 9.5]),
        ("rectangle", [[2, 3], [9, 3], [9, 12], [2, 12]], [3, 2, 12, 9]),
        ("oriented_rectangle", [[8, 4], [12, 8], [8, 12], [4, 8]], [4, 4, 12, 12]),
        ("polygon", [[2.5, 3], [9, 4], [5, 11]], [3, 2.5, 11, 9]),
        ("polygon", [[-4, 3], [9, 4], [5, 31]], [3, 0, 20, 9]),
        ("circle", [[10, 9], [13, 13]], [4, 5, 14, 15]),
        ("mask", [[2, 3], [9, 12]], [3, 2, 13, 10]),
        (None, [[2.5, 3], [9, 4], [5, 11]], [3, 2.5, 11, 9]),
    ],
)
def test_shapes_become_boxes(kind, points, expected, read):
    image_set, notes = read([shape(kind, points)])
    assert list_boxes(image_set) == [expected]
    assert not notes


def test_what_encloses_no_object_is_counted(read):
    image_set, notes = read(
        [
            *SOUND["shapes"],
            shape("point", [[1, 2]]),
            shape("linestrip", [[1, 2], [3, 4]]),
            shape("point", [[1, 2]]),
        ]
    )
    assert len(list_boxes(image_set)) == 1
    assert "left out: 1 of type 'linestrip', 2 of type 'point'" in notes


def test_where_nothing_but_a_point_is_drawn_nothing_is_known(read):
    points = [shape("point", [[1, 2]])]
    image_set, notes = read(points)
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 without any annotation, left out (first: b.png)" in notes
    image_set, _ = read(points, unannotated="empty")
    assert image_set.class_states.tolist() == [[BOXED], [PRESENT], [BOXED]]


def test_a_point_of_a_class_without_a_box_says_that_it_is_there(read):
    def box_a_dog(folder):
        dog = shape("rectangle", [[1, 1], [5, 5]], label="dog")
        content = SOUND | {"imagePath": "c.png", "shapes": [dog]}
        (folder / "c.json").write_text(json.dumps(content))

    cat = shape("rectangle", [[2, 2], [6, 8]])
    points = [shape("point", [[1, 2]], label=name) for name in ("dog", "cat", "nose")]
    image_set, _ = read([cat, *points], box_a_dog)
    assert image_set.class_names == ("cat", "dog")
    assert image_set.class_states[1].tolist() == [BOXED, PRESENT]
    image_set, _ = read(points[:1], box_a_dog, flags={"cat": True})
    assert image_set.class_states[1].tolist() == [PRESENT, PRESENT]
    image_set, _ = read(points[:1], box_a_dog, unannotated="empty")
    assert image_set.class_states[1].tolist() == [BOXED_ABSENT, PRESENT]


def test_a_point_without_a_label_is_a_point(read):
    image_set, notes = read([shape("point", [[1, 2]], label=None)])
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 of type 'point'" in notes


def test_shapes_of_a_group_are_one_object(read):
    parts = [
        shape("polygon", [[1, 1], [4, 1], [4, 5]], group_id=1),
        shape("rectangle", [[8, 7], [10, 9]], group_id=1),
        shape("rectangle", [[8, 7], [10, 9]], group_id=1, label="dog"),
        shape("rectangle", [[2, 2], [3, 3]], group_id=2),
    ]
    image_set, _ = read(parts)
    assert list_boxes(image_set) == [[1, 1, 9, 10], [7, 8, 9, 10], [2, 2, 3, 3]]


def test_a_flag_of_a_shape_makes_it_ignored(read):
    difficult = SOUND["shapes"][0] | {"flags": {"difficult": True, "old": False}}
    image_set, _ = read([difficult])
    assert image_set.ignored.tolist() == [False, True, False]


def test_flags_are_labels_of_an_image_without_shapes(read):
    flags = {"dog": True, "cat": False}
    image_set, _ = read([], flags=flags)
    assert image_set.has_boxes.tolist() == [True, False, True]
    assert image_set.image_labels.tolist()[1] == [ABSENT, PRESENT]
    image_set, _ = read([], flags=flags, unlisted="unknown")
    assert image_set.image_labels.tolist()[1] == [UNKNOWN, PRESENT]


def test_a_file_without_shapes_shows_nothing(read):
    image_set, _ = read([])
    assert image_set.has_boxes.all()
    assert image_set.image_labels.tolist()[1] == [ABSENT]


def test_an_image_without_a_file_is_unknown_or_empty(read):
    def remove(folder):
        (folder / "b.json").unlink()

    image_set, notes = read(change=remove)
    assert image_set.image_names == ["a.png", "c.png"]
    assert "1 without any annotation, left out (first: b.png)" in notes
    image_set, _ = read(change=remove, unannotated="empty")
    assert sorted(image_set.image_names) == ["a.png", "b.png", "c.png"]
    assert list_boxes(image_set) == []


def test_how_an_image_without_boxes_is_turned_does_not_matter(read):
    def turn(folder):
        (folder / "b.json").unlink()
        (folder / "d.png").write_bytes(b"none")
        Image.new("RGB", (8, 9)).save(folder / "b.png", exif=make_exif(6))

    # What is left out is not looked at.
    assert read(change=turn)[0].image_names == ["a.png", "c.png"]

    def turn_only(folder):
        turn(folder)
        (folder / "d.png").unlink()

    found, _ = read(change=turn_only, unannotated="empty")
    assert found.sizes[found.image_names.index("b.png")].tolist() == [9, 8]


@pytest.mark.parametrize(
    "path",
    ["b.png", ".\\b.png", "C:\\mine\\b.png", "/mine/b.png", "../x/b.png", "z.png"],
)
def test_paths_of_images(path, read):
    """The last is not there, and so the image of the file's own name is taken."""
    image_set, _ = read(imagePath=path)
    assert image_set.image_names == ["a.png", "b.png", "c.png"]


def test_the_boxes_of_a_missing_image_go_to_no_other_one(tmp_path):
    for name in ("A", "B"):
        labelme_cases.write(tmp_path / name)
    (tmp_path / "A" / "b.png").unlink()
    (tmp_path / "B" / "b.json").unlink()
    findings = Findings()
    found = data.read_labelme(tmp_path, findings=findings)
    assert "B/b.png" not in found.image_names
    # The check of the image files names it.
    assert "A/b.png" in found.image_names


def test_an_image_in_a_folder_of_its_own_is_found_and_noted(read):
    def move(folder):
        (folder / "images").mkdir()
        for path in folder.glob("*.png"):
            path.rename(folder / "images" / path.name)

    found, notes = read(change=move)
    assert found.image_names == ["images/a.png", "images/b.png", "images/c.png"]
    assert "3 images not in the folder that the annotation means" in notes


def test_an_embedded_image_is_unpacked(read, tmp_path):
    labelme_cases.write(tmp_path)
    content = (tmp_path / "b.png").read_bytes()

    def remove(folder):
        (folder / "b.png").unlink()

    image_set, notes = read(
        change=remove,
        imageData=base64.b64encode(content).decode(),
        unpack_dir=tmp_path / "out",
    )
    row = image_set.image_names.index("b.png")
    (unpacked,) = (tmp_path / "out").iterdir()
    assert image_set.paths[row] == str(unpacked)
    assert unpacked.match("b.embedded-*.png") and unpacked.read_bytes() == content
    assert "1 embedded image unpacked to" in notes


@pytest.mark.parametrize("place", ["", "out", "images"])
def test_embedded_images_have_the_same_names_when_read_again(place, tmp_path):
    """Wherever they are unpacked to; else a part held out would be another one."""
    pixels = np.zeros([4, 5, 3], np.uint8)
    for number, folder in enumerate(("one", "two", "one", "two")):
        content = io.BytesIO()
        Image.fromarray(pixels + number).save(content, "jpeg")
        path = tmp_path / folder / f"a{number // 2}.json"
        path.parent.mkdir(exist_ok=True)
        fields = {"imagePath": f"a{number // 2}.jpg", "imageHeight": 4, "imageWidth": 5}
        embedded = {"imageData": base64.b64encode(content.getvalue()).decode()}
        path.write_text(json.dumps(SOUND | fields | embedded | {"shapes": []}))
    # An image with a file, which is not left out.
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images/with_file.jpg")
    names = {"imagePath": "../images/with_file.jpg", "imageHeight": 4, "imageWidth": 5}
    cat = {"shapes": [shape("rectangle", [[1, 1], [3, 3]])]}
    (tmp_path / "two/b.json").write_text(json.dumps(SOUND | names | cat))
    first, second = (
        data.read_labelme(
            tmp_path, tmp_path / place, unannotated="empty", findings=Findings()
        )
        for _ in range(2)
    )
    assert first.image_names == second.image_names
    assert first.image_names == [
        *("one/a0.jpg", "one/a1.jpg", "two/a0.jpg", "two/a1.jpg"),
        "images/with_file.jpg",
    ]
    assert first.paths == second.paths and len(set(first.paths)) == 5
    np.testing.assert_array_equal(first.image_ids, second.image_ids)


def test_other_json_files_are_noted(read):
    image_set, notes = read(
        change=lambda folder: (folder / "coco.json").write_text('{"images": []}')
    )
    assert len(image_set.paths) == 3
    assert "1 JSON file, not LabelMe's, passed over (first: coco" in notes


def test_labels_and_ignored_objects_are_written(read, tmp_path):
    difficult = SOUND["shapes"][0] | {"flags": {"difficult": True}}
    strong, _ = read([difficult, shape("rectangle", [[1, 1], [5, 6]], label="dog")])
    weak, _ = read([], flags={"dog": True})
    for name, image_set in (("strong", strong), ("weak", weak)):
        assert data.write_labelme(image_set, tmp_path / "out" / name) == 3
        again = data.read_labelme(tmp_path / "out" / name)
        assert again.class_names == image_set.class_names
        for column in ("boxes", "classes", "ignored", "class_states"):
            np.testing.assert_array_equal(
                getattr(again, column), getattr(image_set, column)
            )
