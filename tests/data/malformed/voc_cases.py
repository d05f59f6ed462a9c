"""Malformed PASCAL VOC devkits."""

import re
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_voc, validate
from malformed.case import HEIGHT, WIDTH, Case, list_cuts, write_images

NAMES = ("a", "b", "c")
OTHERS = ("a", "c")
LIST = "trainval.txt"
SOUND = f"""<annotation>
  <size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>
  <object>
    <name>cat</name>
    <difficult>0</difficult>
    <bndbox><xmin>3</xmin><ymin>4</ymin><xmax>9</xmax><ymax>12</ymax></bndbox>
  </object>
</annotation>
"""


def read(folder, findings, class_names=("cat", "dog")):
    image_set = read_voc(folder, "trainval", class_names=class_names, findings=findings)
    return validate(image_set, findings=findings)


def write_devkit(folder: Path, annotation: bytes | None, names: bytes) -> None:
    """Writes three images, the second with this annotation."""
    write_images(folder / "JPEGImages", tuple(f"{name}.jpg" for name in NAMES))
    (folder / "Annotations").mkdir()
    for name in NAMES:
        content = annotation if name == "b" else SOUND.encode()
        if content is not None:
            (folder / "Annotations" / f"{name}.xml").write_bytes(content)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / LIST).write_bytes(names)


def case(
    name: str,
    annotation: str | bytes | None,
    says: str,
    kept=OTHERS,
    num_problems=1,
    file="b.xml",
) -> Case:
    """Makes a row from the second image's annotation."""
    content = annotation.encode() if isinstance(annotation, str) else annotation

    def write(folder: Path) -> None:
        write_devkit(folder, content, b"a\nb\nc\n")

    return Case(f"voc: {name}", write, read, file, says, kept, num_problems)


def listed(
    name: str, names: bytes, says: str, kept=None, num_problems=1, file=LIST
) -> Case:
    """Makes a row from the list of images."""

    def write(folder: Path) -> None:
        write_devkit(folder, SOUND.encode(), names)

    return Case(f"voc: list {name}", write, read, file, says, kept, num_problems)


def lacking(name: str, remove: Callable[[Path], None], file: str, says: str) -> Case:
    """Makes a row from what is taken out of a sound devkit; it is refused."""

    def write(folder: Path) -> None:
        write_devkit(folder, SOUND.encode(), b"a\nb\nc\n")
        remove(folder)

    return Case(f"voc: {name}", write, read, file, says, kept=None)


def replace(tag: str, text: str | None) -> str:
    """Returns the sound annotation with another text in a tag, or without the tag."""
    new = "" if text is None else f"<{tag}>{text}</{tag}>"
    changed, count = re.subn(rf"<{tag}>.*?</{tag}>", new, SOUND, count=1, flags=re.S)
    assert count == 1
    return changed


def rename_list(folder: Path) -> None:
    main = folder / "ImageSets" / "Main"
    (main / LIST).rename(main / "trainvall.txt")


def remove_lists(folder: Path) -> None:
    (folder / "ImageSets" / "Main" / LIST).unlink()
    (folder / "ImageSets" / "Main").rmdir()


BOMB = (
    '<!DOCTYPE a [<!ENTITY x0 "ha">'
    + "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10}">' for i in range(1, 12))
    + "]>"
    + SOUND.replace("cat", "&x11;")
)
QUADRATIC_BOMB = f'<!DOCTYPE a [<!ENTITY x "{"ha" * 10_000}">]>'
QUADRATIC_BOMB += SOUND.replace("cat", "&x;" * 10_000)
PARAMETER = f'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/x.dtd"> %x;]>{SOUND}'
ELSEWHERE = f'<!DOCTYPE annotation SYSTEM "annotation.dtd">{SOUND}'
SECRET = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + SOUND.replace(
    "cat", "&x;"
)

FILES = [
    case("missing", None, "the annotation is missing"),
    case("empty", "", "not valid XML"),
    case("blank", " \n", "not valid XML"),
    case("JSON", '{"a": 1}', "not valid XML.*line 1, column 0"),
    case("image", b"\x89PNG\r\n\x1a\n" + bytes(9), "not valid XML"),
    case("not UTF-8", SOUND.replace("cat", "c\xe9t").encode("latin-1"), "valid XML"),
    case(
        "unknown encoding",
        '<?xml version="1.0" encoding="klingon"?>' + SOUND,
        "not valid XML|cannot be read",
    ),
    case("two roots", SOUND + SOUND, "not valid XML.*line 9"),
    case("unclosed tag", SOUND.replace("</name>", ""), "not valid XML.*line"),
    case("unknown entity", SOUND.replace("cat", "&cat;"), "not valid XML.*line 4"),
    case("entity bomb", BOMB, "document type"),
    case("quadratic entity bomb", QUADRATIC_BOMB, "document type"),
    case("entity of a file", SECRET, "document type"),
    case("parameter entity", PARAMETER, "document type"),
    case("document type elsewhere", ELSEWHERE, "document type"),
    case("deep elements", "<a>" * 50_000 + "</a>" * 50_000, "begins with <a>"),
    *(
        case(f"cut to {cut} bytes", SOUND[:cut], "not valid XML.*line")
        for cut in list_cuts(SOUND.encode(), 8)
    ),
]

