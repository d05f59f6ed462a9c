"""Malformed YOLO data sets."""

import functools
import unicodedata
from pathlib import Path

from ehsod_tf.data import read_yolo, validate
from malformed.case import Case, write_images

FILE = "data.yaml"
NAMES = ("images/train/a.png", "images/train/b.png", "images/train/c.png")
KEPT = (NAMES[0], NAMES[2])
SOUND = "train: images/train\nnames: [cat, dog]\n"
LINE = "0 0.5 0.5 0.2 0.3\n"


def read(folder, findings, **options):
    image_set = read_yolo(folder / FILE, findings=findings, **options)
    return validate(image_set, findings=findings)


def write(folder: Path, description: str | bytes, line: str | bytes = LINE) -> None:
    """Writes three images; the second has this line."""
    write_images(folder / "images" / "train")
    labels = folder / "labels" / "train"
    labels.mkdir(parents=True)
    for name in ("a", "b", "c"):
        content = line if name == "b" else LINE
        content = content if isinstance(content, bytes) else content.encode()
        (labels / f"{name}.txt").write_bytes(content)
    if isinstance(description, str):
        description = description.encode()
    (folder / FILE).write_bytes(description)


def described(name: str, content: str | bytes, says: str, file=FILE, **options) -> Case:
    """Makes a row from a description that is refused."""
    return Case(
        f"yolo: {name}",
        lambda folder: write(folder, content),
        functools.partial(read, **options),
        file,
        says,
        None,
        options=repr(options),
    )


def line(name: str, content: str | bytes, says: str, **fields) -> Case:
    """Makes a row from the label file of the second image."""
    return Case(
        f"yolo: line {name}",
        lambda folder: write(folder, SOUND, content),
        read,
        **({"file": "b.txt", "says": says, "kept": KEPT} | fields),
    )


def _make_label_folder(folder: Path) -> None:
    write(folder, SOUND)
    (folder / "labels" / "train" / "b.txt").unlink()
    (folder / "labels" / "train" / "b.txt").mkdir()


def _add_namesake(folder: Path) -> None:
    write(folder, SOUND)
    write_images(folder / "images" / "train", ("b.jpg",))


def _rename_label(name: str):
    def rename(folder: Path) -> None:
        write(folder, SOUND)
        labels = folder / "labels" / "train"
        (labels / "b.txt").rename(labels / name)

    return rename


def _spell_apart(folder: Path) -> None:
    """An accent as one character in the image's name, and as two in the label's."""
    write(folder, SOUND)
    image, label = (unicodedata.normalize(form, "\xe9") for form in ("NFC", "NFD"))
    images, labels = folder / "images" / "train", folder / "labels" / "train"
    (images / "b.png").rename(images / f"{image}.png")
    (labels / "b.txt").rename(labels / f"{label}.txt")


def _spoil_image(folder: Path) -> None:
    write(folder, SOUND)
    (folder / "images" / "train" / "b.png").write_bytes(b"no image")


def _list_images(text: str):
    def write_list(folder: Path) -> None:
        write(folder, "train: list.txt\nnames: [cat, dog]\n")
        (folder / "list.txt").write_text(text)

    return write_list


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

