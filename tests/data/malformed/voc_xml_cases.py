"""Malformed folders of VOC's XML files; what one file may hold is in `voc_cases`."""

import functools
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_voc_xml, validate
from malformed import voc_cases
from malformed.case import OTHERS, Case, write_images

SOUND = voc_cases.SOUND


def read(folder, findings, **options):
    image_set = read_voc_xml(folder, findings=findings, **options)
    return validate(image_set, findings=findings)


def write(folder: Path, content: str | bytes | None = SOUND) -> None:
    """Writes three images and their XML files side by side; this is the second's."""
    write_images(folder)
    for name in ("a", "b", "c"):
        text = content if name == "b" else SOUND
        if text is not None:
            text = text if isinstance(text, bytes) else text.encode()
            (folder / f"{name}.xml").write_bytes(text)


def case(name, content, says, kept=OTHERS, file="b.xml", num_problems=1) -> Case:
    """Makes a row from the second image's annotation."""
    return Case(
        f"voc_xml: {name}",
        lambda folder: write(folder, content),
        read,
        file,
        says,
        kept,
        num_problems,
    )


def changed(name, change: Callable[[Path], object], says, **fields) -> Case:
    """Makes a row from what changes a sound folder."""

    def write_changed(folder: Path) -> None:
        write(folder)
        change(folder)

    fields = {"kept": OTHERS, "file": "b.xml"} | fields
    return Case(f"voc_xml: {name}", write_changed, read, says=says, **fields)


def chosen(name, says, **options) -> Case:
    return Case(
        f"voc_xml: {name}",
        write,
        functools.partial(read, **options),
        "",
        says,
        None,
        options=repr(options),
    )


def remove_xml(folder: Path) -> None:
    for path in folder.glob("*.xml"):
        path.unlink()


def read_none(folder, findings):
    return read(folder / "none", findings)


CASES = [
    Case(
        "voc_xml: no folder",
        write,
        read_none,
        "none",
        "no such folder",
        None,
        options="none",
    ),
    changed("no file", remove_xml, "holds no XML file", kept=None, file=""),
    case("empty file", "", "b.xml: not valid XML"),
    case("another root", "<a/>", "begins with <a>, not <annotation>"),
    case("COCO in XML's place", '{"images": []}', "not valid XML"),
    case("entity bomb", voc_cases.BOMB, "document type"),
    case("no class", voc_cases.replace("name", None), "object 1, name: '' is no class"),
    case(
        "control in a class",
        SOUND.replace("cat", "c\u2028t"),
        "object 1, name: .* is no",
    ),
    case("class in capitals", SOUND.replace("cat", "Cat"), "differ in upper", None, ""),
    case(
        "no box",
        SOUND.replace("bndbox", "robndbox"),
        "object 1, bndbox: an object has 1, not 0; give it one upright box",
    ),
    case(
        "two boxes",
        SOUND.replace("</bndbox>", "</bndbox><bndbox/>"),
        "object 1, bndbox: an object has 1, not 2",
    ),
    case("no corner", voc_cases.replace("xmin", None), "object 1, xmin: .*finite num"),
    case(
        "corner NaN", voc_cases.replace("ymax", "nan"), "object 1, ymax: .*finite num"
    ),
    case(
        "corners swapped", voc_cases.replace("xmax", "1"), "object 1, xmax: 1 is less"
    ),
    case(
        "size a text", voc_cases.replace("width", "w"), "size, width: 'w' is not a po"
    ),
    case(
        "box outside",
        voc_cases.replace("ymax", "30"),
        "the cat box .* lies outside the image",
        file="b.png",
    ),
    case(
        "another size",
        voc_cases.replace("height", "19"),
        "size: the file is 30 wide and 20 high",
        file="b.png",
    ),
    changed(
        "no image",
        lambda folder: (folder / "b.png").unlink(),
        "size: .*the file is missing|the file is missing",
        file="b.jpg",
    ),
    changed(
        "two images of one name",
        lambda folder: write_images(folder, ("b.jpg",)),
        r"may belong to b.jpg and b.png; name the image in <filename>",
    ),
    changed(
        "two files of one image",
        lambda folder: (folder / "d.xml").write_text(
            SOUND.replace("<size>", "<filename>b.png</filename><size>")
        ),
        "image b.png, name: image b.png is 'b.png' too; keep one",
        file="",
    ),
    chosen("unknown class asked for", "'dog'", class_names=("dog",)),
]
