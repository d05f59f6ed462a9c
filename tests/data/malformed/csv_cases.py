"""Malformed tables of image-level labels."""

import functools
from pathlib import Path

from ehsod_tf.data import validate
from ehsod_tf.data.readers.label_csv import read_label_csv
from malformed.case import OTHERS, Case, list_cuts, write_images

FILE = "labels.csv"
SOUND = "file_name,labels\na.png,cat\nb.png,cat;dog\nc.png,dog\n"
TABLE = SOUND.replace("b.png,cat;dog", "{}")
SIGNED = "file_name,labels,absent_labels\na.png,cat,\nb.png,{}\nc.png,dog,cat\n"


def read(folder, findings, **options):
    image_set = read_label_csv(
        folder / FILE, folder / "images", findings=findings, **options
    )
    return validate(image_set, findings=findings)


def _make(name, content, says, kept, num_problems, file, **options) -> Case:
    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / FILE).write_bytes(content)

    return Case(
        f"csv: {name}",
        write,
        functools.partial(read, **options),
        file,
        says,
        kept,
        num_problems,
        repr(options),
    )


def whole(name: str, content: str | bytes, says: str, **options) -> Case:
    """Makes a row from a file that is refused."""
    content = content.encode() if isinstance(content, str) else content
    return _make(name, content, says, None, 1, FILE, **options)


def line(
    name: str,
    text: str,
    says: str,
    kept=OTHERS,
    num_problems=1,
    file=FILE,
    table=TABLE,
    **options,
) -> Case:
    """Makes a row from the third line of a table."""
    content = table.format(text).encode()
    return _make(name, content, says, kept, num_problems, file, **options)


FILES = [
    Case(
        "csv: missing file",
        lambda folder: write_images(folder / "images"),
        read,
        FILE,
        "cannot be read",
        kept=None,
    ),
    whole("empty", "", "line 1: no column 'file_name'"),
    whole("blank", "\n\n", "line 1: no column 'file_name'"),
    whole("no header", SOUND.split("\n", 1)[1], "line 1: no column 'file_name'"),
    whole("bars", SOUND.replace(",", "|"), "line 1: no column 'file_name'"),
    whole("no column of labels", "file_name\na.png\n", "line 1: no column 'labels'"),
    whole("other column", "file_name,tags\na.png,cat\n", "line 1: no column 'labels'"),
    whole(
        "unknown column",
        "file_name,labels,absent_label\na.png,cat,\n",
        "line 1: unknown column 'absent_label'; did you mean 'absent_labels'",
    ),
    whole(
        "column twice", "file_name,labels,labels\n", "line 1: column 'labels' occurs"
    ),
    whole("JSON", '{"images": []}', "line 1: no column 'file_name'"),
    whole("image", b"\x89PNG\r\n\x1a\n" + bytes(9), "line 1: not UTF-8"),
    whole("Latin-1", SOUND.replace("dog", "\xf6").encode("latin-1"), "line 3: not UTF"),
    whole("UTF-16", SOUND.encode("utf-16"), "line 1: not UTF-8 but UTF-16 text; save"),
    whole("open quote", SOUND + '"d.png,cat\n', "line 5: not a line of a CSV file"),
    whole("stray quote", 'file_name,labels\n"a.png"x,cat\n', "line 2: not a line"),
    whole("endless cell", SOUND + "d.png," + "x" * 200_000, "line 5: not a line"),
    whole("header only", "file_name,labels\n", "class list is empty"),
    whole("no label", "file_name,labels\na.png,\n", "class list is empty"),
    *(
        whole(f"cut to {cut} bytes", SOUND[:cut], "line 1: (no|unknown) column")
        for cut in list_cuts(b"file_name,labels", 4)
    ),
    whole(
        "labels that differ in case",
        SOUND + "d.png,Dog\n",
        "the classes 'Dog' and 'dog' differ in upper and lower case only; give both",
    ),
    whole(
        "labels that differ in spaces",
        "file_name,labels\na.png,fire truck\nb.png,firetruck\n",
        "'fire truck' and 'firetruck' differ in spaces or invisible characters only",
    ),
    whole("class asked for twice", SOUND, "listed twice", class_names=("cat", "cat")),
    whole("no class asked for", SOUND, "class list is empty", class_names=()),
]

