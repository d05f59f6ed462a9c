"""Malformed tables of Open Images."""

import functools
from pathlib import Path

from ehsod_tf.data import read_open_images, validate
from malformed.case import Case, write_images

BOX_HEADER = "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\n"
SOUND_BOXES = "a,/m/1,1,0.1,0.5,0.1,0.5,0\nc,/m/2,1,0.1,0.5,0.1,0.5,0\n"
LABEL_HEADER = "ImageID,LabelName,Confidence\n"
CLASSES = "/m/1,cat\n/m/2,dog\n"
HIERARCHY = '{"LabelName": "/m/0", "Subcategory": [{"LabelName": "/m/1"}]}'


def read(folder, findings, **options):
    names = {
        "boxes_csv": "boxes.csv",
        "labels_csv": "labels.csv",
        "classes_csv": "classes.csv",
        "hierarchy_json": "hierarchy.json",
    }
    paths = {name: folder / file for name, file in names.items()}
    image_set = read_open_images(
        folder / "images", **paths, findings=findings, **options
    )
    return validate(image_set, findings=findings)


def write(folder: Path, **files: str | bytes) -> None:
    """Writes three images and sound tables, but for those that are given."""
    write_images(folder / "images")
    sound = {
        "boxes.csv": BOX_HEADER + SOUND_BOXES,
        "labels.csv": LABEL_HEADER + "b,/m/1,1\n",
        "classes.csv": CLASSES,
        "hierarchy.json": HIERARCHY,
    }
    for name, content in (sound | files).items():
        content = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(content)


def box(name: str, row: str, says: str, **fields) -> Case:
    """Makes a row from a box of the second image."""
    content = f"{BOX_HEADER}{SOUND_BOXES}{row}\n"
    return Case(
        f"open_images: box, {name}",
        lambda folder: write(folder, **{"boxes.csv": content}),
        read,
        **({"file": "boxes.csv", "says": says} | fields),
    )


def label(name: str, row: str, says: str, **fields) -> Case:
    """Makes a row from a label of the second image."""
    content = f"{LABEL_HEADER}{row}\n"
    return Case(
        f"open_images: label, {name}",
        lambda folder: write(folder, **{"labels.csv": content}),
        read,
        **({"file": "labels.csv", "says": says} | fields),
    )


def refused(name: str, file: str, content: str | bytes, says: str, **options) -> Case:
    """Makes a row from a file because of which nothing can be read."""
    return Case(
        f"open_images: {name}",
        lambda folder: write(folder, **{file: content}),
        functools.partial(read, **options),
        file,
        says,
        None,
        options=repr(options),
    )


def _remove(name: str):
    def write_rest(folder: Path) -> None:
        write(folder)
        (folder / name).unlink()

    return write_rest


def _add_namesake(folder: Path) -> None:
    write(folder)
    write_images(folder / "images" / "more", ("b.png",))


def _spoil_image(folder: Path) -> None:
    write(folder)
    (folder / "images" / "b.png").write_bytes(b"no image")


