"""VOC devkits: a source for each list of images."""

import os
import re

from ehsod_tf.data.recognition.listing import Listing
from ehsod_tf.data.recognition.source import BOXES, FolderSource, find_role

_LIST = re.compile(r"((?:.*/)?)ImageSets/Main/([^/]+)\.txt")


def recognize_voc(listing: Listing) -> tuple[list[FolderSource], dict[str, list[str]]]:
    """Recognises devkits by the lists of their ``ImageSets/Main``.

    Returns:
        The sources, and what is passed over, by a word for why.
    """
    sources, of_classes = [], []
    for path in listing.documents["txt"]:
        if match := _LIST.fullmatch(path):
            lines = _read_lines(os.path.join(listing.root, path))
            if _have_marks(lines[:50]):
                of_classes.append(path)
            else:
                sources.append(_describe(path, *match.groups(), len(lines)))
    return sources, {"lists of single classes": of_classes} if of_classes else {}


def _describe(path: str, devkit: str, name: str, length: int) -> FolderSource:
    return FolderSource(
        path=path,
        form="VOC devkit",
        reader="read_voc",
        arguments={"devkit": devkit.rstrip("/") or ".", "image_set": name},
        gives=(BOXES,),
        role=find_role(name),
        image_dirs=(f"{devkit}JPEGImages/",),
        detail=f"{length:,} names",
    )


def _read_lines(path: str) -> list[str]:
    """The lines that say something; [] of a file that cannot be read."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return [line for line in file if line.strip()]
    except OSError:
        return []


def _have_marks(lines: list[str]) -> bool:
    """Whether the lines of a list end in -1, 0 or 1, as those of a class do."""
    return bool(lines) and all(re.search(r"\S\s+(-1|0|1)\s*$", line) for line in lines)
