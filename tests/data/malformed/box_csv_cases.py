"""Malformed tables with a line for each box."""

import functools
from pathlib import Path

from ehsod_tf.data import read_box_csv, validate
from malformed.case import HEIGHT, OTHERS, WIDTH, Case, list_cuts, write_images

FILE = "boxes.csv"
HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
LINE = f"{{}},{WIDTH},{HEIGHT},cat,2,3,9.5,12\n"
TABLE = HEADER + LINE.format("a.png") + "{}\n" + LINE.format("c.png")
SOUND = TABLE.format(LINE.format("b.png").strip())


def read(folder, findings, **options):
    image_set = read_box_csv(
        folder / FILE, folder / "images", findings=findings, **options
    )
    return validate(image_set, findings=findings)


def _make(name, content, says, kept, file=FILE, **options) -> Case:
    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / FILE).write_bytes(content)

    reading = functools.partial(read, **options)
    name, words = f"box csv: {name}", repr(options)
    return Case(name, write, reading, file, says, kept, options=words)


def whole(name: str, content: str | bytes, says: str, **options) -> Case:
    """Makes a row from a file that is refused."""
    content = content.encode() if isinstance(content, str) else content
    return _make(name, content, says, None, **options)


def line(name: str, text: str, says: str, kept=OTHERS, file=FILE, **options) -> Case:
    """Makes a row from the third line."""
    return _make(name, TABLE.format(text).encode(), says, kept, file, **options)


def _box(box: str, name: str = "b.png", size: str = f"{WIDTH},{HEIGHT}") -> str:
    return f"{name},{size},cat,{box}"


CASES = [
    Case(
        "box csv: missing file",
        lambda folder: write_images(folder / "images"),
        read,
        FILE,
        "cannot be read",
        kept=None,
    ),
    whole("empty", "", "line 1: no column 'file_name'; begin|line 1: no column"),
    whole("no header", LINE.format("a.png"), "line 1: no column 'file_name' in"),
    whole("no column of classes", "filename,xmin,ymin,xmax,ymax\n", "column 'class'"),
    whole(
        "no column of a corner",
        HEADER.replace("ymax", "bbox_y"),
        "line 1: no column 'ymax' in .*; begin the file with filename,width,height",
    ),
    whole("a nameless column", HEADER.strip() + ",\n", "line 1: a column has no name"),
    whole("column twice", HEADER.strip() + ",class\n", "'class' occurs twice"),
    whole("image", b"\x89PNG\r\n\x1a\n" + bytes(9), "line 1: not UTF-8"),
    whole("UTF-16", SOUND.encode("utf-16"), "line 1: not UTF-8 but UTF-16 text"),
    whole("stray quote", HEADER + '"a.png"x,1,1,cat,1,1,2,2\n', "line 2: not a line"),
    whole("header only", HEADER, "class list is empty"),
    whole(
        "shares of the sides",
        HEADER + "a.png,30,20,cat,0.1,0.2,0.5,1.0\n",
        "no corner is above 1, .*; write pixels",
    ),
    whole("classes that differ in case", SOUND + "a.png,30,20,Cat,1,1,9,9\n", "'Cat'"),
    whole("class asked for", SOUND, "'dog'", class_names=("dog",)),
    *(
        whole(f"cut to {cut} bytes", HEADER[:cut], "line 1: no column")
        for cut in list_cuts(HEADER.strip().encode(), 4)
    ),
    line("one cell", "b.png", "line 3: 1 cell, but 8 columns", kept=OTHERS),
    line("nine cells", _box("1,2,3,4,5"), "line 3: 9 cells, but 8 columns"),
    line("no class", "b.png,30,20,,1,2,3,4", "line 3, class: '' is no class; name one"),
    line("no corner", _box("1,2,,4"), "line 3, xmax: '' is not a number of pixels"),
    line("words", _box("1,2,x,4"), "line 3, xmax: 'x' is not a number"),
    line("infinite", _box("1,2,inf,4"), "line 3, xmax: 'inf' is not a number"),
    line("far away", _box("1,2,9e30,4"), "line 3, xmax: '9e30' is not a number"),
    line("width in words", _box("1,2,3,4", size="x,20"), "line 3, width: 'x' is not a"),
    line("half a pixel", _box("1,2,3,4", size="30.5,20"), "line 3, width: '30.5' is"),
    line("negative", _box("1,2,3,4", size="30,-1"), "line 3, height: '-1' is not a"),
    line("another size", _box("1,2,3,4", size="30,21"), "21", file="b.png"),
    line("turned round", _box("9,2,3,4"), "line 3, xmax: the box ends at 3, before"),
    line("outside", _box("9,2,90,4"), "box: .*lies outside the image", file="b.png"),
    line("no name", _box("1,2,3,4", name=""), "line 3, name: '' is no file name"),
    line("no such image", _box("1,2,3,4", name="d.png"), "missing", file="d.png"),
    line("above", _box("1,2,3,4", name="../d.png"), "line 3, name: .*leads out"),
]
