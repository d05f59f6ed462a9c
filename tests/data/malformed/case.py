"""A row of the table of malformed files, and the sound data that rows spoil."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from image_encoding import encode
from PIL import Image

from ehsod_tf.data.problems import Findings
from ehsod_tf.structures import ImageSet

HEIGHT, WIDTH = 20, 30
NAMES = ("a.png", "b.png", "c.png")
OTHERS = ("a.png", "c.png")


class Case(NamedTuple):
    """One malformed source of images: its files, and what is asked of them.

    Attributes:
        name: unique in the table.
        write: writes the source into an empty folder.
        read: reads it from there and checks it.
        file: the file that messages must name.
        says: regular expression that the error of a strict reading must match: the
            record or line, the field, and what is wrong.
        kept: names of the images that a reading with `Findings` returns; None where
            the whole source is refused.
        num_problems: how many problems such a reading finds.
        options: what `read` asks for beyond the reader's defaults.
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path, Findings | None], ImageSet]
    file: str
    says: str
    kept: tuple[str, ...] | None = OTHERS
    num_problems: int = 1
    options: str = ""


def write_images(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    """Writes small images, each with bytes of its own."""
    for number, name in enumerate(names):
        path = folder / name
        os.makedirs(path.parent, exist_ok=True)
        path.write_bytes(_encode_image(number, path.suffix))


@functools.cache
def _encode_image(number: int, suffix: str) -> bytes:
    kind = "PNG" if suffix == ".png" else "JPEG"
    return encode(Image.new("RGB", (WIDTH, HEIGHT), (number, 100, 50)), kind)


def list_cuts(content: bytes, number: int) -> list[int]:
    """Returns lengths to cut the content to, evenly spread."""
    return [len(content) * step // (number + 1) for step in range(1, number + 1)]
