import export_forms
import numpy as np
import pytest

from ehsod_tf import cli
from ehsod_tf.data import read_box_csv, validate
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import BOXED_ABSENT


@pytest.fixture
def read(tmp_path, write_image):
    """Returns a function that writes a table and reads it.

    Images a.png (20 high, 30 wide), b.png and more/c.png are there.
    """
    for name in ("a.png", "b.png", "more/c.png"):
        write_image(f"images/{name}", 20, 30)

    def read_lines(*lines, **options):
        path = tmp_path / "boxes.csv"
        path.write_text("\n".join(lines))
        return read_box_csv(path, tmp_path / "images", **options)

    return read_lines


def test_the_tensors_of_the_original(tmp_path):
    original = export_forms.write_original(tmp_path / "original")
    export_forms.write_box_csv(tmp_path)
    findings = Findings()
    image_set = read_box_csv(
        tmp_path / "boxes.csv",
        tmp_path / "images",
        class_names=export_forms.CLASS_NAMES,
        findings=findings,
    )
    validate(image_set, findings=findings)
    assert not findings.problems
    [note] = findings.notes
    assert "3 images not in the folder that the annotation means, but found" in note
    export_forms.assert_same_tensors(image_set, original.image_set)


def test_other_names_orders_and_delimiters(read):
    findings = Findings()
    found = read(
        "label;ymin;xmin;ymax;xmax;file_name;score;split",
        "dog;1;2;3;4.5;a.png;0.5;x",
        "cat;5;6;7;8;a.png;0.5;x",
        findings=findings,
    )
    assert found.class_names == ("cat", "dog")
    np.testing.assert_array_equal(found.sizes, [[20, 30]])
    np.testing.assert_array_equal(found.boxes, [[1, 2, 3, 4.5], [5, 6, 7, 8]])
    assert any(
        "2 other columns passed over (first: score, split)" in n for n in findings.notes
    )
    assert any("1 image without a size in the" in n for n in findings.notes)


@pytest.mark.parametrize(
    "lines",
    [
        (
            "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,"
            "image_height",
            "cat,2,1,2.5,2,a.png,30,20",
        ),
        ('"image","xmin","ymin","xmax","ymax","label"', '"a.png",2,1,4.5,3,"cat"'),
    ],
    ids=["Make Sense", "VoTT"],
)
def test_other_tools(read, lines):
    found = read(*lines)
    assert found.class_names == ("cat",)
    np.testing.assert_array_equal(found.boxes, [[1, 2, 3, 4.5]])


def test_images_without_objects(read):
    lines = (
        "filename,class,xmin,ymin,xmax,ymax",
        "a.png,dog,1,2,3,4",
        "b.png,,,,,",
    )
    findings = Findings()
    found = read(*lines, findings=findings)
    assert found.image_names == ["a.png", "b.png"]
    assert found.has_boxes.all() and not np.diff(found.row_splits)[1]
    assert found.class_states[1] == BOXED_ABSENT
    # Of the third the table says nothing.
    assert any("1 without any annotation" in note for note in findings.notes)
    found = read(*lines, unannotated="empty", findings=Findings())
    assert found.image_names[2] == "more/c.png" and found.has_boxes.all()


def test_a_line_that_cannot_be_read_may_be_a_box_of_its_image(read):
    findings = Findings()
    lines = ("a.png,dog,1,2,3,4", "a.png,dog,1", "b.png,dog,1,2,3,4", "more/c.png")
    found = read(
        "filename,class,xmin,ymin,xmax,ymax",
        *lines,
        unannotated="empty",
        findings=findings,
    )
    assert found.image_names == ["b.png"]
    assert len(findings.problems) == 2


def test_two_sizes_of_one_image(read):
    with pytest.raises(DataError, match="line 3, height: 21, but 20 in line 2 of the"):
        read(
            "filename,width,height,class,xmin,ymin,xmax,ymax",
            "a.png,30,20,dog,1,2,3,4",
            "a.png,30,21,dog,1,2,3,4",
        )


def test_unknown_choice(read):
    with pytest.raises(ConfigError, match="unannotated is one of"):
        read("filename", unannotated="absent")


def test_inspect_by_flags(tmp_path, capsys):
    export_forms.write_box_csv(tmp_path)
    flags = [f"--box_csv={tmp_path / 'boxes.csv'}", f"--images={tmp_path / 'images'}"]
    cli.main(["inspect", *flags, f"--output={tmp_path / 'page.html'}"])
    printed = capsys.readouterr().out
    assert "4 images: 4 strong (boxes), 0 weak" in printed
    assert "no problem was found" in printed
    with pytest.raises(SystemExit):
        cli.main(["inspect", flags[0]])
    assert "--box_csv need --images, a folder" in capsys.readouterr().err
