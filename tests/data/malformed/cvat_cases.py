"""Malformed files of CVAT for images."""

import functools
from pathlib import Path

from ehsod_tf.data import read_cvat, validate
from malformed import voc_cases
from malformed.case import HEIGHT, NAMES, OTHERS, WIDTH, Case, write_images

FILE = "annotations.xml"
BOX = '<box label="cat" occluded="0" xtl="2" ytl="3" xbr="9.5" ybr="12"/>'
META = "<meta><task><labels>{}</labels></task></meta>"
LABELS = "".join(f"<label><name>{name}</name></label>" for name in ("cat", "dog"))


def make(shapes: str = BOX, meta: str = META.format(LABELS), more: str = "") -> str:
    """Returns a file of three images; the second has these shapes."""
    images = "".join(
        f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}">'
        f"{shapes if name == 'b.png' else BOX}</image>"
        for number, name in enumerate(NAMES)
    )
    return f"<annotations><version>1.1</version>{meta}{images}{more}</annotations>"


SOUND = make()


def read(folder, findings, **options):
    image_set = read_cvat(folder / FILE, findings=findings, **options)
    return validate(image_set, findings=findings)


def whole(name, content, says, kept=None, file=FILE, num_problems=1, **options) -> Case:
    """Makes a row from the whole file."""

    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / FILE).write_text(content)

    read_with_options = functools.partial(read, **options)
    return Case(
        f"cvat: {name}",
        write,
        read_with_options,
        file,
        says,
        kept,
        num_problems,
        repr(options),
    )


def shape(name: str, shapes: str, says: str, **fields) -> Case:
    """Makes a row from the shapes of the second image."""
    return whole(f"shape {name}", make(shapes), says, **({"kept": OTHERS} | fields))


def box(name: str, old: str, new: str, says: str, **fields) -> Case:
    """Makes a row from a changed box."""
    assert old in BOX
    says = rf"image 'b.png', shape 1{says}"
    return shape(name, BOX.replace(old, new), says, **fields)


def image(name: str, old: str, new: str, says: str, **fields) -> Case:
    """Makes a row from changed attributes of the second image."""
    old = old.format(f'id="1" name="b.png" width="{WIDTH}" height="{HEIGHT}"')
    assert old in SOUND
    fields = {"kept": OTHERS} | fields
    return whole(f"image {name}", SOUND.replace(old, new, 1), says, **fields)


POLYGON = '<polygon label="dog" points="{}" occluded="0"/>'
TRACK = (
    '<track id="7" label="{}"><box frame="{}" xtl="1" ytl="1" xbr="5" ybr="5"/></track>'
)

CASES = [
    Case("cvat: no file", lambda folder: None, read, FILE, "is missing", None),
    whole("empty", "", "not valid XML"),
    whole("VOC's XML", voc_cases.SOUND, "begins with <annotation>, not <annotations>"),
    whole("cut short", SOUND[:400], "not valid XML"),
    whole("entity bomb", voc_cases.BOMB, "document type"),
    whole("no image", "<annotations/>", "lists no image; export the task as 'CVAT for"),
    whole(
        "nothing annotated", make("").replace(BOX, ""), "no image in it is annotated"
    ),
    whole("unknown class asked for", SOUND, "no class is called", class_names=("cow",)),
    whole(
        "lookalikes",
        make(meta=META.format(LABELS.replace("dog", "Cat"))),
        "differ in upper and lower case",
    ),
    box("of no label", ' label="cat"', "", ", label: '' is no label"),
    box("of a strange label", '"cat"', '"cow"', ", label: unknown label 'cow'; known"),
    box("of a misspelt label", '"cat"', '"Cat"', ", label: .*did you mean 'cat'"),
    box("without a side", ' xtl="2"', "", ", xtl: '' is not a finite number"),
    box("side a text", '"9.5"', '"wide"', ", xbr: 'wide' is not a finite number"),
    box("side NaN", '"12"', '"nan"', ", ybr: 'nan' is not a finite number"),
    box("side infinite", '"12"', '"1e999"', ", ybr: '1e999' is not a finite number"),
    box("far away", '"12"', '"1e300"', ": lies beyond any image"),
    box("upside down", '"12"', '"1"', ", ybr: 1 is less than ytl, 3"),
    box("turned a text", ' ytl="3"', ' ytl="3" rotation="up"', ", rotation: 'up' is"),
    box("occluded a word", '"0"', '"yes"', ", occluded: 'yes' is neither 0 nor 1"),
    shape(
        "outside the image",
        BOX.replace('"12"', '"30"'),
        "the cat box .* lies outside the image",
        file="b.png",
    ),
    shape(
        "outline outside the image",
        POLYGON.format("200,3;210,3;220,12"),
        "the dog box y 3..12, x 200..220 .* lies outside the image",
        file="b.png",
    ),
    shape(
        "outline of no point", POLYGON.format(""), "shape 1, points: '' is not a poi"
    ),
    shape(
        "outline of a text", POLYGON.format("1,2;a,b"), "points: 'a,b' is not a point"
    ),
    shape(
        "outline of threes", POLYGON.format("1,2,3"), "points: '1,2,3' is not a poin"
    ),
    shape("ellipse of no radius", '<ellipse label="dog" cx="9" cy="9"/>', "1, rx: ''"),
    shape(
        "mask of no place", '<mask label="dog" rle="1,2"/>', "shape 1, top: '' is not"
    ),
    shape(
        "mask turned inside out",
        '<mask label="dog" left="1" top="2" width="-3" height="4"/>',
        "width: a mask has a negative size",
    ),
    shape(
        "tag of a strange label", '<tag label="cow"/>', "shape 1, label: unknown lab"
    ),
    shape(
        "tag without its box",
        f'{BOX}<tag label="dog"/>',
        "image 'b.png', image_labels: 'dog' is labelled as present but has no box",
    ),
    image("of a strange file", "b.png", "d.png", "the file is missing", file="d.png"),
    image(
        "without a name", ' name="b.png"', "", "image element 2, name: '' is no file"
    ),
    image("of a name twice", '"b.png"', '"a.png"', "is 'a.png' too", kept=("c.png",)),
    image(
        "of a width a text",
        "{}",
        f'id="1" name="b.png" width="w" height="{HEIGHT}"',
        "width: 'w' is not a whole number",
    ),
    image(
        "of a height a fraction",
        "{}",
        f'id="1" name="b.png" width="{WIDTH}" height="2.5"',
        "height: '2.5' is not a whole number",
    ),
    image(
        "of another size",
        "{}",
        f'id="1" name="b.png" width="31" height="{HEIGHT}"',
        "size: the file is 30 wide",
        file="b.png",
    ),
    whole(
        "track of a strange label",
        make(more=TRACK.format("cow", 0)),
        "track 7, label: unknown label 'cow'.*remove the track",
    ),
    whole(
        "track on two images of an id",
        make(more=TRACK.format("cat", 0)).replace('id="1"', 'id="0"'),
        "image 'b.png', id: 0 is also that of image 'a.png', and nobody can tell",
        kept=("c.png",),
    ),
    whole(
        "track of no frame",
        make(more=TRACK.format("cat", "a")),
        "track 7, frame: 'a' is not the number of an image",
    ),
]
