"""A folder as it lies there: its files by kind, none of them opened."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS
from ehsod_tf.data.readers.embedded_images import is_unpacked
from ehsod_tf.errors import DataError

HIDDEN = "hidden, or the system's own"
RUN_FOLDERS = "run folders"
LINKS = "links to folders that are listed already"

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2", ".crdownload")
_TEXTS = (".md", ".rst", ".pdf", ".html", ".log", ".docx", ".bib")
_TEXT_NAMES = ("readme", "license", "licence", "changelog", "citation")
_SYSTEM_NAMES = {
    "__macosx",
    "thumbs.db",
    "desktop.ini",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "__pycache__",
    "icon\r",
    "lost+found",
}
# Forms of annotation, by the end of a name.
_DOCUMENTS = {
    ".json": "json",
    ".csv": "csv",
    ".xml": "xml",
    ".txt": "txt",
    ".yaml": "yaml",
    ".yml": "yaml",
}
# A folder with one of these is a run's, whose many files are no data.
_RUN_FILES = ("owner.json", "operative_config.gin")


class Listing(NamedTuple):
    """The files of a folder, as paths below it with "/" between folders, sorted.

    Attributes:
        root: the folder.
        images: files that are named like images.
        documents: "json", "csv", "xml", "txt" and "yaml" files.
        records: TFRecord files.
        others: what is no data, by a word for why; folders end in "/".
    """

    root: str
    images: list[str]
    documents: dict[str, list[str]]
    records: list[str]
    others: dict[str, list[str]]


def list_folder(root: str | os.PathLike) -> Listing:
    """Lists a folder and the folders in it.

    Links to folders are followed, unless they lead to what is listed anyway.

    Raises:
        DataError: the folder is missing or cannot be read.
    """
    root = os.fspath(root)
    if not os.path.isdir(root):
        what = "a file, not a folder" if os.path.exists(root) else "no such folder"
        raise DataError(f"{root}: {what}; give the folder that holds the data")
    listing = Listing(root, [], {kind: [] for kind in _DOCUMENTS.values()}, [], {})
    for folder, name in _walk(root, listing.others):
        path = f"{folder}{name}"
        place = _find_place(listing, name)
        if place is not None:
            place.append(path)
        else:
            kind = _name_kind(name.lower())
            listing.others.setdefault(kind, []).append(path)
    for paths in (listing.images, listing.records, *listing.documents.values()):
        paths.sort()
    return listing


def _walk(root: str, others: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yields (folder below the root, name) of each file that may be data."""
    waiting, real_root = [""], os.path.realpath(root)
    seen = {real_root}
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:
                entries = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"{os.path.join(root, folder)}: the folder cannot be read "
                f"({error.strerror}); grant permission"
            ) from error
        if folder and any(entry.name in _RUN_FILES for entry in entries):
            others.setdefault(RUN_FOLDERS, []).append(folder)
            continue
        for entry in entries:
            is_folder = entry.is_dir()
            path = f"{folder}{entry.name}" + "/" * is_folder
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
                others.setdefault(HIDDEN, []).append(path)
            elif not is_folder:
                yield folder, entry.name
            elif entry.is_symlink() and _is_listed(entry.path, real_root, seen):
                others.setdefault(LINKS, []).append(path)
            else:
                waiting.append(path)


def _is_listed(link: str, real_root: str, seen: set[str]) -> bool:
    target = os.path.realpath(link)
    is_listed = target in seen or f"{target}/".startswith(f"{real_root}/")
    # A link up and out of the folder would lead back into it.
    is_listed |= f"{real_root}/".startswith(f"{target}/")
    seen.add(target)
    return is_listed


def _find_place(listing: Listing, name: str) -> list[str] | None:
    """The list that a file belongs to by its name; None for no data."""
    stem, extension = os.path.splitext(name.lower())
    if extension in IMAGE_EXTENSIONS:
        return None if is_unpacked(name) else listing.images
    if stem in _TEXT_NAMES or stem.startswith("readme"):
        return None
    if extension in _DOCUMENTS:
        return listing.documents[_DOCUMENTS[extension]]
    # "records-00003-of-00016", "train.tfrecord", "train.record-00000-of-00010".
    is_shard = "-of-" in name and "record" in name.lower()
    if extension in (".tfrecord", ".tfrecords", ".record") or is_shard:
        return listing.records
    return None


def _name_kind(name: str) -> str:
    stem, extension = os.path.splitext(name)
    if is_unpacked(name):
        return "images that were unpacked from JSON files"
    if extension in _ARCHIVES:
        return "archives"
    if extension in _TEXTS or stem in _TEXT_NAMES or stem.startswith("readme"):
        return "texts about the data"
    if extension in (".cache", ".tmp", ".bak", ".part", ".swp", ".pyc"):
        return "caches and leftovers"
    return "of no form that is known"


def parent(path: str) -> str:
    """The folder of a path below the root: "" or with "/" at its end."""
    return path[: path.rfind("/") + 1]
