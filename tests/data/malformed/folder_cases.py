"""Malformed sets of class folders."""

import os
from collections.abc import Callable
from pathlib import Path

from image_encoding import encode_png

from ehsod_tf.data import validate
from ehsod_tf.data.readers.class_folders import read_class_folders
from malformed.case import Case, write_images
from malformed.image_cases import JPEG, PIXELS, PNG

SOUND = ("cat/a.png", "cat/b.png", "dog/c.png")
OTHERS = ("cat/a.png", "dog/c.png")


def case(
    name: str,
    spoil: Callable[[Path], None],
    file: str,
    says: str,
    kept=OTHERS,
    **options,
) -> Case:
    """Makes a row from what is done to a sound folder."""

    def write(folder: Path) -> None:
        write_images(folder / "images", SOUND)
        spoil(folder / "images")

    def read(folder, findings):
        image_set = read_class_folders(folder / "images", findings=findings, **options)
        return validate(image_set, findings=findings)

    return Case(f"folder: {name}", write, read, file, says, kept, options=repr(options))


def content(name: str, content: bytes, says: str) -> Case:
    """Makes a row from the bytes of one image."""
    return case(
        name,
        lambda folder: (folder / "cat" / "b.png").write_bytes(content),
        "b.png",
        says,
    )


def replace(path: Path, make: Callable) -> None:
    path.unlink()
    make(path)


def clear(folder: Path) -> None:
    for name in SOUND:
        (folder / name).unlink()


def remove(folder: Path) -> None:
    clear(folder)
    (folder / "cat").rmdir()
    (folder / "dog").rmdir()


def remove_all(folder: Path) -> None:
    remove(folder)
    folder.rmdir()


def put_file(folder: Path) -> None:
    remove_all(folder)
    folder.write_bytes(PNG)


def flatten(folder: Path) -> None:
    for name in SOUND:
        os.rename(folder / name, folder / os.path.basename(name))
    (folder / "cat").rmdir()
    (folder / "dog").rmdir()


def rename_image(name: bytes) -> Callable[[Path], None]:
    def rename(folder: Path) -> None:
        os.rename(folder / "cat" / "b.png", os.fsencode(folder / "cat") + b"/" + name)

    return rename


def add_folder(name: bytes) -> Callable[[Path], None]:
    return lambda folder: os.mkdir(os.fsencode(folder) + b"/" + name)


ALL = SOUND

CASES = [
    case("missing", remove_all, "images", "cannot be read", None),
    case("a file", put_file, "images", "cannot be read", None),
    case("empty", remove, "images", "holds no class folder", None),
    case("images without class folders", flatten, "images", "no class folder", None),
    case("class folders without images", clear, "images", "no image", None),
    case(
        "class asked for twice",
        lambda folder: None,
        "images",
        "class 'cat' is listed twice",
        None,
        class_names=("cat", "cat"),
    ),
    case(
        "no class asked for",
        lambda folder: None,
        "images",
        "the class list is empty",
        None,
        class_names=(),
    ),
    case(
        "no folder of the classes asked for",
        lambda folder: None,
        "images",
        "no image",
        None,
        class_names=("cow", "dgo"),
    ),
    content("zero bytes", b"", r"the file is empty \(0 bytes\)"),
    content("text", b"no image", "not an image"),
    content("signature only", PNG[:8], "not an image"),
    content("truncated PNG", PNG[: len(PNG) // 2], "truncated or damaged"),
    content("truncated JPEG", JPEG[:-9], "truncated or damaged"),
    content("bomb", encode_png(PIXELS, 8, 2, (20_000, 20_000)), "89,478,485 pixels"),
    case(
        "dangling link",
        lambda folder: replace(
            folder / "cat" / "b.png", lambda path: path.symlink_to("none.png")
        ),
        "b.png",
        "the file is missing",
    ),
    case(
        "pipe",
        lambda folder: replace(folder / "cat" / "b.png", os.mkfifo),
        "b.png",
        "not a file",
    ),
    case("image name not UTF-8", rename_image(b"b\xff.png"), "cat", r"b\\.*character"),
    case(
        "image name with control character",
        rename_image(b"b\x01.png"),
        "cat",
        "character",
    ),
    case("image name with line break", rename_image(b"b\n.png"), "cat", "character"),
    case("image name with backslash", rename_image(b"b\\.png"), "cat", "backslash"),
    case(
        "class of two",
        add_folder(b"cat|dog"),
        "images",
        r"folder 'cat\|dog': .*2 classes in one; put its images into the folder",
        ALL,
    ),
    case(
        "class in two cases",
        add_folder(b"Dog"),
        "images",
        "the classes 'Dog' and 'dog' differ in upper and lower case only",
        None,
    ),
    case("class not UTF-8", add_folder(b"c\xff"), "images", "not plain text", ALL),
    case("class with line break", add_folder(b"c\nw"), "images", "not plain text", ALL),
    case("class with backslash", add_folder(b"c\\w"), "images", "not plain text", ALL),
]
