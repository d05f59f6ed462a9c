"""One data set in every form: read to the same tensors, and written and read again."""

import shutil
import warnings
from functools import partial

import export_forms
import gin
import numpy as np
import pytest

from ehsod_tf import cli, data
from ehsod_tf.api import load_experiment
from ehsod_tf.data import Findings, Split, apply_split
from ehsod_tf.errors import DataError
from ehsod_tf.structures import (
    ABSENT,
    ANY_CLASS,
    BOXED_ABSENT,
    PARTLY_BOXED,
    PRESENT,
    UNKNOWN,
)


def read_cvat(folder, **options):
    """An image without an object is one that nobody annotated, unless this is said."""
    path = folder / "annotations.xml"
    return data.read_cvat(path, unannotated="empty", **options)


def read_label_studio(folder, **options):
    path, images = folder / "tasks.json", folder / "images"
    names = export_forms.CLASS_NAMES
    return data.read_label_studio(path, images, class_names=names, **options)


# By form: what writes the data set by hand, and what reads it from its folder.
FORMS = {
    "yolo": (export_forms.write_yolo, data.read_yolo),
    "roboflow": (export_forms.write_roboflow, data.read_roboflow),
    "voc_xml": (
        export_forms.write_voc_xml,
        # The files have no list of classes, and so no order of them.
        partial(data.read_voc_xml, class_names=export_forms.CLASS_NAMES),
    ),
    "cvat": (export_forms.write_cvat, read_cvat),
    "label_studio": (export_forms.write_label_studio, read_label_studio),
    "labelme": (
        export_forms.write_labelme,
        partial(data.read_labelme, class_names=export_forms.CLASS_NAMES),
    ),
}
# Those that cannot say what a whole image shows.
WITHOUT_LABELS = ("yolo", "voc_xml")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return export_forms.write_original(tmp_path_factory.mktemp("original"))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_the_tensors_of_the_original(form, original, tmp_path):
    write, read = FORMS[form]
    write(tmp_path)
    findings = Findings()
    image_set = data.validate(read(tmp_path, findings=findings), findings=findings)
    assert not findings.problems
    export_forms.assert_same_tensors(image_set, original.image_set)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_again(form, original, tmp_path):
    """By `ehsod convert`, with the images, which may then be elsewhere."""
    output = tmp_path / "converted"
    cli.main(
        [
            "convert",
            f"--coco={original.folder / 'instances.json'}",
            f"--images={original.folder / 'images'}",
            f"--to={form}",
            f"--output={output}",
        ]
    )
    moved = output.rename(tmp_path / "moved")
    image_set = FORMS[form][1](moved)
    assert all(path.startswith(str(moved)) for path in image_set.paths)
    export_forms.assert_same_tensors(data.validate(image_set), original.image_set)
    with pytest.raises(DataError, match="not empty"):
        getattr(data, f"write_{form}")(image_set, moved)