FIELDS = [
    *(
        case(
            f"{tag} {name}",
            replace(tag, text),
            rf"size, {tag}: .* is not a positive integer",
        )
        for tag in ("width", "height")
        for name, text in (
            ("text", "wide"),
            ("negative", "-3"),
            ("fraction", "20.5"),
            ("superscript", "\u00b2"),
            ("beyond 32 bits", "2147483648"),
            ("of 5000 digits", "9" * 5000),
        )
    ),
    case(
        "size of another image",
        replace("width", "31"),
        r"image 2, size: the file is 30 wide .*, the annotation says 31",
        file="b.jpg",
    ),
    *(
        case(f"name {name}", replace("name", text), rf"object 1, name: {says}")
        for name, text, says in (
            ("missing", None, ".*''"),
            ("empty", "", ".*''"),
            ("unknown", "catt", "unknown class 'catt'; did you mean 'cat'"),
            (
                "in capitals",
                "CAT",
                "unknown class 'CAT'; did you mean 'cat'. It differs in upper and",
            ),
            (
                "of one's own",
                "pallet",
                "unknown class 'pallet'; list it in class_names",
            ),
        )
    ),
    *(
        case(f"{tag} {name}", replace(tag, text), rf"object 1, {tag}: .*finite number")
        for tag in ("xmin", "ymin", "xmax", "ymax")
        for name, text in (
            ("missing", None),
            ("empty", ""),
            ("text", "left"),
            ("nan", "nan"),
            ("infinite", "1e999"),
        )
    ),
    case(
        "no bndbox", replace("bndbox", None), "object 1, bndbox: an object has 1, not 0"
    ),
    case("xmax before xmin", replace("xmax", "1"), "no height or no width|xmax"),
    case("flat", replace("ymax", "3"), "no height or no width|ymax"),
    *(
        case(
            name, replace(tag, text), "image 2, box: .* outside the image", file="b.jpg"
        )
        for name, tag, text in (
            ("xmin outside", "xmin", "-2"),
            ("ymax outside", "ymax", "22"),
            ("far away", "xmax", "1e300"),
        )
    ),
    *(
        case(
            f"difficult {name}",
            replace("difficult", text),
            "object 1, difficult: .* is neither 0 nor 1",
        )
        for name, text in (("text", "yes"), ("2", "2"))
    ),
]

LISTS = [
    listed("empty", b"", "the image list is empty"),
    listed("blank", b"\n \n", "the image list is empty"),
    listed("not UTF-8", b"a\nb\xff\nc\n", r"line 2: not UTF-8"),
    listed("UTF-16", "a\nb\nc\n".encode("utf-16"), "line 1: not UTF-8 but UTF-16 text"),
    listed("repeated", b"a\nb\nc\na\n", r"a: listed twice|line 4", NAMES),
    listed(
        "repeated in another spelling", b"a\nb\n./b\nc\n", r"line 3: './b' is", NAMES
    ),
    listed(
        "of another case",
        b"a\nB\nc\n",
        "there is 'b.xml', whose name",
        OTHERS,
        file="B.xml",
    ),
    listed(
        "of a number behind a name",
        b"a\nb 2\nc\n",
        "b 2.xml: .*missing",
        OTHERS,
        file="b 2.xml",
    ),
    listed("above the folder", b"a\n../b\nc\n", r"leads out", OTHERS),
    listed("absolute", b"a\n/b\nc\n", r"absolute", OTHERS),
    listed("NUL", b"a\nb\0\nc\n", r"character", OTHERS),
    lacking("no such list", rename_list, LIST, "no such image list; did you mean"),
    lacking("no lists", remove_lists, "Main", "no such folder"),
]


def chosen(name: str, class_names: tuple[str, ...], file: str, says: str) -> Case:
    """Makes a row from classes asked of a sound devkit; it is refused."""

    def write(folder: Path) -> None:
        write_devkit(folder, SOUND.encode(), b"a\nb\nc\n")

    def read_classes(folder, findings):
        return read(folder, findings, class_names)

    return Case(
        f"voc: {name}", write, read_classes, file, says, None, options=repr(class_names)
    )


CLASSES = [
    chosen(
        "unknown class asked for",
        ("cat", "dgo"),
        LIST,
        "no class is called 'dgo'; did you mean 'dog'",
    ),
    chosen("class asked for twice", ("cat", "cat"), LIST, "'cat' is listed twice"),
    chosen("no class asked for", (), LIST, "the class list is empty"),
    chosen(
        "no annotation of the class asked for",
        ("dog",),
        "JPEGImages",
        "no image is annotated with any class of: dog",
    ),
]

CASES = [*FILES, *FIELDS, *LISTS, *CLASSES]
