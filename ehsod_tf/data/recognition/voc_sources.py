"""VOC devkits: a source for each list of images."""

import os
import re

from ehsod_tf.data.recognition.listing import Listing
from ehsod_tf.data.recognition.source import BOXES, FolderSource, find_role

_LIST = re.compile(r"((?:.*/)?)ImageSets/Main/([^/]+)\.txt")
_HEAD_BYTES = 4096


def recognize_voc(listing: Listing) -> tuple[list[FolderSource], dict[str, list[str]]]:
    """Recognises devkits by the lists of their ``ImageSets/Main``.

    Returns:
        The sources, and what is passed over, by a word for why.
    """
    sources, of_classes = [], []
    for path in listing.documents["txt"]:
        if match := _LIST.fullmatch(path):
            if _has_marks(os.path.join(listing.root, path)):
                of_classes.append(path)
            else:
                sources.append(_describe(path, *match.groups()))
    return sources, {"lists of single classes": of_classes} if of_classes else {}


def _describe(path: str, devkit: str, name: str) -> FolderSource:
    return FolderSource(
        path=path,
        form="VOC devkit",
        reader="read_voc",
        arguments={"devkit": devkit.rstrip("/") or ".", "image_set": name},
        gives=(BOXES,),
        role=find_role(name),
        image_dirs=(f"{devkit}JPEGImages/",),
    )


def _has_marks(path: str) -> bool:
    """Whether the lines of a list end in -1, 0 or 1, as those of a class do."""
    try:
        with open(path, "rb") as file:
            lines = file.read(_HEAD_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    lines = [line for line in lines[:50] if line.strip()]
    return bool(lines) and all(re.search(r"\S\s+(-1|0|1)\s*$", line) for line in lines)