WIDE = "filename,cat,dog\na.png,1,0\n{}\nc.png,0,1\n"
LINES = [
    line("marks in words", "b.png,yes,no", "line 3, cat: 'yes' is no mark", table=WIDE),
    line("marks above 1", "b.png,0,2", "line 3, dog: '2' is no mark", table=WIDE),
    line("a mark too few", "b.png,0", "line 3: 2 cells, but 3 columns", table=WIDE),
    line("marks of no file", ",0,1", "line 3, filename: '' is no file", table=WIDE),
    line(
        "semicolons without quotes",
        "b.png;cat;dog",
        "line 3: 3 cells, but 2 columns; quote a cell that holds a semicolon",
        table=TABLE.replace(",", ";"),
    ),
    line("one cell", "b.png", "line 3: 1 cell, but 2 columns"),
    line("three cells", "b.png,cat,dog", "line 3: 3 cells, but 2 columns"),
    line("cut", "b.p", "line 3: 1 cell, but 2 columns"),
    line("no name", ",cat", "line 3, file_name: '' is no file name"),
    line("blank name", "  ,cat", "line 3, file_name: '' is no file name"),
    line("absolute name", "/b.png,cat", "line 3, file_name: .*absolute"),
    line("drive", "C:b.png,cat", "line 3, file_name: .*absolute"),
    line("above the folder", "../b.png,cat", "line 3, file_name: .*leads out"),
    line("hidden ascent", "x/../../b.png,cat", "line 3, file_name: .*leads out"),
    line("backslash", "x\\b.png,cat", "line 3, file_name: .*backslash"),
    line("NUL", "b\0.png,cat", "line 3, file_name: .*character"),
    line("control character", "b\x07.png,cat", "line 3, file_name: .*character"),
    line("line break in a name", '"b\n.png",cat', "line 4, file_name: .*character"),
    line("control in a label", "b.png,c\x07at", "line 3, labels: unknown label"),
    line(
        "joined by bars",
        "b.png,cat|dog",
        r"line 3, labels: 'cat\|dog' seems to be 2 classes in one; separate labels by",
    ),
    line("joined by commas", 'b.png,"cow,dog"', "line 3, labels: 'cow,dog' seems to"),
    line("joined by a slash", "b.png,cat/dog", "line 3, labels: 'cat/dog' seems to be"),
    line("joined by a blank", "b.png,cat dog", "line 3, labels: 'cat dog' seems to be"),
    line(
        "label in another case",
        "b.png,Dog",
        "line 3, labels: unknown label 'Dog'; did you mean 'dog'. It differs in upper",
        class_names=("cat", "dog"),
    ),
    line(
        "label in another Unicode form",
        "b.png,caf\u00e9",
        r"line 3, labels: .*differs in the Unicode form of characters only: "
        r"'caf\\xe9' against 'cafe\\u0301'",
        class_names=("cat", "dog", "cafe\u0301"),
    ),
    line("name in capitals", "B.png,cat", "line 3 of .*there is 'b.png'", file="B.png"),
    line(
        "unknown label",
        "b.png,cat;dgo",
        "line 3, labels: unknown label 'dgo'; did you mean 'dog'",
        class_names=("cat", "dog"),
    ),
    line(
        "labels separated by spaces",
        "b.png,cat dog",
        "line 3, labels: 'cat dog' seems to be 2 classes in one",
        class_names=("cat", "dog"),
    ),
    line(
        "unknown absent label",
        "cat,dgo",
        "line 3, absent_labels: unknown label 'dgo'",
        table=SIGNED,
        class_names=("cat", "dog"),
    ),
    line(
        "present and absent",
        "cat,dog; cat",
        "line 3, absent_labels: 'cat' is also among the labels",
        table=SIGNED,
    ),
    line("no such image", "d.png,cat", "line 3 of .*missing", file="d.png"),
    line("image is a folder", ".,cat", "line 3 of .*not a file", file="images"),
    line("image is a table", "../labels.csv,cat", "line 3, file_name: .*leads out"),
    line("name too long", "b" * 300 + ",cat", "line 3 of .*reached", file="bbb"),
]


def _broken_image(name: str, content: bytes, says: str) -> Case:
    def write(folder: Path) -> None:
        write_images(folder / "images")
        (folder / FILE).write_text(SOUND)
        (folder / "images" / "b.png").write_bytes(content)

    return Case(f"csv: {name}", write, read, "b.png", says)


IMAGES = [
    _broken_image("image of zero bytes", b"", r"line 3 of .*empty \(0 bytes\)"),
    _broken_image("image of text", b"no image", "line 3 of .*not an image"),
]

CASES = [*FILES, *LINES, *IMAGES]
