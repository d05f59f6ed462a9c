"""The files below a folder, and which of them an annotation means."""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from urllib.parse import unquote

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError
from ehsod_tf.wording import count

# Of images that the decoder does not know.
_UNREAD_EXTENSIONS = (
    ".tif",
    ".tiff",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".dng",
    ".svg",
)

# Label Studio puts eight such digits before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile("[0-9a-f]{8}-")


def walk_files(top: str, others: list[str], findings: Findings) -> Iterator[str]:
    """Yields the paths of all files below a folder, in the order of their names.

    Args:
        top: the folder.
        others: takes the hidden folders and links to folders, which are not entered.
        findings: takes a problem for each folder that cannot be read.
    """

    def report(error: OSError) -> None:
        message = f"the folder cannot be read ({error.strerror}); grant permission"
        findings.add(os.fspath(error.filename), "", "", message)

    for parent, folders, names in os.walk(top, onerror=report):
        for folder in list(folders):
            path = os.path.join(parent, folder)
            # A link may lead back up, round and round.
            if folder.startswith(".") or os.path.islink(path):
                others.append(os.path.relpath(path, os.path.dirname(top)))
                folders.remove(folder)
        folders.sort()
        yield from (os.path.join(parent, name) for name in sorted(names))


def list_image_files(top: str, findings: Findings) -> list[str]:
    """Returns the names, relative to a folder and with "/", of the images below it.

    What might be an image too, but is not read, is counted in a note: images of other
    kinds, and what lies in hidden folders or behind links to folders.

    Raises:
        DataError: there is no such folder.
    """
    others: list[str] = []
    names = _list_names(top, (*IMAGE_EXTENSIONS, *_UNREAD_EXTENSIONS), others, findings)
    images = [name for name in names if name.lower().endswith(IMAGE_EXTENSIONS)]
    others += [name for name in names if name.lower().endswith(_UNREAD_EXTENSIONS)]
    if others:
        findings.note(
            f"{top}: passed over, {len(others):,} in all: images of a kind that is not "
            f"read, hidden folders or links to folders ({name_first(others)})"
        )
    return images


def list_files(top: str, extension: str, findings: Findings) -> list[str]:
    """Returns the names, as `list_image_files`, of the files of one extension."""
    return _list_names(top, (extension,), [], findings)


def _list_names(
    top: str, extensions: tuple[str, ...], others: list[str], findings: Findings
) -> list[str]:
    if not os.path.isdir(top):
        raise DataError(f"{top}: there is no such folder; check the path")
    top = top.rstrip(os.sep) or os.sep
    length = len(os.path.join(top, ""))
    return [
        path[length:].replace(os.sep, "/")
        for path in walk_files(top, others, findings)
        if path.lower().endswith(extensions)
        # macOS leaves "._a.jpg" beside "a.jpg".
        and not os.path.basename(path).startswith(".")
    ]


def split_path(reference: str) -> list[str]:
    """Returns the parts of a path of any system, without empty ones and "."."""
    parts = reference.replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".")]


class FileIndex:
    """Finds the file of a folder that a path of another place stands for."""

    def __init__(self, names: Iterable[str]):
        """Takes the names of the folder's files, relative to it."""
        self._parts_of_base: dict[str, list[list[str]]] = {}
        # Of the folders that hold files; by their last parts, all but the top.
        self._folders: set[str] = set()
        self._parts_of_folder: dict[str, list[list[str]]] = {}
        self._by_name_alone: set[str] = set()
        for name in names:
            folder, base = posixpath.split(name)
            parts = name.split("/")
            self._parts_of_base.setdefault(base, []).append(parts)
            if folder and folder not in self._folders:
                self._parts_of_folder.setdefault(parts[-2], []).append(parts[:-1])
            self._folders.add(folder)

    def find(self, reference: str) -> str | None:
        """Returns the file whose name a path ends with, or that ends with the path.

        The path may be absolute, of Windows, percent-encoded, or have an upload's
        prefix. Of several files, that which has most parts in common with it; None if
        there is none, or several have equally many. A file at the top is not meant by
        the path of a folder that is here.
        """
        for text in dict.fromkeys((reference, unquote(reference))):
            parts = split_path(text)
            if not parts:
                return None
            found = self._choose(parts)
            if found is None and _UPLOAD_PREFIX.match(parts[-1]):
                found = self._choose([*parts[:-1], parts[-1][9:]])
            if found is not None:
                return found
        return None

    def find_by_name(self, reference: str) -> str | None:
        """As `find`, or else by the name alone, if the path's folder is not here.

        `note` says which files were found so.
        """
        parts = split_path(reference)
        found = self.find(reference)
        is_elsewhere = not self._has_folder(split_path(unquote(reference))[:-1])
        if found is None and parts and is_elsewhere:
            found = self.find(parts[-1])
        if found and len(parts) > 1 and not _share_folder(parts, found):
            # Where all lie in one folder, there is no other file that may be meant.
            self._by_name_alone |= {found} if len(self._folders) > 1 else set()
        return found

    def find_from(self, folder: str, reference: str) -> str | None:
        """Returns the file that a path in an annotation means.

        It leads there from the annotation's own folder, or the file lies in that one,
        or it shares more than its name with the path. Its name alone tells if neither
        folder holds a file, and `note` says of which; else "one/a.jpg", which is
        missing, would be taken for "two/a.jpg".

        Args:
            folder: of the annotation, relative to that of the files.
            reference: the path, of any system or another machine.
        """
        parts = split_path(reference)
        if not parts:
            return None
        named = posixpath.normpath(posixpath.join(folder, *parts))
        places = (named, posixpath.join(folder, parts[-1]))
        for place in places:
            found = self.find(place)
            if found and posixpath.dirname(found) == posixpath.dirname(place):
                return found
        found = self.find(reference)
        if found and _share_folder(parts, found):
            return found
        if not self._folders.isdisjoint(map(posixpath.dirname, places)):
            return None
        found = self.find(parts[-1])
        self._by_name_alone |= {found} if found else set()
        return found

    def note(self, source: str, findings: Findings) -> None:
        """Notes how many files were found by their names alone."""
        if names := sorted(self._by_name_alone):
            findings.note(
                f"{source}: {count(len(names), 'image')} not in the folder that the "
                "annotation means, but found by name alone in another one "
                f"({name_first(names)})"
            )

    def _has_folder(self, parts: list[str]) -> bool:
        """Whether a folder here ends with a folder's path, or that with it."""
        return any(
            _count_equal_ends(parts, other) in (len(parts), len(other))
            for other in (self._parts_of_folder.get(parts[-1], []) if parts else [])
        )

    def _choose(self, parts: list[str]) -> str | None:
        fitting = []
        for other in self._parts_of_base.get(parts[-1], []):
            equal = _count_equal_ends(parts, other)
            # "one/a.jpg" is not "two/a.jpg", though both end alike.
            if equal in (len(parts), len(other)):
                fitting.append((equal, other))
        best = max((equal for equal, _ in fitting), default=0)
        if best == 1 and self._has_folder(parts[:-1]):
            return None
        names = [other for equal, other in fitting if equal == best]
        # A file named in full is meant, though another may end like it.
        full = [other for other in names if len(other) == best]
        return "/".join((full or names)[0]) if len(full or names) == 1 else None


def _share_folder(parts: list[str], name: str) -> bool:
    """Whether a path and a file's name agree in the file's own folder."""
    folder = posixpath.basename(posixpath.dirname(name))
    return folder != "" and folder in (*parts[-2:-1], *map(unquote, parts[-2:-1]))


def _count_equal_ends(first: list[str], second: list[str]) -> int:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
