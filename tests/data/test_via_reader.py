import json
import shutil

import export_forms
import numpy as np
import pytest
from source_folders import ask, plan

from ehsod_tf import cli
from ehsod_tf.config import export_readers
from ehsod_tf.data import read_via, validate
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import ConfigError
from ehsod_tf.structures import ABSENT, BOXED, BOXED_ABSENT, PRESENT, UNKNOWN

CLASS_NAMES = ("cat", "dog")


@pytest.fixture
def read(tmp_path, write_image):
    """Returns a function that writes records of a.png, b.png, … and reads them.

    Images a.png to c.png, 20 high and 30 wide, are there.
    """
    for name in ("a.png", "b.png", "c.png"):
        write_image(f"images/{name}", 20, 30)

    def read_records(*records, **options):
        content = {
            f"{name}.png99": {"filename": f"{name}.png", "size": 99}
            | {"regions": [], "file_attributes": {}}
            | record
            for name, record in zip("abc", records, strict=False)
        }
        path = tmp_path / "via.json"
        path.write_text(json.dumps(content))
        return read_via(path, tmp_path / "images", **options)

    return read_records


def make_region(shape, **attributes):
    return {"shape_attributes": shape, "region_attributes": attributes}


RECT = {"name": "rect", "x": 2, "y": 3, "width": 4.5, "height": 5}


def test_the_tensors_of_the_original(tmp_path):
    original = export_forms.write_original(tmp_path / "original")
    export_forms.write_via(tmp_path)
    findings = Findings()
    path, images = tmp_path / "project.json", tmp_path / "images"
    image_set = validate(read_via(path, images, findings=findings), findings=findings)
    assert not findings.problems
    # The order of the choices is that of the classes.
    export_forms.assert_same_tensors(image_set, original.image_set)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (RECT, [3, 2, 8, 6.5]),
        ({"name": "circle", "cx": 9, "cy": 8, "r": 2.5}, [5.5, 6.5, 10.5, 11.5]),
        ({"name": "ellipse", "cx": 9, "cy": 8, "rx": 3, "ry": 2}, [6, 6, 10, 12]),
        (
            # A quarter of a turn, in radians.
            {"name": "ellipse", "cx": 9, "cy": 8, "rx": 3, "ry": 2, "theta": np.pi / 2},
            [5, 7, 11, 11],
        ),
        (
            {"name": "polygon", "all_points_x": [1, 5, 40], "all_points_y": [2, 9, 4]},
            # Of an outline, what lies in the image.
            [2, 1, 9, 30],
        ),
    ],
    ids=["rect", "circle", "ellipse", "turned ellipse", "polygon"],
)
def test_shapes(read, shape, box):
    found = read({"regions": [make_region(shape, kind="cat")]}, findings=Findings())
    np.testing.assert_allclose(found.boxes, [box], rtol=1e-6)


def test_points_and_lines_enclose_nothing(read):
    line = {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [3, 4]}
    point = {"name": "point", "cx": 3, "cy": 4}
    findings = Findings()
    found = read(
        {
            "regions": [
                make_region(RECT, kind="cat"),
                make_region(line, kind="dog"),
                make_region(point),
            ]
        },
        findings=findings,
    )
    assert found.class_names == ("cat",)
    assert len(found.boxes) == 1
    assert any("1 of type 'point', 1 of type 'polyline'" in n for n in findings.notes)


@pytest.mark.parametrize(
    "value",
    ["cat", " cat ", {"cat": True, "dog": False}],
    ids=["text", "blank", "tick"],
)
def test_the_class_of_a_region(read, value):
    # Version 1 kept regions in an object.
    regions = {"0": make_region(RECT, kind=value, note="")}
    found = read({"regions": regions}, findings=Findings())
    assert found.class_names == ("cat",)


def test_regions_of_one_class(read):
    """Nobody who draws one class alone gives it an attribute."""
    options = {"class_names": ("balloon",), "findings": Findings()}
    found = read({"regions": [make_region(RECT), make_region(RECT)]}, **options)
    assert found.class_names == ("balloon",) and len(found.boxes) == 2


def test_labels_of_files(read):
    records = (
        {"regions": [make_region(RECT, kind="cat", sharp="yes")]},
        {"file_attributes": {"tags": {"dog": True, "cat": False}, "caption": "a dog"}},
        {"file_attributes": {"tags": {"dog": False}}},
    )
    findings = Findings()
    options = {"class_attribute": "kind", "findings": findings}
    found = read(*records, **options)
    assert found.image_names == ["a.png"]
    assert any(
        "attributes of files are not read (tags, caption)" in n for n in findings.notes
    )
    options |= {"label_attribute": "tags"}
    found = read(*records, **options)
    assert found.class_names == CLASS_NAMES
    states = [[BOXED, BOXED_ABSENT], [ABSENT, PRESENT]]
    np.testing.assert_array_equal(found.class_states, states)
    # The third has no tick, which says as little as no attribute.
    assert any("1 without any annotation" in note for note in findings.notes)
    found = read(*records, unlisted="unknown", **options)
    np.testing.assert_array_equal(found.class_states[1], [UNKNOWN, PRESENT])
    found = read({"file_attributes": {"tags": "dog; cat"}}, label_attribute="tags")
    np.testing.assert_array_equal(found.class_states, [[PRESENT, PRESENT]])


def test_unknown_choices(read):
    with pytest.raises(ConfigError, match="unlisted is one of"):
        read({}, unlisted="present")


def add_quality(folder):
    path = folder / "project.json"
    content = json.loads(path.read_text())
    for record in content["_via_img_metadata"].values():
        kinds = [r["region_attributes"]["kind"] for r in record["regions"]]
        record["file_attributes"] = {"tags": dict.fromkeys(kinds, True)}
        for region in record["regions"]:
            region["region_attributes"]["quality"] = "good"
    path.write_text(json.dumps(content))


def test_a_folder_with_several_attributes(tmp_path, capsys):
    export_forms.write_via(tmp_path)
    add_quality(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(["inspect", str(tmp_path), f"--output={tmp_path / 'page.html'}"])
    message = capsys.readouterr().err
    assert "regions have several attributes (kind, quality)" in message
    assert "--class_attribute" in message
    attributes = {"class_attribute": "kind", "label_attribute": "tags"}
    (source,) = plan(tmp_path, **attributes).training
    assert source.arguments.items() >= attributes.items()
    findings = Findings()
    read = getattr(export_readers, source.reader)
    found = read(str(tmp_path), **source.arguments, findings=findings)
    assert len(found.boxes) == 6


def test_a_validation_set_needs_no_labels(tmp_path):
    export_forms.write_via(tmp_path)
    shutil.copy(tmp_path / "project.json", tmp_path / "val.json")
    add_quality(tmp_path)
    (tmp_path / "project.json").rename(tmp_path / "train.json")
    found = plan(
        tmp_path,
        use=("train.json", "val.json"),
        class_attribute="kind",
        label_attribute="tags",
    )
    (training,), (validation,) = found.training, found.validation
    assert training.arguments["label_attribute"] == "tags"
    assert "label_attribute" not in validation.arguments
    read_via = export_readers.read_via
    assert len(read_via(str(tmp_path), **validation.arguments).boxes) == 6


def test_images_in_two_folders_are_a_question(tmp_path):
    export_forms.write_via(tmp_path)
    export_forms.write_images(tmp_path / "copies")
    assert "--images copies/ or --images images/" in ask(tmp_path)
