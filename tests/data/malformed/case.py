"""A row of the table of malformed files, and the sound data that rows spoil."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from ehsod_tf.data.problems import Findings
from ehsod_tf.structures import ImageSet

HEIGHT, WIDTH = 20, 30
NAMES = ("a.png", "b.png", "c.png")
OTHERS = ("a.png", "c.png")


class Case(NamedTuple):
    """One malformed source of images.

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
    """

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path, Findings | None], ImageSet]
    file: str
    says: str
    kept: tuple[str, ...] | None = OTHERS
    num_problems: int = 1


def write_images(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    """Writes small images, each with bytes of its own."""
    for number, name in enumerate(names):
        path = folder / name
        os.makedirs(path.parent, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (number, 100, 50)).save(path)


def list_cuts(content: bytes, number: int) -> list[int]:
    """Returns lengths to cut the content to, evenly spread."""
    return [len(content) * step // (number + 1) for step in range(1, number + 1)]