CASES = [
    *(
        Case(f"open_images: no {name}", _remove(name), read, name, "cannot be re", None)
        for name in ("boxes.csv", "labels.csv", "classes.csv", "hierarchy.json")
    ),
    refused("boxes empty", "boxes.csv", "", "line 1: no column 'ImageID' in ''"),
    refused("boxes without XMax", "boxes.csv", "ImageID,LabelName,XMin\n", "no column"),
    refused(
        "labels, column twice",
        "labels.csv",
        LABEL_HEADER[:-1] + ",LabelName\n",
        "column 'LabelName' occurs twice",
    ),
    refused("boxes not UTF-8", "boxes.csv", b"ImageID\xff,", "line 1: not UTF-8"),
    refused(
        "boxes, open quote", "boxes.csv", BOX_HEADER + '"a,', "not a line of a CSV"
    ),
    refused(
        "classes, one column", "classes.csv", "/m/1\n", "line 1: .*code and a name"
    ),
    refused("classes, no name", "classes.csv", "/m/1,\n", "line 1: .*code and a name"),
    refused(
        "classes, code twice", "classes.csv", CLASSES + "/m/1,bus\n", "occurs twice"
    ),
    refused(
        "classes, name twice", "classes.csv", CLASSES + "/m/3,cat\n", "occurs twice"
    ),
    refused(
        "classes empty", "classes.csv", "LabelName,DisplayName\n", "names no class"
    ),
    refused("hierarchy no JSON", "hierarchy.json", "{", "not valid JSON"),
    refused(
        "hierarchy a list", "hierarchy.json", "[]", "is not a class with LabelName"
    ),
    refused(
        "hierarchy without name",
        "hierarchy.json",
        '{"LabelName": "/m/0", "Subcategory": [{}]}',
        "is not a class with LabelName",
    ),
    refused(
        "hierarchy, kinds a text",
        "hierarchy.json",
        '{"LabelName": "/m/0", "Subcategory": "/m/1"}',
        "is not a class with LabelName",
    ),
    refused(
        "other classes",
        "boxes.csv",
        BOX_HEADER + SOUND_BOXES,
        "no class is called 'bus'",
        class_names=("bus",),
    )._replace(file=""),
    box("too few cells", "b,/m/1,1", "line 4: 3 cells, but 8 columns"),
    box("unknown class", "b,/m/9,1,0,1,0,1,0", "line 4, LabelName: no class is called"),
    box("no class", "b,,1,0,1,0,1,0", "line 4, LabelName: '' is no class"),
    box("pixels", "b,/m/1,1,10,20,10,20,0", "line 4, YMin: '10' is no share of the im"),
    box("negative", "b,/m/1,1,-0.2,1,0,1,0", "line 4, XMin: '-0.2' is no share"),
    box("NaN", "b,/m/1,1,0,nan,0,1,0", "line 4, XMax: 'nan' is no share"),
    box("a text", "b,/m/1,1,0,1,top,1,0", "line 4, YMin: 'top' is no share"),
    box("underscore", "b,/m/1,1,0,1,0,0_1,0", "line 4, YMax: '0_1' is no share"),
    box("turned", "b,/m/1,1,0.5,0.2,0,1,0", "line 4, XMax: 0.2 is less than XMin"),
    box("scored", "b,/m/1,0.7,0,1,0,1,0", "line 4, Confidence: '0.7' is not 1: a mac"),
    box("group a text", "b,/m/1,1,0,1,0,1,yes", "line 4, IsGroupOf: 'yes' is not 0"),
    label("too many cells", "b,/m/1,1,1", "line 2: 4 cells, but 3 columns"),
    label("unknown class", "b,/m/9,1", "line 2, LabelName: no class is called '/m/9'"),
    label("confidence a text", "b,/m/1,yes", "line 2, Confidence: 'yes' is not from 0"),
    label("confidence two", "b,/m/1,2", "line 2, Confidence: '2' is not from 0 to 1"),
    label(
        "both ways",
        "b,/m/1,1\nb,/m/1,0",
        "image b, labels: another row says the opposite",
        file="b.png",
    ),
    Case(
        "open_images: box of an absent class",
        lambda folder: write(
            folder,
            **{
                "boxes.csv": f"{BOX_HEADER}{SOUND_BOXES}b,/m/1,1,0,1,0,1,0\n",
                "labels.csv": f"{LABEL_HEADER}b,/m/1,0\n",
            },
        ),
        read,
        "b.png",
        "image b, labels: 'cat' is verified absent, but it or a kind of it",
    ),
    Case(
        "open_images: two images of an id",
        _add_namesake,
        read,
        "b.png",
        "ImageID: 'b.png' has this ImageID too",
        ("a.png", "b.png", "c.png"),
    ),
    Case("open_images: no image", _spoil_image, read, "b.png", "not an image"),
]