def test_a_link_to_an_empty_folder_is_filled(original, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    data.write_yolo(original.image_set, tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    export_forms.assert_same_tensors(
        data.read_yolo(tmp_path / "disk"), original.image_set
    )


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_image_is_written_and_read(form, original, tmp_path):
    image_set = original.image_set
    is_third = np.repeat(np.arange(4), np.diff(image_set.row_splits)) == 2
    states = image_set.class_states.copy()
    states[2] = BOXED_ABSENT
    emptied = image_set._replace(
        class_states=states,
        row_splits=np.array([0, 2, 3, 3, 5]),
        **{
            name: getattr(image_set, name)[~is_third]
            for name in ("boxes", "classes", "areas", "ignored")
        },
    )
    write = getattr(data, f"write_{form}")
    assert write(emptied, tmp_path / "out") == 4
    again = FORMS[form][1](tmp_path / "out")
    assert again.has_boxes.all()
    export_forms.assert_same_tensors(again, emptied)


@pytest.mark.parametrize("form", WITHOUT_LABELS)
def test_a_form_without_labels_refuses_weak_images(form, original, tmp_path):
    ids = tuple(original.image_set.image_ids[:3].tolist())
    mixed = apply_split(original.image_set, Split(0, 75, ids))
    write = getattr(data, f"write_{form}")
    with pytest.raises(DataError, match="c d.png, image 8, labels: has labels alone"):
        write(mixed, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    findings = Findings()
    assert write(mixed, tmp_path / "out", findings=findings) == 3
    assert len(findings.problems) == 1


@pytest.mark.parametrize("form", WITHOUT_LABELS)
def test_images_that_would_share_an_annotation(form, original, tmp_path):
    paths = [*original.image_set.paths]
    paths[1] = paths[0].replace("a.jpg", "a.png")
    with pytest.raises(DataError, match="has another image's name but for its ending"):
        getattr(data, f"write_{form}")(
            original.image_set._replace(paths=paths), tmp_path / "out"
        )


@pytest.mark.parametrize("form", FORMS)
def test_folders_that_are_called_images(form, original, tmp_path):
    """YOLO's readers replace the last of them."""
    names = ["x/images/a.jpg", "x/b.JPG", "images/e.png", "images/images/c d.png"]
    for name, path in zip(names, original.image_set.paths, strict=True):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "in" / name)
    paths = [str(tmp_path / "in" / name) for name in names]
    getattr(data, f"write_{form}")(
        original.image_set._replace(paths=paths), tmp_path / "out"
    )
    again = FORMS[form][1](tmp_path / "out")
    export_forms.assert_same_tensors(again, original.image_set)


def test_the_yolo_reader_notes_where_it_found_the_images(tmp_path):
    export_forms.write_yolo(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data.read_yolo(tmp_path / "data.yaml")
    assert "'images/train' is not there as it is written" in str(caught[0].message)


# By form: the flags that name what its writer by hand writes.
FLAGS = {
    "yolo": ["--yolo={}/data.yaml"],
    "roboflow": ["--roboflow={}", "--list=train"],
    "voc_xml": ["--voc_xml={}", "--classes=cat,dog,cow"],
    "cvat": ["--cvat={}/annotations.xml", "--occluded=ignored"],
    "label_studio": ["--label_studio={}/tasks.json", "--images={}/images"],
    "labelme": ["--labelme={}"],
}


@pytest.mark.parametrize("form", FORMS)
def test_inspect_by_flags(form, tmp_path, capsys):
    FORMS[form][0](tmp_path / "mine")
    flags = [flag.format(tmp_path / "mine") for flag in FLAGS[form]]
    cli.main(["inspect", *flags, f"--output={tmp_path / 'page.html'}"])
    printed = capsys.readouterr().out
    assert "4 images: 4 strong (boxes), 0 weak" in printed
    assert "no problem was found" in printed


def lay_out(form, folder):
    """Writes the data set twice, as the config of its form expects it."""
    write = FORMS[form][0]
    if form in ("voc_xml", "cvat", "labelme"):
        write(folder / "train")
        write(folder / "val")
        return
    write(folder)
    if form == "yolo":
        with open(folder / "data.yaml", "a", encoding="utf-8") as file:
            file.write("val: images/train\n")
    elif form == "roboflow":
        shutil.copytree(folder / "train", folder / "valid")
    else:
        shutil.copy(folder / "tasks.json", folder / "train.json")
        shutil.copy(folder / "tasks.json", folder / "val.json")


@pytest.mark.parametrize("form", FORMS)
def test_the_config_of_a_form(form, tmp_path):
    lay_out(form, tmp_path / "mine")
    config = tmp_path / "mine.gin"
    config.write_text(
        f"include 'base.gin'\nDATA_DIR = '{tmp_path / 'mine'}'\n"
        f"include 'data/{form}.gin'\ninclude 'models/narrow.gin'\n"
    )
    try:
        experiment = load_experiment(str(config), [], None)
        for read in (experiment.read_training_set, experiment.read_evaluation_set):
            assert len(read(findings=Findings()).boxes) == 6
    finally:
        gin.clear_config()


def make_odd(kind, image_set):
    """The first image gets something that not every form can say."""
    states, ignored = image_set.class_states.copy(), image_set.ignored.copy()
    classes = image_set.classes.copy()
    if kind == "in part":
        states[0] = [PARTLY_BOXED, UNKNOWN, UNKNOWN]
    elif kind == "any class":
        classes[0], ignored[0] = ANY_CLASS, True
    else:
        ignored[0] = True
    return image_set._replace(class_states=states, ignored=ignored, classes=classes)


@pytest.mark.parametrize(
    ("form", "kind", "says"),
    [
        *(
            (form, "in part", "boxes: is boxed in part, which")
            for form in FORMS
            if form != "roboflow"
        ),
        ("yolo", "crowd", "objects: has a crowd, for which yolo has no place"),
        ("label_studio", "crowd", "objects: has a crowd, for which label_studio"),
        ("cvat", "any class", "objects: has an ignored region of any class"),
        ("labelme", "any class", "objects: has an ignored region of any class"),
        ("voc_xml", "any class", "objects: has an ignored region of any class"),
    ],
)
def test_what_a_form_cannot_say(form, kind, says, original, tmp_path):
    odd = make_odd(kind, original.image_set)
    write = getattr(data, f"write_{form}")
    with pytest.raises(DataError, match=f"a.jpg, image 5, {says}"):
        write(odd, tmp_path / "out")
    assert write(odd, tmp_path / "out", findings=Findings()) == 3


@pytest.mark.parametrize("form", ["cvat", "label_studio", "labelme"])
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([PRESENT, ABSENT, UNKNOWN], "has unknown labels, which"),
        ([ABSENT, ABSENT, ABSENT], "shows no class, which"),
    ],
)
def test_labels_that_a_form_cannot_say(form, labels, says, original, tmp_path):
    ids = tuple(original.image_set.image_ids[1:].tolist())
    mixed = apply_split(original.image_set, Split(0, 75, ids))
    mixed.class_states[0] = labels
    with pytest.raises(DataError, match=f"a.jpg, image 5, labels: {says}"):
        getattr(data, f"write_{form}")(mixed, tmp_path / "out")


def test_nothing_is_left_to_write(original, tmp_path):
    ids = tuple(original.image_set.image_ids[:1].tolist())
    weak = apply_split(original.image_set, Split(0, 25, ids))
    weak = data.select_images(weak, ~weak.has_boxes)
    with pytest.raises(DataError, match="no image of the data set can be written as"):
        data.write_yolo(weak, tmp_path / "out", findings=Findings())