CASES = [
    Case("yolo: no file", write_images, read, FILE, "cannot be read", None),
    described("empty", "", "holds no keys such as train and names"),
    described("text", "train", "holds no keys"),
    described("not UTF-8", b"names: [caf\xe9]", "line 1: not UTF-8"),
    described("UTF-16", SOUND.encode("utf-16"), "not UTF-8 but UTF-16 text; save"),
    described("open bracket", "train: a\nnames: [cat,\n", r"line \d+: not valid YAML"),
    described("tab", "train: a\nnames:\n\t- cat\n", "line 3: not valid YAML"),
    described("control character", "names: [\x07]", "not valid YAML"),
    described("key twice", SOUND + "train: b\n", "line 3: not valid YAML.*'train' occ"),
    described("key a list", "[a]: b\n", "line 1: not valid YAML"),
    described("tag of Python", "!!python/object:os.system {}", "names: None is no"),
    described("aliases that grow", f"{BOMB}names: *i\n", "names: .* is not the name"),
    described("deep brackets", "[" * 5000, "not valid YAML"),
    described("no names", "train: images/train\n", "names: None is no list of class"),
    described("names a text", "train: a\nnames: cat, dog\n", "'cat, dog' is no list"),
    described("names empty", "train: a\nnames: []\n", r"names: \[\] is no list"),
    described("a name empty", "train: a\nnames: [cat, '']", "'' is not the name of cl"),
    described(
        "a name a list", "train: a\nnames: [cat, [b]]", "is not the name of clas"
    ),
    described("a name twice", "train: a\nnames: [b, b]", "'b' is class 0 and class 1"),
    described("lookalikes", "train: a\nnames: [cat, Cat]", "differ in upper and lower"),
    described("a gap", "train: a\nnames: {0: b, 2: c}", "class 1 has no name"),
    described("a number a text", "train: a\nnames: {b: 0}", "'b' is not the number"),
    described("nc too large", f"{SOUND}nc: 3", "nc: '3', but 2 names"),
    described("no train", "names: [cat, dog]", "has no images of 'train'"),
    described("trian", "trian: a\nnames: [cat]", "has no images of 'train'"),
    described("other subset", SOUND, "no images of 'tests'; known are", subset="tests"),
    described(
        "train a map", "train: {a: b}\nnames: [cat]", "train: .* is no folder or"
    ),
    described("path a list", f"path: [a]\n{SOUND}", "path: .* is no folder"),
    described("no such folder", "train: imgs\nnames: [cat]", "'imgs' is neither below"),
    described("no match", "train: '*.bmp'\nnames: [cat]", r"'\*.bmp' is neither below"),
    described("folder of no image", "train: labels\nnames: [b]", "no image in labels"),
    described(
        "entry a file", "train: data.yaml\nnames: [b]", "neither a folder, nor a"
    ),
    line("one number", "0", "line 1: 1 number; a box has 5"),
    line("four numbers", "0 0.5 0.5 0.2", "line 1: 4 numbers; a box has 5"),
    line("a score", "0 0.5 0.5 0.2 0.3 0.9", "line 1: 6 .*a score at the end means"),
    line("odd outline", "0 .1 .1 .2 .2 .3 .3 .4", "line 1: 8 numbers"),
    line("commas", "0,0.5,0.5,0.2,0.3", "line 1: '0,0.5.* is not a class number with"),
    line("a name", "cat 0.5 0.5 0.2 0.3", "line 1: 'cat 0.5.* is not a class number"),
    line("JSON", '{"a": 1}', "line 1: .* is not a class number"),
    line("pixels", "0 15 10 6 6", "line 1, box: '15 10 6 6' are not shares of the ima"),
    line("percent", "0 50 50 20 30", "line 1, box: .* not shares of the image"),
    line("NaN", f"{LINE}0 nan 0.5 0.2 0.3", "line 2, box: 'nan .* not shares"),
    line("infinity", "0 0.5 0.5 inf 0.3", "line 1, box: .* not shares"),
    line("beyond float", "0 0.5 0.5 1e999 0.3", "line 1, box: .* not shares"),
    line("underscores", "0 0_1 0.5 0.2 0.3", "line 1, box: .* not shares"),
    line("Arabic digits", "0 ٠ 0.5 0.2 0.3", "line 1, box: .* not shares"),
    line("negative width", "0 0.5 0.5 -0.2 0.3", "line 1, box: width -0.2 .*negative"),
    line("class too large", "2 0.5 0.5 0.2 0.3", "line 1, class: '2' is not the"),
    line(
        "class negative", "-1 0.5 0.5 0.2 0.3", "line 1, class: '-1' is not the number"
    ),
    line("class a fraction", "0.5 0.5 0.5 0.2 0.3", "line 1, class: '0.5' is not the"),
    line("class NaN", "nan 0.5 0.5 0.2 0.3", "line 1, class: 'nan' is not the number"),
    line("not UTF-8", b"0 0.5 \xff 0.2 0.3", "line 1: not UTF-8"),
    line("NUL", b"0 0.5 0.5 0.2 0\x00", "line 1: .* is not a class number"),
    line(
        "outside the image",
        "0 1.2 0.5 0.2 0.3",
        "box: the cat box .* lies outside the image",
        file="b.png",
    ),
    Case("yolo: label a folder", _make_label_folder, read, "b.txt", "cannot be", KEPT),
    Case(
        "yolo: two images of a label file",
        _add_namesake,
        read,
        "b.txt",
        "image images/train/b.png: 'images/train/b.jpg' has this label file too",
        KEPT,
    ),
    Case(
        "yolo: label in another case",
        _rename_label("B.txt"),
        read,
        "B.txt",
        "image images/train/b.png: no 'b.txt', but this file, whose name differs in "
        "upper and lower case only; rename",
        KEPT,
    ),
    Case(
        "yolo: label in another Unicode form",
        _spell_apart,
        read,
        "labels",
        "but this file, whose name differs in the Unicode form of characters only",
        KEPT,
    ),
    Case("yolo: no image", _spoil_image, read, "b.png", "b.png, size: not an im", KEPT),
    Case(
        "yolo: list of a missing image",
        _list_images("images/train/a.png\nimages/train/d.png\n"),
        read,
        "d.png",
        "d.png, size: the file is missing",
        NAMES[:1],
    ),
    Case(
        "yolo: list of control characters",
        _list_images("images/train/a.png\nb\x07.png\n"),
        read,
        "list.txt",
        "line 2: .* holds a character that is not text",
        NAMES[:1],
    ),
    Case("yolo: empty list", _list_images("\n"), read, FILE, "no image in list", None),
]
